// GET /sessions/: the sessions by their last activity, newest first; with a filter, those with an event that passes it, by the last one that
// does. On the loop's thread.

import EyeStore
import EyeSystem

/// Sessions of a snapshot.
final class SessionPage: PageSource {
    private let query: SessionQuery
    private let snapshot: Snapshot
    private let upper: UInt64
    private let cursor: SessionActivityCursor
    /// The places of the rows shown so far; a row's key is its number.
    private var places: [SessionPlace] = []

    init(_ query: SessionQuery, _ snapshot: Snapshot, upper: UInt64, below: SessionPlace) {
        self.query = query
        self.snapshot = snapshot
        self.upper = upper
        // One more than the page has tells whether there is another.
        cursor = snapshot.sessions(query.filter, upper: upper, below: below, wanted: query.limit + 1)
    }

    func step(_ row: (_ key: UInt64, _ write: (inout [UInt8]) -> Void) -> Bool) throws(SystemError) -> CursorState {
        try cursor.step { session, place in
            places.append(place)
            return row(UInt64(places.count - 1)) { out in
                out.append(UInt8(ascii: "{"))
                SessionDocument.append(session, to: &out)
                out.append(UInt8(ascii: "}"))
            }
        }
    }

    func behind(_ key: UInt64) -> any PageSource {
        SessionPage(query, snapshot, upper: upper, below: places[Int(key)])
    }

    var damage: ClosedRange<UInt64>? { cursor.damage.hull }

    /// The cursor of the page behind a row.
    func pageCursor(_ key: UInt64) -> PageCursor {
        let place = places[Int(key)]
        // Where there is a filter, all places are events', and relative times must stay what they were.
        let now = query.filter == nil ? Int64(bitPattern: place.tie) : query.now
        return PageCursor(upper: upper, last: place.position, now: now, fingerprint: query.fingerprint)
    }
}

/// Starts lists of sessions.
enum SessionList {
    static func exchange(_ call: Call, _ store: EventSource, _ time: any TimeSource) throws(ProblemError)
        -> any Exchange
    {
        let query = try SessionQuery(call.parameters, now: time.nowMicroseconds())
        let parameters = call.parameters
        do throws(SystemError) {
            let snapshot = try store.snapshot()
            let page = SessionPage(
                query, snapshot, upper: snapshot.upper(query.cursor), below: query.place)
            return PageExchange(page, limit: query.limit) { last in
                PageLink.next(Route.sessions.rawValue, parameters, page.pageCursor(last))
            }
        } catch {
            throw ProblemError(EventSource.problem(error))
        }
    }
}

/// A checked request for a list of sessions.
struct SessionQuery {
    /// Nil: all sessions.
    let filter: EventFilter?
    let limit: Int
    private(set) var cursor: PageCursor?
    /// What relative times are counted from.
    let now: Int64
    let fingerprint: UInt32

    /// The parameters that are no filters.
    static let others = ["limit", "cursor"]

    init(_ parameters: QueryParameters, now wall: Int64) throws(ProblemError) {
        var problem = Problem(400, "bad-parameter")
        FilterParameters.refuseUnknown(parameters, others: SessionQuery.others, &problem)
        fingerprint = PageCursor.fingerprint(Route.sessions.rawValue, parameters)
        cursor = PageCursor.read(parameters, fingerprint: fingerprint, &problem)
        limit = parameters.limit(&problem)
        let hasFilter = parameters.names.contains { !SessionQuery.others.contains($0) }
        now = hasFilter ? cursor?.now ?? wall : wall
        let read = FilterParameters.read(parameters, now: now, &problem)
        filter = hasFilter ? read : nil
        try problem.throwIfAny()
    }

    /// The place that the page begins below.
    var place: SessionPlace {
        guard let cursor else { return .top }
        return SessionPlace(position: cursor.last, tie: filter == nil ? UInt64(bitPattern: cursor.now) : 0)
    }
}

/// A session as JSON. Pure.
enum SessionDocument {
    /// Appends the members of a session: `"id":…,"created_at":…,"last_event_at":…,"events":…`.
    static func append(_ session: SessionSummary, to out: inout [UInt8]) {
        out.append(text: "\"id\":")
        JSONText.appendUUID(high: session.id.high, low: session.id.low, to: &out)
        out.append(text: ",\"created_at\":")
        JSONText.appendTime(session.created, to: &out)
        out.append(text: ",\"last_event_at\":")
        if session.events > 0 { JSONText.appendTime(session.lastTimestamp, to: &out) } else { out.append(text: "null") }
        out.append(text: ",\"events\":")
        out.append(decimal: session.events)
    }
}
