// What a command asks for. The verb was found by `WireLine`; here its argument is read, strictly. Commands are rare: they
// may allocate. Called by the ingest loops.

/// How a connection is answered.
public enum Mode: UInt8, CaseIterable, Sendable {
    /// Nothing for event lines until the half-close.
    case silent
    /// `-ERR` for each rejected line.
    case errors
    /// As errors, and a cumulative `+ACK n` for each commit.
    case acks
    /// `+OK n id` or `-ERR` for each line, in order.
    case each

    /// The mode's name on the wire.
    public var label: StaticString {
        switch self {
        case .silent: "silent"
        case .errors: "errors"
        case .acks: "acks"
        case .each: "each"
        }
    }

    /// The mode of this name, in lower case.
    public init?(label: Span<UInt8>) {
        for mode in Mode.allCases where mode.label.equals(label) {
            self = mode
            return
        }
        return nil
    }
}

/// HELLO's argument.
public struct Hello: Equatable, Sendable {
    /// `client`: what the client calls itself, UTF-8.
    public var client: [UInt8]?
    /// `token`, as sent.
    public var token: [UInt8]?
    /// `client_id`, UTF-8, 1 to 64 bytes; never without a token.
    public var clientID: [UInt8]?
    /// `seq`: the number of the next event line, 1 or more. nil: last_seq + 1 with a client_id, else 1.
    public var sequence: UInt64?
    /// `mode`; nil leaves the mode as it is (and ends the first silence as any command does).
    public var mode: Mode?

    /// A greeting.
    public init(
        client: [UInt8]? = nil, token: [UInt8]? = nil, clientID: [UInt8]? = nil, sequence: UInt64? = nil,
        mode: Mode? = nil
    ) {
        self.client = client
        self.token = token
        self.clientID = clientID
        self.sequence = sequence
        self.mode = mode
    }
}

/// REJECT's argument (control socket): a refusal that another service wants kept among the errors.
public struct RejectReport: Equatable, Sendable {
    /// `code`.
    public var reject: Reject
    /// `message`: for people.
    public var message: [UInt8]
    /// `data`: what was refused, as it came, shortened.
    public var data: [UInt8]
    /// `transport`: `http`.
    public var transport: [UInt8]
    /// `source`: the peer's address.
    public var source: [UInt8]
    /// `token_id`: whose request it was; nil if the token was unknown.
    public var tokenID: UInt32?

    /// A refusal.
    public init(
        reject: Reject, message: [UInt8] = [], data: [UInt8] = [], transport: [UInt8] = [], source: [UInt8] = [],
        tokenID: UInt32? = nil
    ) {
        self.reject = reject
        self.message = message
        self.data = data
        self.transport = transport
        self.source = source
        self.tokenID = tokenID
    }
}

/// ERASE's argument (control socket): what shall be gone.
public struct ErasureRequest: Equatable, Sendable {
    /// One event, or all of a session.
    public enum Subject: Equatable, Sendable {
        case event(UInt64)
        case session(UUID)
    }

    /// `EVENT id` or `SESSION UUID`.
    public var subject: Subject
    /// `DRY`: count, and erase nothing.
    public var isDry: Bool
    /// `NOW`: take the bytes off the disk at once, not within a day.
    public var isNow: Bool

    /// A request.
    public init(_ subject: Subject, isDry: Bool = false, isNow: Bool = false) {
        self.subject = subject
        self.isDry = isDry
        self.isNow = isNow
    }
}

/// A command. Ranges count from the start of the line.
public enum Command: Equatable, Sendable {
    case hello(Hello)
    case mode(Mode)
    /// The text to send back; perhaps empty.
    case ping(Range<Int>)
    case sync
    /// Judge the event, store nothing.
    case check(token: Range<Int>, json: Range<Int>)
    case stats
    case help
    case quit
    /// Open a session.
    case session(token: Range<Int>, UUID)
    case reject(RejectReport)
    /// The token with this number was used.
    case used(tokenID: UInt32)
    case metrics
    /// Erase an event or a session. The token is `-` for whoever may open the socket.
    case erase(token: Range<Int>, ErasureRequest)

