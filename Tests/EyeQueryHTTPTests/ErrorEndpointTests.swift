// The errors view: filters, pages, summary, and the place of a fault.

import EyeStore
import EyeSystem
import EyeWire
import Foundation
import Testing

@testable import EyeQueryHTTP

@Suite struct ErrorEndpointTests {
    /// 2024-01-01T00:00:00Z and a minute for each sample.
    private static let start: Int64 = 1_704_067_200_000_000
    private static let minute: Int64 = 60_000_000

    private static func sample(
        _ code: String, _ transport: Transport, token: UInt32, _ line: String = "x", minute: Int64 = 0
    ) -> RejectedSample {
        RejectedSample(
            received: start + minute * Self.minute, code: Array(code.utf8), message: Array("m\(minute)".utf8),
            transport: transport.rawValue, source: Array("127.0.0.1".utf8), token: token, line: Array(line.utf8))
    }

    /// Samples with ids from 1 on, written by no service.
    private static func service(_ samples: [RejectedSample]) throws -> ServiceFixture {
        let service = try ServiceFixture(ingest: false)
        let log = try RejectedLog.open(RealDisk(), folder: service.folder)
        let frame = Frame()
        for sample in samples { #expect(frame.appendRejected(sample)) }
        #expect(try log.commit([frame]) == .durable)
        try log.close()
        return service
    }

    /// Whoever may read samples must not find in them what opens more.
    @Test func samplesHaveNoTokens() throws {
        let service = try ServiceFixture()
        let lines = "\(service.both) {\"a\":1}\n{\"token\":\"\(service.both)\"}\n"
        let answer = try service.call("POST", "/events/", token: service.both, type: "application/x-ndjson", lines)
        #expect(answer.object["rejected"] as? Int == 2)
        try ServiceFixture.wait("samples") {
            try service.call("GET", "/errors/", token: service.both).array.count == 2
        }
        let shown = try service.call("GET", "/errors/", token: service.both).text
        #expect(shown.contains("\(service.both.prefix(4))…") && !shown.contains(service.both), "\(shown)")
    }

    private static func four() throws -> ServiceFixture {
        try service([
            sample("bad-json", .tcp, token: 2, minute: 0), sample("bad-time", .http, token: 3, minute: 1),
            sample("bad-json", .udp, token: 3, minute: 2), sample("bad-token", .tcp, token: 0, minute: 3),
        ])
    }

    @Test(arguments: [
        ("", [4, 3, 2, 1]), ("code=bad-json", [3, 1]), ("code=bad-json&code=bad-time", [3, 2, 1]),
        ("transport=tcp", [4, 1]), ("transport=tcp&transport=http", [4, 2, 1]), ("token=3", [3, 2]),
        ("token=r&token=2", [3, 2, 1]), ("token=3&code=bad-json", [3]), ("since=2024-01-01T00:02:00Z", [4, 3]),
        ("until=2024-01-01T00:02:00Z", [2, 1]), ("since=2024-01-01T00:01:00Z&until=2024-01-01T00:02:00Z", [2]),
        ("since=1h", []), ("code=idle", []),
    ])
    func filters(query: String, ids: [Int]) throws {
        let service = try Self.four()
        // Tokens: 1 is the first start's, then `a`, `r`, `w`, `b`.
        #expect(try service.accounts.load().tokens.first { $0.name == "r" }?.id == 3)
        let answer = try service.call("GET", "/errors/?\(query)", token: service.reader)
        #expect(answer.status == 200 && answer.ids == ids)
        // Page by page.
        var found: [Int] = []
        var target: String? = "/errors/?limit=1&\(query)"
        while let page = target {
            let answer = try service.call("GET", page, token: service.reader)
            found += answer.ids
            target = answer.next
        }
        #expect(found == ids)
        let summary = try service.call("GET", "/errors/summary?\(query)", token: service.reader)
        #expect(summary.object["samples"] as? Int == ids.count)
    }

    @Test(arguments: [
        ("code=bad-jsn", "parameters", "code: Did you mean bad-json?"),
        ("transport=tpc", "transport", "Did you mean tcp?"),
        ("token=nobody", "token", "No token has this id or name: nobody."), ("since=x", "since", "Datetime"),
        ("limit=0", "limit", "A whole number"), ("cursor=x", "cursor", "This cursor"),
    ])
    func badParameters(query: String, field: String, text: String) throws {
        let service = try Self.four()
        let answer = try service.call("GET", "/errors/?\(query)", token: service.reader)
        #expect(answer.status == 400 && answer.object["code"] as? String == "bad-parameter")
        #expect((answer.object[field] as? [String])?.first?.hasPrefix(text) == true, "\(answer.text)")
        let unknown = try service.call("GET", "/errors/summary?cod=x", token: service.reader)
        #expect(unknown.object["code"] as? String == "unknown-parameter")
        #expect((unknown.object["detail"] as? String)?.contains("did you mean code?") == true)
    }

    @Test func summary() throws {
        let service = try Self.four()
        let answer = try service.call("GET", "/errors/summary", token: service.reader)
        #expect(
            answer.text == """
                {"samples":4,"since":"2024-01-01T00:00:00.000000Z","codes":[\
                {"code":"bad-json","samples":2,"last_id":3,"last_at":"2024-01-01T00:02:00.000000Z","message":"m2"},\
                {"code":"bad-token","samples":1,"last_id":4,"last_at":"2024-01-01T00:03:00.000000Z","message":"m3"},\
                {"code":"bad-time","samples":1,"last_id":2,"last_at":"2024-01-01T00:01:00.000000Z","message":"m1"}],\
                "transports":[{"transport":"tcp","samples":2},{"transport":"http","samples":1},\
                {"transport":"udp","samples":1}],\
                "tokens":[{"token_id":3,"samples":2},{"token_id":null,"samples":1},{"token_id":2,"samples":1}]}

                """)
        let none = try service.call("GET", "/errors/summary?since=1h", token: service.reader)
        #expect(none.text == "{\"samples\":0,\"since\":null,\"codes\":[],\"transports\":[],\"tokens\":[]}\n")
    }

