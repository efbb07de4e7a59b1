// The service as a process sees it: the ingest side that comes and goes, limits, draining, slow and gone clients.

import EyeSystem
import EyeWire
import Foundation
import Testing

@testable import EyeQueryHTTP

private let event =
    #"{"session_id":"e2085be5-9137-4e4e-80b5-f1ffddc25423","category":"c","name":"n","data":{"a":1},"timestamp":"2021-01-01T00:00:00Z"}"#

@Suite struct HTTPServiceTests {
    /// Tokens that are known go on working; nobody can log in.
    @Test func accountsThatGoAwayAreTold() throws {
        let service = try ServiceFixture()
        let accounts = "\(service.folder)/accounts"
        #expect(try service.call("GET", "/-/ready").status == 200)
        try FileManager.default.moveItem(atPath: accounts, toPath: accounts + ".away")
        let ready = try service.call("GET", "/-/ready")
        #expect((ready.object["reasons"] as? [String])?.map { String($0.prefix(12)) } == ["no-accounts:"])
        #expect(try service.call("GET", "/events/", token: service.both).status == 200)
        try FileManager.default.moveItem(atPath: accounts + ".away", toPath: accounts)
        #expect(try service.call("GET", "/-/ready").status == 200)
    }

    @Test func withoutIngestReadsGoOn() throws {
        let service = try ServiceFixture(ingest: false)
        for (target, body) in [("/events/", event), ("/events/", "[\(event)]"), ("/sessions/", nil)] {
            let answer = try service.call("POST", target, token: service.both, body)
            #expect(answer.status == 503)
            #expect(answer.object["code"] as? String == "no-ingest")
            #expect(answer["retry-after"] != nil)
        }
        let lines = try service.call("POST", "/events/", token: service.both, type: "application/x-ndjson", event)
        #expect(lines.status == 503)
        #expect(try service.call("GET", "/events/", token: service.both).text == "[]\n")
        #expect(try service.call("GET", "/sessions/", token: service.both).text == "[]\n")
        #expect(try service.call("GET", "/errors/", token: service.both).text == "[]\n")
        #expect(try service.call("GET", "/-/healthy").status == 200)
        let ready = try service.call("GET", "/-/ready")
        #expect(ready.status == 503)
        #expect((ready.object["reasons"] as? [String])?.contains { $0.hasPrefix("no-ingest") } == true)
        #expect(try service.call("GET", "/metrics").text.contains("\neye_ingest_up 0\n"))
        // It comes, goes, and comes back.
        for _ in 0..<2 {
            try service.startIngest()
            try ServiceFixture.wait("ready") { try service.call("GET", "/-/ready").status == 200 }
            #expect(try service.call("POST", "/events/", token: service.both, event).status == 201)
            service.stopIngest()
            try ServiceFixture.wait("not ready") { try service.call("GET", "/-/ready").status == 503 }
        }
        #expect(try service.call("GET", "/events/", token: service.both).ids == [2, 1])
    }

    @Test func refusalsOfTheIngestSide() throws {
        let service = try ServiceFixture()
        for (reject, status) in [
            (Reject.storageFull, 503), (.overloaded, 503), (.draining, 503), (.io, 503), (.forbidden, 403),
        ] {
            service.ingest?.manners.withLock { $0.refusal = reject }
            let answer = try service.call("POST", "/events/", token: service.both, event)
            #expect(answer.status == status)
            #expect(answer.object["code"] as? String == "\(reject.code)")
            #expect((answer["retry-after"] != nil) == (status == 503))
        }
        service.ingest?.manners.withLock {
            $0.refusal = nil
            $0.hangsUp = true
        }
        // What became of it nobody knows: a text that says "nothing was written" would have it stored twice.
        for (target, type, body, words) in [
            ("/events/", "application/json", event, "the event may have been stored"),
            ("/events/", "application/x-ndjson", event, "the event may have been stored"),
            ("/events/", "application/json", "[\(event)]", "unless it has an event_id"),
            ("/sessions/", "application/json", "", "the session may have been opened"),
        ] {
            // Right after a connection was lost there is none.
            try ServiceFixture.wait(words) {
                let lost = try service.call("POST", target, token: service.both, type: type, body)
                #expect(lost.status == 503)
                #expect(lost.object["code"] as? String == "no-ingest")
                return (lost.object["detail"] as? String)?.contains(words) == true
            }
        }
        service.stopIngest()
        let away = try service.call("POST", "/events/", token: service.both, event)
        #expect((away.object["detail"] as? String)?.contains("is not running") == true, "\(away.text)")
    }

