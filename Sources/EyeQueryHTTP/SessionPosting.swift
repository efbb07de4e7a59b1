// POST /sessions/: a new random session, answered when it is durable. The body, if there is one, says nothing. On the loop's
// thread.

import EyeWire

/// One new session.
final class SessionPosting: BodyCollector, VerdictTaker {
    private let desk: WriteDesk
    private let line: [UInt8]
    private let id: UUID

    init(_ call: Call, caller: Caller, desk: WriteDesk) {
        self.desk = desk
        var random = SystemRandomNumberGenerator()
        id = UUID.random(using: &random)
        line = ChannelLine.session(token: caller.secret, id)
        super.init(call)
    }

    override func receive(_ bytes: Span<UInt8>) {}

    override func whole() { send() }

    private func send() {
        switch desk.channel.send(line, from: self) {
        case .sent, .full: break
        case .down: finish(Problem.noIngest)
        }
    }

    func channelHasRoom() {
        if !isCancelled { send() }
    }

    func take(_ verdict: Verdict, tag: Int) {
        switch verdict {
        case .stored:
            var body = Array("{\"id\":".utf8)
            JSONText.appendUUID(high: id.high, low: id.low, to: &body)
            body.append(text: "}\n")
            finish(Response(status: 201, fields: AnswerFields.json, body: .bytes(body)))
        case .rejected(let reject, let code, let text): finish(Problem.refused(reject, code: code, text: text))
        case .lost, .metrics, .erased:
            finish(Problem.unanswered("the session may have been opened. Another one does no harm: try again later."))
        }
    }
}