    /// A token's name may be a number.
    @Test func aNameThatIsANumber() throws {
        let service = try Self.four()
        let id = try service.accounts.addToken(named: "2024", scopes: .ingest).entry.id
        let log = try RejectedLog.open(RealDisk(), folder: service.folder)
        let frame = Frame()
        #expect(frame.appendRejected(Self.sample("bad-json", .tcp, token: id, minute: 4)))
        #expect(try log.commit([frame]) == .durable)
        try log.close()
        try ServiceFixture.wait("the token") {
            try service.call("GET", "/errors/?token=2024", token: service.reader).ids == [5]
        }
    }

    private static let head =
        #"{"session_id":"e2085be5-9137-4e4e-80b5-f1ffddc25423","category":"c","name":"n","data":{"a":1},"timestamp":"#
    private static let long = head + "\"2021-01-01T00:00:00Z\",\"x\":\"" + String(repeating: "y", count: 4096)

    private static let accents = String(repeating: "é", count: 30)

    private static let places: [(String, Transport, String, String?, String?)] = [
        ("bad-time", .tcp, "1234… \(head)\"yesterday\"}", "timestamp", "\"yesterday\"}"),
        ("bad-time", .http, "\(head)\"yesterday\"}", "timestamp", "\"yesterday\"}"),
        ("future-time", .udp, "1234… \(head)\"2024-01-01T00:00:06Z\"}", "timestamp", "\"2024-01-01T00:00:06Z\"}"),
        ("bad-json", .tcp, "1234… {\"a\":,}", nil, ",}"), ("bad-json", .http, "[{},", nil, ""),
        ("missing-field", .http, "{}", "session_id", "}"), ("unknown-field", .http, "{\"q\":1}", nil, "\"q\":1}"),
        ("not-object", .tcp, "1234… 7", nil, "7"),
        // No character is cut, on neither side.
        ("unknown-field", .http, "{\"category\":\"\(accents)\", \"\(accents)\":1}", nil, "\"\(accents.prefix(19))"),
        // Its timestamp was in the past when it came, so it was for another reason.
        ("future-time", .http, "\(head)\"2024-01-01T00:00:01Z\"}", nil, nil), ("bad-token", .tcp, "", nil, nil),
        ("too-long", .http, long, nil, nil), ("bad-json", .http, String(long.prefix(4096)), nil, nil),
        // A line that was cut is no JSON any more, so nothing is known of its members.
        ("unknown-field", .http, String("{\"q\":1,\(long.dropFirst())".prefix(4096)), nil, nil),
    ]

    @Test(arguments: places.indices) func theFaultHasAPlace(index: Int) throws {
        let (code, transport, line, field, here) = Self.places[index]
        let service = try Self.service([Self.sample(code, transport, token: 2, line)])
        let answer = try service.call("GET", "/errors/1", token: service.reader)
        let fault = answer.object["fault"] as? [String: Any]
        #expect((fault != nil) == (here != nil), "\(answer.text)")
        #expect(fault?["field"] as? String == field && fault?["here"] as? String == here, "\(answer.text)")
        if let offset = fault?["offset"] as? Int {
            let kept = Array(line.utf8)
            #expect(String(decoding: kept[offset...], as: UTF8.self).hasPrefix(here ?? "-"))
            let before = try #require(fault?["before"] as? String)
            #expect(String(decoding: kept[..<offset], as: UTF8.self).hasSuffix(before))
        }
    }
}
