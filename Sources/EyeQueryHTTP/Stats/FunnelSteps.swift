// The steps of a funnel as parameters give them: `step=name:page view` or `step=category:commerce;data.plan:pro`. A step is a list of
// filters with `;` between them, all of which must hold; a filter is a parameter's name and value with `:` between them. A backslash takes
// the meaning from the character behind it. Pure.

import EyeStore

/// Reads steps.
enum FunnelSteps {
    /// One filter for each step; when something is wrong, it is in the problem, and what is returned can still be used.
    static func read(
        _ values: [QueryParameters.Parameter], now: Int64, _ problem: inout Problem
    ) -> [EventFilter] {
        guard (2...AnalysisLimits.funnelStepsMax).contains(values.count) else {
            problem.add(
                "step",
                "2 to \(AnalysisLimits.funnelStepsMax) steps are required, such as step=name:page view&step=name:signup."
            )
            return [EventFilter()]
        }
        var filters: [EventFilter] = []
        for (index, value) in values.enumerated() {
            var own = Problem(400, "bad-parameter")
            guard let parameters = parameters(value.value), !parameters.all.isEmpty else {
                problem.add(
                    "step", "Step \(index + 1) is not a list of NAME:VALUE with ; between them: “\(value.shown)”.")
                continue
            }
            FilterParameters.refuseUnknown(parameters, others: [], &own)
            filters.append(FilterParameters.read(parameters, now: now, &own))
            for (field, texts) in own.messages {
                for text in texts {
                    problem.add("step", "Step \(index + 1): \(field == "parameters" ? "" : field + ": ")\(text)")
                }
            }
        }
        return filters.isEmpty ? [EventFilter()] : filters
    }

    /// The filters of a step; nil: one of them has no `:`.
    private static func parameters(_ text: [UInt8]) -> QueryParameters? {
        var all: [QueryParameters.Parameter] = []
        var name: [UInt8]?
        var part: [UInt8] = []
        var isEscaped = false
        func finish() -> Bool {
            guard let known = name else { return false }
            all.append(QueryParameters.Parameter(name: String(decoding: known, as: UTF8.self), value: part))
            name = nil
            part = []
            return true
        }
        for byte in text {
            if isEscaped {
                part.append(byte)
                isEscaped = false
            } else if byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else if byte == .colon && name == nil {
                name = part
                part = []
            } else if byte == UInt8(ascii: ";") {
                if !finish() { return nil }
            } else {
                part.append(byte)
            }
        }
        guard !isEscaped, finish() else { return nil }
        return QueryParameters(all)
    }
}
