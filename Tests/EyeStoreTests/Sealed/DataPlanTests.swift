// Conditions on `data` by the leaves of a sealed segment, against the definition: what `EventFilter.passes` says of every event.

import EyeQueryHTTP
import EyeSystem
import Testing

@testable import EyeStore

@Suite struct DataPlanTests {
    /// Events whose leaves are kept in every way there is; a few have shapes of their own, `wholeEvery`-th one piece.
    private static func events(_ dice: inout QueryDice, _ count: Int, wholeEvery: Int?) -> [TestEvent] {
        let paths = (0..<30).map { "/page/\($0)" }
        let deep = String(repeating: "{\"deep\":", count: 20) + "1" + String(repeating: "}", count: 20)
        return (1...count).map { number in
            var event = TestEvent(id: UInt64(number))
            var members = [
                "\"n\":\(number)", "\"path\":\"\(dice.one(paths))\"", "\"same\":true",
                "\"unique\":\"\(number * 7919) and \(dice.below(1 << 30))\"",
                "\"mixed\":\(dice.one(["1", "2.50", "\"1\"", "null", "\"x\\u0031\"", "[1]", "-7", "1e3"]))",
            ]
            if number % 50 == 0 { members.append("\"rare\":\"r\(number % 3)\"") }
            if number % 3 == 0 { members.append("\"half\":{\"price\":\(dice.below(1000))}") }
            if number % 997 == 0 { members.append("\"half.price\":\"later\"") }
            if number > count / 2 { members.append("\"late\":{}") }
            event.data = "{" + members.joined(separator: ",") + "}"
            if number % 211 == 0 { event.data = dice.object(2) }
            if let wholeEvery, number % wholeEvery == 0 { event.data = deep }
            return event
        }
    }

    private static func conditions(_ dice: inout QueryDice) -> [DataFilter] {
        let values = [
            "n": ["17", "4096", "99999", "4e3", "1.0", "x"], "path": ["/page/3", "/page/30", "/page", "page/2", "zz"],
            "same": ["true", "false", "1"], "unique": ["7919 ", "and", "15838 and"],
            "mixed": ["1", "2.50", "2.5", "null", "x1", "[1]", "-7", "1000", "0"], "rare": ["r0", "r1", "r2", "r"],
            "half.price": ["500", "later", "0", "999"], "half": ["{\"price\":1}"], "late": ["{}"], "none": ["1"],
            "a": ["1", "a", "10"], "b.c": ["true"], "deep": ["1"],
        ]
        func texts(_ words: [String], _ count: Int) -> [[UInt8]] {
            (0..<count).map { _ in Array(dice.one(words).utf8) }
        }
        return values.keys.sorted().flatMap { path -> [DataFilter] in
            let words = values[path]!
            return (0..<8).map { kind in
                var filter = DataFilter(path: Array(path.utf8))
                switch kind {
                case 0: filter.text.equal = texts(words, 1)
                case 1: filter.text.equal = texts(words, 2)
                case 2: filter.text.unequal = texts(words, 1 + dice.below(2))
                case 3: filter.text.prefixes = texts(words, 1)
                case 4: filter.text.parts = texts(words, 1)
                case 5: filter.exists = dice.below(2) == 0
                case 6:
                    filter.bounds = texts(words, 1).map {
                        DataBound(dice.one([.below, .atMost, .atLeast, .above]), $0)
                    }
                default:
                    filter.bounds = texts(words, 2).map { DataBound(dice.one([.atLeast, .below]), $0) }
                    filter.text.unequal = texts(words, 1)
                }
                return filter
            }
        }
    }

    @Test(arguments: [(1, 5_000, nil), (2, 600, 100), (3, 300, 7)] as [(UInt64, Int, Int?)])
    func leavesSayWhatEventsSay(seed: UInt64, count: Int, wholeEvery: Int?) throws {
        var dice = QueryDice(random: SeededGenerator(seed: seed))
        let fixture = try SealedFixture(Self.events(&dice, count, wholeEvery: wholeEvery))
        let file = try fixture.seal()
        let reading = EventDataReading()
        var kinds: Set<UInt8> = []
        var path: [UInt8] = []
        var values: [(kind: DataKind, text: [UInt8])?] = []
        for condition in Self.conditions(&dice) {
            let note: Comment = "seed \(seed): \(String(decoding: condition.path, as: UTF8.self)) \(condition)"
            if path != condition.path {
                path = condition.path
                values = fixture.events.map { event in
                    Array(event.data.utf8).withUnsafeBytes { data in
                        reading.with(path, of: data) { $0.map { ($0.kind, Array($0.text)) } }
                    }
                }
            }
            func passes(_ row: Int) -> Bool {
                guard let value = values[row] else { return condition.passes(nil) }
                return value.text.withUnsafeBytes { condition.passes(DataValue(value.kind, $0)) }
            }
            var filter = EventFilter()
            filter.data = [condition]
            var work = 0
            let plan = try #require(
                try SegmentPlan(
                    file, filter, low: 1, high: UInt64(count + 1), erased: IDSet(), reading: reading, work: &work),
                note)
            #expect(plan.knownCount == nil)
            for number in 0..<file.groups {
                let group = try #require(plan.group(number: number, newestFirst: false))
                var rows: [UInt32] = []
                _ = try plan.select(group, filter, into: &rows)
                if plan.needsRecords { rows.removeAll { !passes(Int($0)) } }
                let first = group * StoreLimits.rowsPerGroup
                let wanted = (first..<min(first + StoreLimits.rowsPerGroup, count)).filter {
                    passes($0)
                }
                let isSame = rows.map { Int($0) } == wanted
                #expect(isSame, note)
            }
            if case .leaf(let leaf) = try file.path(condition.path) {
                for group in 0..<file.groups {
                    if let chunk = try leaf.chunk(group: group) { kinds.insert(chunk.kind.rawValue) }
                }
            }
        }
        // Otherwise this tests less than it says.
        let all = [LeafKind.constant, .codes, .integers, .texts].map(\.rawValue)
        if count > 1_000 { #expect(kinds == Set(all)) }
    }

    /// What leaves can tell is counted without an event being looked at, and groups without such a value are not even opened.
    @Test func eventsAreLeftAlone() throws {
        let events = (1...6_000).map { number in
            var event = TestEvent(id: UInt64(number))
            event.data = "{\"n\":\(number),\"path\":\"/\(number % 3)\"\(number > 5_000 ? ",\"late\":1" : "")}"
            return event
        }
        let file = try SealedFixture(events).seal()
        func rows(_ condition: DataFilter) throws -> (kept: Int, needsRecords: Bool, work: Int) {
            var filter = EventFilter()
            filter.data = [condition]
            var making = 0
            let plan = try #require(
                try SegmentPlan(
                    file, filter, low: 1, high: 6_001, erased: IDSet(), reading: EventDataReading(), work: &making))
            var sum = (0, false, 0)
            for group in 0..<file.groups {
                var rows: [UInt32] = []
                sum.2 += try plan.select(group, filter, into: &rows)
                sum.0 += rows.count
                if plan.needsRecords { sum.1 = true }
            }
            return sum
        }
        func condition(_ path: String, _ text: String) -> DataFilter {
            var filter = DataFilter(path: Array(path.utf8))
            filter.text.equal = [Array(text.utf8)]
            return filter
        }
        var found = try rows(condition("path", "/1"))
        #expect(found.kept == 2_000 && !found.needsRecords)
        found = try rows(condition("late", "1"))
        #expect(found.kept == 1_000 && !found.needsRecords && found.work < 60_000)
        for nothing in [condition("none", "1"), condition("path", "/3"), condition("late", "2")] {
            found = try rows(nothing)
            #expect(found.kept == 0 && !found.needsRecords && found.work <= 2_000)
        }
        var without = DataFilter(path: Array("none".utf8))
        without.exists = false
        #expect(try rows(without).kept == 6_000)
    }
}
