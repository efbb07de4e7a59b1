// Sessions in order of their last event, newest first, as of an event: goes back through the session columns, row by row, and takes each session
// where it is met for the last time, if no newer segment has an event of it. Sessions without any event stand where they were opened.
// Bounded work a step; on the reader's thread.

import EyeSystem

/// Finds sessions by their last activity.
final class SessionWalk {
    private var snapshot: Snapshot
    /// Events above it are not looked at.
    private let upper: UInt64
    /// Only places below this one are left.
    private var below: SessionPlace
    /// The segment that is gone through; nil: not located yet. -1: done.
    private var current: Int?
    private(set) var damage = DamagedIDs()

    // Within a segment.
    private var isOpen = false
    private var seen: [UInt64] = []
    /// Rows from here on are done.
    private var row = 0
    /// Rows to be marked as seen before the walk begins.
    private var marking = 0..<0
    /// Sessions without an event here, highest place last.
    private var idle: [(place: SessionPlace, id: ID128)] = []
    private var idleCode = 0
    // A session that newer segments are asked about.
    private var candidate: (place: SessionPlace, id: ID128)?
    private var asked = 0
    /// The reader's knowledge of erasures that is known to be complete.
    private var erasures: UInt64?
    /// How often in a row a segment was not where the list says.
    private var misses = 0

    init(_ snapshot: Snapshot, upper: UInt64, below: SessionPlace) {
        self.snapshot = snapshot
        self.upper = upper
        self.below = below
        damage.bounds = 0..<(upper + 1)
    }

    /// Does a bounded piece of work; gives a session to `body` when one is found. False: there are no more.
    func step(_ body: (SessionPlace, ID128) -> Void) throws(SystemError) -> Bool {
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
        guard let current else {
            damage.add(snapshot.idsOfEverything)
            let start =
                try snapshot.segments.isEmpty ? -1 : snapshot.locateLast(min(upper + 1, below.position >> 1))
            self.current = start
            return start >= 0
        }
        guard current >= 0 else { return false }
        if candidate != nil {
            try askOthers(current, body)
            return true
        }
        let state = try snapshot.work(on: current) { (index) throws(IndexFault) -> Bool in
            if !isOpen { return try open(index) }
            if !marking.isEmpty { return try mark(index) }
            if idleCode < index.sessionCount { return try collectIdle(index) }
            return try walk(index)
        }
        switch state {
        case .later: isOpen = false
        case .gone: try findAgain()
        case .lost:
            noteLost(current)
            leave(current)
        case .done(let isOver): if isOver { leave(current) }
        }
        return true
    }

    private func leave(_ segment: Int) {
        damage.add(snapshot.idsMissing(before: segment))
        current = segment - 1
        isOpen = false
        misses = 0
        snapshot.reader.trim()
    }

    private func noteLost(_ segment: Int) {
        let lost = snapshot.idsOfLost(segment)
        damage.add(lost.first, lost.next)
    }

    /// A segment was sealed, rewritten or dropped: what is left is looked for by its place.
    private func findAgain() throws(SystemError) {
        misses += 1
        candidate = nil
        isOpen = false
        if misses > Snapshot.missesMax {
            // A name without a file behind it.
            if let current { leave(current) }
            return
        }
        try listAgain()
    }

    private func listAgain() throws(SystemError) {
        try snapshot.listAgain()
        candidate = nil
        current = nil
    }

    private func open(_ index: any SegmentIndex) throws(IndexFault) -> Bool {
        for gap in try index.allGaps() { damage.add(gap.firstEventID, gap.nextEventID) }
        if let current { damage.add(snapshot.idsMissing(behind: current, index)) }
        let limit = try index.row(atOrAfter: upper + 1)
        row = min(limit, try index.row(atOrAfter: below.position >> 1))
        marking = row..<limit
        seen = [UInt64](repeating: 0, count: (index.sessionCount + 63) / 64)
        idle = []
        idleCode = 0
        isOpen = true
        return false
    }

    /// Sessions that have an event between here and the moment of the list are done.
    private func mark(_ index: any SegmentIndex) throws(IndexFault) -> Bool {
        let group = marking.lowerBound / StoreLimits.rowsPerGroup
        let start = group * StoreLimits.rowsPerGroup
        let end = min(marking.upperBound, start + StoreLimits.rowsPerGroup)
        let block = try index.block(.session, group: group)
        let view = unsafe block.view(StoreLimits.rowsPerGroup * 4)
        var erased = ErasedRows(snapshot, index)
        for row in marking.lowerBound..<end where !(try erased.contains(row)) {
            // In bounds: a block has a place for each row of its group.
            guard see(unsafe Int(view.u32((row - start) * 4))) != nil else { throw .damaged }
        }
        marking = end..<marking.upperBound
        return false
    }

    /// Marks a session of this segment; whether it was new. Nil: there is no such session.
    private func see(_ code: Int) -> Bool? {
        guard code >> 6 < seen.count else { return nil }
        let bit: UInt64 = 1 << UInt64(code & 63)
        if seen[code >> 6] & bit != 0 { return false }
        seen[code >> 6] |= bit
        return true
    }

    private func collectIdle(_ index: any SegmentIndex) throws(IndexFault) -> Bool {
        let end = min(index.sessionCount, idleCode + AnalysisLimits.entriesPerStep)
        for code in idleCode..<end {
            let entry = try index.session(code: code)
            guard !entry.hasEvents, !snapshot.reader.erasures.sequences.contains(entry.firstSequence) else { continue }
            // Where it was opened: so many events stand before it.
            let before = min(Int(entry.lastRow), index.rows)
            let id = before == index.rows ? index.nextEventID : try index.id(ofRow: before)
            let place = SessionPlace(position: id << 1, tie: entry.firstSequence)
            if place < below { idle.append((place, entry.id)) }
        }
        idleCode = end
        if end == index.sessionCount { idle.sort { $0.place < $1.place } }
        return false
    }

