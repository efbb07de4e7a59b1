// POST /events/ with one JSON document: an event, or an array of them. Checked by EyeWire, sent to the ingest side with the
// caller's own token, answered when the verdict is there: 201 means durable. On the loop's thread.

import EyeStore
import EyeSystem
import EyeWire

/// What the writing endpoints share.
final class WriteDesk {
    let channel: ControlChannel
    /// A connection of its own: an erasure may take longer than an event may wait.
    let erasures: ControlChannel
    let rejects: RejectReporter
    let time: any TimeSource
    let futureMicroseconds: Int64
    let store: EventSource

    init(
        channel: ControlChannel, erasures: ControlChannel, rejects: RejectReporter, store: EventSource,
        time: any TimeSource, futureMicroseconds: Int64
    ) {
        self.channel = channel
        self.erasures = erasures
        self.rejects = rejects
        self.store = store
        self.time = time
        self.futureMicroseconds = futureMicroseconds
    }

    /// Everything that is wrong with the event `text[range]`, offsets from its start; empty for a valid one.
    func problems(_ text: [UInt8], _ range: Range<Int>, secret: [UInt8]) -> [Fault] {
        // The token, a space and the event make one line.
        if range.count + secret.count + 1 > WireLimits.lineBytesMax { return [Fault(.tooLong)] }
        let latest = time.nowMicroseconds() + futureMicroseconds
        // In bounds: the callers' ranges are ranges of the text.
        return unsafe text.withUnsafeBytes { bytes in
            let event = unsafe UnsafeRawBufferPointer(rebasing: bytes[range])
            do throws(Fault) {
                _ = try unsafe EventScanner.scan(event, latest: latest)
                return []
            } catch {
                return unsafe EventCheck.problems(event, latest: latest)
            }
        }
    }

    /// Reports a refused event for the errors view.
    func report(_ problem: Problem, _ fault: Fault, _ data: ArraySlice<UInt8>, _ call: Call) {
        let message = problem.detail ?? ""
        rejects.report(
            fault.reject, message: Array(message.utf8), data: data, peer: call.peer, token: call.caller?.token.id)
    }
}

/// One JSON document.
final class EventPosting: BodyCollector, VerdictTaker {
    private let desk: WriteDesk
    private let call: Call
    private let caller: Caller
    private let type: MediaType
    /// The event's one line, kept while the ingest side has no room or does not know the token yet.
    private var line: [UInt8] = []
    private var event: [UInt8] = []
    private var batch: EventBatch?
    /// The event was stored with this id, and is looked up to be shown.
    private var storedID: UInt64 = 0
    private var lookup: EventLookup?

    init(_ call: Call, caller: Caller, desk: WriteDesk) {
        self.call = call
        self.caller = caller
        self.desk = desk
        type = MediaType(call.head)
        super.init(call)
    }

    override func whole() {
        if type != .json && !MediaType.looksLikeJSON(body) { return finish(Problem.unsupportedType) }
        let first = body.first { !ByteClass.isBlank($0) && $0 != .carriageReturn && $0 != .lineFeed }
        if first == UInt8(ascii: "[") { return wholeArray() }
        let range = EventPosting.trimmed(body, 0..<body.count)
        let faults = desk.problems(body, range, secret: caller.secret)
        event = Array(body[range])
        if let first = faults.first {
            let problem = Problem.event(faults, in: event)
            desk.report(problem, first, event[...], call)
            return finish(problem)
        }
        line = ChannelLine.event(token: caller.secret, event[...])
        send()
    }

    private func send() {
        switch desk.channel.send(line, from: self) {
        case .sent: line = []
        case .full: break
        case .down: finishUnanswered(Problem.noIngest)
        }
    }

    private func finishUnanswered(_ problem: Problem) {
        desk.rejects.countUnanswered()
        finish(problem)
    }

    func channelHasRoom() {
        if let batch { return batch.channelHasRoom() }
        if !line.isEmpty && !isCancelled { send() }
    }

