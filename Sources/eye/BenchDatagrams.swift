// A thread of the load generator that sends datagrams, many with one system call. UDP answers nothing: what became of them is
// told by the server's metrics alone.

import EyeClient
import EyeSystem
import Glibc

/// Sends datagrams by its share of the sockets. Made on the main thread, then used by its own.
final class BenchDatagrams: @unchecked Sendable {
    /// A connected, blocking UDP socket.
    final class Port {
        let socket: Descriptor
        init(_ socket: consuming Descriptor) { self.socket = socket }
    }

    private let ports: [Port]
    private let pool: LinePool
    private let linesPerDatagram: Int
    private let share: UInt64
    private let endNanoseconds: UInt64
    private let interval: Double?
    private let clock: BenchClock
    private let progress: BenchProgress
    private var tally = BenchTally()
    private var train = DatagramTrain()
    /// Lines and bytes of each datagram of the train.
    private var loads: [(lines: UInt64, bytes: UInt64)] = []
    private var nextLine: Int
    private var published: UInt64 = 0

    init(
        _ ports: [Port], _ pool: LinePool, _ plan: BenchPlan, part: Int, of parts: Int, clock: BenchClock,
        progress: BenchProgress
    ) {
        self.ports = ports
        self.pool = pool
        self.clock = clock
        self.progress = progress
        linesPerDatagram = plan.linesPerPiece
        share = plan.count.map { BenchPlan.share($0, part, of: parts) } ?? .max
        endNanoseconds = plan.seconds.map { UInt64($0 * 1e9) } ?? .max
        interval = plan.rate.map { 1e9 * Double(parts) / $0 }
        nextLine = pool.count / linesPerDatagram * part / parts * linesPerDatagram
    }

    /// The thread's body.
    func run() {
        var port = 0
        do throws(SystemError) {
            while tally.lines < share, !progress.isStopping.load(ordering: .relaxed) {
                let now = clock.now
                // With a rate what came due since the last turn is still sent, as far as it goes at once.
                let isLast = now >= endNanoseconds
                if isLast && interval == nil { break }
                var limit = share - tally.lines
                if let interval {
                    var reached = UInt64(Double(now) / interval) + 1
                    if isLast { reached = UInt64((Double(endNanoseconds) / interval).rounded(.up)) }
                    let due = min(limit, max(tally.lines, reached) - tally.lines)
                    // Whole datagrams only, but for the last one.
                    let whole = due < limit && !isLast ? due - due % UInt64(linesPerDatagram) : due
                    guard whole > 0 else {
                        if isLast { break }
                        pause(until: Double(tally.lines + UInt64(linesPerDatagram) - 1) * interval, now)
                        continue
                    }
                    limit = whole
                }
                let before = tally.lines
                load(limit)
                try send(ports[port].socket.number)
                port = (port + 1) % ports.count
                progress.sent.add(tally.lines - published, ordering: .relaxed)
                published = tally.lines
                if isLast {
                    tally.overdue = limit - (tally.lines - before)
                    break
                }
            }
            // What became of the last ones is told to who asks: nothing is sent after them.
            for port in ports where try Socket.pendingError(port.socket.number) == ECONNREFUSED {
                tally.refusedDatagrams += 1
            }
        } catch {
            tally.note(failure: "\(error)")
        }
        tally.sendEnd = clock.now
        progress.finish(tally, at: clock.now)
    }

    private func pause(until due: Double, _ now: UInt64) {
        let wait = max(due - Double(now), Double(BenchLimits.tickNanoseconds))
        let longest = 100_000.0
        usleep(UInt32(min(wait / 1000, longest)))
    }

    /// Fills the train with datagrams of at most `limit` lines in all.
    private func load(_ limit: UInt64) {
        train.removeAll()
        loads.removeAll(keepingCapacity: true)
        var rest = limit
        while rest > 0 && !train.isFull {
            let count = min(linesPerDatagram, pool.count - nextLine, Int(clamping: rest))
            // Without the last LF.
            let range = pool.starts[nextLine]..<pool.starts[nextLine + count] - 1
            train.add(range)
            loads.append((UInt64(count), UInt64(range.count)))
            rest -= UInt64(count)
            // Always a whole datagram further: its first line is the one with the token.
            nextLine = nextLine + linesPerDatagram >= pool.count ? 0 : nextLine + linesPerDatagram
        }
    }

    private func send(_ socket: Int32) throws(SystemError) {
        var sent = 0
        while sent < train.count {
            do throws(SystemError) {
                let count = try train.send(socket, pool.bytes, from: sent)
                for load in loads[sent..<sent + count] {
                    tally.lines += load.lines
                    tally.bytes += load.bytes
                }
                tally.pieces += UInt64(count)
                sent += count
            } catch {
                switch error.errno {
                case ECONNREFUSED: tally.refusedDatagrams += 1
                case ENOBUFS, EAGAIN: usleep(100)
                default: throw error
                }
                if progress.isStopping.load(ordering: .relaxed) || clock.now >= endNanoseconds { return }
            }
        }
    }
}
