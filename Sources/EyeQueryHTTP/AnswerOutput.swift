// Answer bytes on their way to a socket: heads, bodies, chunks of streamed bodies. Used by HTTPConnection. Invariant: holds at
// most what the connection may (`HTTPLimits.outputBytesMax`) and one item more, since producers are pulled only below it.

import EyeSystem

/// The output of one connection.
struct AnswerOutput {
    /// Bytes for the socket, from `offset` on.
    private(set) var bytes: [UInt8] = []
    private(set) var offset = 0

    /// Room that an idle connection keeps for its next answer.
    private static let keptBytesMax = 4096

    /// Bytes that wait.
    var count: Int { bytes.count - offset }
    /// Bytes of memory that it takes.
    var capacity: Int { bytes.capacity }

    mutating func append(_ text: String) { bytes.append(text: text) }
    mutating func append(_ more: [UInt8]) { bytes.append(contentsOf: more) }

    mutating func appendHead(
        _ response: Response, framing: Response.Framing, date: [UInt8], connection: Response.ConnectionField
    ) {
        dropSent()
        response.appendHead(to: &bytes, framing: framing, date: date, connection: connection)
    }

    /// The socket took `count` bytes. True when nothing waits any more.
    mutating func didSend(_ count: Int) -> Bool {
        offset += count
        guard offset == bytes.count else { return false }
        bytes.removeAll(keepingCapacity: bytes.capacity <= AnswerOutput.keptBytesMax)
        offset = 0
        return true
    }

    /// What was sent takes no room while more is made for a client that never takes all of it.
    private mutating func dropSent() {
        if offset == 0 { return }
        bytes.removeFirst(offset)
        offset = 0
    }

    mutating func removeAll() {
        bytes = []
        offset = 0
    }

    /// Sends what waits into a socket, once.
    func send(to socket: Int32) throws(SystemError) -> Transfer {
        var failure: SystemError?
        // In bounds: `offset` never passes the array's end.
        let transfer = unsafe bytes.withUnsafeBytes { buffer in
            do throws(SystemError) {
                return unsafe try Socket.send(socket, UnsafeRawBufferPointer(rebasing: buffer[offset...]))
            } catch {
                failure = error
                return .wouldBlock
            }
        }
        if let failure { throw failure }
        return transfer
    }

    // MARK: Streamed bodies

    /// Seven hexadecimal digits and CRLF.
    private static let chunkPrefixBytes = 9

    /// Pulls a producer once, for output of about `most` bytes, as one chunk if `isChunked`; writes the body's end if it has come.
    mutating func pull(_ producer: any BodyProducer, isChunked: Bool, most: Int) -> Production {
        dropSent()
        let start = bytes.count
        // A chunk's size stands before its data, with leading zeros: it is filled in afterwards (RFC 9112 section 7.1).
        let prefix = isChunked ? AnswerOutput.chunkPrefixBytes : 0
        for _ in 0..<prefix { bytes.append(UInt8(ascii: "0")) }
        let production = producer.produce(into: &bytes, room: max(1, most - start))
        guard isChunked else { return production }
        let count = bytes.count - start - prefix
        if count == 0 {
            bytes.removeLast(prefix)
        } else {
            finishChunk(at: start, count)
        }
        if case .end = production {
            bytes.append(text: "0\r\n")
            for field in producer.trailers() { bytes.append(text: "\(field.name): \(field.value)\r\n") }
            bytes.append(text: "\r\n")
        }
        return production
    }

    private mutating func finishChunk(at start: Int, _ count: Int) {
        let digits = AnswerOutput.chunkPrefixBytes - 2
        precondition(count < 1 << (4 * digits), "a chunk that its size line cannot tell")
        var rest = count
        for index in stride(from: start + digits - 1, through: start, by: -1) {
            let digit = UInt8(rest & 15)
            bytes[index] = digit < 10 ? 0x30 + digit : 0x61 + digit - 10
            rest >>= 4
        }
        bytes[start + digits] = .carriageReturn
        bytes[start + digits + 1] = .lineFeed
        bytes.append(.carriageReturn)
        bytes.append(.lineFeed)
    }
}
