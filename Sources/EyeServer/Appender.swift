// The one thread with the right to append. It takes everything that the loops have submitted, commits it with one write
// and one sync, and gives it back with its fate. While it sits in fdatasync the loops fill the next batches: that is the
// group commit, without a timer.
//
// A full disk, or no descriptor for the next segment: the commit is refused as a whole, and for a moment lines are refused
// unwritten. The store remembers which clients were touched, so that no later line of theirs is stored before a new HELLO. A
// failed sync is final: `fatal` ends the process, and the next start recovers what is on the disk.

import EyeStore
import EyeSystem
import Synchronization

/// What the appender has done, for the metrics.
struct CommitCounts: Sendable {
    var commits: UInt64 = 0
    var frames: UInt64 = 0
    var bytes: UInt64 = 0
    var events: UInt64 = 0
    var refusedCommits: UInt64 = 0
    /// Bytes in a commit.
    var sizes = Histogram(bounds: [1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20, 1 << 22, 1 << 24])
    /// Nanoseconds from the write to the published watermark.
    var times = Histogram(bounds: [
        100_000, 200_000, 500_000, 1_000_000, 2_000_000, 5_000_000, 20_000_000, 100_000_000, 1_000_000_000,
    ])
}

/// Commits batches, on its own thread.
final class Appender: @unchecked Sendable {
    private let writer: StoreWriter
    private let queue: CommitQueue
    private let time: any TimeSource
    private let log: Log
    private let fatal: @Sendable (SystemError) -> Never
    private let counts = Mutex(CommitCounts())
    private let refusedUntil = Atomic<UInt64>(0)

    init(
        writer: StoreWriter, queue: CommitQueue, time: any TimeSource, log: Log,
        fatal: @escaping @Sendable (SystemError) -> Never
    ) {
        self.writer = writer
        self.queue = queue
        self.time = time
        self.log = log
        self.fatal = fatal
    }

    /// Whether lines shall be refused at once, unwritten, because the disk was full a moment ago.
    func isShedding(atNanoseconds now: UInt64) -> Bool { now < refusedUntil.load(ordering: .relaxed) }

    var snapshot: CommitCounts { counts.withLock { $0 } }

    /// The thread's body: returns when the queue is closed and everything in it is durable (or refused), in the folder where it belongs.
    func run() {
        var batches: [Batch] = []
        var requests: [ClientRequest] = []
        var frames: [Frame] = []
        var answers: [ClientAnswer] = []
        var orders: [AppenderOrder] = []
        batches.reserveCapacity(IngestLimits.framesPerCommit)
        frames.reserveCapacity(IngestLimits.framesPerCommit)
        var wasFull = false
        let waitMilliseconds: Int32 = 1_000
        while queue.take(&batches, &requests, timeoutMilliseconds: waitMilliseconds) {
            queue.takeOrders(&orders)
            for order in orders {
                do throws(SystemError) { try order(writer) } catch { fatal(error) }
            }
            if batches.isEmpty && requests.isEmpty {
                // Nothing to commit, which would look: a service whose log was taken away shall not be called ready.
                checkPlace()
                continue
            }
            if !batches.isEmpty {
                for batch in batches { frames.append(batch.frame) }
                let outcome = commit(frames)
                for batch in batches { batch.outcome = outcome }
                if outcome == .refused {
                    refuse()
                    if !wasFull { logRefusal() }
                    wasFull = true
                } else if wasFull {
                    log.info("there is room again: events are stored")
                    wasFull = false
                }
                frames.removeAll(keepingCapacity: true)
            }
            for request in requests {
                let opened = writer.openClient(token: request.token, name: request.name.span)
                answers.append(ClientAnswer(request: request, opened: opened))
            }
            queue.complete(batches, answers)
            answers.removeAll(keepingCapacity: true)
        }
        checkPlace()
    }

    private func checkPlace() {
        do throws(SystemError) { try writer.checkPlace() } catch { fatal(error) }
    }

    private func commit(_ frames: [Frame]) -> Batch.Outcome {
        let began = time.monotonicNanoseconds()
        let outcome: CommitOutcome
        do {
            outcome = try writer.commit(frames)
        } catch {
            fatal(error)
        }
        let nanoseconds = time.monotonicNanoseconds() - began
        counts.withLock { counts in
            guard outcome == .durable else {
                counts.refusedCommits += 1
                return
            }
            var bytes = 0
            for frame in frames {
                bytes += frame.byteCount
                counts.events += UInt64(frame.eventCount)
            }
            counts.commits += 1
            counts.frames += UInt64(frames.count)
            counts.bytes += UInt64(bytes)
            counts.sizes.add(UInt64(bytes))
            counts.times.add(nanoseconds)
        }
        return outcome == .durable ? .durable : .refused
    }

    private func logRefusal() {
        log.error(
            writer.lacksDescriptors
                ? "no descriptor is left for the next log segment: events are refused with storage-full until there is one; raise the limit of open files (ulimit -n)"
                : "disk full, or less free than --min-free-bytes: events are refused with storage-full until there is room"
        )
    }

    private func refuse() {
        let pause = IngestLimits.fullDiskPauseMilliseconds * 1_000_000
        refusedUntil.store(time.monotonicNanoseconds() + pause, ordering: .relaxed)
    }
}
