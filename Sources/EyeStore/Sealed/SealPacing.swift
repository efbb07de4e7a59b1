// When sealing may begin: a burst of events gets the processor and the disk, what it leaves behind is sealed after it. The log is
// whole, durable and indexed meanwhile, so that waiting costs room only: never more than a named backlog, and none when room is short.
// How fast events come is seen by the segments that are closed one after the other: of the first one nobody knows how long it took.

/// Says whether the next closed segment may be sealed now. A value without locks; `SegmentKeeper` has one behind its mutex.
struct SealPacing {
    private let segmentBytes: UInt64
    private let minFreeBytes: UInt64
    private let backlogMax: UInt64
    /// So long a rate of `sealBurstBytes` in `sealPauseNanoseconds` takes for one segment, or that time if it is longer.
    private let windowNanoseconds: UInt64
    /// When the segment was closed with which the window begins, and bytes of those behind it.
    private var windowStart: UInt64 = 0
    private var windowBytes: UInt64 = 0
    private var lastClosed: UInt64?
    private var busyUntil: UInt64 = 0
    private var burstUntil: UInt64 = 0

    init(_ options: StoreOptions) {
        segmentBytes = UInt64(max(options.segmentBytes, 0))
        minFreeBytes = options.minFreeBytes
        backlogMax = SealPacing.backlogMax(options)
        let pause = StoreLimits.sealPauseNanoseconds
        windowNanoseconds = max(pause, segmentBytes / 1024 * pause / (StoreLimits.sealBurstBytes / 1024))
    }

    /// Bytes of closed segments that may wait: with `--retain-bytes` a share of these.
    static func backlogMax(_ options: StoreOptions) -> UInt64 {
        guard let bytes = options.retainBytes else { return StoreLimits.sealBacklogBytesMax }
        return min(StoreLimits.sealBacklogBytesMax, bytes / StoreLimits.retainedWaitingPart)
    }

    /// A segment was closed at `now` (monotonic nanoseconds).
    mutating func noteClosed(now: UInt64) {
        if let last = lastClosed, now <= last + windowNanoseconds {
            if now > windowStart + windowNanoseconds {
                windowStart = last
                windowBytes = 0
            }
            windowBytes += segmentBytes
        } else {
            windowStart = now
            windowBytes = 0
        }
        lastClosed = now
        // It may be the first one of a burst: sealing waits a moment in any case, since to wait costs nothing.
        if windowBytes + segmentBytes >= StoreLimits.sealBurstBytes {
            busyUntil = now + StoreLimits.sealPauseNanoseconds
        }
        if windowBytes >= StoreLimits.sealBurstBytes { burstUntil = now + windowNanoseconds }
    }

    /// Whether a burst lasts at `now`: `sealBurstBytes` and more came in `sealPauseNanoseconds`.
    func isBurst(now: UInt64) -> Bool { now < burstUntil }

    /// Whether so many closed segments may go on waiting at `now`, with `freeBytes` of room.
    func mayWait(segments: Int, freeBytes: UInt64, now: UInt64) -> Bool {
        now < max(busyUntil, burstUntil) && UInt64(segments) * segmentBytes < backlogMax
            && freeBytes >= minFreeBytes + StoreLimits.sealBacklogBytesMax
    }
}
