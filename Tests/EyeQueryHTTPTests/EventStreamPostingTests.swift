// Bodies of lines that break off, and those that are held back: what was stored is said, nothing waits for a clock.

import EyeSystem
import Foundation
import Synchronization
import Testing

@testable import EyeQueryHTTP

@Suite(.timeLimit(.minutes(5))) struct EventStreamPostingTests {
    /// No deadline comes, no tick.
    private final class StillTime: TimeSource {
        func nowMicroseconds() -> Int64 { SystemTime().nowMicroseconds() }
        func monotonicNanoseconds() -> UInt64 { 1_000_000_000 }
    }

    private static func event(_ name: String = "n") -> String {
        #"{"session_id":"e2085be5-9137-4e4e-80b5-f1ffddc25423","category":"c","name":"\#(name)","data":{"a":1},"timestamp":"2021-01-01T00:00:00Z"}"#
            + "\n"
    }

    private static func begin(_ service: ServiceFixture, _ framing: String = "Transfer-Encoding: chunked") throws
        -> TestClient
    {
        let client = try service.client()
        try client.send(
            "POST /events/ HTTP/1.1\r\nHost: a\r\nAuthorization: Token \(service.writer)\r\n"
                + "Content-Type: application/x-ndjson\r\n\(framing)\r\n\r\n")
        return client
    }

    private static func chunk(_ text: String) -> String { "\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n" }

    private static func stored(_ service: ServiceFixture) -> Int? {
        service.ingest?.manners.withLock { $0.events }
    }

    /// An event a chunk, more than a window of them: when it has room again the rest goes on by itself.
    @Test func nobodyWaitsForATick() throws {
        let service = try ServiceFixture(time: StillTime())
        let client = try Self.begin(service)
        let count = HTTPLimits.channelLinesPerRequestMax + 100
        let piece = Self.chunk(Self.event())
        try client.send(String(repeating: piece, count: count) + "0\r\n\r\n")
        let answer = try client.answer()
        #expect(answer.status == 201 && answer.object["accepted"] as? Int == count)
    }

    @Test(arguments: ["half-close", "chunk", "trailer", "size"]) func whatWasStoredIsSaid(how: String) throws {
        let service = try ServiceFixture()
        let isLength = how == "size"
        let client = try Self.begin(service, isLength ? "Content-Length: 100000" : "Transfer-Encoding: chunked")
        let lines = Self.event() + "nonsense\n" + Self.event("b")
        try client.send(isLength ? lines + "{\"sess" : Self.chunk(lines + "{\"sess"))
        switch how {
        case "chunk": try client.send("xyz\r\n")
        case "trailer": try client.send("0\r\nContent-Length: 3\r\n\r\n")
        default: client.endSending()
        }
        let answer = try client.answer()
        #expect(answer.status == 207 && answer["connection"] == "close", "\(answer.text)")
        #expect(answer.object["accepted"] as? Int == 2 && answer.object["rejected"] as? Int == 2)
        let last = (answer.object["results"] as? [[String: Any]] ?? []).last
        #expect(last?["line"] as? Int == 4 && last?["status"] as? Int == 400, "\(answer.text)")
        #expect((last?["detail"] as? String)?.hasSuffix(" This line and what is behind it was not read.") ?? false)
        #expect(Self.stored(service) == 2)
    }

    /// Where nothing was stored the refusal stands for itself, with the counts if anything came.
    @Test func whatStoredNothingIsRefused() throws {
        let service = try ServiceFixture()
        for text in ["", Self.chunk("{\"a")] {
            let client = try Self.begin(service)
            try client.send(text + "xyz\r\n")
            let answer = try client.answer()
            #expect(answer.status == 400 && answer.object["code"] as? String == "bad-request", "\(answer.text)")
            #expect((answer.object["accepted"] as? Int) == (text.isEmpty ? nil : 0))
        }
    }

    @Test func aTokenThatIsRevokedEndsIt() throws {
        let service = try ServiceFixture()
        let client = try Self.begin(service)
        try client.send(Self.chunk(Self.event()))
        try ServiceFixture.wait("the first line") { Self.stored(service) == 1 }
        try service.accounts.revokeToken("w")
        try ServiceFixture.wait("the revocation") {
            try service.call("POST", "/events/", token: service.writer, Self.event()).status == 401
        }
        try client.send(Self.chunk(Self.event()))
        let answer = try client.answer()
        #expect(answer.status == 207 && answer.object["accepted"] as? Int == 1, "\(answer.text)")
        let last = (answer.object["results"] as? [[String: Any]] ?? []).last
        // The second was judged by the ingest side if this one had not heard of the revocation yet.
        let line = last?["line"] as? Int ?? 0
        #expect((2...3).contains(line) && last?["code"] as? String == "bad-token", "\(answer.text)")
        #expect(Self.stored(service) == 1)
    }

    /// A token across the place where a line is cut.
    @Test func aLongLineKeepsNoToken() throws {
        let service = try ServiceFixture()
        let line = String(repeating: "x ", count: 2029) + service.both + String(repeating: " y", count: 100_000) + "\n"
        let answer = try service.call("POST", "/events/", token: service.both, type: "application/x-ndjson", line)
        #expect(answer.object["rejected"] as? Int == 1)
        try ServiceFixture.wait("the sample") {
            try service.call("GET", "/errors/", token: service.both).array.count == 1
        }
        let shown = try service.call("GET", "/errors/", token: service.both).text
        #expect(
            shown.contains("\(service.both.prefix(4))…") && !shown.contains(service.both.prefix(8)),
            "\(shown.suffix(300))")
    }

    /// Who may not read learns nothing of an event of others by its `event_id`.
    @Test func aRepeatedEventShowsNothingOfOthers() throws {
        let service = try ServiceFixture()
        let id = "0d8cde45-0d2f-4b4d-93a2-3d6b1c8c7f11"
        func send(_ secret: String, _ name: String) throws -> Answered {
            let event = Self.event(name).replacing("\"category\"", with: "\"event_id\":\"\(id)\",\"category\"")
            return try service.call("POST", "/events/", token: secret, event)
        }
        let first = try send(service.both, "mine")
        #expect(first.object["name"] as? String == "mine" && first.object["received_at"] != nil)
        // The store of these tests keeps no event_ids: what it answers is what a duplicate is answered.
        service.ingest?.manners.withLock { $0.repeats = 1 }
        let other = try send(service.writer, "yours")
        #expect(other.status == 201 && other.text == "{\"id\":1,\"event_id\":\"\(id)\"}\n", "\(other.text)")
        #expect(try send(service.writer, "mine").object["received_at"] != nil)
        #expect(try send(service.reader, "yours").status == 403)
        #expect(try send(service.both, "yours").object["name"] as? String == "mine")
        // One that is gone is not shown as if it were stored.
        service.ingest?.manners.withLock { $0.repeats = 99 }
        #expect(try send(service.both, "yours").text == "{\"id\":99,\"event_id\":\"\(id)\"}\n")
    }
}