    /// Reads the argument of a command that ``WireLine/split(_:isControl:)`` has found. Faults count from the start of
    /// `line`; what is wrong with an argument as such is `bad-proto`.
    public static func parse(
        _ verb: Verb, argument: Range<Int>, of line: UnsafeRawBufferPointer
    ) throws(Fault) -> Command {
        let argument = unsafe trimmed(argument, of: line)
        switch verb {
        case .hello: return .hello(try unsafe Hello(parsing: argument, of: line))
        case .mode:
            // In bounds: ranges of the line throughout, by the caller's word, which subscripts check in debug builds.
            guard let mode = unsafe [UInt8](line[argument]).withMode() else {
                throw Fault(.badProto, at: argument.lowerBound)
            }
            return .mode(mode)
        case .ping:
            guard argument.count <= WireLimits.pingBytesMax else { throw Fault(.badProto, at: argument.lowerBound) }
            for offset in argument where unsafe line[offset] &- 0x20 > 0x5E { throw Fault(.badProto, at: offset) }
            return .ping(argument)
        case .check:
            let token = unsafe word(argument, of: line)
            return .check(token: token, json: min(token.upperBound + 1, argument.upperBound)..<argument.upperBound)
        case .session:
            let token = unsafe word(argument, of: line)
            let text = min(token.upperBound + 1, argument.upperBound)..<argument.upperBound
            guard let uuid = unsafe UUID(parsing: [UInt8](line[text]).span) else {
                throw Fault(.badUUID, .sessionID, at: text.lowerBound)
            }
            return .session(token: token, uuid)
        case .erase:
            let token = unsafe word(argument, of: line)
            let rest = min(token.upperBound + 1, argument.upperBound)..<argument.upperBound
            return .erase(token: token, try unsafe ErasureRequest(parsing: rest, of: line))
        case .reject: return .reject(try unsafe RejectReport(parsing: argument, of: line))
        case .used:
            guard let id = unsafe JSON.unsigned(argument, of: line), let id = UInt32(exactly: id) else {
                throw Fault(.badProto, at: argument.lowerBound)
            }
            return .used(tokenID: id)
        case .sync, .stats, .help, .quit, .metrics:
            guard argument.isEmpty else { throw Fault(.badProto, at: argument.lowerBound) }
            switch verb {
            case .sync: return .sync
            case .stats: return .stats
            case .help: return .help
            case .quit: return .quit
            default: return .metrics
            }
        }
    }

    /// `range` without the spaces at both ends.
    private static func trimmed(_ range: Range<Int>, of line: UnsafeRawBufferPointer) -> Range<Int> {
        var (first, end) = (range.lowerBound, range.upperBound)
        while first < end, unsafe line[first] == 0x20 { first += 1 }
        while first < end, unsafe line[end - 1] == 0x20 { end -= 1 }
        return first..<end
    }

    /// The first word of `range`.
    private static func word(_ range: Range<Int>, of line: UnsafeRawBufferPointer) -> Range<Int> {
        var end = range.lowerBound
        while end < range.upperBound, unsafe line[end] != 0x20 { end += 1 }
        return range.lowerBound..<end
    }
}

extension [UInt8] {
    /// The mode that these bytes name.
    fileprivate func withMode() -> Mode? { Mode(label: span) }
    /// The reject that these bytes name.
    fileprivate func withReject() -> Reject? { Reject(code: span) }
}

/// One pass over the members of a command's JSON object.
@safe
private struct Argument {
    let line: UnsafeRawBufferPointer
    private var members: JSON.Members
    private var seen: UInt32 = 0
    private let range: Range<Int>
    private(set) var value = JSON.Value(kind: .null, range: 0..<0)

    init(_ range: Range<Int>, of line: UnsafeRawBufferPointer) throws(Fault) {
        // The object must be the whole argument: beyond its end nothing is looked at.
        unsafe self.line = line
        self.range = range
        let value = try Argument.shifted(range.lowerBound) { () throws(Fault) in
            try unsafe JSON.validate(UnsafeRawBufferPointer(rebasing: line[range]))
        }
        guard value.kind == .object else { throw Fault(.notObject, at: range.lowerBound) }
        members = try unsafe JSON.Members(of: line, at: range.lowerBound + value.range.lowerBound)
    }

    private static func shifted<T>(_ bytes: Int, _ body: () throws(Fault) -> T) throws(Fault) -> T {
        do throws(Fault) { return try body() } catch { throw error.shifted(by: bytes) }
    }

    /// The next member, one of `known`; nil after the last one.
    mutating func next(_ known: [Member]) throws(Fault) -> Member? {
        guard let found = try members.next() else { return nil }
        let key = found.key.offset - 1
        for member in known where unsafe JSON.string(found.key, of: line, equals: member.label) {
            guard seen & (1 << UInt32(member.rawValue)) == 0 else { throw Fault(.duplicateField, member, at: key) }
            seen |= 1 << UInt32(member.rawValue)
            value = found.value
            return member
        }
        throw Fault(.unknownField, at: key)
    }

    /// The string value of `member`, unescaped, of at most `bytesMax` bytes.
    func string(_ member: Member, bytesMax: Int = WireLimits.lineBytesMax, mayBeEmpty: Bool = false) throws(Fault)
        -> [UInt8]
    {
        let at = value.range.lowerBound
        guard value.kind == .string else { throw Fault(.badType, member, at: at, found: value.kind) }
        var bytes: [UInt8] = []
        unsafe JSON.appendUnescaped(value.field, of: line, to: &bytes)
        guard mayBeEmpty || !bytes.isEmpty else { throw Fault(.emptyField, member, at: at) }
        guard bytes.count <= bytesMax else { throw Fault(.fieldTooLong, member, at: at) }
        return bytes
    }

