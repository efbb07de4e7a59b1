// One client that sends one line and waits until it is durable before it sends the next: what a careful client without a window
// feels. Beside each acknowledgement the disk itself can be timed, a write of the same bytes and an fdatasync in a file on
// the same disk, so that both medians come from one run.

import EyeClient
import EyeSystem
import EyeWire
import Glibc

/// Measures single lines. Made on the main thread, then used by its own.
final class BenchOneByOne: @unchecked Sendable {
    private let socket: Descriptor
    private let probe: DiskProbe?
    private let pool: LinePool
    private let plan: BenchPlan
    private let clock: BenchClock
    private let progress: BenchProgress
    private var tally = BenchTally()
    private var input: [UInt8] = []
    private var acknowledged: UInt64 = 0
    /// The last line that was refused; 0: none.
    private var refusedLine: UInt64 = 0
    private var bye: LineCounts?
    private var hasEnded = false

    /// `socket` is connected and non-blocking.
    init(
        _ socket: consuming Descriptor, _ probe: DiskProbe?, _ pool: LinePool, _ plan: BenchPlan, clock: BenchClock,
        progress: BenchProgress
    ) {
        self.socket = socket
        self.probe = probe
        self.pool = pool
        self.plan = plan
        self.clock = clock
        self.progress = progress
    }

    /// The thread's body.
    func run() {
        do throws(SystemError) {
            _ = try Socket.send(socket.number, Array("MODE acks\n".utf8), from: 0)
            try sendAll()
            tally.sendEnd = clock.now
            if !hasEnded { try Socket.shutdownWrites(socket.number) }
            while !hasEnded { try hear() }
        } catch {
            tally.note(failure: "\(error)")
        }
        if let bye { tally.add(bye, of: tally.lines) } else { tally.withoutBye = 1 }
        progress.finish(tally, at: clock.now)
    }

    private func sendAll() throws(SystemError) {
        let end = plan.seconds.map { UInt64($0 * 1e9) } ?? .max
        while tally.lines < plan.count ?? .max, !hasEnded, !progress.isStopping.load(ordering: .relaxed) {
            var due = clock.now
            if due >= end {
                if let rate = plan.rate {
                    let owed = min(plan.count ?? .max, UInt64((Double(end) * rate / 1e9).rounded(.up)))
                    tally.overdue = max(owed, tally.lines) - tally.lines
                }
                return
            }
            if let rate = plan.rate {
                // Late or not, the line counts from the moment it was due.
                let planned = UInt64(Double(tally.lines) * 1e9 / rate)
                if planned >= end { return }
                if planned > due { pause(until: planned) }
                due = planned
            }
            let index = Int(tally.lines % UInt64(pool.count))
            let line = pool.bytes[pool.starts[index]..<pool.starts[index + 1]]
            guard case .bytes(line.count) = try Socket.send(socket.number, Array(line), from: 0) else {
                throw SystemError(errno: EAGAIN, call: "send")
            }
            tally.lines += 1
            tally.bytes += UInt64(line.count)
            while acknowledged < tally.lines && !hasEnded { try hear() }
            if hasEnded { return }
            if refusedLine == tally.lines { tally.untimed += 1 } else { tally.latency.record(clock.now - due) }
            progress.sent.add(1, ordering: .relaxed)
            progress.settled.add(1, ordering: .relaxed)
            if let probe {
                let began = clock.now
                try probe.write(line)
                tally.disk.record(clock.now - began)
            }
        }
    }

    private func pause(until due: UInt64) {
        // The scheduler wakes a sleeper late by some tens of microseconds.
        let nap: UInt64 = 100_000
        var now = clock.now
        while now < due {
            if due - now > nap { usleep(UInt32(clamping: min(due - now - nap, nap * 1000) / 1000 + 1)) }
            now = clock.now
        }
    }

    /// Waits for bytes and reads them.
    private func hear() throws(SystemError) {
        let wait = try SocketWait.poll(
            socket.number, forWriting: false, timeoutMilliseconds: Int32(BenchLimits.silenceNanoseconds / 1_000_000))
        if wait == nil {
            hasEnded = true
            tally.note(failure: "no answer within \(BenchLimits.silenceNanoseconds / 1_000_000_000) s")
            return
        }
        var room = [UInt8](repeating: 0, count: 4096)
        switch try Socket.receive(socket.number, into: &room) {
        case .wouldBlock: return
        case .end:
            hasEnded = true
            if bye == nil { tally.note(failure: "the server closed the connection") }
        case .bytes(let count): input.append(contentsOf: room[..<count])
        }
        while let feed = input.firstIndex(of: 0x0A) {
            let reply = unsafe input.withUnsafeBytes { bytes in
                // In bounds: up to a byte of the array.
                unsafe ReplyLine.parse(UnsafeRawBufferPointer(rebasing: bytes[..<feed]))
            }
            switch reply {
            case .ack(let number):
                if number > tally.lines {
                    tally.noteContradiction("it acknowledged line \(number), which was not sent")
                } else {
                    acknowledged = max(acknowledged, number)
                }
            case .bye(let counts): bye = counts
            case .error(let number, _, let code, let text):
                if number > tally.lines {
                    tally.noteContradiction("it refused line \(number), which was not sent")
                }
                refusedLine = max(refusedLine, number)
                let words = [code, text].map { String(decoding: input[$0], as: UTF8.self) }
                tally.note(error: words.joined(separator: ": "))
            default: break
            }
            input.removeFirst(feed + 1)
        }
        if input.count > ClientLimits.replyBytesMax {
            hasEnded = true
            tally.note(failure: "an answer without end")
        }
    }
}

/// A file of its own, written and synced like a log.
final class DiskProbe {
    private let file: Descriptor

    /// A nameless file in `folder`: it goes with the process.
    init(_ folder: String) throws(SystemError) {
        let path = "\(folder)/eye-bench-\(getpid())"
        file = try Descriptor.open(path, flags: O_WRONLY | O_CREAT | O_EXCL)
        unsafe _ = unlink(path)
    }

    /// Appends the bytes and waits until they are on the disk.
    func write(_ bytes: ArraySlice<UInt8>) throws(SystemError) {
        _ = try StandardStream.write(file.number, Array(bytes))
        if fdatasync(file.number) != 0 { throw SystemError(errno: errno, call: "fdatasync") }
    }
}
