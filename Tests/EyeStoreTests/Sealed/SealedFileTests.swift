import EyeSystem
import Foundation
import Testing

@testable import EyeStore

/// Sealing a log segment gives back every event, byte for byte, and an index that says the same as a simple model over the events.
@Suite struct SealedFileTests {
    /// Events like those of a site, `count` of them.
    static func visits(_ count: Int, seed: UInt64) -> [TestEvent] {
        var generator = SeededGenerator(seed: seed)
        let agents = (0..<40).map { "Mozilla/5.0 (X11; Linux \($0)) AppleWebKit/537.36 Chrome/\($0).0.1700.77 Safari" }
        return (0..<count).map { index in
            var event = TestEvent()
            event.received = 1_700_000_000_000_000 + Int64(index) * 977 + Int64(generator.next() % 500)
            event.timestamp = event.received - Int64(generator.next() % 90_000_000)
            event.session = ID128(high: generator.next() % UInt64(count / 9 + 1), low: 0x80b5_f1ff_ddc2_5420)
            event.token = UInt32(generator.next() % 3)
            event.category = ["page view", "asset load", "image view"][Int(generator.next() % 3)]
            event.name = "GET /\(generator.next() % 50)"
            let agent = agents[Int(generator.next() % 40)]
            let path = "/presentations/logstash-\(generator.next() % 300)/images/kibana-\(generator.next() % 5).png"
            let status = [200, 304, 404][Int(generator.next() % 3)]
            event.data =
                "{\"host\":\"www.semicomplete.com\",\"path\":\"\(path)\",\"status\":\(status),"
                + "\"bytes\":\(generator.next() % 300_000),\"referrer\":\"http://\(generator.next()).org/\","
                + "\"user_agent\":\"\(agent)\"}"
            return event
        }
    }

    @Test(arguments: [1, 2, 4096, 4097])
    func eventsComeBack(_ count: Int) throws {
        let fixture = try SealedFixture(Self.visits(count, seed: UInt64(count)))
        let file = try fixture.seal()
        try expectSame(file, fixture.events)
        // Without anybody who knows JSON the data is kept whole.
        try expectSame(try fixture.seal(decomposer: WholeData(), name: "/whole.seg"), fixture.events)
    }

    /// Data in every form that JSON allows, and some that it does not.
    static let nasty: [String] = [
        "{}", "{ }", "{\"a\":1,\"a\":2}", "{\"a\":{\"b\":1},\"a\":{\"c\":[1,2,{\"b\":3}]}}", "{\"a\":{\"b\":{}}}",
        "{\"a\":{\"b\":{\"c\":{\"d\":-0}}}}", "{\"n\":1e5,\"m\":-12,\"o\":-9223372036854775808}",
        "{\"n\":9223372036854775807}", "{\"n\":9223372036854775808}", "{\"n\":007}", "{\"n\":-}",
        " \t{\n\"white\" :\r [ ] , \"space\" : null } \n",
        "{\"esc\\u0061pe\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\ud83d\\ude00\"}",
        "{\"\":\"\"}", "{\"a.b\":1,\"a\":{\"b\":2}}", "{\"Ünïcödé\":\"\u{1F600}\"}",
        "{\"t\":true,\"f\":false,\"z\":null}",
        "[1,2,3]", "\"text\"", "", "{", "{\"a\"", "{\"a\":}", "{\"a\":1}x", "not json at all", "\u{0}\u{1}",
        "{\"deep\":" + String(repeating: "{\"a\":", count: 20) + "1" + String(repeating: "}", count: 21),
        "{\"arrays\":" + String(repeating: "[", count: 40) + String(repeating: "]", count: 40) + "}",
        "{" + (0..<600).map { "\"k\($0)\":\($0)" }.joined(separator: ",") + "}",
        "{\"long\":\"" + String(repeating: "abcdefghij", count: 6500) + "\"}",
        "{\"" + String(repeating: "k", count: 1500) + "\":1}",
        "{\"n\":0}", "{\"n\":-1}", "{\"n\":\"5\"}",
    ]

    @Test func everyFormOfDataComesBack() throws {
        var events: [TestEvent] = []
        var generator = SeededGenerator(seed: 3)
        for round in 0..<30 {
            for data in Self.nasty.shuffled(using: &generator) {
                var event = TestEvent()
                event.data = data
                event.received += Int64(generator.next() % 3)
                event.timestamp = [Int64.min, Int64.max, -1, 0, event.timestamp][Int(generator.next() % 5)]
                event.session = ID128(high: UInt64(round), low: generator.next() % 4)
                event.token = UInt32.max - UInt32(round % 2)
                event.category = ["", "c", "Ünïcödé"][round % 3]
                event.name = String(repeating: "n", count: Int(generator.next() % 500))
                if generator.next() % 2 == 0 { event.eventID = ID128(high: UInt64(round), low: generator.next()) }
                events.append(event)
            }
        }
        let fixture = try SealedFixture(events)
        try expectSame(try fixture.seal(), fixture.events)
    }

