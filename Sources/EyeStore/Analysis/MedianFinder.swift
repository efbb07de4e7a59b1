// The middle one of many numbers, exactly, in bounded room: kept while they are few, else counted by ranges of values; then the range that
// holds the middle one is looked at more closely in another round over the same numbers. Pure value.

/// Finds the middle one of numbers that are not negative; of an even number of them the lower one of the two in the middle.
struct MedianFinder {
    /// All numbers, in every round.
    private var count: UInt64 = 0
    /// Numbers that lie below the range.
    private var below: UInt64 = 0
    private var low: Int64 = 0
    private var high = Int64.max
    private var kept: [Int64] = []
    /// Not empty: there are too many to keep; how many lie in each range.
    private var ranges: [UInt64] = []
    private var isFirstRound = true
    /// Once it is known.
    private(set) var median: Int64?
    private let keptMax: Int

    init(keptMax: Int = AnalysisLimits.timesKept) { self.keptMax = keptMax }

    /// Nothing more is to be found out.
    var isDone: Bool { median != nil || (!isFirstRound && count == 0) }

    mutating func add(_ value: Int64) {
        if isFirstRound { count += 1 }
        guard !isDone, value >= low, value <= high else { return }
        if !ranges.isEmpty {
            ranges[MedianFinder.range(value - low)] += 1
        } else if kept.count < keptMax {
            kept.append(value)
        } else {
            ranges = [UInt64](repeating: 0, count: MedianFinder.rangesMax)
            for value in kept { ranges[MedianFinder.range(value - low)] += 1 }
            ranges[MedianFinder.range(value - low)] += 1
            kept = []
        }
    }

    /// All numbers were added. False: another round over all of them is needed.
    mutating func endRound() -> Bool {
        isFirstRound = false
        guard median == nil, count > 0 else { return true }
        let wanted = (count - 1) / 2 - below
        if ranges.isEmpty {
            kept.sort()
            median = kept[Int(wanted)]
            kept = []
            return true
        }
        var passed: UInt64 = 0
        var index = 0
        while passed + ranges[index] <= wanted {
            passed += ranges[index]
            index += 1
        }
        below += passed
        let origin = low
        (low, high) = (origin + MedianFinder.start(index), origin + (MedianFinder.start(index + 1) - 1))
        ranges = []
        if low == high { median = low }
        return median != nil
    }

    // Ranges grow with the values: 32 of each power of two.
    private static let rangesMax = 60 * 32

    private static func range(_ value: Int64) -> Int {
        if value < 32 { return Int(value) }
        let exponent = 63 - value.leadingZeroBitCount
        return (exponent - 4) * 32 + Int(value >> Int64(exponent - 5)) - 32
    }

    /// The first value of a range.
    private static func start(_ range: Int) -> Int64 {
        if range < 32 { return Int64(range) }
        let exponent = range / 32 + 4
        if exponent > 62 { return Int64.max }
        return Int64(range % 32 + 32) << Int64(exponent - 5)
    }

    /// Bytes of memory, about.
    var cost: Int { (kept.capacity + ranges.capacity) * 8 }
}