    /// The value of `member`, a whole number of 0 or more.
    func number(_ member: Member) throws(Fault) -> UInt64 {
        let at = value.range.lowerBound
        guard value.kind == .number else { throw Fault(.badType, member, at: at, found: value.kind) }
        guard let number = unsafe JSON.unsigned(value.range, of: line) else { throw Fault(.badProto, member, at: at) }
        return number
    }

    /// Throws unless `member` was there.
    func require(_ member: Member) throws(Fault) {
        guard seen & (1 << UInt32(member.rawValue)) != 0 else {
            throw Fault(.missingField, member, at: max(members.offset - 1, 0))
        }
    }
}

extension ErasureRequest {
    fileprivate init(parsing range: Range<Int>, of line: UnsafeRawBufferPointer) throws(Fault) {
        // In bounds: the range is the argument's.
        let text = unsafe [UInt8](line[range])
        let words = text.split(separator: 0x20)
        guard words.count >= 2 else { throw Fault(.badProto, at: range.lowerBound) }
        let value = range.lowerBound + words[1].startIndex..<range.lowerBound + words[1].endIndex
        if words[0].elementsEqual("EVENT".utf8) {
            guard let id = unsafe JSON.unsigned(value, of: line) else { throw Fault(.badProto, at: value.lowerBound) }
            self.init(.event(id))
        } else if words[0].elementsEqual("SESSION".utf8) {
            guard let uuid = UUID(parsing: Array(words[1]).span) else {
                throw Fault(.badUUID, .sessionID, at: value.lowerBound)
            }
            self.init(.session(uuid))
        } else {
            throw Fault(.badProto, at: range.lowerBound)
        }
        for word in words.dropFirst(2) {
            if word.elementsEqual("DRY".utf8) {
                isDry = true
            } else if word.elementsEqual("NOW".utf8) {
                isNow = true
            } else {
                throw Fault(.badProto, at: range.lowerBound + word.startIndex)
            }
        }
    }
}

extension Hello {
    fileprivate init(parsing range: Range<Int>, of line: UnsafeRawBufferPointer) throws(Fault) {
        self.init()
        var argument = try unsafe Argument(range, of: line)
        while let member = try argument.next([.proto, .client, .token, .clientID, .sequence, .mode]) {
            let at = argument.value.range.lowerBound
            switch member {
            case .proto:
                guard try argument.number(.proto) == UInt64(WireLimits.protocolVersion) else {
                    throw Fault(.badProto, .proto, at: at)
                }
            case .client: client = try argument.string(.client, bytesMax: WireLimits.clientBytesMax, mayBeEmpty: true)
            case .token: token = try argument.string(.token, bytesMax: WireLimits.tokenBytesMax)
            case .clientID: clientID = try argument.string(.clientID, bytesMax: WireLimits.clientIDBytesMax)
            case .sequence:
                let number = try argument.number(.sequence)
                guard number >= 1, number <= WireLimits.sequenceMax else { throw Fault(.badProto, .sequence, at: at) }
                sequence = number
            default:
                // (In two steps: Swift 6.3 miscompiles the span of a thrown-past temporary.)
                let label = try argument.string(.mode)
                guard let named = label.withMode() else { throw Fault(.badProto, .mode, at: at) }
                mode = named
            }
        }
        try argument.require(.proto)
        if clientID != nil { try argument.require(.token) }
    }
}

extension RejectReport {
    fileprivate init(parsing range: Range<Int>, of line: UnsafeRawBufferPointer) throws(Fault) {
        self.init(reject: .badJSON)
        var argument = try unsafe Argument(range, of: line)
        while let member = try argument.next([.code, .message, .data, .transport, .source, .tokenID]) {
            let at = argument.value.range.lowerBound
            switch member {
            case .code:
                let word = try argument.string(.code)
                guard let known = word.withReject() else { throw Fault(.badProto, .code, at: at) }
                reject = known
            case .message: message = try argument.string(.message, mayBeEmpty: true)
            case .data: data = try argument.string(.data, mayBeEmpty: true)
            case .transport: transport = try argument.string(.transport, mayBeEmpty: true)
            case .source: source = try argument.string(.source, mayBeEmpty: true)
            default:
                guard let id = UInt32(exactly: try argument.number(.tokenID)) else {
                    throw Fault(.badProto, .tokenID, at: at)
                }
                tokenID = id
            }
        }
        try argument.require(.code)
    }
}
