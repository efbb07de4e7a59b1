import EyeSystem
import Testing

@testable import EyeStore

/// What a reader's index in memory gives beside columns: the rows of rare sessions and names, and units that are checked by themselves.
@Suite struct ActiveSegmentTests {
    /// A store of one segment, and what is in it: common sessions and names, and rare ones here and there.
    private static func store(_ folder: String, frames: Int, eventsPerFrame: Int) throws -> [TestEvent] {
        let writer = try StoreWriter.open(RealDisk(), folder: folder, options: .test(), time: TestTime())
        var random = SeededGenerator(seed: 11)
        var events: [TestEvent] = []
        let frame = Frame()
        for _ in 0..<frames {
            frame.reset()
            for _ in 0..<eventsPerFrame {
                var event = TestEvent(id: UInt64(events.count + 1))
                event.timestamp = Int64(events.count) * 1000
                event.session = ID128(high: 5, low: UInt64.random(in: 0..<3, using: &random))
                event.name = "name\(Int.random(in: 0..<3, using: &random))"
                if Int.random(in: 0..<200, using: &random) == 0 { event.session = ID128(high: 6, low: 1) }
                if Int.random(in: 0..<200, using: &random) == 0 { event.name = "rare" }
                event.data = "{\"a\":\"\(String(repeating: "x", count: Int.random(in: 1...90, using: &random)))\"}"
                #expect(frame.append(event))
                events.append(event)
            }
            #expect(try writer.commit([frame]) == .durable)
        }
        return events
    }

    @Test func rareSessionsAndNames() throws {
        let folder = try TemporaryFolder()
        let events = try Self.store(folder.path, frames: 12, eventsPerFrame: 400)
        let snapshot = try StoreReader(RealDisk(), folder: folder.path).snapshot()
        for newestFirst in [true, false] {
            for bound in [nil, UInt64(events.count / 2)] {
                for (session, name) in [(true, false), (false, true), (true, true)] {
                    var filter = EventFilter()
                    filter.newestFirst = newestFirst
                    filter.idBelow = bound
                    if session { filter.sessions = [ID128(high: 6, low: 1)] }
                    if name { filter.names.equal = [Array("rare".utf8)] }
                    let wanted = StoreReaderTests.expected(events, filter)
                    #expect(session && name || wanted.count > 2)
                    #expect(try snapshot.all(filter).events == wanted)
                    #expect(try snapshot.count(filter) == UInt64(wanted.count))
                    filter.timestampRange = 900_000...3_100_000
                    #expect(try snapshot.all(filter).events == StoreReaderTests.expected(events, filter))
                }
            }
        }
    }

    /// What was sound when it was indexed, and is not any more.
    @Test(arguments: [true, false])
    func damageBehindTheIndex(newestFirst: Bool) throws {
        let folder = try TemporaryFolder()
        let events = try Self.store(folder.path, frames: 3, eventsPerFrame: 300)
        let reader = StoreReader(RealDisk(), folder: folder.path)
        var filter = EventFilter()
        filter.newestFirst = newestFirst
        #expect(try reader.snapshot().all(filter).events.count == events.count)

        let path = folder.path + "/log/" + SegmentFolder.name(1, ".log")
        let file = try RealDisk().open(path, .write)
        // In the second of three frames.
        let place = try file.size() / 2
        var byte: UInt8 = 0
        #expect(try withUnsafeMutableBytes(of: &byte) { try file.read(into: $0, at: place) } == 1)
        byte ^= 1
        try withUnsafeBytes(of: byte) { try file.write($0, at: place) }

        let answer = try reader.snapshot().all(filter)
        let lost = Set(events.map(\.id)).subtracting(answer.events.map(\.id))
        #expect(!lost.isEmpty && lost.allSatisfy { (301...600).contains($0) })
        #expect(answer.events.allSatisfy { $0 == events[Int($0.id) - 1] })
        #expect(lost.allSatisfy { id in answer.damage.ranges.contains { $0.contains(id) } })
        #expect(!reader.damage.isEmpty)
        // One by one: nothing but what was stored, or nothing and a word about it.
        var missing = 0
        for event in events[290..<610] {
            let one = try reader.snapshot().all(.id(event.id))
            if one.events.isEmpty { missing += 1 } else { #expect(one.events == [event]) }
            #expect(one.events.isEmpty == !one.damage.isEmpty)
        }
        #expect(missing >= 1)
    }
}
