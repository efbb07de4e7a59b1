// The event ids that damage has withheld from one answer, for its `Eye-Incomplete`. A value of the cursor that gathers it; any thread.

/// Ranges of event ids that an answer may lack.
public struct DamagedIDs: Sendable {
    var bounds: Range<UInt64> = 0..<0
    /// At most so many are told apart; more become one that spans them.
    static let rangesMax = 64
    /// The ranges, in the order they were met, without overlaps.
    public private(set) var ranges: [ClosedRange<UInt64>] = []

    /// None.
    public var isEmpty: Bool { ranges.isEmpty }
    /// The range that spans them all; nil: none.
    public var hull: ClosedRange<UInt64>? {
        guard let low = ranges.map(\.lowerBound).min(), let high = ranges.map(\.upperBound).max() else { return nil }
        return low...high
    }

    /// Adds those of another part of the same answer.
    mutating func add(_ other: DamagedIDs) {
        for range in other.ranges { add(range.lowerBound, range.upperBound + 1) }
    }

    /// Adds ids, as far as the query covers them.
    mutating func add(_ ids: Range<UInt64>) { add(ids.lowerBound, ids.upperBound) }

    /// Adds ids from `first` to below `next`, as far as the query covers them.
    mutating func add(_ first: UInt64, _ next: UInt64) {
        let low = max(first, bounds.lowerBound)
        let high = min(next, bounds.upperBound)
        guard low < high else { return }
        var fresh = low...(high - 1)
        for index in ranges.indices.reversed() where ranges[index].overlaps(fresh) {
            fresh = min(ranges[index].lowerBound, fresh.lowerBound)...max(ranges[index].upperBound, fresh.upperBound)
            ranges.remove(at: index)
        }
        ranges.append(fresh)
        if ranges.count > DamagedIDs.rangesMax, let hull { ranges = [hull] }
    }
}