    @Test func metricsAreWellFormed() throws {
        let service = try ServiceFixture()
        _ = try service.call("GET", "/events/", token: service.reader)
        let answer = try service.call("GET", "/metrics")
        #expect(answer["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
        #expect(answer.text.contains("\neye_ingest_up 1\n"))
        #expect(answer.text.contains("\neye_fake 1\n"))
        #expect(answer.text.contains("eye_http_requests_total{route=\"events\"} 1\n"))
        for line in answer.text.split(separator: "\n") where !line.hasPrefix("#") {
            let words = line.split(separator: " ")
            #expect(words.count == 2 && Double(words[1]) != nil, "\(line)")
        }
    }

    /// Events that were refused here are counted, every one; those that the ingest side refused are not: it counts them.
    @Test func refusedEventsAreCounted() throws {
        let service = try ServiceFixture()
        let wrong = event.replacingOccurrences(of: "\"category\"", with: "\"categori\"")
        func post(_ body: String, _ status: Int, type: String = "application/json") throws {
            #expect(try service.call("POST", "/events/", token: service.both, type: type, body).status == status)
        }
        func counts() throws -> [String: Int] {
            var found: [String: Int] = [:]
            for line in try service.call("GET", "/metrics").text.split(separator: "\n") {
                let words = line.split(separator: " ")
                guard let match = words[0].wholeMatch(of: #/eye_http_events_rejected_total\{code="(.+)"\}/#),
                    let count = Int(words[1]), count > 0
                else { continue }
                found[String(match.1)] = count
            }
            return found
        }
        try post(event, 201)
        #expect(try counts() == [:])
        try post("{", 400)
        try post("[\(event),\(wrong)]", 207)
        let many = Array(repeating: "{", count: 30) + [event, wrong]
        try post(many.joined(separator: "\n"), 207, type: "application/x-ndjson")
        let code = try #require(
            try service.call("POST", "/events/", token: service.both, wrong).object["code"] as? String)
        #expect(try counts() == ["bad-json": 31, code: 3])
        service.ingest?.manners.withLock { $0.refusal = .storageFull }
        try post(event, 503)
        #expect(try counts() == ["bad-json": 31, code: 3])
        service.stopIngest()
        try post(event, 503)
        try post("\(event)\n\(event)\n", 503, type: "application/x-ndjson")
        #expect(try counts() == ["bad-json": 31, code: 3, "no-ingest": 3])
    }

    /// What the ingest side's metrics say of room and damage.
    @Test func readinessKnowsOfAFullDisk() {
        func reasons(_ metrics: String) -> (isFull: Bool, notes: Int) {
            let ingest = ReadyExchange.ingest(Array(metrics.utf8))
            return (ingest.isFull, ingest.notes.count)
        }
        #expect(reasons("# HELP eye_store_full x\neye_store_full 1\n") == (true, 0))
        #expect(reasons("eye_store_full 0\neye_store_sealing_failed 1\n") == (false, 1))
        #expect(reasons("eye_rejected_damaged_ranges 2\n") == (false, 1))
        #expect(reasons("eye_rejected_damaged_ranges 0\n") == (false, 0))
    }

    /// One is no plural, and what is missing has no bytes.
    @Test(arguments: [
        (1, 0, "1 damaged place; 'eye verify' names it"), (1, 1, "1 damaged place (1 byte); 'eye verify' names it"),
        (2, 70, "2 damaged places (70 bytes); 'eye verify' lists them"),
    ]) func damageInWords(ranges: Int, bytes: Int, text: String) {
        let metrics = "eye_store_damaged_ranges \(ranges)\neye_store_damaged_bytes \(bytes)\n"
        let ingest = ReadyExchange.ingest(Array("\(metrics)eye_store_damaged_segments 1\n".utf8))
        let segment = "damage: 1 closed segment is damaged and not sealed; 'eye verify' names it"
        #expect(ingest.notes == ["damage: the last start found \(text)", segment])
    }

