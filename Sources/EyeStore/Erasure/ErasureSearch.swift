// What an erasure is about: the ids of the events that are still there, and for a session the records by which it came to be, segment by
// segment. By the indexes alone; no event is read. Bounded work a step, on its reader's thread.

import EyeSystem
import Glibc

/// What shall be erased.
public enum ErasureSubject: Sendable, Equatable {
    /// One event, by its id.
    case event(UInt64)
    /// A session: every event that names it, and that it was opened.
    case session(ID128)
}

/// A search under way.
public final class ErasureSearch {
    private var snapshot: Snapshot
    private let cursor: EventCursor
    private let session: ID128?
    private var isEventsDone = false
    /// The next segment to ask for the session's first record.
    private var current = 0
    /// Event ids that are there and not erased yet.
    public var ids: IDSet { cursor.ids }
    /// Sequences of records by which the session came to be.
    public private(set) var sequences = IDSet()
    /// Damaged places may hold more of it: which ids they cover.
    public var damage: DamagedIDs {
        var all = cursor.damage
        for range in lost.ranges { all.add(range.lowerBound, range.upperBound + 1) }
        return all
    }
    private var lost = DamagedIDs()
    /// How often a listed segment was not there.
    private var misses = 0
    private static let missesMax = 8

    /// A search in `snapshot`.
    public init(_ subject: ErasureSubject, in snapshot: Snapshot) {
        self.snapshot = snapshot
        var filter: EventFilter
        switch subject {
        case .event(let id):
            filter = .id(id)
            session = nil
        case .session(let id):
            filter = EventFilter()
            filter.sessions = [id]
            session = id
        }
        filter.newestFirst = false
        cursor = snapshot.cursor(filter)
    }

    /// Whether there is nothing to erase; known when `step` has said that it is over.
    public var isEmpty: Bool { ids.isEmpty && sequences.isEmpty }

    /// Does a little. False: it is over.
    public func step() throws(SystemError) -> Bool {
        if !isEventsDone {
            isEventsDone = try cursor.idStep() == .end
            return !(isEventsDone && session == nil)
        }
        guard let session, current < snapshot.segments.count else { return false }
        let name = snapshot.segments[current]
        do throws(SystemError) {
            guard let index = try snapshot.prepare(current) else { return true }
            do throws(IndexFault) {
                if let found = try index.session(session) {
                    let judged = try snapshot.isErased(found.entry, code: found.code, in: index)
                    if !judged.isErased { sequences.insert(found.entry.firstSequence) }
                }
                current += 1
            } catch {
                switch error {
                case .damaged where name.isSealed:
                    lost.bounds = 0..<(UInt64.max >> 1)
                    lost.add(index.firstEventID, index.nextEventID)
                    current += 1
                case .damaged: snapshot.reader.segment(name).distrustIndex()
                case .system(let error): throw error
                }
            }
            if current % 16 == 0 { snapshot.reader.trim() }
        } catch {
            guard error.isMissing else { throw error }
            snapshot.reader.noteMissing(name)
            misses += 1
            if misses > ErasureSearch.missesMax {
                current += 1
            } else {
                // Sealed, rewritten or dropped meanwhile: what is there now is asked once more.
                try snapshot.listAgain()
                current = 0
            }
        }
        return true
    }
}
