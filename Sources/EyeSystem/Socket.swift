// Sockets: listening, connecting, and non-blocking bytes in and out. Every socket made here is close-on-exec; those of
// the services are non-blocking. Called by the loops, each for its own sockets.

import CEyeLinux
import Glibc

/// What one non-blocking read or write came to.
public enum Transfer: Equatable, Sendable {
    /// So many bytes, more than none.
    case bytes(Int)
    /// Nothing now; wait for readiness.
    case wouldBlock
    /// The peer closed its side (reads only).
    case end
}

/// Functions on socket descriptors.
public enum Socket {
    private static func make(_ family: Int32, _ type: __socket_type, blocking: Bool = false)
        throws(SystemError) -> Descriptor
    {
        let flags = Int32(type.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | (blocking ? 0 : Int32(SOCK_NONBLOCK.rawValue))
        return Descriptor(owning: try retrying("socket") { socket(family, flags, 0) })
    }

    private static func set(_ socket: borrowing Descriptor, _ level: Int32, _ option: Int32, _ value: Int32)
        throws(SystemError)
    {
        var value = value
        let number = socket.number
        _ = try retrying("setsockopt") { unsafe setsockopt(number, level, option, &value, 4) }
    }

    private static func bind(_ socket: borrowing Descriptor, _ address: SocketAddress) throws(SystemError) {
        let number = socket.number
        _ = try retrying("bind") { unsafe address.withSockaddr { unsafe Glibc.bind(number, $0, $1) } }
    }

    /// Listens on a TCP address. SO_REUSEADDR, so that a restart need not wait for old connections; never SO_REUSEPORT.
    public static func listen(_ address: SocketAddress, backlog: Int32) throws(SystemError) -> Descriptor {
        let socket = try make(address.family, SOCK_STREAM)
        try set(socket, SOL_SOCKET, SO_REUSEADDR, 1)
        try bind(socket, address)
        _ = try retrying("listen") { Glibc.listen(socket.number, backlog) }
        return socket
    }

    /// Listens on a Unix stream socket at `path`, readable and writable by the owner alone. A socket file that is left
    /// over is replaced: the caller holds the folder's lock, so nobody listens on it.
    public static func listen(path: String, backlog: Int32) throws(SocketError) -> Descriptor {
        do {
            let address = try SocketAddress.path(path)
            var about = stat()
            if unsafe lstat(path, &about) == 0 && (about.st_mode & S_IFMT) == S_IFSOCK { unsafe _ = unlink(path) }
            let socket = try make(AF_UNIX, SOCK_STREAM)
            // Before bind(2): the file must never be there with wider rights.
            _ = try retrying("fchmod") { fchmod(socket.number, 0o600) }
            try bind(socket, address)
            _ = try retrying("chmod") { unsafe chmod(path, 0o600) }
            _ = try retrying("listen") { Glibc.listen(socket.number, backlog) }
            return socket
        } catch let error as SystemError {
            throw .system(error)
        } catch {
            throw .address(AddressError(description: "\(error)"))
        }
    }

    /// Binds a UDP socket. `sharePort`: SO_REUSEPORT, for one socket per loop; bind one without it first, so that a
    /// second process on the same port is noticed.
    public static func bindDatagram(_ address: SocketAddress, sharePort: Bool, receiveBytes: Int32)
        throws(SystemError) -> Descriptor
    {
        let socket = try make(address.family, SOCK_DGRAM)
        if sharePort { try set(socket, SOL_SOCKET, SO_REUSEPORT, 1) }
        if receiveBytes > 0 {
            try set(socket, SOL_SOCKET, SO_RCVBUF, receiveBytes)
            // Who may go beyond the kernel's limit does; who may not keeps what was granted, and says so.
            if try receiveBuffer(socket.number) < Int(receiveBytes) * 2 {
                _ = eye_force_receive_buffer(socket.number, receiveBytes)
            }
        }
        try bind(socket, address)
        return socket
    }

    /// Bytes that the kernel granted for receiving (SO_RCVBUF, which counts its own overhead: twice what was asked).
    public static func receiveBuffer(_ socket: Int32) throws(SystemError) -> Int {
        var value: Int32 = 0
        var size: socklen_t = 4
        _ = try retrying("getsockopt") { unsafe getsockopt(socket, SOL_SOCKET, SO_RCVBUF, &value, &size) }
        return Int(value)
    }

    /// Datagrams that the kernel dropped on this socket since it was made, modulo 2³² (SO_MEMINFO).
    public static func drops(_ socket: Int32) throws(SystemError) -> UInt32 {
        var drops: UInt32 = 0
        _ = try retrying("getsockopt") { unsafe eye_socket_drops(socket, &drops) }
        return drops
    }

    /// Connects and waits for it, at most `timeoutMilliseconds`. The socket stays blocking unless `nonBlocking`.
    public static func connect(
        _ address: SocketAddress, datagram: Bool = false, nonBlocking: Bool = false, timeoutMilliseconds: Int32 = 10_000
    ) throws(SystemError) -> Descriptor {
        let socket = try make(address.family, datagram ? SOCK_DGRAM : SOCK_STREAM)
        let number = socket.number
        let failed = unsafe address.withSockaddr { unsafe Glibc.connect(number, $0, $1) }
        if failed != 0 {
            if errno != EINPROGRESS && errno != EINTR { throw SystemError.last("connect") }
            var wanted = pollfd(fd: number, events: Int16(POLLOUT), revents: 0)
            let ready = try retrying("poll") { unsafe poll(&wanted, 1, timeoutMilliseconds) }
            if ready == 0 { throw SystemError(errno: ETIMEDOUT, call: "connect") }
            let code = try pendingError(number)
            if code != 0 { throw SystemError(errno: code, call: "connect") }
        }
        if !nonBlocking { try makeBlocking(number) }
        return socket
    }

    /// Lets calls on the socket wait.
    public static func makeBlocking(_ socket: Int32) throws(SystemError) {
        let flags = try retrying("fcntl") { fcntl(socket, F_GETFL) }
        _ = try retrying("fcntl") { fcntl(socket, F_SETFL, flags & ~O_NONBLOCK) }
    }

    /// Takes and clears SO_ERROR.
    public static func pendingError(_ socket: Int32) throws(SystemError) -> Int32 {
        var code: Int32 = 0
        var size: socklen_t = 4
        _ = try retrying("getsockopt") { unsafe getsockopt(socket, SOL_SOCKET, SO_ERROR, &code, &size) }
        return code
    }

    /// The next waiting connection, non-blocking; nil when there is none (or it went away while it waited).
    public static func accept(_ listener: Int32) throws(SystemError) -> (number: Int32, peer: SocketAddress)? {
        var address = SocketAddress(bytes: 0)
        while true {
            var bytes: UInt32 = 0
            let number = unsafe withUnsafeMutableBytes(of: &address.storage) {
                unsafe eye_accept(listener, $0.baseAddress!, &bytes)
            }
            if number >= 0 {
                address.bytes = bytes
                return (number, address)
            }
            switch errno {
            case EINTR, ECONNABORTED: continue
            case EAGAIN: return nil
            default: throw SystemError.last("accept")
            }
        }
    }

    /// Where the socket is bound: the port that the kernel chose when 0 was asked for.
    public static func localAddress(_ socket: Int32) throws(SystemError) -> SocketAddress {
        var address = SocketAddress(bytes: 0)
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        _ = try retrying("getsockname") {
            unsafe withUnsafeMutablePointer(to: &address.storage) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe getsockname(socket, $0, &size)
                }
            }
        }
        address.bytes = size
        return address
    }

    /// Turns Nagle's algorithm off and the kernel's keep-alive probes on; for TCP only.
    public static func tune(_ socket: Int32) throws(SystemError) {
        var on: Int32 = 1
        _ = try retrying("setsockopt") { unsafe setsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &on, 4) }
        _ = try retrying("setsockopt") { unsafe setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, 4) }
    }

    /// SO_SNDBUF: bytes that the kernel keeps for a peer that does not read (it takes twice as many for its own accounts, socket(7)).
    public static func limitSending(_ socket: Int32, bytes: Int32) throws(SystemError) {
        var bytes = bytes
        _ = try retrying("setsockopt") { unsafe setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &bytes, 4) }
    }

    /// TCP_NOTSENT_LOWAT: bytes that the kernel takes before it can send them. Unlike `limitSending` it does not bound what is on its way, so
    /// a fast client far away stays fast; one that does not read has little waiting for it (tcp(7)). Without effect where there is no such thing.
    public static func limitUnsent(_ socket: Int32, bytes: Int32) {
        var bytes = bytes
        _ = unsafe setsockopt(socket, Int32(IPPROTO_TCP), TCP_NOTSENT_LOWAT, &bytes, 4)
    }

    /// recv(2) into `room`, which must not be empty.
    @inline(__always)
    public static func receive(_ socket: Int32, into room: UnsafeMutableRawBufferPointer) throws(SystemError)
        -> Transfer
    {
        while true {
            let got = unsafe recv(socket, room.baseAddress, room.count, 0)
            if got > 0 { return .bytes(got) }
            if got == 0 { return .end }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .wouldBlock
            default: throw SystemError.last("recv")
            }
        }
    }

    /// recv(2) into the array's first bytes, as many as it has; it must not be empty.
    public static func receive(_ socket: Int32, into room: inout [UInt8]) throws(SystemError) -> Transfer {
        var span = room.mutableSpan
        return try unsafe span.withUnsafeMutableBytes { buffer throws(SystemError) in
            try unsafe receive(socket, into: UnsafeMutableRawBufferPointer(buffer))
        }
    }

    /// send(2) of as much of `bytes` as goes; no SIGPIPE.
    public static func send(_ socket: Int32, _ bytes: UnsafeRawBufferPointer) throws(SystemError) -> Transfer {
        while true {
            let sent = unsafe Glibc.send(socket, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
            if sent >= 0 { return .bytes(sent) }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .wouldBlock
            default: throw SystemError.last("send")
            }
        }
    }

    /// send(2) of `bytes` from index `start` on.
    public static func send(_ socket: Int32, _ bytes: [UInt8], from start: Int) throws(SystemError) -> Transfer {
        try send(socket, bytes, start..<bytes.count)
    }

    /// send(2) of the bytes at `range`.
    public static func send(_ socket: Int32, _ bytes: [UInt8], _ range: Range<Int>) throws(SystemError) -> Transfer {
        let result = unsafe bytes.withUnsafeBytes { all in
            do throws(SystemError) {
                // In bounds: the slice is checked against the array's own count.
                return Result<Transfer, SystemError>.success(
                    try unsafe send(socket, UnsafeRawBufferPointer(rebasing: all[range])))
            } catch {
                return Result<Transfer, SystemError>.failure(error)
            }
        }
        return try result.get()
    }

    /// A datagram socket of the address's family, bound to nothing.
    static func unconnectedDatagram(_ address: SocketAddress) throws(SystemError) -> Descriptor {
        try make(address.family, SOCK_DGRAM)
    }

    /// sendto(2) of one datagram; false when it did not go.
    static func sendDatagram(_ socket: Int32, _ bytes: [UInt8], to address: SocketAddress) -> Bool {
        unsafe bytes.withUnsafeBytes { buffer in
            unsafe address.withSockaddr { place, size in
                // In bounds: the array's own bytes, for the call.
                unsafe sendto(socket, buffer.baseAddress, buffer.count, Int32(MSG_NOSIGNAL), place, size)
                    == buffer.count
            }
        }
    }

    /// Closing it will reset the connection: the peer is told of an error, not of an end. Without effect where there is no such thing.
    public static func resetWhenClosed(_ socket: Int32) {
        var now = linger(l_onoff: 1, l_linger: 0)
        _ = unsafe setsockopt(socket, SOL_SOCKET, SO_LINGER, &now, socklen_t(MemoryLayout<linger>.size))
    }

    /// Ends our side: the peer reads end of stream after what was sent.
    public static func shutdownWrites(_ socket: Int32) throws(SystemError) {
        _ = try retrying("shutdown") { shutdown(socket, Int32(SHUT_WR)) }
    }
}

/// A socket could not be made: the kernel refused, or the address cannot be one.
public enum SocketError: Error, Sendable, CustomStringConvertible {
    case system(SystemError)
    case address(AddressError)

    public var description: String {
        switch self {
        case .system(let error): error.description
        case .address(let error): error.description
        }
    }
}
