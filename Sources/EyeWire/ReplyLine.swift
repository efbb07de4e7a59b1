// What a client hears: one reply line read into its parts. Tolerant where a later server may say more (further members of
// HELLO's answer, further codes), strict about the rest. Used by EyeClient and by the HTTP service's writes.

/// A line from the server. Ranges count from the start of the line.
public enum ReplyLine: Equatable, Sendable {
    /// `+HELLO {…}`
    case hello(Greeting)
    /// `+OK`
    case ok
    /// `+OK acks`
    case mode(Mode)
    /// `+OK n id`
    case stored(line: UInt64, id: UInt64)
    /// `+ACK n`
    case ack(UInt64)
    /// `+SYNC n`
    case sync(UInt64)
    /// `+PONG x`
    case pong(Range<Int>)
    /// `+BYE …`
    case bye(LineCounts)
    /// `-ERR n code text`; `reject` is nil for a code that this client does not know yet.
    case error(line: UInt64, reject: Reject?, code: Range<Int>, text: Range<Int>)
    /// `-ERR 0 more N`
    case more(UInt64)
    /// `+STATS {…}`: the JSON.
    case stats(Range<Int>)
    /// `+HELP …`
    case help(Range<Int>)
    /// `+ERASED n id=… events=… first=… last=… samples=… at=…`
    case erased(line: UInt64, ErasureCounts)
    /// `+METRICS k`: that many lines follow that are no replies.
    case metrics(lineCount: UInt64)

    /// What the server says of itself.
    public struct Greeting: Equatable, Sendable {
        /// The protocol's version.
        public var proto: UInt64 = 0
        /// Bytes of a line.
        public var lineBytesMax: UInt64 = 0
        /// Bytes of a datagram.
        public var datagramBytesMax: UInt64 = 0
        /// The highest line number that is durable for this client.
        public var lastSequence: UInt64 = 0

        public init() {}
    }

    /// Reads `line` (without its LF); nil if it is no reply.
    public static func parse(_ line: UnsafeRawBufferPointer) -> ReplyLine? {
        var words = unsafe Words(line: line)
        let head = words.next()
        switch true {
        case unsafe line.has(head, "+OK"):
            if words.isAtEnd { return .ok }
            let first = words.next()
            if words.isAtEnd {
                for mode in Mode.allCases where unsafe line.has(first, mode.label) { return .mode(mode) }
                return nil
            }
            guard let number = unsafe JSON.unsigned(first, of: line),
                let id = unsafe JSON.unsigned(words.next(), of: line),
                words.isAtEnd
            else { return nil }
            return .stored(line: number, id: id)
        case unsafe line.has(head, "-ERR"):
            guard let number = unsafe JSON.unsigned(words.next(), of: line) else { return nil }
            let code = words.next()
            let text = words.rest
            if unsafe number == 0 && line.has(code, "more"), let count = unsafe JSON.unsigned(text, of: line) {
                return .more(count)
            }
            guard !code.isEmpty else { return nil }
            let reject = Reject.allCases.first { unsafe line.has(code, $0.code) }
            return .error(line: number, reject: reject, code: code, text: text)
        case unsafe line.has(head, "+ACK"): return words.lastNumber().map { .ack($0) }
        case unsafe line.has(head, "+SYNC"): return words.lastNumber().map { .sync($0) }
        case unsafe line.has(head, "+METRICS"): return words.lastNumber().map { .metrics(lineCount: $0) }
        case unsafe line.has(head, "+ERASED"): return words.erased()
        case unsafe line.has(head, "+PONG"): return .pong(words.rest)
        case unsafe line.has(head, "+STATS"): return .stats(words.rest)
        case unsafe line.has(head, "+HELP"): return .help(words.rest)
        case unsafe line.has(head, "+BYE"): return words.counts().map { .bye($0) }
        case unsafe line.has(head, "+HELLO"): return unsafe greeting(words.rest, of: line).map { .hello($0) }
        default: return nil
        }
    }

