// What the ingest service is told at its start.

import EyeSystem
import EyeWire

/// Options of the ingest service.
public struct IngestOptions: Sendable {
    /// The data folder.
    public var folder: String
    /// Where to listen; nil for not at all.
    public var tcp: SocketAddress?
    public var udp: SocketAddress?
    /// Ingest loops, 1 to `IngestLimits.loopsMax`.
    public var loops: Int
    /// How far a timestamp may lie ahead of the clock, in microseconds.
    public var futureMicroseconds: Int64
    /// A connection that sends nothing for so long is closed without a word; 0: never.
    public var idleMilliseconds: UInt64
    /// Bytes that the log of rejected lines may take.
    public var rejectedBytes: Int64
    /// Bytes of unread answers, over all loops; another number in tests.
    var unreadBytesMax = IngestLimits.unreadBytesMax

    public init(folder: String, tcp: SocketAddress?, udp: SocketAddress?) {
        self.folder = folder
        self.tcp = tcp
        self.udp = udp
        loops = 1
        futureMicroseconds = WireLimits.futureMicrosecondsDefault
        idleMilliseconds = WireLimits.idleMillisecondsDefault
        rejectedBytes = IngestLimits.rejectedBytesMax
    }
}
