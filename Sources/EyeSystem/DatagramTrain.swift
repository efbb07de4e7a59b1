// sendmmsg(2): many datagrams with one call, each a piece of the same memory. Belongs to one thread.

import CEyeLinux
import Glibc

/// Datagrams that leave together.
public struct DatagramTrain {
    /// Datagrams that one call may take.
    public static let datagramsMax = Int(EYE_DATAGRAMS_MAX)

    private var pieces: [eye_piece] = []

    public init() { pieces.reserveCapacity(DatagramTrain.datagramsMax) }

    /// Datagrams that wait.
    public var count: Int { pieces.count }
    public var isFull: Bool { pieces.count == DatagramTrain.datagramsMax }

    /// Adds the bytes at `range` of the memory that `send` will be given. Not when it is full.
    public mutating func add(_ range: Range<Int>) {
        precondition(!isFull)
        pieces.append(eye_piece(offset: range.lowerBound, count: range.count))
    }

    public mutating func removeAll() { pieces.removeAll(keepingCapacity: true) }

    /// Sends the datagrams from index `first` on by a connected socket; returns how many left. Waits as long as the kernel's
    /// buffer is full if the socket blocks.
    public func send(_ socket: Int32, _ bytes: [UInt8], from first: Int) throws(SystemError) -> Int {
        for piece in pieces[first...] { precondition(piece.offset >= 0 && piece.offset + piece.count <= bytes.count) }
        let sent = unsafe bytes.withUnsafeBytes { memory in
            unsafe pieces.withUnsafeBufferPointer { all in
                // In bounds: every piece was just compared with the memory's size, `first` is an index of the pieces.
                unsafe eye_datagrams_send(
                    socket, memory.baseAddress, all.baseAddress! + first, UInt32(all.count - first))
            }
        }
        if sent >= 0 { return Int(sent) }
        if errno == EINTR { return 0 }
        throw SystemError.last("sendmmsg")
    }
}
