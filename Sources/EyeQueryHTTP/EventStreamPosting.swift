// POST /events/ with NDJSON: one event a line, judged and sent as the lines arrive, so that a body of 64 MiB needs the memory
// of a few lines. While verdicts are awaited the client is held back. On the loop's thread.

import EyeWire

/// A streamed body of events.
final class EventStreamPosting: Exchange {
    let account: AnswerAccount
    private let batch: EventBatch
    private let wake: () -> Void
    private var response: Response?
    /// Bytes that were not yet judged: what is behind `offset`.
    private var input: [UInt8] = []
    private var offset = 0
    /// The beginning of a line that is too long, until its end is found.
    private var longStart: [UInt8]?
    private var lineNumber = 0
    private var isWhole = false
    /// Something of it came.
    private var hasBegun = false
    private var hasEnded = false
    /// Whether the token may still be used.
    private let isUsable: () -> Bool

    init(_ call: Call, caller: Caller, desk: WriteDesk, isUsable: @escaping () -> Bool) {
        self.isUsable = isUsable
        wake = call.wake
        account = call.account
        batch = EventBatch(call, caller: caller, desk: desk, positionName: "line")
        batch.onWhole = { [weak self] response in
            self?.response = response
            self?.wake()
        }
        batch.onTokenRefused = { [weak self] in self?.stop(.unauthorized("Invalid token.")) }
        batch.onRoom = { [weak self] in
            // What its own input ends with may not be all: the connection may have more that it was held back with.
            self?.process()
            self?.wake()
        }
    }

    var bodyBytesMax: Int { HTTPLimits.streamBytesMax }
    var wantsBody: Bool { response == nil && !hasEnded && batch.hasRoom }

    func receive(_ bytes: Span<UInt8>) {
        hasBegun = true
        // Revoked, or expired.
        guard isUsable() else { return stop(.unauthorized("Invalid token.")) }
        if offset > 0 {
            input.removeFirst(offset)
            offset = 0
        }
        for index in bytes.indices { input.append(bytes[index]) }
        process()
    }

    func finishBody() {
        isWhole = true
        process()
    }

    func answer() -> Answer {
        if let response { return .ready(response) }
        return .later
    }

    func cancel() { batch.cancel() }

    /// Nothing more is read. The answer says what became of the lines before.
    private func stop(_ problem: Problem) {
        if hasEnded { return }
        hasEnded = true
        (input, offset, longStart) = ([], 0, nil)
        batch.refuseRest(problem, position: lineNumber + 1)
    }

    func breakOff(_ refusal: RequestRefusal) -> Bool {
        if !hasBegun { return false }
        stop(Problem(refusal))
        return true
    }

    /// Judges whole lines as long as there is room.
    private func process() {
        if hasEnded { return }
        while batch.hasRoom, let end = input[offset...].firstIndex(of: .lineFeed) {
            takeLine(offset..<end)
            offset = end + 1
        }
        if offset == input.count {
            input.removeAll(keepingCapacity: true)
            offset = 0
        }
        guard batch.hasRoom else { return }
        if isWhole {
            // RFC 8259 knows no lines; a last one without LF is one, too.
            if offset < input.count || longStart != nil { takeLine(offset..<input.count) }
            input = []
            offset = 0
            hasEnded = true
            batch.end()
        } else if input.count - offset > WireLimits.lineBytesMax {
            // Its end is not in sight: keep what the errors view shows, skip the rest.
            if longStart == nil {
                // A token is looked for before the cut: a half of one is too much.
                let start = SecretMask.masked(input[offset...].prefix(WireLimits.lineBytesMax))
                longStart = Array(start.prefix(HTTPLimits.rejectSampleBytesMax))
            }
            input.removeAll(keepingCapacity: true)
            offset = 0
        }
    }

    private func takeLine(_ line: Range<Int>) {
        lineNumber += 1
        if let start = longStart {
            longStart = nil
            batch.refuseLong(start[...], position: lineNumber)
            return
        }
        let range = EventPosting.trimmed(input, line)
        if range.isEmpty { return }
        batch.take(input, range, position: lineNumber)
    }
}
