// The engine of statistics by itself: several passes in little room, rounds for medians, progress, refusals, cancelling, damage.

import EyeSystem
import Foundation
import Testing

@testable import EyeQueryHTTP
@testable import EyeStore

@Suite struct AnalysisTests {
    /// `count` events of many sessions, in a few segments.
    private static func store(_ count: Int, sessions: UInt64, maintain: Bool = true) throws -> (
        disk: SimulatedDisk, events: [SlowEvent]
    ) {
        let disk = SimulatedDisk()
        let writer = try StoreWriter.open(
            disk, folder: "d", options: .test(segmentBytes: 40_000), time: TestTime())
        var random = SeededGenerator(seed: 5)
        var events: [SlowEvent] = []
        let frame = Frame()
        while events.count < count {
            frame.reset()
            for _ in 0..<50 where events.count < count {
                var event = TestEvent(id: UInt64(events.count + 1))
                let session = UInt64.random(in: 0..<sessions, using: &random)
                event.session = ID128(high: session &* 0x9E37_79B9_7F4A_7C15, low: session)
                event.name = "n\(Int.random(in: 0..<4, using: &random))"
                event.timestamp = 1_600_000_000_000_000 + Int64.random(in: 0..<100_000_000, using: &random)
                event.data = "{\"v\":\"value \(Int.random(in: 0..<400, using: &random))\"}"
                #expect(frame.append(event))
                events.append(SlowEvent(event))
            }
            #expect(try writer.commit([frame]) == .durable)
        }
        while maintain, try writer.maintain() {}
        try writer.close()
        return (disk, events)
    }

