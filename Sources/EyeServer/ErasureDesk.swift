// Erasures, one after the other, on a thread of their own: looked for with a reader of its own, committed by the appender, answered to the
// loop whose connection asked. While a session's erasure is prepared the appender watches what it commits, so that an event of that
// session is either hidden by the tombstone or newer than it. The thread ends before the appender does.

import EyeStore
import EyeSystem
import EyeWire
import Synchronization

/// An ERASE that was judged and waits.
struct ErasureOrder: Sendable {
    var place: ConnectionPlace
    /// The line number of its answer.
    var line: UInt64
    var request: ErasureRequest
    /// Who asks; 0: the operator.
    var token: UInt32
}

/// Carries out erasures.
final class ErasureDesk: @unchecked Sendable {
    // @unchecked: `reader` is the thread's own, `loops` is set before it starts.
    private let disk: any Disk
    private let folder: String
    private let queue: CommitQueue
    private let housekeeping: Housekeeping
    private let time: any TimeSource
    private let log: Log
    private struct Waiting {
        var orders: [ErasureOrder] = []
        /// The thread takes no more.
        var isClosed = false
    }
    private let waiting = Mutex(Waiting())
    private let isStopping = Atomic<Bool>(false)
    private let wake: WakeSignal
    private let done: WakeSignal
    /// Kept while orders come, for what it has learnt of the store.
    private var reader: StoreReader?
    private var nextLook: UInt64 = 0
    /// Whom to answer; set before the threads start.
    var loops: [IngestLoop] = []

    init(
        disk: any Disk, folder: String, queue: CommitQueue, housekeeping: Housekeeping, time: any TimeSource, log: Log
    ) throws(SystemError) {
        self.disk = disk
        self.folder = folder
        self.queue = queue
        self.housekeeping = housekeeping
        self.time = time
        self.log = log
        wake = try WakeSignal()
        done = try WakeSignal()
    }

    /// Loop: gives an order; nil, or why it is not taken.
    func submit(_ order: ErasureOrder) -> Reject? {
        let reject = waiting.withLock { waiting -> Reject? in
            if waiting.isClosed { return .draining }
            guard waiting.orders.count < IngestLimits.erasuresWaitingMax else { return .overloaded }
            waiting.orders.append(order)
            return nil
        }
        if reject == nil { wake.signal() }
        return reject
    }

    /// The thread's body.
    func run() {
        while !isStopping.load(ordering: .acquiring) {
            closeWhenDue()
            guard let order = waiting.withLock({ $0.orders.isEmpty ? nil : $0.orders.removeFirst() }) else {
                wake.sleep(timeoutMilliseconds: IngestLimits.erasureReaderMilliseconds)
                if waiting.withLock({ $0.orders.isEmpty }) { reader = nil }
                continue
            }
            answer(order)
        }
        let left = waiting.withLock { waiting in
            waiting.isClosed = true
            return waiting.orders
        }
        for order in left { reply(order, .failure(.draining)) }
    }

    /// Any thread: what is being looked for is given up, what is being committed is not.
    func stop() {
        isStopping.store(true, ordering: .releasing)
        wake.signal()
    }

    /// Now and then: the active segment is closed when a tombstone has waited in it, or retention for the next one, long enough.
    private func closeWhenDue() {
        let milliseconds = time.monotonicNanoseconds() / 1_000_000
        guard milliseconds >= nextLook else { return }
        nextLook = milliseconds + IngestLimits.erasureLookMilliseconds
        close(until: time.nowMicroseconds() - IngestLimits.erasureDelayMicroseconds)
        let hasRoom = onAppender { writer throws(SystemError) in
            try writer.closeForRetention(after: IngestLimits.retentionWaitNanoseconds)
        }
        if !hasRoom { log.warning("no room for a new segment: what is not to be kept stays until there is") }
    }

    private func close(until moment: Int64) {
        let hasRoom = onAppender { writer throws(SystemError) in try writer.closeForErasures(until: moment) }
        if !hasRoom {
            log.warning("no room for a new segment: what was erased stays on the disk, hidden, until there is")
        }
    }

    private func answer(_ order: ErasureOrder) {
        do throws(SystemError) {
            let result = try carryOut(order)
            // What it had open may be removed any time; the disk has the room back only when nobody has it open.
            reader?.closeFiles()
            if order.request.isNow && !order.request.isDry {
                close(until: Int64.max - 1)
                // The active segment, of which it knows most, is another one now.
                reader = nil
            }
            reply(order, result)
        } catch {
            log.error("an erasure failed; nothing of it may be relied on, ask again", ["error": "\(error)"])
            reader = nil
            reply(order, .failure(.io))
        }
    }

