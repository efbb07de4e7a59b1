// An exchange that needs its whole body (at most `HTTPLimits.bodyBytesMax`) before it can answer. Base of the endpoints that
// read one JSON document; on the loop's thread.

/// Collects a body, then answers.
class BodyCollector: Exchange {
    private(set) var body: [UInt8] = []
    private var response: Response?
    private let wake: () -> Void
    private(set) var isCancelled = false

    init(wake: @escaping () -> Void) { self.wake = wake }

    var bodyBytesMax: Int { HTTPLimits.bodyBytesMax }
    var wantsBody: Bool { response == nil }

    func receive(_ bytes: Span<UInt8>) {
        body.reserveCapacity(body.count + bytes.count)
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
