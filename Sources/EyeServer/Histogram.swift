// Counts by size, in the shape that Prometheus scrapes. Filled by one thread under its owner's lock.

/// A histogram with fixed bounds; at most nine, and one bucket for what is larger than all.
struct Histogram: Sendable {
    static let boundsMax = 9

    /// Upper bounds, inclusive, ascending.
    let bounds: [UInt64]
    private(set) var counts: InlineArray<10, UInt64> = .init(repeating: 0)
    private(set) var sum: UInt64 = 0
    private(set) var count: UInt64 = 0

    init(bounds: [UInt64]) {
        precondition(bounds.count <= Histogram.boundsMax)
        self.bounds = bounds
    }

    mutating func add(_ value: UInt64) {
        var bucket = 0
        while bucket < bounds.count && value > bounds[bucket] { bucket += 1 }
        counts[bucket] += 1
        sum &+= value
        count += 1
    }
}
