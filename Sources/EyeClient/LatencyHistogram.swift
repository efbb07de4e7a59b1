// Latencies, counted in buckets that grow with the value, after HdrHistogram (G. Tene, hdrhistogram.org): every power of two
// is split into 128 buckets, so that a percentile is told at most 1/128 (0.8 %) too high, at any size, in 37 KiB, with one
// addition a value. A value type without locks: each thread fills its own, and they are added at the end.

/// A histogram of time spans in nanoseconds.
public struct LatencyHistogram: Sendable {
    /// Buckets of each power of two, as a power of two: the precision is one part in 2⁷ = 128.
    public static let precisionBits = 7
    /// The largest span that is told apart: 2⁴² ns, 73 minutes. Longer ones count as this.
    public static let nanosecondsMax: UInt64 = 1 << 42

    private var counts: [UInt64]
    /// Values so far.
    public private(set) var count: UInt64 = 0
    /// The exact largest and smallest value, and the sum of all.
    public private(set) var max: UInt64 = 0
    public private(set) var min: UInt64 = .max
    public private(set) var sum: UInt64 = 0

    public init() {
        counts = Array(repeating: 0, count: LatencyHistogram.index(of: LatencyHistogram.nanosecondsMax) + 1)
    }

    /// Adds a span, `times` times.
    public mutating func record(_ nanoseconds: UInt64, times: UInt64 = 1) {
        if times == 0 { return }
        let value = Swift.min(nanoseconds, LatencyHistogram.nanosecondsMax)
        counts[LatencyHistogram.index(of: value)] += times
        count += times
        sum &+= value &* times
        max = Swift.max(max, value)
        min = Swift.min(min, value)
    }

    /// Adds what another thread has measured.
    public mutating func add(_ other: LatencyHistogram) {
        for index in counts.indices { counts[index] += other.counts[index] }
        count += other.count
        sum &+= other.sum
        max = Swift.max(max, other.max)
        min = Swift.min(min, other.min)
    }

    /// The span that `share` (0...1) of all values do not exceed: the top of its bucket, never above `max`. 0 if empty.
    public func percentile(_ share: Double) -> UInt64 {
        if count == 0 { return 0 }
        let rank = Swift.max(1, UInt64((share * Double(count)).rounded(.up)))
        var seen: UInt64 = 0
        for index in counts.indices {
            seen += counts[index]
            if seen >= rank { return Swift.min(max, LatencyHistogram.top(of: index)) }
        }
        return max
    }

    /// The mean in nanoseconds; 0 if empty.
    public var mean: Double { count == 0 ? 0 : Double(sum) / Double(count) }

    /// The bucket of a value: below 128 one each, then 128 for each power of two.
    static func index(of value: UInt64) -> Int {
        let shift = Swift.max(0, UInt64.bitWidth - 1 - value.leadingZeroBitCount - precisionBits)
        return (shift << precisionBits) + Int(value >> UInt64(shift))
    }

    /// The largest value that falls into bucket `index`.
    static func top(of index: Int) -> UInt64 {
        let shift = Swift.max(0, (index >> precisionBits) - 1)
        let first = UInt64(index - (shift << precisionBits))
        return ((first + 1) << UInt64(shift)) - 1
    }
}