    /// Random objects, from a seed that the failure shows.
    @Test(arguments: 0..<3)
    func randomDataComesBack(_ round: Int) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SeededGenerator(seed: seed)
        func value(_ depth: Int) -> String {
            switch generator.next() % (depth > 3 ? 7 : 9) {
            case 0: return "\(Int64(bitPattern: generator.next()) >> Int64(generator.next() % 64))"
            case 1: return "\(generator.next() % 10)"
            case 2: return "\"\(String(generator.next(), radix: 36))\""
            case 3: return "\"word \(generator.next() % 20)\""
            case 4: return ["true", "false", "null", "1.5", "-0.0e3"][Int(generator.next() % 5)]
            case 5: return "[\(generator.next() % 3), {\"x\":1}]"
            case 6: return "\"same\""
            default: return object(depth + 1)
            }
        }
        func object(_ depth: Int) -> String {
            let members = (0..<(generator.next() % 5)).map { _ in
                "\"k\(generator.next() % 6)\"\(generator.next() % 9 == 0 ? " :" : ":")\(value(depth))"
            }
            return "{" + members.joined(separator: generator.next() % 9 == 0 ? ", " : ",") + "}"
        }
        let count = Int(generator.next() % 5000) + 1
        let events = (0..<count).map { _ in
            var event = TestEvent()
            event.data = object(0)
            event.name = "n\(generator.next() % 7)"
            event.session = ID128(high: 0, low: generator.next() % 100)
            return event
        }
        let fixture = try SealedFixture(events)
        try expectSame(try fixture.seal(), fixture.events, "seed \(seed)")
    }

    /// More names than a dictionary has room for: the rest are found and come back all the same.
    @Test func seventyThousandNames() throws {
        let events = (0..<70_000).map { index in
            var event = TestEvent()
            event.name = "name \(index)"
            event.timestamp -= Int64(index) * 3_600_000_000
            event.data = "{\"unique\":\"\(index * 7919)\",\"same\":\"x\"}"
            event.session = ID128(high: UInt64(index % 100), low: 1)
            return event
        }
        let fixture = try SealedFixture(events)
        let file = try fixture.seal()
        try #require(file.isOverfull(.name) && !file.isOverfull(.category))
        #expect(!file.hasCounts)
        let found = try file.allEvents()
        #expect(found == fixture.events)
        try file.checkAll()
    }

    /// A group of more bytes than sealing holds: values are written out early, and found again.
    @Test func longValues() throws {
        var generator = SeededGenerator(seed: 4)
        let events = (0..<150).map { index in
            var event = TestEvent()
            let noise = String(generator.next(), radix: 36)
            event.data =
                "{\"long\":\"\(String(repeating: noise, count: 4_500))\",\"n\":\(index),\"short\":\"\(noise)\"}"
            if index % 40 == 7 { event.data = "[\"\(String(repeating: "whole ", count: 9_000))\"]" }
            event.name = "n\(index)"
            return event
        }
        let total = events.reduce(0) { $0 + $1.data.utf8.count }
        #expect(total > 2 * StoreLimits.sealingGroupBytesMax)
        let fixture = try SealedFixture(events)
        try expectSame(try fixture.seal(), fixture.events)
    }

    /// Sealing stays within its memory, whatever the events are: long values of ever other names, names that nobody had before.
    @Test func memoryIsBounded() throws {
        var generator = SeededGenerator(seed: 6)
        let text = String(repeating: "long value ", count: 5_800)
        let events = (0..<600).map { index in
            var event = TestEvent()
            if index < 300 {
                event.data = "{\"long \(index / 60)\":\"\(text)\(index)\"}"
            } else {
                let members = (0..<300).map { "\"k\(generator.next() % 100_000)-\($0)\":\"v \(generator.next())\"" }
                event.data = "{" + members.joined(separator: ",") + "}"
            }
            event.name = "name \(index)"
            event.timestamp = Int64(bitPattern: generator.next()) >> 8
            return event
        }
        let fixture = try SealedFixture(events)
        let sealer = try fixture.sealer(to: fixture.folder.path + "/a.seg")
        var most = 0
        while try sealer.step() { most = max(most, sealer.cost) }
        #expect(most < 24 << 20, "\(most) bytes")
        let file = try fixture.open()
        // More leaves than a segment has room for: the rest is kept in one piece.
        #expect(file.header.leaves > 1_000 && file.header.leaves <= StoreLimits.leavesPerSegmentMax)
        #expect(try file.allEvents() == fixture.events)
    }

    /// A segment without events, and one whose only records are no events.
    @Test func withoutEvents() throws {
        let fixture = try SealedFixture([]) { frame in
            #expect(frame.appendSession(ID128(high: 5, low: 6), received: 11, token: 3))
            #expect(frame.appendTombstone([10...19, 30...30], received: 12, token: 4))
        }
        let file = try fixture.seal()
        #expect(file.rows == 0 && file.groups == 0 && file.extentCount == 0)
        try file.checkAll()
        let session = try #require(try file.session(ID128(high: 5, low: 6)))
        #expect(!session.entry.hasEvents && session.entry.isOpened && session.entry.firstReceived == 11)
        #expect(session.entry.firstSequence == 1)
        let erasures = try file.erasures()
        #expect(erasures.ids.isEmpty && erasures.sequences.isEmpty && erasures.receipts.count == 0)
        #expect(file.firstSequence == 1 && file.nextSequence == 3 && file.firstEventID == 1 && file.nextEventID == 1)
    }

    // MARK: Erasure

    /// What is left out is gone, from every part, whether it is left out of the log or of a sealed segment; ids stay what they were.
    @Test func whatIsLeftOutIsGone() throws {
        var events = Self.visits(9_000, seed: 11)
        let victim = ID128(high: 0xDEAD_BEEF_DEAD_BEEF, low: 0x1234_5678_9ABC_DEF0)
        for index in stride(from: 17, to: 9_000, by: 401) {
            events[index].session = victim
            events[index].name = "only of the victim"
            events[index].data = "{\"host\":\"www.semicomplete.com\",\"secret\":\"victim value \(index)\"}"
        }
        events[5].eventID = victim
        let fixture = try SealedFixture(events)
        var omission = SealedOmission()
        for event in fixture.events where event.session == victim { omission.events.insert(event.id...event.id) }
        omission.sequences.insert(18)
        omission.events.insert(4_000...8_200)
        omission.events.insert(6...6)
        let kept = fixture.events.filter { !omission.events.contains($0.id) }
        let whole = try fixture.seal()
        for file in [try fixture.seal(omission, name: "/c.seg"), try fixture.seal(whole, omission)] {
            try expectSame(file, kept)
            #expect(try file.session(victim) == nil)
            #expect(file.nextEventID == 9_001)
            #expect(try file.row(ofEventID: 5_000) == nil && file.row(ofEventID: 1) == 0)
        }
        for name in ["/b.seg", "/c.seg"] {
            let bytes = try #require(FileManager.default.contents(atPath: fixture.folder.path + name))
            #expect(bytes.range(of: Data("victim".utf8)) == nil)
            #expect(bytes.range(of: Data([0xDE, 0xAD, 0xBE, 0xEF, 0xDE, 0xAD, 0xBE, 0xEF])) == nil)
        }
        // All of it.
        omission.events.insert(1...9_000)
        omission.sequences.insert(1...9_000)
        let empty = try fixture.seal(whole, omission, name: "/d.seg")
        #expect(empty.rows == 0 && empty.sessionCount == 0 && empty.nextEventID == 9_001)
        try empty.checkAll()
    }

    /// A session whose events are erased stays, unless the record by which it came to be is erased too; then it goes with its last event.
    @Test func sessionsOfWhatIsErased() throws {
        let opened = ID128(high: 9, low: 9)
        let other = ID128(high: 8, low: 8)
        var events = Self.visits(20, seed: 5)
        events[3].session = opened
        events[6].session = other
        events[9].session = other
        let fixture = try SealedFixture(events) { #expect($0.appendSession(opened, received: 7, token: 1)) }
        let whole = try fixture.seal()
        #expect(try whole.session(opened)?.entry.events == 1)
        func both(_ omission: SealedOmission) throws -> [SealedFile] {
            [try fixture.seal(omission, name: "/c.seg"), try fixture.seal(whole, omission)]
        }
        var omission = SealedOmission()
        omission.events.insert(4)
        omission.events.insert(7)
        for file in try both(omission) {
            let entry = try #require(try file.session(opened)?.entry)
            #expect(!entry.hasEvents && entry.firstSequence == 1 && entry.firstReceived == 7 && entry.isOpened)
            #expect(try file.session(other)?.entry.events == 1 && file.session(other)?.entry.firstSequence == 8)
        }
        omission.events.insert(10)
        for file in try both(omission) { #expect(try file.session(other)?.entry.hasEvents == false) }
        omission.sequences.insert(1)
        omission.sequences.insert(8)
        for file in try both(omission) {
            #expect(try file.session(opened) == nil && file.session(other) == nil)
            #expect(file.rows == 17)
        }
    }

    /// A tombstone leaves a receipt, and nothing that is still to be hidden.
    @Test func receipts() throws {
        let fixture = try SealedFixture(Self.visits(50, seed: 1))
        let writer = try StoreWriter.open(
            RealDisk(), folder: fixture.folder.path, options: .test(segmentBytes: 4 << 30), time: TestTime())
        let frame = Frame()
        #expect(frame.appendTombstone([2...3, 7...7][...], flags: TombstoneFlag.session, received: 12, token: 4))
        #expect(frame.appendTombstone([1...1][...], flags: TombstoneFlag.sequences, received: 12, token: 4))
        #expect(frame.append(TestEvent()))
        _ = try writer.commit([frame])
        try writer.close()
        let sealer = try SegmentSealer(
            log: RealDisk().open(fixture.logPath, .read), base: 1, next: 54, nextEventID: 52,
            to: fixture.folder.path + "/a.seg", RealDisk(), decomposer: WholeData(), seed: 1)
        while try sealer.step() {}
        let file = try fixture.open()
        #expect(file.rows == 51)
        let wanted = [
            ErasureReceipt(id: 51, erased: 12, token: 4, isSession: true, events: 3, hull: 2...7),
            ErasureReceipt(id: 52, erased: 12, token: 4, isSession: false, events: 0, hull: nil),
        ]
        for file in [file, try fixture.seal(file, SealedOmission())] {
            let erasures = try file.erasures()
            #expect(erasures.receipts == wanted && erasures.ids.isEmpty && erasures.sequences.isEmpty)
        }
        #expect(sealer.receipts == wanted)
    }

    // MARK: Leaves

    @Test func leavesSayWhatTheDataSays() throws {
        var events = Self.visits(5_000, seed: 2)
        events[100].data = "{\"path\":{\"inner\":1},\"bytes\":7}"
        events[101].data = "no json"
        let fixture = try SealedFixture(events)
        let file = try fixture.seal()
        func leaf(_ path: String) throws -> SealedLeaf? {
            if case .leaf(let leaf) = try file.path(Array(path.utf8)) { return leaf }
            return nil
        }
        if case .unknown = try file.path(Array("path".utf8)) {} else { Issue.record("path is an object in one row") }
        if case .absent = try file.path(Array("nothing".utf8)) {} else { Issue.record("nobody has it") }
        #expect(try file.hasWholeData(group: 0) && !file.hasWholeData(group: 1))
        let status = try #require(try leaf("status"))
        let agent = try #require(try leaf("user_agent"))
        for group in 0..<file.groups {
            let chunk = try #require(try status.chunk(group: group))
            #expect(chunk.kind == .integers)
            let agents = try #require(try agent.chunk(group: group))
            #expect(agents.kind == .codes)
            for place in 0..<chunk.rows {
                let data = events[group * 4096 + place].data
                let object = try? JSONSerialization.jsonObject(with: Data(data.utf8)) as? [String: Any]
                let wanted = object?["status"] as? Int
                #expect(chunk.index(ofRow: place).map { Int(chunk.number($0)) } == wanted)
                let text = try agents.index(ofRow: place).map { index in
                    String(decoding: try agent.text(code: Int(agents.number(index))).bytes, as: UTF8.self)
                }
                #expect(text == (object?["user_agent"] as? String).map { "\"\($0)\"" })
            }
        }
        let first = Array("\"Mozilla/5.0 (X11; Linux 7) AppleWebKit/537.36 Chrome/7.0.1700.77 Safari\"".utf8)
        let code = try #require(try first.withUnsafeBytes { try agent.code(of: $0) })
        #expect(try Array(agent.text(code: code).bytes) == first)
        let absent = Array("\"nobody\"".utf8)
        #expect(try absent.withUnsafeBytes { try agent.code(of: $0) } == nil)
        let inner = try #require(try leaf("path.inner"))
        #expect(try inner.chunk(group: 0)?.count == 1 && inner.chunk(group: 1) == nil)
    }
}
