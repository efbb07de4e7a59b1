// The memory of the answers of all connections of a loop: what waits for clients that do not read, and what is put by for answers in the making.
// One budget a loop, on its thread.
//
// When half of it is taken, connections hold little output: long answers go on in smaller pieces. When there is no room for another one, an
// answer that is read from the store waits for its turn, in order, and after `HTTPLimits.answerWaitMilliseconds` is 503. What is answered
// at once (health, writes, refusals) never waits; a connection that reads nothing of it is asked for no further request.

/// What all answers may take, and who waits for some of it.
final class AnswerBudget {
    /// Bytes of all of them.
    private let most: Int
    private(set) var used = 0
    /// Those that wait, in order.
    private var waiting: [AnswerShare] = []
    /// The most that was taken since memory was given back.
    private var peak = 0

    init(_ most: Int = HTTPLimits.answersBytesMax) { self.most = most }

    /// Answers that wait for room.
    var waitingCount: Int { waiting.count }

    /// The output that a connection may hold before nothing more is made for it.
    var outputBytesMax: Int { used > most / 2 ? HTTPLimits.tightOutputBytesMax : HTTPLimits.outputBytesMax }

    private var hasRoom: Bool { used + HTTPLimits.answerReserveBytes <= most }

    fileprivate func change(by bytes: Int) {
        used += bytes
        peak = max(peak, used)
        if hasRoom { waiting.first?.wake() }
    }

    /// Whether `share` may have its reserve now; if not it is woken in its turn.
    fileprivate func admit(_ share: AnswerShare) -> Bool {
        if hasRoom && (waiting.first.map { $0 === share } ?? true) {
            if !waiting.isEmpty { waiting.removeFirst() }
            return true
        }
        if !share.isWaiting { waiting.append(share) }
        return false
    }

    fileprivate func leave(_ share: AnswerShare) {
        waiting.removeAll { $0 === share }
        if hasRoom { waiting.first?.wake() }
    }

    /// Whether so much less is taken than once was that what was freed is worth giving back to the kernel.
    var isWorthReleasing: Bool { peak >= HTTPLimits.releaseBytesMin && used <= peak / 4 }
    /// It was given back.
    func noteRelease() { peak = used }
}

/// What one connection has of the budget.
final class AnswerShare {
    private let budget: AnswerBudget
    private var outputBytes = 0
    private var hasReserve = false
    private(set) var isWaiting = false
    /// Called when it is this one's turn.
    fileprivate let wake: () -> Void

    init(of budget: AnswerBudget, wake: @escaping () -> Void) {
        self.budget = budget
        self.wake = wake
    }

    deinit { budget.change(by: -cost) }

    /// Its output is in what was put by.
    private var cost: Int { hasReserve ? max(HTTPLimits.answerReserveBytes, outputBytes) : outputBytes }

    /// Changes what it takes.
    private func change(_ body: () -> Void) {
        let before = cost
        body()
        budget.change(by: cost - before)
    }

    /// The output that the connection may hold before nothing more is made for it.
    var outputBytesMax: Int { budget.outputBytesMax }

    /// Puts memory by for an answer that is about to be made; nothing if that was done. False: `wake` says when to ask again.
    func putBy() -> Bool {
        if hasReserve { return true }
        guard budget.admit(self) else {
            isWaiting = true
            return false
        }
        isWaiting = false
        change { hasReserve = true }
        return true
    }

    /// The answer is made, or will not be, or goes on without an end: what it takes is output from now on.
    func endMaking() {
        if isWaiting {
            isWaiting = false
            budget.leave(self)
        }
        guard hasReserve else { return }
        change { hasReserve = false }
    }

    /// The output takes so many bytes of memory now.
    func hold(_ bytes: Int) {
        if bytes == outputBytes { return }
        change { outputBytes = bytes }
    }
}
