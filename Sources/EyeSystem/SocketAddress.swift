// Where a socket listens or where a peer is: IPv4, IPv6 or a path. Text in, text out; resolving by getaddrinfo(3).

import Glibc

/// Why an address could not be used. The text says what to do.
public struct AddressError: Error, Sendable, CustomStringConvertible {
    public let description: String
}

/// A socket address of the kernel's.
public struct SocketAddress: @unchecked Sendable {
    /// `@unchecked`: a plain value; sockaddr_storage is imported without the mark.
    var storage = sockaddr_storage()
    var bytes: UInt32

    init(bytes: UInt32) { self.bytes = bytes }

    /// Copies `count` bytes of an address that the kernel wrote.
    init(copying address: UnsafeRawPointer, count: UInt32) {
        bytes = min(count, UInt32(MemoryLayout<sockaddr_storage>.size))
        let size = Int(bytes)
        unsafe withUnsafeMutableBytes(of: &storage) {
            unsafe $0.baseAddress!.copyMemory(from: address, byteCount: size)
        }
    }

    var family: Int32 { Int32(storage.ss_family) }

    /// Whether `text` is an IPv6 address without a zone (inet_pton(3)).
    public static func isIPv6(_ text: String) -> Bool {
        var address = in6_addr()
        return unsafe inet_pton(AF_INET6, text, &address) == 1
    }

    /// `HOST:PORT`, `[IPv6]:PORT` or `:PORT` (every address) as text, split. Port 0 asks for a free one.
    public static func split(_ text: String) throws(AddressError) -> (host: String, port: String) {
        guard let colon = text.utf8.lastIndex(of: UInt8(ascii: ":")) else {
            throw AddressError(description: "'\(text)' is not an address: write HOST:PORT, such as 127.0.0.1:8127")
        }
        var host = String(text[..<colon])
        let port = String(text[text.index(after: colon)...])
        if host.hasPrefix("[") && host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
        } else if host.utf8.contains(UInt8(ascii: ":")) {
            throw AddressError(description: "'\(text)': write an IPv6 address in brackets, such as [::1]:8127")
        }
        guard let number = UInt16(port), port.utf8.count <= 5 else {
            throw AddressError(description: "'\(text)': the port is a number from 0 to 65535")
        }
        return (host, String(number))
    }

    /// Resolves `HOST:PORT`; the first answer is taken. An empty host is every IPv4 address.
    public static func resolve(_ text: String, datagram: Bool = false) throws(AddressError) -> SocketAddress {
        let (host, port) = try split(text)
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(datagram ? SOCK_DGRAM.rawValue : SOCK_STREAM.rawValue)
        unsafe hints.ai_flags = AI_NUMERICSERV
        var found: UnsafeMutablePointer<addrinfo>?
        let failed = unsafe getaddrinfo(host.isEmpty ? "0.0.0.0" : host, port, &hints, &found)
        guard failed == 0, let first = unsafe found else {
            let why = unsafe String(cString: gai_strerror(failed))
            throw AddressError(description: "'\(text)': \(why)")
        }
        defer { unsafe freeaddrinfo(found) }
        return unsafe SocketAddress(copying: UnsafeRawPointer(first.pointee.ai_addr), count: first.pointee.ai_addrlen)
    }

    /// The longest path a Unix socket can have (unix(7)), without its NUL.
    public static let pathBytesMax = 107

    /// A Unix socket's path.
    public static func path(_ path: String) throws(AddressError) -> SocketAddress {
        let utf8 = Array(path.utf8)
        guard !utf8.isEmpty && utf8.count <= pathBytesMax else {
            throw AddressError(
                description: "'\(path)': a Unix socket's path has 1 to \(pathBytesMax) bytes; use a shorter folder name"
            )
        }
        var address = SocketAddress(bytes: UInt32(2 + utf8.count + 1))
        unsafe withUnsafeMutableBytes(of: &address.storage) { raw in
            unsafe raw.storeBytes(of: sa_family_t(AF_UNIX), as: sa_family_t.self)
            for (index, byte) in utf8.enumerated() { unsafe raw[2 + index] = byte }
        }
        return address
    }

    /// A name in Linux' abstract namespace: a NUL and the name, no file (unix(7)).
    public static func abstract(_ name: String) throws(AddressError) -> SocketAddress {
        let utf8 = Array(name.utf8)
        guard !utf8.isEmpty && utf8.count <= pathBytesMax else {
            throw AddressError(description: "'@\(name)': an abstract name has 1 to \(pathBytesMax) bytes")
        }
        var address = SocketAddress(bytes: UInt32(2 + 1 + utf8.count))
        unsafe withUnsafeMutableBytes(of: &address.storage) { raw in
            unsafe raw.storeBytes(of: sa_family_t(AF_UNIX), as: sa_family_t.self)
            for (index, byte) in utf8.enumerated() { unsafe raw[3 + index] = byte }
        }
        return address
    }

    /// Calls `body` with the address as bind(2) and connect(2) want it.
    func withSockaddr<R>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
        unsafe withUnsafePointer(to: storage) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe body($0, bytes) }
        }
    }

    /// The port, 0 for a Unix socket.
    public var port: UInt16 {
        unsafe withUnsafeBytes(of: storage) { raw in
            switch family {
            case AF_INET, AF_INET6: unsafe UInt16(raw[2]) << 8 | UInt16(raw[3])
            default: 0
            }
        }
    }

    public var isUnix: Bool { family == AF_UNIX }

    /// `127.0.0.1` or `::1` without the port; a path for a named Unix socket, `unix` for an unnamed one.
    public var host: String {
        if isUnix {
            return unsafe withUnsafeBytes(of: storage) { raw in
                let path = unsafe [UInt8](raw[2..<max(2, min(Int(bytes), raw.count))].prefix { $0 != 0 })
                return path.isEmpty ? "unix" : String(decoding: path, as: UTF8.self)
            }
        }
        let room = 64
        let text = unsafe [CChar](unsafeUninitializedCapacity: room) { buffer, count in
            count = 0
            let failed = unsafe withSockaddr {
                unsafe getnameinfo($0, $1, buffer.baseAddress!, socklen_t(room), nil, 0, NI_NUMERICHOST)
            }
            if failed == 0 { unsafe count = strlen(buffer.baseAddress!) }
        }
        return String(decoding: text.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

extension SocketAddress {
    /// Whom to count this peer with: its host, but of IPv6 the network of 64 bits, all of which one client has (RFC 4291 section 2.5.1).
    /// An IPv4 address inside IPv6 (section 2.5.5.2) is itself.
    public var network: String {
        guard family == AF_INET6 else { return host }
        // In bounds: sockaddr_in6 has its 16 address bytes from the ninth on, and the storage has room for more.
        let address = unsafe withUnsafeBytes(of: storage) { raw in unsafe [UInt8](raw[8..<24]) }
        if address.starts(with: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]) { return host }
        return address.prefix(8).map { String($0, radix: 16) }.joined(separator: ":") + "/64"
    }
}

extension SocketAddress: CustomStringConvertible {
    /// `127.0.0.1:8127`, `[::1]:8127`, or a path.
    public var description: String {
        switch family {
        case AF_INET6: "[\(host)]:\(port)"
        case AF_INET: "\(host):\(port)"
        default: host
        }
    }
}