    func take(_ verdict: Verdict, tag: Int) {
        switch verdict {
        case .stored(let id): show(id)
        case .rejected(let reject, let code, let text): finish(Problem.refused(reject, code: code, text: text))
        case .lost, .metrics, .erased: finishUnanswered(Problem.eventUnanswered)
        }
    }

    /// The answer is what the store holds: with `received_at`, and for a repeated `event_id` the first one. Who may not read is not shown what
    /// others have sent.
    private func show(_ id: UInt64) {
        storedID = id
        do throws(SystemError) {
            let snapshot = try desk.store.snapshot()
            if id != 0 && id <= snapshot.lastEventID {
                lookup = EventLookup(id, in: snapshot)
                call.wake()
                return
            }
        } catch {
            // It is durable all the same; what was sent is shown instead.
        }
        finishStored(nil)
    }

    /// `found`: what the store holds; nil: it does not say.
    private func finishStored(_ found: [UInt8]?) {
        lookup = nil
        finish(Response(status: 201, fields: AnswerFields.json, body: .bytes(shown(found) + [.lineFeed])))
        event = []
    }

    private func shown(_ found: [UInt8]?) -> [UInt8] {
        if let found, caller.token.scopes.isSuperset(of: .read) { return found }
        let sent = EventDocument.compose(event, id: storedID)
        if let found, found.starts(with: sent.dropLast()) { return found }
        // With an event_id it may be one that was there before: then this was not stored, and that one is another one's, or gone.
        return EventDocument.mention(event, id: storedID) ?? found ?? sent
    }

    override func answer() -> Answer {
        if let lookup {
            do throws(SystemError) {
                guard try lookup.step() else { return .working }
                finishStored(lookup.document)
            } catch {
                finishStored(nil)
            }
        }
        return super.answer()
    }

    override func cancel() {
        super.cancel()
        batch?.cancel()
    }

    // MARK: Arrays

    /// Judged as a whole before anything is stored: JSON that is broken at its end stores nothing.
    private func wholeArray() {
        let ranges: [Range<Int>]
        do throws(Fault) {
            ranges = try EventPosting.elements(body)
        } catch {
            let problem = Problem.unreadable(error, in: body)
            desk.report(problem, error, body[...], call)
            return finish(problem)
        }
        if ranges.isEmpty { return finish(Problem(400, "empty-field", "The list of events is empty.")) }
        if ranges.count > HTTPLimits.arrayEventsMax {
            return finish(
                Problem(
                    413, "too-long",
                    "An array has at most \(HTTPLimits.arrayEventsMax) events; send more as application/x-ndjson."))
        }
        let batch = EventBatch(call, caller: caller, desk: desk, positionName: "index")
        self.batch = batch
        batch.onWhole = { [weak self] response in self?.finish(response) }
        batch.takeArray(body, ranges)
    }

    /// The place of every element of the array that `body` is.
    private static func elements(_ body: [UInt8]) throws(Fault) -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        var failure: Fault?
        // In bounds: the buffer is the array's own and lives for the call.
        unsafe body.withUnsafeBytes { text in
            do throws(Fault) {
                let whole = try unsafe JSON.validate(text)
                var elements = try unsafe JSON.Elements(of: text, at: whole.range.lowerBound)
                while let element = try elements.next() {
                    ranges.append(element.range)
                    if ranges.count > HTTPLimits.arrayEventsMax { break }
                }
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return ranges
    }

    /// `range` without white space of JSON at its ends.
    static func trimmed(_ bytes: [UInt8], _ range: Range<Int>) -> Range<Int> {
        func isSpace(_ byte: UInt8) -> Bool { ByteClass.isBlank(byte) || byte == .lineFeed || byte == .carriageReturn }
        var low = range.lowerBound
        var high = range.upperBound
        while low < high && isSpace(bytes[low]) { low += 1 }
        while high > low && isSpace(bytes[high - 1]) { high -= 1 }
        return low..<high
    }
}
