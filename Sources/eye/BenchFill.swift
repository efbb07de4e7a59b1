// Fills a store for `eye bench query`: events that are all different, made while they are sent, over one connection. One thread.

import EyeClient
import EyeSystem
import EyeWire
import Glibc

/// Sends different events.
struct BenchFill {
    let address: ClientAddress
    let token: [UInt8]
    let count: UInt64
    let seed: UInt64

    private static let connectMilliseconds: Int32 = 10_000
    private static let waitMilliseconds: Int32 = 60_000

    /// Sends all of them and returns when the service has said that they are durable.
    func run() throws(Failure) {
        let socket = try connect()
        let events = SyntheticEvents(seed: seed)
        var chunk: [UInt8] = []
        chunk.reserveCapacity(BenchLimits.chunkBytes * 2)
        var progress = ProgressLine("filling", total: Int64(clamping: count), of: .events)
        for index in 0..<count {
            chunk.append(contentsOf: token)
            chunk.append(0x20)
            events.append(index, to: &chunk)
            chunk.append(0x0A)
            guard chunk.count >= BenchLimits.chunkBytes || index + 1 == count else { continue }
            try Failure.of("sending") { () throws(SystemError) in try BenchFill.send(chunk, socket.number) }
            chunk.removeAll(keepingCapacity: true)
            progress.show(Int64(clamping: index + 1))
        }
        progress.end()
        var said: [UInt8] = []
        try Failure.of("sending") { () throws(SystemError) in
            try Socket.shutdownWrites(socket.number)
            said = try BenchFill.receiveAll(socket.number)
        }
        // The last line is +BYE with the account.
        let words = String(decoding: said, as: UTF8.self).split(separator: "\n").last.map(String.init) ?? "nothing"
        guard words.contains(" accepted=\(count) ") else { throw Failure("the service said: \(Visible.text(words))") }
    }

    private func connect() throws(Failure) -> Descriptor {
        do throws(SendError) {
            return try address.connect(timeoutMilliseconds: BenchFill.connectMilliseconds)
        } catch { throw Failure(error.description) }
    }

    private static func send(_ bytes: [UInt8], _ socket: Int32) throws(SystemError) {
        var sent = 0
        while sent < bytes.count {
            switch try Socket.send(socket, bytes, from: sent) {
            case .bytes(let count): sent += count
            default:
                guard
                    try SocketWait.poll(socket, forWriting: true, timeoutMilliseconds: waitMilliseconds) != nil
                else { throw SystemError(errno: ETIMEDOUT, call: "send") }
            }
        }
    }

    private static func receiveAll(_ socket: Int32) throws(SystemError) -> [UInt8] {
        var all: [UInt8] = []
        var room = [UInt8](repeating: 0, count: 4096)
        while true {
            guard try SocketWait.poll(socket, forWriting: false, timeoutMilliseconds: waitMilliseconds) != nil else {
                throw SystemError(errno: ETIMEDOUT, call: "recv")
            }
            switch try Socket.receive(socket, into: &room) {
            case .bytes(let count): all.append(contentsOf: room[..<count])
            case .wouldBlock: continue
            case .end: return all
            }
        }
    }
}
