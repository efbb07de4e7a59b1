// The two clocks the house uses, behind a protocol so that tests can set them.

import Glibc

/// Wall clock and monotonic clock.
public protocol TimeSource: AnyObject, Sendable {
    /// Microseconds since 1970-01-01T00:00:00Z (CLOCK_REALTIME).
    func nowMicroseconds() -> Int64
    /// Nanoseconds since some fixed moment, never going back (CLOCK_MONOTONIC).
    func monotonicNanoseconds() -> UInt64
}

/// The machine's clocks.
public final class SystemTime: TimeSource {
    public init() {}

    public func nowMicroseconds() -> Int64 {
        var now = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &now)
        return Int64(now.tv_sec) * 1_000_000 + Int64(now.tv_nsec) / 1000
    }

    public func monotonicNanoseconds() -> UInt64 {
        var now = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &now)
        return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
    }
}
