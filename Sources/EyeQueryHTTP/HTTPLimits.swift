// Every number of the HTTP service that a client or an operator can meet. Bytes unless the name says otherwise.
// Invariant: nothing in this module grows by what a peer sends unless a number of this file bounds it.

/// The limits of the HTTP service.
public enum HTTPLimits {
    // MARK: One request

    /// Request line without its CRLF; more is 414 (RFC 9112 section 3).
    public static let requestLineBytesMax = 8192
    /// Method name; more is 501 (RFC 9112 section 3).
    public static let methodBytesMax = 32
    /// All field lines of the header section (or of the trailer section) with their CRLFs; more is 431 (RFC 6585 section 5).
    public static let headerBytesMax = 16_384
    /// Field lines of the header section, and of the trailer section; more is 431.
    public static let headerFieldsMax = 64
    /// Empty lines that are ignored before a request line (RFC 9112 section 2.2).
    public static let leadingEmptyLinesMax = 1
    /// A chunk's size line without its CRLF.
    public static let chunkLineBytesMax = 1024
    /// Chunk extensions of one whole body (RFC 9112 section 7.1.1).
    public static let chunkExtensionBytesMax = 4096
    /// Hexadecimal digits of a chunk size.
    public static let chunkSizeDigitsMax = 15
    /// Parameters of a query string or of a form.
    public static let parametersMax = 64
    /// A body that is one JSON document; more is 413 (RFC 9110 section 15.5.14).
    public static let bodyBytesMax = 1 << 20
    /// Bodies of all connections together that are being collected; more are 503.
    public static let bodiesBytesMax = 64 << 20
    /// Of those, bodies of whom nobody knows yet (logins, beacons); more are 503.
    public static let strangerBodiesBytesMax = 8 << 20
    /// A body that brings its token with it; browsers let a page send no more either.
    public static let beaconBytesMax = 64 << 10
    /// How long a browser may remember what it may send (`Access-Control-Max-Age`).
    public static let preflightSeconds = 7200
    /// The body of a login.
    public static let loginBodyBytesMax = 16 << 10
    /// A body that is streamed line by line (NDJSON).
    public static let streamBytesMax = 64 << 20
    /// What is read and thrown away of a body whose answer is already known, before the connection is closed instead.
    public static let discardBytesMax = 64 << 10

    // MARK: One connection

    /// From the first byte of a request (or from the connect) to the end of its header section; then 408.
    public static let headMilliseconds: UInt64 = 10_000
    /// A kept connection without a request is closed after this.
    public static let idleMilliseconds: UInt64 = 60_000
    /// A connection that has sent nothing may be closed after this when the service is full.
    public static let silentMilliseconds: UInt64 = 1000
    /// Bodies arrive, and answers are taken, at this rate at least…
    public static let rateBytesPerSecond = 500
    /// … measured over periods this long; else 408, or for an answer that is not taken the end of the connection.
    public static let ratePeriodMilliseconds: UInt64 = 10_000
    /// A client that has closed its sending side and waits is asked after this whether it is still there …
    public static let askMilliseconds: UInt64 = 1000
    /// … and again, each time after twice as long, so many times.
    public static let asksMax = 8
    /// How long one may wait that took all questions for the next piece of its answer; then the connection ends.
    public static let halfClosedAskedMilliseconds: UInt64 = 256_000
    /// How long one may wait that cannot be asked (HTTP/1.0, a write) before its answer begins; then the connection ends.
    public static let halfClosedMilliseconds: UInt64 = 10_000
    /// After the last answer: how long a client's remaining bytes are read and thrown away, so that it sees the answer.
    public static let lingerMilliseconds: UInt64 = 2000
    /// Answer bytes that wait for the socket; a producer is pulled only below it, and in steps of it.
    public static let outputBytesMax = 64 << 10
    /// The same while half of `answersBytesMax` is taken.
    public static let tightOutputBytesMax = 8 << 10
    /// What the kernel keeps for a client besides what is on its way to it (TCP_NOTSENT_LOWAT). Half of it is what a slow client has to take for
    /// us to see that it does.
    public static let unsentBytesMax: Int32 = 16 << 10
    /// Bytes read from a socket in one turn.
    public static let readBytesMax = 64 << 10
    /// Requests of one connection that are answered in one turn.
    public static let requestsATurnMax = 16

    // MARK: The service

    /// Connections at a time; of more, 64 at a time are answered 503, the others are closed without a word.
    public static let connectionsMax = 4096
    /// The kernel's queue of connections that were not yet accepted.
    public static let backlog: Int32 = 511
    /// Connections accepted in one turn.
    public static let acceptsATurnMax = 64
    /// How long accepting rests when the process has no descriptor left.
    public static let acceptRestMilliseconds: UInt64 = 250
    /// Memory of the answers of all connections that wait for their clients or are being made.
    public static let answersBytesMax = 64 << 20
    /// Of it, what is put by for an answer that is read from the store, until its client has all of it: its place in the store and its output.
    public static let answerReserveBytes = 256 << 10
    /// How long such an answer waits for that; then 503 `overloaded`.
    public static let answerWaitMilliseconds: UInt64 = 30_000
    /// When it took so much and three quarters of that are free again, they are given back to the kernel.
    public static let releaseBytesMin = 8 << 20
    /// Connections of the status service at a time.
    public static let statusConnectionsMax = 64
    /// The status service calls the query loop stuck when it did not turn for so long.
    public static let stuckMilliseconds: UInt64 = 5_000
    /// Connections that have work (steps of queries, pieces of long answers) are given so much of the loop's time before sockets are looked at again.
    public static let turnsMilliseconds: UInt64 = 5
    /// How often deadlines are looked at while there are connections.
    public static let tickMilliseconds: UInt64 = 500
    /// How often the account file is looked at for changes.
    public static let accountsMilliseconds: UInt64 = 250
    /// `stop()`: what is being answered may take this long.
    public static let drainMilliseconds: UInt64 = 2000

