// The one registry of reason codes: wire reply, HTTP problem `code`, metric label, errors view and protocol.md all show
// these words. Closed: a new reason is a new case here, a row in protocol.md and a line in CHANGELOG. Raw values are
// kept in rejected/ by the store, so they are never renumbered and never reused.

/// Why a line, a command, a connection or a request was refused.
public enum Reject: UInt8, Error, CaseIterable, Sendable {
    case badToken = 1
    case forbidden = 2
    case badUTF8 = 3
    case badJSON = 4
    case notObject = 5
    case tooDeep = 6
    case tooLong = 7
    case cutLine = 8
    case missingField = 9
    case unknownField = 10
    case duplicateField = 11
    case badType = 12
    case emptyField = 13
    case fieldTooLong = 14
    case badUUID = 15
    case badTime = 16
    case futureTime = 17
    case unknownCommand = 18
    case badProto = 19
    case wrongPort = 20

    case overloaded = 32
    case storageFull = 33
    case draining = 34
    case io = 35
    case noIngest = 36

    case idle = 48
    case tooManyConnections = 49
    case slowReader = 50

    /// What the sender does about it.
    public enum Fate: String, Sendable {
        /// The same bytes will never be taken: drop them, repair the sender.
        case drop
        /// The bytes are fine, the moment is not: send them again later.
        case retry
        /// The connection ends.
        case close
    }

    /// What the sender does about it.
    public var fate: Fate {
        switch self {
        case .overloaded, .storageFull, .draining, .io, .noIngest: .retry
        case .idle, .tooManyConnections, .slowReader: .close
        default: .drop
        }
    }

    /// The word that every interface shows: `bad-token`.
    public var code: StaticString {
        switch self {
        case .badToken: "bad-token"
        case .forbidden: "forbidden"
        case .badUTF8: "bad-utf8"
        case .badJSON: "bad-json"
        case .notObject: "not-object"
        case .tooDeep: "too-deep"
        case .tooLong: "too-long"
        case .cutLine: "cut-line"
        case .missingField: "missing-field"
        case .unknownField: "unknown-field"
        case .duplicateField: "duplicate-field"
        case .badType: "bad-type"
        case .emptyField: "empty-field"
        case .fieldTooLong: "field-too-long"
        case .badUUID: "bad-uuid"
        case .badTime: "bad-time"
        case .futureTime: "future-time"
        case .unknownCommand: "unknown-command"
        case .badProto: "bad-proto"
        case .wrongPort: "wrong-port"
        case .overloaded: "overloaded"
        case .storageFull: "storage-full"
        case .draining: "draining"
        case .io: "io"
        case .noIngest: "no-ingest"
        case .idle: "idle"
        case .tooManyConnections: "too-many-connections"
        case .slowReader: "slow-reader"
        }
    }

    /// What happened and what to do, in one line of ASCII without control characters.
    public var text: StaticString {
        switch self {
        case .badToken: "this token is unknown, expired or revoked; make one with: eye token add NAME --scope ingest"
        case .forbidden: "the token may not do this; use one with the scope it needs, the one that HELLO named"
        case .badUTF8: "the text is not valid UTF-8; encode it as UTF-8"
        case .badJSON: "this is not strict JSON (RFC 8259); send one whole object, over a socket on one line"
        case .notObject: "an event is a JSON object: {...}"
        case .tooDeep: "the JSON is nested deeper than 64 levels; flatten it"
        case .tooLong: "the line is longer than 65536 bytes and was skipped; send smaller events"
        case .cutLine: "the end of the line is missing; send whole lines, in datagrams of at most 1432 bytes"
        case .missingField: "a member is missing; an event has session_id, category, name, data and timestamp"
        case .unknownField:
            "an event has session_id, category, name, data, timestamp and optionally event_id; put the rest into data"
        case .duplicateField: "a member is there twice; send it once"
        case .badType: "a member is of the wrong type; data is an object, everything else a string"
        case .emptyField: "a member is empty; fill it or do not send the event"
        case .fieldTooLong: "a member is too long; category has at most 50 characters, name 150"
        case .badUUID: "this is not a UUID; write it as 8-4-4-4-12 hexadecimal digits"
        case .badTime: "this is no RFC 3339 date and time with at most microseconds; write 2021-01-01T09:15:27.243860Z"
        case .futureTime: "the timestamp lies ahead of the server's clock; set the sender's clock"
        case .unknownCommand: "no such command; HELP lists them, an event line starts with a token"
        case .badProto: "the command's argument is wrong; HELP shows each command"
        case .wrongPort: "this port takes event lines, not HTTP or TLS; send HTTP requests to the HTTP port (8000)"
        case .overloaded: "the server has more work than room; send it again later"
        case .storageFull: "the server's disk is full; send it again when there is room"
        case .draining: "the server is stopping; send it again when it is back"
        case .io: "the server's disk failed; nothing of this is stored, send it again later"
        case .noIngest: "the ingest service is not running; start it, then send it again"
        case .idle: "nothing came for too long; connect again when there is something to send"
        case .tooManyConnections: "the server has no room for another connection; connect again later"
        case .slowReader: "the answers were not read; read them or send MODE silent"
        }
    }

    /// The reject with this code, if there is one: `bad-token`.
    public init?(code: Span<UInt8>) {
        for reject in Reject.allCases where reject.code.equals(code) {
            self = reject
            return
        }
        return nil
    }
}

extension StaticString {
    /// The bytes of the literal are the bytes of `other`.
    func equals(_ other: Span<UInt8>) -> Bool {
        guard utf8CodeUnitCount == other.count else { return false }
        return withUTF8Buffer { bytes in
            for index in other.indices where unsafe bytes[index] != other[index] { return false }
            return true
        }
    }
}

extension [UInt8] {
    /// Appends the bytes of a literal.
    @inlinable
    public mutating func append(_ literal: StaticString) {
        // In bounds: a literal's buffer is as long as it says.
        literal.withUTF8Buffer { bytes in unsafe append(contentsOf: bytes) }
    }

    /// Appends a number in decimal.
    public mutating func append(decimal number: some FixedWidthInteger) {
        var magnitude = UInt64(number.magnitude)
        if number < 0 { append(UInt8(ascii: "-")) }
        let start = count
        repeat {
            append(UInt8(truncatingIfNeeded: magnitude % 10) &+ UInt8(ascii: "0"))
            magnitude /= 10
        } while magnitude > 0
        self[start...].reverse()
    }
}
