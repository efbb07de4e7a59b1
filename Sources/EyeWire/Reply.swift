// What the server says: one line each, ended by LF, appended to the caller's buffer. `ReplyLine` reads them again.

/// The four numbers of the accounting identity: received = accepted + rejected + duplicate at every quiet moment.
public struct LineCounts: Equatable, Sendable {
    /// Event lines that were received.
    public var received: UInt64 = 0
    /// Of these, valid ones that were stored.
    public var accepted: UInt64 = 0
    /// Of these, refused ones.
    public var rejected: UInt64 = 0
    /// Of these, ones that were stored before.
    public var duplicate: UInt64 = 0

    /// Counts.
    public init(received: UInt64 = 0, accepted: UInt64 = 0, rejected: UInt64 = 0, duplicate: UInt64 = 0) {
        self.received = received
        self.accepted = accepted
        self.rejected = rejected
        self.duplicate = duplicate
    }
}

/// What an erasure came to.
public struct ErasureCounts: Equatable, Sendable {
    /// The receipt's number; 0: nothing was erased (there was nothing, or it was only counted).
    public var id: UInt64 = 0
    /// Events.
    public var events: UInt64 = 0
    /// The first and the last of their ids; 0: none.
    public var firstEventID: UInt64 = 0
    public var lastEventID: UInt64 = 0
    /// Samples of rejected lines that named the session.
    public var samples: UInt64 = 0
    /// When, microseconds since 1970; 0: there was nothing to erase. A session without events can be erased too.
    public var erased: UInt64 = 0

    /// Counts.
    public init(
        id: UInt64 = 0, events: UInt64 = 0, firstEventID: UInt64 = 0, lastEventID: UInt64 = 0, samples: UInt64 = 0,
        erased: UInt64 = 0
    ) {
        self.id = id
        self.events = events
        self.firstEventID = firstEventID
        self.lastEventID = lastEventID
        self.samples = samples
        self.erased = erased
    }
}

/// Appenders of replies.
public enum Reply {
    /// `+HELLO {"server":…,"proto":1,"max_line":65536,"max_datagram":65507,"last_seq":n,"now":"…Z"}`
    /// - Parameters:
    ///   - server: name and version: `the-eye/1.0`.
    ///   - lastSequence: the highest line number that is durable for this client; without a client_id the number before
    ///     the next line's.
    ///   - now: microseconds since 1970.
    public static func appendHello(server: String, lastSequence: UInt64, now: Int64, to out: inout [UInt8]) {
        out.append("+HELLO {\"server\":")
        JSON.appendString(server, to: &out)
        out.append(",\"proto\":")
        out.append(decimal: WireLimits.protocolVersion)
        out.append(",\"max_line\":")
        out.append(decimal: WireLimits.lineBytesMax)
        out.append(",\"max_datagram\":")
        out.append(decimal: WireLimits.datagramBytesMax)
        out.append(",\"last_seq\":")
        out.append(decimal: lastSequence)
        out.append(",\"now\":\"")
        Timestamp.append(now, to: &out)
        out.append("\"}\n")
    }

    /// `+OK`: the answer to CHECK.
    public static func appendOK(to out: inout [UInt8]) { out.append("+OK\n") }

    /// `+OK acks`: the answer to MODE.
    public static func appendOK(_ mode: Mode, to out: inout [UInt8]) {
        out.append("+OK ")
        out.append(mode.label)
        out.append(0x0A)
    }

    /// `+OK n id`: line n is durable as event `id` (for a duplicate: is what the event with that id was).
    public static func appendOK(line: UInt64, id: UInt64, to out: inout [UInt8]) {
        out.append("+OK ")
        out.append(decimal: line)
        out.append(0x20)
        out.append(decimal: id)
        out.append(0x0A)
    }

    /// `+ACK n`: all lines up to n are judged, the accepted ones durable.
    public static func appendAck(line: UInt64, to out: inout [UInt8]) { append("+ACK ", line, to: &out) }

    /// `+SYNC n`: everything up to line n is durable.
    public static func appendSync(line: UInt64, to out: inout [UInt8]) { append("+SYNC ", line, to: &out) }

    /// `+METRICS k`: k lines of Prometheus text follow.
    public static func appendMetrics(lineCount: Int, to out: inout [UInt8]) {
        append("+METRICS ", UInt64(lineCount), to: &out)
    }

    /// `+ERASED n id=… events=… first=… last=… samples=… at=…`: what ERASE did, or would do.
    public static func appendErased(line: UInt64, _ counts: ErasureCounts, to out: inout [UInt8]) {
        out.append("+ERASED ")
        out.append(decimal: line)
        out.append(" id=")
        out.append(decimal: counts.id)
        out.append(" events=")
        out.append(decimal: counts.events)
        out.append(" first=")
        out.append(decimal: counts.firstEventID)
        out.append(" last=")
        out.append(decimal: counts.lastEventID)
        out.append(" samples=")
        out.append(decimal: counts.samples)
        out.append(" at=")
        out.append(decimal: counts.erased)
        out.append(0x0A)
    }

