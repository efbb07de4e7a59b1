// The list of sessions and their timelines, against plain loops, on small random stores: whole, in pages, while events come in, with filters.

import EyeSystem
import EyeTestVectors
import Foundation
import Testing

@testable import EyeQueryHTTP
@testable import EyeStore

/// Records as they were written.
private struct Written {
    var events: [SlowEvent] = []
    /// Sessions opened by a record of their own: when, and after how many events.
    var opened: [(session: ID128, received: Int64, events: Int)] = []

    struct Row: Equatable {
        var id: String
        var created: String
        var last: String?
        var events: Int
    }

    /// The list as of now. `passing`: by the last event among these; nil: all sessions.
    func rows(_ passing: [SlowEvent]? = nil) -> [Row] {
        var places: [ID128: (position: Int, order: Int)] = [:]
        for (order, one) in opened.enumerated() where passing == nil && places[one.session] == nil {
            places[one.session] = (one.events * 2 + 2, order)
        }
        for event in passing ?? events { places[event.event.session] = (Int(event.event.id) * 2 + 1, 0) }
        let sorted = places.sorted { ($0.value.position, $0.value.order) > ($1.value.position, $1.value.order) }
        return sorted.map { row($0.key) }
    }

    func row(_ session: ID128) -> Row {
        let own = events.filter { $0.event.session == session }
        let opening = opened.first { $0.session == session }
        var created = own.first?.event.received ?? Int64.max
        if let opening, opening.events < Int(own.first?.event.id ?? UInt64(Int.max)) { created = opening.received }
        return Row(
            id: SlowEvaluator.session(session), created: Written.time(created),
            last: own.last.map { Written.time($0.event.timestamp) }, events: own.count)
    }

    static func time(_ microseconds: Int64) -> String {
        let text = SlowEvaluator.time(microseconds).dropLast()
        let digits = "\(microseconds % 1_000_000 + 1_000_000)".dropFirst()
        return "\(text).\(digits)Z"
    }

    static func rows(_ answer: QueryAnswer) throws -> [Row] {
        let list = try JSONSerialization.jsonObject(with: Data(answer.body)) as? [[String: Any]] ?? []
        return list.map {
            Row(
                id: $0["id"] as? String ?? "", created: $0["created_at"] as? String ?? "",
                last: $0["last_event_at"] as? String, events: $0["events"] as? Int ?? -1)
        }
    }
}

@Suite struct SessionListTests {
    private final class Store {
        let disk = SimulatedDisk()
        let writer: StoreWriter
        var dice: QueryDice
        var written = Written()
        private let frame = Frame()
        private let spread: Int

        init(seed: UInt64) throws {
            dice = QueryDice(random: SeededGenerator(seed: seed))
            spread = dice.one([4, 12, 40])
            var options = StoreOptions.test(
                segmentBytes: Int64(dice.one([2_000, 6_000, 1 << 20])), seals: dice.below(2) == 0)
            options.decomposer = EventDataReading()
            writer = try StoreWriter.open(disk, folder: "d", options: options, time: TestTime())
        }

        func session() -> ID128 {
            ID128(high: 0x0102_0304_0506_4708, low: 0x8000_0000_0000_0000 | UInt64(dice.below(spread)))
        }

        func commit() throws {
            frame.reset()
            for _ in 0..<(1 + dice.below(12)) {
                let received = QueryDice.epoch + Int64(written.events.count + written.opened.count)
                if dice.below(5) == 0 {
                    let id = session()
                    #expect(frame.appendSession(id, received: received, token: 1))
                    written.opened.append((id, received, written.events.count))
                } else {
                    var event = dice.event(UInt64(written.events.count + 1))
                    event.session = session()
                    event.received = received
                    #expect(frame.append(event))
                    written.events.append(SlowEvent(event))
                }
            }
            #expect(try writer.commit([frame]) == .durable)
            while dice.below(3) == 0, try writer.maintain() {}
        }
    }

