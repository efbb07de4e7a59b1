// One connection of a sender: bytes out, lines in, both at once, so that a server that waits for its answers to be read
// never waits for ever. Used by one thread.

import EyeSystem

/// A connected stream socket with its buffers.
final class LineConnection {
    private let socket: Descriptor
    private var output: [UInt8] = []
    private var outputOffset = 0
    private var input: [UInt8] = []
    private var inputOffset = 0
    private var room = [UInt8](repeating: 0, count: 16 * 1024)
    /// The peer has closed, or the connection broke; why, then.
    private(set) var end: String?
    /// Writing failed: only reading goes on.
    private var isDeaf = false

    init(_ socket: consuming Descriptor) { self.socket = socket }

    /// Bytes that were enqueued and not written.
    var unwrittenCount: Int { output.count - outputOffset }

    /// Adds bytes to be written by the next turns.
    func enqueue(_ bytes: some Collection<UInt8>) {
        if outputOffset == output.count {
            output.removeAll(keepingCapacity: true)
            outputOffset = 0
        }
        output.append(contentsOf: bytes)
    }

    /// Waits until something can be written or read, then does both as far as it goes. False: nothing happened in time.
    func turn(timeoutMilliseconds: Int32) throws(SendError) -> Bool {
        if end != nil { return true }
        do throws(SystemError) {
            let wantsWriting = unwrittenCount > 0 && !isDeaf
            guard
                let ready = try SocketWait.poll(
                    socket.number, forWriting: wantsWriting, timeoutMilliseconds: timeoutMilliseconds)
            else { return false }
            if ready.isWritable { write() }
            if ready.isReadable { try read() }
            return true
        } catch {
            end = SystemError.text(error.errno)
            return true
        }
    }

    /// Ends our side: the peer knows that nothing more comes.
    func shutdownWrites() {
        do throws(SystemError) {
            try Socket.shutdownWrites(socket.number)
        } catch {
            end = SystemError.text(error.errno)
        }
    }

    /// The next complete line that was received, without its LF.
    func nextLine() throws(SendError) -> [UInt8]? {
        guard let lineEnd = input[inputOffset...].firstIndex(of: 0x0A) else {
            input.removeFirst(inputOffset)
            inputOffset = 0
            if input.count > ClientLimits.replyBytesMax { throw .strange("a line without end") }
            return nil
        }
        defer { inputOffset = lineEnd + 1 }
        return Array(input[inputOffset..<lineEnd])
    }

    /// A failed write does not end it: the server's last words may still be there to be read.
    private func write() {
        do throws(SystemError) {
            while unwrittenCount > 0 {
                let offset = outputOffset
                let sent = try unsafe output.span.withUnsafeBytes { bytes throws(SystemError) in
                    // In bounds: the offset is below the array's count.
                    try unsafe Socket.send(socket.number, UnsafeRawBufferPointer(rebasing: bytes[offset...]))
                }
                guard case .bytes(let count) = sent else { return }
                outputOffset += count
            }
        } catch {
            isDeaf = true
        }
    }

    private func read() throws(SystemError) {
        while true {
            let number = socket.number
            let result = unsafe room.withUnsafeMutableBytes { buffer in
                do throws(SystemError) {
                    return Result<Transfer, SystemError>.success(try unsafe Socket.receive(number, into: buffer))
                } catch {
                    return .failure(error)
                }
            }
            switch try result.get() {
            case .bytes(let count):
                input.append(contentsOf: room[..<count])
                if count < room.count { return }
            case .wouldBlock: return
            case .end:
                end = "the server closed it"
                return
            }
        }
    }
}
