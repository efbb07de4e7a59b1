// The parameters that choose events, the same for lists, statistics, timelines, exports and the command line: names → EventFilter. Pure.
// Different parameters: and. One of them repeated: or; but all bounds hold, and `__ne` means none of them. What is wrong is collected in a
// `Problem`, all of it at once; an unknown name is refused (a filter that is silently ignored shows everything).

import EyeStore
import EyeWire

/// Reads filters.
package enum FilterParameters {
    /// The parameters that exist, but for `data.PATH` and its operators.
    package static let known = [
        "category", "category__ne", "category__prefix", "category__contains", "name", "name__ne", "name__prefix",
        "name__contains", "session_id", "session_id__ne", "timestamp", "timestamp__ne", "timestamp__gte",
        "timestamp__gt", "timestamp__lte", "timestamp__lt", "since", "until",
    ]
    /// What follows `data.PATH`.
    package static let dataOperators = [
        "", "__ne", "__prefix", "__contains", "__gte", "__gt", "__lte", "__lt", "__exists",
    ]
    /// What names of parameters on values in `data` begin with.
    static let dataPrefix = "data."

    /// The filter that `parameters`, which are nothing else, ask for; throws what is wrong with them.
    package static func filter(_ parameters: QueryParameters, now: Int64) throws(ProblemError) -> EventFilter {
        var problem = Problem(400, "bad-parameter")
        refuseUnknown(parameters, others: [], &problem)
        let filter = read(parameters, now: now, &problem)
        try problem.throwIfAny()
        return filter
    }

    /// The filter that `parameters` ask for; others than filters are not looked at. `now`: what relative times are counted from.
    package static func read(
        _ parameters: QueryParameters, now: Int64, _ problem: inout Problem
    ) -> EventFilter {
        var filter = EventFilter()
        filter.categories = text("category", parameters)
        filter.names = text("name", parameters)
        filter.sessions = sessions("session_id", parameters, &problem)
        filter.otherSessions = sessions("session_id__ne", parameters, &problem)
        filter.timestamps = moments("timestamp", parameters, &problem)
        filter.otherTimestamps = moments("timestamp__ne", parameters, &problem)
        readRange(parameters, now, &filter, &problem)
        for parameter in parameters.all where DataName.isOne(parameter.name) {
            readData(parameter, &filter, &problem)
        }
        return filter
    }

    /// Adds every parameter that is neither a filter nor one of `others` to the problem, with the name that was probably meant.
    static func refuseUnknown(_ parameters: QueryParameters, others: [String], _ problem: inout Problem) {
        let known = known + others
        for name in parameters.names where !known.contains(name) {
            if DataName.isOne(name) {
                guard let meant = DataName(name).nearMiss else { continue }
                problem.addUnknown(name, "did you mean \(meant)?")
            } else if let near = Suggestion.nearest(to: name, in: known) {
                problem.addUnknown(name, "did you mean \(near)?")
            } else {
                problem.addUnknown(name, "there are \((known + ["data.PATH"]).joined(separator: ", ")).")
            }
        }
    }

    // MARK: Columns

    private static func text(_ name: String, _ parameters: QueryParameters) -> TextFilter {
        var filter = TextFilter()
        filter.equal = parameters.values(name).map(\.value)
        filter.unequal = parameters.values(name + "__ne").map(\.value)
        filter.prefixes = parameters.values(name + "__prefix").map(\.value)
        filter.parts = parameters.values(name + "__contains").map(\.value)
        return filter
    }

    private static func sessions(
        _ name: String, _ parameters: QueryParameters, _ problem: inout Problem
    ) -> [ID128] {
        var found: [ID128] = []
        for parameter in parameters.values(name) {
            if let id = UUID(parsing: parameter.value.span) {
                found.append(ID128(high: id.high, low: id.low))
            } else {
                problem.add(name, "\u{201C}\(parameter.shown)\u{201D} is not a valid UUID.")
            }
        }
        return found
    }

    private static func moments(
        _ name: String, _ parameters: QueryParameters, _ problem: inout Problem
    ) -> [Int64] {
        parameters.values(name).compactMap { Moment.read($0, now: nil, &problem) }
    }

    private static func readRange(
        _ parameters: QueryParameters, _ now: Int64, _ filter: inout EventFilter, _ problem: inout Problem
    ) {
        // Lower and upper bounds; `since` and `until` may be relative and make a half-open range.
        let bounds: [(name: String, isLower: Bool, isOpen: Bool, isRelative: Bool)] = [
            ("timestamp__gte", true, false, false), ("timestamp__gt", true, true, false),
            ("timestamp__lte", false, false, false), ("timestamp__lt", false, true, false),
            ("since", true, false, true), ("until", false, true, true),
        ]
        var earliest = Int64.min
        var latest = Int64.max
        for (name, isLower, isOpen, isRelative) in bounds {
            for parameter in parameters.values(name) {
                guard let moment = Moment.read(parameter, now: isRelative ? now : nil, &problem) else { continue }
                if isLower {
                    earliest = max(earliest, isOpen ? moment + 1 : moment)
                } else {
                    latest = min(latest, isOpen ? moment - 1 : moment)
                }
            }
        }
        if earliest > latest {
            filter.isNone = true
        } else if earliest != Int64.min || latest != Int64.max {
            filter.timestampRange = earliest...latest
        }
    }

    // MARK: Data

    private static func readData(
        _ parameter: QueryParameters.Parameter, _ filter: inout EventFilter, _ problem: inout Problem
    ) {
        let name = DataName(parameter.name)
        guard !name.path.isEmpty else {
            return problem.add(parameter.name, "Name a member of data, such as data.path or data.user.id.")
        }
        if name.nearMiss != nil { return }
        let index = filter.data.firstIndex { $0.path == name.path } ?? filter.data.count
        if index == filter.data.count { filter.data.append(DataFilter(path: name.path)) }
        let value = parameter.value
        switch name.operation {
        case "": filter.data[index].text.equal.append(value)
        case "__ne": filter.data[index].text.unequal.append(value)
        case "__prefix": filter.data[index].text.prefixes.append(value)
        case "__contains": filter.data[index].text.parts.append(value)
        case "__gte": filter.data[index].bounds.append(DataBound(.atLeast, value))
        case "__gt": filter.data[index].bounds.append(DataBound(.above, value))
        case "__lte": filter.data[index].bounds.append(DataBound(.atMost, value))
        case "__lt": filter.data[index].bounds.append(DataBound(.below, value))
        default:
            guard let exists = ["true": true, "1": true, "false": false, "0": false][parameter.text] else {
                return problem.add(parameter.name, "Choose true or false.")
            }
            if let before = filter.data[index].exists, before != exists { filter.isNone = true }
            filter.data[index].exists = exists
        }
    }
}

