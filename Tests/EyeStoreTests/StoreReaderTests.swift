import EyeSystem
import EyeTestVectors
import Testing

@testable import EyeStore

/// A reader gives the answers that an evaluator without any index gives, whatever the segments, the index files and the pace.
@Suite struct StoreReaderTests {
    /// The slow evaluator.
    static func expected(_ events: [TestEvent], _ filter: EventFilter) -> [TestEvent] {
        let passing = events.filter { event in
            (filter.categories.equal.isEmpty || filter.categories.equal.contains(Array(event.category.utf8)))
                && (filter.names.equal.isEmpty || filter.names.equal.contains(Array(event.name.utf8)))
                && (filter.sessions.isEmpty || filter.sessions.contains(event.session))
                && (filter.timestamps.isEmpty || filter.timestamps.contains(event.timestamp))
                && (filter.timestampRange.map { $0.contains(event.timestamp) } ?? true)
                && (filter.receivedRange.map { $0.contains(event.received) } ?? true)
                && (filter.idAbove.map { event.id > $0 } ?? true) && (filter.idBelow.map { event.id < $0 } ?? true)
        }
        return filter.newestFirst ? passing.reversed() : passing
    }

    static func randomEvent(_ random: inout SeededGenerator, id: UInt64) -> TestEvent {
        var event = TestEvent(id: id)
        event.received = 1_000_000 + Int64(id) * 10 + Int64.random(in: -30...30, using: &random)
        event.timestamp = Int64.random(in: 0...2_000, using: &random) * 1000
        event.session = ID128(high: 5, low: UInt64.random(in: 0..<40, using: &random))
        event.category = "c\(Int.random(in: 0..<5, using: &random))"
        event.name = "name\(Int.random(in: 0..<30, using: &random))"
        event.token = UInt32.random(in: 0...3, using: &random)
        event.data = String(repeating: "x", count: Int.random(in: 1...200, using: &random))
        if Int.random(in: 0..<4, using: &random) == 0 { event.eventID = ID128(high: 9, low: id) }
        return event
    }

    static func randomFilter(_ random: inout SeededGenerator, last: UInt64) -> EventFilter {
        var filter = EventFilter()
        filter.newestFirst = Bool.random(using: &random)
        func some() -> Bool { Int.random(in: 0..<3, using: &random) == 0 }
        if some() {
            filter.categories.equal = (0...Int.random(in: 0...2, using: &random)).map { _ in
                Array("c\(Int.random(in: 0..<7, using: &random))".utf8)
            }
        }
        if some() {
            filter.names.equal = (0...Int.random(in: 0...2, using: &random)).map { _ in
                Array("name\(Int.random(in: 0..<32, using: &random))".utf8)
            }
        }
        if some() {
            filter.sessions = (0...Int.random(in: 0...2, using: &random)).map { _ in
                ID128(high: 5, low: UInt64.random(in: 0..<45, using: &random))
            }
        }
        if Int.random(in: 0..<6, using: &random) == 0 {
            filter.timestamps = (0...Int.random(in: 0...3, using: &random)).map { _ in
                Int64.random(in: 0...2_000, using: &random) * 1000
            }
        }
        if some() {
            let low = Int64.random(in: 0...2_000_000, using: &random)
            filter.timestampRange = low...(low + Int64.random(in: 0...900_000, using: &random))
        }
        if some() {
            let low = 1_000_000 + Int64.random(in: 0...Int64(last) * 10, using: &random)
            filter.receivedRange = low...(low + Int64.random(in: 0...8_000, using: &random))
        }
        if some() { filter.idAbove = UInt64.random(in: 0...last, using: &random) }
        if some() { filter.idBelow = UInt64.random(in: 0...(last + 2), using: &random) }
        return filter
    }

    @Test(arguments: 1...TestSize.pick(3, long: 24))
    func answersLikeTheSlowEvaluator(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let folder = try TemporaryFolder()
        let segmentBytes = Int64([3_000, 20_000, 1 << 20].randomElement(using: &random)!)
        let writer = try StoreWriter.open(
            RealDisk(), folder: folder.path, options: .test(segmentBytes: segmentBytes, seals: seed % 3 != 0),
            time: TestTime())
        let reader = StoreReader(RealDisk(), folder: folder.path)
        var events: [TestEvent] = []
        let frame = Frame()
        let commits = Int.random(in: 3...120, using: &random)
        for _ in 0..<commits {
            frame.reset()
            for _ in 0..<Int.random(in: 0...60, using: &random) {
                let event = Self.randomEvent(&random, id: UInt64(events.count + 1))
                #expect(frame.append(event))
                events.append(event)
            }
            #expect(try writer.commit([frame]) == .durable)
            while Int.random(in: 0..<3, using: &random) == 0, try writer.maintain() {}
            if Int.random(in: 0..<12, using: &random) == 0 {
                let filter = Self.randomFilter(&random, last: UInt64(events.count))
                let snapshot = try reader.snapshot()
                #expect(try snapshot.all(filter).events == Self.expected(events, filter), "seed \(seed)")
            }
        }
        if Bool.random(using: &random) { while try writer.maintain() {} }
        for round in 0..<30 {
            let filter = Self.randomFilter(&random, last: UInt64(events.count))
            let snapshot = try (round % 5 == 0 ? StoreReader(RealDisk(), folder: folder.path) : reader).snapshot()
            #expect(snapshot.lastEventID == UInt64(events.count))
            let wanted = Self.expected(events, filter)
            let answer = try snapshot.all(filter)
            #expect(answer.events == wanted, "seed \(seed), \(filter)")
            #expect(answer.damage.isEmpty)
            #expect(try snapshot.count(filter) == UInt64(wanted.count), "seed \(seed), \(filter)")
        }
        try checkSessions(events, reader)
    }

    /// SessionListTests has the rest.
    private func checkSessions(_ events: [TestEvent], _ reader: StoreReader) throws {
        var firsts: [ID128: Int64] = [:]
        var lasts: [ID128: UInt64] = [:]
        for event in events {
            if firsts[event.session] == nil { firsts[event.session] = event.received }
            lasts[event.session] = event.id
        }
        let listed = try reader.snapshot().allSessions()
        #expect(listed.map(\.lastEventID) == lasts.values.sorted(by: >))
        #expect(listed.allSatisfy { lasts[$0.id] == $0.lastEventID && firsts[$0.id] == $0.created })
        #expect(listed.reduce(0) { $0 + $1.events } == UInt64(events.count))
    }
}
