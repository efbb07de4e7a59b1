// Statistics and sessions over HTTP: shapes, scopes, wrong parameters, progress. That the numbers are right is EyeStoreTests' business.

import Foundation
import Testing

@testable import EyeQueryHTTP

@Suite struct StatsEndpointTests {
    private static let session = "e2085be5-9137-4e4e-80b5-f1ffddc25423"

    private static func event(
        _ category: String, _ name: String, _ data: String, second: Int, session: String = session
    ) -> String {
        #"{"session_id":"\#(session)","category":"\#(category)","name":"\#(name)","data":\#(data),"timestamp":"2021-01-01T00:00:\#(second)Z"}"#
    }

    private static func service() throws -> ServiceFixture {
        let service = try ServiceFixture()
        let other = session.replacing("23", with: "24")
        let lines = [
            event("commerce", "page view", #"{"plan":"pro","n":5}"#, second: 10),
            event("commerce", "signup", #"{"plan":"pro","n":"5"}"#, second: 14),
            event("page", "page view", #"{"plan":"free"}"#, second: 12, session: other),
            event("page", "scroll", #"{"x":1}"#, second: 40),
        ]
        let answer = try service.call(
            "POST", "/events/", token: service.both, type: "application/x-ndjson", lines.joined(separator: "\n"))
        #expect(answer.status == 201)
        return service
    }

    @Test(arguments: [
        ("count", #"{"count":4}"#),
        ("count?category=commerce", #"{"count":2}"#),
        (
            "count?by=category&by=name",
            #"{"count":4,"missing":0,"groups":[{"category":"commerce","name":"page view","count":1},{"category":"commerce","name":"signup","count":1},{"category":"page","name":"page view","count":1},{"category":"page","name":"scroll","count":1}]}"#
        ),
        (
            "count/?by=data.plan",
            #"{"count":4,"missing":1,"groups":[{"data.plan":"pro","count":2},{"data.plan":"free","count":1}]}"#
        ),
        (
            "hits?step=10s&by=category",
            #"{"step":"10s","count":4,"missing":0,"buckets":[{"start":"2021-01-01T00:00:10.000000Z","count":3},{"start":"2021-01-01T00:00:20.000000Z","count":0},{"start":"2021-01-01T00:00:30.000000Z","count":0},{"start":"2021-01-01T00:00:40.000000Z","count":1}],"series":[{"category":"commerce","count":2,"counts":[2,0,0,0]},{"category":"page","count":2,"counts":[1,0,0,1]}]}"#
        ),
        (
            "hits?since=2021-01-01T00:00:00Z&until=2021-01-01T03:00:00Z",
            #"{"step":"1h","count":4,"buckets":[{"start":"2021-01-01T00:00:00.000000Z","count":4},{"start":"2021-01-01T01:00:00.000000Z","count":0},{"start":"2021-01-01T02:00:00.000000Z","count":0}]}"#
        ),
        ("hits?name=none", #"{"step":"1h","count":0,"buckets":[]}"#),
        (
            "hits?step=1w&name=scroll",
            #"{"step":"1w","count":1,"buckets":[{"start":"2020-12-28T00:00:00.000000Z","count":1}]}"#
        ),
        (
            "top?field=data.n",
            #"{"field":"data.n","count":4,"missing":2,"values":1,"top":[{"value":"5","count":2}]}"#
        ),
        (
            "top?field=session_id&limit=1",
            #"{"field":"session_id","count":4,"missing":0,"values":2,"top":[{"value":"e2085be5-9137-4e4e-80b5-f1ffddc25423","count":3}]}"#
        ),
        ("uniq", #"{"sessions":2,"events":4}"#),
        (
            "uniq?by=name&category__ne=page",
            #"{"sessions":1,"events":2,"missing":0,"groups":[{"name":"page view","sessions":1},{"name":"signup","sessions":1}]}"#
        ),
        (
            "funnel?step=name:page%20view&step=category:commerce;data.plan:pro&window=1h",
            #"{"mode":"ordered","window":"1h","events":4,"steps":[{"step":"name:page view","sessions":2,"dropped":0,"of_previous":1,"of_first":1,"median_seconds":null,"median_seconds_from_first":null},{"step":"category:commerce;data.plan:pro","sessions":1,"dropped":1,"of_previous":0.5,"of_first":0.5,"median_seconds":4,"median_seconds_from_first":4}]}"#
        ),
        (
            "funnel?mode=strict&step=name:page%20view&step=name:scroll&timeout=5m",
            #"{"mode":"strict","window":null,"events":4,"steps":[{"step":"name:page view","sessions":2,"dropped":0,"of_previous":1,"of_first":1,"median_seconds":null,"median_seconds_from_first":null},{"step":"name:scroll","sessions":0,"dropped":2,"of_previous":0,"of_first":0,"median_seconds":null,"median_seconds_from_first":null}]}"#
        ),
        (
            "count?since=2021-01-02T00:00:00Z&until=2021-01-01T00:00:00Z&by=name",
            #"{"count":0,"missing":0,"groups":[]}"#
        ),
    ])
    func answers(query: String, text: String) throws {
        let service = try Self.service()
        let answer = try service.call("GET", "/stats/\(query)", token: service.reader)
        #expect(answer.text == text + "\n")
        #expect(answer.status == 200 && answer["content-type"] == "application/json")
        // Lines of progress end with the same.
        let mark = query.contains("?") ? "&" : "?"
        let lines = try service.call("GET", "/stats/\(query)\(mark)progress=1", token: service.reader)
        #expect(lines["content-type"] == "application/x-ndjson" && lines.status == 200)
        let all = lines.text.split(separator: "\n")
        #expect(all.last.map(String.init) == text)
        #expect(all.dropLast().allSatisfy { $0.wholeMatch(of: #/\{"progress":0\.[0-9]{3}\}/#) != nil })
    }

    @Test(arguments: [
        ("count?by=nmae", "by", "did you mean name?"), ("count?by=name&by=name", "by", "name is there twice."),
        ("count?by=name&by=category&by=data.a&by=data.b", "by", "At most 3 fields."),
        ("count?by=data.", "by", "Unknown field"), ("count?timeout=11m", "timeout", "At most 600s."),
        ("count?timeout=5", "timeout", "A span of time is required"), ("count?progress=yes", "progress", "Choose 1"),
        ("hits?step=0s", "step", "A span of time is required"), ("hits?by=name&by=category", "by", "Only one field."),
        ("top", "field", "This field is required."),
        ("top?field=name&limit=10001", "limit", "A whole number from 1 to 10000"),
        ("funnel", "step", "2 to 8 steps are required"), ("funnel?step=name:a", "step", "2 to 8 steps are required"),
        (
            "funnel?step=name:a&step=b", "step",
            "Step 2, \u{201C}b\u{201D}: \u{201C}b\u{201D} has no NAME before it. A filter is NAME:VALUE"
        ),
        ("funnel?step=name&step=name:b", "step", "\u{201C}name\u{201D} has no value. A filter is NAME:VALUE"),
        ("funnel?step=name:a;data.a&step=name:b", "step", "\u{201C}data.a\u{201D} has no value."),
        ("funnel?step=name:a&step=name:b;", "step", "there is no filter before its end, or before a ;."),
        ("funnel?step=name:a&step=", "step", "there is no filter before its end, or before a ;."),
        ("funnel?step=name:a&step=name:b%5C", "step", "there is nothing behind the backslash at its end"),
        ("funnel?step=name:a&step=nmae:b", "step", "Step 2: Unknown parameter \"nmae\"; did you mean name?"),
        ("funnel?step=name:a&step=session_id:b", "step", "Step 2: session_id: \u{201C}b\u{201D} is not a valid UUID."),
        ("funnel?step=name:a&step=name:b&mode=loose", "mode", "Choose ordered or strict."),
        ("count?timestamp__gte=x", "timestamp__gte", "Datetime has wrong format"),
    ])
    func wrongValues(query: String, field: String, message: String) throws {
        let service = try ServiceFixture(ingest: false)
        let answer = try service.call("GET", "/stats/\(query)", token: service.reader)
        #expect(answer.status == 400)
        #expect(answer.object["code"] as? String == "bad-parameter")
        let texts = answer.object[field] as? [String] ?? []
        #expect(texts.contains { $0.contains(message) }, "\(answer.text)")
    }

    @Test(arguments: [
        ("count?catgory=x", "did you mean category?"), ("count?filed=x", "there are"),
        ("top?feild=x", "did you mean field?"),
        ("funnel?windwo=1h", "did you mean window?"), ("hits?stpe=1h", "did you mean step?"),
        ("uniq?mode=strict", "there are"),
    ])
    func unknownParameters(query: String, hint: String) throws {
        let service = try ServiceFixture(ingest: false)
        let answer = try service.call("GET", "/stats/\(query)", token: service.reader)
        #expect(answer.status == 400 && answer.object["code"] as? String == "unknown-parameter")
        #expect((answer.object["detail"] as? String)?.contains(hint) == true, "\(answer.text)")
    }

    @Test(arguments: [
        "/stats/count", "/stats/hits", "/stats/top?field=name", "/stats/uniq", "/stats/funnel", "/sessions/\(session)/",
    ])
    func scopes(target: String) throws {
        let service = try ServiceFixture(ingest: false)
        #expect(try service.call("GET", target).status == 401)
        #expect(try service.call("GET", target, token: service.writer).status == 403)
        #expect(try service.call("POST", target, token: service.both, "{}").status == 405)
        #expect(try service.call("HEAD", target, token: service.reader).body.isEmpty)
    }

    /// Too many values or buckets are told with what to do, in a stream of progress too.
    @Test func tooMany() throws {
        let service = try Self.service()
        let far = Self.event("a", "b", "{\"a\":1}", second: 10).replacing("2021", with: "2001")
        #expect(try service.call("POST", "/events/", token: service.both, far).status == 201)
        let answer = try service.call("GET", "/stats/hits?step=1m", token: service.reader)
        #expect(answer.status == 400 && answer.object["code"] as? String == "too-many-buckets")
        #expect(
            answer.text.contains(
                "From 2001-01-01T00:00:00.000000Z to 2021-01-01T00:00:59.999999Z there are 10519201 buckets"))
        let lines = try service.call("GET", "/stats/hits?step=1m&progress=1", token: service.reader)
        #expect(lines.status == 200)
        #expect(lines.text.split(separator: "\n").last?.contains("\"code\":\"too-many-buckets\"") == true)
    }

    @Test func sessions() throws {
        let service = try Self.service()
        let other = Self.session.replacing("23", with: "24")
        let listed = try service.call("GET", "/sessions/", token: service.reader)
        #expect(listed.array.map { $0["id"] as? String } == [Self.session, other])
        #expect(listed.array.map { $0["events"] as? Int } == [3, 1])
        #expect(listed.array[0]["last_event_at"] as? String == "2021-01-01T00:00:40.000000Z")
        #expect(listed.array.allSatisfy { ($0["created_at"] as? String)?.count == 27 })
        let free = try service.call("GET", "/sessions/?data.plan=free", token: service.reader)
        #expect(free.array.map { $0["id"] as? String } == [other])
        let timeline = try service.call("GET", "/sessions/\(Self.session)?gap=20s", token: service.reader)
        let events = timeline.object["timeline"] as? [[String: Any]] ?? []
        #expect(events.map { $0["name"] as? String } == ["page view", "signup", "scroll"])
        #expect(events.map { $0["gap_seconds"] as? Int } == [nil, 4, 26])
        #expect(events.map { $0["pause"] as? Bool } == [false, false, true])
        #expect(
            try service.call("GET", "/sessions/\(other.replacing("24", with: "99"))/", token: service.reader).status
                == 404)
        let wrong = try service.call("GET", "/sessions/\(other)/?gap=x", token: service.reader)
        #expect(wrong.status == 400 && wrong.text.contains("A span of time is required"))
    }
}
