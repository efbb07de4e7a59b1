// The parameters of `GET /events/live`: the filters of `GET /events/`, where the stream begins, and how it is written. Pure. All wrong values are
// reported at once.

import EyeStore

/// A checked request for a live stream.
struct LiveQuery {
    /// How a stream is written.
    enum Format: String, CaseIterable {
        /// Server-Sent Events.
        case sse
        /// One JSON object a line.
        case ndjson
    }

    /// Where a stream begins.
    enum Start: Equatable {
        /// With what becomes durable from now on.
        case now
        /// With the oldest event there is.
        case oldest
        /// Behind a place.
        case after(LivePlace)
    }

    /// The parameters that are no filters.
    static let others = ["after", "fields", "format", "include", "limit"]

    /// Which events, oldest first.
    let filter: EventFilter
    /// What is shown of each; nil: everything.
    let fields: [EventField]?
    let format: Format
    private(set) var start = Start.now
    private(set) var showsAccepted = true
    private(set) var showsRejected = false
    /// After so many events, refused ones too, the stream ends; nil: never.
    let limit: Int?
    /// The parameters of `GET /events/` that list what this stream shows, as lines.
    private let list: QueryParameters
    /// What relative times were counted from.
    private let now: Int64

    /// Reads parameters and the fields `Accept` and `Last-Event-ID`; throws the problem to answer with.
    init(_ parameters: QueryParameters, _ head: RequestHead, now: Int64) throws(ProblemError) {
        var problem = Problem(400, "bad-parameter")
        FilterParameters.refuseUnknown(parameters, others: LiveQuery.others, &problem)
        self.now = now
        let place = LiveQuery.place(parameters, head, &problem)
        let filters = parameters.all.filter { parameter in
            // `since=1h` says where a stream begins. One that goes on begins where it was: an hour of another moment would leave a gap.
            let isBeginning = parameter.name == "since" && Moment.microseconds(parameter.value) != nil
            return !LiveQuery.others.contains(parameter.name) && !(isBeginning && place != nil)
        }
        var filter = FilterParameters.read(QueryParameters(filters), now: now, &problem)
        filter.newestFirst = false
        self.filter = filter
        fields = EventField.read(parameters, &problem)
        format = LiveQuery.format(parameters, head, &problem)
        limit = parameters.limit(max: HTTPLimits.streamRowsMax, &problem)
        var list = QueryParameters(filters + parameters.values("fields"))
        list.add("order", "id")
        list.add("format", EventQuery.Format.ndjson.rawValue)
        self.list = list
        if let place {
            start = .after(place)
        } else if parameters.has("since") {
            start = .oldest
        }
        readInclude(parameters, &problem)
        try problem.throwIfAny()
    }

    /// The place behind which the stream shall go on: `Last-Event-ID`, which a client sends when it connects again to the same URL, goes before
    /// `after`.
    private static func place(
        _ parameters: QueryParameters, _ head: RequestHead, _ problem: inout Problem
    ) -> LivePlace? {
        var found: LivePlace?
        func read(_ name: String, _ text: [UInt8]) {
            found = LivePlace(parsing: text)
            if found == nil { problem.add(name, "The id of an event is required, as a live stream gives it.") }
        }
        if let value = parameters.single("after", &problem) { read("after", value) }
        let name = "Last-Event-ID"
        let values = head.values("last-event-id").map { Array(head.bytes[$0]) }.filter { !$0.isEmpty }
        if values.count > 1 { problem.add(name, "This field may be there only once.") }
        if let value = values.first { read(name, value) }
        return found
    }

    private static func format(_ parameters: QueryParameters, _ head: RequestHead, _ problem: inout Problem) -> Format {
        guard let value = parameters.single("format", &problem) else { return prefersLines(head) ? .ndjson : .sse }
        if let known = Format(rawValue: String(decoding: value, as: UTF8.self)) { return known }
        problem.add("format", "Choose \(Format.allCases.map(\.rawValue).joined(separator: " or ")).")
        return .sse
    }

    /// Whether `Accept` would rather have lines of JSON than Server-Sent Events.
    private static func prefersLines(_ head: RequestHead) -> Bool {
        let lines = MediaType.linesNames.map { Acceptance(of: $0, in: head) }.max() ?? Acceptance()
        return lines.weight > 0 && lines > Acceptance(of: "text/event-stream", in: head)
    }

    private mutating func readInclude(_ parameters: QueryParameters, _ problem: inout Problem) {
        let values = parameters.values("include")
        if values.isEmpty { return }
        let words = values.flatMap { value in
            value.value.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
                .map { String(decoding: $0, as: UTF8.self) }
        }
        showsAccepted = words.contains("accepted")
        showsRejected = words.contains("rejected")
        if !words.allSatisfy({ $0 == "accepted" || $0 == "rejected" }) {
            problem.add("include", "Choose accepted, rejected or accepted,rejected.")
        }
    }

    /// Where a client finds the events of `ids` that pass: path and query of a whole result.
    func target(of ids: ClosedRange<UInt64>) -> String {
        let path = Route.events.rawValue
        return PageLink.target(
            path, list,
            PageCursor(
                upper: ids.upperBound, last: ids.lowerBound - 1, now: now,
                fingerprint: PageCursor.fingerprint(path, list)))
    }
}
