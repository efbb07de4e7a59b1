// A query under way: pulls matching events out of a snapshot, in order of id, a bounded piece of work at each step, so that one thread
// can serve many. Segment by segment: the index rules the segment out or gives rows; rows of the log give runs of frames, which are read,
// checked and shown; rows of a sealed segment are made into records again. A segment that was sealed, rewritten or dropped meanwhile is
// found again by id. Invariant: no byte is shown whose checksum was not checked. Used on its reader's thread.

import EyeSystem
import Glibc

/// How a step ended.
public enum CursorState: Sendable {
    /// Its work is used up; call again.
    case more
    /// The caller asked to stop after an event; call again to go on behind it.
    case paused
    /// There is nothing left.
    case end
}

/// A query under way.
public final class EventCursor {
    private(set) var snapshot: Snapshot
    let filter: EventFilter
    /// Ids that damage may have withheld from this answer so far (for `Eye-Incomplete`).
    public private(set) var damage = DamagedIDs()
    /// Events counted by `countStep`.
    public private(set) var count: UInt64 = 0
    /// Events shown by `step`.
    public private(set) var shown: UInt64 = 0

    // Ids that are still to be looked at: from `low` to below `high`.
    private var low: UInt64
    private var high: UInt64
    /// Where it began, in rising order.
    private let first: UInt64
    // Segments that are still to be looked at; nil: not located yet.
    private var range: ClosedRange<Int>?
    private var isDone = false
    /// The reader's knowledge of erasures that is known to be complete.
    private var erasures: UInt64?
    private var current = 0
    private var plan: SegmentPlan?
    /// What lies between the segments that were looked at.
    private var gaps = CursorGaps()
    private var segmentsVisited = 0
    /// Ids of the current segment, from first to below next, as far as it has numbers.
    private var bounds: (first: UInt64, next: UInt64) = (0, 0)
    /// The current segment, if it is sealed and was opened.
    private var atHand: SealedFile?
    /// How often in a row a segment was not where the list says.
    private var misses = 0
    /// So often the segments are listed again before one that is listed and not there is passed over.
    private static let missesMax = 8
    // Within a segment.
    private var nextGroup = 0
    private var matches: [UInt32] = []
    private var matchesTaken = 0
    private var run = ExtentRun()
    private var unitRun = UnitRun()
    private var sealedRun = SealedRun()
    private var countBefore: UInt64 = 0
    private var budget: StepBudget

    init(_ snapshot: Snapshot, _ filter: EventFilter) {
        precondition(filter.data.isEmpty || snapshot.reader.data != nil, "this reader cannot look into data")
        self.snapshot = snapshot
        self.filter = filter
        budget = StepBudget(snapshot.reader.time)
        isDone = filter.isNone
        low = filter.idAbove.map { $0 == UInt64.max ? $0 : $0 + 1 } ?? 1
        high = min(filter.idBelow ?? UInt64.max >> 1, snapshot.nextEventID ?? UInt64.max >> 1)
        first = low
        damage.bounds = low..<max(low, high)
    }

    /// Event ids that are still to be looked at, to within a segment: for those who show progress.
    public var idsLeft: UInt64 {
        if isDone { return 0 }
        let reached = gaps.neighbour
        let (from, to) = filter.newestFirst ? (low, min(high, reached ?? high)) : (max(low, reached ?? low), high)
        return to > from ? to - from : 0
    }

    /// In rising order: no event up to this id is still to be shown.
    public var reached: UInt64 { low - 1 }

    /// Shows matching events to `body` until the step's work is done, `body` returns false, or there are no more.
    public func step(_ body: (borrowing EventView) -> Bool) throws(SystemError) -> CursorState {
        try work { () throws(IndexFault) in
            while let found = try nextEvent() {
                done(with: found.id)
                if passes(found.record) {
                    shown += 1
                    budget.spend(StepCost.shown + found.record.byteCount)
                    if !body(EventView(found.record, id: found.id)) { return .paused }
                }
                if budget.isSpent { return .more }
            }
            return nil
        }
    }

    /// Counts matching events without showing them, mostly without reading them; the sum so far is in `count`.
    public func countStep() throws(SystemError) -> CursorState {
        isCounting = true
        return try work { () throws(IndexFault) in
            while let found = try nextEvent() {
                if passes(found.record) { count += 1 }
                if budget.isSpent { return .more }
            }
            return nil
        }
    }
    private var isCounting = false

