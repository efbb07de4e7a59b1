// Questions to the events, and the answers. Pure values.

/// What is asked.
public enum AnalysisQuestion: Sendable {
    /// How many events; for each value, or combination of values, of the fields, if there are any.
    case count(by: [AnalysisField])
    /// How many events in each bucket of time; for each value of the field, if there is one.
    case hits(TimeStep, by: AnalysisField?, within: ClosedRange<Int64>?)
    /// The most frequent values of a field.
    case top(AnalysisField, limit: Int)
    /// How many different sessions; for each value of the fields, if there are any.
    case uniq(by: [AnalysisField])
    /// How many sessions went through steps.
    case funnel(Funnel)

    /// The fields of its groups.
    var fields: [AnalysisField] {
        switch self {
        case .count(let by), .uniq(let by): by
        case .hits(_, let by, _): by.map { [$0] } ?? []
        case .top(let field, _): [field]
        case .funnel: []
        }
    }
}

/// An answer.
public struct AnalysisResult: Sendable {
    /// Events that pass the filter.
    public var events: UInt64 = 0
    /// Of these, events without a value for one of the fields: they are in no group.
    public var missing: UInt64 = 0
    /// Different values, of all of which `groups` may be the top; for sessions, how many there are.
    public var distinct: UInt64 = 0
    /// Highest first. Not for histograms and funnels.
    public var groups: [AnalysisGroup] = []
    /// Of a histogram.
    public var histogram: Histogram?
    /// Of a funnel.
    public var funnel: FunnelResult?
}

/// Numbers over time.
public struct Histogram: Sendable {
    /// Where the first bucket begins, µs since 1970 UTC.
    public var start: Int64 = 0
    public var step: TimeStep
    /// A number for each bucket, empty ones included, to the last.
    public var counts: [UInt64] = []
    /// The same for each value of the field; those with most events first.
    public var series: [(value: AnalysisValue, total: UInt64, counts: [UInt64])] = []

    /// Where bucket `index` begins, µs since 1970 UTC.
    public func start(_ index: Int) -> Int64 { start &+ Int64(index) &* step.microseconds }
}
