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
    private var hasEnded = false

    init(_ call: Call, caller: Caller, desk: WriteDesk) {
        wake = call.wake
        account = call.account
        batch = EventBatch(call, caller: caller, desk: desk, positionName: "line")
        batch.onWhole = { [weak self] response in
            self?.response = response
            self?.wake()
        }
        batch.onRoom = { [weak self] in
            guard let self, self.offset < self.input.count else { return }
            self.process()
            self.wake()
        }
    }

    var bodyBytesMax: Int { HTTPLimits.streamBytesMax }
    var wantsBody: Bool { response == nil && batch.hasRoom }

    func receive(_ bytes: Span<UInt8>) {
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

    /// Judges whole lines as long as there is room.
    private func process() {
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
            if !hasEnded {
                hasEnded = true
                batch.end()
            }
        } else if input.count - offset > WireLimits.lineBytesMax {
            // Its end is not in sight: keep what the errors view shows, skip the rest.
            if longStart == nil { longStart = Array(input[offset...].prefix(HTTPLimits.rejectSampleBytesMax)) }
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
