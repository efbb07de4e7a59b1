// How a line or a request came. The words are shown by the errors view and metrics; the numbers are kept in rejected/ by the
// store, so they are never changed.

/// A way into the service.
public enum Transport: UInt8, CaseIterable, Sendable {
    case tcp = 0
    case unix = 1
    /// The HTTP service, by way of the control socket.
    case http = 2
    case udp = 3

    /// `tcp`, `unix`, `http`, `udp`.
    public var label: StaticString {
        switch self {
        case .tcp: "tcp"
        case .unix: "unix"
        case .http: "http"
        case .udp: "udp"
        }
    }

    /// The transport of this name.
    public init?(label: Span<UInt8>) {
        for transport in Transport.allCases where transport.label.equals(label) {
            self = transport
            return
        }
        return nil
    }
}
