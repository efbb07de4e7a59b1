// An analysis under way: passes over a snapshot's events, a bounded piece of work at each step, so that one thread can serve many. Says how far
// it is, and which events damage may have kept from it. Dropped at any moment, it is cancelled. Used on its reader's thread.

import EyeSystem

/// A question to a snapshot on its way to an answer.
public final class Analysis {
    /// How a step ended.
    public enum State: Equatable, Sendable {
        case more
        /// `result` has the answer.
        case done
        case refused(AnalysisRefusal)
    }

    private let snapshot: Snapshot
    private let filter: EventFilter
    private let share: AnalysisShare
    private let tally: any Tally
    private var cursor: EventCursor
    /// Passes so far.
    private(set) var passes = 1
    private var isShown = false
    private var last = State.more
    private var farthest = 0.0
    /// Ids that damage may have withheld so far (for `Eye-Incomplete`).
    public private(set) var damage: DamagedIDs

    /// `filter`: which events; its order does not matter. `room`: shared by all analyses of the process.
    public init(_ snapshot: Snapshot, _ filter: EventFilter, _ question: AnalysisQuestion, room: AnalysisRoom) {
        self.snapshot = snapshot
        var filter = filter
        filter.newestFirst = false
        self.filter = filter
        share = AnalysisShare(room)
        var system = SystemRandomNumberGenerator()
        let seed: UInt64 = system.next()
        let reading = snapshot.reader.data
        tally =
            switch question {
            case .uniq(let by): UniqTally(by, share: share, reading: reading, seed: seed)
            case .funnel(let funnel):
                FunnelTally(
                    funnel, share: share, reading: reading, seed: seed, timesKept: room.timesKept)
            case .count(let by):
                GroupTally(by, nil, within: nil, top: nil, share: share, reading: reading, seed: seed)
            case .top(let field, let limit):
                GroupTally([field], nil, within: nil, top: limit, share: share, reading: reading, seed: seed)
            case .hits(let step, let by, let within):
                GroupTally(
                    by.map { [$0] } ?? [], step, within: within, top: nil, share: share, reading: reading, seed: seed)
            }
        cursor = snapshot.cursor(filter)
        damage = cursor.damage
    }

    /// How much of the work is done, from 0 to 1; never falls.
    public var progress: Double {
        if case .done = last { return 1 }
        let span = tally.span
        farthest = max(farthest, min(1, span.before + span.share * (isShown ? 1 : cursor.progress)))
        return farthest
    }

    /// Does a bounded piece of work.
    public func step() throws(SystemError) -> State {
        guard case .more = last else { return last }
        if let refusal = tally.refusal { return end(.refused(refusal)) }
        if isShown {
            if tally.finishPass() { return .more }
            let isMore = tally.endPass()
            if let refusal = tally.refusal { return end(.refused(refusal)) }
            return isMore ? begin() : end(.done)
        }
        let state = try cursor.visitStep(tally)
        damage.add(cursor.damage)
        if tally.isFull { return full() }
        if case .end = state { isShown = true }
        return .more
    }

    /// The answer, once a step was `done`.
    public func result() -> AnalysisResult { tally.result() }

    private func begin() -> State {
        passes += 1
        if passes > AnalysisLimits.passesMax { return end(.refused(.tooManyValues)) }
        isShown = false
        cursor = snapshot.cursor(filter)
        return .more
    }

    /// There is no room for more values: fewer at a time, or no answer.
    private func full() -> State {
        if let refusal = tally.refusal { return end(.refused(refusal)) }
        let isCrowded = share.isCrowded(tally.cost)
        if isCrowded && tally.cost < share.leastBytes { return end(.refused(.crowded)) }
        guard tally.narrow(cursor.progress) else { return end(.refused(isCrowded ? .crowded : .tooManyValues)) }
        return begin()
    }

    private func end(_ state: State) -> State {
        last = state
        _ = share.fit(0)
        return state
    }
}
