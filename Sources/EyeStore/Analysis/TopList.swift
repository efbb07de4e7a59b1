// The groups with the highest counts among many, in bounded room: collects candidates and throws the lower ones away now and then. Exact,
// whatever the order they come in. Pure value.

/// The highest counts.
struct TopList {
    private let limit: Int
    private var candidates: [AnalysisGroup] = []
    /// Below this nobody gets in any more.
    private var threshold: UInt64 = 0
    /// Bytes of memory, about.
    private(set) var cost = 0
    private var costMax = 1 << 20

    init(_ limit: Int) { self.limit = limit }

    /// Adds a group, unless it has no chance; `values` is only called if it has.
    mutating func add(_ count: UInt64, _ values: () -> [AnalysisValue]) {
        guard limit > 0, count >= threshold else { return }
        let group = AnalysisGroup(values(), count)
        candidates.append(group)
        cost += group.cost
        if candidates.count >= limit * 2 + 64 || cost > costMax {
            cut()
            // Long values that stay are not sorted again and again.
            costMax = max(costMax, cost * 2)
        }
    }

    private mutating func cut() {
        candidates.sort { $0.precedes($1) }
        if candidates.count > limit { candidates.removeLast(candidates.count - limit) }
        if candidates.count == limit { threshold = candidates[limit - 1].count }
        cost = candidates.reduce(0) { $0 + $1.cost }
    }

    /// The highest ones, highest first.
    mutating func groups() -> [AnalysisGroup] {
        cut()
        return candidates
    }
}
