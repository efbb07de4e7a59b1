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
    /// How often idle clients are looked for while there is no room for a new one.
    public static let clientLookMicroseconds: Int64 = 60_000_000
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
    /// Closed segments without an index whose last frame a start looks for, the newest ones.
    public static let startTailsMax = 16
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
    /// Ranges of ids in one tombstone.
    public static let tombstoneRangesMax = 8000
    /// Descriptors, the last ones of the limit of open files, that no client's connection gets: they are for the store's files. Half of all
    /// when that is less.
    public static let reservedDescriptors = 32
    /// Copies of torn tails at one place.
    public static let tornCopiesMax = 100
    /// After the store was found full, the disk is asked again no more often than this (nanoseconds).
    public static let fullProbeNanoseconds: UInt64 = 100_000_000
    /// Free space is looked up at least after so many bytes written, and after half of what is left above the floor …
    public static let freeCheckBytes: Int64 = 8 << 20
    /// … and after so many nanoseconds.
    public static let freeCheckNanoseconds: UInt64 = 200_000_000
    /// Work of one cursor step, about nanoseconds.
    public static let workPerStep = 1_000_000
    /// What of it is set down for reading and indexing a frame.
    public static let workPerIndexedFrame = 120_000
    /// A step that takes so long by the clock (nanoseconds) is over, whatever its work was set down for …
    public static let stepNanosecondsMax: UInt64 = 5_000_000
    /// … and the clock is looked at whenever so much work was done.
    public static let workPerLook = 20_000
    /// Headers of segments that are looked at in one go for what is erased.
    public static let headersPerStep = 16
    /// Sealing, erasure and what they rewrite may use so large a part of `--min-free-bytes`, one in so many: they make room.
    public static let workReservePart: UInt64 = 2
    /// After an attempt to seal a segment failed, the next one waits so long (nanoseconds).
    public static let sealRetryNanoseconds: UInt64 = 10_000_000_000
    /// After sealing met the free-space floor, it looks again after so long (nanoseconds).
    public static let sealRoomLookNanoseconds: UInt64 = 1_000_000_000
    /// Bytes of events within `sealPauseNanoseconds` that are a burst: sealing waits, and the log leaves the page cache.
    public static let sealBurstBytes: UInt64 = 64 << 20
    /// So long sealing waits after a segment of `sealBurstBytes`, or so many smaller ones, was closed (nanoseconds).
    public static let sealPauseNanoseconds: UInt64 = 1_000_000_000
    /// Sealing waits no longer when the closed segments that wait have so many bytes, or when less than that is free.
    public static let sealBacklogBytesMax: UInt64 = 8 << 30
    /// With `--retain-bytes` so large a part of it, one in so many, may wait to be sealed, and come on top of it meanwhile.
    public static let retainedWaitingPart: UInt64 = 4
    /// How often retention looks at the store while no segment is closed (nanoseconds).
    public static let retentionLookNanoseconds: UInt64 = 10_000_000_000
    /// How often the clock of retention is written down (nanoseconds): what passed since is not counted if the process is killed.
    public static let retentionClockNanoseconds: UInt64 = 600_000_000_000
    /// Bytes of blocks kept while a sealed segment is compared with its log.
    public static let sealedComparisonCacheBytes = 4 << 20
    /// Bytes read at a time when a segment is scanned.
    public static let scanBytes = 1 << 20
    /// Objects inside each other in an event's `data` that sealing enters; data that is deeper is kept in one piece.
    public static let leafDepthMax = 16
    /// Values of one event's `data` that become leaves; data with more is kept in one piece.
    public static let leavesPerEventMax = 512
    /// Different leaves, and objects that hold them, in a sealed segment; data that would need more is kept in one piece.
    public static let leavesPerSegmentMax = 4096
    /// Bytes of a leaf's path; data with a longer one is kept in one piece.
    public static let leafPathBytesMax = 1024
    /// Shapes of `data` in a sealed segment; data of further ones is kept in one piece.
    public static let shapesPerSegmentMax = 4096
    /// Bytes of one shape.
    public static let shapeBytesMax = 16_384
    /// Bytes of all shapes of a sealed segment.
    public static let shapesBytesMax = 1 << 20
    /// Different values in the dictionary of one leaf.
    public static let leafDictionaryEntriesMax = 65_536
    /// Bytes of one value in such a dictionary.
    public static let leafDictionaryValueBytesMax = 1024
    /// Bytes that all leaf dictionaries of a segment may take while it is sealed.
    public static let leafDictionariesBytesMax = 8 << 20
    /// Bytes of texts that are compressed together; a longer value has a page of its own.
    public static let textPageBytes = 16_384
    /// Values in one page of texts.
    public static let textPageValuesMax = 65_536
    /// Bytes of a page of texts, before it is compressed: more is damage.
    public static let textPageBytesMax = 32 << 20
    /// Bytes of a block of a sealed segment: more is damage.
    public static let sealedBlockBytesMax = 64 << 20
    /// Bytes of values that a row group under construction holds before some are written out early.
    public static let sealingGroupBytesMax = 4 << 20
    /// Counts by category, name and hour in a sealed segment; one that would need more has none.
    public static let hourCountsMax = 65_536
    /// Rows that are sorted into postings at a time while a segment is sealed.
    public static let postingRowsPerPass = 1 << 19
    /// Bits for each session in the filter that says which sessions are not in a segment.
    public static let filterBitsPerSession = 10
}

/// What the operator may set.
public struct StoreOptions: Sendable {
    /// A new segment begins before one would grow beyond this (`--segment-bytes`).
    public var segmentBytes: Int64 = 64 << 20
    /// No event is accepted while less than this is free (`--min-free-bytes`).
    public var minFreeBytes: UInt64 = 64 << 20
    /// How long to wait for a lock that somebody else holds.
    public var lockWaitMilliseconds = 500
    /// The oldest segments are dropped while all are more bytes than this (`--retain-bytes`); nil: none is.
    public var retainBytes: UInt64?
    /// A segment is dropped when its newest event was received longer ago than this, in microseconds (`--retain-age`); nil: none is.
    public var retainMicroseconds: Int64?
    /// Whether closed segments are sealed.
    public var seals = true
    /// What knows the inside of `data`.
    public var decomposer: any DataDecomposer = WholeData()
    /// Where salts and hash seeds come from; nil: the system's generator. Tests give a seed.
    public var randomSeed: UInt64?

    public init() {}
}
