// The service manager's ear: datagrams of NAME=VALUE lines to the socket that NOTIFY_SOCKET names (sd_notify(3)), without its
// library. What cannot be delivered is lost, as there: a service does not end because nobody listens. Used by the main thread.

import Glibc

/// Tells a service manager such as systemd how the service is.
public final class NotifySocket {
    private let address: SocketAddress
    private let socket: Descriptor

    /// `name` is the value of NOTIFY_SOCKET: a path that begins with `/`, or `@` and an abstract name (unix(7)). Nil for anything
    /// else, `vsock:` too.
    public init?(_ name: String) {
        do {
            if name.hasPrefix("@") {
                address = try SocketAddress.abstract(String(name.dropFirst()))
            } else if name.hasPrefix("/") {
                address = try SocketAddress.path(name)
            } else {
                return nil
            }
            socket = try Socket.unconnectedDatagram(address)
        } catch {
            return nil
        }
    }

    /// The service is up, or has taken its settings over after `reloading`.
    public func ready(_ status: String) { send("READY=1\nSTATUS=\(status)") }

    /// It reads its settings again. `monotonicNanoseconds`: now; `Type=notify-reload` tells old news from new by it.
    public func reloading(monotonicNanoseconds: UInt64) {
        send("RELOADING=1\nMONOTONIC_USEC=\(monotonicNanoseconds / 1000)\nSTATUS=reading the settings again")
    }

    /// It ends.
    public func stopping(_ status: String) { send("STOPPING=1\nSTATUS=\(status)") }

    /// It works: to be said more often than WATCHDOG_USEC.
    public func alive() { send("WATCHDOG=1") }

    private func send(_ state: String) {
        _ = Socket.sendDatagram(socket.number, Array(state.utf8), to: address)
    }
}
