// Everything that a client can do wrong over HTTP, against the real service: status, code, and the message a person reads.
// A refused event never gets a 2xx and is never among the events.

import Foundation
import Testing

private let session = "e2085be5-9137-4e4e-80b5-f1ffddc25423"
private let moment = "2021-01-01 09:15:27.243860"
private let future = "2999-01-01T00:00:00Z"

private func event(
    session: String = session, category: String = "c", name: String = "n", data: String = #"{"a":1}"#,
    timestamp: String = moment
) -> String {
    #"{"session_id":"\#(session)","category":"\#(category)","name":"\#(name)","data":\#(data),"timestamp":"\#(timestamp)"}"#
}

@Suite(.timeLimit(.minutes(2))) struct UnhappyCallTests {
    private struct BadEvent {
        var what: String
        var body: String
        var code: String
        /// Field → its first message, or how it starts.
        var messages: [String: String] = [:]
        /// How `detail` starts.
        var detail = ""
    }

    private static let combining = "e\u{301}"
    private static let badEvents = [
        BadEvent(
            what: "a missing field", body: #"{"session_id":"\#(session)","category":"c","name":"n","data":{"a":1}}"#,
            code: "missing-field", messages: ["timestamp": "This field is required."]),
        BadEvent(
            what: "no field at all", body: "{}", code: "missing-field",
            messages: [
                "session_id": "This field is required.", "category": "This field is required.",
                "name": "This field is required.", "data": "This field is required.",
                "timestamp": "This field is required.",
            ]),
        BadEvent(
            what: "several bad fields at once",
            body: event(session: "abc", category: "", data: "{}", timestamp: future), code: "bad-uuid",
            messages: [
                "session_id": "“abc” is not a valid UUID.", "category": "This field may not be blank.",
                "data": "The data can't be empty.", "timestamp": "The timestamp can't be greater than now.",
            ]),
        BadEvent(
            what: "empty data", body: event(data: "{}"), code: "empty-field",
            messages: ["data": "The data can't be empty."]),
        BadEvent(
            what: "data that is a string", body: event(data: "\"x\""), code: "bad-type",
            messages: ["data": "The data content must a JSON format."]),
        BadEvent(
            what: "data that is an array", body: event(data: "[1]"), code: "bad-type",
            messages: ["data": "The data content must a JSON format."]),
        BadEvent(
            what: "data that is null", body: event(data: "null"), code: "bad-type",
            messages: ["data": "This field may not be null."]),
        BadEvent(what: "malformed JSON", body: "{\"session_id\": ", code: "bad-json", detail: "JSON parse error - "),
        BadEvent(
            what: "a trailing comma", body: String(event().dropLast()) + ",}", code: "bad-json",
            detail: "JSON parse error - "),
        BadEvent(
            what: "a future timestamp", body: event(timestamp: future), code: "future-time",
            messages: ["timestamp": "The timestamp can't be greater than now."]),
        BadEvent(
            what: "an unparsable timestamp", body: event(timestamp: "yesterday"), code: "bad-time",
            messages: ["timestamp": "Datetime has wrong format"]),
        BadEvent(
            what: "a day that does not exist", body: event(timestamp: "2021-02-29T00:00:00Z"), code: "bad-time",
            messages: ["timestamp": "Datetime has wrong format"]),
        BadEvent(
            what: "a bad UUID", body: event(session: "e2085be5-9137-4e4e-80b5-f1ffddc2542"), code: "bad-uuid",
            messages: ["session_id": "“e2085be5-9137-4e4e-80b5-f1ffddc2542” is not a valid UUID."]),
        BadEvent(
            what: "51 letters of category", body: event(category: String(repeating: "x", count: 51)),
            code: "field-too-long", messages: ["category": "Ensure this field has no more than 50 characters."]),
        BadEvent(
            what: "51 scalars beyond the BMP", body: event(category: String(repeating: "😀", count: 51)),
            code: "field-too-long", messages: ["category": "Ensure this field has no more than 50 characters."]),
        BadEvent(
            what: "51 escaped scalars beyond the BMP",
            body: event(category: String(repeating: #"\ud83d\ude00"#, count: 51)), code: "field-too-long",
            messages: ["category": "Ensure this field has no more than 50 characters."]),
        BadEvent(
            what: "26 characters of two scalars", body: event(category: String(repeating: combining, count: 26)),
            code: "field-too-long", messages: ["category": "Ensure this field has no more than 50 characters."]),
        BadEvent(
            what: "151 letters of name", body: event(name: String(repeating: "x", count: 151)),
            code: "field-too-long", messages: ["name": "Ensure this field has no more than 150 characters."]),
        BadEvent(
            what: "76 characters of two scalars", body: event(name: String(repeating: combining, count: 76)),
            code: "field-too-long", messages: ["name": "Ensure this field has no more than 150 characters."]),
    ]

    @Test func badEventsAreRefused() throws {
        let eye = try ServedEye()
        let token = try eye.addToken("both", scope: "ingest,read")
        for bad in Self.badEvents {
            let answer = try eye.call("POST", "/events/", token: token, bad.body)
            #expect(answer.status == 400, "\(bad.what): \(answer.text)")
            #expect(answer["content-type"] == "application/problem+json", "\(bad.what)")
            #expect(answer.object["code"] as? String == bad.code, "\(bad.what): \(answer.text)")
            #expect(answer.object["status"] as? Int == 400, "\(bad.what)")
            let detail = try #require(answer.object["detail"] as? String, "\(bad.what)")
            #expect(detail.hasPrefix(bad.detail), "\(bad.what): \(detail)")
            for (field, message) in bad.messages {
                #expect(answer.messages(field).first?.hasPrefix(message) == true, "\(bad.what): \(answer.text)")
            }
            let fields = Set(["session_id", "category", "name", "data", "timestamp"])
            #expect(Set(answer.object.keys).intersection(fields) == Set(bad.messages.keys), "\(bad.what)")
        }
        #expect(try eye.call("GET", "/events/", token: token).text == "[]\n")
        // As many scalars as are allowed, however they are written; their number is not the number of characters.
        let allowed = [
            event(category: String(repeating: "😀", count: 50), name: String(repeating: "😀", count: 150)),
            event(category: String(repeating: #"\ud83d\ude00"#, count: 50)),
            event(
                category: String(repeating: Self.combining, count: 25),
                name: String(repeating: Self.combining, count: 75)),
        ]
        for body in allowed {
            let answer = try eye.call("POST", "/events/", token: token, body)
            #expect(answer.status == 201, "\(answer.text)")
        }
    }

    @Test func callersWithoutTheRight() throws {
        let eye = try ServedEye()
        let writer = eye.firstToken
        let reader = try eye.addToken("reader", scope: "read")
        let detail = { (answer: HTTPAnswer) in answer.object["detail"] as? String ?? answer.text }
        for (method, target) in [
            ("GET", "/events/"), ("POST", "/events/"), ("GET", "/sessions/"), ("POST", "/sessions"),
            ("GET", "/event_detail/1"), ("GET", "/errors/"), ("GET", "/errors/1"),
        ] {
            let body = method == "POST" ? event() : ""
            let none = try eye.call(method, target, body)
            #expect(none.status == 401 && detail(none) == "Authentication credentials were not provided.")
            #expect(none["www-authenticate"] == "Token")
            let bad = try eye.call(method, target, token: String(repeating: "0", count: 40), body)
            #expect(bad.status == 401 && detail(bad) == "Invalid token.")
            #expect(bad["www-authenticate"] == "Token")
            let basic = try eye.call(method, target, headers: ["Authorization: Basic YTpi"], body)
            #expect(basic.status == 401)
            let other = try eye.call(method, target, token: method == "POST" ? reader : writer, body)
            #expect(other.status == 403, "\(method) \(target)")
            #expect(other.object["code"] as? String == "forbidden")
        }
        #expect(try eye.call("GET", "/events/", token: reader).text == "[]\n")
        #expect(try eye.call("GET", "/sessions/", token: reader).text == "[]\n")
        for body in [#"{"username":"admin","password":"wrong"}"#, #"{"username":"nobody","password":"wrong"}"#] {
            let login = try eye.call("POST", "/api-token-auth/", body)
            #expect(login.status == 400)
            #expect(login.messages("non_field_errors") == ["Unable to log in with provided credentials."])
        }
        let half = try eye.call("POST", "/api-token-auth/", #"{"username":"admin"}"#)
        #expect(half.status == 400 && half.messages("password") == ["This field is required."])
    }

    @Test func wrongCalls() throws {
        let eye = try ServedEye()
        let token = try eye.addToken("all", scope: "admin")
        #expect(try eye.call("POST", "/events/", token: token, event()).status == 201)
        for slash in ["", "/"] {
            for target in ["/event_detail/2", "/event_detail/0", "/event_detail/x", "/event_detail", "/nothing"] {
                let missing = try eye.call("GET", target + slash, token: token)
                #expect(missing.status == 404, "\(target)")
                #expect(missing.object["detail"] as? String == "Not found.")
            }
            for (method, target, allow) in [
                ("PUT", "/events", "GET, HEAD, POST, OPTIONS"), ("DELETE", "/sessions", "GET, HEAD, POST, OPTIONS"),
                ("GET", "/api-token-auth", "POST, OPTIONS"), ("PATCH", "/event_detail/1", "GET, HEAD, DELETE, OPTIONS"),
                ("POST", "/errors", "GET, HEAD, OPTIONS"),
            ] {
                let refused = try eye.call(method, target + slash, token: token)
                #expect(refused.status == 405, "\(method) \(target)")
                #expect(refused["allow"] == allow)
                #expect(refused.object["detail"] as? String == "Method \"\(method)\" not allowed.")
            }
            let unknown = try eye.call("GET", "/events\(slash)?sessiond_id=\(session)", token: token)
            #expect(unknown.status == 400 && unknown.object["code"] as? String == "unknown-parameter")
            #expect((unknown.object["detail"] as? String)?.contains("did you mean session_id?") == true)
            for parameter in ["session_id=abc", "timestamp=yesterday", "limit=10001", "order=up"] {
                let bad = try eye.call("GET", "/events\(slash)?\(parameter)", token: token)
                #expect(bad.status == 400, "\(parameter)")
                #expect(bad.messages(String(parameter.prefix { $0 != "=" })).count == 1)
            }
            let type = try eye.call("POST", "/events\(slash)", token: token, type: "text/xml", "<a/>")
            #expect(type.status == 415)
        }
        let many = "[" + Array(repeating: event(), count: 10_001).joined(separator: ",") + "]"
        #expect(try eye.call("POST", "/events/", token: token, many).status == 413)
        #expect(try eye.call("GET", "/events/", token: token).array.count == 1)
    }

    /// What looks alike and is not the same bytes is not the same.
    @Test func equalityIsByBytes() throws {
        let eye = try ServedEye()
        let token = try eye.addToken("both", scope: "ingest,read")
        let composed = "caf\u{E9}"
        let decomposed = "cafe\u{301}"
        for text in [composed, decomposed] {
            let answer = try eye.call("POST", "/events/", token: token, event(category: text, name: text))
            #expect(answer.status == 201)
            let stored = answer.object["category"] as? String ?? ""
            #expect(Array(stored.utf8) == Array(text.utf8))
        }
        // Written as an escape it is the same bytes.
        #expect(try eye.call("POST", "/events/", token: token, event(category: #"caf\u00e9"#)).status == 201)
        for field in ["category", "name"] {
            for (query, ids) in [("caf%C3%A9", field == "category" ? [3, 1] : [1]), ("cafe%CC%81", [2])] {
                let found = try eye.call("GET", "/events/?\(field)=\(query)", token: token)
                #expect(found.array.compactMap { $0["id"] as? Int } == ids, "\(field)=\(query)")
            }
        }
    }
}
