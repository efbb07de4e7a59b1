// Which connection speaks for which (token, client_id) now. A HELLO for a client that is live elsewhere replaces the older
// connection: its loop closes it, submits what it had, and only then is the new HELLO answered. Touched at HELLO and at
// the end of such a connection, never per line.

import Synchronization

/// Where a connection lives.
struct ConnectionPlace: Hashable, Sendable {
    var loop: Int
    var slot: Int32
    var generation: UInt32
}

/// A client's name: its token and what it calls itself.
struct ClientKey: Hashable, Sendable {
    var token: UInt32
    var name: [UInt8]
}

/// The live clients.
final class ClientRegistry: Sendable {
    private let live = Mutex<[ClientKey: ConnectionPlace]>([:])

    /// Makes `place` the one for `key`; returns the one that was, if it is another.
    func claim(_ key: ClientKey, _ place: ConnectionPlace) -> ConnectionPlace? {
        live.withLock { live in
            let older = live.updateValue(place, forKey: key)
            return older == place ? nil : older
        }
    }

    /// Forgets `place`, unless somebody else has claimed `key` since.
    func release(_ key: ClientKey, _ place: ConnectionPlace) {
        live.withLock { live in
            if live[key] == place { live[key] = nil }
        }
    }
}
