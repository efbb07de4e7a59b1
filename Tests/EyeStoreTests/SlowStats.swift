// Statistics by plain loops over every event, sharing nothing with the engine: groups in dictionaries, funnels by trying every beginning, medians by
// sorting. Texts are compared by their bytes.

import Foundation

@testable import EyeStore

/// A text as its bytes: `String` takes some different ones for equal.
struct Bytes: Hashable, Comparable {
    let bytes: [UInt8]
    init(_ text: String) { bytes = Array(text.utf8) }
    static func < (left: Bytes, right: Bytes) -> Bool { left.bytes.lexicographicallyPrecedes(right.bytes) }
}

/// A group with its number.
struct SlowGroup: Equatable {
    var values: [Bytes]
    var count: Int
}

/// The slow answers.
enum SlowStats {
    /// The value of a field; nil: there is none.
    static func value(_ field: String, _ event: SlowEvent) -> Bytes? {
        switch field {
        case "category": Bytes(event.event.category)
        case "name": Bytes(event.event.name)
        case "session_id": Bytes(event.session)
        default: event.value(String(field.dropFirst(5))).map { Bytes($0.text) }
        }
    }

    private static func values(_ fields: [String], _ event: SlowEvent) -> [Bytes]? {
        let all = fields.compactMap { value($0, event) }
        return all.count == fields.count ? all : nil
    }

    private static func ranked(_ counts: [[Bytes]: Int]) -> [SlowGroup] {
        counts.map { SlowGroup(values: $0.key, count: $0.value) }.sorted { left, right in
            left.count != right.count ? left.count > right.count : left.values.lexicographicallyPrecedes(right.values)
        }
    }

    static func count(_ events: [SlowEvent], by fields: [String]) -> (missing: Int, groups: [SlowGroup]) {
        var counts: [[Bytes]: Int] = [:]
        var missing = 0
        for event in events {
            if let values = values(fields, event) { counts[values, default: 0] += 1 } else { missing += 1 }
        }
        return (missing, ranked(counts))
    }

    static func uniq(_ events: [SlowEvent], by fields: [String]) -> (sessions: Int, missing: Int, groups: [SlowGroup]) {
        var sessions: [[Bytes]: Set<String>] = [:]
        var missing = 0
        for event in events {
            if let values = values(fields, event) {
                sessions[values, default: []].insert(event.session)
            } else {
                missing += 1
            }
        }
        return (Set(events.map(\.session)).count, missing, ranked(sessions.mapValues(\.count)))
    }

    /// Counts by the beginnings of buckets, seconds since 1970.
    static func hits(_ events: [SlowEvent], seconds: Int) -> [Int: Int] {
        var counts: [Int: Int] = [:]
        for event in events { counts[bucket(event, seconds), default: 0] += 1 }
        return counts
    }

    static func bucket(_ event: SlowEvent, _ seconds: Int) -> Int {
        // Mondays: 1970-01-05 was one.
        let origin = seconds % 604_800 == 0 ? 345_600 : 0
        let second = Int((Double(event.event.timestamp) / 1e6).rounded(.down))
        return Int((Double(second - origin) / Double(seconds)).rounded(.down)) * seconds + origin
    }

    struct Step: Equatable {
        var sessions = 0
        var sincePrevious: [Int64] = []
        var sinceFirst: [Int64] = []
        static func median(_ times: [Int64]) -> Int64? {
            times.isEmpty ? nil : times.sorted()[(times.count - 1) / 2]
        }
    }

    /// `isStep[k][id]`: event `id` is step k.
    static func funnel(_ events: [SlowEvent], _ isStep: [Set<UInt64>], isStrict: Bool, window: Int64?) -> [Step] {
        var steps = [Step](repeating: Step(), count: isStep.count)
        for (_, own) in Dictionary(grouping: events, by: \.session) {
            let sorted = own.map(\.event).sorted { ($0.timestamp, $0.id) < ($1.timestamp, $1.id) }
            let ways = sorted.indices.map { way(sorted, $0, isStep, isStrict, window) }
            let longest = ways.map(\.count).max() ?? 0
            if longest == 0 { continue }
            // The one that arrives first; of those that arrive with the same event the one that began last.
            let furthest = ways.filter { $0.count == longest }
            let arrival = furthest.map { $0[longest - 1] }.min()!
            let best = furthest.filter { $0[longest - 1] == arrival }.max { $0[0] < $1[0] }!
            let times = best.map { sorted[$0].timestamp }
            for step in 0..<longest {
                steps[step].sessions += 1
                if step > 0 {
                    steps[step].sincePrevious.append(times[step] - times[step - 1])
                    steps[step].sinceFirst.append(times[step] - times[0])
                }
            }
        }
        return steps
    }

    /// The places of the steps on the way that begins at `start`, each taken as soon as possible.
    private static func way(
        _ events: [TestEvent], _ start: Int, _ isStep: [Set<UInt64>], _ isStrict: Bool, _ window: Int64?
    ) -> [Int] {
        guard isStep[0].contains(events[start].id) else { return [] }
        var places = [start]
        for step in 1..<isStep.count {
            let next = (places.last! + 1)..<events.count
            let candidates = isStrict ? next.prefix(1) : next
            guard let place = candidates.first(where: { isStep[step].contains(events[$0].id) }) else { break }
            if let window, events[place].timestamp - events[start].timestamp > window { break }
            places.append(place)
        }
        return places
    }
}
