// Statistics against an independent, slow evaluator, on small random stores, in much room and in little; a failure prints its seed.

import EyeSystem
import EyeTestVectors
import Foundation
import Testing

@testable import EyeQueryHTTP
@testable import EyeStore

@Suite struct StatsTests {
    /// A question about random events.
    private struct Question {
        var filter: [(name: String, value: String)]
        var passing: [SlowEvent]
        var note: Comment
        /// A path that some event has.
        var path: String
    }

    private static func question(
        _ dice: inout QueryDice, _ events: [SlowEvent], _ seed: UInt64, _ round: Int
    ) -> Question {
        var filter = dice.question(events).filter { $0.name != "order" }
        if dice.below(3) == 0 { filter = [] }
        let passing = SlowEvaluator.answer(events, filter + [("order", "id")])
        let paths = events.isEmpty ? [] : dice.one(events).values.map(\.path).filter { !$0.isEmpty }
        let note: Comment = "seed \(seed), round \(round): \(QueryFixture.encode(filter))"
        return Question(filter: filter, passing: passing, note: note, path: paths.isEmpty ? "a" : dice.one(paths))
    }

    /// Fields to group by, at most `max`.
    private static func fields(_ dice: inout QueryDice, _ max: Int, _ path: String) -> [String] {
        var all = ["category", "name", "session_id", "data.\(path)"]
        all.shuffle(using: &dice.random)
        return Array(all.prefix(dice.below(max + 1)))
    }

    /// A room so small that few values fit in.
    private static func room(_ dice: inout QueryDice) -> AnalysisRoom {
        dice.below(2) == 0
            ? AnalysisRoom() : AnalysisRoom(bytes: 1 << 20, share: 1_500 + dice.below(4_000), piece: 16)
    }

    @Test(arguments: 1...TestSize.pick(25, long: 60))
    func answersAreThoseOfTheSlowEvaluator(seed: UInt64) throws {
        var dice = QueryDice(random: SeededGenerator(seed: seed &+ 1_000))
        let (disk, events) = try QueryTests.store(&dice)
        for round in 0..<40 {
            let fixture = StatsFixture(disk, room: Self.room(&dice))
            let question = Self.question(&dice, events, seed, round)
            switch dice.below(5) {
            case 0: try Self.count(fixture, question, Self.fields(&dice, 3, question.path))
            case 1: try Self.uniq(fixture, question, Self.fields(&dice, 2, question.path))
            case 2: try Self.top(fixture, question, Self.fields(&dice, 1, question.path).first, 1 + dice.below(9))
            case 3: try Self.hits(&dice, fixture, question, Self.fields(&dice, 1, question.path))
            default: try Self.funnel(&dice, fixture, question, events)
            }
        }
    }

    /// Little room may be too little; then the answer says so.
    private static func isRefused(_ answer: QueryAnswer, _ note: Comment) -> Bool {
        if answer.status == 200 { return false }
        #expect(answer.text.contains("\"code\":\"too-many-values\""), note)
        return true
    }

    private static func query(_ question: Question, _ more: [(name: String, value: String)]) -> String {
        QueryFixture.encode(question.filter + more)
    }

    private static func count(_ fixture: StatsFixture, _ question: Question, _ fields: [String]) throws {
        let answer = try fixture.stats("count", query(question, fields.map { ("by", $0) }))
        if isRefused(answer, question.note) { return }
        #expect(answer.object["count"] as? Int == question.passing.count, question.note)
        if fields.isEmpty { return }
        let wanted = SlowStats.count(question.passing, by: fields)
        #expect(answer.object["missing"] as? Int == wanted.missing, question.note)
        #expect(answer.groups("groups", fields, "count") == wanted.groups, "\(question.note) by \(fields)")
    }

    private static func uniq(_ fixture: StatsFixture, _ question: Question, _ fields: [String]) throws {
        let answer = try fixture.stats("uniq", query(question, fields.map { ("by", $0) }))
        if isRefused(answer, question.note) { return }
        let wanted = SlowStats.uniq(question.passing, by: fields)
        #expect(answer.object["sessions"] as? Int == wanted.sessions, question.note)
        #expect(answer.object["events"] as? Int == question.passing.count, question.note)
        if fields.isEmpty { return }
        #expect(answer.object["missing"] as? Int == wanted.missing, question.note)
        #expect(answer.groups("groups", fields, "sessions") == wanted.groups, "\(question.note) by \(fields)")
    }

