// Every limit of the store, named, in one file. Those that stand in docs/format.md have the same number there.

/// The limits of the store.
public enum StoreLimits {
    /// Bytes of a frame: header, payload and trailer.
    public static let frameBytesMax = 131_072
    /// Bytes of a frame's header, which is also the size of a segment's file header.
    public static let headerBytes = 64
    /// Bytes of a frame's trailer, its CRC.
    public static let trailerBytes = 4
    /// Bytes of a frame's payload.
    public static let payloadBytesMax = frameBytesMax - headerBytes - trailerBytes
    /// Frames in one commit: at most 24 MiB are written and synced at a time.
    public static let commitFramesMax = 192
    /// Clients whose sequences are kept.
    public static let clientsMax = 100_000
    /// Bytes of a client's name (`client_id`).
    public static let clientNameBytesMax = 128
    /// A client that was silent for so long is forgotten when room is needed or the store starts: 30 days.
    public static let clientIdleMicroseconds: Int64 = 30 * 86_400_000_000
    /// Different clients in one frame.
    public static let clientsPerFrameMax = 64
    /// Client marks in one frame.
    public static let marksPerFrameMax = 4096
    /// event_ids remembered for deduplication.
    public static let eventIDWindowCount = 1 << 20
    /// For so long an event_id is remembered: 24 hours.
    public static let eventIDWindowMicroseconds: Int64 = 86_400_000_000
    /// Bytes of segments without an index that a start may read to rebuild the event_id window.
    public static let startScanBytesMax: Int64 = 256 << 20
    /// Indexes that a start may look at for it.
    public static let startIndexesMax = 4096
    /// Bytes of the line kept in a rejected sample.
    public static let rejectedLineBytesMax = 4096
    /// Bytes of a rejected sample's message.
    public static let rejectedMessageBytesMax = 1024
    /// Bytes of a rejected sample's code and source, each.
    public static let rejectedLabelBytesMax = 128
    /// Bytes of a run of frames that the index holds as one entry and a query reads at once.
    public static let extentBytesMax = 131_072
    /// Events in a row group of the index.
    public static let rowsPerGroup = 4096
    /// Different categories, and names, that a segment's dictionary holds; more are found by reading the events.
    public static let dictionaryEntriesMax = 65_535
    /// Bytes of all texts of a segment's dictionary.
    public static let dictionaryBytesMax = 4 << 20
    /// Copies of torn tails at one place.
    public static let tornCopiesMax = 100
    /// After the store was found full, the disk is asked again no more often than this (nanoseconds).
    public static let fullProbeNanoseconds: UInt64 = 100_000_000
    /// Free space is looked up at least after so many bytes written …
    public static let freeCheckBytes: Int64 = 8 << 20
    /// … and after so many nanoseconds.
    public static let freeCheckNanoseconds: UInt64 = 200_000_000
    /// Work of one cursor step, about nanoseconds.
    public static let workPerStep = 1_000_000
    /// What of it is set down for reading and indexing a frame.
    public static let workPerIndexedFrame = 120_000
    /// Bytes read at a time when a segment is scanned.
    public static let scanBytes = 1 << 20
}

/// What the operator may set.
public struct StoreOptions: Sendable {
    /// A new segment begins before one would grow beyond this (`--segment-bytes`).
    public var segmentBytes: Int64 = 64 << 20
    /// Nothing is accepted while less than this is free (`--min-free-bytes`).
    public var minFreeBytes: UInt64 = 64 << 20
    /// How long to wait for a lock that somebody else holds.
    public var lockWaitMilliseconds = 500
    /// Where salts and hash seeds come from; nil: the system's generator. Tests give a seed.
    public var randomSeed: UInt64?

    public init() {}
}
