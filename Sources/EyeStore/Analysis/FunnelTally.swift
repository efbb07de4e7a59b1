// Sessions and how far they come through a funnel. A pass collects the events that are steps (in strict mode all events) of a range of
// sessions, puts them in order and walks every session; as many passes as there are ranges, and further rounds when middle times are
// not known after the first one. One analysis; one thread.

/// Walks all sessions through a funnel.
final class FunnelTally: Tally {
    private let funnel: Funnel
    private let sessions: FieldCoder
    private let reading: (any DataReading)?
    private let share: AnalysisShare
    private let seed: UInt64

    // Events of this pass, in order of id.
    private var owners: [UInt32] = []
    private var timestamps: [Int64] = []
    private var steps: [UInt8] = []

    // The same in order of sessions.
    private var ends: [Int] = []
    private var orderedTimestamps: [Int64] = []
    private var orderedSteps: [UInt8] = []
    private var placed = 0
    private var walked = 0
    private var walk: FunnelWalk

    private var events: UInt64 = 0
    private var part = SessionPart()
    /// Ranges of the first round, for those after it.
    private var parts: [SessionPart] = []
    private var round = 0
    private var nextPart = 0
    private var total = AnalysisResult()
    private var reached: [UInt64]
    private var sincePrevious: [MedianFinder]
    private var sinceFirst: [MedianFinder]
    private(set) var isFull = false
    var refusal: AnalysisRefusal? { nil }

    private var plans: [SegmentPlan?] = []
    private var masks = [UInt8](repeating: 0, count: StoreLimits.rowsPerGroup)
    private var matches: [UInt32] = []
    private var chosen: [UInt32] = []
    private var numbers: [UInt32] = []
    private var recordsTaken = 0
    private let scratch = SealedScratch()

    init(
        _ funnel: Funnel, share: AnalysisShare, reading: (any DataReading)?, seed: UInt64,
        timesKept: Int
    ) {
        self.funnel = funnel
        self.share = share
        self.reading = reading
        self.seed = seed
        sessions = FieldCoder(.session, nil, seed: seed)
        walk = FunnelWalk(funnel)
        let count = funnel.steps.count
        reached = [UInt64](repeating: 0, count: count)
        sincePrevious = (0..<count).map { _ in MedianFinder(keptMax: timesKept) }
        sinceFirst = sincePrevious
        clear()
    }

    private func clear() {
        sessions.reset(HashPart(), part, seed: seed)
        // Not for later use: what a larger part took must not count against a smaller one.
        owners = []
        timestamps = []
        steps = []
        ends = []
        orderedTimestamps = []
        orderedSteps = []
        placed = 0
        walked = 0
        events = 0
        isFull = false
    }

    var cost: Int {
        // What ordering will take is reckoned in from the start.
        sessions.cost + sessions.count * 8 + owners.bytesAhead() + timestamps.bytesAhead() + timestamps.count * 8
            + steps.bytesAhead() + steps.count + (sincePrevious + sinceFirst).reduce(0) { $0 + $1.cost }
    }

    // MARK: Taking

    func begin(_ plan: SegmentPlan) throws(IndexFault) -> VisitWay {
        guard try sessions.begin(plan.index), !plan.needsRecords else { return .records }
        plans.removeAll(keepingCapacity: true)
        for filter in funnel.steps {
            let found = filter.isNone ? nil : try step(filter, plan.index)
            if let found, found.needsRecords { return .records }
            plans.append(found)
        }
        return .columns
    }

    /// A step in a segment. What is erased is left out with the events that are shown.
    private func step(_ filter: EventFilter, _ index: any SegmentIndex) throws(IndexFault) -> SegmentPlan? {
        // The segment's dictionaries are looked at once for each step of the funnel: little beside the segment's rows.
        var work = 0
        return try SegmentPlan(
            index, filter, low: 0, high: UInt64.max, erased: IDSet(), reading: reading, work: &work)
    }

    func takeWhole(_ plan: SegmentPlan) throws(IndexFault) -> (state: WholeState, work: Int) { (.columns, 0) }

    func takesRows(ofGroup group: Int, _ plan: SegmentPlan) throws(IndexFault) -> Bool {
        for found in plans {
            guard let found, found.covers(group) else { continue }
            if try found.isUnsure(group) { return false }
        }
        return true
    }

    var looksIntoData: Bool { funnel.steps.contains { !$0.data.isEmpty } }

    func take(_ rows: [UInt32], group: Int, _ plan: SegmentPlan) throws(IndexFault) -> Int {
        let start = group * StoreLimits.rowsPerGroup
        for place in masks.indices { masks[place] = 0 }
        var work = rows.count * 4
        for (step, found) in plans.enumerated() {
            guard let found, found.covers(group) else { continue }
            matches.removeAll(keepingCapacity: true)
            work += try found.select(group, funnel.steps[step], into: &matches)
            if found.needsRecords { try keepPassing(funnel.steps[step], plan.index) }
            for row in matches { masks[Int(row) - start] |= 1 << UInt8(step) }
        }
        chosen.removeAll(keepingCapacity: true)
        for row in rows where funnel.mode == .strict || masks[Int(row) - start] != 0 { chosen.append(row) }
        work += try sessions.numbers(of: chosen, group: group, plan.index, into: &numbers)
        let block = try plan.index.block(.timestamp, group: group)
        let view = unsafe block.view(StoreLimits.rowsPerGroup * 8)
        for (place, row) in chosen.enumerated() where numbers[place] < ValueTable.unknown {
            let inGroup = Int(row) - start
            // In bounds: a block has a place for each row of its group.
            add(numbers[place], unsafe view.i64(inGroup * 8), masks[inGroup])
        }
        events += UInt64(rows.count)
        isFull = !share.fit(cost)
        return work + chosen.count * 10
    }

