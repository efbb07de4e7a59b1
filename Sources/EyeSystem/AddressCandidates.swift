// Every address of a name, for clients: `localhost` may be ::1 and 127.0.0.1, and the service listens on one of them.

import Glibc

extension SocketAddress {
    /// Resolves `HOST:PORT` to all its addresses, in the resolver's order; never empty.
    public static func resolveAll(_ text: String, datagram: Bool = false) throws(AddressError) -> [SocketAddress] {
        let (host, port) = try split(text)
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(datagram ? SOCK_DGRAM.rawValue : SOCK_STREAM.rawValue)
        unsafe hints.ai_flags = AI_NUMERICSERV
        var found: UnsafeMutablePointer<addrinfo>?
        let failed = unsafe getaddrinfo(host.isEmpty ? "127.0.0.1" : host, port, &hints, &found)
        guard failed == 0, unsafe found != nil else {
            let why = unsafe String(cString: gai_strerror(failed))
            throw AddressError(description: "'\(text)': \(why)")
        }
        defer { unsafe freeaddrinfo(found) }
        var all: [SocketAddress] = []
        var next = unsafe found
        // In bounds: a list of the resolver's own, ended by nil (getaddrinfo(3)); each entry knows its address's length.
        while let entry = unsafe next {
            unsafe all.append(
                SocketAddress(copying: UnsafeRawPointer(entry.pointee.ai_addr), count: entry.pointee.ai_addrlen))
            unsafe next = entry.pointee.ai_next
        }
        return all
    }
}