    /// How often a store to which nothing is added is looked at for segments that were sealed or dropped.
    public static let folderLookMilliseconds: UInt64 = 5
    /// How often files of segments that are gone are looked for between queries, to let go of them.
    public static let storeLookMilliseconds: UInt64 = 1000

    // MARK: Login

    /// Passwords that wait for the hasher thread; more are 503.
    public static let hasherQueueMax = 32
    /// Failed logins for one user name within the window; then 429 (RFC 6585 section 4).
    public static let loginFailuresPerUserMax = 10
    /// Failed logins from one address (of IPv6: one network of 64 bits) within the window; then 429.
    public static let loginFailuresPerAddressMax = 30
    /// The window of the two.
    public static let loginWindowMilliseconds: UInt64 = 60_000
    /// User names and addresses remembered for it; the oldest are forgotten.
    public static let loginEntriesMax = 4096
    /// User name and password.
    public static let loginFieldBytesMax = 512

    // MARK: Writes

    /// Lines sent to the ingest side and not yet answered.
    public static let channelLinesMax = 4096
    /// Bytes queued for the ingest side.
    public static let channelBytesMax = 1 << 20
    /// Of those, what one request may have.
    public static let channelLinesPerRequestMax = 1024
    /// Events of one array; more are to be sent as NDJSON.
    public static let arrayEventsMax = 10_000
    /// Events of one array or NDJSON body that are listed with their id in the answer (the first ones)…
    public static let listedAcceptedMax = 1000
    /// … and those that are listed with their error.
    public static let listedRejectedMax = 1000
    /// Rejected events reported to the ingest side for `GET /errors/`: samples a second for each code.
    public static let rejectSamplesPerSecond = 10
    /// Bytes of a rejected line that are kept.
    public static let rejectSampleBytesMax = 4096
    /// How long the ready page and the metrics wait for the ingest side's word before it counts as not there.
    public static let ingestAnswerMilliseconds: UInt64 = 5_000
    /// How long a write may wait for the ingest side's verdict before it is 503.
    public static let verdictMilliseconds: UInt64 = 30_000
    /// How long an erasure may wait for its verdict before it is 503. It goes on; asked for again, it is found done.
    public static let erasureMilliseconds: UInt64 = 300_000
    /// `Retry-After` of 503 answers.
    public static let retryAfterSeconds = 1
    /// Metrics text taken from the ingest side.
    public static let metricsBytesMax = 1 << 20
    /// Pause between two tries to reach the ingest side.
    public static let reconnectMilliseconds: UInt64 = 50

    // MARK: Lists

    /// `limit` when none is given.
    public static let pageDefault = 100
    /// The largest `limit`…
    public static let pageMax = 10_000
    /// … and the largest one of a whole result (`format=ndjson`, `format=csv`), which has none by itself.
    public static let streamRowsMax = 2_147_483_647
    /// Names in `fields`.
    public static let fieldsMax = 64
    /// What of a page is made before its head is sent; the rest is made while the client takes it.
    public static let pageBufferBytesMax = 64 << 10

    // MARK: Live streams

    /// Live streams at a time; more are 503.
    public static let liveStreamsMax = 256
    /// How often the store is looked at, for all live streams together, while there are any.
    public static let livePollMilliseconds: UInt64 = 50
    /// A live stream that had nothing to say for so long says a comment.
    public static let liveCommentMilliseconds: UInt64 = 15_000
    /// A quiet live stream asks so often whether its token may still be used.
    public static let liveTokenMilliseconds: UInt64 = 250
    /// A live stream whose client took nothing while so many ids came, and that is so many further behind than at its best, skips to the newest event.
    public static let liveBehindEventsMax: UInt64 = 100_000
    /// The period of `rateBytesPerSecond` for live streams: a client may rest longer than with other answers.
    public static let livePatienceMilliseconds: UInt64 = 60_000
    /// A live stream from which nobody took anything for so long keeps no buffer but its output.
    public static let liveRestMilliseconds: UInt64 = 1000
    /// Refused events that are kept in memory between two looks; a stream that is further behind reads the files.
    public static let liveRejectedMax = 256
    /// `retry:` of live streams, after which a browser connects again.
    public static let liveRetryMilliseconds = 1000

    // MARK: Statistics

    /// How long an answer of `/stats/…` may take when no `timeout` is given; then 503 `query-timeout`…
    public static let statsMilliseconds: UInt64 = 30_000
    /// … and the longest `timeout`.
    public static let statsMillisecondsMax: UInt64 = 600_000
    /// How often `progress=1` tells how far it is.
    public static let progressMilliseconds: UInt64 = 200
    /// `limit` of `/stats/top` when none is given.
    public static let topDefault = 10
}