    private static func top(_ fixture: StatsFixture, _ question: Question, _ field: String?, _ limit: Int) throws {
        let field = field ?? "name"
        let answer = try fixture.stats("top", query(question, [("field", field), ("limit", "\(limit)")]))
        if isRefused(answer, question.note) { return }
        let wanted = SlowStats.count(question.passing, by: [field])
        #expect(answer.object["count"] as? Int == question.passing.count, question.note)
        #expect(answer.object["missing"] as? Int == wanted.missing, question.note)
        #expect(answer.object["values"] as? Int == wanted.groups.count, question.note)
        #expect(
            answer.groups("top", ["value"], "count") == Array(wanted.groups.prefix(limit)),
            "\(question.note) top \(field)")
    }

    private static func hits(
        _ dice: inout QueryDice, _ fixture: StatsFixture, _ question: Question, _ by: [String]
    ) throws {
        let (step, seconds) = dice.one([
            ("7s", 7), ("1m", 60), ("1h", 3600), ("1d", 86_400), ("1w", 604_800), ("3h", 10_800),
        ])
        let answer = try fixture.stats("hits", query(question, [("step", step)] + by.map { ("by", $0) }))
        if isRefused(answer, question.note) { return }
        let buckets = answer.object["buckets"] as? [[String: Any]] ?? []
        let starts = try buckets.map { try seconds1970($0["start"] as? String ?? "") }
        let counts = buckets.map { $0["count"] as? Int ?? -1 }
        #expect(zip(starts, starts.dropFirst()).allSatisfy { $1 - $0 == seconds }, question.note)
        let wanted = SlowStats.hits(question.passing, seconds: seconds)
        #expect(counts.reduce(0, +) == question.passing.count, question.note)
        #expect(
            wanted.allSatisfy { start, count in starts.firstIndex(of: start).map { counts[$0] } == count },
            question.note)
        guard let field = by.first else { return }
        let series = answer.object["series"] as? [[String: Any]] ?? []
        let groups = SlowStats.count(question.passing, by: by)
        #expect(answer.object["missing"] as? Int == groups.missing, question.note)
        #expect(answer.groups("series", by, "count") == groups.groups, "\(question.note) by \(by)")
        for one in series {
            let value = Bytes(one[field] as? String ?? "")
            let own = SlowStats.hits(question.passing.filter { SlowStats.value(field, $0) == value }, seconds: seconds)
            #expect((one["counts"] as? [Int]) == starts.map { own[$0, default: 0] }, question.note)
        }
    }

    static func seconds1970(_ text: String) throws -> Int {
        #expect(text.hasSuffix(".000000Z"))
        return Int(try Date(text.replacing(".000000Z", with: "Z"), strategy: .iso8601).timeIntervalSince1970)
    }

    private static func funnel(
        _ dice: inout QueryDice, _ fixture: StatsFixture, _ question: Question, _ events: [SlowEvent]
    ) throws {
        var steps: [[(name: String, value: String)]] = []
        for _ in 0..<(2 + dice.below(3)) {
            let conditions = dice.question(events).filter { $0.name != "order" }
            steps.append(conditions.isEmpty || dice.below(2) == 0 ? [("category__contains", "e")] : conditions)
        }
        let isStrict = dice.below(2) == 0
        let window = dice.below(2) == 0 ? nil : 1 + dice.below(30)
        var more = steps.map { step in
            (name: "step", value: step.map { "\(escaped($0.name)):\(escaped($0.value))" }.joined(separator: ";"))
        }
        if isStrict { more.append(("mode", "strict")) }
        if let window { more.append(("window", "\(window)s")) }
        let answer = try fixture.stats("funnel", query(question, more))
        if isRefused(answer, question.note) { return }
        let isStep = steps.map { step in
            Set(SlowEvaluator.answer(events, step).map(\.event.id))
        }
        let wanted = SlowStats.funnel(
            question.passing, isStep, isStrict: isStrict, window: window.map { Int64($0) * 1_000_000 })
        let found = answer.object["steps"] as? [[String: Any]] ?? []
        let note: Comment = "\(question.note) steps \(more)"
        #expect(found.map { $0["sessions"] as? Int } == wanted.map(\.sessions), note)
        func micros(_ value: Any?) -> Int64? { (value as? NSNumber).map { Int64(($0.doubleValue * 1e6).rounded()) } }
        #expect(
            found.map { micros($0["median_seconds"]) } == wanted.map { SlowStats.Step.median($0.sincePrevious) }, note)
        #expect(
            found.map { micros($0["median_seconds_from_first"]) }
                == wanted.map { SlowStats.Step.median($0.sinceFirst) }, note)
    }

    private static func escaped(_ text: String) -> String {
        var out = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if ";:\\".unicodeScalars.contains(scalar) { out.append("\\") }
            out.append(scalar)
        }
        return String(out)
    }
}
