// The list of sessions: by last activity, newest first, with what there is to say of each; or, with a filter, by the last event that passes
// it. As of an event, so that what comes later neither shifts nor repeats a page. Bounded work a step, on the reader's thread.

import EyeSystem

/// A listing of sessions under way.
public final class SessionActivityCursor {
    private let snapshot: Snapshot
    private let upper: UInt64
    private let source: Source
    /// Found, and not summed up yet.
    private var batch: [(place: SessionPlace, id: ID128)] = []
    private var inquiry: SessionInquiry?
    /// Summed up, and not shown yet.
    private var shown = 0
    private var isSourceEmpty = false
    private var sums = DamagedIDs()
    private var budget: StepBudget

    private enum Source {
        case all(SessionWalk)
        case passing(PassingSessions)
    }

    /// Sessions that are known to be wanted: no more are found than these, at a time.
    private let batchMax: Int

    init(_ snapshot: Snapshot, _ filter: EventFilter?, upper: UInt64, below: SessionPlace, wanted: Int) {
        self.snapshot = snapshot
        self.upper = upper
        budget = StepBudget(snapshot.reader.time)
        batchMax = min(max(wanted, 1), SessionActivityCursor.batchSessions)
        sums.bounds = 0..<(upper + 1)
        if let filter {
            source = .passing(PassingSessions(snapshot, filter, upper: upper, below: below.position >> 1))
        } else {
            source = .all(SessionWalk(snapshot, upper: upper, below: below))
        }
    }

    /// Event ids that damage may have withheld.
    public var damage: DamagedIDs {
        var all = sums
        if let inquiry { all.add(inquiry.damage) }
        switch source {
        case .all(let walk): all.add(walk.damage)
        case .passing(let passing): all.add(passing.damage)
        }
        return all
    }

    /// Shows sessions to `body` until the step's work is done, `body` returns false, or there are no more.
    public func step(_ body: (SessionSummary, SessionPlace) -> Bool) throws(SystemError) -> CursorState {
        budget.begin()
        while !budget.isSpent {
            budget.spend(SessionActivityCursor.workPerPiece)
            if let inquiry {
                if try inquiry.step() { continue }
                while shown < batch.count {
                    let index = shown
                    shown += 1
                    // Erased, or dropped, meanwhile.
                    guard inquiry.sessions[index].isKnown else { continue }
                    if !body(inquiry.sessions[index], batch[index].place) { return .paused }
                }
                sums.add(inquiry.damage)
                self.inquiry = nil
                batch.removeAll()
                shown = 0
                continue
            }
            if isSourceEmpty && batch.isEmpty { return .end }
            if isSourceEmpty || batch.count >= batchMax {
                inquiry = SessionInquiry(snapshot, batch.map(\.id), upper: upper)
                continue
            }
            isSourceEmpty = try !find()
        }
        return .more
    }

    private func find() throws(SystemError) -> Bool {
        switch source {
        case .all(let walk): try walk.step { batch.append(($0, $1)) }
        case .passing(let passing): try passing.step { batch.append(($0, $1)) }
        }
    }

    /// What a piece takes, about nanoseconds; of those that take more the clock tells.
    private static let workPerPiece = 30_000
    /// Sessions that are summed up together.
    private static let batchSessions = 256
}

/// Sessions by the last event that passes a filter.
private final class PassingSessions {
    private let snapshot: Snapshot
    private let filter: EventFilter
    private let upper: UInt64
    private let events: EventCursor
    /// Events from here on were looked at by the pages before.
    private let start: UInt64
    /// Sessions met so far; forgotten now and then: then newer events are looked for from further down.
    private var met: Set<ID128> = []
    private var metFrom: UInt64
    private var candidate: (id: UInt64, session: ID128)?
    private var newer: EventCursor?
    private static let metMax = 65_536

    init(_ snapshot: Snapshot, _ filter: EventFilter, upper: UInt64, below: UInt64) {
        self.snapshot = snapshot
        self.upper = upper
        start = min(below, upper + 1)
        metFrom = start
        var filter = filter
        filter.newestFirst = true
        filter.idBelow = start
        self.filter = filter
        events = snapshot.cursor(filter)
    }

    var damage: DamagedIDs { events.damage }

    /// Does a bounded piece of work; gives a session to `body` when one is found. False: there are no more.
    func step(_ body: (SessionPlace, ID128) -> Void) throws(SystemError) -> Bool {
        if let candidate {
            guard try isLast(candidate) else { return true }
            self.candidate = nil
            body(.event(candidate.id), candidate.session)
            return true
        }
        let state = try events.step { event in
            if !met.insert(event.session).inserted { return true }
            candidate = (event.id, event.session)
            if met.count > PassingSessions.metMax {
                met = [event.session]
                metFrom = event.id + 1
            }
            return false
        }
        return state != .end
    }

    /// Whether no newer event of the session passes; false also while that is not known.
    private func isLast(_ candidate: (id: UInt64, session: ID128)) throws(SystemError) -> Bool {
        if metFrom > upper { return true }
        if newer == nil {
            var wanted = filter
            wanted.sessions = [candidate.session]
            wanted.idAbove = max(candidate.id, metFrom - 1)
            wanted.idBelow = upper + 1
            newer = snapshot.cursor(wanted)
        }
        var isFound = false
        let state = try newer?.step { _ in
            isFound = true
            return false
        }
        if isFound {
            newer = nil
            self.candidate = nil
            return false
        }
        guard state == .end else { return false }
        newer = nil
        return true
    }
}

extension Snapshot {
    /// The list of sessions below `place`, as of event `upper`. `filter`: only those with an event that passes it, by the last one of these;
    /// nil: all of them. `wanted`: about how many will be looked at.
    public func sessions(
        _ filter: EventFilter?, upper: UInt64, below place: SessionPlace = .top, wanted: Int
    ) -> SessionActivityCursor {
        SessionActivityCursor(self, filter, upper: upper, below: place, wanted: wanted)
    }

    /// What there is to say of some sessions, as of event `upper`.
    public func inquiry(_ ids: [ID128], upper: UInt64) -> SessionInquiry { SessionInquiry(self, ids, upper: upper) }
}
