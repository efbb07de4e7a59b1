// Sessions, newest first: by the first record that names them, anywhere in the store. A session of a segment is new there if no older
// segment knows it; that is looked up in their indexes. Bounded work a step, on the reader's thread.

import EyeSystem
import Glibc

/// A session as it is listed.
public struct SessionEntry: Sendable, Equatable {
    public var id: ID128
    /// When its first record was received, µs since 1970 UTC.
    public var created: Int64
    /// The sequence of its first record: where the next page goes on (`sessions(before:)`).
    public var sequence: UInt64
}

/// A listing of sessions under way.
public final class SessionCursor {
    private let snapshot: Snapshot
    private let before: UInt64
    private let only: ID128?
    /// The segment that is listed; -1: done.
    private var current: Int
    private var index: (any SegmentIndex)?
    /// The next code to look at, falling.
    private var code = -1
    private var candidate: SessionEntry?
    private var knowsErasures = false
    /// The older segment to ask about the candidate.
    private var older = -1
    /// Event ids that damage may have withheld.
    public private(set) var damage = DamagedIDs()

    init(_ snapshot: Snapshot, before: UInt64?, only: ID128?) {
        self.snapshot = snapshot
        self.before = before ?? UInt64.max
        self.only = only
        current = snapshot.bases.count - 1
        damage.bounds = 0..<(snapshot.nextEventID ?? UInt64.max >> 1)
        if let before {
            // Segments that begin at or after `before` have nothing for us.
            while current >= 0 && snapshot.bases[current] >= before { current -= 1 }
        }
    }

    /// Shows sessions to `body` until the step's work is done, `body` returns false, or there are no more.
    public func step(_ body: (SessionEntry) -> Bool) throws(SystemError) -> CursorState {
        var budget = StoreLimits.workPerStep
        while budget > 0 {
            // What is being asked, for when it fails.
            let asked = candidate != nil && index != nil ? older : current
            do throws(IndexFault) {
                if !knowsErasures {
                    knowsErasures = try prepareErasures()
                    if !knowsErasures { budget -= StoreLimits.workPerIndexedFrame }
                    continue
                }
                if current < 0 {
                    guard let found = candidate, only != nil else { return .end }
                    candidate = nil
                    return body(found) ? .end : .paused
                }
                if only != nil {
                    budget -= try findOnly()
                } else if candidate != nil {
                    let found = candidate
                    budget -= try askOlder()
                    if let found, candidate == nil, isNew {
                        if !body(found) { return .paused }
                    }
                } else {
                    budget -= try nextCandidate()
                }
            } catch {
                guard asked >= 0 else { return .end }
                let base = snapshot.bases[asked]
                switch error {
                case .damaged: snapshot.reader.segment(base).distrustIndex()
                case .system(let error):
                    guard error.errno == ENOENT else { throw error }
                    snapshot.reader.noteMissing(base)
                    if asked == current { leaveSegment() } else { older -= 1 }
                }
                if asked == current { index = nil }
            }
        }
        return .more
    }

    private func prepare(_ segment: Int) throws(IndexFault) -> (any SegmentIndex)? {
        do throws(SystemError) {
            return try snapshot.prepare(segment)
        } catch {
            throw .system(error)
        }
    }

    private func prepareErasures() throws(IndexFault) -> Bool {
        do throws(SystemError) {
            return try snapshot.prepareErasures()
        } catch {
            throw .system(error)
        }
    }

    private func leaveSegment() {
        index = nil
        code = -1
        current -= 1
        snapshot.reader.trim()
    }

    /// One segment's word about the one session that is wanted; the oldest word counts.
    private func findOnly() throws(IndexFault) -> Int {
        guard let only, let index = try prepare(current) else { return StoreLimits.workPerIndexedFrame }
        var work = 10_000
        if let found = try index.session(only) {
            let judged = try snapshot.isErased(found.entry, code: found.code, in: index)
            work += judged.work
            if !judged.isErased {
                candidate = SessionEntry(
                    id: only, created: found.entry.firstReceived, sequence: found.entry.firstSequence)
            }
        }
        leaveSegment()
        return work
    }

    /// Takes the next session of the current segment.
    private func nextCandidate() throws(IndexFault) -> Int {
        guard let index else {
            guard let prepared = try prepare(current) else { return StoreLimits.workPerIndexedFrame }
            for gap in try prepared.allGaps() { damage.add(gap.firstEventID, gap.nextEventID) }
            // Codes rise with the sequence of the first record: find where `before` cuts. A cursor that comes back after a fault goes
            // on where it was.
            var low = 0
            var high = resumeBelow ?? prepared.sessionCount
            high = min(high, prepared.sessionCount)
            while low < high {
                let middle = (low + high) / 2
                if try prepared.session(code: middle).firstSequence < before { low = middle + 1 } else { high = middle }
            }
            code = low - 1
            index = prepared
            return 10_000
        }
        guard code >= 0 else {
            resumeBelow = nil
            leaveSegment()
            return 1_000
        }
        let entry = try index.session(code: code)
        let judged = try snapshot.isErased(entry, code: code, in: index)
        if !judged.isErased {
            candidate = SessionEntry(id: entry.id, created: entry.firstReceived, sequence: entry.firstSequence)
        }
        resumeBelow = code
        code -= 1
        older = current - 1
        return 1_000 + judged.work
    }
    private var resumeBelow: Int?
    private var isNew = false

    /// Asks one older segment about the candidate; when it knows it, or when all were asked, there is none any more.
    private func askOlder() throws(IndexFault) -> Int {
        isNew = false
        guard let found = candidate else { return 0 }
        guard older >= 0 else {
            isNew = true
            candidate = nil
            return 500
        }
        guard let index = try prepare(older) else { return StoreLimits.workPerIndexedFrame }
        if let known = try index.session(found.id) {
            let judged = try snapshot.isErased(known.entry, code: known.code, in: index)
            // What was erased is not known any more.
            if judged.isErased { older -= 1 } else { candidate = nil }
            return 5_000 + judged.work
        }
        older -= 1
        return 5_000
    }
}
