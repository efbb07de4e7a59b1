import EyeTestVectors
import Testing

@testable import EyeStore

/// A set of ids answers like Swift's own set, whatever is put into it.
@Suite struct IDSetTests {
    /// What a set of these ids looks like as ranges.
    static func ranges(_ ids: Set<UInt64>) -> [ClosedRange<UInt64>] {
        var found: [ClosedRange<UInt64>] = []
        for id in ids.sorted() {
            if let last = found.last, last.upperBound + 1 == id {
                found[found.count - 1] = last.lowerBound...id
            } else {
                found.append(id...id)
            }
        }
        return found
    }

    @Test(arguments: 1...TestSize.pick(15, long: 60)) func answersLikeASet(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var set = IDSet()
        var model: Set<UInt64> = []
        let span = UInt64([300, 5_000, 70_000].randomElement(using: &random)!)
        for _ in 0..<Int.random(in: 0...60, using: &random) {
            var low = UInt64.random(in: 0...span, using: &random)
            // Ends at the edges of blocks too.
            if Int.random(in: 0..<4, using: &random) == 0 { low = low / 4096 * 4096 }
            var high = low
            switch Int.random(in: 0..<4, using: &random) {
            case 0: high += UInt64.random(in: 0...10, using: &random)
            case 1: high += UInt64.random(in: 0...9_000, using: &random)
            case 2: high = (low / 4096 + UInt64.random(in: 0...3, using: &random)) * 4096 + 4095
            default: break
            }
            set.insert(low...high)
            for id in low...high { model.insert(id) }
        }
        #expect(set.count == UInt64(model.count), "seed \(seed)")
        #expect(set.isEmpty == model.isEmpty)
        #expect(set.hull?.lowerBound == model.min() && set.hull?.upperBound == model.max(), "seed \(seed)")
        var listed: [ClosedRange<UInt64>] = []
        set.forEachRange {
            listed.append($0)
            return true
        }
        #expect(listed == Self.ranges(model), "seed \(seed)")
        var look = IDSet.Look()
        for id in 0...(span + 20_000) where id % 7 == 0 || model.contains(id) != model.contains(id + 1) {
            #expect(set.contains(id) == model.contains(id), "seed \(seed), \(id)")
            #expect(set.contains(id, &look) == model.contains(id), "seed \(seed), \(id)")
        }
        for _ in 0..<200 {
            let low = UInt64.random(in: 0...(span + 9_000), using: &random)
            let high = low + UInt64.random(in: 0...20_000, using: &random) / (Bool.random(using: &random) ? 1 : 4000)
            let wanted = listed.contains { $0.overlaps(low...high) }
            #expect(set.intersects(low...high) == wanted, "seed \(seed), \(low)...\(high)")
        }
        var other = IDSet()
        for range in listed.reversed() { other.insert(range) }
        other.formUnion(set)
        #expect(other.count == set.count, "seed \(seed)")
    }

    @Test func stopsListingWhenToldTo() {
        var set = IDSet()
        for id in [1, 3, 5, 8_192] as [UInt64] { set.insert(id) }
        var count = 0
        set.forEachRange { _ in
            count += 1
            return count < 2
        }
        #expect(count == 2)
    }

    /// A hundred million ids in a row are a range, not bits.
    @Test func aLongRunCostsLittle() {
        var set = IDSet()
        set.insert(5...100_000_000)
        set.insert(200_000_000...300_000_000)
        #expect(set.count == 99_999_996 + 100_000_001)
        #expect(set.cost < 4_000)
        set.insert(1...400_000_000)
        #expect(set.count == 400_000_000 && set.cost < 2_000)
    }
}
