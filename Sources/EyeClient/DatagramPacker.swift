// Packs event lines into datagrams of at most 1,432 bytes, which ordinary networks carry in one piece; a longer line goes
// alone. Lines after the first leave out a token that is the same. Nothing is ever answered. Used by one thread.

import EyeSystem
import EyeWire

/// The datagram under construction. Pure.
struct DatagramPacker {
    private var datagram: [UInt8] = []
    /// The token that the datagram's next line would inherit.
    private var token: ArraySlice<UInt8> = []

    /// Adds a line `TOKEN {json}`. Returns the datagram before it, when the line begins another one.
    mutating func add(_ line: ArraySlice<UInt8>) -> [UInt8]? {
        let tokenEnd = line.firstIndex(of: 0x20) ?? line.endIndex
        let isSame = !datagram.isEmpty && line[..<tokenEnd] == token
        let rest = line[min(tokenEnd + 1, line.endIndex)...]
        let inherits = isSame && rest.first == UInt8(ascii: "{")
        let piece = inherits ? rest : line
        if !datagram.isEmpty && datagram.count + 1 + piece.count <= WireLimits.datagramBytesAdvised {
            datagram.append(0x0A)
            datagram.append(contentsOf: piece)
            token = line[..<tokenEnd]
            return nil
        }
        let full = take()
        datagram.append(contentsOf: line)
        token = line[..<tokenEnd]
        return full
    }

    /// The datagram as it is, nil if it is empty; begins another one.
    mutating func take() -> [UInt8]? {
        defer { datagram.removeAll() }
        return datagram.isEmpty ? nil : datagram
    }
}

/// A connected UDP socket.
final class DatagramConnection {
    private let socket: Descriptor

    init(_ socket: consuming Descriptor) { self.socket = socket }

    /// Sends one datagram; waits for room in the kernel's buffer.
    func send(_ datagram: [UInt8]) throws(SystemError) {
        while true {
            let sent = try unsafe datagram.span.withUnsafeBytes { bytes throws(SystemError) in
                try unsafe Socket.send(socket.number, bytes)
            }
            if sent != .wouldBlock { return }
            _ = try SocketWait.poll(socket.number, forWriting: true, timeoutMilliseconds: -1)
        }
    }
}
