// The parameters of `GET /events/` and what they mean. Pure. An unknown parameter is refused (a filter that is silently
// ignored shows everything), all wrong values are reported at once.

import EyeWire

/// A checked list request.
struct EventQuery {
    /// OR inside each, AND between them; empty: no such filter. Compared by bytes.
    var categories: [[UInt8]] = []
    var names: [[UInt8]] = []
    var sessions: [UUID] = []
    var timestamps: [Int64] = []
    /// Closed range of timestamps, microseconds.
    var earliest = Int64.min
    var latest = Int64.max
    var newestFirst = true
    var limit = HTTPLimits.pageDefault
    /// The place where this page goes on.
    var cursor: PageCursor?
    /// What relative times were counted from.
    var now: Int64
    /// Checksum of everything but `limit` and `cursor`: a cursor belongs to one list.
    private(set) var fingerprint: UInt32 = 0

    /// The parameters that exist, for "did you mean".
    static let known = [
        "category", "name", "session_id", "timestamp", "timestamp__gte", "timestamp__gt", "timestamp__lte",
        "timestamp__lt", "since", "until", "order", "limit", "cursor",
    ]

    /// Reads parameters; throws the problem to answer with.
    init(_ parameters: QueryParameters, now: Int64) throws(ProblemError) {
        self.now = now
        if let unknown = parameters.firstUnknown(EventQuery.known) {
            throw ProblemError(Problem.unknownParameter(unknown, known: EventQuery.known))
        }
        var problem = Problem(400, "bad-parameter")
        fingerprint = PageCursor.fingerprint(parameters)
        if let value = parameters.single("cursor", &problem) {
            if let cursor = PageCursor(parsing: value), cursor.fingerprint == fingerprint {
                self.cursor = cursor
                // `since=1h` means the same hour on every page.
                self.now = cursor.now
            } else {
                problem.add("cursor", "This cursor is of another list; start again without it.")
            }
        }
        limit = parameters.limit(&problem)
        categories = parameters.values("category").map(\.value)
        names = parameters.values("name").map(\.value)
        for parameter in parameters.values("session_id") {
            if let id = UUID(parsing: parameter.value.span) {
                sessions.append(id)
            } else {
                problem.add("session_id", "\u{201C}\(parameter.shown)\u{201D} is not a valid UUID.")
            }
        }
        for parameter in parameters.values("timestamp") {
            if let moment = EventQuery.moment(parameter, nil, &problem) { timestamps.append(moment) }
        }
        readRange(parameters, &problem)
        switch parameters.single("order", &problem) {
        case nil, Array("-id".utf8)?: break
        case Array("id".utf8)?: newestFirst = false
        default: problem.add("order", "Choose -id (newest first) or id.")
        }
        if !problem.messages.isEmpty {
            let (field, texts) = problem.messages[0]
            problem.detail = "\(field): \(texts[0])"
            throw ProblemError(problem)
        }
    }

    private mutating func readRange(_ parameters: QueryParameters, _ problem: inout Problem) {
        // Lower and upper bounds; `since` and `until` may be relative and make a half-open range.
        let bounds: [(name: String, isLower: Bool, isOpen: Bool, isRelative: Bool)] = [
            ("timestamp__gte", true, false, false), ("timestamp__gt", true, true, false),
            ("timestamp__lte", false, false, false), ("timestamp__lt", false, true, false),
            ("since", true, false, true), ("until", false, true, true),
        ]
        for (name, isLower, isOpen, isRelative) in bounds {
            for parameter in parameters.values(name) {
                guard let moment = EventQuery.moment(parameter, isRelative ? now : nil, &problem) else { continue }
                if isLower {
                    earliest = max(earliest, isOpen ? moment + 1 : moment)
                } else {
                    latest = min(latest, isOpen ? moment - 1 : moment)
                }
            }
        }
    }

    /// The moment that a value names: RFC 3339 as in events, or, where `now` is given, `90s`, `15m`, `1h`, `7d` or `2w` ago.
    private static func moment(
        _ parameter: QueryParameters.Parameter, _ now: Int64?, _ problem: inout Problem
    ) -> Int64? {
        var text = parameter.value
        if let now, let ago = relative(text) {
            let (moment, overflow) = now.subtractingReportingOverflow(ago)
            if !overflow { return moment }
        }
        // `…T12:30:06+02:00` whose + was not percent-encoded arrives with a space.
        let zoneBytes = 6
        if text.count > zoneBytes, text[text.count - zoneBytes] == .space, text[text.count - 3] == .colon,
            text.suffix(5).enumerated().allSatisfy({ $0.offset == 2 || ByteClass.isDigit($0.element) }),
            text.dropLast(zoneBytes).contains(.colon)
        {
            text[text.count - zoneBytes] = UInt8(ascii: "+")
        }
        if let moment = Timestamp.parse(text.span) { return moment }
        let formats =
            "YYYY-MM-DDThh:mm:ss[.uuuuuu][+HH:MM|-HH:MM|Z]\(now == nil ? "" : ", or 90s, 15m, 1h, 7d, 2w ago")"
        problem.add(
            parameter.name, "Datetime has wrong format. Use one of these formats instead: \(formats).")
        return nil
    }

    private static func relative(_ text: [UInt8]) -> Int64? {
        let digitsMax = 9
        guard let unit = text.last, text.count > 1, text.count <= digitsMax + 1,
            text.dropLast().allSatisfy(ByteClass.isDigit)
        else { return nil }
        let seconds: Int64
        switch unit {
        case UInt8(ascii: "s"): seconds = 1
        case UInt8(ascii: "m"): seconds = 60
        case UInt8(ascii: "h"): seconds = 3600
        case UInt8(ascii: "d"): seconds = 86_400
        case UInt8(ascii: "w"): seconds = 7 * 86_400
        default: return nil
        }
        return text.dropLast().reduce(Int64(0)) { $0 * 10 + Int64($1 - 0x30) } * seconds * 1_000_000
    }
}

/// A problem as an error.
struct ProblemError: Error {
    var problem: Problem
    init(_ problem: Problem) { self.problem = problem }
}

extension Problem {
    static func unknownParameter(_ name: String, known: [String]) -> Problem {
        var shown: [UInt8] = []
        // In bounds: the buffer is the array's own and lives for the call.
        unsafe Array(name.utf8).withUnsafeBytes {
            unsafe JSON.appendShown($0, scalarsMax: WireLimits.quotedScalarsMax, to: &shown)
        }
        var detail = "Unknown parameter \"\(String(decoding: shown, as: UTF8.self))\""
        if let near = Suggestion.nearest(to: name, in: known) {
            detail += "; did you mean \(near)?"
        } else if known.isEmpty {
            detail += "; there are none here."
        } else {
            detail += "; there are \(known.joined(separator: ", "))."
        }
        return Problem(400, "unknown-parameter", detail)
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
        guard let value = single("limit", &problem) else { return HTTPLimits.pageDefault }
        let digitsMax = 6
        if !value.isEmpty, value.count <= digitsMax, value.allSatisfy(ByteClass.isDigit) {
            let number = value.reduce(0) { $0 * 10 + Int($1 - 0x30) }
            if (1...HTTPLimits.pageMax).contains(number) { return number }
        }
        problem.add("limit", "A whole number from 1 to \(HTTPLimits.pageMax) is required.")
        return HTTPLimits.pageDefault
    }
}
