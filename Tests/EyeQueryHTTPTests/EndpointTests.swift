// The documented calls over a real socket, happy and unhappy, with a fake ingest side that really stores.

import EyeSystem
import EyeWire
import Foundation
import Testing

@testable import EyeQueryHTTP

private let session = "e2085be5-9137-4e4e-80b5-f1ffddc25423"

private func event(
    session: String = session, category: String = "page interaction", name: String = "cta click",
    data: String = #"{"host":"www.consumeraffairs.com","path":"/"}"#, timestamp: String = "2021-01-01 09:15:27.243860"
) -> String {
    #"{"session_id":"\#(session)","category":"\#(category)","name":"\#(name)","data":\#(data),"timestamp":"\#(timestamp)"}"#
}

@Suite struct EndpointTests {
    @Test func theDocumentedCalls() throws {
        let service = try ServiceFixture()
        try service.accounts.setPassword(of: "admin", password: Array("admin".utf8))
        for slash in ["", "/"] {
            // Exactly as curl sends them.
            let client = try service.client()
            try client.send(
                "POST /api-token-auth\(slash) HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n"
                    + "Authorization: Basic dXNlcm5hbWU6cGFzc3dvcmQ=\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n"
                    + "Content-Type: application/json\r\nContent-Length: 39\r\n\r\n"
                    + #"{"username":"admin","password":"admin"}"#)
            let login = try client.answer()
            #expect(login.status == 200)
            let token = try #require(login.object["token"] as? String)
            #expect(token.count == 40 && token.allSatisfy { $0.isHexDigit && !$0.isUppercase })

            let opened = try service.call(
                "POST", "/sessions\(slash)", token: token, headers: ["Content-Type: application/json"])
            #expect(opened.status == 201)
            let id = try #require(opened.object["id"] as? String)
            #expect(UUID(uuidString: id) != nil && id.lowercased() == id)

            let sessions = try service.call("GET", "/sessions\(slash)", token: token)
            #expect(sessions.status == 200)
            #expect(sessions.array.first?["id"] as? String == id)
            #expect((sessions.array.first?["created_at"] as? String)?.hasSuffix("Z") == true)

            let body = """
                {
                      "session_id": "e2085be5-9137-4e4e-80b5-f1ffddc25423",
                      "category": "page interaction",
                      "name": "cta click",
                      "data": {
                      "host": "www.consumeraffairs.com",
                      "path": "/",
                    "element": "chat bubble"
                    },
                  "timestamp": "2021-01-01 09:15:27.243860"
                }
                """
            let posted = try service.call("POST", "/events\(slash)", token: token, body)
            #expect(posted.status == 201)
            #expect(posted["content-type"] == "application/json")
            let number = try #require(posted.object["id"] as? Int)
            #expect(posted.object["session_id"] as? String == session)
            #expect(posted.object["timestamp"] as? String == "2021-01-01T09:15:27.243860Z")
            #expect(posted.object["category"] as? String == "page interaction")
            #expect(posted.object["name"] as? String == "cta click")
            #expect((posted.object["data"] as? [String: String])?["element"] == "chat bubble")
            #expect(posted.object["received_at"] is String)

            #expect(try service.call("GET", "/events\(slash)", token: token).ids.first == number)
            let detail = try service.call("GET", "/event_detail/\(number)\(slash)", token: token)
            #expect(detail.status == 200)
            #expect(detail.body == posted.body)
            for filter in [
                "category=page%20interaction", "category=page+interaction", "name=cta%20click", "session_id=\(session)",
                "session_id=\(session.uppercased())", "timestamp=2021-01-01T09:15:27.243860Z",
                "timestamp=2021-01-01T10:15:27.24386+01:00", "timestamp=2021-01-01T10:15:27.24386%2B01:00",
                "category=nothing&category=page%20interaction&name=cta%20click",
                "timestamp__gte=2021-01-01T09:15:27.243860Z&timestamp__lt=2021-01-01T09:15:27.243861Z",
                "since=2021-01-01T09:15:27.243860Z&until=2021-01-02T00:00:00Z", "since=9000d",
            ] {
                let found = try service.call("GET", "/events\(slash)?\(filter)", token: token)
                #expect(found.status == 200)
                #expect(found.ids.contains(number), "\(filter)")
            }
            for filter in [
                "category=page", "name=Cta%20click", "session_id=97a7e388-4ca7-408b-a87f-0313075850c2",
                "timestamp=2021-01-01T09:15:27.243861Z", "category=page%20interaction&name=x", "since=1h",
                "timestamp__gt=2021-01-01T09:15:27.243860Z", "until=2021-01-01T09:15:27.243860Z",
                "timestamp__gte=2022-01-01T00:00:00Z&timestamp__lte=2021-01-01T00:00:00Z",
            ] {
                let found = try service.call("GET", "/events\(slash)?\(filter)", token: token)
                #expect(found.status == 200)
                #expect(found.text == "[]\n", "\(filter)")
            }
        }
    }

    @Test(arguments: [
        (#"{"username":"admin","password":"wrong"}"#, "application/json", 400, "non_field_errors"),
        (#"{"username":"nobody","password":"wrong"}"#, "application/json", 400, "non_field_errors"),
        ("username=admin&password=wrong", "application/x-www-form-urlencoded", 400, "non_field_errors"),
        (#"{"username":"admin"}"#, "application/json", 400, "password"),
        (#"{"username":null,"password":7}"#, "application/json", 400, "username"),
        ("{}", "application/json", 400, "username"), ("", "application/json", 400, "username"),
        ("username=admin", "application/x-www-form-urlencoded", 400, "password"),
        ("{", "application/json", 400, "detail"), ("<a/>", "text/xml", 415, "detail"),
        ("hello", "text/plain", 415, "detail"),
    ])
    func loginsThatFail(body: String, type: String, status: Int, field: String) throws {
        let service = try ServiceFixture()
        let answer = try service.call("POST", "/api-token-auth/", type: type, body)
        #expect(answer.status == status)
        #expect(answer.object[field] != nil)
        #expect(answer["content-type"] == "application/problem+json")
        if field == "non_field_errors" {
            #expect(answer.object[field] as? [String] == ["Unable to log in with provided credentials."])
        }
    }

    @Test func formLoginAndItsToken() throws {
        let service = try ServiceFixture()
        try service.accounts.addUser(named: "öl & co", password: Array("a=b +c".utf8), scopes: .userDefault)
        let answer = try service.call(
            "POST", "/api-token-auth/", type: "application/x-www-form-urlencoded",
            "username=%C3%B6l+%26+co&password=a%3Db%20%2Bc")
        #expect(answer.status == 200)
        let token = answer.object["token"] as? String
        #expect(try service.call("GET", "/events/", token: token).status == 200)
        // JSON under curl's default type.
        let other = try service.call(
            "POST", "/api-token-auth", type: "application/x-www-form-urlencoded",
            #"{"username":"öl & co","password":"a=b +c"}"#)
        #expect(other.status == 200)
        #expect(other.object["token"] as? String != token)
    }

    @Test func failedLoginsAreLimited() throws {
        let service = try ServiceFixture()
        try service.accounts.addUser(named: "u", password: Array(ServiceFixture.password.utf8), scopes: .userDefault)
        for _ in 0..<HTTPLimits.loginFailuresPerUserMax {
            let answer = try service.call("POST", "/api-token-auth/", #"{"username":"u","password":"x"}"#)
            #expect(answer.status == 400)
        }
        let limited = try service.call(
            "POST", "/api-token-auth/", #"{"username":"u","password":"\#(ServiceFixture.password)"}"#)
        #expect(limited.status == 429)
        #expect(Int(limited["retry-after"] ?? "") ?? 0 > 0)
        #expect(limited.object["code"] as? String == "too-many-logins")
    }

    static let badEvents: [(String, Int, String, [String: String])] = [
        ("{}", 400, "missing-field", ["name": "This field is required.", "data": "This field is required."]),
        (event(data: "{}"), 400, "empty-field", ["data": "The data can't be empty."]),
        (event(data: "[1]"), 400, "bad-type", ["data": "The data content must a JSON format."]),
        (event(data: "null"), 400, "bad-type", ["data": "This field may not be null."]),
        (event(session: "abc"), 400, "bad-uuid", ["session_id": "“abc” is not a valid UUID."]),
        (event(name: ""), 400, "empty-field", ["name": "This field may not be blank."]),
        (
            event(category: String(repeating: "ö", count: 51)), 400, "field-too-long",
            ["category": "Ensure this field has no more than 50 characters."]
        ),
        (
            event(name: String(repeating: "x", count: 151), timestamp: "2999-01-01T00:00:00Z"), 400, "field-too-long",
            [
                "name": "Ensure this field has no more than 150 characters.",
                "timestamp": "The timestamp can't be greater than now.",
            ]
        ),
        (
            event(timestamp: "2999-01-01T00:00:00Z"), 400, "future-time",
            ["timestamp": "The timestamp can't be greater than now."]
        ),
        (event(timestamp: "yesterday"), 400, "bad-time", ["timestamp": "Datetime has wrong format."]),
        (event().dropLast() + #","extra":1}"#, 400, "unknown-field", [:]),
        ("{\"session_id\":", 400, "bad-json", [:]),
        ("[1,", 400, "bad-json", [:]), ("[]", 400, "empty-field", [:]), ("7", 400, "not-object", [:]),
        (event(data: "{\"a\":\"" + String(repeating: "x", count: 66_000) + "\"}"), 413, "too-long", [:]),
    ]

    @Test(arguments: badEvents)
    func badEventsAreRefusedWithAllTheirProblems(
        body: String, status: Int, code: String, messages: [String: String]
    ) throws {
        let service = try ServiceFixture()
        let answer = try service.call("POST", "/events/", token: service.both, body)
        #expect(answer.status == status)
        #expect(answer.object["code"] as? String == code)
        #expect(answer.object["status"] as? Int == status)
        #expect(answer.object["detail"] is String)
        if code == "bad-json" {
            #expect((answer.object["detail"] as? String)?.hasPrefix("JSON parse error - ") == true)
        }
        for (field, message) in messages {
            #expect((answer.object[field] as? [String])?.first?.hasPrefix(message) == true, "\(field): \(answer.text)")
        }
        #expect(service.ingest?.manners.withLock { $0.events } == 0)
        if code == "empty-field" && body == "[]" { return }
        // Refusals can be seen.
        try ServiceFixture.wait("the refusal among the errors") {
            try service.call("GET", "/errors/", token: service.reader).array.isEmpty == false
        }
        let errors = try service.call("GET", "/errors", token: service.reader)
        let shown = try #require(errors.array.first)
        #expect(shown["code"] as? String == code)
        #expect(shown["transport"] as? String == "http")
        #expect(shown["source"] as? String == "127.0.0.1")
        #expect(shown["data"] as? String == String(decoding: Array(body.utf8).prefix(4096), as: UTF8.self))
        #expect(!errors.text.contains(service.both))
        let id = try #require(shown["id"] as? Int)
        #expect(try service.call("GET", "/errors/\(id)/", token: service.reader).object["code"] as? String == code)
        #expect(try service.call("GET", "/errors/\(id + 1)", token: service.reader).status == 404)
    }

    @Test(arguments: [
        ("text/plain", 201), ("application/x-www-form-urlencoded", 201), ("application/json; charset=utf-8", 201),
        ("APPLICATION/JSON", 201), ("text/xml", 415), ("multipart/form-data; boundary=x", 415),
    ])
    func contentTypes(type: String, status: Int) throws {
        let service = try ServiceFixture()
        #expect(try service.call("POST", "/events/", token: service.writer, type: type, event()).status == status)
        if status == 201 {
            #expect(try service.call("POST", "/events/", token: service.writer, type: type, "a=b").status != 201)
        }
    }

    @Test(arguments: [("gzip", 415), ("identity", 201), ("gzip, identity", 415)])
    func contentEncodings(coding: String, status: Int) throws {
        let service = try ServiceFixture()
        let answer = try service.call(
            "POST", "/events/", token: service.writer, headers: ["Content-Encoding: \(coding)"], event())
        #expect(answer.status == status)
    }

    /// Token, space and event are one line.
    @Test func theLongestEvent() throws {
        let service = try ServiceFixture()
        let room = WireLimits.lineBytesMax - service.writer.utf8.count - 1 - event(data: #"{"a":""}"#).utf8.count
        for (more, status) in [(0, 201), (1, 413)] {
            let long = event(data: #"{"a":"\#(String(repeating: "x", count: room + more))"}"#)
            let answer = try service.call("POST", "/events/", token: service.writer, long)
            #expect(answer.status == status)
            if more > 0 {
                #expect(answer.text.contains("the token and the space between them have at most 65536 bytes"))
            }
        }
    }

    @Test func noContentType() throws {
        let service = try ServiceFixture()
        #expect(try service.call("POST", "/events/", token: service.writer, type: nil, event()).status == 201)
        #expect(try service.call("POST", "/events/", token: service.writer, type: nil, "a=b").status == 415)
    }

    @Test func arraysAndTheirResults() throws {
        let service = try ServiceFixture()
        let all = try service.call("POST", "/events/", token: service.writer, " [\(event()),\n\(event(name: "b"))] ")
        #expect(all.status == 201)
        #expect(all.object["accepted"] as? Int == 2)
        #expect((all.object["results"] as? [[String: Any]])?.compactMap { $0["id"] as? Int } == [1, 2])
        let mixed = try service.call(
            "POST", "/events/", token: service.writer, "[\(event(name: "")),\(event()),7]")
        #expect(mixed.status == 207)
        let results = mixed.object["results"] as? [[String: Any]] ?? []
        #expect(results.compactMap { $0["status"] as? Int } == [400, 201, 400])
        #expect(results.compactMap { $0["index"] as? Int } == [0, 1, 2])
        #expect(results.first?["name"] as? [String] == ["This field may not be blank."])
        let none = try service.call("POST", "/events/", token: service.writer, "[{},{}]")
        #expect(none.status == 400)
        #expect(none.object["rejected"] as? Int == 2)
        #expect(none.object["code"] as? String == "missing-field")
        // Broken at its end: nothing of it is stored.
        let broken = try service.call("POST", "/events/", token: service.writer, "[\(event()),\(event())")
        #expect(broken.status == 400)
        #expect(service.ingest?.manners.withLock { $0.events } == 3)
    }

    @Test func linesAreStreamed() throws {
        let service = try ServiceFixture()
        let count = HTTPLimits.listedAcceptedMax + 200
        var body = (0..<count).map { event(name: "n\($0)") }.joined(separator: "\n")
        body += "\n\nnonsense\n" + event(data: "{\"a\":\"" + String(repeating: "x", count: 200_000) + "\"}") + "\r\n"
        body += event(name: "last")
        let answer = try service.call("POST", "/events/", token: service.both, type: "application/x-ndjson", body)
        #expect(answer.status == 207)
        #expect(answer.object["accepted"] as? Int == count + 1)
        #expect(answer.object["rejected"] as? Int == 2)
        #expect(answer.object["not_listed"] as? Int == count + 1 - HTTPLimits.listedAcceptedMax)
        let bad = (answer.object["results"] as? [[String: Any]] ?? []).filter { $0["status"] as? Int != 201 }
        #expect(bad.compactMap { $0["line"] as? Int } == [count + 2, count + 3])
        #expect(bad.compactMap { $0["code"] as? String } == ["bad-json", "too-long"])
        #expect(try service.call("GET", "/events/?name=last", token: service.both).array.count == 1)
    }

    @Test func chunkedBodiesAreRead() throws {
        let service = try ServiceFixture()
        let client = try service.client()
        try client.send(
            "POST /events/ HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(service.writer)\r\n"
                + "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        for byte in event().utf8 { try client.send("1\r\n\(String(UnicodeScalar(byte)))\r\n") }
        try client.send("0\r\n\r\n")
        #expect(try client.answer().status == 201)
    }

    @Test func pagesAreExactAndPinned() throws {
        let service = try ServiceFixture()
        let body = (0..<50).map { _ in event() }.joined(separator: "\n")
        _ = try service.call("POST", "/events/", token: service.both, type: "application/x-ndjson", body)
        for order in ["-id", "id"] {
            var ids: [Int] = []
            var target: String? = "/events/?limit=7&category=page%20interaction&order=\(order)"
            while let page = target {
                let answer = try service.call("GET", page, token: service.reader)
                #expect(answer.status == 200)
                #expect(answer.array.count <= 7)
                ids += answer.ids
                target = answer.next
                // Nobody who comes later is seen.
                _ = try service.call("POST", "/events/", token: service.both, event())
            }
            #expect(Set(ids).count == ids.count)
            #expect(ids == ids.sorted { order == "id" ? $0 < $1 : $0 > $1 })
            if order == "-id" { #expect(ids == (1...50).reversed()) }
        }
        // A cursor belongs to its list.
        let next = try #require(try service.call("GET", "/events/?limit=7", token: service.reader).next)
        let cursor = try #require(next.split(separator: "cursor=").last)
        for target in [
            "/events/?name=x&cursor=\(cursor)", "/events/?cursor=x", "/sessions/?nam=x",
            "/events/?cursor=\(cursor.dropLast())\(cursor.last == "A" ? "B" : "A")", "/sessions/?cursor=\(cursor)",
        ] {
            #expect(try service.call("GET", target, token: service.reader).status == 400, "\(target)")
        }
        // What is wrong with one is said with what to do.
        for (target, message) in [
            ("/events/?name=x&cursor=\(cursor)", "Give it with the path and all parameters (but for limit)"),
            ("/events/?cursor=\(cursor.dropLast())", "Follow the Link of the page before just as it is"),
        ] {
            let answer = try service.call("GET", target, token: service.reader)
            #expect((answer.object["cursor"] as? [String])?.first?.contains(message) == true, "\(answer.text)")
        }
    }

    @Test func largePagesAreStreamed() throws {
        let service = try ServiceFixture()
        let data = "{\"a\":\"" + String(repeating: "x", count: 20_000) + "\"}"
        let body = (0..<60).map { _ in event(data: data) }.joined(separator: "\n")
        _ = try service.call("POST", "/events/", token: service.both, type: "application/x-ndjson", body)
        let answer = try service.call("GET", "/events/?limit=50", token: service.reader)
        #expect(answer["transfer-encoding"] == "chunked")
        #expect(answer.ids == (11...60).reversed())
        let rest = try service.call("GET", try #require(answer.next), token: service.reader)
        #expect(rest.ids == (1...10).reversed())
        #expect(rest.next == nil)
    }

    @Test func sessionsArePaged() throws {
        let service = try ServiceFixture()
        var made: [String] = []
        for _ in 0..<5 {
            let opened = try service.call("POST", "/sessions/", token: service.both)
            made.append(opened.object["id"] as? String ?? "")
        }
        _ = try service.call("POST", "/events/", token: service.both, event())
        made.append(session)
        var found: [String] = []
        var target: String? = "/sessions/?limit=4"
        while let page = target {
            let answer = try service.call("GET", page, token: service.reader)
            found += answer.array.compactMap { $0["id"] as? String }
            target = answer.next
        }
        #expect(found == made.reversed())
    }

    @Test(arguments: [
        ("sessiond_id=x", "session_id"), ("catgory=x", "category"), ("timestamp_gte=x", "timestamp__gte"),
        ("nmae=x", "name"), ("Limit=1", "limit"),
    ])
    func unknownParametersAreRefused(query: String, meant: String) throws {
        let service = try ServiceFixture()
        let answer = try service.call("GET", "/events/?\(query)", token: service.reader)
        #expect(answer.status == 400)
        #expect(answer.object["code"] as? String == "unknown-parameter")
        #expect((answer.object["detail"] as? String)?.contains("did you mean \(meant)?") == true, "\(answer.text)")
    }

    @Test(arguments: [
        ("session_id=abc", "session_id"), ("timestamp=yesterday", "timestamp"), ("limit=0", "limit"),
        ("limit=10001", "limit"), ("limit=x", "limit"), ("limit=1&limit=2", "limit"), ("order=name", "order"),
        ("since=1y", "since"), ("timestamp__gte=1h", "timestamp__gte"), ("session_id=", "session_id"),
    ])
    func badParametersAreRefused(query: String, field: String) throws {
        let service = try ServiceFixture()
        let answer = try service.call("GET", "/events/?\(query)", token: service.reader)
        #expect(answer.status == 400)
        #expect((answer.object[field] as? [String])?.isEmpty == false)
        #expect(answer.object["detail"] is String)
    }

    @Test func repeatedEventIDsAreAnsweredLikeTheFirst() throws {
        let service = try ServiceFixture()
        let body = event().dropLast() + #","event_id":"0A2C9E4F-0000-4000-8000-000000000001"}"#
        let first = try service.call("POST", "/events/", token: service.both, String(body))
        #expect(first.object["event_id"] as? String == "0a2c9e4f-0000-4000-8000-000000000001")
        let second = try service.call("POST", "/events/", token: service.both, String(body))
        #expect(second.status == 201)
        #expect(second.body == first.body)
        #expect(try service.call("GET", "/events/", token: service.both).array.count == 1)
    }

    @Test func textIsUnchanged() throws {
        let service = try ServiceFixture()
        let name = #"\u0000\u001b[31m\ud83d\ude00é\"\\\/"#
        let data = #"{ "k\u0001" : [1.0e5, "\u2028", {"a":"\t"}] , "z":-0}"#
        let posted = try service.call("POST", "/events/", token: service.both, event(name: name, data: data))
        #expect(posted.status == 201)
        #expect(posted.object["name"] as? String == "\0\u{1b}[31m😀é\"\\/")
        #expect(posted.text.contains("\"data\":\(data),"))
        #expect(!posted.body.dropLast().contains { $0 < 0x20 })
        let found = try service.call(
            "GET", "/events/?name=%1B%5B31m", token: service.both)
        #expect(found.text == "[]\n")
    }
}
