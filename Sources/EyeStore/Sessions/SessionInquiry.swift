// What all segments know of some sessions, as of an event: when each began, how many events it has, which is the last. Segment by segment, so that
// a column that has to be counted is gone through once for all of them; newest first, so that of the segment with a session's last event only
// that event is looked at. Bounded work a step; on the reader's thread.

import EyeSystem

/// Asks every segment about some sessions.
public final class SessionInquiry {
    private var snapshot: Snapshot
    /// Events above it are not looked at.
    private let upper: UInt64
    /// In the order in which they were asked for.
    public private(set) var sessions: [SessionSummary]
    /// Event ids that damage may have withheld.
    public private(set) var damage = DamagedIDs()
    /// The segment to be asked next; -1: all were.
    private var segment: Int
    /// The reader's knowledge of erasures that is known to be complete.
    private var erasures: UInt64?
    /// How often a segment was not where the list says.
    private var misses = 0
    // Within a segment.
    private var isOpen = false
    private var limit = 0
    private var next = 0
    /// Sessions whose events are still to be counted, by their code in this segment.
    private var counting: [UInt32: Int] = [:]
    private var rows = 0..<0
    /// What this segment adds; only when it is through, so that it can be begun again.
    private var found: [(index: Int, entry: IndexSession, events: UInt64, lastRow: Int)] = []

    init(_ snapshot: Snapshot, _ ids: [ID128], upper: UInt64) {
        self.snapshot = snapshot
        self.upper = upper
        segment = snapshot.segments.count - 1
        sessions = ids.map { SessionSummary(id: $0) }
        damage.bounds = 0..<(upper + 1)
        damage.add(snapshot.idsOfEverything)
    }

    /// Does a bounded piece of work. False: everything is known.
    public func step() throws(SystemError) -> Bool {
        guard segment >= 0, !sessions.isEmpty else { return false }
        if erasures != snapshot.reader.erasures.version {
            do throws(SystemError) {
                if try snapshot.prepareErasures() { erasures = snapshot.reader.erasures.version }
            } catch {
                guard error.isMissing else { throw error }
                try listAgain()
            }
            isOpen = false
            return true
        }
        let state = try snapshot.work(on: segment) { (index) throws(IndexFault) -> Bool in
            if !isOpen {
                for gap in try index.allGaps() { damage.add(gap.firstEventID, gap.nextEventID) }
                damage.add(snapshot.idsMissing(behind: segment, index))
                limit = try index.row(atOrAfter: upper + 1)
                next = 0
                found = []
                counting = [:]
                rows = 0..<0
                isOpen = true
            }
            if next < sessions.count {
                try look(index)
                return false
            }
            if !rows.isEmpty {
                try count(index)
                return false
            }
            try add(index)
            return true
        }
        switch state {
        case .later: isOpen = false
        case .gone: try beginAgain()
        case .lost:
            let lost = snapshot.idsOfLost(segment)
            damage.add(lost.first, lost.next)
            leave()
        case .done(let isOver): if isOver { leave() }
        }
        return segment >= 0
    }

    /// A segment was sealed, rewritten or dropped: what is there now is asked, from the start.
    private func beginAgain() throws(SystemError) {
        misses += 1
        // A name without a file behind it.
        if misses > Snapshot.missesMax { return leave() }
        try listAgain()
    }

    private func listAgain() throws(SystemError) {
        try snapshot.listAgain()
        segment = snapshot.segments.count - 1
        damage.add(snapshot.idsOfEverything)
        isOpen = false
        sessions = sessions.map { SessionSummary(id: $0.id) }
    }

    private func leave() {
        damage.add(snapshot.idsMissing(before: segment))
        segment -= 1
        isOpen = false
        if segment % 16 == 0 || segment < 0 { snapshot.reader.trim() }
    }

    /// Looks some sessions up.
    private func look(_ index: any SegmentIndex) throws(IndexFault) {
        let end = min(sessions.count, next + SessionInquiry.looksPerStep)
        let hasErased = ErasedRows(snapshot, index).isAny
        while next < end {
            let place = next
            next += 1
            guard let known = try index.session(sessions[place].id) else { continue }
            let entry = known.entry
            let hasEvents = entry.hasEvents
            // It begins here after the moment of the list.
            if hasEvents && Int(entry.firstRow) >= limit { continue }
            if try snapshot.isErased(entry, code: known.code, in: index).isErased { continue }
            if entry.events > 0, Int(entry.lastRow) < limit, !hasErased {
                found.append((place, entry, UInt64(entry.events), Int(entry.lastRow)))
                continue
            }
            if hasEvents {
                counting[UInt32(known.code)] = found.count
                let wanted = Int(entry.firstRow)..<min(limit, Int(entry.lastRow) + 1)
                rows =
                    rows.isEmpty
                    ? wanted : min(rows.lowerBound, wanted.lowerBound)..<max(rows.upperBound, wanted.upperBound)
            }
            found.append((place, entry, 0, -1))
        }
    }

    /// Counts a row group.
    private func count(_ index: any SegmentIndex) throws(IndexFault) {
        let group = rows.lowerBound / StoreLimits.rowsPerGroup
        let start = group * StoreLimits.rowsPerGroup
        let end = min(rows.upperBound, start + StoreLimits.rowsPerGroup)
        let block = try index.block(.session, group: group)
        let view = unsafe block.view(StoreLimits.rowsPerGroup * 4)
        var erased = ErasedRows(snapshot, index)
        if counting.count == 1, let (wanted, place) = counting.first {
            for row in rows.lowerBound..<end where unsafe view.u32((row - start) * 4) == wanted {
                if try erased.contains(row) { continue }
                // In bounds: a block has a place for each row of its group.
                found[place].events += 1
                found[place].lastRow = row
            }
        } else {
            for row in rows.lowerBound..<end {
                guard let place = counting[unsafe view.u32((row - start) * 4)] else { continue }
                if try erased.contains(row) { continue }
                found[place].events += 1
                found[place].lastRow = row
            }
        }
        rows = end..<rows.upperBound
    }

    /// The segment is through.
    private func add(_ index: any SegmentIndex) throws(IndexFault) {
        var last: [(id: UInt64, timestamp: Int64)] = []
        for one in found {
            // A newer segment has its last event.
            guard one.lastRow >= 0, sessions[one.index].lastEventID == 0 else {
                last.append((0, 0))
                continue
            }
            let inGroup = one.lastRow % StoreLimits.rowsPerGroup
            let block = try index.block(.timestamp, group: one.lastRow / StoreLimits.rowsPerGroup)
            // In bounds: a block has a place for each row of its group.
            let timestamp = unsafe block.view(StoreLimits.rowsPerGroup * 8).i64(inGroup * 8)
            last.append((try index.id(ofRow: one.lastRow), timestamp))
        }
        for (one, last) in zip(found, last) {
            sessions[one.index].firstSequence = one.entry.firstSequence
            sessions[one.index].created = one.entry.firstReceived
            sessions[one.index].events += one.events
            guard last.id > 0 else { continue }
            sessions[one.index].lastEventID = last.id
            sessions[one.index].lastTimestamp = last.timestamp
        }
    }

    /// Sessions looked up in one step.
    private static let looksPerStep = 64
}
