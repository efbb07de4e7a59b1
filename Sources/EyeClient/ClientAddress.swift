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
                last = failure(error)
            }
        }
        throw last
    }

    /// A socket's file may be made at any time, if there is a folder for it.
    private func failure(_ error: SystemError) -> SendError {
        let reason = SystemError.text(error.errno)
        guard case .unix(let path) = self else { return .cannotConnect(description, reason) }
        if error.isUnwritable { return .noPlace(description, reason) }
        let folder = FolderPath.parent(of: path)
        do throws(SystemError) {
            let kind = try RealDisk().status(folder).kind
            if kind == .folder || kind == .deadLink { return .cannotConnect(description, reason) }
            return .noPlace(description, "\(reason): \(folder) is \(kind.rawValue)")
        } catch {
            return .noPlace(description, "\(reason): there is no folder \(folder)")
        }
    }

    private func candidates() throws(SendError) -> [SocketAddress] {
        do throws(AddressError) {
            switch self {
            case .tcp(let text): return try SocketAddress.resolveAll(text)
            case .udp(let text): return try SocketAddress.resolveAll(text, datagram: true)
            case .unix(let path): return [try SocketAddress.path(path)]
            }
        } catch {
            if case .unix = self { throw .noPlace(description, error.description) }
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
