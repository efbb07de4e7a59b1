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
    private var snapshot: Snapshot
    /// Only sessions whose first record is before this sequence are left to be listed.
    private var before: UInt64
    private let only: ID128?
    /// The segment that is listed; -1: done.
    private var current: Int
    private var index: (any SegmentIndex)?
    /// The next code to look at, falling.
    private var code = -1
    private var candidate: SessionEntry?
    /// The reader's knowledge of erasures that is known to be complete.
    private var erasures: UInt64?
    /// The older segment to ask about the candidate.
    private var older = -1
    /// How often in a row a segment was not where the list says.
    private var misses = 0
    private static let missesMax = 8
    /// Event ids that damage may have withheld.
    public private(set) var damage = DamagedIDs()

    init(_ snapshot: Snapshot, before: UInt64?, only: ID128?) {
        self.snapshot = snapshot
        self.before = min(before ?? UInt64.max, snapshot.nextSequence ?? UInt64.max)
        self.only = only
        current = -1
        damage.bounds = 0..<(snapshot.nextEventID ?? UInt64.max >> 1)
        current = lastSegment(before: self.before)
    }

    /// The last segment that begins before `sequence`; -1: there is none.
    private func lastSegment(before sequence: UInt64) -> Int {
        (snapshot.segments.firstIndex { $0.first >= sequence } ?? snapshot.segments.count) - 1
    }

    /// Shows sessions to `body` until the step's work is done, `body` returns false, or there are no more.
    public func step(_ body: (SessionEntry) -> Bool) throws(SystemError) -> CursorState {
        var budget = StoreLimits.workPerStep
        while budget > 0 {
            // What is being asked, for when it fails.
            let asked = candidate != nil && index != nil ? older : current
            do throws(IndexFault) {
                if erasures != snapshot.reader.erasures.version {
                    // What was taken from an index before is judged by what was known then.
                    index = nil
                    if try prepareErasures() {
                        erasures = snapshot.reader.erasures.version
                    } else {
                        budget -= StoreLimits.workPerIndexedFrame
                    }
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
                switch error {
                case .damaged: lose(asked)
                case .system(let error):
                    guard error.isMissing else { throw error }
                    try findAgain(asked)
                }
            }
        }
        return .more
    }

    /// The index of segment `asked` is damaged: it is made anew from the log. Of a sealed segment there is no log: it is passed over.
    private func lose(_ asked: Int) {
        let name = snapshot.segments[asked]
        guard name.isSealed else {
            snapshot.reader.segment(name).distrustIndex()
            if asked == current { index = nil }
            return
        }
        noteLost(asked)
        passOver(asked)
    }

    private func passOver(_ asked: Int) {
        if asked == current { leaveSegment() } else { older -= 1 }
    }

    /// Segment `asked` is not there any more: it was sealed, rewritten or dropped. What is left is looked for by sequence.
    private func findAgain(_ asked: Int) throws(SystemError) {
        let name = snapshot.segments[asked]
        snapshot.reader.noteMissing(name)
        misses += 1
        if misses > SessionCursor.missesMax {
            // A name without a file behind it.
            misses = 0
            passOver(asked)
            return
        }
        try snapshot.listAgain()
        index = nil
        if only != nil {
            current = lastSegment(before: name.first + 1)
        } else if let candidate {
            current = lastSegment(before: candidate.sequence + 1)
            older = current - 1
        } else {
            current = lastSegment(before: before)
        }
    }

    /// Nothing that segment `asked` may hold is in this answer.
    private func noteLost(_ asked: Int) {
        func id(_ body: () throws(SystemError) -> UInt64?) -> UInt64? {
            do throws(SystemError) { return try body() } catch { return nil }
        }
        let segments = snapshot.segments
        var first = id { () throws(SystemError) in try snapshot.reader.segment(segments[asked]).firstEventID() }
        if first == nil, asked > 0 {
            first = id { () throws(SystemError) in try snapshot.reader.segment(segments[asked - 1]).nextEventID() }
        }
        var next = id { () throws(SystemError) in try snapshot.reader.segment(segments[asked]).nextEventID() }
        if next == nil, asked + 1 < segments.count {
            next = id { () throws(SystemError) in try snapshot.firstEventID(asked + 1) }
        }
        damage.add(first ?? 1, next ?? snapshot.nextEventID ?? UInt64.max >> 1)
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
        misses = 0
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
            if prepared is LostSegment { noteLost(current) }
            // In the order of their first record: find where `before` cuts.
            var low = 0
            var high = prepared.sessionCount
            while low < high {
                let middle = (low + high) / 2
                if try prepared.session(code: middle).firstSequence < before { low = middle + 1 } else { high = middle }
            }
            code = low - 1
            index = prepared
            return 10_000
        }
        guard code >= 0 else {
            leaveSegment()
            return 1_000
        }
        let entry = try index.session(code: code)
        let judged = try snapshot.isErased(entry, code: code, in: index)
        if !judged.isErased {
            candidate = SessionEntry(id: entry.id, created: entry.firstReceived, sequence: entry.firstSequence)
        }
        before = entry.firstSequence
        code -= 1
        older = current - 1
        return 1_000 + judged.work
    }
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