    @Test func theIndexIsForPeople() throws {
        let service = try ServiceFixture(ingest: false)
        let index = try service.call("GET", "/")
        #expect(index.status == 200)
        #expect((index.object["endpoints"] as? [String: String])?.count == 23)
        #expect(try service.call("HEAD", "/")["content-length"] == "\(index.body.count)")
    }

    @Test(arguments: RequestRefusal.allCases) func everyRefusalIsAProblem(refusal: RequestRefusal) throws {
        let response = Problem(refusal).response
        guard case .bytes(let body) = response.body else { return #expect(Bool(false), "no body") }
        let object = try #require(try JSONSerialization.jsonObject(with: Data(body)) as? [String: Any])
        #expect(Set(object.keys) == ["type", "title", "status", "code", "detail"])
        #expect(object["status"] as? Int == Int(response.status) && object["title"] as? String != "")
        #expect(object["type"] as? String == "urn:the-eye:problem:\(refusal.code)")
        #expect(response.closes)
    }

    @Test func protocolRefusalsAreProblems() throws {
        let service = try ServiceFixture(ingest: false)
        for (request, status) in [
            ("GET / HTTP/2.0\r\n\r\n", 505), ("GET / HTTP/1.1\r\n\r\n", 400), ("\u{16}\u{3}\u{1}", 400),
            ("GET /\(String(repeating: "a", count: 9000)) HTTP/1.1\r\n\r\n", 414),
            ("GET / HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "a", count: 17_000))\r\n\r\n", 431),
            ("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
            ("GET / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n", 417),
            (
                "POST /events/ HTTP/1.1\r\nHost: a\r\nAuthorization: Token \(service.writer)\r\nContent-Type: application/json\r\nContent-Length: 1048577\r\n\r\n",
                413
            ),
            (
                "POST /events/ HTTP/1.1\r\nHost: a\r\nAuthorization: Token \(service.writer)\r\nContent-Type: application/x-ndjson\r\nContent-Length: 67108865\r\n\r\n",
                413
            ),
        ] {
            let client = try service.client()
            try client.send(request)
            let answer = try client.answer()
            #expect(answer.status == status)
            #expect(answer.object["status"] as? Int == status)
            #expect(answer["content-type"] == "application/problem+json")
            #expect(answer["connection"] == "close")
            #expect(client.isEnded())
        }
    }

    @Test func aClientThatOnlySendsGetsItsAnswerToo() throws {
        // As `printf … | nc -N` does.
        let service = try ServiceFixture()
        let client = try service.client()
        try client.send(
            "POST /events/ HTTP/1.1\r\nHost: a\r\nAuthorization: Token \(service.writer)\r\nContent-Type: application/json\r\nContent-Length: \(event.utf8.count)\r\n\r\n\(event)"
        )
        client.endSending()
        #expect(try client.answer().status == 201)
        #expect(client.isEnded())
    }

    @Test func connectionsOverTheLimitAre503() throws {
        let service = try ServiceFixture(ingest: false, connectionsMax: 2)
        // Two that are inside a request: nobody is idle.
        let first = try service.client()
        let second = try service.client()
        try first.send("GET / HTTP/1.1\r\nHo")
        try second.send("GET / HTTP/1.1\r\nHo")
        try ServiceFixture.wait("503") {
            let third = try service.client()
            let answer = try third.answer()
            #expect(answer["retry-after"] != nil)
            return answer.status == 503
        }
        try first.send("st: a\r\n\r\n")
        #expect(try first.answer().status == 200)
        // The first is idle now: it makes room.
        let fourth = try service.client()
        try fourth.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try fourth.answer().status == 200)
        #expect(first.isEnded())
    }

    @Test func manyConnectionsAtATime() throws {
        let service = try ServiceFixture(ingest: false)
        let clients = try (0..<200).map { _ in try service.client() }
        for round in 0..<5 {
            for client in clients { try client.send("GET /-/healthy?\(round) HTTP/1.1\r\nHost: a\r\n\r\n") }
            for client in clients { #expect(try client.answer().status == 200) }
        }
    }

    @Test func stopFinishesWhatIsBeingAnswered() throws {
        let service = try ServiceFixture()
        service.ingest?.manners.withLock { $0.isSilent = true }
        let idle = try service.client()
        try idle.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try idle.answer().status == 200)
        let client = try service.client()
        try client.send(
            "POST /events/ HTTP/1.1\r\nHost: a\r\nAuthorization: Token \(service.writer)\r\nContent-Type: application/json\r\nContent-Length: \(event.utf8.count)\r\n\r\n\(event)"
        )
        try ServiceFixture.wait("the write under way") {
            try service.call("GET", "/-/healthy").status == 200
        }
        let address = try #require(service.service.address)
        let stopping = DispatchGroup()
        let under = service.service
        DispatchQueue.global().async(group: stopping) { under.stop() }
        #expect(idle.isEnded())
        service.ingest?.manners.withLock { $0.isSilent = false }
        #expect(try client.answer().status == 201)
        stopping.wait()
        #expect(throws: (any Error).self) { _ = try Socket.connect(address) }
    }

    @Test func aClientThatGoesAwayLeavesNothingBehind() throws {
        let service = try ServiceFixture()
        let big = event.replacing("{\"a\":1}", with: "{\"a\":\"\(String(repeating: "x", count: 60_000))\"}")
        let body = Array(repeating: big, count: 100).joined(separator: "\n")
        _ = try service.call("POST", "/events/", token: service.both, type: "application/x-ndjson", body)
        for _ in 0..<20 {
            let client = try service.client()
            try client.send(
                "GET /events/?limit=100 HTTP/1.1\r\nHost: a\r\nAuthorization: Token \(service.both)\r\n\r\n")
            // Closed with megabytes unread.
        }
        try ServiceFixture.wait("only the one who asks") {
            try service.call("GET", "/metrics").text.contains("\neye_http_connections 1\n")
        }
    }

    @Test func aWriterThatGoesAwayKeepsTheChannelInOrder() throws {
        let service = try ServiceFixture()
        service.ingest?.manners.withLock { $0.isSilent = true }
        for _ in 0..<5 {
            let client = try service.client()
            try client.send(
                "POST /events/ HTTP/1.1\r\nHost: a\r\nAuthorization: Token \(service.writer)\r\nContent-Type: application/x-ndjson\r\nContent-Length: 100000\r\n\r\n\(event)\n\(event)\n"
            )
            try ServiceFixture.wait("healthy") { try service.call("GET", "/-/healthy").status == 200 }
        }
        service.ingest?.manners.withLock { $0.isSilent = false }
        let named = event.replacing("\"n\"", with: "\"mine\"")
        let answer = try service.call("POST", "/events/", token: service.both, named)
        #expect(answer.status == 201)
        #expect(answer.object["name"] as? String == "mine")
    }

    @Test func aSlowReaderDoesNotHoldOthersUp() throws {
        let service = try ServiceFixture()
        let big = event.replacing("{\"a\":1}", with: "{\"a\":\"\(String(repeating: "x", count: 60_000))\"}")
        let body = Array(repeating: big, count: 100).joined(separator: "\n")
        #expect(
            try service.call("POST", "/events/", token: service.both, type: "application/x-ndjson", body).status == 201)
        // Asks for 6 MB, reads nothing, and goes.
        let slow = try service.client()
        try slow.send("GET /events/?limit=100 HTTP/1.1\r\nHost: a\r\nAuthorization: Token \(service.both)\r\n\r\n")
        for _ in 0..<20 { #expect(try service.call("GET", "/event_detail/1", token: service.both).status == 200) }
        let answer = try slow.answer()
        #expect(answer.array.count == 100)
    }
}
