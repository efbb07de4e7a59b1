// signalfd(2): signals become something to read, on the thread that wants them. Made on the main thread before any other
// thread starts, so that all inherit the blocked mask.

import CEyeLinux
import Glibc

/// The signals a service takes, in the order they come.
public final class Signals {
    private let source: Descriptor

    /// Blocks `numbers` in the calling thread and collects them here. SIGPIPE is ignored for the whole process.
    public init(_ numbers: [Int32]) throws(SystemError) {
        _ = signal(SIGPIPE, SIG_IGN)
        source = Descriptor(
            owning: try retrying("signalfd") {
                unsafe numbers.withUnsafeBufferPointer { unsafe eye_signalfd($0.baseAddress, Int32($0.count)) }
            })
    }

    public var descriptor: Int32 { source.number }

    /// Waits for the next signal and returns its number; nil after `timeoutMilliseconds` (negative: without end).
    public func next(timeoutMilliseconds: Int32) -> Int32? {
        var wanted = pollfd(fd: source.number, events: Int16(POLLIN), revents: 0)
        guard unsafe poll(&wanted, 1, timeoutMilliseconds) > 0 else { return nil }
        let number = eye_signalfd_read(source.number)
        return number > 0 ? number : nil
    }
}
