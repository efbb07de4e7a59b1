// The parameters of `GET /events/`, which are also those of `eye query` and `eye export`: a filter, an order, what is shown of each event
// and how. Pure. All wrong values are reported at once.

import EyeStore
import EyeWire

/// A checked request for events.
package struct EventQuery {
    /// How events are written.
    package enum Format: String, CaseIterable, Sendable {
        /// One array, a page.
        case json
        /// One object a line, all of them.
        case ndjson
        /// A table, all of them (RFC 4180).
        case csv
    }

    /// Which events, and in which order; without the bounds of a page.
    package var filter: EventFilter
    /// What is shown of each; nil: everything.
    package var fields: [EventField]?
    package var format = Format.json
    /// Only the number of events is wanted.
    package var isCount = false
    /// Nil: as many as a page has by itself, or all of them where there are no pages.
    package var limit: Int?
    /// The place where this page goes on.
    var cursor: PageCursor?
    /// What relative times were counted from.
    let now: Int64
    /// Checksum of everything but `limit` and `cursor`: a cursor belongs to one list.
    let fingerprint: UInt32

    /// The parameters that are no filters.
    package static let others = ["order", "fields", "count", "format", "limit", "cursor"]
    /// All of them, but for `data.PATH` and its operators.
    package static let known = FilterParameters.known + others

    /// Reads parameters; throws the problem to answer with. `isPaged`: a page is not the whole, and has a limit.
    package init(_ parameters: QueryParameters, now wall: Int64, isPaged: Bool = true) throws(ProblemError) {
        var problem = Problem(400, "bad-parameter")
        FilterParameters.refuseUnknown(parameters, others: EventQuery.others, &problem)
        fingerprint = PageCursor.fingerprint(Route.events.rawValue, parameters)
        cursor = PageCursor.read(parameters, fingerprint: fingerprint, &problem)
        // `since=1h` means the same hour on every page.
        now = cursor?.now ?? wall
        filter = FilterParameters.read(parameters, now: now, &problem)
        fields = EventField.read(parameters, &problem)
        switch parameters.single("order", &problem) {
        case nil, Array("-id".utf8)?: break
        case Array("id".utf8)?: filter.newestFirst = false
        default: problem.add("order", "Choose -id (newest first) or id.")
        }
        readShape(parameters, isPaged, &problem)
        try problem.throwIfAny()
    }

    private mutating func readShape(_ parameters: QueryParameters, _ isPaged: Bool, _ problem: inout Problem) {
        if let value = parameters.single("format", &problem) {
            if let known = Format(rawValue: String(decoding: value, as: UTF8.self)) {
                format = known
            } else {
                problem.add("format", "Choose \(Format.allCases.map(\.rawValue).joined(separator: ", ")).")
            }
        }
        switch parameters.single("count", &problem) {
        case nil, [UInt8(ascii: "0")]?: break
        case [UInt8(ascii: "1")]?: isCount = true
        default: problem.add("count", "Choose 1, or leave it out.")
        }
        // A whole result may be as long as it likes.
        limit = parameters.limit(
            max: isPaged && format == .json ? HTTPLimits.pageMax : HTTPLimits.streamRowsMax, &problem)
        guard isCount else { return }
        for name in ["limit", "cursor", "fields", "format"] where !parameters.values(name).isEmpty {
            problem.add(name, "A count is of everything: leave this out, or leave out count.")
        }
    }
}

/// A problem as an error.
package struct ProblemError: Error {
    package var problem: Problem
    init(_ problem: Problem) { self.problem = problem }
}

extension Problem {
    /// Throws this problem if anything was added to it.
    func throwIfAny() throws(ProblemError) {
        guard let (field, texts) = messages.first else { return }
        var problem = self
        problem.detail = code == "unknown-parameter" ? texts[0] : "\(field): \(texts[0])"
        throw ProblemError(problem)
    }

    /// Adds a parameter that does not exist. All of them stand under one name: theirs could be any, also that of a problem's own member.
    mutating func addUnknown(_ name: String, _ hint: String) {
        code = "unknown-parameter"
        let text = "Unknown parameter \"\(Problem.shown(name))\"; \(hint)"
        add(Problem.unknownField, text)
    }
    private static let unknownField = "parameters"

    /// Its messages name the parameters that they are about.
    package func isUnknownField(_ field: String) -> Bool { field == Problem.unknownField }

    static func unknownParameter(_ name: String, known: [String]) -> Problem {
        var detail = "Unknown parameter \"\(shown(name))\""
        if let near = Suggestion.nearest(to: name, in: known) {
            detail += "; did you mean \(near)?"
        } else if known.isEmpty {
            detail += "; there are none here."
        } else {
            detail += "; there are \(known.joined(separator: ", "))."
        }
        return Problem(400, "unknown-parameter", detail)
    }

    private static func shown(_ name: String) -> String {
        QueryParameters.Parameter(name: "", value: Array(name.utf8)).shown
    }
}

extension QueryParameters.Parameter {
    /// The value for a message: shortened, control characters escaped.
    var shown: String {
        var out: [UInt8] = []
        // In bounds: the buffer is the array's own and lives for the call.
        unsafe value.withUnsafeBytes {
            unsafe JSON.appendShown($0, scalarsMax: WireLimits.quotedScalarsMax, to: &out)
        }
        return String(decoding: out, as: UTF8.self)
    }
}

extension QueryParameters {
    /// The value of a parameter that may be there once.
    func single(_ name: String, _ problem: inout Problem) -> [UInt8]? {
        let found = values(name)
        if found.count > 1 { problem.add(name, "This parameter may be there only once.") }
        return found.first?.value
    }

    /// The page size.
    func limit(_ problem: inout Problem) -> Int {
        limit(max: HTTPLimits.pageMax, &problem) ?? HTTPLimits.pageDefault
    }

    /// A number of rows from 1 to `max`; nil: none is given, or a wrong one.
    func limit(max: Int, _ problem: inout Problem) -> Int? {
        guard let value = single("limit", &problem) else { return nil }
        let digitsMax = 10
        if !value.isEmpty, value.count <= digitsMax, value.allSatisfy(ByteClass.isDigit) {
            let number = value.reduce(0) { $0 * 10 + Int($1 - 0x30) }
            if number >= 1 && number <= max { return number }
        }
        problem.add("limit", "A whole number from 1 to \(max) is required.")
        return nil
    }
}
