// Queries against an independent, slow evaluator, on small random stores; a failure prints its seed. Pages, counts, both orders, projections,
// streams. Then pages under inserts, and streams that are held back, damaged or cut.

import EyeSystem
import EyeTestVectors
import Foundation
import Testing

@testable import EyeQueryHTTP
@testable import EyeStore

/// Random events and questions about them.
struct QueryDice {
    var random: SeededGenerator
    static let categories = ["page", "page interaction", "Page", "", "p\u{301}age", "é", "e\u{301}", "=1+1", "\u{1}x"]
    static let keys = ["a", "b", "c", "a.b", "b.c", "é", "e\u{301}", "x y", "n__x", "", "deep"]
    static let strings = [
        "", "a", "/", "/x", "10", "true", "null", "é", "e\u{301}", "\"", "\\", "line\nbreak", "😀", ",;", "-1",
        "=SUM(A1)",
    ]
    static let numbers = [
        "0", "-0", "0.0", "1", "1.0", "10", "1e1", "1E+1", "100e-1", "-1", "-1.5", "0.1", "1e-1",
        "12345678901234567890",
        "12345678901234567891", "0.30000000000000004", "3e-1", "1e20",
    ]
    static let epoch: Int64 = 1_600_000_000_000_000

    mutating func below(_ count: Int) -> Int { Int.random(in: 0..<count, using: &random) }
    mutating func one<T>(_ all: [T]) -> T { all[below(all.count)] }

    private mutating func space() -> String { below(8) == 0 ? one([" ", "\t", "\r", "  "]) : "" }

    /// A JSON string, here and there with escapes that it need not have.
    mutating func quoted(_ text: String) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": out += "\\\(scalar)"
            case "\n": out += "\\n"
            case _ where scalar.value < 0x20 || (below(6) == 0 && scalar.value < 0x10000):
                let hex = String(scalar.value, radix: 16)
                out += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }

    mutating func json(_ depth: Int) -> String {
        switch below(10) {
        case 0..<3: return quoted(one(Self.strings))
        case 3..<6: return one(Self.numbers)
        case 6: return one(["true", "false", "null"])
        case 7: return one(["[]", "[1,2]", "[ {\"a\":1}, \"]\" ]", "{}"])
        default: return depth == 0 ? "1" : object(depth - 1)
        }
    }

    mutating func object(_ depth: Int) -> String {
        var members: [String] = []
        for _ in 0...below(4) {
            let name = quoted(one(Self.keys))
            let value = json(depth)
            members.append("\(space())\(name)\(space()):\(space())\(value)\(space())")
        }
        return "{" + members.joined(separator: ",") + "}"
    }

    mutating func event(_ id: UInt64) -> TestEvent {
        var event = TestEvent(id: id)
        event.received = Self.epoch + Int64(id)
        event.timestamp = Self.epoch + Int64(below(40)) * 1_000_000
        event.session = ID128(high: 0x0102_0304_0506_4708, low: 0x8000_0000_0000_0000 | UInt64(below(6)))
        event.category = one(Self.categories)
        event.name = below(3) == 0 ? "name\(below(50))" : one(Self.categories)
        event.data = object(2)
        if below(4) == 0 { event.eventID = ID128(high: 9, low: id) }
        return event
    }

    private mutating func time() -> String { SlowEvaluator.time(Self.epoch + Int64(below(44) - 2) * 1_000_000) }

    private mutating func text() -> String {
        let whole = below(4) == 0 ? "name\(below(60))" : one(Self.categories + ["none"])
        return below(3) == 0 ? String(whole.unicodeScalars.prefix(2)) : whole
    }

    /// One parameter with a value.
    private mutating func parameter(_ events: [SlowEvent]) -> (name: String, value: String) {
        switch below(12) {
        case 0, 1: return (one(["category", "name"]) + one(["", "", "__ne", "__prefix", "__contains"]), text())
        case 2:
            let id = ID128(high: 0x0102_0304_0506_4708, low: 0x8000_0000_0000_0000 | UInt64(below(8)))
            return (one(["session_id", "session_id", "session_id__ne"]), SlowEvaluator.session(id))
        case 3, 4:
            let name = one([
                "timestamp", "timestamp__ne", "timestamp__gte", "timestamp__gt", "timestamp__lte", "timestamp__lt",
                "since",
                "until",
            ])
            return (name, time())
        default:
            // A path, and often a value, that some event has.
            let known = events.isEmpty ? [] : one(events).values
            let value = known.isEmpty ? nil : one(known)
            let path = value.map(\.path).flatMap { $0.isEmpty ? nil : $0 } ?? "none"
            let operation = one(FilterParameters.dataOperators)
            if operation == "__exists" { return ("data.\(path)\(operation)", one(["true", "false"])) }
            let other = below(2) == 0 ? one(Self.strings) : one(Self.numbers)
            return ("data.\(path)\(operation)", below(3) == 0 ? other : value?.text ?? other)
        }
    }

    mutating func question(_ events: [SlowEvent]) -> [(name: String, value: String)] {
        var all: [(name: String, value: String)] = []
        for _ in 0..<below(4) {
            let made = parameter(events)
            all.append(made)
            if below(3) == 0 {
                // The same one again, with another value.
                let again = parameter(events)
                let isAlike = again.name.hasPrefix("data.") == made.name.hasPrefix("data.")
                let isTime = made.name.hasPrefix("timestamp") || made.name == "since" || made.name == "until"
                if !isTime, isAlike, !made.name.hasPrefix("session"), !made.name.hasSuffix("exists"),
                    !again.name.hasSuffix("exists"),
                    !again.name.hasPrefix("session"), !again.name.hasPrefix("timestamp")
                {
                    all.append((made.name, again.value))
                }
            }
        }
        if below(2) == 0 { all.append(("order", one(["id", "-id"]))) }
        return all
    }
}

