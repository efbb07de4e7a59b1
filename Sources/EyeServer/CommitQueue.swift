// Where loops and the appender meet: the one mutex of the ingest path, taken a few times per commit, never per line.
// Loops submit full (or waiting) batches; the appender takes all there are, makes them durable with one sync, and gives
// them back. Bounded by the batches themselves: a loop has at most IngestLimits.framesPerLoop of them.

import EyeStore
import EyeSystem
import Synchronization

/// A HELLO with a client_id: answered by the appender, after every batch that was submitted before it.
struct ClientRequest: Sendable {
    var loop: Int
    var slot: Int32
    var generation: UInt32
    var token: UInt32
    var name: [UInt8]
}

/// The appender's answer; nil when the store remembers as many clients as it may.
struct ClientAnswer: Sendable {
    var request: ClientRequest
    var opened: (slot: Int32, lastSequence: UInt64)?
}

/// What another thread has the appender do, between two commits. What it throws is final.
typealias AppenderOrder = @Sendable (StoreWriter) throws(SystemError) -> Void

/// Hands batches from the loops to the appender and back.
final class CommitQueue: Sendable {
    private struct State {
        var waiting: [Batch] = []
        var requests: [ClientRequest] = []
        var orders: [AppenderOrder] = []
        var done: [[Batch]]
        var answers: [[ClientAnswer]]
        var isClosed = false
    }

    private let state: Mutex<State>
    private let appenderWake: WakeSignal
    private let loopWakes: [WakeSignal]
    /// Batches that the appender has not taken yet, over all loops: read without the lock, as a hint.
    private let waitingCount = Atomic<Int>(0)

    init(loopWakes: [WakeSignal]) throws(SystemError) {
        self.loopWakes = loopWakes
        appenderWake = try WakeSignal()
        var empty = State(
            done: Array(repeating: [], count: loopWakes.count), answers: Array(repeating: [], count: loopWakes.count))
        empty.waiting.reserveCapacity(loopWakes.count * IngestLimits.framesPerLoop)
        for index in empty.done.indices { empty.done[index].reserveCapacity(IngestLimits.framesPerLoop) }
        state = Mutex(empty)
    }

    /// Whether the appender has work that it has not begun: then a loop does better to go on filling its frame.
    var isAppenderBehind: Bool { waitingCount.load(ordering: .relaxed) > 0 }

    /// Batches submitted and not yet taken by the appender.
    var depth: Int { waitingCount.load(ordering: .relaxed) }

    /// Loop: gives `batch` away.
    func submit(_ batch: Batch) {
        let wasEmpty = state.withLock { state in
            state.waiting.append(batch)
            waitingCount.store(state.waiting.count, ordering: .relaxed)
            return state.waiting.count == 1
        }
        if wasEmpty { appenderWake.signal() }
    }

    /// Loop: asks for a client's last sequence, after everything submitted so far.
    func submit(_ request: ClientRequest) {
        state.withLock { $0.requests.append(request) }
        appenderWake.signal()
    }

    /// Other threads: has the appender do something soon, whatever else waits. It must come before `close`.
    func submit(_ order: @escaping AppenderOrder) {
        state.withLock { $0.orders.append(order) }
        appenderWake.signal()
    }

    /// Appender: takes the orders.
    func takeOrders(_ orders: inout [AppenderOrder]) {
        orders.removeAll(keepingCapacity: true)
        state.withLock { swap(&$0.orders, &orders) }
    }

    /// Loop: takes what the appender has finished for it. `batches` and `answers` are emptied first.
    func collect(loop: Int, _ batches: inout [Batch], _ answers: inout [ClientAnswer]) {
        batches.removeAll(keepingCapacity: true)
        answers.removeAll(keepingCapacity: true)
        state.withLock { state in
            swap(&state.done[loop], &batches)
            swap(&state.answers[loop], &answers)
        }
    }

    /// Appender: waits until there is work, at most `timeoutMilliseconds`, and takes up to
    /// `IngestLimits.framesPerCommit` batches and, once no batch is left waiting, the requests. False when the queue is
    /// closed and empty.
    func take(_ batches: inout [Batch], _ requests: inout [ClientRequest], timeoutMilliseconds: Int32) -> Bool {
        batches.removeAll(keepingCapacity: true)
        requests.removeAll(keepingCapacity: true)
        var mayWait = true
        while true {
            let (isClosed, hasOrders) = state.withLock { state in
                let count = min(state.waiting.count, IngestLimits.framesPerCommit)
                batches.append(contentsOf: state.waiting[..<count])
                state.waiting.removeFirst(count)
                waitingCount.store(state.waiting.count, ordering: .relaxed)
                if state.waiting.isEmpty { swap(&state.requests, &requests) }
                return (state.isClosed, !state.orders.isEmpty)
            }
            if !batches.isEmpty || !requests.isEmpty || hasOrders { return true }
            if isClosed { return false }
            if !mayWait { return true }
            appenderWake.sleep(timeoutMilliseconds: timeoutMilliseconds)
            mayWait = false
        }
    }

    /// Appender: gives batches and answers back to their loops.
    func complete(_ batches: [Batch], _ answers: [ClientAnswer]) {
        var toWake: UInt64 = 0
        state.withLock { state in
            for batch in batches {
                state.done[batch.loop].append(batch)
                toWake |= 1 << UInt64(batch.loop)
            }
            for answer in answers {
                state.answers[answer.request.loop].append(answer)
                toWake |= 1 << UInt64(answer.request.loop)
            }
        }
        for loop in loopWakes.indices where toWake & (1 << UInt64(loop)) != 0 { loopWakes[loop].signal() }
    }

    /// No loop will submit again: the appender ends once it has taken everything.
    func close() {
        state.withLock { $0.isClosed = true }
        appenderWake.signal()
    }
}
