// GET /sessions/: every session that a record names, newest first. On the loop's thread.

import EyeStore
import EyeSystem

/// Sessions of a snapshot.
final class SessionPage: PageSource {
    private let snapshot: Snapshot
    private let cursor: SessionCursor

    init(_ snapshot: Snapshot, before: UInt64?) {
        self.snapshot = snapshot
        cursor = snapshot.sessions(before: before)
    }

    func step(_ row: (_ key: UInt64, _ write: (inout [UInt8]) -> Void) -> Bool) throws(SystemError) -> CursorState {
        try cursor.step { session in
            row(session.sequence) { out in
                out.append(text: "{\"id\":")
                JSONText.appendUUID(high: session.id.high, low: session.id.low, to: &out)
                out.append(text: ",\"created_at\":")
                JSONText.appendTime(session.created, to: &out)
                out.append(UInt8(ascii: "}"))
            }
        }
    }

    func behind(_ key: UInt64) -> any PageSource { SessionPage(snapshot, before: key) }

    var damage: ClosedRange<UInt64>? { cursor.damage.hull }
}

/// Starts lists of sessions.
enum SessionList {
    static func exchange(_ call: Call, _ store: EventSource) throws(ProblemError) -> any Exchange {
        let (limit, before) = try PageParameters.read(call.parameters)
        do throws(SystemError) {
            let page = SessionPage(try store.snapshot(), before: before)
            return PageExchange(page, limit: limit) { PageParameters.link(Route.sessions, call.parameters, $0) }
        } catch {
            throw ProblemError(EventSource.problem(error))
        }
    }
}

/// `limit` and `cursor` of lists without filters, newest first: their key falls from page to page, so that later entries
/// neither shift nor join a page.
enum PageParameters {
    /// The parameters that exist.
    static let known = ["limit", "cursor"]

    static func read(_ parameters: QueryParameters) throws(ProblemError) -> (limit: Int, before: UInt64?) {
        if let unknown = parameters.firstUnknown(known) {
            throw ProblemError(Problem.unknownParameter(unknown, known: known))
        }
        var problem = Problem(400, "bad-parameter")
        let limit = parameters.limit(&problem)
        var before: UInt64?
        if let value = parameters.single("cursor", &problem) {
            if let cursor = PageCursor(parsing: value), cursor.fingerprint == PageCursor.fingerprint(parameters) {
                before = cursor.last
            } else {
                problem.add("cursor", "This cursor is of another list; start again without it.")
            }
        }
        if let (field, texts) = problem.messages.first {
            problem.detail = "\(field): \(texts[0])"
            throw ProblemError(problem)
        }
        return (limit, before)
    }

    static func link(_ route: Route, _ parameters: QueryParameters, _ last: UInt64) -> ResponseField {
        PageLink.next(
            route.rawValue, parameters,
            PageCursor(upper: 0, last: last, now: 0, fingerprint: PageCursor.fingerprint(parameters)))
    }
}
