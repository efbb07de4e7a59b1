// The parameters of `GET /stats/…`, which are also those of `eye stats`: a filter, and what is asked about the events that pass it. Pure.
// All wrong values are reported at once.

import EyeStore

/// A checked request for statistics.
package struct StatsQuery {
    /// What is asked.
    package enum Kind: String, CaseIterable, Sendable {
        case count, hits, top, uniq, funnel

        /// The parameters that are no filters.
        package var others: [String] {
            switch self {
            case .count, .uniq: ["by"] + StatsQuery.shared
            case .hits: ["by", "step"] + StatsQuery.shared
            case .top: ["field", "limit"] + StatsQuery.shared
            case .funnel: ["step", "mode", "window"] + StatsQuery.shared
            }
        }

        /// All of them, but for `data.PATH` and its operators.
        package var known: [String] { FilterParameters.known + others }
    }

    /// Parameters of every kind.
    private static let shared = ["timeout", "progress"]

    package let kind: Kind
    package let filter: EventFilter
    package let question: AnalysisQuestion
    /// The names of the fields that events are grouped by.
    package private(set) var fields: [String] = []
    /// What was given for steps of a funnel, or for the step of a histogram.
    package private(set) var steps: [String] = []
    /// What was given for the window of a funnel.
    package private(set) var window: String?
    /// Milliseconds that the answer may take.
    package private(set) var timeoutMilliseconds = HTTPLimits.statsMilliseconds
    /// News of the progress are wanted.
    package private(set) var wantsProgress = false

    /// Reads parameters; throws the problem to answer with.
    package init(_ kind: Kind, _ parameters: QueryParameters, now: Int64) throws(ProblemError) {
        self.kind = kind
        var problem = Problem(400, "bad-parameter")
        FilterParameters.refuseUnknown(parameters, others: kind.others, &problem)
        filter = FilterParameters.read(parameters, now: now, &problem)
        switch kind {
        case .count, .uniq:
            let by = StatsQuery.fields("by", parameters, AnalysisLimits.fieldsMax, &problem)
            fields = by.map(\.name)
            question = kind == .count ? .count(by: by.map(\.field)) : .uniq(by: by.map(\.field))
        case .hits:
            let by = StatsQuery.fields("by", parameters, 1, &problem)
            fields = by.map(\.name)
            let step = StatsQuery.span("step", parameters, &problem)
            steps = [step?.text ?? StatsQuery.stepDefault.text]
            question = .hits(
                TimeStep(microseconds: step?.microseconds ?? StatsQuery.stepDefault.microseconds),
                by: by.first?.field, within: filter.timestampRange)
        case .top:
            let wanted = StatsQuery.fields("field", parameters, 1, &problem)
            if wanted.isEmpty && problem.messages.isEmpty { problem.add("field", "This field is required.") }
            fields = wanted.map(\.name)
            let limit = parameters.limit(max: AnalysisLimits.topMax, &problem) ?? HTTPLimits.topDefault
            question = .top(wanted.first?.field ?? .name, limit: limit)
        case .funnel:
            let window = StatsQuery.span("window", parameters, &problem)
            self.window = window?.text
            steps = parameters.values("step").map(\.text)
            question = .funnel(
                Funnel(
                    FunnelSteps.read(parameters.values("step"), now: now, &problem),
                    mode: StatsQuery.mode(parameters, &problem), window: window?.microseconds))
        }
        if let timeout = StatsQuery.span("timeout", parameters, &problem) {
            timeoutMilliseconds = UInt64(timeout.microseconds / 1000)
            if timeoutMilliseconds > HTTPLimits.statsMillisecondsMax {
                problem.add("timeout", "At most \(HTTPLimits.statsMillisecondsMax / 1000)s.")
            }
        }
        switch parameters.single("progress", &problem) {
        case nil, [UInt8(ascii: "0")]?: break
        case [UInt8(ascii: "1")]?: wantsProgress = true
        default: problem.add("progress", "Choose 1, or leave it out.")
        }
        try problem.throwIfAny()
    }

    /// The step of a histogram when none is given.
    private static let stepDefault = (text: "1h", microseconds: Int64(3_600_000_000))

    private static func mode(_ parameters: QueryParameters, _ problem: inout Problem) -> Funnel.Mode {
        switch parameters.single("mode", &problem) {
        case nil, Array("ordered".utf8)?: return .ordered
        case Array("strict".utf8)?: return .strict
        default:
            problem.add("mode", "Choose ordered or strict.")
            return .ordered
        }
    }

    /// A span of time such as `5m`; nil: none is given, or a wrong one.
    private static func span(
        _ name: String, _ parameters: QueryParameters, _ problem: inout Problem
    ) -> (text: String, microseconds: Int64)? {
        guard let value = parameters.single(name, &problem) else { return nil }
        if let span = Moment.microseconds(value), span > 0 { return (String(decoding: value, as: UTF8.self), span) }
        problem.add(name, "A span of time is required: a number with s, m, h, d or w, such as 90s, 15m, 1h, 7d, 2w.")
        return nil
    }

    /// Fields by their names.
    private static func fields(
        _ name: String, _ parameters: QueryParameters, _ max: Int, _ problem: inout Problem
    ) -> [(name: String, field: AnalysisField)] {
        var found: [(name: String, field: AnalysisField)] = []
        for parameter in parameters.values(name) {
            guard let field = field(parameter.text) else {
                let known = ["category", "name", "session_id"]
                let near = Suggestion.nearest(to: parameter.text, in: known)
                let hint =
                    near.map { "did you mean \($0)?" }
                    ?? "there are \((known + ["data.PATH"]).joined(separator: ", "))."
                problem.add(name, "Unknown field \u{201C}\(parameter.shown)\u{201D}; \(hint)")
                continue
            }
            if found.contains(where: { $0.field == field }) {
                problem.add(name, "\(parameter.shown) is there twice.")
            } else {
                found.append((parameter.text, field))
            }
        }
        if found.count > max { problem.add(name, max == 1 ? "Only one field." : "At most \(max) fields.") }
        return Array(found.prefix(max))
    }

    private static func field(_ name: String) -> AnalysisField? {
        switch name {
        case "category": return .category
        case "name": return .name
        case "session_id": return .session
        default:
            let path = Array(name.utf8.dropFirst(FilterParameters.dataPrefix.utf8.count))
            guard name.hasPrefix(FilterParameters.dataPrefix), !path.isEmpty else { return nil }
            return .data(path)
        }
    }
}
