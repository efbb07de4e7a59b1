// Live streams over real sockets: from a POST to who listens, and how they end.

import EyeStore
import EyeSystem
import Foundation
import Testing

@testable import EyeQueryHTTP

@Suite struct LiveEndpointTests {
    private static let event =
        #"{"session_id":"e2085be5-9137-4e4e-80b5-f1ffddc25423","category":"c","name":"n","data":{"a":1},"timestamp":"2021-01-01T00:00:00Z"}"#

    private static func request(_ service: ServiceFixture, _ query: String = "", version: String = "1.1") -> String {
        "GET /events/live?\(query) HTTP/\(version)\r\nHost: a\r\nAuthorization: Token \(service.reader)\r\n\r\n"
    }

    private static func streams(_ service: ServiceFixture) throws -> Int {
        let line = try service.call("GET", "/metrics").text.split(separator: "\n")
            .first { $0.hasPrefix("eye_http_live_streams ") }
        return Int(line?.split(separator: " ").last ?? "") ?? -1
    }

    @Test func fromAPostToWhoListens() throws {
        let service = try ServiceFixture()
        let client = try service.client()
        try client.send(Self.request(service, "include=accepted,rejected"))
        #expect(try client.answer()["transfer-encoding"] == "chunked")
        #expect(try client.piece() == "retry: 1000\nid: 0.0\n\n")
        for number in 1...3 {
            #expect(try service.call("POST", "/events/", token: service.both, Self.event).status == 201)
            let text = try #require(try client.piece())
            #expect(text.hasPrefix("id: \(number).0\ndata: {\"id\":\(number),") && text.hasSuffix("}\n\n"), "\(text)")
        }
        #expect(try service.call("POST", "/events/", token: service.both, "{}").status == 400)
        let text = try #require(try client.piece())
        #expect(text.hasPrefix("id: 3.1\nevent: rejected\ndata: {\"id\":1,"), "\(text)")
        #expect(!text.contains(service.both))
        #expect(try service.call("GET", "/events/live", token: service.writer).status == 403)
        #expect(try service.call("GET", "/events/live").status == 401)
    }

    @Test func anOldClient() throws {
        let service = try ServiceFixture()
        _ = try service.call("POST", "/events/", token: service.both, Self.event)
        let old = try service.client()
        try old.send(Self.request(service, "after=0&limit=1", version: "1.0"))
        let all = String(decoding: old.rest(), as: UTF8.self)
        #expect(all.contains("\r\nConnection: close\r\n") && !all.contains("Transfer-Encoding"))
        #expect(all.contains("\r\n\r\nretry: 1000\nid: 0\n\nid: 1\ndata: {\"id\":1,") && all.hasSuffix("}\n\n"))
    }

    @Test func itEndsWithItsToken() throws {
        let service = try ServiceFixture()
        let client = try service.client()
        try client.send(Self.request(service))
        #expect(try client.answer().status == 200)
        _ = try client.piece()
        try service.accounts.revokeToken("r")
        // Cut: no last chunk.
        #expect(client.rest().isEmpty)
        #expect(try Self.streams(service) == 0)
    }

    @Test func itEndsWithItsClient() throws {
        let service = try ServiceFixture()
        let closing = try service.client()
        try closing.send(Self.request(service))
        do {
            let gone = try service.client()
            try gone.send(Self.request(service))
            #expect(try gone.answer().status == 200)
            try ServiceFixture.wait("both") { try Self.streams(service) == 2 }
        }
        try ServiceFixture.wait("one to go") { try Self.streams(service) == 1 }
        #expect(try closing.answer().status == 200)
        _ = try closing.piece()
        closing.endSending()
        #expect(try closing.piece() == nil)
        #expect(closing.isEnded())
        #expect(try Self.streams(service) == 0)
    }

    @Test func itEndsWithTheService() throws {
        let service = try ServiceFixture()
        let client = try service.client()
        try client.send(Self.request(service))
        #expect(try client.answer().status == 200)
        _ = try client.piece()
        let stopping = try EyeSystem.Thread.start(name: "stop") { [service = service.service] in service.stop() }
        #expect(try client.piece() == nil)
        #expect(client.isEnded())
        stopping.join()
    }

    /// Megabytes for somebody who does not read: writes and others' reads go on, and nothing is lost.
    @Test func aSlowClientHoldsNobodyUp() throws {
        let service = try ServiceFixture()
        let slow = try service.client()
        let big = Self.event.replacing("{\"a\":1}", with: "{\"a\":\"\(String(repeating: "x", count: 60_000))\"}")
        try slow.send(Self.request(service, "fields=data"))
        #expect(try slow.answer().status == 200)
        let body = String(repeating: big + "\n", count: 50)
        let answer = try service.call("POST", "/events/", token: service.both, type: "application/x-ndjson", body)
        #expect(answer.status == 201)
        #expect(try service.call("GET", "/event_detail/50", token: service.reader).status == 200)
        var found: [Int] = []
        while found.last != 50 {
            // Whole events, one after the other, mostly of x.
            let piece = try #require(try slow.piece()).utf8.filter { $0 != UInt8(ascii: "x") }
            let text = String(decoding: piece, as: UTF8.self)
            found += text.matches(of: #/(?m)^id: (\d+)$/#).compactMap { Int($0.1) }
        }
        #expect(found == Array(0...50))
    }
}