    @inline(__always)
    private func passes(_ record: RecordView) -> Bool {
        budget.spend(StepCost.event(record, intoData: !filter.data.isEmpty))
        return filter.passes(record, snapshot.reader.data)
    }

    /// The next event that is at hand.
    @inline(__always)
    private func nextEvent() throws(IndexFault) -> (id: UInt64, record: RecordView)? {
        if let found = run.next(newestFirst: filter.newestFirst) { return found }
        if let found = try nextOfUnits() { return found }
        guard let found = try sealedRun.next(newestFirst: filter.newestFirst) else { return nil }
        budget.spend(StepCost.sealedEvent + found.record.byteCount)
        return found
    }

    private func nextOfUnits() throws(IndexFault) -> (id: UInt64, record: RecordView)? {
        defer { budget.spend(unitRun.takeWork()) }
        if let found = try unitRun.next() { return found }
        guard let extent = unitRun.extent, let left = unitRun.takeBroken() else { return nil }
        // The frames tell what is lost.
        try readFrames(extent, rows: left[...])
        return run.next(newestFirst: filter.newestFirst)
    }

    /// Shows matching events to `visitor`, by whole segments and row groups where it wants them, until the step's work is done, the visitor
    /// is full, or there are no more. In rising order only.
    func visitStep(_ visitor: any EventVisitor) throws(SystemError) -> CursorState {
        precondition(!filter.newestFirst, "visitors see events in rising order")
        self.visitor = visitor
        return try work { () throws(IndexFault) in
            if visitor.isFull { return .paused }
            while let found = try nextEvent() {
                done(with: found.id)
                if passes(found.record) {
                    budget.spend(StepCost.event(found.record, intoData: visitor.looksIntoData))
                    visitor.take(found.record, id: found.id)
                    if visitor.isFull { return .paused }
                }
                if budget.isSpent { return .more }
            }
            return nil
        }
    }
    private var visitor: (any EventVisitor)?
    private var way = VisitWay.records

    /// How much of its ids was looked at, from 0 to 1; for cursors in rising order.
    var progress: Double {
        if isDone || high <= first { return 1 }
        return min(1, Double(low - first) / Double(high - first))
    }

    /// Gives a whole segment to the visitor.
    private func visitWhole(_ plan: SegmentPlan, _ visitor: any EventVisitor) throws(IndexFault) -> Bool {
        do throws(IndexFault) {
            let (state, work) = try visitor.takeWhole(plan)
            budget.spend(work)
            switch state {
            case .more: return true
            case .columns: way = .columns
            case .done: return nextSegment()
            }
        } catch {
            // What a sealed segment knows as a whole is damaged: its rows may be right.
            guard case .damaged = error, snapshot.segments[current].isSealed else { throw error }
            _ = atHand?.blocks.takeFault()
            way = .columns
        }
        return true
    }

    /// Gives the matching rows of a group to the visitor; they are not shown again, whatever happens later.
    private func visit(
        _ rows: [UInt32], group: Int, _ plan: SegmentPlan, _ visitor: any EventVisitor
    ) throws(IndexFault) {
        guard let last = rows.last else { return }
        let id = try plan.id(ofRow: Int(last))
        budget.spend(try visitor.take(rows, group: group, plan))
        done(with: id)
    }

    private func done(with id: UInt64) {
        if filter.newestFirst { high = id } else { low = id + 1 }
    }

    /// Gathers the ids of matching events in `ids`, mostly without reading the events.
    func idStep() throws(SystemError) -> CursorState {
        isGathering = true
        return try work { () throws(IndexFault) in
            while let found = try nextEvent() {
                if passes(found.record) { ids.insert(found.id) }
                if budget.isSpent { return .more }
            }
            return nil
        }
    }
    /// Ids gathered by `idStep`.
    private(set) var ids = IDSet()
    private var isGathering = false

    private func gather(_ rows: [UInt32], _ plan: SegmentPlan) throws(IndexFault) {
        var open: ClosedRange<UInt64>?
        for row in rows {
            let id = try plan.id(ofRow: Int(row))
            if let range = open, id == range.upperBound + 1 {
                open = range.lowerBound...id
            } else {
                if let range = open { ids.insert(range) }
                open = id...id
            }
        }
        if let range = open { ids.insert(range) }
    }

