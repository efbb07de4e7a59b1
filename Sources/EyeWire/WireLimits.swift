// Every number of the protocol that a peer can see, in one place. protocol.md states the same numbers in its table of
// limits, and a test compares the two: change both or neither. Nothing here is configuration; what an operator may set
// (idle time, future tolerance, connections) has only its default here.

/// The limits of the line protocol, version 1.
public enum WireLimits {
    /// The version of the protocol that HELLO names in `proto`.
    public static let protocolVersion = 1

    /// Bytes of one line, without its terminator (LF or CR LF).
    public static let lineBytesMax = 65_536
    /// Bytes of one event (the JSON object alone), on every transport.
    public static let eventBytesMax = 65_536
    /// Bytes that a buffer must be able to hold for ``LineFramer``: a longest line with CR and LF.
    public static let lineWindowBytesMin = lineBytesMax + 2

    /// Bytes of the largest datagram that UDP over IPv4 can carry: what HELLO answers as `max_datagram`.
    public static let datagramBytesMax = 65_507
    /// Bytes of a datagram that passes an ordinary network unfragmented: advice, not a limit.
    public static let datagramBytesAdvised = 1_432

    /// Levels of `{` and `[`, the event's own braces being level 1.
    public static let nestingMax = 64
    /// Unicode scalars of `category`, after its escapes are resolved.
    public static let categoryScalarsMax = 50
    /// Unicode scalars of `name`, after its escapes are resolved.
    public static let nameScalarsMax = 150
    /// Bytes of a timestamp's text, after its escapes are resolved.
    public static let timestampBytesMax = 64
    /// How far a timestamp may lie ahead of the server's clock, in microseconds, unless `--max-future` says otherwise.
    public static let futureMicrosecondsDefault: Int64 = 5_000_000
    /// Problems of one event that are told at once (HTTP).
    public static let problemsMax = 32

    /// Bytes of a token; anything longer is `bad-token` unread.
    public static let tokenBytesMax = 128
    /// Letters of a verb. A longer first word is a token.
    public static let verbBytesMax = 8
    /// Bytes of the text that PING sends back.
    public static let pingBytesMax = 64
    /// Bytes of `client` in HELLO (after unescaping).
    public static let clientBytesMax = 100
    /// Bytes of `client_id` in HELLO (after unescaping).
    public static let clientIDBytesMax = 64
    /// The highest line number: what `seq` in HELLO may say. A line after it is refused.
    public static let sequenceMax: UInt64 = 9_223_372_036_854_775_807
    /// Clients (pairs of token and `client_id`) whose last line number the store remembers.
    public static let clientsMax = 100_000
    /// Days after which a silent client is forgotten.
    public static let clientIdleDays = 30

    /// Milliseconds after which a connection that sends nothing is closed without a word.
    public static let idleMillisecondsDefault: UInt64 = 3_600_000
    /// Errors that a silent client is told at its half-close; the others are counted in `-ERR 0 more N`.
    public static let heldErrorsMax = 20
    /// Bytes of replies that wait for a client that does not read, those that wait for lines before them among them; beyond, its lines are
    /// judged no more and its input is not read, then it is closed.
    public static let replyBacklogBytesMax = 65_536
    /// Unicode scalars of a peer's own text that an error message quotes.
    public static let quotedScalarsMax = 64
    /// Bytes of a rejected line that are kept as a sample.
    public static let sampleBytesMax = 4_096
}
