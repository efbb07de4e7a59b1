// Waiting for one socket by poll(2): for clients that block, which have no event loop.

import Glibc

/// What waiting for a socket came to: what it is ready for.
public struct SocketWait: Equatable, Sendable {
    /// Bytes, or the end, or an error can be read.
    public let isReadable: Bool
    /// Bytes can be sent.
    public let isWritable: Bool

    /// What waiting for a socket on behalf of somebody came to.
    public enum Outcome: Sendable {
        /// Bytes, or the end, or an error can be read.
        case readable
        /// Nobody reads any more what is made of it.
        case unread
        case nothing
    }

    /// Waits until `socket` can be read, as long as the pipe or socket behind `stream` has a reader, and at most `timeoutMilliseconds`.
    public static func poll(
        _ socket: Int32, whileRead stream: Int32, timeoutMilliseconds: Int32
    ) throws(SystemError) -> Outcome {
        var wanted = [
            pollfd(fd: socket, events: Int16(POLLIN), revents: 0), pollfd(fd: stream, events: 0, revents: 0),
        ]
        let count = try retrying("poll") {
            // In bounds: the array's own elements and their number.
            unsafe wanted.withUnsafeMutableBufferPointer {
                unsafe Glibc.poll($0.baseAddress, nfds_t($0.count), timeoutMilliseconds)
            }
        }
        if count == 0 { return .nothing }
        return wanted[1].revents != 0 ? .unread : .readable
    }

    /// Waits until `socket` is ready for what is wanted; nil after `timeoutMilliseconds` (negative: without end).
    public static func poll(
        _ socket: Int32, forWriting: Bool, timeoutMilliseconds: Int32
    ) throws(SystemError) -> SocketWait? {
        let events = Int16(POLLIN) | (forWriting ? Int16(POLLOUT) : 0)
        var wanted = pollfd(fd: socket, events: events, revents: 0)
        let count = try retrying("poll") { unsafe Glibc.poll(&wanted, 1, timeoutMilliseconds) }
        guard count > 0 else { return nil }
        let broken = wanted.revents & Int16(POLLERR | POLLHUP) != 0
        return SocketWait(
            isReadable: broken || wanted.revents & Int16(POLLIN) != 0,
            isWritable: forWriting && (broken || wanted.revents & Int16(POLLOUT) != 0))
    }
}
