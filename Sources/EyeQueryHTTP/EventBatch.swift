// Many events of one request: judged one by one, sent while there is room, and the verdicts collected into one answer: 201
// when all are durable, 207 when some are, 400 (or 503 when they may be sent again) when none is. On the loop's thread.
//
// Invariant: lists at most `listedAcceptedMax` + `listedRejectedMax` results, has at most `channelLinesPerRequestMax` lines
// under way; what was not yet judged is what the client is held back by.

import EyeWire

/// The events of an array or of an NDJSON body.
final class EventBatch: VerdictTaker {
    private struct Listed {
        var position: Int
        /// The result as JSON, without its braces.
        var json: [UInt8]
    }

    private let call: Call
    private let caller: Caller
    private let desk: WriteDesk
    /// What results are numbered by: `index` (from 0) in arrays, `line` (from 1) in NDJSON.
    private let positionName: String

    /// Array: the body and the elements that were not yet judged, from `nextRange` on.
    private var body: [UInt8] = []
    private var ranges: [Range<Int>] = []
    private var nextRange = 0
    /// A line that the channel had no room for.
    private var held: (line: [UInt8], position: Int)?
    private var waiting = 0
    private var isAtEnd = false
    private var isDone = false
    private var isCancelled = false

    private(set) var acceptedCount = 0
    private(set) var rejectedCount = 0
    private var retryCount = 0
    private var firstProblem: Problem?
    /// Why the rest was not read.
    private var refusal: Problem?
    private var accepted: [Listed] = []
    private var rejected: [Listed] = []

    /// Called once, with the answer.
    var onWhole: ((Response) -> Void)?
    /// Called when the ingest side knows that the token may not be used any more.
    var onTokenRefused: (() -> Void)?
    /// Called when more can be taken than before.
    var onRoom: (() -> Void)?

    init(_ call: Call, caller: Caller, desk: WriteDesk, positionName: String) {
        self.call = call
        self.caller = caller
        self.desk = desk
        self.positionName = positionName
    }

    /// Whether another event may be given.
    var hasRoom: Bool { held == nil && waiting < HTTPLimits.channelLinesPerRequestMax }

    /// Takes all elements of an array.
    func takeArray(_ body: [UInt8], _ ranges: [Range<Int>]) {
        self.body = body
        self.ranges = ranges
        isAtEnd = true
        goOn()
    }

    /// No event follows.
    func end() {
        isAtEnd = true
        finishIfWhole()
    }

    /// Judges and sends one event.
    func take(_ text: [UInt8], _ range: Range<Int>, position: Int) {
        let faults = desk.problems(text, range, secret: caller.secret)
        if let first = faults.first {
            refuse(Problem.event(faults, in: Array(text[range])), first, text[range], position: position)
            return
        }
        send(ChannelLine.event(token: caller.secret, text[range]), position)
    }

    /// Refuses an event that was never judged: it was too long to be kept.
    func refuseLong(_ start: ArraySlice<UInt8>, position: Int) {
        let fault = Fault(.tooLong)
        refuse(Problem.event([fault], in: []), fault, start, position: position)
    }

    /// No event follows, though the client had more: `problem` says why.
    func refuseRest(_ problem: Problem, position: Int) {
        var problem = problem
        problem.closes = true
        problem.detail = "\(problem.detail ?? "") This \(positionName) and what is behind it was not read."
        refusal = problem
        fail(problem, position)
        end()
    }

    func cancel() { isCancelled = true }

    private func send(_ line: [UInt8], _ position: Int) {
        switch desk.channel.send(line, from: self, tag: position) {
        case .sent: waiting += 1
        case .full: held = (line, position)
        case .down: failUnanswered(Problem.noIngest, position)
        }
    }

    private func refuse(_ problem: Problem, _ fault: Fault, _ data: ArraySlice<UInt8>, position: Int) {
        desk.report(problem, fault, data, call)
        fail(problem, position)
    }

    private func failUnanswered(_ problem: Problem, _ position: Int) {
        desk.rejects.countUnanswered()
        fail(problem, position)
    }

    private func fail(_ problem: Problem, _ position: Int) {
        rejectedCount += 1
        if problem.status == 503 { retryCount += 1 }
        firstProblem = firstProblem ?? problem
        guard rejected.count < HTTPLimits.listedRejectedMax else { return }
        var json = Array(
            "\"\(positionName)\":\(position),\"status\":\(problem.status),\"code\":\"\(problem.code)\"".utf8)
        if let detail = problem.detail {
            JSONText.appendName("detail", to: &json)
            JSONText.appendString(detail, to: &json)
        }
        problem.appendMessages(to: &json)
        rejected.append(Listed(position: position, json: json))
    }

    func take(_ verdict: Verdict, tag: Int) {
        waiting -= 1
        switch verdict {
        case .stored(let id):
            acceptedCount += 1
            if accepted.count < HTTPLimits.listedAcceptedMax {
                let json = "\"\(positionName)\":\(tag),\"status\":201,\"id\":\(id)"
                accepted.append(Listed(position: tag, json: Array(json.utf8)))
            }
        case .rejected(let reject, let code, let text):
            fail(Problem.refused(reject, code: code, text: text), tag)
            if reject == .badToken { onTokenRefused?() }
        case .lost, .metrics, .erased: failUnanswered(Problem.eventUnanswered, tag)
        }
        // Not at every verdict: half a window at a time keeps the line full and the turns few.
        if waiting <= HTTPLimits.channelLinesPerRequestMax / 2 { goOn() }
    }

    func channelHasRoom() { goOn() }

    private func goOn() {
        if isCancelled { return }
        if let (line, position) = held {
            held = nil
            send(line, position)
        }
        while hasRoom && nextRange < ranges.count {
            nextRange += 1
            take(body, ranges[nextRange - 1], position: nextRange - 1)
        }
        if hasRoom { onRoom?() }
        finishIfWhole()
    }

    private func finishIfWhole() {
        guard isAtEnd, held == nil, waiting == 0, nextRange == ranges.count, !isDone else { return }
        isDone = true
        onWhole?(response)
    }

    /// Appends the counts and the listed results as members of an object.
    private var members: [(name: String, json: [UInt8])] {
        let listed = (accepted + rejected).sorted { $0.position < $1.position }
        var results: [UInt8] = [UInt8(ascii: "[")]
        for (index, one) in listed.enumerated() {
            if index > 0 { results.append(UInt8(ascii: ",")) }
            results.append(UInt8(ascii: "{"))
            results.append(contentsOf: one.json)
            results.append(UInt8(ascii: "}"))
        }
        results.append(UInt8(ascii: "]"))
        func number(_ value: Int) -> [UInt8] { Array("\(value)".utf8) }
        return [
            ("accepted", number(acceptedCount)), ("rejected", number(rejectedCount)),
            ("not_listed", number(acceptedCount + rejectedCount - listed.count)), ("results", results),
        ]
    }

    private var response: Response {
        if acceptedCount == 0, var problem = refusal ?? firstProblem {
            if refusal == nil, retryCount < rejectedCount {
                problem.status = 400
                problem.fields = []
            }
            problem.messages = []
            problem.members = members
            return problem.response
        }
        var body: [UInt8] = [UInt8(ascii: "{")]
        for (name, json) in members {
            JSONText.appendName(name, to: &body)
            body.append(contentsOf: json)
        }
        body.append(text: "}\n")
        var response = Response(
            status: rejectedCount == 0 ? 201 : 207, fields: AnswerFields.json, body: .bytes(body))
        response.closes = refusal != nil
        return response
    }
}