@Suite struct QueryTests {
    /// A store of a few segments, some with index files, some sealed, some events erased.
    static func store(_ dice: inout QueryDice) throws -> (disk: SimulatedDisk, events: [SlowEvent]) {
        let disk = SimulatedDisk()
        var options = StoreOptions.test(
            segmentBytes: Int64(dice.one([2_000, 6_000, 1 << 20])), seals: dice.below(4) > 0)
        options.decomposer = dice.below(5) == 0 ? WholeData() : EventDataReading()
        let writer = try StoreWriter.open(disk, folder: "d", options: options, time: TestTime())
        var events: [SlowEvent] = []
        var last: UInt64 = 0
        let erases = dice.below(3) == 0
        let frame = Frame()
        for _ in 0..<(1 + dice.below(8)) {
            frame.reset()
            for _ in 0..<dice.below(16) {
                last += 1
                let event = dice.event(last)
                #expect(frame.append(event))
                events.append(SlowEvent(event))
            }
            if erases && dice.below(3) == 0 && last > 3 {
                let first = 1 + UInt64(dice.below(Int(last) - 2))
                let ids = first...(first + UInt64(dice.below(3)))
                #expect(frame.appendTombstone([ids], received: 0, token: 1))
                events.removeAll { ids.contains($0.event.id) }
            }
            #expect(try writer.commit([frame]) == .durable)
            while dice.below(3) == 0, try writer.maintain() {}
        }
        if dice.below(3) > 0 { while try writer.maintain() {} }
        try writer.close()
        return (disk, events)
    }

    /// Otherwise the tests below say less than they seem to.
    @Test func theStoresAreOfEveryKind() throws {
        var kinds: Set<String> = []
        for seed in 1...12 as ClosedRange<UInt64> {
            var dice = QueryDice(random: SeededGenerator(seed: seed))
            let (disk, events) = try Self.store(&dice)
            if disk.names.keys.contains(where: { $0.hasSuffix(".seg") }) { kinds.insert("sealed") }
            if disk.names.keys.contains(where: { $0.hasSuffix(".idx") }) { kinds.insert("indexed") }
            if disk.names.keys.filter({ $0.hasSuffix(".log") }).count > 1 { kinds.insert("log") }
            if let last = events.last, events.count < last.event.id { kinds.insert("erased") }
        }
        #expect(kinds == ["sealed", "indexed", "log", "erased"])
    }

    /// 40 stores, 60 questions each.
    @Test(arguments: 1...TestSize.pick(12, long: 40))
    func answersAreThoseOfTheSlowEvaluator(seed: UInt64) throws {
        var dice = QueryDice(random: SeededGenerator(seed: seed))
        let (disk, events) = try Self.store(&dice)
        let fixture = QueryFixture(disk)
        for round in 0..<60 {
            let question = dice.question(events)
            let query = QueryFixture.encode(question)
            let note: Comment = "seed \(seed), round \(round): \(query)"
            let wanted = SlowEvaluator.answer(events, question).map(\.event.id)
            switch dice.below(4) {
            case 0:
                let counted = try fixture.ask(query + "&count=1")
                #expect(counted.text == "{\"count\":\(wanted.count)}\n", note)
            case 1:
                var ids: [UInt64] = []
                var next: String? = query + "&limit=\(1 + dice.below(9))"
                while let page = next {
                    let answer = try fixture.ask(page)
                    #expect(answer.status == 200, note)
                    ids += answer.ids
                    next = answer.next
                }
                #expect(ids == wanted, note)
            case 2:
                let limit = dice.below(2) == 0 ? "" : "&limit=\(1 + dice.below(20))"
                let answer = try fixture.ask(query + "&format=ndjson" + limit, room: 1 + dice.below(3000))
                #expect(answer.ids == (limit.isEmpty ? wanted : Array(wanted.prefix(Int(limit.dropFirst(7))!))), note)
            default:
                let answer = try fixture.ask(query + "&limit=10000")
                #expect(answer.ids == wanted, note)
            }
        }
    }

