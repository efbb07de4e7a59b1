// The pure parts: parameters, cursors, suggestions, dates, routes, the login limiter.

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
        #expect(query.earliest == now - hour)
        #expect(query.latest == now - hour / 2 - 1)
        let zone = try EventQuery(Self.parameters("timestamp=2021-11-12T12:30:06.902847+02:00"), now: now)
        let utc = try EventQuery(Self.parameters("timestamp=2021-11-12 10:30:06.902847"), now: now)
        #expect(zone.timestamps == utc.timestamps)
        #expect(zone.timestamps.count == 1)
    }

    @Test func cursorsComeBackUnchangedOrNotAtAll() throws {
        let parameters = try Self.parameters("category=a&limit=7")
        let cursor = PageCursor(
            upper: UInt64.max, last: 0x0123_4567_89AB_CDEF, now: -1, fingerprint: PageCursor.fingerprint(parameters))
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
        #expect(try PageCursor.fingerprint(Self.parameters("limit=9&category=a&cursor=x")) == cursor.fingerprint)
        #expect(try PageCursor.fingerprint(Self.parameters("category=b")) != cursor.fingerprint)
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
            let path = route.rawValue.replacing("{id}", with: "7")
            let trimmed = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
            for one in [trimmed, trimmed == "/" ? "/" : trimmed + "/"] {
                let found = Route.find(Array(one.utf8)[...])
                #expect(found?.route == route)
                #expect(found?.id == (route.rawValue.contains("{id}") ? 7 : nil))
            }
        }
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
        let budget = BodyBudget()
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
