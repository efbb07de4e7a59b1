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
            let parameters: QueryParameters
            switch FunnelSteps.parameters(value.value) {
            case .success(let read): parameters = read
            case .failure(let fault):
                problem.add("step", "Step \(index + 1), “\(value.shown)”: \(fault.text)")
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

    /// What is wrong with a step, in words.
    private struct Fault: Error {
        let text: String

        static let backslash = Fault(text: "there is nothing behind the backslash at its end; \\\\ is a backslash.")

        private init(text: String) { self.text = text }

        /// A filter without a `:`.
        init(_ filter: [UInt8]) {
            let shown = QueryParameters.Parameter(name: "", value: filter).shown
            let example = "A filter is NAME:VALUE, such as name:page view, with ; between two."
            let isName = FilterParameters.known.contains { filter.elementsEqual($0.utf8) }
            if filter.isEmpty {
                text = "there is no filter before its end, or before a ;. \(example)"
            } else if isName || filter.starts(with: FilterParameters.dataPrefix.utf8) {
                text = "“\(shown)” has no value. \(example)"
            } else {
                text = "“\(shown)” has no NAME before it. \(example)"
            }
        }
    }

    /// The filters of a step.
    private static func parameters(_ text: [UInt8]) -> Result<QueryParameters, Fault> {
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
                if !finish() { return .failure(Fault(part)) }
            } else {
                part.append(byte)
            }
        }
        if isEscaped { return .failure(.backslash) }
        return finish() ? .success(QueryParameters(all)) : .failure(Fault(part))
    }
}
