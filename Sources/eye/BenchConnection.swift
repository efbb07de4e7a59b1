// One connection of the load generator, without its socket's readiness: which lines it owes, which have left, and since when
// each has been due. Two kinds: BenchStream (lines) and BenchRequests (HTTP). Used by one BenchWorker.
//
// Coordinated omission (G. Tene, "How NOT to Measure Latency", 2013; wrk2): when a rate is given, the latency of a line counts
// from the moment it was due, not from the moment it could be written. A server that stops for a second is then charged for
// every line that was due in that second; a generator that waits politely would report one slow line.

import EyeClient
import EyeSystem
import EyeWire

/// A connection that owes lines.
class BenchConnection {
    /// Lines up to number `last` of this connection were due at `due`, each before it `step` earlier (nanoseconds from the
    /// start; step 0: all at once).
    struct Mark {
        var last: UInt64
        var due: Double
        var step: Double
    }

    let socket: Descriptor
    let pool: LinePool
    let clock: BenchClock
    /// Whether lines come by a schedule; otherwise they are due when they are written.
    let isScheduled: Bool
    /// Lines it shall send in all; grows with the schedule.
    private(set) var assigned: UInt64 = 0
    /// Lines whose writing has begun.
    var begun: UInt64 = 0
    /// Nothing more will be assigned.
    private(set) var isEnded = false
    /// Nothing more will happen here.
    var isDone = false
    /// The last write did not go: wait until the socket can be written.
    var isBlocked = false
    /// The pool's line that comes next.
    var nextLine: Int
    /// Lines whose latency is known.
    private(set) var settled: UInt64 = 0
    private var marks: [Mark] = []
    private var firstMark = 0
    /// Refused lines that no acknowledgement has covered yet, by number. They come in no order (protocol.md, section 5).
    private var refused: Set<UInt64> = []

    init(_ socket: consuming Descriptor, _ pool: LinePool, firstLine: Int, isScheduled: Bool, clock: BenchClock) {
        self.socket = socket
        self.pool = pool
        self.isScheduled = isScheduled
        self.clock = clock
        nextLine = firstLine
    }

    /// Owes `count` more lines; the last of them is due at `due`.
    func assign(_ count: UInt64, due: Double, step: Double) {
        assigned = assigned.addingReportingOverflow(count).overflow ? .max : assigned + count
        if isScheduled { mark(last: assigned, due: due, step: step) }
    }

    func mark(last: UInt64, due: Double, step: Double) { marks.append(Mark(last: last, due: due, step: step)) }

    /// Everything was assigned.
    func end() { isEnded = true }

    /// No further line is begun, but for at most `more` of those that are owed. Returns how many lines will never be sent.
    func cut(keeping more: UInt64) -> UInt64 {
        let lost = assigned - begun - min(assigned - begun, more)
        assigned -= lost
        isEnded = true
        return lost
    }

    /// Line `number` was refused: an acknowledgement that covers it does not make it durable.
    func refuse(_ number: UInt64, _ tally: inout BenchTally) {
        guard number <= begun else { return tally.noteContradiction("it refused line \(number), which was not sent") }
        guard number > settled else {
            return tally.noteContradiction("it refused line \(number) after an acknowledgement that covers it")
        }
        guard refused.insert(number).inserted else {
            return tally.noteContradiction("it refused line \(number) twice")
        }
    }

    /// Lines up to `number` are durable at `now`, but for refused ones: counts the latency of each.
    func settle(upTo number: UInt64, now: UInt64, _ tally: inout BenchTally) {
        guard number <= begun else {
            return tally.noteContradiction("it acknowledged line \(number), which was not sent")
        }
        guard number >= settled else {
            return tally.noteContradiction("it acknowledged line \(number) after line \(settled)")
        }
        let now = Double(now)
        while settled < number, firstMark < marks.count {
            let mark = marks[firstMark]
            let last = min(number, mark.last)
            if mark.step == 0 {
                let left = passRefused(settled + 1...last)
                tally.untimed += left
                tally.latency.record(UInt64(max(0, now - mark.due)), times: last - settled - left)
            } else {
                for line in settled + 1...last {
                    if passRefused(line...line) > 0 {
                        tally.untimed += 1
                    } else {
                        tally.latency.record(UInt64(max(0, now - mark.due + mark.step * Double(mark.last - line))))
                    }
                }
            }
            pass(last, mark)
        }
    }

    /// Forgets which of `lines` were refused; returns how many.
    private func passRefused(_ lines: ClosedRange<UInt64>) -> UInt64 {
        if refused.isEmpty { return 0 }
        return lines.reduce(0) { count, line in refused.remove(line) == nil ? count : count + 1 }
    }

    /// Lines up to `number` are durable at `now`: counts one latency, that of the last of them.
    func settleOnce(upTo number: UInt64, now: UInt64, _ tally: inout BenchTally) {
        var since = Double(now)
        while settled < number, firstMark < marks.count {
            let mark = marks[firstMark]
            let last = min(number, mark.last)
            since = mark.due - mark.step * Double(mark.last - last)
            pass(last, mark)
        }
        tally.latency.record(UInt64(max(0, Double(now) - since)))
    }

    private func pass(_ line: UInt64, _ mark: Mark) {
        settled = line
        guard line == mark.last else { return }
        firstMark += 1
        let keptMax = 4096
        if firstMark == marks.count || firstMark > keptMax {
            marks.removeFirst(firstMark)
            firstMark = 0
        }
    }

    /// Writes what is owed as far as it goes. Returns whether bytes left.
    func write(_ tally: inout BenchTally) throws(SystemError) -> Bool { fatalError("a kind of connection") }

    /// Takes what was received; `bytes` is empty at the end of stream.
    func take(_ bytes: ArraySlice<UInt8>, _ tally: inout BenchTally) { fatalError("a kind of connection") }
}

/// Nanoseconds since the start of the measurement.
struct BenchClock: Sendable {
    private let time = SystemTime()
    private let start: UInt64

    init() { start = time.monotonicNanoseconds() }

    var now: UInt64 { time.monotonicNanoseconds() - start }
}
