// What one loop has counted. The loop adds to its own copy and publishes it once a tick; anybody may read the published
// one. At every quiet moment lines = accepted + rejected + duplicate.

import EyeWire
import Synchronization

/// Why the service ended a connection. Not a line: it stands outside of the accounting identity.
enum ConnectionEnd: Int, CaseIterable {
    case idle, slowReader, wrongPort, overloaded

    /// The code that it is told and counted by.
    var code: StaticString {
        switch self {
        case .idle: Reject.idle.code
        case .slowReader: Reject.slowReader.code
        case .wrongPort: Reject.wrongPort.code
        case .overloaded: Reject.overloaded.code
        }
    }
}

/// Counts since the start of the process.
struct Counts: Sendable {
    /// Event lines judged.
    var lines: UInt64 = 0
    /// Bytes read from sockets.
    var bytes: UInt64 = 0
    var accepted: UInt64 = 0
    var duplicate: UInt64 = 0
    /// Event lines, by `Reject.rawValue`.
    var rejected: InlineArray<64, UInt64> = .init(repeating: 0)
    /// Connections that the service ended, by `ConnectionEnd.rawValue`.
    var ended: InlineArray<4, UInt64> = .init(repeating: 0)
    var connectionsOpened: UInt64 = 0
    var connectionsClosed: UInt64 = 0
    var datagrams: UInt64 = 0
    /// Datagrams that the kernel dropped because the loop was behind (SO_MEMINFO, extended to 64 bits).
    var datagramsDropped: UInt64 = 0
    /// Turns in which the loop did not read because all its frames waited for the disk.
    var pauses: UInt64 = 0

    mutating func reject(_ reject: Reject, _ count: UInt64 = 1) { rejected[Int(reject.rawValue)] += count }

    mutating func end(_ end: ConnectionEnd) { ended[end.rawValue] += 1 }

    var rejectedTotal: UInt64 {
        var total: UInt64 = 0
        for index in rejected.indices { total += rejected[index] }
        return total
    }

    /// Adds another loop's counts.
    mutating func add(_ other: Counts) {
        lines += other.lines
        bytes += other.bytes
        accepted += other.accepted
        duplicate += other.duplicate
        for index in rejected.indices { rejected[index] += other.rejected[index] }
        for index in ended.indices { ended[index] += other.ended[index] }
        connectionsOpened += other.connectionsOpened
        connectionsClosed += other.connectionsClosed
        datagrams += other.datagrams
        datagramsDropped += other.datagramsDropped
        pauses += other.pauses
    }
}

/// A loop's counts as the others see them.
final class PublishedCounts: Sendable {
    private let latest = Mutex(Counts())
    func publish(_ counts: Counts) { latest.withLock { $0 = counts } }
    var value: Counts { latest.withLock { $0 } }
}