    private func reply(_ order: ErasureOrder, _ result: Result<ErasureCounts, Reject>) {
        var bytes: [UInt8] = []
        switch result {
        case .success(let counts): Reply.appendErased(line: order.line, counts, to: &bytes)
        case .failure(let reject): Reply.appendError(line: order.line, reject, to: &bytes)
        }
        loops[order.place.loop].post(.erased(order.place, bytes))
    }

    // MARK: One erasure

    private func carryOut(_ order: ErasureOrder) throws(SystemError) -> Result<ErasureCounts, Reject> {
        switch order.request.subject {
        case .event(let id):
            let search = try search(.event(id))
            guard let search else { return .failure(.draining) }
            if order.request.isDry { return .success(counts(search)) }
            return commit(ErasureJob(search, watch: nil, isSession: false, token: order.token))
        case .session(let uuid):
            let session = ID128(high: uuid.high, low: uuid.low)
            let needle = SessionNeedle(session)
            if order.request.isDry {
                guard let search = try search(.session(session)) else { return .failure(.draining) }
                var counts = counts(search)
                counts.samples = UInt64(try RejectedReader(disk, folder: folder).count(needle))
                if counts.samples > 0 { counts.erased = now }
                return .success(counts)
            }
            let watch = onAppender { writer in writer.watch(session) }
            defer { onAppender { writer in writer.unwatch() } }
            guard let search = try search(.session(session)) else { return .failure(.draining) }
            let job = ErasureJob(search, watch: watch, isSession: true, token: order.token)
            guard case .success(var counts) = commit(job) else { return .failure(.storageFull) }
            // Asked for again, what is left is found again.
            guard let samples = housekeeping.eraseSamples(needle) else { return .failure(.storageFull) }
            counts.samples = UInt64(samples)
            if samples > 0 && counts.erased == 0 { counts.erased = now }
            return .success(counts)
        }
    }

    private var now: UInt64 { UInt64(max(0, time.nowMicroseconds())) }

    /// Looks for it; nil: the service stops.
    private func search(_ subject: ErasureSubject) throws(SystemError) -> ErasureSearch? {
        let reader = reader ?? StoreReader(disk, folder: folder, limits: ErasureDesk.limits)
        self.reader = reader
        let search = ErasureSearch(subject, in: try reader.snapshot())
        while try search.step() {
            if isStopping.load(ordering: .acquiring) { return nil }
        }
        return search
    }

    private func counts(_ search: ErasureSearch) -> ErasureCounts {
        let hull = search.ids.hull
        return ErasureCounts(
            events: search.ids.count, firstEventID: hull?.lowerBound ?? 0, lastEventID: hull?.upperBound ?? 0,
            erased: search.isEmpty ? 0 : now)
    }

    private static var limits: ReaderLimits {
        var limits = ReaderLimits()
        limits.blockBytes = 4 << 20
        limits.openSegments = 16
        return limits
    }

    private func commit(_ job: ErasureJob) -> Result<ErasureCounts, Reject> {
        while true {
            // Ingest goes on between the parts of a large one.
            let outcome = onAppender { writer throws(SystemError) in try job.isEmpty ? nil : writer.erase(job) }
            switch outcome {
            case .more: continue
            case .refused: return .failure(.storageFull)
            case nil: return .success(ErasureCounts())
            case .done: return .success(job.receipt.map { ErasureCounts($0) } ?? ErasureCounts())
            }
        }
    }

    /// Has the appender do something, and waits for it.
    @discardableResult
    private func onAppender<Made: Sendable>(
        _ body: @escaping @Sendable (StoreWriter) throws(SystemError) -> Made
    ) -> Made {
        let box = MadeBox<Made>()
        queue.submit { [done] writer throws(SystemError) in
            box.set(try body(writer))
            done.signal()
        }
        while true {
            if let result = box.value { return result }
            done.sleep(timeoutMilliseconds: 1_000)
        }
    }
}

/// What the appender made for another thread.
private final class MadeBox<Made: Sendable>: Sendable {
    private let made = Mutex<Made?>(nil)
    var value: Made? { made.withLock { $0 } }
    func set(_ value: Made) { made.withLock { $0 = value } }
}

extension ErasureCounts {
    init(_ receipt: ErasureReceipt) {
        self.init(
            id: receipt.id, events: receipt.events, firstEventID: receipt.hull?.lowerBound ?? 0,
            lastEventID: receipt.hull?.upperBound ?? 0, erased: UInt64(max(0, receipt.erased)))
    }
}