    /// `+PONG x`.
    public static func appendPong(_ text: UnsafeRawBufferPointer, to out: inout [UInt8]) {
        out.append("+PONG")
        if text.count > 0 { out.append(0x20) }
        unsafe out.append(contentsOf: text)
        out.append(0x0A)
    }

    /// `+BYE received=… accepted=… rejected=… duplicate=…`
    public static func appendBye(_ counts: LineCounts, to out: inout [UInt8]) {
        out.append("+BYE received=")
        out.append(decimal: counts.received)
        out.append(" accepted=")
        out.append(decimal: counts.accepted)
        out.append(" rejected=")
        out.append(decimal: counts.rejected)
        out.append(" duplicate=")
        out.append(decimal: counts.duplicate)
        out.append(0x0A)
    }

    /// `-ERR n code text`; n is 0 for what is not about an event line.
    /// - Parameter text: the bytes that the fault's offset counts in, to quote from; may be empty.
    public static func appendError(
        line: UInt64, _ fault: Fault, in text: UnsafeRawBufferPointer, to out: inout [UInt8]
    ) {
        out.append("-ERR ")
        out.append(decimal: line)
        out.append(0x20)
        out.append(fault.reject.code)
        out.append(0x20)
        unsafe fault.appendText(to: &out, in: text)
        out.append(0x0A)
    }

    /// `-ERR n code text` with the code's own text.
    public static func appendError(line: UInt64, _ reject: Reject, to out: inout [UInt8]) {
        unsafe appendError(line: line, Fault(reject), in: UnsafeRawBufferPointer(start: nil, count: 0), to: &out)
    }

    /// `-ERR 0 more N`: N further errors were not told.
    public static func appendMore(_ count: UInt64, to out: inout [UInt8]) { append("-ERR 0 more ", count, to: &out) }

    /// `+STATS {…}` of a connection.
    /// - Parameters:
    ///   - bytes: received on it, of any kind.
    ///   - line: the number of its last event line.
    ///   - durable: the line number up to which everything is judged and durable.
    public static func appendStats(
        _ counts: LineCounts, bytes: UInt64, mode: Mode, line: UInt64, durable: UInt64, to out: inout [UInt8]
    ) {
        out.append("+STATS {\"received\":")
        out.append(decimal: counts.received)
        out.append(",\"accepted\":")
        out.append(decimal: counts.accepted)
        out.append(",\"rejected\":")
        out.append(decimal: counts.rejected)
        out.append(",\"duplicate\":")
        out.append(decimal: counts.duplicate)
        out.append(",\"bytes\":")
        out.append(decimal: bytes)
        out.append(",\"mode\":\"")
        out.append(mode.label)
        out.append("\",\"line\":")
        out.append(decimal: line)
        out.append(",\"durable\":")
        out.append(decimal: durable)
        out.append("}\n")
    }

    /// The commands, a `+HELP` line each.
    public static func appendHelp(isControl: Bool = false, to out: inout [UInt8]) {
        for verb in Verb.allCases where isControl || !verb.isControl {
            out.append("+HELP ")
            out.append(help(verb))
            out.append(0x0A)
        }
    }

    private static func help(_ verb: Verb) -> StaticString {
        switch verb {
        case .hello: "HELLO {\"proto\":1,...} greets: client, token, client_id, seq, mode; all but proto optional"
        case .mode: "MODE silent|errors|acks|each chooses what is answered to event lines"
        case .ping: "PING [text] answers +PONG when everything before it was judged"
        case .sync: "SYNC answers +SYNC n when everything up to line n is durable"
        case .check: "CHECK TOKEN {...} judges an event and stores nothing"
        case .stats: "STATS counts this connection's lines"
        case .help: "HELP lists the commands"
        case .quit: "QUIT answers +BYE with the counts when everything is durable, and closes"
        case .session: "SESSION TOKEN UUID opens a session"
        case .reject: "REJECT {\"code\":...,\"message\",\"data\",\"transport\",\"source\",\"token_id\"} keeps a refusal"
        case .used: "USED id notes the use of a token; no reply"
        case .metrics: "METRICS answers +METRICS k and k lines of Prometheus text"
        case .erase: "ERASE TOKEN|- EVENT id|SESSION UUID [DRY] [NOW] erases, or counts what it would erase"
        }
    }

    private static func append(_ head: StaticString, _ number: UInt64, to out: inout [UInt8]) {
        out.append(head)
        out.append(decimal: number)
        out.append(0x0A)
    }
}
