// DELETE /event_detail/N and DELETE /sessions/{id}/: what shall be gone is asked of the ingest side, and answered with a receipt once no read
// that begins later can show it. The body, if there is one, says nothing. On the loop's thread.

import EyeStore
import EyeWire

/// One erasure.
final class ErasureExchange: BodyCollector, VerdictTaker {
    private let desk: WriteDesk
    private let request: ErasureRequest
    private let line: [UInt8]

    /// The parameters that exist.
    static let known = ["dry_run", "now"]

    init(_ call: Call, _ desk: WriteDesk) throws(ProblemError) {
        if let unknown = call.parameters.firstUnknown(ErasureExchange.known) {
            throw ProblemError(Problem.unknownParameter(unknown, known: ErasureExchange.known))
        }
        var problem = Problem(400, "bad-parameter")
        let isDry = call.parameters.flag("dry_run", &problem)
        let isNow = call.parameters.flag("now", &problem)
        if let (field, texts) = problem.messages.first {
            problem.detail = "\(field): \(texts[0])"
            throw ProblemError(problem)
        }
        let subject: ErasureRequest.Subject
        if let session = call.session {
            subject = .session(UUID(high: session.high, low: session.low))
        } else {
            subject = .event(call.id ?? 0)
        }
        self.desk = desk
        request = ErasureRequest(subject, isDry: isDry, isNow: isNow)
        line = ChannelLine.erase(token: call.caller?.secret ?? [], request)
        super.init(call)
    }

    override func receive(_ bytes: Span<UInt8>) {}

    override func whole() { send() }

    private func send() {
        switch desk.erasures.send(line, from: self) {
        case .sent, .full: break
        case .down: finish(Problem.noIngest)
        }
    }

    func channelHasRoom() {
        if !isCancelled { send() }
    }

    func take(_ verdict: Verdict, tag: Int) {
        switch verdict {
        case .erased(let counts):
            if counts.erased == 0 {
                var problem = Problem.notFound
                problem.detail = "Not found: there is nothing to erase."
                return finish(problem)
            }
            var body: [UInt8] = []
            append(counts, to: &body)
            body.append(.lineFeed)
            finish(Response(status: 200, fields: AnswerFields.json, body: .bytes(body)))
        case .rejected(let reject, let code, let text): finish(Problem.refused(reject, code: code, text: text))
        case .lost, .metrics, .stored:
            finish(Problem.unanswered("the erasure may go on. Asked for again, it is done, or found done (404)."))
        }
    }

    private func append(_ counts: ErasureCounts, to out: inout [UInt8]) {
        func number(_ name: String, _ value: UInt64, isKnown: Bool = true) {
            JSONText.appendName(name, to: &out)
            if isKnown { out.append(decimal: value) } else { out.append(text: "null") }
        }
        out.append(text: "{\"dry_run\":\(request.isDry)")
        number("id", counts.id, isKnown: counts.id > 0)
        number("events", counts.events)
        number("first_event_id", counts.firstEventID, isKnown: counts.events > 0)
        number("last_event_id", counts.lastEventID, isKnown: counts.events > 0)
        number("rejected_samples", counts.samples)
        JSONText.appendName("erased_at", to: &out)
        if request.isDry {
            out.append(text: "null")
        } else {
            JSONText.appendTime(Int64(clamping: counts.erased), to: &out)
        }
        out.append(UInt8(ascii: "}"))
    }
}

extension QueryParameters {
    /// A parameter that is 1 or 0; without it: 0.
    func flag(_ name: String, _ problem: inout Problem) -> Bool {
        switch single(name, &problem) {
        case nil, Array("0".utf8)?: return false
        case Array("1".utf8)?: return true
        default:
            problem.add(name, "Choose 1 or 0.")
            return false
        }
    }
}
