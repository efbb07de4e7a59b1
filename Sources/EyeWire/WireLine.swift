// What a line is: an event, a command, nothing, or something that came to the wrong door. Looks at the first word only; the
// event's JSON and the command's argument are others' business. No allocation; called for every line by the ingest loops.

/// A line's shape. Ranges count from the start of the line.
public enum LineKind: Equatable, Sendable {
    /// `TOKEN {…}`. The token may be empty and the JSON anything: both are still to be judged, the token first.
    case event(token: Range<Int>, json: Range<Int>)
    /// A line that begins with `{`. In a datagram it inherits the token of the line before it; elsewhere (and as a
    /// datagram's first line) it is an event line without a token: `bad-token`.
    case bare(json: Range<Int>)
    /// A command, to be read by ``Command/parse(_:argument:of:)``.
    case command(Verb, argument: Range<Int>)
    /// A first word that can only be a verb, and is none: `unknown-command`.
    case unknownCommand
    /// An HTTP request line, or TLS: `wrong-port`, and close.
    case wrongPort
    /// An empty line or a comment.
    case ignored
}

/// The first word of a command, compared without regard to case.
public enum Verb: UInt8, CaseIterable, Sendable {
    case hello, mode, ping, sync, check, stats, help, quit
    /// On the control socket only.
    case session, reject, used, metrics, erase

    /// The verb in capitals: `HELLO`.
    public var word: StaticString {
        switch self {
        case .hello: "HELLO"
        case .mode: "MODE"
        case .ping: "PING"
        case .sync: "SYNC"
        case .check: "CHECK"
        case .stats: "STATS"
        case .help: "HELP"
        case .quit: "QUIT"
        case .session: "SESSION"
        case .reject: "REJECT"
        case .used: "USED"
        case .metrics: "METRICS"
        case .erase: "ERASE"
        }
    }

    /// Known on the control socket only; elsewhere an unknown command.
    public var isControl: Bool { rawValue >= Verb.session.rawValue }
}

/// Splitting of lines.
public enum WireLine {
    /// What `line` (without its terminator) is.
    /// - Parameter isControl: it came by the control socket, where there are more verbs.
    public static func split(_ line: UnsafeRawBufferPointer, isControl: Bool = false) -> LineKind {
        let count = line.count
        guard count > 0 else { return .ignored }
        // In bounds: the line is not empty.
        let first = unsafe line[0]
        if first == UInt8(ascii: "#") { return .ignored }
        if first == UInt8(ascii: "{") { return .bare(json: 0..<count) }
        // Straight: a token of 40 characters, as ours are. A verb is shorter.
        if count >= 48, unsafe line[40] == 0x20, unsafe hasNoSpace40(line) {
            return .event(token: 0..<40, json: 41..<count)
        }
        let end = unsafe wordEnd(line)
        if end > 0, end <= WireLimits.verbBytesMax, unsafe isLetters(line, end) {
            return unsafe command(line, wordEnd: end, isControl: isControl)
        }
        if first == 0x16, unsafe isTLS(line) { return .wrongPort }
        return .event(token: 0..<end, json: min(end + 1, count)..<count)
    }

    /// `prefix`, the first bytes of a connection, begins a TLS handshake: it may never have an LF, so this is to be asked
    /// before the framer. Two bytes are enough; fewer are not TLS yet.
    public static func isTLS(_ prefix: UnsafeRawBufferPointer) -> Bool {
        // RFC 8446 section 5.1: content type 22 (handshake), legacy version 3.x. In bounds: counted first.
        unsafe prefix.count >= 2 && prefix[0] == 0x16 && prefix[1] == 0x03
    }

    /// None of the first 40 bytes is a space. The caller has seen that there are 48.
    private static func hasNoSpace40(_ line: UnsafeRawBufferPointer) -> Bool {
        var marks: UInt64 = 0
        for offset in stride(from: 0, to: 40, by: 8) {
            // In bounds: bytes up to 40 of at least 48.
            let spaces = unsafe line.loadUnaligned(fromByteOffset: offset, as: UInt64.self) ^ 0x2020_2020_2020_2020
            marks |= (spaces &- 0x0101_0101_0101_0101) & ~spaces
        }
        return marks & 0x8080_8080_8080_8080 == 0
    }

    /// Bytes of the first word: up to a space or the end.
    private static func wordEnd(_ line: UnsafeRawBufferPointer) -> Int {
        var end = 0
        // In bounds: compared with the count.
        while end < line.count, unsafe line[end] != 0x20 { end += 1 }
        return end
    }

    private static func isLetters(_ line: UnsafeRawBufferPointer, _ end: Int) -> Bool {
        // In bounds: `end` is at most the count.
        for offset in 0..<end where unsafe (line[offset] | 0x20) &- 0x61 > 25 { return false }
        return true
    }

    private static func command(_ line: UnsafeRawBufferPointer, wordEnd: Int, isControl: Bool) -> LineKind {
        for verb in Verb.allCases where isControl || !verb.isControl {
            let isEqual = verb.word.withUTF8Buffer { word in
                guard word.count == wordEnd else { return false }
                // In bounds: both have `wordEnd` bytes.
                for offset in 0..<wordEnd where unsafe line[offset] & ~0x20 != word[offset] { return false }
                return true
            }
            if isEqual { return .command(verb, argument: min(wordEnd + 1, line.count)..<line.count) }
        }
        return unsafe isHTTP(line) ? .wrongPort : .unknownCommand
    }

    /// The line ends as HTTP's request lines do: ` HTTP/1.1` (RFC 9112 section 3).
    private static func isHTTP(_ line: UnsafeRawBufferPointer) -> Bool {
        let tail: StaticString = " HTTP/"
        let start = line.count - tail.utf8CodeUnitCount - 3
        guard start > 0 else { return false }
        return tail.withUTF8Buffer { bytes in
            // In bounds: nine bytes from `start` on, the tail's six and a version of three.
            for offset in bytes.indices where unsafe line[start + offset] != bytes[offset] { return false }
            return unsafe line[line.count - 2] == UInt8(ascii: ".")
        }
    }
}
