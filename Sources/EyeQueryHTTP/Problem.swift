// The body of every answer that is no success: a problem of RFC 9457 that keeps the field → messages shape older clients
// read. One shape for all: `type`, `title`, `status`, `code`, `detail`, then the fields. Pure.

/// A refusal that a client can read.
package struct Problem {
    var status: UInt16
    /// One of the words of the one registry of reject codes, or of the HTTP ones beside it.
    package var code: String
    /// What happened and what to do. Left out when the fields say it all.
    package var detail: String?
    /// Field → messages, in order; fields are unique.
    package var messages: [(field: String, texts: [String])] = []
    /// Fields of the answer's head: Allow, Retry-After, WWW-Authenticate.
    var fields: [ResponseField] = []
    /// Further members, as JSON texts.
    var members: [(name: String, json: [UInt8])] = []
    var closes = false

    package init(_ status: UInt16, _ code: String, _ detail: String? = nil) {
        self.status = status
        self.code = code
        self.detail = detail
    }

    /// Adds a message to a field.
    package mutating func add(_ field: String, _ text: String) {
        if let index = messages.firstIndex(where: { $0.field == field }) {
            messages[index].texts.append(text)
        } else {
            messages.append((field, [text]))
        }
    }

    /// Appends the JSON object.
    func append(to out: inout [UInt8]) {
        out.append(text: "{\"type\":\"urn:the-eye:problem:\(code)\",\"title\":")
        JSONText.appendString(HTTPStatus.phrase(status), to: &out)
        out.append(text: ",\"status\":\(status),\"code\":\"\(code)\"")
        if let detail {
            JSONText.appendName("detail", to: &out)
            JSONText.appendString(detail, to: &out)
        }
        appendMessages(to: &out)
        for (name, json) in members {
            JSONText.appendName(name, to: &out)
            out.append(contentsOf: json)
        }
        out.append(UInt8(ascii: "}"))
    }

    /// Appends `"field":["message",…],…` into an object.
    func appendMessages(to out: inout [UInt8]) {
        for (field, texts) in messages {
            JSONText.appendName(field, to: &out)
            out.append(UInt8(ascii: "["))
            for (index, text) in texts.enumerated() {
                if index > 0 { out.append(UInt8(ascii: ",")) }
                JSONText.appendString(text, to: &out)
            }
            out.append(UInt8(ascii: "]"))
        }
    }

    var response: Response {
        var body: [UInt8] = []
        append(to: &body)
        body.append(.lineFeed)
        var response = Response(
            status: status, fields: AnswerFields.problem + fields, body: .bytes(body))
        response.closes = closes
        return response
    }
}

/// The fields that answers of one kind share.
enum AnswerFields {
    static let common = [
        ResponseField("Cache-Control", "no-store"), ResponseField("X-Content-Type-Options", "nosniff"),
    ]
    static let json = [ResponseField("Content-Type", "application/json")] + common
    static let problem = [ResponseField("Content-Type", "application/problem+json")] + common
    static let text = [ResponseField("Content-Type", "text/plain; charset=utf-8")] + common
    /// Prometheus text exposition format 0.0.4.
    static let metrics = [ResponseField("Content-Type", "text/plain; version=0.0.4; charset=utf-8")] + common
}

extension Problem {
    static func unauthorized(_ detail: String) -> Problem {
        var problem = Problem(401, "bad-token", detail)
        problem.fields = [ResponseField("WWW-Authenticate", "Token")]
        return problem
    }

    /// There is no memory for another answer.
    static let crowded = unavailable(
        "overloaded", "Answers that others have not taken yet take all the memory there is for them.")

    static let notFound = Problem(404, "not-found", "Not found.")

    /// A write that may succeed later.
    static func unavailable(_ code: String, _ detail: String) -> Problem {
        var problem = Problem(503, code, detail)
        problem.fields = [ResponseField("Retry-After", "\(HTTPLimits.retryAfterSeconds)")]
        return problem
    }

    init(_ refusal: RequestRefusal) {
        self.init(refusal.status, refusal.code, refusal.text)
        if refusal == .full { fields = [ResponseField("Retry-After", "\(HTTPLimits.retryAfterSeconds)")] }
        closes = true
    }
}
