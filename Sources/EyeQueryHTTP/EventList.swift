// GET /events/, its pages, and GET /event_detail/N. On the loop's thread.

import EyeStore
import EyeSystem
import EyeWire

/// Events of a snapshot that pass a filter.
final class EventPage: PageSource {
    private let snapshot: Snapshot
    private let filter: EventFilter
    private let writer: EventWriter
    private let cursor: EventCursor

    init(_ snapshot: Snapshot, _ filter: EventFilter, _ writer: EventWriter) {
        self.snapshot = snapshot
        self.filter = filter
        self.writer = writer
        cursor = snapshot.cursor(filter)
    }

    func step(_ row: (_ key: UInt64, _ write: (inout [UInt8]) -> Void) -> Bool) throws(SystemError) -> CursorState {
        let writer = writer
        return try cursor.step { event in row(event.id) { writer.append(event, to: &$0) } }
    }

    func behind(_ key: UInt64) -> any PageSource {
        var rest = filter
        if filter.newestFirst { rest.idBelow = key } else { rest.idAbove = key }
        return EventPage(snapshot, rest, writer)
    }

    var damage: ClosedRange<UInt64>? { cursor.damage.hull }
}

/// Starts lists of events.
enum EventList {
    /// The exchange for a list request, or the problem with its parameters.
    static func exchange(_ call: Call, _ store: EventSource, _ time: any TimeSource) throws(ProblemError)
        -> any Exchange
    {
        let query = try EventQuery(call.parameters, now: time.nowMicroseconds())
        let snapshot: Snapshot
        do throws(SystemError) {
            snapshot = try store.snapshot()
        } catch {
            throw ProblemError(EventSource.problem(error))
        }
        // Pages belong to the events that were there when the first one was made.
        let upper = snapshot.upper(query.cursor)
        let filter = query.filter(upper: upper)
        if query.isCount { return EventCountExchange(snapshot.cursor(filter)) }
        let writer = EventWriter(query.format, fields: query.fields)
        if query.format != .json {
            let stream = EventStream(snapshot.cursor(filter), writer, limit: query.limit)
            return EventStreamExchange(stream, query.format)
        }
        let parameters = call.parameters
        let page = EventPage(snapshot, filter, writer)
        return PageExchange(page, limit: query.limit ?? HTTPLimits.pageDefault) { last in
            PageLink.next(
                Route.events.rawValue, parameters,
                PageCursor(upper: upper, last: last, now: query.now, fingerprint: query.fingerprint))
        }
    }
}

extension EventQuery {
    /// The filter of this page, of a list whose newest event is `upper`.
    func filter(upper: UInt64) -> EventFilter {
        var filter = filter
        filter.idBelow = upper + 1
        if let cursor {
            if filter.newestFirst { filter.idBelow = min(cursor.last, upper + 1) } else { filter.idAbove = cursor.last }
        }
        return filter
    }
}

/// One event.
final class EventDetail: BodyCollector {
    private let store: EventSource
    private let id: UInt64
    private var lookup: EventLookup?

    init(_ call: Call, _ store: EventSource, id: UInt64) {
        self.store = store
        self.id = id
        super.init(call)
    }

    override var isLong: Bool { true }

    override func whole() {
        do throws(SystemError) {
            let snapshot = try store.snapshot()
            if id == 0 || id > snapshot.lastEventID { return finish(Problem.notFound) }
            lookup = EventLookup(id, in: snapshot)
        } catch {
            finish(EventSource.problem(error))
        }
    }

    override func answer() -> Answer {
        guard let lookup else { return super.answer() }
        do throws(SystemError) {
            guard try lookup.step() else { return .working }
        } catch {
            return .ready(EventSource.problem(error).response)
        }
        guard var document = lookup.document else {
            var problem = Problem.notFound
            if let hull = lookup.damage {
                problem.detail = "Not found: the place where it may have been is damaged."
                problem.fields = [PageExchange.incomplete(hull)]
            }
            return .ready(problem.response)
        }
        document.append(.lineFeed)
        return .ready(Response(status: 200, fields: AnswerFields.json, body: .bytes(document)))
    }
}
