// An exchange that reads and needs no body: what comes of one is thrown away, and the work begins behind its end, a bounded piece each time
// it is asked. Base of lists, streams and statistics; on the loop's thread.

import EyeSystem

/// Answers when the request is whole.
class ReadExchange: Exchange {
    private var isWhole = false

    final var bodyBytesMax: Int { HTTPLimits.bodyBytesMax }
    final var isLong: Bool { true }
    final var wantsBody: Bool { true }
    final func receive(_ bytes: Span<UInt8>) {}
    final func finishBody() { isWhole = true }
    final func answer() -> Answer { isWhole ? proceed() : .later }

    /// Does a bounded piece of work: overridden by each endpoint.
    func proceed() -> Answer { .later }

    func cancel() {}
}
