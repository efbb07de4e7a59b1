// GET /sessions/{session_id}/: what there is to say of a session, and its events, oldest first, each with the time since the one before it.
// On the loop's thread.

import EyeStore
import EyeSystem
import EyeWire

/// A checked request for a session.
struct TimelineQuery {
    var filter: EventFilter
    let limit: Int
    private(set) var cursor: PageCursor?
    let now: Int64
    let fingerprint: UInt32
    /// A longer time between two events is a pause, µs.
    private(set) var pause = TimelineQuery.pauseDefault

    /// The parameters that are no filters.
    static let others = ["gap", "limit", "cursor"]
    /// Filters that the path has instead.
    private static let ofPath = ["session_id", "session_id__ne"]
    /// The parameters that exist, but for `data.PATH` and its operators.
    static let known = FilterParameters.known.filter { !ofPath.contains($0) } + others
    private static let pauseDefault: Int64 = 1_800_000_000

    init(_ session: ID128, _ parameters: QueryParameters, now wall: Int64) throws(ProblemError) {
        var problem = Problem(400, "bad-parameter")
        FilterParameters.refuseUnknown(parameters, others: TimelineQuery.others, &problem)
        for name in TimelineQuery.ofPath where !parameters.values(name).isEmpty {
            problem.add(name, "The session is in the path.")
        }
        fingerprint = PageCursor.fingerprint(
            "\(Route.sessionDetail.rawValue) \(session.high) \(session.low)", parameters)
        cursor = PageCursor.read(parameters, fingerprint: fingerprint, &problem)
        limit = parameters.limit(&problem)
        if let value = parameters.single("gap", &problem) {
            if let span = Moment.microseconds(value), span > 0 {
                pause = span
            } else {
                problem.add("gap", "A span of time is required: a number with s, m, h, d or w, such as 90s, 30m, 1h.")
            }
        }
        now = cursor?.now ?? wall
        filter = FilterParameters.read(parameters, now: now, &problem)
        filter.sessions = [session]
        filter.newestFirst = false
        try problem.throwIfAny()
    }
}

/// A session's events of a snapshot, oldest first.
final class TimelinePage: PageSource {
    private let snapshot: Snapshot
    private let filter: EventFilter
    private let pause: Int64
    private let cursor: EventCursor
    /// The last event of the page before: it is looked at once more, for its time.
    private let last: UInt64?
    private var previous: Int64?
    /// Ids that may be missing from what is said of the session.
    private let lost: ClosedRange<UInt64>?

    /// `last`: the event that the page stands behind.
    init(
        _ snapshot: Snapshot, _ filter: EventFilter, pause: Int64, after last: UInt64?, lost: ClosedRange<UInt64>?
    ) {
        self.lost = lost
        self.snapshot = snapshot
        self.filter = filter
        self.pause = pause
        self.last = last
        var rest = filter
        if let last, last > 0 { rest.idAbove = last - 1 }
        cursor = snapshot.cursor(rest)
    }

    func step(_ row: (_ key: UInt64, _ write: (inout [UInt8]) -> Void) -> Bool) throws(SystemError) -> CursorState {
        try cursor.step { event in
            let gap = previous.map { event.timestamp &- $0 }
            previous = event.timestamp
            if event.id == last { return true }
            let isPause = gap.map { $0 > pause } ?? false
            return row(event.id) { out in
                EventDocument.append(event, to: &out)
                out.removeLast()
                out.append(text: ",\"gap_seconds\":")
                StatsDocument.appendSeconds(gap, to: &out)
                out.append(text: ",\"pause\":\(isPause)}")
            }
        }
    }

    func behind(_ key: UInt64) -> any PageSource {
        TimelinePage(snapshot, filter, pause: pause, after: key, lost: lost)
    }

    var damage: ClosedRange<UInt64>? {
        guard let lost, let here = cursor.damage.hull else { return lost ?? cursor.damage.hull }
        return min(lost.lowerBound, here.lowerBound)...max(lost.upperBound, here.upperBound)
    }
}

/// Answers with a session.
final class SessionTimeline: ReadExchange {
    private let query: TimelineQuery
    private let parameters: QueryParameters
    private let session: ID128
    private let snapshot: Snapshot
    private let upper: UInt64
    private let inquiry: SessionInquiry
    private var page: PageExchange?

    /// The exchange for a request, or the problem with its parameters.
    init(_ session: ID128, _ call: Call, _ store: EventSource, _ time: any TimeSource) throws(ProblemError) {
        self.session = session
        parameters = call.parameters
        query = try TimelineQuery(session, call.parameters, now: time.nowMicroseconds())
        do throws(SystemError) {
            snapshot = try store.snapshot()
        } catch {
            throw ProblemError(EventSource.problem(error))
        }
        upper = snapshot.upper(query.cursor)
        inquiry = snapshot.inquiry([session], upper: upper)
    }

    override func cancel() { page?.cancel() }

    override func proceed() -> Answer {
        if let page { return page.answer() }
        do throws(SystemError) {
            if try inquiry.step() { return .working }
        } catch {
            return .ready(EventSource.problem(error).response)
        }
        guard inquiry.sessions[0].isKnown else {
            var problem = Problem.notFound
            if let hull = inquiry.damage.hull { problem.fields = [PageExchange.incomplete(hull)] }
            return .ready(problem.response)
        }
        page = begin(inquiry.sessions[0])
        return .working
    }

    private func begin(_ summary: SessionSummary) -> PageExchange {
        var head: [UInt8] = [UInt8(ascii: "{")]
        SessionDocument.append(summary, to: &head)
        head.append(text: ",\"timeline\":[")
        var filter = query.filter
        filter.idBelow = upper + 1
        let source = TimelinePage(
            snapshot, filter, pause: query.pause, after: query.cursor?.last, lost: inquiry.damage.hull)
        let (parameters, query, upper) = (parameters, query, upper)
        var path: [UInt8] = Array("/sessions/".utf8)
        UUID(high: session.high, low: session.low).append(to: &path)
        path.append(.slash)
        let target = String(decoding: path, as: UTF8.self)
        let page = PageExchange(source, limit: query.limit, around: (head, Array("]}\n".utf8))) { last in
            PageLink.next(
                target, parameters,
                PageCursor(upper: upper, last: last, now: query.now, fingerprint: query.fingerprint))
        }
        page.finishBody()
        return page
    }
}