    /// Projections, as documents and as cells, by the evaluator's own reading of `data`.
    @Test(arguments: 1...10)
    func fieldsAreThoseOfTheSlowEvaluator(seed: UInt64) throws {
        var dice = QueryDice(random: SeededGenerator(seed: seed))
        let (disk, events) = try Self.store(&dice)
        let fixture = QueryFixture(disk)
        let paths = Array(Set(events.flatMap { $0.values.map(\.path) })).filter { !$0.isEmpty && !$0.contains(",") }
        for _ in 0..<20 where !paths.isEmpty {
            let path = dice.one(paths)
            let query = QueryFixture.encode([("fields", "name,data.\(path),id"), ("order", "id")])
            let lines = try fixture.ask(query + "&format=ndjson").text.split(separator: "\n")
            let rows = try Self.table(fixture.ask(query + "&format=csv").text)
            #expect(lines.count == events.count)
            #expect(rows.count == events.count + 1)
            for (index, event) in events.enumerated() where index < lines.count && index + 1 < rows.count {
                let object = try JSONSerialization.jsonObject(with: Data(lines[index].utf8)) as? [String: Any]
                let value = event.value(path)
                #expect(object?["id"] as? UInt64 == event.event.id)
                #expect(object?.count == (value == nil ? 2 : 3), "seed \(seed), \(path), \(lines[index])")
                if let value {
                    #expect(lines[index].contains(":\(value.raw),\"id\":\(event.event.id)}"), "seed \(seed)")
                }
                #expect(Self.isCell(rows[index + 1][0], of: event.event.name), "seed \(seed)")
                #expect(Self.isCell(rows[index + 1][1], of: value?.text ?? ""), "seed \(seed), \(path)")
                #expect(rows[index + 1][2] == "\(event.event.id)")
            }
        }
    }

    private static func isCell(_ cell: String, of text: String) -> Bool {
        // A tab or a line break between the values of a JSON text may be a space.
        func plain(_ text: String) -> String {
            String(
                String.UnicodeScalarView(text.unicodeScalars.map { "\t\r\n".unicodeScalars.contains($0) ? " " : $0 }))
        }
        let (cell, text) = (plain(cell), plain(text))
        return SlowEvaluator.same(cell, text) || SlowEvaluator.same(cell, "'" + text)
    }

    /// Rows of RFC 4180.
    static func table(_ text: String) -> [[String]] {
        var rows: [[String]] = []
        var row: [String] = []
        var cell = String.UnicodeScalarView()
        var isQuoted = false
        var before: Unicode.Scalar = ","
        for scalar in text.unicodeScalars {
            if scalar == "\"" {
                // A second quote inside is one.
                if !isQuoted && before == "\"" { cell.append(scalar) }
                isQuoted.toggle()
            } else if isQuoted {
                cell.append(scalar)
            } else if scalar == "," || scalar == "\n" {
                row.append(String(cell))
                cell.removeAll()
                if scalar == "\n" {
                    rows.append(row)
                    row.removeAll()
                }
            } else if scalar != "\r" {
                cell.append(scalar)
            }
            before = scalar
        }
        return rows
    }

    /// 10,000 events of one microsecond, 7 a page, while others come in.
    @Test(arguments: [("limit=7", 10_000), ("limit=7&order=id&timestamp=2023-11-14T22:13:20Z", 2_000)])
    func pagesAreExactlyOnce(query: String, count: Int) throws {
        let disk = SimulatedDisk()
        let writer = try StoreWriter.open(
            disk, folder: "d", options: .test(segmentBytes: 300_000), time: TestTime())
        let frame = Frame()
        func add(_ count: Int) throws {
            frame.reset()
            for _ in 0..<count { #expect(frame.append(TestEvent())) }
            #expect(try writer.commit([frame]) == .durable)
        }
        for _ in 0..<(count / 500) { try add(500) }
        let fixture = QueryFixture(disk)
        var ids: [UInt64] = []
        var next: String? = query
        var pages = 0
        while let page = next {
            let answer = try fixture.ask(page)
            ids += answer.ids
            next = answer.next
            pages += 1
            if pages % 10 == 0 { try add(3) }
            while pages % 50 == 0, try writer.maintain() {}
        }
        #expect(pages == count / 7 + 1)
        #expect(
            ids.count == count
                && ids == (query == "limit=7" ? (1...UInt64(count)).reversed() : Array(1...UInt64(count))))
        try writer.close()
    }
}
