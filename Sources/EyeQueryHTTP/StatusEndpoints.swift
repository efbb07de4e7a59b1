// GET /, /-/healthy, /-/ready, /metrics, /openapi.json: for people who look around, for supervisors and for Prometheus. On the loop's
// thread.

/// Answers that need no exchange of their own.
enum StatusEndpoints {
    /// A small index, so that a person with curl finds the way.
    static func index() -> Response {
        var body: [UInt8] = []
        body.append(
            text: """
                {
                  "service": "The Eye",
                  "endpoints": {

                """)
        let lines = [
            (
                "POST /api-token-auth/",
                "user name and password for a token: {\\\"username\\\":\\\"admin\\\",\\\"password\\\":\\\"…\\\"}"
            ),
            ("POST /sessions/", "a new session"),
            ("GET /sessions/", "sessions, newest first"),
            ("GET /sessions/{session_id}/", "one session and its events, oldest first"),
            ("POST /events/", "one event, an array of events, or one event a line (application/x-ndjson)"),
            (
                "GET /events/",
                "events, newest first; filters: category, name, session_id, timestamp, since, until, data.PATH, each with operators such as __ne, __prefix, __gt; limit, order, fields, count, format; pages by Link"
            ),
            ("GET /events/live", "new events as they come: Server-Sent Events, or format=ndjson; same filters"),
            ("GET /event_detail/{id}", "one event"),
            ("GET /stats/count", "how many events; same filters"),
            ("GET /stats/hits", "how many in each span of time"),
            ("GET /stats/top", "the most frequent values"),
            ("GET /stats/uniq", "how many different values"),
            ("GET /stats/funnel", "how many sessions go from step to step"),
            ("GET /errors/", "refused events, newest first; filters: code, token, transport, since, until"),
            ("GET /errors/summary", "how many of each code"),
            ("GET /errors/{id}", "one refused event, and where in it the fault lies"),
            ("DELETE /event_detail/{id}", "erases an event; ?dry_run=1 only counts"),
            ("DELETE /sessions/{session_id}/", "erases everything of a session"),
            ("GET /erasures/", "receipts of what was erased, newest first"),
            ("GET /-/healthy", "is this process alive"),
            ("GET /-/ready", "can it read and write, and if not, why"),
            ("GET /metrics", "numbers in the Prometheus text format"),
            ("GET /openapi.json", "all of this for machines (OpenAPI 3.1)"),
        ]
        for (index, (call, text)) in lines.enumerated() {
            body.append(text: "    \"\(call)\": \"\(text)\"\(index == lines.count - 1 ? "" : ",")\n")
        }
        body.append(
            text: """
                  },
                  "authorization": "Authorization: Token <token>, or Bearer <token>"
                }

                """)
        return Response(status: 200, fields: AnswerFields.json, body: .bytes(body))
    }

    /// The document of the interface, openapi.json beside this file.
    static func openAPI() -> Response {
        Response(status: 200, fields: AnswerFields.json, body: .bytes(PackageResources.openapi_json))
    }

    static func healthy() -> Response {
        Response(status: 200, fields: AnswerFields.json, body: .bytes(Array("{\"status\":\"ok\"}\n".utf8)))
    }

    /// Whether events can be written, people log in and the store be read. `more`: reasons of the caller's own.
    static func ready(
        _ ingest: ReadyExchange.Ingest, _ accounts: AccountWatch, _ store: EventSource, more: [String] = []
    ) -> Response {
        var reasons = more
        if !ingest.isUp { reasons.append("no-ingest: the ingest service does not answer; events cannot be written") }
        if ingest.isFull { reasons.append("storage-full: less room than --min-free-bytes is left; events are refused") }
        accounts.refresh()
        if accounts.book == nil || accounts.cause != nil {
            reasons.append("no-accounts: nobody can log in; \(accounts.cause ?? "the account file cannot be read")")
        }
        if let cause = store.cause() { reasons.append("no-store: \(cause)") }
        return ready(reasons: reasons, notes: ingest.notes + store.damageNotes())
    }

    /// `reasons`: why not; `notes`: what an operator should look at although requests are answered.
    static func ready(reasons: [String], notes: [String]) -> Response {
        var body = Array("{\"status\":\"\(reasons.isEmpty ? "ready" : "not ready")\"".utf8)
        for (name, texts) in [("reasons", reasons), ("notes", notes)] {
            JSONText.appendName(name, to: &body)
            body.append(UInt8(ascii: "["))
            for (index, text) in texts.enumerated() {
                if index > 0 { body.append(UInt8(ascii: ",")) }
                JSONText.appendString(text, to: &body)
            }
            body.append(UInt8(ascii: "]"))
        }
        body.append(text: "}\n")
        return Response(status: reasons.isEmpty ? 200 : 503, fields: AnswerFields.json, body: .bytes(body))
    }
}

/// GET /metrics: our own numbers, then the ingest side's, which are asked for.
final class MetricsExchange: BodyCollector, VerdictTaker {
    private let channel: ControlChannel
    private let own: (_ isIngestUp: Bool) -> [UInt8]

    init(_ call: Call, channel: ControlChannel, own: @escaping (_ isIngestUp: Bool) -> [UInt8]) {
        self.channel = channel
        self.own = own
        super.init(call)
    }

    override func whole() {
        switch channel.askMetrics(from: self) {
        case .sent: break
        case .full: answer(up: true, [])
        case .down: answer(up: false, [])
        }
    }

    func take(_ verdict: Verdict, tag: Int) {
        switch verdict {
        case .metrics(let text): answer(up: true, text)
        case .stored, .rejected, .erased: answer(up: true, [])
        case .lost: answer(up: false, [])
        }
    }

    func channelHasRoom() {}

    private func answer(up: Bool, _ ingest: [UInt8]) {
        finish(Response(status: 200, fields: AnswerFields.metrics, body: .bytes(own(up) + ingest)))
    }
}
