// What has time: samples of refused lines into the rejected log, the accounts file looked at for changes, last use of tokens
// noted, closed segments indexed and sealed. One thread for the light work, one at the lowest priority for the segments.

import EyeStore
import EyeSystem
import Synchronization

final class Housekeeping: @unchecked Sendable {
    private let disk: any Disk
    private let options: IngestOptions
    private let writer: StoreWriter
    private let accounts: AccountsView
    private let samples: SampleQueue
    private let tokenUse: TokenUseNotes
    private let rejected: RejectedLog
    private let time: any TimeSource
    private let log: Log
    private let isStopping = Atomic<Bool>(false)
    private let segmentWake: WakeSignal
    private var uses: TokenUse
    private let frame = Frame()
    private let evicted = Atomic<UInt64>(0)
    private var hasWarnedOfSamples = false
    /// A session whose samples another thread wants emptied, and what became of it.
    private let emptying = Mutex<Emptying?>(nil)
    private let emptied: WakeSignal

    private enum Emptying: Sendable {
        case wanted(SessionNeedle)
        /// Nil: it failed, or there was no room.
        case done(Int?)
    }

    private static let tokenUseMilliseconds: UInt64 = 10_000
    private static let segmentLookMilliseconds: Int32 = 500

    init(
        disk: any Disk, options: IngestOptions, writer: StoreWriter, accounts: AccountsView, samples: SampleQueue,
        tokenUse: TokenUseNotes, rejected: RejectedLog, time: any TimeSource, log: Log
    ) throws(SystemError) {
        self.disk = disk
        self.options = options
        self.writer = writer
        self.accounts = accounts
        self.samples = samples
        self.tokenUse = tokenUse
        self.rejected = rejected
        self.time = time
        self.log = log
        segmentWake = try WakeSignal()
        emptied = try WakeSignal()
        uses = TokenUse.read(disk, folder: options.folder)
    }

    /// Evicted samples, for the metrics.
    var samplesEvicted: UInt64 { evicted.load(ordering: .relaxed) }

    /// Body of the light thread.
    func run() {
        var nextUse = milliseconds() + Housekeeping.tokenUseMilliseconds
        while !isStopping.load(ordering: .acquiring) {
            samples.wake.sleep(timeoutMilliseconds: Int32(IngestLimits.accountsLookMilliseconds))
            keepSamples()
            emptySamples()
            accounts.look()
            if milliseconds() >= nextUse {
                flushUse()
                nextUse = milliseconds() + Housekeeping.tokenUseMilliseconds
            }
        }
        keepSamples()
        flushUse()
        if hasWarnedOfSamples { return }
        do throws(SystemError) {
            try rejected.close()
        } catch {
            log.warning("cannot close the log of refused lines", ["error": "\(error)"])
        }
    }

    /// Whether events are refused for want of room, for the metrics.
    var isFull: Bool { writer.isFull }

    /// What was done with closed segments, for the metrics.
    var keeping: KeeperStatus { writer.keeping }

    /// Body of the thread that indexes and seals closed segments.
    func runSegments() {
        Thread.yieldPriority()
        var lastError: String?
        var lastObstruction: String?
        var dropped = writer.keeping.retention
        while !isStopping.load(ordering: .acquiring) {
            do throws(SystemError) {
                while !isStopping.load(ordering: .acquiring), try writer.maintain() {}
            } catch {
                // Derived data: without it queries are slower, nothing else.
                log.warning(
                    "cannot write the index of a closed segment; queries go on without it", ["error": "\(error)"])
            }
            let status = writer.keeping
            if let error = status.lastError, error != lastError {
                log.warning("a closed segment could not be sealed; nothing is lost", ["cause": error])
            } else if status.lastError == nil, lastError != nil {
                log.info("closed segments are sealed again")
            }
            lastError = status.lastError
            if let obstruction = status.obstruction, obstruction != lastObstruction {
                log.error("erased events stay on the disk, hidden", ["reason": obstruction])
            }
            lastObstruction = status.obstruction
            report(status.retention, after: dropped)
            dropped = status.retention
            segmentWake.sleep(timeoutMilliseconds: Housekeeping.segmentLookMilliseconds)
        }
    }

    /// Says what retention has done since `before`.
    private func report(_ status: RetentionStatus, after before: RetentionStatus) {
        if status.droppedSegments > before.droppedSegments {
            log.info(
                "retention dropped the oldest segments",
                [
                    "segments": "\(status.droppedSegments - before.droppedSegments)",
                    "events": "\(status.droppedEvents - before.droppedEvents)",
                    "bytes": "\(status.droppedBytes - before.droppedBytes)", "first-kept": "\(status.firstKeptEventID)",
                ])
        }
        if status.isClockUnset && !before.isClockUnset {
            log.warning("the clock was never set: nothing is dropped by --retain-age until it is")
        }
        let isBehind = status.clockLag > Housekeeping.clockLagMicroseconds
        if isBehind && before.clockLag <= Housekeeping.clockLagMicroseconds {
            log.warning(
                "the wall clock is ahead of the time that this service has seen pass: --retain-age goes by the latter, which catches up",
                ["seconds": "\(status.clockLag / 1_000_000)"])
        }
        if let error = status.lastError, error != before.lastError {
            log.warning("what is not to be kept could not be dropped; it is tried again", ["error": error])
        }
    }

    /// Further than this the clock of ages is behind the wall clock only when one of the two is wrong, or the service did not run.
    private static let clockLagMicroseconds: Int64 = 86_400_000_000

    func stop() {
        isStopping.store(true, ordering: .releasing)
        samples.wake.signal()
        segmentWake.signal()
    }

    private func milliseconds() -> UInt64 { time.monotonicNanoseconds() / 1_000_000 }

    private func keepSamples() {
        var rest = samples.take()[...]
        while !rest.isEmpty {
            frame.reset()
            while let sample = rest.first, frame.appendRejected(sample) { rest.removeFirst() }
            do throws(SystemError) {
                let outcome = try rejected.commit([frame])
                evicted.store(rejected.evictedCount, ordering: .relaxed)
                if outcome == .durable { hasWarnedOfSamples = false }
            } catch {
                // A log that failed once is not written again; refusals go on being counted.
                if !hasWarnedOfSamples {
                    log.warning("cannot keep samples of refused lines; they are counted", ["error": "\(error)"])
                }
                hasWarnedOfSamples = true
                return
            }
        }
    }

    /// Any one thread, before `stop`: empties the samples that name a session, those that wait to be written too. Nil: it failed.
    func eraseSamples(_ session: SessionNeedle) -> Int? {
        emptying.withLock { $0 = .wanted(session) }
        samples.wake.signal()
        while true {
            let done = emptying.withLock { emptying -> Int?? in
                guard case .done(let count)? = emptying else { return nil }
                emptying = nil
                return .some(count)
            }
            if let done { return done }
            emptied.sleep(timeoutMilliseconds: 1_000)
        }
    }

    private func emptySamples() {
        guard case .wanted(let session)? = emptying.withLock({ $0 }) else { return }
        // Those that came since the last look are older than the wish.
        keepSamples()
        var count: Int?
        do throws(SystemError) {
            count = try rejected.erase(session)
        } catch {
            log.error("samples of refused lines cannot be erased", ["error": "\(error)"])
        }
        emptying.withLock { $0 = .done(count) }
        emptied.signal()
    }

    private func flushUse() {
        uses.merge(tokenUse.take())
        do throws(SystemError) {
            try uses.flush(disk, folder: options.folder)
        } catch {
            log.warning("cannot note the last use of tokens", ["error": "\(error)"])
        }
    }
}
