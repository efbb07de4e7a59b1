// epoll(7): which descriptors can be read or written now. Level-triggered. One poller belongs to one thread.

import CEyeLinux
import Glibc

/// What a descriptor is ready for, or what is wanted of it.
public struct Readiness: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let readable = Readiness(rawValue: UInt32(EYE_READABLE))
    public static let writable = Readiness(rawValue: UInt32(EYE_WRITABLE))
    /// EPOLLERR or EPOLLHUP: always reported, never asked for.
    public static let broken = Readiness(rawValue: UInt32(EYE_ERROR | EYE_HANGUP))
    /// EPOLLRDHUP: the peer closed or half-closed.
    public static let peerClosed = Readiness(rawValue: UInt32(EYE_PEER_CLOSED))
}

/// An epoll instance and the room for one wait's answers.
@safe public final class Poller {
    /// Answers taken by one `wait`.
    public static let readyMax = 256

    private let epoll: Descriptor
    private let ready: UnsafeMutablePointer<eye_ready>

    public init() throws(SystemError) {
        epoll = Descriptor(owning: try retrying("epoll_create1") { eye_epoll_create() })
        unsafe ready = .allocate(capacity: Poller.readyMax)
    }

    deinit { unsafe ready.deallocate() }

    /// Starts watching `descriptor`; `token` comes back with every answer about it.
    public func add(_ descriptor: Int32, _ wanted: Readiness, token: UInt64) throws(SystemError) {
        try control(Int32(EYE_ADD), descriptor, wanted, token)
    }

    public func change(_ descriptor: Int32, _ wanted: Readiness, token: UInt64) throws(SystemError) {
        try control(Int32(EYE_CHANGE), descriptor, wanted, token)
    }

    /// Stops watching. Closing a descriptor that was never duplicated does the same.
    public func remove(_ descriptor: Int32) throws(SystemError) {
        try control(Int32(EYE_REMOVE), descriptor, [], 0)
    }

    private func control(_ operation: Int32, _ descriptor: Int32, _ wanted: Readiness, _ token: UInt64)
        throws(SystemError)
    {
        _ = try retrying("epoll_ctl") { eye_epoll_control(epoll.number, operation, descriptor, wanted.rawValue, token) }
    }

    /// Waits at most `timeoutMilliseconds` (negative: without end) and returns how many answers there are; none after a
    /// signal.
    public func wait(timeoutMilliseconds: Int32) throws(SystemError) -> Int {
        let count = unsafe eye_epoll_wait(epoll.number, ready, Int32(Poller.readyMax), timeoutMilliseconds)
        if count >= 0 { return Int(count) }
        if errno == EINTR { return 0 }
        throw SystemError.last("epoll_wait")
    }

    /// Answer `index` of the last `wait`.
    public subscript(index: Int) -> (token: UInt64, readiness: Readiness) {
        precondition(index >= 0 && index < Poller.readyMax)
        // In bounds: checked above against the room that init allocated.
        return unsafe (ready[index].token, Readiness(rawValue: ready[index].events))
    }
}