    /// The loop of a step. `drain` uses up the events that are at hand.
    private func work(_ drain: () throws(IndexFault) -> CursorState?) throws(SystemError) -> CursorState {
        budget.begin()
        // What it has learned of its segments is not true of another store's.
        if !isDone { try snapshot.checkStore() }
        while true {
            if isDone { return .end }
            do throws(IndexFault) {
                if let state = try drain() { return state }
                if budget.isSpent { return .more }
                if try !advance() {
                    isDone = true
                    run = ExtentRun()
                    unitRun = UnitRun()
                    sealedRun = SealedRun()
                    return .end
                }
            } catch {
                switch error {
                case .damaged: lose()
                case .system(let error):
                    guard error.isMissing else { throw error }
                    try findAgain()
                }
            }
        }
    }

    /// The index is damaged: it is made anew from the log. Of a sealed segment there is no log: the row group at hand is lost.
    private func lose() {
        let name = snapshot.segments[current]
        guard name.isSealed else {
            snapshot.reader.segment(name).distrustIndex()
            restartSegment()
            return
        }
        if let plan, nextGroup > 0, let group = plan.group(number: nextGroup - 1, newestFirst: filter.newestFirst),
            let lost = plan.ids(ofGroup: group)
        {
            noteLost(lost.first, lost.next)
            matches.removeAll(keepingCapacity: true)
            matchesTaken = 0
            sealedRun.drop()
            return
        }
        noteLost(bounds.first, bounds.next)
        if !nextSegment() { isDone = true }
    }

    /// The segment is not there any more: it was sealed, rewritten or dropped. What is left to be shown is looked for by id.
    private func findAgain() throws(SystemError) {
        snapshot.reader.noteMissing(snapshot.segments[current])
        restartSegment()
        misses += 1
        if misses > EventCursor.missesMax {
            // A name without a file behind it.
            gaps = CursorGaps()
            if !nextSegment() { isDone = true }
            return
        }
        try snapshot.listAgain()
        range = nil
    }

    private func restartSegment() {
        plan = nil
        matches.removeAll(keepingCapacity: true)
        matchesTaken = 0
        run.drop()
        unitRun.drop()
        sealedRun.drop()
        count = countBefore
    }

    /// Does the next piece of work. False: nothing is left.
    private func advance() throws(IndexFault) -> Bool {
        if erasures != snapshot.reader.erasures.version {
            if try io({ () throws(SystemError) in try snapshot.prepareErasures() }) {
                erasures = snapshot.reader.erasures.version
            } else {
                budget.spend(StoreLimits.workPerIndexedFrame)
            }
            return true
        }
        guard let range else { return try locateRange() }
        guard range.contains(current), current < snapshot.segments.count else { return false }
        guard let plan else { return try beginSegment() }
        if matchesTaken < matches.count {
            try takeRun(plan)
            return true
        }
        if way == .whole, let visitor { return try visitWhole(plan, visitor) }
        if let group = plan.group(number: nextGroup, newestFirst: filter.newestFirst) {
            nextGroup += 1
            matches.removeAll(keepingCapacity: true)
            matchesTaken = 0
            budget.spend(try plan.select(group, filter, into: &matches))
            if (isCounting || isGathering) && !plan.needsRecords {
                if isGathering { try gather(matches, plan) } else { count += UInt64(matches.count) }
                matches.removeAll(keepingCapacity: true)
            }
            // What the columns do not tell is shown as records.
            if way == .columns && !plan.needsRecords, let visitor, try visitor.takesRows(ofGroup: group, plan) {
                try visit(matches, group: group, plan, visitor)
                matches.removeAll(keepingCapacity: true)
            }
            return true
        }
        return nextSegment()
    }

    private func locateRange() throws(IndexFault) -> Bool {
        guard low < high else { return false }
        if snapshot.segments.isEmpty {
            let gone = snapshot.idsOfEverything
            damage.add(max(low, gone.lowerBound), min(high, gone.upperBound))
            return false
        }
        let ends = try io { () throws(SystemError) in (try snapshot.locate(low), try snapshot.locateLast(high - 1)) }
        range = ends.0...max(ends.0, ends.1)
        current = filter.newestFirst ? max(ends.0, ends.1) : ends.0
        return true
    }

    private func nextSegment() -> Bool {
        // An index that had to be built in memory is large: the limit is looked at at once.
        let isBuilt = plan?.index is IndexBuilder && current < snapshot.segments.count - 1
        plan = nil
        run.drop()
        unitRun.drop()
        sealedRun.drop()
        countBefore = count
        misses = 0
        if filter.newestFirst {
            if bounds.first > 0 { high = min(high, bounds.first) }
        } else {
            low = max(low, bounds.next)
        }
        bounds = (0, 0)
        atHand = nil
        current += filter.newestFirst ? -1 : 1
        segmentsVisited += 1
        if isBuilt || segmentsVisited % 16 == 0 { snapshot.reader.trim() }
        return range?.contains(current) ?? false
    }