    @Test(arguments: 1...TestSize.pick(20, long: 40))
    func lists(seed: UInt64) throws {
        let store = try Store(seed: seed)
        let fixture = StatsFixture(store.disk)
        #expect(try fixture.sessions("").text == "[]\n")
        for _ in 0..<12 {
            for _ in 0..<(1 + store.dice.below(3)) { try store.commit() }
            let note: Comment = "seed \(seed), \(store.written.events.count) events"
            let wanted = store.written.rows()
            #expect(try Written.rows(fixture.sessions("limit=10000")) == wanted, note)
            #expect(try Self.pages(fixture, "", 1 + store.dice.below(5)) == wanted, note)
            let filter = store.dice.question(store.written.events).filter { $0.name != "order" }
            if filter.isEmpty { continue }
            let passing = store.written.rows(SlowEvaluator.answer(store.written.events, filter + [("order", "id")]))
            let query = QueryFixture.encode(filter)
            #expect(try Written.rows(fixture.sessions(query + "&limit=10000")) == passing, "\(note) \(query)")
            #expect(try Self.pages(fixture, query, 1 + store.dice.below(4)) == passing, "\(note) \(query)")
        }
        try store.writer.close()
    }

    private static func pages(
        _ fixture: StatsFixture, _ query: String, _ limit: Int, between: () throws -> Void = {}
    ) throws -> [Written.Row] {
        var rows: [Written.Row] = []
        var next: String? = query + "&limit=\(limit)"
        while let page = next {
            let answer = try fixture.sessions(page)
            #expect(answer.status == 200)
            rows += try Written.rows(answer)
            next = answer.next
            try between()
        }
        return rows
    }

    /// What comes while somebody turns pages changes nothing on them. (A session without any event may leave the list: it has one now.)
    @Test(arguments: 1...TestSize.pick(15, long: 30))
    func pagesStandStill(seed: UInt64) throws {
        let store = try Store(seed: seed &+ 500)
        for _ in 0..<8 { try store.commit() }
        let fixture = StatsFixture(store.disk)
        let wanted = store.written.rows()
        let found = try Self.pages(fixture, "", 1 + store.dice.below(3)) { try store.commit() }
        #expect(found.filter { $0.events > 0 } == wanted.filter { $0.events > 0 }, "seed \(seed)")
        let idle = Set(store.written.rows().filter { $0.events == 0 }.map(\.id))
        #expect(found.filter { idle.contains($0.id) } == wanted.filter { idle.contains($0.id) }, "seed \(seed)")
        #expect(Set(found.map(\.id)).count == found.count)
        let query = "name__contains=a"
        let before = store.written
        let passing = before.rows(
            SlowEvaluator.answer(before.events, [("name__contains", "a"), ("order", "id")]))
        #expect(try Self.pages(fixture, query, 2) { try store.commit() } == passing, "seed \(seed)")
        try store.writer.close()
    }

    @Test(arguments: 1...TestSize.pick(10, long: 20))
    func timelines(seed: UInt64) throws {
        let store = try Store(seed: seed &+ 900)
        for _ in 0..<6 { try store.commit() }
        let fixture = StatsFixture(store.disk)
        for row in store.written.rows().prefix(6) {
            let own = store.written.events.filter { $0.session == row.id }
            let limit = 1 + store.dice.below(5)
            var next: String? = "limit=\(limit)&gap=7s"
            var ids: [UInt64] = []
            var previous: Int64?
            while let page = next {
                let session =
                    own.first?.event.session
                    ?? store.written.opened.first { SlowEvaluator.session($0.session) == row.id }!.session
                let answer = try fixture.session(session, page)
                #expect(answer.status == 200)
                let object = answer.object
                #expect(object["id"] as? String == row.id && object["events"] as? Int == row.events)
                #expect(
                    object["created_at"] as? String == row.created && object["last_event_at"] as? String == row.last)
                for entry in object["timeline"] as? [[String: Any]] ?? [] {
                    let id = (entry["id"] as? NSNumber)?.uint64Value ?? 0
                    ids.append(id)
                    let timestamp = store.written.events[Int(id) - 1].event.timestamp
                    let gap = (entry["gap_seconds"] as? NSNumber).map { Int64(($0.doubleValue * 1e6).rounded()) }
                    #expect(gap == previous.map { timestamp - $0 }, "seed \(seed) \(row.id) \(id)")
                    #expect(entry["pause"] as? Bool == ((gap ?? 0) > 7_000_000))
                    previous = timestamp
                }
                next = answer.next
            }
            #expect(ids == own.map(\.event.id), "seed \(seed)")
        }
        #expect(try fixture.session(ID128(high: 77, low: 77), "").status == 404)
        #expect(
            try fixture.session(ID128(high: 77, low: 77), "session_id=x").text.contains("The session is in the path."))
        try store.writer.close()
    }
}