    /// Keeps the matches whose events pass: of a sealed segment, where the leaves do not tell everything.
    private func keepPassing(_ filter: EventFilter, _ index: any SegmentIndex) throws(IndexFault) {
        guard let sealed = index as? SealedFile else { throw .damaged }
        var kept: [UInt32] = []
        for row in matches where filter.passes(try sealed.record(Int(row), into: scratch), reading) { kept.append(row) }
        matches = kept
    }

    func take(_ record: RecordView, id: UInt64) {
        events += 1
        var mask: UInt8 = 0
        for (step, filter) in funnel.steps.enumerated() where filter.passes(record, reading) {
            mask |= 1 << UInt8(step)
        }
        guard mask != 0 || funnel.mode == .strict else { return }
        let number = sessions.number(of: record)
        if number < ValueTable.unknown { add(number, record.timestamp, mask) }
        recordsTaken += 1
        let recordsPerLook = 64
        if recordsTaken % recordsPerLook == 0 { isFull = !share.fit(cost) }
    }

    @inline(__always)
    private func add(_ owner: UInt32, _ timestamp: Int64, _ mask: UInt8) {
        owners.append(owner)
        timestamps.append(timestamp)
        steps.append(mask)
    }

    // MARK: Walking

    func finishPass() -> Bool {
        if ends.isEmpty && !owners.isEmpty {
            begins()
            return true
        }
        if placed < owners.count {
            order()
            return true
        }
        if walked < sessions.count {
            walkSome()
            return true
        }
        return false
    }

    /// Finds where each session's events will begin.
    private func begins() {
        var counts = [Int](repeating: 0, count: sessions.count)
        for owner in owners { counts[Int(owner)] += 1 }
        var sum = 0
        // Until all are placed these are beginnings; each moves on with every event of its session, to its end.
        for number in counts.indices {
            let count = counts[number]
            counts[number] = sum
            sum += count
        }
        ends = counts
        orderedTimestamps = [Int64](repeating: 0, count: owners.count)
        orderedSteps = [UInt8](repeating: 0, count: owners.count)
    }

    /// Puts some events behind the earlier ones of their session.
    private func order() {
        let end = min(owners.count, placed + AnalysisLimits.funnelEventsPerStep)
        for index in placed..<end {
            let place = ends[Int(owners[index])]
            ends[Int(owners[index])] = place + 1
            orderedTimestamps[place] = timestamps[index]
            orderedSteps[place] = steps[index]
        }
        placed = end
    }

    private func walkSome() {
        var left = AnalysisLimits.funnelEventsPerStep
        while walked < sessions.count && left > 0 {
            let start = walked == 0 ? 0 : ends[walked - 1]
            walkOne(start..<ends[walked])
            left -= ends[walked] - start
            walked += 1
        }
    }

    private func walkOne(_ range: Range<Int>) {
        walk.reset()
        var isInOrder = true
        for index in range.dropFirst() where orderedTimestamps[index] < orderedTimestamps[index - 1] {
            isInOrder = false
            break
        }
        if isInOrder {
            for index in range { walk.take(orderedTimestamps[index], orderedSteps[index]) }
        } else {
            // They came late: by timestamp, then as they came.
            let sorted = range.sorted { (orderedTimestamps[$0], $0) < (orderedTimestamps[$1], $1) }
            for index in sorted { walk.take(orderedTimestamps[index], orderedSteps[index]) }
        }
        let way = walk.best
        for step in way.indices {
            if round == 0 { reached[step] += 1 }
            if step > 0 {
                sincePrevious[step].add(way[step] - way[step - 1])
                sinceFirst[step].add(way[step] - way[0])
            }
        }
    }

    // MARK: Passes

    var span: (before: Double, share: Double) {
        // Further rounds are rare: the last hundredth is theirs.
        round == 0 ? (part.before * 0.99, part.share * 0.99) : (0.99, 0)
    }

    func narrow(_ progress: Double) -> Bool {
        guard let less = sessions.sessions.narrowed(Self.keptShare(progress)) else { return false }
        part = less
        // Ranges of the first round do not fit any more: this round makes its own from here on.
        if round > 0 { parts.removeLast(parts.count - nextPart) }
        clear()
        return true
    }

    func endPass() -> Bool {
        if round == 0 && parts.isEmpty { total.events = events }
        if round == 0 || nextPart >= parts.count { parts.append(part) }
        nextPart += 1
        if let next = nextPart < parts.count ? parts[nextPart] : part.rest {
            part = next
            clear()
            return true
        }
        var isDone = true
        for step in sincePrevious.indices {
            isDone = sincePrevious[step].endRound() && isDone
            isDone = sinceFirst[step].endRound() && isDone
        }
        if isDone { return false }
        round += 1
        nextPart = 0
        part = parts[0]
        clear()
        return true
    }

    func result() -> AnalysisResult {
        var result = total
        result.funnel = FunnelResult(
            steps: reached.indices.map {
                FunnelResult.Step(
                    sessions: reached[$0], medianSincePrevious: sincePrevious[$0].median,
                    medianSinceFirst: sinceFirst[$0].median)
            })
        return result
    }
}
