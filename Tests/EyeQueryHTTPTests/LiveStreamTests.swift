// GET /events/live: what is told, in which order, from where on, and to whom.

import EyeStore
import EyeSystem
import Foundation
import Testing

@testable import EyeQueryHTTP

@Suite struct LiveStreamTests {
    @Test func everyEventOnceAndInOrderPastSegmentsAndSealing() throws {
        let fixture = try LiveFixture(segmentBytes: 64 << 10)
        try fixture.commit(3)
        let plain = fixture.stream()
        let everything = fixture.stream("after=0")
        let pad = String(repeating: "x", count: 400)
        var last: UInt64 = 3
        for (step, count) in [1, 90, 200, 2, 333, 150].enumerated() {
            try fixture.commit(count, data: "{\"pad\":\"\(pad)\"}")
            last += UInt64(count)
            // The segments that were read a moment ago are sealed, and their log is gone.
            if step % 2 == 1 { try fixture.maintain() }
            #expect(plain.ids == Array(4...last))
        }
        let log = try FileManager.default.contentsOfDirectory(atPath: "\(fixture.folder)/sealed")
        #expect(log.count > 3)
        #expect(everything.ids == Array(1...last))
        #expect(plain.head.contains("\r\nContent-Type: text/event-stream\r\n"))
        #expect(plain.head.contains("\r\nCache-Control: no-store\r\n"))
        #expect(plain.head.contains("\r\nX-Accel-Buffering: no\r\n"))
        #expect(plain.body.hasPrefix("retry: 1000\nid: 3\n\nid: 4\ndata: {\"id\":4,"))
    }

    /// Cut anywhere, the client comes back with the last id it has, and misses and repeats nothing; whether the server is the same or not.
    @Test(arguments: [false, true]) func resumes(restarts: Bool) throws {
        let fixture = try LiveFixture(segmentBytes: 64 << 10)
        var got: [UInt64] = []
        var line = fixture.stream("category=a")
        for step in 0..<8 {
            try fixture.commit(40, category: step % 3 == 2 ? "b" : "a")
            if step % 2 == 0 { continue }
            got += line.ids
            let id = line.lastID ?? ""
            line.line.connection.abort()
            // What comes while nobody listens.
            try fixture.commit(30, category: "a")
            if restarts { try fixture.restart() }
            line =
                step == 3
                ? fixture.stream("category=a&after=\(id)") : fixture.stream("category=a", ["Last-Event-ID: \(id)"])
        }
        got += line.ids
        let list = LiveLine(fixture, "GET /events/?category=a&order=id&limit=10000 HTTP/1.1")
        let all = try JSONSerialization.jsonObject(with: Data(list.body.utf8))
        #expect((all as? [[String: Any]])?.compactMap { $0["id"] as? UInt64 } == got)
        #expect(got.count > 300)
        // A field of a browser goes before the parameter of the URL that it was first given.
        let again = fixture.stream("after=1", ["Last-Event-ID: 3"])
        #expect(again.ids.first == 4)
    }

    /// An id that is not here yet: of another store, or of events that were lost with their disk.
    @Test func anIDAheadOfTheNewestEvent() throws {
        let fixture = try LiveFixture()
        try fixture.commit(5)
        let line = fixture.stream("", ["Last-Event-ID: 900"])
        #expect(line.events == [LiveLine.Event(id: "5", type: "reset", data: #"{"after":900,"newest":5}"#)])
        try fixture.commit(1)
        #expect(line.ids == [6])
    }

    @Test func sinceBeginsWithWhatIsThere() throws {
        let fixture = try LiveFixture()
        let now = fixture.clock.nowMicroseconds()
        try fixture.commit(2, timestamp: now - 7_200_000_000)
        try fixture.commit(2, timestamp: now - 60_000_000)
        let line = fixture.stream("since=1h")
        #expect(line.ids == [3, 4])
        try fixture.commit(1, timestamp: now)
        try fixture.commit(1, timestamp: now - 7_200_000_000)
        #expect(line.ids == [3, 4, 5])
        // Who comes back has it behind him: an hour ago is another moment now.
        let again = fixture.stream("since=1h", ["Last-Event-ID: 4"])
        #expect(again.ids == [5, 6])
        #expect(fixture.stream("since=2023-11-14T21:20:00Z&after=3").ids == [4, 5])
    }