/// `data.PATH` with an operator or without.
struct DataName {
    /// The path, as `DataReading` has it.
    let path: [UInt8]
    /// One of `FilterParameters.dataOperators`.
    let operation: String
    /// The name that was probably meant, if what follows the last `__` is nearly an operator.
    let nearMiss: String?

    // By bytes: what a name says is not ours, and to Swift a dot with an accent is another character.
    init(_ name: String) {
        let text = Array(name.utf8.dropFirst(FilterParameters.dataPrefix.utf8.count))
        for operation in FilterParameters.dataOperators.dropFirst() {
            guard text.suffix(operation.utf8.count).elementsEqual(operation.utf8) else { continue }
            path = Array(text.dropLast(operation.utf8.count))
            self.operation = operation
            nearMiss = nil
            return
        }
        path = text
        operation = ""
        nearMiss = DataName.nearMiss(text)
    }

    /// Whether it begins with `data.`
    static func isOne(_ name: String) -> Bool { name.utf8.starts(with: FilterParameters.dataPrefix.utf8) }

    /// A name of a member may have `__` in it: only what is one slip of the hand away from an operator is taken for one.
    private static func nearMiss(_ letters: [UInt8]) -> String? {
        let lettersMin = 3
        guard
            let start = letters.indices.last(where: {
                $0 > 0 && letters[$0] == UInt8(ascii: "_") && letters[$0 - 1] == UInt8(ascii: "_")
            }), start > 1, letters.count - start > lettersMin
        else { return nil }
        let word = Array(letters[(start + 1)...])
        for operation in FilterParameters.dataOperators.dropFirst() {
            let known = Array(operation.utf8.dropFirst(2))
            guard known.count >= lettersMin, Suggestion.distance(word, known) <= 1 else { continue }
            return FilterParameters.dataPrefix + String(decoding: letters[..<(start - 1)], as: UTF8.self) + operation
        }
        return nil
    }
}
