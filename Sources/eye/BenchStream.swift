// A connection to an ingest port or socket: writes pieces of the pool as they lie there, reads acks if it asked for them,
// half-closes, and takes the server's last words as the account.

import EyeClient
import EyeSystem
import EyeWire

/// A connection that sends event lines.
final class BenchStream: BenchConnection {
    private let readsAcks: Bool
    /// Bytes of the pool that are being written, and how many lines they are.
    private var offset = 0
    private var end = 0
    private var lines: UInt64 = 0
    private var isShut = false
    private var input: [UInt8] = []
    private var hasBye = false

    init(
        _ socket: consuming Descriptor, _ pool: LinePool, firstLine: Int, isScheduled: Bool, readsAcks: Bool,
        clock: BenchClock
    ) {
        self.readsAcks = readsAcks
        super.init(socket, pool, firstLine: firstLine, isScheduled: isScheduled, clock: clock)
    }

    /// Asks for acks, before anything else is sent. The few bytes go into an empty buffer.
    func open() throws(SystemError) {
        if readsAcks { _ = try Socket.send(socket.number, Array("MODE acks\n".utf8), from: 0) }
    }

    override func write(_ tally: inout BenchTally) throws(SystemError) -> Bool {
        isBlocked = false
        var hasMoved = false
        for _ in 0..<BenchLimits.chunksPerTurn {
            if offset == end {
                guard begun < assigned else { break }
                begin()
            }
            guard case .bytes(let count) = try Socket.send(socket.number, pool.bytes, offset..<end) else {
                isBlocked = true
                break
            }
            hasMoved = true
            offset += count
            tally.bytes += UInt64(count)
            if offset == end {
                tally.lines += lines
                tally.pieces += 1
            }
        }
        if begun < assigned || offset < end {
            // More to do: when the socket has room again, or at the next turn.
            isBlocked = true
        } else if isEnded && !isShut {
            isShut = true
            tally.sendEnd = max(tally.sendEnd, clock.now)
            try Socket.shutdownWrites(socket.number)
        }
        return hasMoved
    }

    private func begin() {
        let last = pool.end(from: nextLine, limit: assigned - begun, bytesMax: BenchLimits.chunkBytes)
        offset = pool.starts[nextLine]
        end = pool.starts[last]
        lines = UInt64(last - nextLine)
        begun += lines
        nextLine = last == pool.count ? 0 : last
        if readsAcks && !isScheduled { mark(last: begun, due: Double(clock.now), step: 0) }
    }

    override func take(_ bytes: ArraySlice<UInt8>, _ tally: inout BenchTally) {
        if bytes.isEmpty {
            isDone = true
            if !hasBye {
                tally.withoutBye += 1
                tally.note(
                    failure: isShut
                        ? "the server closed a connection without a last word" : "the server closed a connection")
            }
            return
        }
        input.append(contentsOf: bytes)
        var start = 0
        let now = clock.now
        while let feed = input[start...].firstIndex(of: 0x0A) {
            take(line: start..<feed, now, &tally)
            start = feed + 1
        }
        input.removeFirst(start)
        if input.count > ClientLimits.replyBytesMax {
            isDone = true
            tally.withoutBye += 1
            tally.note(failure: "an answer without end")
        }
    }

    private func take(line: Range<Int>, _ now: UInt64, _ tally: inout BenchTally) {
        let reply = unsafe input.withUnsafeBytes { bytes in
            // In bounds: the range lies in the array.
            unsafe ReplyLine.parse(UnsafeRawBufferPointer(rebasing: bytes[line]))
        }
        switch reply {
        case .ack(let number): if readsAcks { settle(upTo: number, now: now, &tally) }
        case .bye(let counts):
            hasBye = true
            tally.add(counts, of: begun)
        case .error(let number, _, let code, let text):
            // 0: about no line.
            if readsAcks && number > 0 { refuse(number, &tally) }
            let words = [code, text].map {
                String(
                    decoding: input[line][(line.lowerBound + $0.lowerBound)..<(line.lowerBound + $0.upperBound)],
                    as: UTF8.self)
            }
            tally.note(error: words.joined(separator: ": "))
        case nil: tally.note(failure: "the server said something that is no answer of this protocol")
        default: break
        }
    }
}
