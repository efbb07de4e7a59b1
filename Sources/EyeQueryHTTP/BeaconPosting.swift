// POST /events/ as `navigator.sendBeacon` makes it: a page that is being left can send a text and no header field, so the token stands in
// front of the event, as on the line port: `TOKEN {json}` or `TOKEN [{json},…]`. On the loop's thread.

import EyeStore

/// A posting that brings its token in its body.
final class BeaconPosting: BodyCollector {
    private let call: Call
    private let desk: WriteDesk
    private let authenticate: (_ secret: [UInt8]) -> Result<Caller, ProblemError>
    /// The posting itself, once it is known whose it is.
    private var posting: EventPosting?

    init(
        _ call: Call, desk: WriteDesk, authenticate: @escaping (_ secret: [UInt8]) -> Result<Caller, ProblemError>
    ) {
        self.call = call
        self.desk = desk
        self.authenticate = authenticate
        super.init(call)
    }

    override var bodyBytesMax: Int { HTTPLimits.beaconBytesMax }

    override func whole() {
        let line = EventPosting.trimmed(body, 0..<body.count)
        let end = body[line].firstIndex(of: .space) ?? line.upperBound
        let secret = Array(body[line.lowerBound..<end])
        guard !MediaType.looksLikeJSON(secret), !secret.isEmpty else {
            return finish(.unauthorized("Authentication credentials were not provided."))
        }
        switch authenticate(secret) {
        case .failure(let error): finish(error.problem)
        case .success(let caller):
            var call = call
            call.caller = caller
            let posting = EventPosting(call, caller: caller, desk: desk)
            self.posting = posting
            let event = Array(body[end..<line.upperBound])
            posting.receive(event.span)
            posting.finishBody()
        }
    }

    override func answer() -> Answer { posting?.answer() ?? super.answer() }

    override func cancel() {
        super.cancel()
        posting?.cancel()
    }
}
