// The parameters of `GET /errors/` and `GET /errors/summary`: which refused events. Different parameters: and; one repeated: or. Pure. All
// wrong values are reported at once.

import EyeStore
import EyeWire

/// A checked request for refused events.
struct ErrorQuery {
    /// The parameters that choose them.
    static let filters = ["code", "token", "transport", "since", "until"]
    /// All of the list's.
    static let known = filters + ["limit", "cursor"]

    private var codes: [[UInt8]] = []
    private var tokens: [UInt32] = []
    private var transports: [UInt8] = []
    /// When they were received: at or after, before.
    private var since: Int64?
    private var until: Int64?

    let limit: Int
    /// Ids below this one.
    private(set) var before: UInt64?
    private let now: Int64
    private let fingerprint: UInt32

    /// Reads parameters; throws the problem to answer with. `isList`: with pages.
    init(
        _ parameters: QueryParameters, now wall: Int64, isList: Bool, tokenIDs: (_ name: String) -> [UInt32]
    ) throws(ProblemError) {
        let known = isList ? ErrorQuery.known : ErrorQuery.filters
        if let unknown = parameters.firstUnknown(known) {
            throw ProblemError(Problem.unknownParameter(unknown, known: known))
        }
        var problem = Problem(400, "bad-parameter")
        limit = parameters.limit(&problem)
        fingerprint = PageCursor.fingerprint(Route.errors.rawValue, parameters)
        let cursor = PageCursor.read(parameters, fingerprint: fingerprint, &problem)
        before = cursor?.last
        // `since=1h` means the same hour on every page.
        now = cursor?.now ?? wall
        for parameter in parameters.values("code") {
            if Reject(code: parameter.value.span) != nil {
                codes.append(parameter.value)
            } else {
                // A problem has a `code` of its own.
                problem.add("parameters", "code: " + ErrorQuery.choose(parameter, Reject.allCases.map { "\($0.code)" }))
            }
        }
        for parameter in parameters.values("transport") {
            if let transport = Transport(label: parameter.value.span) {
                transports.append(transport.rawValue)
            } else {
                problem.add("transport", ErrorQuery.choose(parameter, Transport.allCases.map { "\($0.label)" }))
            }
        }
        for parameter in parameters.values("token") {
            // Names may be numbers, too.
            let ids = (UInt32(parameter.text).map { [$0] } ?? []) + tokenIDs(parameter.text)
            if ids.isEmpty { problem.add("token", "No token has this id or name: \(parameter.shown).") }
            tokens += ids
        }
        for parameter in parameters.values("since") {
            if let moment = Moment.read(parameter, now: now, &problem) { since = max(since ?? moment, moment) }
        }
        for parameter in parameters.values("until") {
            if let moment = Moment.read(parameter, now: now, &problem) { until = min(until ?? moment, moment) }
        }
        try problem.throwIfAny()
    }

    /// Whether it is one of those that are wanted.
    func matches(_ sample: RejectedSample) -> Bool {
        (codes.isEmpty || codes.contains(sample.code)) && (tokens.isEmpty || tokens.contains(sample.token))
            && (transports.isEmpty || transports.contains(sample.transport))
            && since.map { sample.received >= $0 } ?? true && until.map { sample.received < $0 } ?? true
    }

    /// The Link to the page behind `last`.
    func link(_ parameters: QueryParameters, _ last: UInt64) -> ResponseField {
        PageLink.next(
            Route.errors.rawValue, parameters, PageCursor(upper: 0, last: last, now: now, fingerprint: fingerprint))
    }

    private static func choose(_ parameter: QueryParameters.Parameter, _ words: [String]) -> String {
        if let near = Suggestion.nearest(to: parameter.text, in: words) { return "Did you mean \(near)?" }
        return "Choose one of \(words.joined(separator: ", "))."
    }
}
