// The pure parts: parameters, cursors, suggestions, dates, routes, the login limiter.

import EyeStore
import EyeWire
import Testing

@testable import EyeQueryHTTP

@Suite struct ParameterTests {
    private static func parameters(_ text: String) throws -> QueryParameters {
        try QueryParameters(parsing: Array(text.utf8)[...])
    }

    @Test func decodingHappensOnce() throws {
        let all = try Self.parameters("a=%2541&b=1+2&c&=d&e=f=g&&%61=x%26y").all
        #expect(
            all.map { "\($0.name):\($0.text)" } == ["a:%41", "b:1 2", "c:", ":d", "e:f=g", "a:x&y"])
        for bad in ["a=%", "a=%4", "a=%zz", "a=%00", "a=%FF", "%C0%AF"] {
            #expect(throws: QueryParameters.Fault.self) { try Self.parameters(bad) }
        }
        let many = String(repeating: "a=b&", count: HTTPLimits.parametersMax + 1)
        #expect(throws: QueryParameters.Fault.tooMany) { try Self.parameters(many) }
    }

    @Test func relativeAndAbsoluteTimes() throws {
        let now: Int64 = 1_700_000_000_000_000
        let hour: Int64 = 3_600_000_000
        let query = try EventQuery(
            Self.parameters("since=7d&since=1h&until=30m&timestamp__gt=2020-01-01T00:00:00Z"), now: now)
        #expect(query.filter.timestampRange == (now - hour)...(now - hour / 2 - 1))
        let zone = try EventQuery(Self.parameters("timestamp=2021-11-12T12:30:06.902847+02:00"), now: now)
        let utc = try EventQuery(Self.parameters("timestamp=2021-11-12 10:30:06.902847"), now: now)
        #expect(zone.filter.timestamps == utc.filter.timestamps)
        #expect(zone.filter.timestamps.count == 1)
        // Longer ago than there are timestamps: everything.
        let ever = try EventQuery(Self.parameters("since=999999999w"), now: now)
        #expect(ever.filter.timestampRange == Timestamp.earliest...Int64.max)
        #expect(try EventQuery(Self.parameters("since=1h&until=2h"), now: now).filter.isNone)
    }

    /// What is wrong with parameters: code, and messages by field.
    private static func problem(_ text: String) -> (code: String, fields: [String: [String]]) {
        do throws(ProblemError) {
            let parameters = (try? parameters(text)) ?? QueryParameters()
            _ = try EventQuery(parameters, now: 0)
            return ("none", [:])
        } catch {
            let problem = error.problem
            return (problem.code, Dictionary(uniqueKeysWithValues: problem.messages.map { ($0.field, $0.texts) }))
        }
    }

    @Test func everyParameterReachesTheFilter() throws {
        func texts(_ words: String...) -> [[UInt8]] { words.map { Array($0.utf8) } }
        let query = try EventQuery(
            Self.parameters(
                "category=a&category=b&category__ne=c&category__prefix=d&category__contains=e&name=f&name__ne=g"
                    + "&name__prefix=h&name__contains=i&session_id__ne=e2085be5-9137-4e4e-80b5-f1ffddc25423"
                    + "&timestamp__ne=1970-01-01T00:00:01Z&data.x=1&data.x__ne=2&data.x__prefix=3&data.x__contains=4"
                    + "&data.x__gte=5&data.x__gt=6&data.x__lte=7&data.x__lt=z&data.x__exists=true&data.a.b__c=8"
                    + "&fields=name,data.a.b&order=id&limit=9"),
            now: 0)
        #expect(query.filter.categories.equal == texts("a", "b"))
        #expect(query.filter.categories.unequal == texts("c"))
        #expect(query.filter.categories.prefixes == texts("d"))
        #expect(query.filter.categories.parts == texts("e"))
        #expect(query.filter.names.equal == texts("f"))
        #expect(query.filter.names.unequal == texts("g"))
        #expect(query.filter.names.prefixes == texts("h"))
        #expect(query.filter.names.parts == texts("i"))
        #expect(query.filter.otherSessions.count == 1)
        #expect(query.filter.otherTimestamps == [1_000_000])
        #expect(query.filter.data.map(\.path) == texts("x", "a.b__c"))
        let data = try #require(query.filter.data.first)
        #expect(data.text.equal == texts("1"))
        #expect(data.text.unequal == texts("2"))
        #expect(data.text.prefixes == texts("3"))
        #expect(data.text.parts == texts("4"))
        #expect(data.bounds.map(\.text) == texts("5", "6", "7", "z"))
        #expect(data.bounds.map(\.side) == [.atLeast, .above, .atMost, .below])
        #expect(data.exists == true)
        #expect(query.fields == [.name, .path(Array("a.b".utf8))])
        // A member whose name begins, or ends, with an accent of its own.
        let accents = try EventQuery(
            Self.parameters("data.%CC%81x__ne=1&data.x%CC%81=2&fields=data.%CC%81x"), now: 0)
        #expect(accents.filter.data.map(\.path) == texts("\u{301}x", "x\u{301}"))
        #expect(accents.filter.data.first?.text.unequal == texts("1"))
        #expect(accents.fields == [.path(Array("\u{301}x".utf8))])
        #expect(!query.filter.newestFirst)
        #expect(query.limit == 9)
        #expect(try EventQuery(Self.parameters("data.x__exists=0&data.x__exists=1"), now: 0).filter.isNone)
    }

    @Test func everythingWrongIsSaidAtOnce() {
        let found = Self.problem(
            "sessiond_id=1&session_id=2&session_id__ne=3&order=4&limit=0&catgory=5&data.=6&data.n__exists=7&fields=idd,id,id"
                + "&format=xml&count=2&cursor=8")
        #expect(found.code == "unknown-parameter")
        #expect(
            found.fields.keys.sorted() == [
                "count", "cursor", "data.", "data.n__exists", "fields", "format", "limit", "order", "parameters",
                "session_id", "session_id__ne",
            ])
        #expect(found.fields["parameters"]?.count == 2)
        #expect(found.fields["fields"]?.count == 2)
        #expect(Self.problem("order=4").code == "bad-parameter")
        #expect(
            Self.problem("count=1&limit=1&fields=id&format=csv").fields.keys.sorted() == ["fields", "format", "limit"])
        #expect(Self.problem("limit=10001").fields["limit"] != nil)
        #expect(Self.problem("limit=10001&format=csv").code == "none")
        let many = (0...HTTPLimits.fieldsMax).map { "data.f\($0)" }.joined(separator: ",")
        #expect(Self.problem("fields=\(many)").fields["fields"] != nil)
    }

    @Test(
        arguments: [
            ("data.price__get", "data.price__gte"), ("data.a__ltee", "data.a__lte"),
            ("data.a.b__contain", "data.a.b__contains"),
            ("data.a__exist", "data.a__exists"), ("data.a__typename", nil), ("data.__typename", nil),
            ("data.a__x", nil),
        ] as [(String, String?)])
    func operatorsThatWereMistyped(name: String, meant: String?) {
        let found = Self.problem("\(name)=1")
        #expect(found.code == (meant == nil ? "none" : "unknown-parameter"))
        if let meant { #expect(found.fields["parameters"]?.first?.contains("did you mean \(meant)?") == true) }
    }

    /// A cursor of one list is refused by every other one, whatever its parameters.
    @Test func aCursorBelongsToItsList() throws {
        let lists: [(String, (QueryParameters) throws -> Void)] = [
            (Route.events.rawValue, { _ = try EventQuery($0, now: 0) }),
            (Route.sessions.rawValue, { _ = try SessionQuery($0, now: 0) }),
            (Route.errors.rawValue, { _ = try ErrorQuery($0, now: 0, isList: true) { _ in [] } }),
            (Route.erasures.rawValue, { _ = try PageParameters.read(.erasures, $0) }),
            (
                "\(Route.sessionDetail.rawValue) 1 2",
                { _ = try TimelineQuery(ID128(high: 1, low: 2), $0, now: 0) }
            ),
            (
                "\(Route.sessionDetail.rawValue) 1 3",
                { _ = try TimelineQuery(ID128(high: 1, low: 3), $0, now: 0) }
            ),
        ]
        for (owner, _) in lists {
            let cursor = PageCursor(
                upper: 9, last: 3, now: 0,
                fingerprint: PageCursor.fingerprint(owner, try Self.parameters("limit=7")))
            let text = String(decoding: cursor.text, as: UTF8.self)
            for (list, read) in lists {
                let parameters = try Self.parameters("limit=7&cursor=\(text)")
                if list == owner {
                    try read(parameters)
                } else {
                    #expect(throws: ProblemError.self, "\(owner) in \(list)") { try read(parameters) }
                }
            }
        }
    }

    @Test func cursorsComeBackUnchangedOrNotAtAll() throws {
        let parameters = try Self.parameters("category=a&limit=7")
        let cursor = PageCursor(
            upper: UInt64.max, last: 0x0123_4567_89AB_CDEF, now: -1,
            fingerprint: PageCursor.fingerprint("/events/", parameters))
        let text = cursor.text
        #expect(PageCursor(parsing: text) == cursor)
        #expect(text.allSatisfy { ByteClass.isUnreserved($0) })
        for index in text.indices {
            var changed = text
            changed[index] = changed[index] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            // The last digit holds spare bits.
            if PageCursor(parsing: changed) != nil {
                #expect(index == text.count - 1 && PageCursor(parsing: changed) == cursor)
            }
        }
        #expect(PageCursor(parsing: Array(text.dropLast())) == nil)
        #expect(PageCursor(parsing: text + text) == nil)
        // The page size may change from page to page, the filter may not.
        let same = try Self.parameters("limit=9&category=a&cursor=x")
        #expect(PageCursor.fingerprint("/events/", same) == cursor.fingerprint)
        #expect(try PageCursor.fingerprint("/events/", Self.parameters("category=b")) != cursor.fingerprint)
        #expect(PageCursor.fingerprint("/sessions/", parameters) != cursor.fingerprint)
    }

    @Test(
        arguments: [
            ("sessiond_id", "session_id"), ("sesion_id", "session_id"), ("catgeory", "category"), ("nam", "name"),
            ("timestamp__get", "timestamp__gte"), ("xyz", nil), ("", nil), ("q", nil),
        ] as [(String, String?)])
    func suggestions(word: String, nearest: String?) {
        #expect(Suggestion.nearest(to: word, in: EventQuery.known) == nearest)
    }

    @Test func distances() {
        func distance(_ a: String, _ b: String) -> Int { Suggestion.distance(Array(a.utf8), Array(b.utf8)) }
        #expect(distance("", "abc") == 3)
        #expect(distance("abc", "abc") == 0)
        #expect(distance("abc", "acb") == 1)
        #expect(distance("kitten", "sitting") == 3)
    }

    @Test(arguments: [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"), (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        (1_735_689_599, "Tue, 31 Dec 2024 23:59:59 GMT"),
    ])
    func dates(seconds: Int64, text: String) {
        #expect(String(decoding: HTTPDate.format(seconds), as: UTF8.self) == text)
    }

    @Test func everyRouteIsFoundAtItsOwnPath() {
        for route in Route.allCases {
            let session = "00000000-0000-0007-0000-000000000009"
            let path = route.rawValue.replacing("{id}", with: "7").replacing("{session_id}", with: session)
            let trimmed = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
            for one in [trimmed, trimmed == "/" ? "/" : trimmed + "/"] {
                let found = Route.find(Array(one.utf8)[...])
                #expect(found?.route == route)
                #expect(found?.id == (route.rawValue.contains("{id}") ? 7 : nil))
                let named = route.rawValue.contains("{session_id}") ? ID128(high: 7, low: 9) : nil
                #expect(found?.session == named)
            }
        }
        #expect(Route.find(Array("/sessions/abc/".utf8)[...]) == nil)
        #expect(Route.find(Array("/stats/sum".utf8)[...]) == nil)
        #expect(Set(Route.allCases.map(\.label)).count == Route.allCases.count)
    }

    @Test func theLimiterCountsFailuresOnly() {
        var limiter = LoginLimiter()
        let window = HTTPLimits.loginWindowMilliseconds
        for _ in 0..<100 {
            #expect(limiter.begin(user: "a", address: "x", now: 0) == nil)
            limiter.succeed(user: "a", address: "x")
        }
        for _ in 0..<HTTPLimits.loginFailuresPerUserMax {
            #expect(limiter.begin(user: "a", address: "x", now: 0) == nil)
        }
        #expect(limiter.begin(user: "a", address: "y", now: window / 2) == window / 2000)
        #expect(limiter.begin(user: "b", address: "x", now: 0) == nil)
        #expect(limiter.begin(user: "a", address: "y", now: window) == nil)
        for index in 0..<HTTPLimits.loginFailuresPerAddressMax {
            #expect(limiter.begin(user: "u\(index)", address: "z", now: 0) == nil)
        }
        #expect(limiter.begin(user: "new", address: "z", now: 0) != nil)
        limiter.giveBack(user: "u1", address: "z")
        #expect(limiter.begin(user: "new", address: "z", now: 0) == nil)
    }

    @Test func bodiesShareABudget() {
        let budget = BodyBudget(HTTPLimits.bodiesBytesMax)
        #expect(budget.take(HTTPLimits.bodiesBytesMax))
        #expect(!budget.take(1))
        budget.give(1)
        #expect(budget.take(1))
    }

    @Test func linesForTheIngestSideAreLines() {
        let event = ChannelLine.event(token: Array("t".utf8), Array("{\r\n\"a\"\n:1}".utf8)[...])
        #expect(event == Array("t {  \"a\" :1}\n".utf8))
        let report = ChannelLine.reject(
            .badJSON, message: Array("a\"\nb".utf8), data: Array(repeating: 10, count: 10_000)[...], source: "::1",
            token: 3)
        #expect(report.firstIndex(of: 10) == report.count - 1)
        // The longest report is a line that the ingest side takes.
        #expect(report.count <= WireLimits.lineBytesMax)
        let worst = ChannelLine.reject(
            .badUTF8, message: Array(repeating: 1, count: 1000), data: Array(repeating: 1, count: 10_000)[...],
            source: "::1", token: UInt32.max)
        #expect(worst.count <= WireLimits.lineBytesMax)
    }
}