    private func beginSegment() throws(IndexFault) -> Bool {
        let isOpen = snapshot.reader.segment(snapshot.segments[current]).isOpen
        guard let index = try io({ () throws(SystemError) in try snapshot.prepare(current) }) else {
            budget.spend(StoreLimits.workPerIndexedFrame)
            return true
        }
        budget.spend(isOpen ? StepCost.segment : StepCost.opening)
        atHand = index as? SealedFile
        bounds = (index.firstEventID, index.nextEventID)
        nextGroup = 0
        let isNewestFirst = filter.newestFirst
        let last = range?.upperBound ?? current
        try gaps.note(index, at: current, of: snapshot, newestFirst: isNewestFirst, last: last, into: &damage)
        var work = 0
        defer { budget.spend(work) }
        guard
            let made = try SegmentPlan(
                index, filter, low: low, high: high, erased: snapshot.erased, reading: snapshot.reader.data,
                work: &work)
        else {
            if index is IndexBuilder { snapshot.reader.trim() }
            return nextSegment()
        }
        if isCounting, let known = made.knownCount {
            count += known
            return nextSegment()
        }
        if let visitor {
            // Tables with a place for each session of the segment.
            work += index.sessionCount
            way = try visitor.begin(made)
        }
        plan = made
        return true
    }

    /// Ids of the sealed segment at hand that a damaged block of it costs.
    private func noteLost(_ first: UInt64, _ next: UInt64) {
        let fault = atHand?.blocks.takeFault()
        guard first < next else { return }
        damage.add(first, next)
        var lost = Corruption(snapshot.segments[current], .badSealedBlock, first: first, next: next)
        lost.part = fault?.part
        lost.offset = fault?.offset ?? 0
        lost.bytes = fault?.bytes ?? 0
        snapshot.reader.note(lost)
    }

    /// Takes up the next run of rows with ids that follow each other; of the log it is read.
    private func takeRun(_ plan: SegmentPlan) throws(IndexFault) {
        let left = matches.count - matchesTaken
        let row = Int(filter.newestFirst ? matches[left - 1] : matches[matchesTaken])
        let extent = try plan.extent(ofRow: row)
        var length = 1
        if filter.newestFirst {
            while length < left && Int(matches[left - 1 - length]) >= extent.firstRow { length += 1 }
        } else {
            while length < left && Int(matches[matchesTaken + length]) < extent.endRow { length += 1 }
        }
        let from = filter.newestFirst ? left - length : matchesTaken
        matchesTaken += length
        budget.spend(StepCost.run)
        if let received = filter.receivedRange,
            extent.newestReceived < received.lowerBound || extent.oldestReceived > received.upperBound
        {
            return
        }
        if let sealed = plan.index as? SealedFile {
            sealedRun.take(extent, rows: matches[from..<(from + length)], of: sealed)
            return
        }
        let wanted = matches[from..<(from + length)]
        guard let builder = plan.index as? IndexBuilder, builder.units.count > 0 else {
            return try readFrames(extent, rows: wanted)
        }
        let name = snapshot.segments[current]
        let file = try io { () throws(SystemError) in try snapshot.reader.segment(name).log() }
        unitRun.take(extent, rows: wanted, of: builder, file, newestFirst: filter.newestFirst)
    }

    /// Reads the frames of an extent of the log, and finds the events of `rows` (ascending) in them.
    private func readFrames(_ extent: IndexExtent, rows: ArraySlice<UInt32>) throws(IndexFault) {
        guard let plan else { return }
        budget.spend(extent.bytes / 3)
        let name = snapshot.segments[current]
        let file = try io { () throws(SystemError) in try snapshot.reader.segment(name).log() }
        try run.read(extent, rows: rows, file: file, base: name.first, salt: plan.index.salt) { lost in
            damage.add(lost.firstEventID, lost.nextEventID)
            snapshot.reader.note(lost)
        }
    }

    private func io<T>(_ body: () throws(SystemError) -> T) throws(IndexFault) -> T {
        do throws(SystemError) {
            return try body()
        } catch {
            throw .system(error)
        }
    }
}
