// What was sent, what the server said about it, and how long that took. Each thread of a bench fills one of its own; they are
// added up at the end. `BenchProgress` is what the others may see meanwhile.

import EyeClient
import EyeWire
import Synchronization

/// Counts of one thread, or of all.
struct BenchTally: Sendable {
    /// Lines and bytes that the kernel took.
    var lines: UInt64 = 0
    var bytes: UInt64 = 0
    /// Datagrams or requests.
    var pieces: UInt64 = 0
    /// Sends that failed because nobody listened at the port (ICMP, UDP only); they are tried again.
    var refusedDatagrams: UInt64 = 0
    /// Lines that were due when the sending ended, and were not sent: --rate is more than could be sent.
    var overdue: UInt64 = 0
    /// Sums of the +BYE lines, or of the HTTP answers, which count a duplicate as accepted.
    var judged = LineCounts(received: 0, accepted: 0, rejected: 0, duplicate: 0)
    /// Connections that ended without +BYE.
    var withoutBye = 0
    /// From the moment a line was to be sent to the moment its acknowledgement was read; of HTTP one for each request.
    var latency = LatencyHistogram()
    /// Refused lines: no acknowledgement says that they are durable, so they are not in `latency`.
    var untimed: UInt64 = 0
    /// A write and an fdatasync of our own, between the acks.
    var disk = LatencyHistogram()
    /// The first refusals, as the server put them.
    var errors: [String] = []
    /// Why connections failed, each reason once.
    var failures: [String] = []
    /// When the last line was taken by the kernel, nanoseconds from the start.
    var sendEnd: UInt64 = 0
    /// When the thread had nothing left to do, nanoseconds from the start.
    var end: UInt64 = 0

    /// Adds what a server says became of the `sent` lines of a connection or a request.
    mutating func add(_ counts: LineCounts, of sent: UInt64) {
        let told = [counts.received, counts.accepted, counts.rejected, counts.duplicate]
        guard told.allSatisfy({ $0 <= sent }) else {
            return noteContradiction("it tells of more lines than the \(sent) that were sent")
        }
        add(counts)
    }

    private mutating func add(_ counts: LineCounts) {
        judged.received += counts.received
        judged.accepted += counts.accepted
        judged.rejected += counts.rejected
        judged.duplicate += counts.duplicate
    }

    mutating func note(error: String) {
        if errors.count < BenchLimits.shownErrorsMax && !errors.contains(error) { errors.append(error) }
    }

    mutating func note(failure: String) {
        if failures.count < BenchLimits.shownErrorsMax && !failures.contains(failure) { failures.append(failure) }
    }

    /// What a server said cannot be true, or what it said before.
    mutating func noteContradiction(_ what: String) { note(failure: "the server contradicts itself: \(what)") }

    mutating func add(_ other: BenchTally) {
        lines += other.lines
        bytes += other.bytes
        pieces += other.pieces
        refusedDatagrams += other.refusedDatagrams
        overdue += other.overdue
        add(other.judged)
        withoutBye += other.withoutBye
        latency.add(other.latency)
        untimed += other.untimed
        disk.add(other.disk)
        for error in other.errors { note(error: error) }
        for failure in other.failures { note(failure: failure) }
        sendEnd = max(sendEnd, other.sendEnd)
    }

    /// Whether every line that was sent was judged: received by the server, and each with one verdict.
    var isExact: Bool {
        withoutBye == 0 && judged.received == lines
            && judged.received == judged.accepted + judged.rejected + judged.duplicate
    }
}

/// What all threads of a bench share while it runs.
final class BenchProgress: Sendable {
    /// Lines that the kernel took, and lines known to be judged and durable, over all threads.
    let sent = Atomic<UInt64>(0)
    let settled = Atomic<UInt64>(0)
    /// Somebody pressed Ctrl-C: no further lines; what was sent is still accounted for.
    let isStopping = Atomic<Bool>(false)
    /// Threads that are done.
    let finished = Atomic<Int>(0)
    private let total = Mutex(BenchTally())

    /// A thread is done.
    func finish(_ tally: BenchTally, at end: UInt64) {
        total.withLock {
            $0.add(tally)
            $0.end = max($0.end, end)
        }
        finished.add(1, ordering: .releasing)
    }

    var tally: BenchTally { total.withLock { $0 } }
}
