// Where a sender sends to, and making the connection.

import EyeSystem

/// The address of an ingest service.
public enum ClientAddress: Hashable, Sendable {
    /// `HOST:PORT`.
    case tcp(String)
    /// `HOST:PORT`; nothing ever comes back.
    case udp(String)
    /// The path of `ingest.sock` or `control.sock` in the data folder.
    case unix(String)

    /// Whether it is answered at all.
    public var isDatagram: Bool {
        if case .udp = self { return true }
        return false
    }

    /// Connects; every address of a name is tried in turn. The socket is non-blocking.
    public func connect(timeoutMilliseconds: Int32) throws(SendError) -> Descriptor {
        var last = SendError.cannotConnect(description, "no address")
        for candidate in try candidates() {
            do throws(SystemError) {
                let socket = try Socket.connect(
                    candidate, datagram: isDatagram, nonBlocking: true, timeoutMilliseconds: timeoutMilliseconds)
                if case .tcp = self { try Socket.tune(socket.number) }
                return socket
            } catch {
                last = .cannotConnect(description, SystemError.text(error.errno))
            }
        }
        throw last
    }

    private func candidates() throws(SendError) -> [SocketAddress] {
        do throws(AddressError) {
            switch self {
            case .tcp(let text): return try SocketAddress.resolveAll(text)
            case .udp(let text): return try SocketAddress.resolveAll(text, datagram: true)
            case .unix(let path): return [try SocketAddress.path(path)]
            }
        } catch {
            throw .cannotConnect(description, error.description)
        }
    }
}

extension ClientAddress: CustomStringConvertible {
    /// `tcp 127.0.0.1:8127`.
    public var description: String {
        switch self {
        case .tcp(let text): "tcp \(text)"
        case .udp(let text): "udp \(text)"
        case .unix(let path): "unix \(path)"
        }
    }
}