    /// Goes back until a session is met. True: the segment is done.
    private func walk(_ index: any SegmentIndex) throws(IndexFault) -> Bool {
        var left = AnalysisLimits.sessionRowsPerStep
        var erased = ErasedRows(snapshot, index)
        while row > 0 && left > 0 {
            let group = (row - 1) / StoreLimits.rowsPerGroup
            let start = group * StoreLimits.rowsPerGroup
            let block = try index.block(.session, group: group)
            let view = unsafe block.view(StoreLimits.rowsPerGroup * 4)
            while row > start && left > 0 {
                left -= 1
                // In bounds: a block has a place for each row of its group.
                let code = unsafe Int(view.u32((row - 1 - start) * 4))
                guard code < index.sessionCount else { throw .damaged }
                let bit: UInt64 = 1 << UInt64(code & 63)
                var isDone = seen[code >> 6] & bit != 0
                if !isDone { isDone = try erased.contains(row - 1) }
                if isDone {
                    row -= 1
                    continue
                }
                let place = SessionPlace.event(try index.id(ofRow: row - 1))
                if let first = idle.last, first.place > place {
                    idle.removeLast()
                    propose(first.place, first.id)
                    return false
                }
                let id = try index.session(code: code).id
                seen[code >> 6] |= bit
                row -= 1
                propose(place, id)
                return false
            }
        }
        if row > 0 { return false }
        guard let first = idle.popLast() else { return true }
        propose(first.place, first.id)
        return false
    }

    private func propose(_ place: SessionPlace, _ id: ID128) {
        candidate = (place, id)
        asked = snapshot.segments.count - 1
    }

    /// Asks a few other segments about the candidate: newer ones whether they have an event of it; about one without any event older ones too, whether they
    /// know it at all.
    private func askOthers(_ current: Int, _ body: (SessionPlace, ID128) -> Void) throws(SystemError) {
        guard let (place, id) = candidate else { return }
        let isIdle = place.position & 1 == 0
        for _ in 0..<SessionWalk.asksPerStep {
            if asked == current { asked -= 1 }
            if asked < 0 || (asked < current && !isIdle) {
                candidate = nil
                below = place
                body(place, id)
                return
            }
            let segment = asked
            let upper = upper
            let state = try snapshot.work(on: segment) { (index) throws(IndexFault) -> Bool in
                guard let found = try index.session(id) else { return false }
                if segment < current {
                    return try !snapshot.isErased(found.entry, code: found.code, in: index).isErased
                }
                return try hasEvents(found.entry, found.code, index, upTo: upper)
            }
            switch state {
            case .later: return
            case .gone: return try findAgain()
            case .lost:
                noteLost(segment)
                asked -= 1
            case .done(let isKnown):
                asked -= 1
                guard isKnown else { continue }
                candidate = nil
                below = place
                return
            }
        }
    }

    /// Whether a session has an event in a segment that is not erased, up to the moment of the list.
    private func hasEvents(
        _ session: IndexSession, _ code: Int, _ index: any SegmentIndex, upTo upper: UInt64
    ) throws(IndexFault) -> Bool {
        guard session.hasEvents else { return false }
        let end = try min(Int(session.lastRow) + 1, index.row(atOrAfter: upper + 1))
        let first = Int(session.firstRow)
        guard first < end else { return false }
        var erased = ErasedRows(snapshot, index)
        if try !erased.contains(first) { return true }
        for row in (first + 1)..<max(first + 1, end) where !(try erased.contains(row)) {
            let block = try index.block(.session, group: row / StoreLimits.rowsPerGroup)
            // In bounds: a block has a place for each row of its group.
            let found = unsafe block.view(StoreLimits.rowsPerGroup * 4).u32(row % StoreLimits.rowsPerGroup * 4)
            if Int(found) == code { return true }
        }
        return false
    }

    /// Segments asked about a session in one step.
    private static let asksPerStep = 64
}

/// The rows of a segment whose events are erased; quick when there are none.
struct ErasedRows {
    private let index: any SegmentIndex
    private let ids: IDSet?
    private var extent: IndexExtent?
    private var look = IDSet.Look()

    init(_ snapshot: Snapshot, _ index: any SegmentIndex) {
        self.index = index
        let (first, next) = (index.firstEventID, index.nextEventID)
        ids = first < next && snapshot.erased.intersects(first...(next - 1)) ? snapshot.erased : nil
    }

    /// Some are erased.
    var isAny: Bool { ids != nil }

    /// Whether the event of `row` is erased.
    @inline(__always)
    mutating func contains(_ row: Int) throws(IndexFault) -> Bool {
        guard let ids else { return false }
        if extent.map({ row < $0.firstRow || row >= $0.endRow }) ?? true {
            extent = try index.extent(index.extentIndex(ofRow: row))
        }
        guard let extent, row >= extent.firstRow, row < extent.endRow else { throw .damaged }
        return ids.contains(extent.firstEventID + UInt64(row - extent.firstRow), &look)
    }
}

extension SegmentIndex {
    /// The event id of a row.
    func id(ofRow row: Int) throws(IndexFault) -> UInt64 {
        let found = try extent(extentIndex(ofRow: row))
        guard row >= found.firstRow, row < found.endRow else { throw .damaged }
        return found.firstEventID + UInt64(row - found.firstRow)
    }
}
