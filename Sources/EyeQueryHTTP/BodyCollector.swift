// An exchange that needs its whole body (at most `HTTPLimits.bodyBytesMax`) before it can answer. Base of the endpoints that
// read one JSON document; on the loop's thread.

/// What the bodies under way may have together.
final class BodyBudget {
    private var used = 0
    private let most: Int

    /// `most`: bytes of all of them together.
    init(_ most: Int) { self.most = most }

    func take(_ bytes: Int) -> Bool {
        guard used + bytes <= most else { return false }
        used += bytes
        return true
    }

    func give(_ bytes: Int) { used -= bytes }
}

/// Collects a body, then answers.
class BodyCollector: Exchange {
    private(set) var body: [UInt8] = []
    private var response: Response?
    private let wake: () -> Void
    private let budget: BodyBudget
    let account: AnswerAccount
    private var taken = 0
    private(set) var isCancelled = false

    init(_ call: Call) {
        wake = call.wake
        budget = call.budget
        account = call.account
    }

    deinit { budget.give(taken) }

    var bodyBytesMax: Int { HTTPLimits.bodyBytesMax }
    var isLong: Bool { false }
    var wantsBody: Bool { response == nil }

    func receive(_ bytes: Span<UInt8>) {
        guard budget.take(bytes.count) else {
            return finish(Problem.unavailable("overloaded", "Too many bodies at a time; try again in a moment."))
        }
        taken += bytes.count
        for index in bytes.indices { body.append(bytes[index]) }
    }

    final func finishBody() {
        if response == nil { whole() }
    }

    func answer() -> Answer {
        if let response { return .ready(response) }
        return .later
    }

    func cancel() { isCancelled = true }

    /// The body is there: overridden by each endpoint, which calls `finish` now or later.
    func whole() {}

    /// The answer is known.
    final func finish(_ response: Response) {
        guard self.response == nil else { return }
        self.response = response
        body = []
        wake()
    }

    final func finish(_ problem: Problem) { finish(problem.response) }
}
