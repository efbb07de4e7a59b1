// What the store's tests share: a folder of their own, a clock they set, and short ways to fill a frame and to read a store.

import EyeSystem
import EyeTestVectors

@testable import EyeStore

/// A folder that goes with its owner.
typealias TemporaryFolder = EyeTestVectors.TemporaryFolder

/// A clock that the test sets.
final class TestTime: TimeSource, @unchecked Sendable {
    var now: Int64 = 1_700_000_000_000_000
    var monotonic: UInt64 = 1_000_000_000
    func nowMicroseconds() -> Int64 { now }
    func monotonicNanoseconds() -> UInt64 { monotonic }
}

/// Numbers from a seed.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// An event as the tests write and expect it.
struct TestEvent: Equatable {
    var id: UInt64 = 0
    var received: Int64 = 1_700_000_000_000_000
    var timestamp: Int64 = 1_700_000_000_000_000
    var session = ID128(high: 1, low: 1)
    var token: UInt32 = 7
    var eventID: ID128?
    var category = "page"
    var name = "click"
    var data = "{\"a\":1}"
}

extension Frame {
    func append(_ event: TestEvent, client: ClientLine = .none) -> Bool {
        let key = EventKey(
            received: event.received, timestamp: event.timestamp, session: event.session, token: event.token,
            eventID: event.eventID)
        return Array(event.category.utf8).withUnsafeBytes { category in
            Array(event.name.utf8).withUnsafeBytes { name in
                Array(event.data.utf8).withUnsafeBytes { data in
                    appendEvent(key, category: category, name: name, data: data, client: client)
                }
            }
        }
    }
}

extension StoreOptions {
    /// Small and without a floor.
    static func test(segmentBytes: Int64 = 64 << 20, seals: Bool = false) -> StoreOptions {
        var options = StoreOptions()
        options.seals = seals
        options.segmentBytes = segmentBytes
        options.minFreeBytes = 0
        options.randomSeed = 42
        options.lockWaitMilliseconds = 0
        return options
    }
}

extension TestEvent {
    /// What a cursor shows.
    init(_ view: borrowing EventView) {
        var text: [UInt8] = []
        id = view.id
        received = view.received
        timestamp = view.timestamp
        session = view.session
        token = view.token
        eventID = view.eventID
        text.removeAll()
        view.appendCategory(to: &text)
        category = String(decoding: text, as: UTF8.self)
        text.removeAll()
        view.appendName(to: &text)
        name = String(decoding: text, as: UTF8.self)
        text.removeAll()
        view.appendData(to: &text)
        data = String(decoding: text, as: UTF8.self)
    }
}

extension Snapshot {
    /// Everything that passes, and the ids that damage withheld.
    func all(_ filter: EventFilter = EventFilter()) throws -> (events: [TestEvent], damage: DamagedIDs) {
        let cursor = cursor(filter)
        var events: [TestEvent] = []
        while true {
            let state = try cursor.step {
                events.append(TestEvent($0))
                return true
            }
            if state == .end { return (events, cursor.damage) }
        }
    }

    /// The number that passes.
    func count(_ filter: EventFilter = EventFilter()) throws -> UInt64 {
        let cursor = cursor(filter)
        while try cursor.countStep() != .end {}
        return cursor.count
    }

    /// All sessions, by their last activity.
    func allSessions() throws -> [SessionSummary] {
        let cursor = sessions(nil, upper: lastEventID, wanted: 7)
        var found: [SessionSummary] = []
        while true {
            let state = try cursor.step { session, _ in
                found.append(session)
                return true
            }
            if state == .end { return found }
        }
    }
}
