// eventfd(2): lets one thread wake another that sits in a Poller, or in `sleep`.

import CEyeLinux
import Glibc

/// A wake-up call that is remembered until it is taken.
public final class WakeSignal: Sendable {
    private let event: Descriptor

    public init() throws(SystemError) {
        event = Descriptor(owning: try retrying("eventfd") { eye_eventfd() })
    }

    /// The descriptor to watch for readability.
    public var descriptor: Int32 { event.number }

    /// Any thread. Never blocks: a full counter already means "awake".
    public func signal() {
        var one: UInt64 = 1
        while unsafe write(event.number, &one, 8) < 0 && errno == EINTR {}
    }

    /// Takes every call made so far.
    public func clear() {
        var count: UInt64 = 0
        while unsafe read(event.number, &count, 8) < 0 && errno == EINTR {}
    }

    /// Blocks until somebody signals, at most `timeoutMilliseconds` (negative: without end), and clears.
    public func sleep(timeoutMilliseconds: Int32) {
        var wanted = pollfd(fd: event.number, events: Int16(POLLIN), revents: 0)
        if unsafe poll(&wanted, 1, timeoutMilliseconds) > 0 { clear() }
    }
}
