// A set of ids (of events, or sequences of records) that costs little whether they lie together or apart: whole runs as ranges, the rest as
// bits, 4,096 ids to 512 bytes. A value: who holds one sees it unchanged. Used for what is erased, by readers and by the erasing thread.

/// A set of numbers.
public struct IDSet: Sendable {
    /// Ids of one block of bits.
    static let blockIDs: UInt64 = 4096
    private static let blockShift: UInt64 = 12

    /// The bits of a block.
    struct Bits: Sendable {
        private var words = [UInt64](repeating: 0, count: 64)

        @inline(__always)
        func contains(_ place: UInt64) -> Bool { words[Int(place >> 6)] >> (place & 63) & 1 == 1 }

        /// Sets the bits from `first` to `last`; returns how many were not set.
        mutating func insert(_ first: UInt64, _ last: UInt64) -> UInt64 {
            var added = 0
            for word in Int(first >> 6)...Int(last >> 6) {
                let low = word == Int(first >> 6) ? first & 63 : 0
                let high = word == Int(last >> 6) ? last & 63 : 63
                let mask = (UInt64.max >> (63 - (high - low))) << low
                added += (mask & ~words[word]).nonzeroBitCount
                words[word] |= mask
            }
            return UInt64(added)
        }

        func contains(anyOf first: UInt64, _ last: UInt64) -> Bool {
            for word in Int(first >> 6)...Int(last >> 6) {
                let low = word == Int(first >> 6) ? first & 63 : 0
                let high = word == Int(last >> 6) ? last & 63 : 63
                if words[word] & (UInt64.max >> (63 - (high - low))) << low != 0 { return true }
            }
            return false
        }

        var count: UInt64 { UInt64(words.reduce(0) { $0 + $1.nonzeroBitCount }) }
    }

    /// Blocks in part, by id / 4,096.
    private var blocks: [UInt64: Bits] = [:]
    /// Whole blocks, as block numbers: ascending, apart from each other.
    private var runs: [ClosedRange<UInt64>] = []
    /// Ids in the set.
    public private(set) var count: UInt64 = 0

    /// The empty set.
    public init() {}

    /// Whether it has no ids.
    public var isEmpty: Bool { count == 0 }

    /// Bytes of memory, about.
    var cost: Int { blocks.count * 600 + runs.count * 16 }

    // MARK: Asking

    /// The place of the last run that begins at or before `block`; -1: none.
    private func run(atOrBefore block: UInt64) -> Int {
        var low = 0
        var high = runs.count
        while low < high {
            let middle = (low + high) / 2
            if runs[middle].lowerBound <= block { low = middle + 1 } else { high = middle }
        }
        return low - 1
    }

    private func isWhole(_ block: UInt64) -> Bool {
        let place = run(atOrBefore: block)
        return place >= 0 && runs[place].upperBound >= block
    }

    /// Whether `id` is in it.
    public func contains(_ id: UInt64) -> Bool {
        let block = id >> IDSet.blockShift
        if let bits = blocks[block] { return bits.contains(id & (IDSet.blockIDs - 1)) }
        return isWhole(block)
    }

    /// What was looked at last, for who asks for many ids one after the other.
    struct Look {
        fileprivate var block = UInt64.max
        fileprivate var bits: Bits?
        fileprivate var isWhole = false
    }

    /// `contains`, quick for ids near the last one asked for.
    @inline(__always)
    func contains(_ id: UInt64, _ look: inout Look) -> Bool {
        let block = id >> IDSet.blockShift
        if block != look.block {
            look.block = block
            look.bits = blocks[block]
            look.isWhole = look.bits == nil && isWhole(block)
        }
        return look.bits?.contains(id & (IDSet.blockIDs - 1)) ?? look.isWhole
    }

    /// Whether any id of `range` is in it.
    public func intersects(_ range: ClosedRange<UInt64>) -> Bool {
        if isEmpty { return false }
        let first = range.lowerBound >> IDSet.blockShift
        let last = range.upperBound >> IDSet.blockShift
        let place = run(atOrBefore: last)
        if place >= 0 && runs[place].upperBound >= first { return true }
        func isHit(_ block: UInt64, _ bits: Bits) -> Bool {
            let low = block == first ? range.lowerBound & (IDSet.blockIDs - 1) : 0
            let high = block == last ? range.upperBound & (IDSet.blockIDs - 1) : IDSet.blockIDs - 1
            return bits.contains(anyOf: low, high)
        }
        if last - first < UInt64(blocks.count) {
            for block in first...last {
                if let bits = blocks[block], isHit(block, bits) { return true }
            }
            return false
        }
        return blocks.contains { $0.key >= first && $0.key <= last && isHit($0.key, $0.value) }
    }

