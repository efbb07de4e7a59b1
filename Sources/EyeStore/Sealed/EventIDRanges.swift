// A set of event ids as rising ranges: what is erased, what a sealing leaves out. A pure value.

/// Ranges of event ids, rising, none touching another.
public struct EventIDRanges: Sendable, Equatable {
    public private(set) var ranges: [ClosedRange<UInt64>] = []

    public init() {}

    public init(_ ranges: some Sequence<ClosedRange<UInt64>>) {
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) { append(range) }
    }

    public var isEmpty: Bool { ranges.isEmpty }

    /// How many ids.
    public var count: UInt64 { ranges.reduce(0) { $0 + ($1.upperBound - $1.lowerBound + 1) } }

    public func contains(_ id: UInt64) -> Bool {
        let index = firstIndex(endingAtOrAfter: id)
        return index < ranges.count && ranges[index].lowerBound <= id
    }

    /// Whether some id from `first` to below `next` is in the set.
    public func overlaps(_ first: UInt64, _ next: UInt64) -> Bool {
        guard first < next else { return false }
        let index = firstIndex(endingAtOrAfter: first)
        return index < ranges.count && ranges[index].lowerBound < next
    }

    private func firstIndex(endingAtOrAfter id: UInt64) -> Int {
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound < id { low = middle + 1 } else { high = middle }
        }
        return low
    }

    public mutating func insert(_ range: ClosedRange<UInt64>) {
        // The ranges that it meets or touches become one with it.
        let first = firstIndex(endingAtOrAfter: range.lowerBound == 0 ? 0 : range.lowerBound - 1)
        var end = first
        var low = range.lowerBound
        var high = range.upperBound
        while end < ranges.count && (high == UInt64.max || ranges[end].lowerBound <= high + 1) {
            low = min(low, ranges[end].lowerBound)
            high = max(high, ranges[end].upperBound)
            end += 1
        }
        ranges.replaceSubrange(first..<end, with: [low...high])
    }

    private mutating func append(_ range: ClosedRange<UInt64>) {
        guard let last = ranges.last, last.upperBound == UInt64.max || range.lowerBound <= last.upperBound + 1 else {
            ranges.append(range)
            return
        }
        ranges[ranges.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
    }
}
