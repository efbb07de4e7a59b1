// timerfd(2): a moment of the monotonic clock that a Poller can wait for, finer than epoll's milliseconds. Belongs to one
// thread.

import CEyeLinux
import Glibc

/// A timer that becomes readable.
public final class MonotonicTimer {
    private let timer: Descriptor

    public init() throws(SystemError) {
        timer = Descriptor(owning: try retrying("timerfd_create") { eye_timerfd_monotonic() })
    }

    /// The descriptor to watch for readability.
    public var descriptor: Int32 { timer.number }

    /// Fires once, so many nanoseconds from now (at least one).
    public func arm(nanoseconds: UInt64) throws(SystemError) {
        _ = try retrying("timerfd_settime") { eye_timerfd_arm(timer.number, max(1, nanoseconds), 0) }
    }

    /// Takes the firing, if it has fired.
    public func clear() {
        var count: UInt64 = 0
        while unsafe read(timer.number, &count, 8) < 0 && errno == EINTR {}
    }
}