    private static func greeting(_ range: Range<Int>, of line: UnsafeRawBufferPointer) -> Greeting? {
        var greeting = Greeting()
        do throws(Fault) {
            // In bounds: `range` is the rest of the line.
            let text = unsafe UnsafeRawBufferPointer(rebasing: line[range])
            try unsafe JSON.validate(text)
            var members = try unsafe JSON.Members(of: text)
            while let member = try members.next() {
                guard let number = unsafe JSON.unsigned(member.value.range, of: text) else { continue }
                if unsafe JSON.string(member.key, of: text, equals: "proto") { greeting.proto = number }
                if unsafe JSON.string(member.key, of: text, equals: "max_line") { greeting.lineBytesMax = number }
                if unsafe JSON.string(member.key, of: text, equals: "max_datagram") {
                    greeting.datagramBytesMax = number
                }
                if unsafe JSON.string(member.key, of: text, equals: "last_seq") { greeting.lastSequence = number }
            }
        } catch {
            return nil
        }
        return greeting
    }
}

extension UnsafeRawBufferPointer {
    /// The bytes of `range` are `literal`'s.
    fileprivate func has(_ range: Range<Int>, _ literal: StaticString) -> Bool {
        guard range.count == literal.utf8CodeUnitCount else { return false }
        return literal.withUTF8Buffer { bytes in
            // In bounds: `range` is one of this buffer, and as long as the literal.
            for offset in bytes.indices where unsafe self[range.lowerBound + offset] != bytes[offset] { return false }
            return true
        }
    }
}

/// The words of a line, one space between them.
@safe
private struct Words {
    let line: UnsafeRawBufferPointer
    private let count: Int
    private var offset = 0

    init(line: UnsafeRawBufferPointer) {
        unsafe self.line = line
        count = line.count
    }

    /// Nothing is left.
    var isAtEnd: Bool { offset >= count }
    /// All that is left.
    var rest: Range<Int> { min(offset, count)..<count }

    mutating func next() -> Range<Int> {
        let start = min(offset, count)
        var end = start
        // In bounds: compared with the count.
        while end < count, unsafe line[end] != 0x20 { end += 1 }
        offset = end + 1
        return start..<end
    }

    /// The next word, a number, if it is the last one.
    mutating func lastNumber() -> UInt64? {
        let number = unsafe JSON.unsigned(next(), of: line)
        return isAtEnd ? number : nil
    }

    /// The number of a word `label=number`.
    private func number(_ word: Range<Int>, _ label: StaticString) -> UInt64? {
        let start = word.lowerBound + label.utf8CodeUnitCount
        guard start < word.upperBound, unsafe line.has(word.lowerBound..<start, label) else { return nil }
        return unsafe JSON.unsigned(start..<word.upperBound, of: line)
    }

    /// `n id=… events=… first=… last=… samples=… at=…`
    mutating func erased() -> ReplyLine? {
        guard let line = unsafe JSON.unsigned(next(), of: line), let id = number(next(), "id="),
            let events = number(next(), "events="), let first = number(next(), "first="),
            let last = number(next(), "last="), let samples = number(next(), "samples="),
            let erased = number(next(), "at="), isAtEnd
        else { return nil }
        return .erased(
            line: line,
            ErasureCounts(
                id: id, events: events, firstEventID: first, lastEventID: last, samples: samples, erased: erased))
    }

    /// `received=… accepted=… rejected=… duplicate=…`
    mutating func counts() -> LineCounts? {
        guard let received = number(next(), "received="), let accepted = number(next(), "accepted="),
            let rejected = number(next(), "rejected="), let duplicate = number(next(), "duplicate="), isAtEnd
        else { return nil }
        return LineCounts(received: received, accepted: accepted, rejected: rejected, duplicate: duplicate)
    }
}