    private static func run(
        _ disk: SimulatedDisk, _ question: AnalysisQuestion, _ room: AnalysisRoom, _ filter: EventFilter = EventFilter()
    ) throws -> (analysis: Analysis, state: Analysis.State) {
        let reader = StoreReader(disk, folder: "d", data: EventDataReading())
        let analysis = Analysis(try reader.snapshot(), filter, question, room: room)
        var state = Analysis.State.more
        var progress = 0.0
        while state == .more {
            state = try analysis.step()
            #expect(analysis.progress >= progress && analysis.progress <= 1)
            progress = analysis.progress
        }
        if state == .done { #expect(progress == 1) }
        return (analysis, state)
    }

    /// A sealed column numbers the values of all its rows: those of no event that passes are no groups, and are not counted as such.
    @Test func valuesThatTheFilterLeavesOut() throws {
        let count = AnalysisLimits.groupsMax + 2_000
        let disk = SimulatedDisk()
        var options = StoreOptions.test(segmentBytes: 200_000, seals: true)
        options.decomposer = EventDataReading()
        let writer = try StoreWriter.open(disk, folder: "d", options: options, time: TestTime())
        let frame = Frame()
        for first in stride(from: 0, to: count, by: 500) {
            frame.reset()
            for number in first..<first + 500 {
                var event = TestEvent(id: UInt64(number + 1))
                event.name = number % 500 == 7 ? "rare" : "usual"
                event.timestamp = 1_600_000_000_000_000
                event.data = "{\"v\":\"value \(number)\"}"
                #expect(frame.append(event))
            }
            #expect(try writer.commit([frame]) == .durable)
        }
        while try writer.maintain() {}
        try writer.close()
        var filter = EventFilter()
        filter.names = [Array("rare".utf8)]
        let field = AnalysisField.data(Array("v".utf8))
        let hour = TimeStep(microseconds: 3_600_000_000)
        for question in [AnalysisQuestion.count(by: [field]), .uniq(by: [field]), .hits(hour, by: field, within: nil)] {
            let (analysis, state) = try Self.run(disk, question, AnalysisRoom(), filter)
            #expect(state == .done)
            let result = analysis.result()
            #expect(result.events == UInt64(count / 500))
            let groups = result.histogram.map { $0.series.map(\.total) } ?? result.groups.map(\.count)
            #expect(groups == [UInt64](repeating: 1, count: count / 500))
        }
    }

    /// In little room several passes give the same answer.
    @Test(arguments: [true, false])
    func severalPasses(hasIndexes: Bool) throws {
        let (disk, events) = try Self.store(3_000, sessions: 1_000, maintain: hasIndexes)
        let room = AnalysisRoom(bytes: 1 << 20, share: 24_000, piece: 16)
        let uniq = try Self.run(disk, .uniq(by: [.name]), room)
        #expect(uniq.state == .done && uniq.analysis.passes > 2)
        let sessions = SlowStats.uniq(events, by: ["name"])
        #expect(uniq.analysis.result().distinct == UInt64(sessions.sessions))
        #expect(uniq.analysis.result().groups.map(\.count) == sessions.groups.map { UInt64($0.count) })
        #expect(uniq.analysis.result().events == 3_000)

        let all = try Self.run(disk, .uniq(by: []), room)
        #expect(all.state == .done && all.analysis.passes > 1)
        #expect(all.analysis.result().distinct == UInt64(sessions.sessions))

        let least = AnalysisRoom(bytes: 1 << 20, share: 9_000, piece: 16)
        for (field, name) in [(AnalysisField.data(Array("v".utf8)), "data.v"), (.session, "session_id")] {
            let top = try Self.run(disk, .top(field, limit: 7), field == .session ? room : least)
            #expect(top.state == .done && top.analysis.passes > 1)
            let wanted = SlowStats.count(events, by: [name]).groups
            #expect(top.analysis.result().groups.map { Int($0.count) } == wanted.prefix(7).map(\.count))
            #expect(top.analysis.result().distinct == UInt64(wanted.count))
            #expect(top.analysis.result().events == 3_000)
        }
    }

    /// What tables will take when another row group was added is known before it is: none of them doubles beyond its room unseen.
    @Test func doublingIsKnownBefore() {
        var sessions = SessionSet(seed: 1)
        var pairs = PairTable(seed: 1)
        var values = ValueTable(seed: 1)
        for group in 0..<40 {
            let before = (sessions.cost, pairs.cost, values.cost)
            for row in 0..<StoreLimits.rowsPerGroup {
                let number = UInt64(group * StoreLimits.rowsPerGroup + row)
                _ = sessions.number(of: ID128(high: number, low: 0))
                _ = pairs.number(of: number)
                _ = Array("value \(number)".utf8).withUnsafeBytes { values.number(of: $0) }
            }
            // Of a table that is half full a number takes eight bytes.
            let count = sessions.count
            guard group > 0 else { continue }
            #expect(before.0 >= count * (16 + 8) && before.1 >= count * (8 + 8) && before.2 >= count * (8 + 4 + 8 + 8))
        }
        // Where to cut is found by some of them.
        let part = sessions.narrowed(0.25)
        let end = Double(part?.end?.high ?? 0) / Double(sessions.count)
        #expect(abs(end - 0.25) < 0.01)
    }

    /// Medians of more times than are kept take further rounds, funnels of more events than fit in further passes.
    @Test(arguments: [Funnel.Mode.ordered, .strict])
    func rounds(mode: Funnel.Mode) throws {
        let (disk, events) = try Self.store(8_000, sessions: 600)
        let room = AnalysisRoom(bytes: 1 << 20, share: 150_000, piece: 16, timesKept: 3)
        var steps: [EventFilter] = []
        for name in ["n0", "n1", "n2"] {
            var filter = EventFilter()
            filter.names = [Array(name.utf8)]
            steps.append(filter)
        }
        let found = try Self.run(disk, .funnel(Funnel(steps, mode: mode, window: 40_000_000)), room)
        #expect(found.state == .done && found.analysis.passes > 4)
        let isStep = ["n0", "n1", "n2"].map { name in
            Set(events.filter { $0.event.name == name }.map(\.event.id))
        }
        let wanted = SlowStats.funnel(events, isStep, isStrict: mode == .strict, window: 40_000_000)
        let result = try #require(found.analysis.result().funnel)
        #expect(result.steps.map { Int($0.sessions) } == wanted.map(\.sessions))
        #expect(wanted[2].sessions > 20)
        #expect(result.steps.map(\.medianSincePrevious) == wanted.map { SlowStats.Step.median($0.sincePrevious) })
        #expect(result.steps.map(\.medianSinceFirst) == wanted.map { SlowStats.Step.median($0.sinceFirst) })
        #expect(found.analysis.result().events == 8_000)
    }

    @Test(arguments: 1...20)
    func medians(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let count = Int.random(in: 1...300, using: &random)
        let most: Int64 = [1, 40, 1_000, 1 << 40, Int64.max].randomElement(using: &random)!
        let values = (0..<count).map { _ in Int64.random(in: 0...most, using: &random) }
        var finder = MedianFinder(keptMax: Int.random(in: 1...20, using: &random))
        var rounds = 0
        repeat {
            for value in values { finder.add(value) }
            rounds += 1
        } while !finder.endRound() && rounds < 100
        #expect(finder.median == values.sorted()[(count - 1) / 2], "seed \(seed)")
        #expect(rounds < 20)
        var none = MedianFinder()
        #expect(none.endRound() && none.median == nil)
    }

    @Test func refusals() throws {
        let (disk, _) = try Self.store(2_000, sessions: 1_000)
        let fields: [AnalysisField] = [.session, .data(Array("v".utf8))]
        let small = AnalysisRoom(bytes: 1 << 20, share: 30_000, piece: 16)
        #expect(try Self.run(disk, .count(by: fields), small).state == .refused(.tooManyValues))
        // Others have it.
        let crowded = AnalysisRoom(bytes: 100, share: 30_000, piece: 16)
        #expect(try Self.run(disk, .count(by: fields), crowded).state == .refused(.crowded))
        let seconds = TimeStep(microseconds: 1_000)
        let hits = try Self.run(disk, .hits(seconds, by: nil, within: nil), AnalysisRoom())
        guard case .refused(.tooManyBuckets(let count, let oldest, let newest)) = hits.state else {
            Issue.record("\(hits.state)")
            return
        }
        #expect(count > 90_000 && oldest >= 1_600_000_000_000_000 && newest <= 1_600_000_100_000_000)
        // Known before any event is looked at.
        let within: ClosedRange<Int64> = 0...(100_000 * 1_000)
        var filter = EventFilter()
        filter.timestampRange = within
        let early = try Self.run(disk, .hits(seconds, by: nil, within: within), AnalysisRoom(), filter)
        #expect(early.state == .refused(.tooManyBuckets(100_001, oldest: 0, newest: 100_000_999)))
        let cells = try Self.run(
            disk, .hits(TimeStep(microseconds: 100_000), by: .session, within: nil), AnalysisRoom())
        guard case .refused(.tooManyCells) = cells.state else {
            Issue.record("\(cells.state)")
            return
        }
    }

    /// What an analysis held goes back to the room when it is dropped in the middle.
    @Test func cancelling() throws {
        let (disk, _) = try Self.store(2_000, sessions: 1_000)
        let room = AnalysisRoom(bytes: 60_000, share: 50_000, piece: 16)
        let reader = StoreReader(disk, folder: "d")
        let snapshot = try reader.snapshot()
        do {
            let held = Analysis(snapshot, EventFilter(), .uniq(by: [.name]), room: room)
            while held.progress < 0.5, try held.step() == .more {}
            let other = try Self.run(disk, .uniq(by: [.name]), room)
            #expect(other.state == .refused(.crowded) || other.analysis.passes > 2)
            withExtendedLifetime(held) {}
        }
        let alone = try Self.run(disk, .uniq(by: [.name]), room)
        #expect(alone.state == .done)
    }

    /// A broken frame is not counted, and is named.
    @Test func damage() throws {
        let (disk, events) = try Self.store(1_000, sessions: 50, maintain: false)
        let base = try #require(try SegmentFolder.list(disk, "d/log", ".log").first)
        let node = try #require(disk.names["d/log/" + SegmentFolder.name(base, ".log")])
        node.now[StoreLimits.headerBytes * 2 + 100] ^= 1
        let found = try Self.run(disk, .count(by: [.name]), AnalysisRoom())
        #expect(found.analysis.damage.hull == 1...50)
        let left = events.filter { $0.event.id > 50 }
        #expect(
            found.analysis.result().groups.map { Int($0.count) }
                == SlowStats.count(left, by: ["name"]).groups.map(\.count))
    }
}