    @Test func filtersAndFields() throws {
        let fixture = try LiveFixture()
        let line = fixture.stream("category=a&data.n__gt=5&fields=id,data.n")
        try fixture.commit(1, category: "b", data: #"{"n":7}"#)
        try fixture.commit(1, category: "a", data: #"{"n":5}"#)
        try fixture.commit(1, category: "a", data: #"{"n":6}"#)
        #expect(line.events == [LiveLine.Event(id: "3", data: #"{"id":3,"data.n":6}"#)])
        let limited = fixture.stream("after=0&limit=2")
        #expect(limited.ids == [1, 2] && limited.isWhole)
        #expect(limited.line.connection.isIdle)
    }

    @Test(arguments: [
        ("sessiond_id=1", "did you mean session_id?"), ("cursor=1", "Unknown parameter \\\"cursor\\\""),
        ("after=x", "\"after\":[\"The id of an event"), ("after=1.", "\"after\":["), ("after=1.2.3", "\"after\":["),
        ("after=9223372036854775808", "\"after\":["), ("after=", "\"after\":["), ("after=1&after=2", "only once"),
        ("format=csv", "Choose sse or ndjson."), ("include=all", "Choose accepted, rejected"),
        ("include=accepted,", "Choose accepted, rejected"), ("limit=0", "A whole number from 1 to"),
        ("timestamp=x&fields=nothing", "Unknown field"),
    ])
    func wrongParameters(query: String, message: String) throws {
        let fixture = try LiveFixture()
        let line = fixture.stream(query)
        #expect(line.status == 400 && line.line.text.contains(message), "\(line.line.text)")
        #expect(fixture.feed.count == 0)
    }

    @Test func wrongLastEventID() throws {
        let fixture = try LiveFixture()
        #expect(fixture.stream("", ["Last-Event-ID: abc"]).status == 400)
        #expect(fixture.stream("", ["Last-Event-ID: 1", "Last-Event-ID: 2"]).status == 400)
        #expect(fixture.stream("", ["Last-Event-ID: "]).status == 200)
    }

    @Test func linesOfJSON() throws {
        let fixture = try LiveFixture()
        let accepts = [
            "application/x-ndjson", "text/html, Application/JSONL;q=0.5", "application/x-ndjson, */*",
            "text/event-stream;q=0.4, application/x-ndjson;q=0.5", "text/event-stream;q=0, */*;q=0.1",
            "application/*, text/*;q=0.999", "text/event-stream ; charset=utf-8 ; Q=0.1, application/jsonl;q=1.000",
        ]
        let lines =
            accepts.map { fixture.stream("", ["Accept: \($0)"]) }
            + [fixture.stream("format=ndjson", ["Accept: text/event-stream"])]
        let events = [
            "*/*", "application/x-ndjson, text/event-stream", "text/html", "application/x-ndjson;q=0",
            "application/x-ndjson;q=0.5, */*", "application/x-ndjson;q=0.4, text/*;q=0.5",
            "application/*, application/x-ndjson;q=0, application/jsonl;q=0.0, application/ndjson;q=0.000",
            // No weights.
            "application/x-ndjson;q=1.5, text/event-stream;q=x", "text/event-stream;q=0.0001, application/x-ndjson",
        ].map { fixture.stream("", ["Accept: \($0)"]) }
        try fixture.commit(2)
        for line in lines {
            #expect(line.head.contains("\r\nContent-Type: application/x-ndjson\r\n"))
            #expect(line.body.hasPrefix("{\"id\":1,") && line.body.split(separator: "\n").count == 2)
        }
        for line in events { #expect(line.ids == [1, 2]) }
    }

    /// White space of a document ends no line of a stream.
    @Test func aCarriageReturnEndsNothing() throws {
        let fixture = try LiveFixture()
        let line = fixture.stream("fields=data")
        try fixture.commit(1, data: "{\"a\":\r\r1,\r\"b\":\"\\r\"}")
        #expect(line.body.hasSuffix("\nid: 1\ndata: {\"data\":{\"a\":  1, \"b\":\"\\r\"}}\n\n"))
    }

    // MARK: Time

    @Test func aCommentWhenThereIsNothingToSay() throws {
        let fixture = try LiveFixture()
        let events = fixture.stream("category=none")
        let lines = fixture.stream("category=none&format=ndjson")
        try fixture.commit(3)
        fixture.clock.advance(milliseconds: 14_999)
        fixture.feed.poll()
        #expect(events.body == "retry: 1000\nid: 0\n\n" && lines.body.isEmpty)
        fixture.clock.advance(milliseconds: 1)
        fixture.feed.poll()
        // It tells where the stream is, so that nobody comes back to what was looked at already.
        #expect(events.body == "retry: 1000\nid: 0\n\n: \nid: 3\n\n")
        #expect(lines.body == "\n")
        fixture.feed.poll()
        fixture.clock.advance(milliseconds: 14_999)
        fixture.feed.poll()
        #expect(lines.body == "\n")
        try fixture.commit(1, category: "none")
        fixture.clock.advance(milliseconds: 14_999)
        fixture.feed.poll()
        #expect(events.ids == [4] && lines.body.hasPrefix("\n{\"id\":4,") && lines.body.hasSuffix("}\n"))
    }

    // MARK: Slow clients

    @Test func whoIsTooSlowIsToldWhatItMisses() throws {
        let fixture = try LiveFixture(behindMax: 1000)
        let pad = String(repeating: "x", count: 1000)
        let slow = fixture.stream("category=a&fields=id,name,data.k")
        try fixture.commit(2, category: "a")
        #expect(slow.ids == [1, 2])
        let fast = fixture.stream("category=b")
        // It takes nothing more: what was made for it waits, and nothing is added.
        for _ in 0..<13 {
            try fixture.commit(60, category: "a", data: "{\"k\":\"\(pad)\"}")
            try fixture.commit(40, category: "b")
            slow.line.settle(taking: false)
            #expect(slow.line.connection.pendingOutput < HTTPLimits.outputBytesMax + 2000)
            _ = fast.ids
        }
        #expect(fast.ids.count == 520)
        let shown = slow.ids
        let lagged = try #require(slow.data("lagged").first)
        let object = try #require(try JSONSerialization.jsonObject(with: Data(lagged.utf8)) as? [String: Any])
        let first = try #require(object["first"] as? UInt64)
        let last = try #require(object["last"] as? UInt64)
        #expect(last == 1302 && first > 60 && first == (shown.last ?? 0) + 1 && slow.data("lagged").count == 1)
        #expect(slow.lastID == "1302")
        // Nothing but these is at the address that it was told.
        let target = try #require(object["get"] as? String)
        let missed = LiveLine(fixture, "GET \(target) HTTP/1.1").body.split(separator: "\n").compactMap { line in
            UInt64(line.dropFirst("{\"id\":".count).prefix { $0.isNumber })
        }
        let wanted = (UInt64(3)...1302).filter { ($0 - 3) % 100 < 60 }
        let isEach = shown.dropFirst(2) + missed == wanted
        #expect(isEach)
        // And it goes on.
        try fixture.commit(1, category: "a")
        #expect(slow.ids.last == 1303)
        #expect(fixture.feed.laggedCount == 1 && fixture.feed.skippedCount == UInt64(last - first + 1))
    }

    /// Who begins far behind is not slow for that: everything comes.
    @Test func whoCatchesUpMissesNothing() throws {
        let fixture = try LiveFixture(behindMax: 100)
        try fixture.commit(3000)
        let line = fixture.stream("after=0")
        #expect(line.ids == Array(1...3000))
        try fixture.commit(90)
        #expect(line.ids == Array(1...3090))
    }

    /// Events come faster than they are looked at: whoever takes all that is found for it misses nothing, as long as that takes.
    @Test func whoTakesEverythingIsNeverTooSlow() throws {
        let fixture = try LiveFixture(behindMax: 100)
        let rare = fixture.stream("category=rare&fields=id,name")
        let all = fixture.stream("fields=id,name,data.k")
        try fixture.commit(1)
        let pad = String(repeating: "x", count: 1000)
        #expect(all.ids == [1] && rare.ids.isEmpty)
        // The loop has no time for them between these looks, nor for a part of what there is.
        for _ in 0..<5 { try fixture.commit(200, data: "{\"k\":\"\(pad)\"}") }
        all.line.connection.advance(now: all.line.now, wallMicroseconds: 0)
        all.line.take()
        try fixture.commit(200, data: "{\"k\":\"\(pad)\"}")
        try fixture.commit(1, category: "rare")
        #expect(rare.ids == [1202] && rare.data("lagged").isEmpty)
        #expect(all.ids == Array(1...1202) && all.data("lagged").isEmpty)
        #expect(fixture.feed.laggedCount == 0)
    }

    /// An answer may rest a minute, not for ever.
    @Test func whoTakesNothingIsCutInTheEnd() throws {
        let fixture = try LiveFixture()
        let line = fixture.stream("after=0")
        try fixture.commit(300, data: "{\"a\":\"\(String(repeating: "x", count: 1000))\"}")
        line.line.settle(taking: false)
        line.line.now += 59_000 * 1_000_000
        #expect(!line.line.connection.isExpired(now: line.line.now, wallMicroseconds: 0))
        line.line.now += 1_000 * 1_000_000
        #expect(line.line.connection.isExpired(now: line.line.now, wallMicroseconds: 0))
        line.line.connection.abort()
        #expect(fixture.feed.count == 0)
    }

    // MARK: Refused events

    @Test func refusedEvents() throws {
        let fixture = try LiveFixture()
        try fixture.refuse(3)
        try fixture.commit(2)
        let both = fixture.stream("include=accepted,rejected")
        let refused = fixture.stream("include=rejected&format=ndjson")
        let accepted = fixture.stream("include=accepted")
        try fixture.refuse(1, code: "bad-time")
        #expect(both.events.count == 1)
        try fixture.commit(1)
        #expect(both.events.count == 2)
        try fixture.refuse(1)
        #expect(both.events.map(\.id) == ["2.4", "3.4", "3.5"])
        #expect(both.events.map(\.type) == ["rejected", "message", "rejected"])
        let sample = #"{"id":4,"code":"bad-time","message":"m","data":"line 0","created_at":"#
        #expect(both.data("rejected").first?.hasPrefix(sample) == true)
        #expect(refused.body.split(separator: "\n").count == 2)
        #expect(refused.body.hasPrefix("{\"rejected\":\(sample)") && refused.body.hasSuffix("}}\n"))
        #expect(accepted.events.map(\.id) == ["3"])
    }

    /// Those that came while nobody listened, and more than the feed keeps, come from the files.
    /// A stream ends with the store that it began with, also one that waits: its client comes again and misses nothing.
    @Test func endsWithItsStore() throws {
        let fixture = try LiveFixture()
        let line = fixture.stream("after=0")
        try fixture.commit(3)
        #expect(line.ids == [1, 2, 3] && !line.isWhole)
        try fixture.loseWatermark()
        #expect(line.ids == [1, 2, 3] && line.isWhole && line.line.connection.isIdle)
        let again = fixture.stream("", ["Last-Event-ID: \(line.lastID ?? "")"])
        try fixture.commit(2)
        #expect(again.ids == [4, 5] && !again.isWhole)
    }

    @Test func refusedEventsResume() throws {
        let fixture = try LiveFixture()
        let first = fixture.stream("include=accepted,rejected")
        try fixture.refuse(2)
        let id = try #require(first.lastID)
        #expect(id == "0.2")
        first.line.connection.abort()
        try fixture.refuse(3)
        try fixture.commit(2)
        try fixture.restart()
        let again = fixture.stream("include=accepted,rejected", ["Last-Event-ID: \(id)"])
        #expect(again.events.map(\.type) == ["rejected", "rejected", "rejected", "message", "message"])
        let slow = fixture.stream("include=rejected")
        try fixture.refuse(HTTPLimits.liveRejectedMax + 50)
        try fixture.refuse(1)
        for line in [again, slow] {
            let numbers = line.data("rejected").compactMap { UInt64($0.dropFirst(6).prefix { $0.isNumber }) }
            #expect(numbers.suffix(307) == ArraySlice(6...312))
        }
        // Before everything.
        #expect(fixture.stream("include=accepted,rejected&after=0").data("rejected").count == 312)
        #expect(fixture.stream("include=rejected&after=0&limit=1").events.map(\.id) == ["0.1"])
        // An id of a stream without them says nothing about them: they begin now.
        #expect(fixture.stream("include=accepted,rejected&after=1").events.map(\.type) == ["message"])
    }

    // MARK: What is not there

    @Test func damageIsTold() throws {
        let fixture = try LiveFixture()
        for number in 1...5 {
            try fixture.commit(1, data: "{\"n\":\(number),\"pad\":\"\(String(repeating: "x", count: 1000))\"}")
        }
        let path = "\(fixture.folder)/log/00000000000000000001.log"
        var bytes = try Data(contentsOf: URL(filePath: path))
        let place = try #require(bytes.range(of: Data("\"n\":3,".utf8))).upperBound + 500
        bytes[place] ^= 16
        let file = try FileHandle(forUpdating: URL(filePath: path))
        try file.seek(toOffset: UInt64(place))
        try file.write(contentsOf: bytes[place..<(place + 1)])
        try file.close()
        let line = fixture.stream("after=0")
        #expect(line.ids == [1, 2, 4, 5])
        #expect(line.data("damage") == [#"{"first":3,"last":3}"#])
        try fixture.commit(1)
        #expect(line.ids.last == 6 && line.data("damage").count == 1)
        #expect(fixture.stream("after=3").data("damage").isEmpty)
        #expect(fixture.stream("after=2&format=ndjson").body.contains("{\"damage\":{\"first\":3,\"last\":3}}\n"))
    }

    /// What retention has dropped while nobody listened is missed, and named.
    @Test func retentionIsTold() throws {
        let fixture = try LiveFixture(segmentBytes: 64 << 10, retainBytes: 150_000)
        for _ in 0..<40 {
            let pad = (0..<25).map { _ in UUID().uuidString }.joined()
            try fixture.commit(10, data: "{\"pad\":\"\(pad)\"}")
        }
        try fixture.drop()
        let kept = try #require(fixture.feed.snapshot?.firstKeptEventID)
        #expect(kept > 5 && kept < 400)
        let line = fixture.stream("after=3")
        #expect(line.data("lagged") == [#"{"first":4,"last":\#(kept - 1),"get":null}"#])
        #expect(line.ids == Array(kept..<401))
        #expect(fixture.feed.laggedCount == 0)
        let oldest = fixture.stream("after=0")
        #expect(oldest.data("lagged").isEmpty && oldest.ids == Array(kept..<401))
    }

    // MARK: Ends

    @Test func itEndsWithItsClient() throws {
        let fixture = try LiveFixture()
        let closed = fixture.stream()
        let reset = fixture.stream()
        #expect(fixture.feed.count == 2 && closed.line.connection.watchesHalfClose)
        closed.line.connection.noteHalfClose(now: closed.line.now)
        closed.line.settle()
        #expect(fixture.feed.count == 1 && closed.isWhole)
        reset.line.connection.abort()
        #expect(fixture.feed.count == 0)
        // It was closed before the answer began.
        let early = Line()
        early.responder.makeExchange = closed.line.responder.makeExchange
        early.connection.noteHalfClose(now: early.now)
        early.send("GET /events/live HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(early.text.hasSuffix("\r\n\r\n0\r\n\r\n") && fixture.feed.count == 0)
    }

    @Test func itEndsWithTheService() throws {
        let fixture = try LiveFixture()
        let waiting = fixture.stream()
        let old = fixture.stream(version: "1.0")
        try fixture.commit(1)
        for line in [waiting, old] {
            #expect(line.body.contains("data: {\"id\":1,"))
            line.line.connection.drain()
            line.line.settle()
            #expect(line.line.connection.isClosing)
        }
        #expect(waiting.isWhole && !old.line.text.contains("Transfer-Encoding") && old.line.text.hasSuffix("}\n\n"))
        #expect(fixture.feed.count == 0)
    }

    @Test func aHeadHasNoStream() throws {
        let fixture = try LiveFixture()
        let line = fixture.stream(method: "HEAD")
        #expect(line.status == 200 && line.head.contains("text/event-stream") && line.line.connection.isIdle)
        #expect(fixture.feed.count == 0)
    }

    @Test func thereAreOnlySoMany() throws {
        let fixture = try LiveFixture()
        var lines = (0..<HTTPLimits.liveStreamsMax).map { _ in fixture.stream() }
        let more = fixture.stream()
        #expect(more.status == 503 && more.line.text.contains("\"code\":\"overloaded\""))
        #expect(more.head.contains("\r\nRetry-After: "))
        try fixture.commit(1)
        #expect(lines.allSatisfy { $0.ids == [1] })
        lines.removeLast().line.connection.abort()
        #expect(fixture.stream().status == 200)
    }
}