    /// The ids as ranges, ascending, no two of them adjacent, until `body` returns false.
    public func forEachRange(_ body: (ClosedRange<UInt64>) -> Bool) {
        var open: ClosedRange<UInt64>?
        /// Joins what is adjacent.
        func give(_ first: UInt64, _ last: UInt64) -> Bool {
            guard let before = open else {
                open = first...last
                return true
            }
            if first == before.upperBound + 1 {
                open = before.lowerBound...last
                return true
            }
            open = first...last
            return body(before)
        }
        var nextRun = 0
        func giveRuns(below block: UInt64) -> Bool {
            while nextRun < runs.count, runs[nextRun].lowerBound < block {
                let run = runs[nextRun]
                nextRun += 1
                let last = (run.upperBound << IDSet.blockShift) | (IDSet.blockIDs - 1)
                if !give(run.lowerBound << IDSet.blockShift, last) { return false }
            }
            return true
        }
        for block in blocks.keys.sorted() {
            guard giveRuns(below: block), let bits = blocks[block] else { return }
            var place: UInt64 = 0
            while place < IDSet.blockIDs {
                guard bits.contains(place) else {
                    place += 1
                    continue
                }
                let start = place
                while place < IDSet.blockIDs, bits.contains(place) { place += 1 }
                let base = block << IDSet.blockShift
                if !give(base + start, base + place - 1) { return }
            }
        }
        guard giveRuns(below: UInt64.max), let last = open else { return }
        _ = body(last)
    }

    /// From its lowest to its highest id; nil: it is empty.
    public var hull: ClosedRange<UInt64>? {
        guard !isEmpty else { return nil }
        var low = UInt64.max
        var high: UInt64 = 0
        if let first = runs.first, let last = runs.last {
            low = first.lowerBound << IDSet.blockShift
            high = (last.upperBound << IDSet.blockShift) | (IDSet.blockIDs - 1)
        }
        for end in [blocks.keys.min(), blocks.keys.max()] {
            guard let block = end, let bits = blocks[block] else { continue }
            for place in 0..<IDSet.blockIDs where bits.contains(place) {
                low = min(low, block << IDSet.blockShift + place)
                high = max(high, block << IDSet.blockShift + place)
            }
        }
        return low...high
    }

    // MARK: Adding

    /// Adds `id`.
    public mutating func insert(_ id: UInt64) { insert(id...id) }

    /// Adds every id of `range`.
    public mutating func insert(_ range: ClosedRange<UInt64>) {
        let first = range.lowerBound >> IDSet.blockShift
        let last = range.upperBound >> IDSet.blockShift
        let low = range.lowerBound & (IDSet.blockIDs - 1)
        let high = range.upperBound & (IDSet.blockIDs - 1)
        if first == last {
            insertPart(first, low, high)
            return
        }
        if low > 0 { insertPart(first, low, IDSet.blockIDs - 1) }
        if high < IDSet.blockIDs - 1 { insertPart(last, 0, high) }
        let wholeFirst = low > 0 ? first + 1 : first
        let wholeEnd = high < IDSet.blockIDs - 1 ? last : last + 1
        if wholeFirst < wholeEnd { insertWhole(wholeFirst...(wholeEnd - 1)) }
    }

    /// Adds every id of `other`.
    public mutating func formUnion(_ other: IDSet) {
        if isEmpty {
            self = other
            return
        }
        other.forEachRange { range in
            insert(range)
            return true
        }
    }

    private mutating func insertPart(_ block: UInt64, _ first: UInt64, _ last: UInt64) {
        if isWhole(block) { return }
        count += blocks[block, default: Bits()].insert(first, last)
    }

    private mutating func insertWhole(_ fresh: ClosedRange<UInt64>) {
        // Bits of blocks that are whole now are no longer needed.
        if UInt64(blocks.count) <= fresh.upperBound - fresh.lowerBound {
            for block in blocks.keys where fresh.contains(block) { dropBits(block) }
        } else {
            for block in fresh { dropBits(block) }
        }
        var low = fresh.lowerBound
        var high = fresh.upperBound
        var place = run(atOrBefore: high == UInt64.max ? high : high + 1)
        var end = place + 1
        while place >= 0, runs[place].upperBound >= (low == 0 ? 0 : low - 1) {
            low = min(low, runs[place].lowerBound)
            high = max(high, runs[place].upperBound)
            count -= (runs[place].upperBound - runs[place].lowerBound + 1) << IDSet.blockShift
            place -= 1
        }
        end = max(end, place + 1)
        runs.replaceSubrange((place + 1)..<end, with: [low...high])
        count += (high - low + 1) << IDSet.blockShift
    }

    private mutating func dropBits(_ block: UInt64) {
        if let bits = blocks.removeValue(forKey: block) { count -= bits.count }
    }
}
