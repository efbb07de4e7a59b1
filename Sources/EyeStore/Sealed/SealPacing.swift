// When sealing may begin: a burst of events gets the processor and the disk, what it leaves behind is sealed after it. The log is
// whole, durable and indexed meanwhile, so that waiting costs room only: never more than a named backlog, and none when room is short.

/// Says whether the next closed segment may be sealed now. A value without locks; `SegmentKeeper` has one behind its mutex.
struct SealPacing {
    private let segmentBytes: UInt64
    private let minFreeBytes: UInt64
    private let backlogMax: UInt64
    private var windowStart: UInt64 = 0
    private var windowBytes: UInt64 = 0
    private var busyUntil: UInt64 = 0

    init(_ options: StoreOptions) {
        segmentBytes = UInt64(max(options.segmentBytes, 0))
        minFreeBytes = options.minFreeBytes
        backlogMax = SealPacing.backlogMax(options)
    }

    /// Bytes of closed segments that may wait: with `--retain-bytes` a share of these.
    static func backlogMax(_ options: StoreOptions) -> UInt64 {
        guard let bytes = options.retainBytes else { return StoreLimits.sealBacklogBytesMax }
        return min(StoreLimits.sealBacklogBytesMax, bytes / StoreLimits.retainedWaitingPart)
    }

    /// A segment was closed at `now` (monotonic nanoseconds).
    mutating func noteClosed(now: UInt64) {
        if now >= windowStart + StoreLimits.sealPauseNanoseconds {
            windowStart = now
            windowBytes = 0
        }
        windowBytes += segmentBytes
        if windowBytes >= StoreLimits.sealBurstBytes { busyUntil = now + StoreLimits.sealPauseNanoseconds }
    }

    /// Whether a burst lasts at `now`.
    func isBurst(now: UInt64) -> Bool { now < busyUntil }

    /// Whether so many closed segments may go on waiting at `now`, with `freeBytes` of room.
    func mayWait(segments: Int, freeBytes: UInt64, now: UInt64) -> Bool {
        isBurst(now: now) && UInt64(segments) * segmentBytes < backlogMax
            && freeBytes >= minFreeBytes + StoreLimits.sealBacklogBytesMax
    }
}
