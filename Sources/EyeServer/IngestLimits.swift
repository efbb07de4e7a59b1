// Every limit of the ingest side that is not part of the wire format (those stand in EyeWire's WireLimits). A peer can
// reach each of them; what happens then is said beside it.

/// Named limits of the ingest service.
public enum IngestLimits {
    /// Ingest loops, and so threads that read (`--loops`).
    public static let loopsMax = 64
    /// Connections of clients at one time, TCP and Unix together. One more is closed without a word, counted, and the log says so.
    public static let connectionsMax = 16_384
    /// Connections of the control socket, beside those: clients cannot lock out the operator and the HTTP service.
    public static let controlConnectionsMax = 256
    /// How often the log may say that connections are refused because there are too many.
    public static let refusalLogMilliseconds: UInt64 = 60_000
    /// Connections that the kernel keeps waiting to be accepted (listen(2); the kernel may cut it to somaxconn).
    public static let backlog: Int32 = 4096
    /// Bytes taken from one connection before the next one has its turn.
    public static let readBytes = 256 * 1024
    /// The same from one that has shown no valid token yet.
    public static let strangerReadBytes = 4 * 1024
    /// Lines of one connection that are judged before the next one has its turn; events that are stored in a row are bounded by
    /// `readBytes` and do not count. So a turn is short whatever the lines are: refused, empty, comments, commands.
    public static let turnLinesMax = 2_048
    /// So long connections have their turns, one after the other, before answers are sent and others are looked at: those that the
    /// disk has answered, new ones.
    public static let turnsNanosecondsMax: UInt64 = 5_000_000
    /// Frames (128 KiB each) that one loop may have under way. When all are waiting for the disk the loop stops reading:
    /// the kernel pushes back on TCP and drops datagrams, which are counted.
    public static let framesPerLoop = 96
    /// Frames that a read of `readBytes` can need: records are never longer than their lines, and a line that does not
    /// fit leaves at most half a frame empty.
    public static let framesPerRead = 5
    /// Frames in one commit: all that two loops can have under way, so that a slow sync costs no more than waiting (docs/performance.md).
    public static let framesPerCommit = 192
    /// Datagrams taken with one system call.
    public static let datagramsPerRead = 64
    /// Receive buffer asked for per UDP socket; the kernel may grant less.
    public static let datagramBufferBytes: Int32 = 8 * 1024 * 1024
    /// Send buffer asked of the kernel per connection (SO_SNDBUF): its own would let a client that reads no answers hold 4 MB, and have
    /// millions of lines judged before it is stopped.
    public static let answerBufferBytes: Int32 = 64 * 1024
    /// Bytes of unread answers to all clients together, the same part of it for each loop. With more, those that hold most are closed
    /// (`slow-reader`) …
    public static let unreadBytesMax = 32 * 1024 * 1024
    /// … until one in so many parts of it is free again: who holds most is not looked for at every answer.
    public static let unreadFreedPart = 8
    /// When connections hold so many bytes less than they did (unread answers, unfinished lines), free memory is given back to the
    /// kernel: looked at once a second.
    public static let releasedBytes = 8 * 1024 * 1024
    /// Memory for answers that a connection keeps once all of them are taken.
    public static let outputBytesKept = 8 * 1024
    /// A client that takes none of its answers for so long, once `replyBacklogBytesMax` is reached, is closed (`slow-reader`).
    public static let slowReaderMilliseconds: UInt64 = 30_000
    /// How long a connection that was answered for the last time waits for its peer to end it too.
    public static let lingerMilliseconds: UInt64 = 2_000
    /// Bytes of unfinished lines, and of whole ones that have to wait, that all connections of one loop may hold together. With more,
    /// those that hold most are closed (`overloaded`) …
    public static let partialBytesPerLoop = 64 * 1024 * 1024
    /// … until so much of it is free again: who holds most is looked for once in so many bytes.
    public static let partialBytesFreed = 8 * 1024 * 1024
    /// Samples of rejected lines kept per code and second, over all loops.
    public static let samplesPerSecond = 10
    /// Samples that wait to be written; more are not kept (the rejects are still counted).
    public static let samplesWaitingMax = 1_000
    /// Bytes of files that samples of rejected lines take; the oldest go first.
    public static let rejectedBytesMax: Int64 = 64 * 1024 * 1024
    /// Erasures that wait for the one under way; one more is refused (`overloaded`).
    public static let erasuresWaitingMax = 256
    /// How long the erasing thread keeps its reader's memory after the last order.
    public static let erasureReaderMilliseconds: Int32 = 10_000
    /// How long a tombstone may wait in the active segment: 12 hours. Then that is closed, and what was erased leaves the disk; half a
    /// day is left for that.
    public static let erasureDelayMicroseconds: Int64 = 12 * 3_600_000_000
    /// How often that is looked at.
    public static let erasureLookMilliseconds: UInt64 = 60_000
    /// How long what retention drops may wait for the active segment to be full (nanoseconds): 10 minutes. Then that is closed.
    public static let retentionWaitNanoseconds: UInt64 = 600_000_000_000
    /// Connections that a listener accepts before those that are there have their turn.
    public static let acceptsATurnMax = 64
    /// How long accept(2) pauses when no descriptor is left for a client, or after EMFILE or ENFILE.
    public static let acceptPauseMilliseconds: UInt64 = 1_000
    /// How often accounts are looked at for changes.
    public static let accountsLookMilliseconds: UInt64 = 500
    /// How often a loop that meets unknown tokens looks whether one was just made.
    public static let unknownTokenLookMilliseconds: UInt64 = 10
    /// After a full disk, how long lines are refused unwritten before the next one is tried.
    public static let fullDiskPauseMilliseconds: UInt64 = 250
    /// At the end: how long sockets are read for lines that are already there.
    public static let drainReadMilliseconds: UInt64 = 1_000
    /// At the end: when the process gives up waiting for the disk.
    public static let drainMilliseconds: UInt64 = 4_500
}
