// Notices peers that are slower than a stated rate. One watch a direction and connection; only the time counts in which
// we were ready for the peer. Used by HTTPConnection on the loop's thread. Times in nanoseconds of the monotonic clock.

/// Bytes a period, against `HTTPLimits.rateBytesPerSecond`.
struct RateWatch {
    private var periodStart: UInt64?
    private var bytes = 0

    /// The peer is expected to move from now on; nothing if it already was.
    mutating func start(now: UInt64) {
        if periodStart == nil {
            periodStart = now
            bytes = 0
        }
    }

    /// The peer need not move.
    mutating func stop() { periodStart = nil }

    /// The peer moved.
    mutating func count(_ count: Int) { bytes += count }

    /// Whether a whole period of `milliseconds` went by with too few bytes. Starts the next period.
    mutating func isTooSlow(now: UInt64, over milliseconds: UInt64 = HTTPLimits.ratePeriodMilliseconds) -> Bool {
        guard let start = periodStart else { return false }
        let elapsed = (now - start) / 1_000_000
        guard elapsed >= milliseconds else { return false }
        let wanted = UInt64(HTTPLimits.rateBytesPerSecond) * elapsed / 1000
        if UInt64(bytes) < wanted { return true }
        periodStart = now
        bytes = 0
        return false
    }
}
