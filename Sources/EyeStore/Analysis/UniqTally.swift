// Different sessions, for all events or for each group. Sets only: a session that is met again changes nothing. When the sessions do not fit
// into the room, several passes are made, each over a range of ids. One analysis; one thread.

/// Counts different sessions.
final class UniqTally: Tally {
    private let fields: [FieldCoder]
    private let sessions: FieldCoder
    private let share: AnalysisShare
    private let seed: UInt64
    /// One for each field but the first: groups.
    private var pairs: [PairTable] = []
    /// Groups with the sessions that they have met.
    private var met: PairTable
    /// Sessions of this pass, by the number of the group.
    private var counts: [UInt64] = []
    /// Groups that have any.
    private var groupsMet = 0
    private var events: UInt64 = 0
    private var missing: UInt64 = 0
    private var part = SessionPart()
    private var isFirstPass = true
    private var total = AnalysisResult()
    /// Of the passes before: groups by their values.
    private var sums: [[AnalysisValue]: UInt64] = [:]
    private var sumsCost = 0
    private(set) var refusal: AnalysisRefusal?
    private(set) var isFull = false

    private var place = 0
    private var groups: [UInt32] = []
    private var numbers: [UInt32] = []
    private var recordsTaken = 0
    /// Groups of this pass that are in `sums`.
    private var summed = 0

    /// What it takes to look at a session of a segment, about nanoseconds.
    private static let workPerSession = 150

    init(_ fields: [AnalysisField], share: AnalysisShare, reading: (any DataReading)?, seed: UInt64) {
        self.fields = fields.map { FieldCoder($0, reading, seed: seed) }
        sessions = FieldCoder(.session, nil, seed: seed)
        self.share = share
        self.seed = seed
        met = PairTable(seed: seed)
        clear()
    }

    private func clear() {
        for field in fields { field.reset(HashPart(), SessionPart(), seed: seed) }
        sessions.reset(HashPart(), part, seed: seed)
        pairs = (0..<max(fields.count - 1, 0)).map { _ in PairTable(seed: seed) }
        met = PairTable(seed: seed)
        counts = []
        groupsMet = 0
        events = 0
        missing = 0
        summed = 0
        isFull = false
    }

    var looksIntoData: Bool { fields.contains { $0.looksIntoData } }

    var cost: Int {
        fields.reduce(0) { $0 + $1.cost } + pairs.reduce(0) { $0 + $1.cost } + sessions.cost + met.cost
            + counts.capacity * 8 + sumsCost
    }

    // MARK: Taking

    func begin(_ plan: SegmentPlan) throws(IndexFault) -> VisitWay {
        place = 0
        var hasColumns = try sessions.begin(plan.index)
        for field in fields { hasColumns = try field.begin(plan.index) && hasColumns }
        guard hasColumns, !plan.needsRecords else { return .records }
        return fields.isEmpty && plan.isWhole && plan.isUnconditional ? .whole : .columns
    }

    /// Every session of the segment that has an event.
    func takeWhole(_ plan: SegmentPlan) throws(IndexFault) -> (state: WholeState, work: Int) {
        let range = try plan.index.sessionCodes(in: part)
        let start = range.lowerBound + place
        let end = min(range.upperBound, start + AnalysisLimits.entriesPerStep)
        for code in start..<max(start, end) {
            let entry = try plan.index.session(code: code)
            if entry.hasEvents { _ = try sessions.number(code: code, plan.index) }
        }
        place += AnalysisLimits.entriesPerStep
        look()
        let work = max(0, end - start) * UniqTally.workPerSession
        guard end >= range.upperBound else { return (.more, work) }
        events += UInt64(plan.index.rows)
        return (.done, work)
    }

    func takesRows(ofGroup group: Int, _ plan: SegmentPlan) throws(IndexFault) -> Bool {
        for field in fields where try !field.takesRows(ofGroup: group) { return false }
        return true
    }

    func take(_ rows: [UInt32], group: Int, _ plan: SegmentPlan) throws(IndexFault) -> Int {
        var work = try sessions.numbers(of: rows, group: group, plan.index, into: &numbers)
        for (dimension, field) in fields.enumerated() {
            if dimension == 0 {
                work += try field.numbers(of: rows, group: group, plan.index, into: &groups)
            } else {
                var next: [UInt32] = []
                work += try field.numbers(of: rows, group: group, plan.index, into: &next)
                pairs[dimension - 1].combine(&groups, with: next)
            }
        }
        events += UInt64(rows.count)
        if !fields.isEmpty {
            for place in rows.indices { add(groups[place], numbers[place]) }
        }
        look()
        return work + rows.count * 8 * (fields.count + 1)
    }

    func take(_ record: RecordView, id: UInt64) {
        events += 1
        let session = sessions.number(of: record)
        if !fields.isEmpty {
            var group = fields[0].number(of: record)
            for dimension in 1..<max(1, fields.count) {
                let next = fields[dimension].number(of: record)
                if group >= ValueTable.unknown { continue }
                group = next >= ValueTable.unknown ? next : pairs[dimension - 1].number(group, next)
            }
            add(group, session)
        }
        recordsTaken += 1
        let recordsPerLook = 64
        if recordsTaken % recordsPerLook == 0 { look() }
    }

    @inline(__always)
    private func add(_ group: UInt32, _ session: UInt32) {
        if group == ValueTable.missing { missing += 1 }
        guard group < ValueTable.unknown, session < ValueTable.unknown else { return }
        let before = met.count
        _ = met.number(group, session)
        guard met.count > before else { return }
        while counts.count <= Int(group) { counts.append(0) }
        if counts[Int(group)] == 0 { groupsMet += 1 }
        counts[Int(group)] += 1
    }

    private func look() {
        if groupsMet > AnalysisLimits.groupsMax { refusal = .tooManyGroups(max: AnalysisLimits.groupsMax) }
        isFull = refusal != nil || !share.fit(cost)
    }

    // MARK: Passes

    var span: (before: Double, share: Double) { (part.before, part.share) }

    func narrow(_ progress: Double) -> Bool {
        guard let less = sessions.sessions.narrowed(Self.keptShare(progress)) else { return false }
        part = less
        clear()
        return true
    }

    /// Some more groups of this pass are added to those of the passes before.
    func finishPass() -> Bool {
        guard summed < counts.count else { return false }
        let end = min(counts.count, summed + AnalysisLimits.entriesPerStep)
        // A column numbers the values of all its rows: those of none that pass have no sessions.
        for group in summed..<end where counts[group] > 0 {
            let values = values(UInt32(group))
            if sums[values] == nil { sumsCost += values.reduce(64) { $0 + $1.cost } }
            sums[values, default: 0] += counts[group]
        }
        summed = end
        return true
    }

    func endPass() -> Bool {
        if isFirstPass {
            total.events = events
            total.missing = missing
            isFirstPass = false
        }
        total.distinct += UInt64(sessions.count)
        if sums.count > AnalysisLimits.groupsMax { refusal = .tooManyGroups(max: AnalysisLimits.groupsMax) }
        guard refusal == nil, let rest = part.rest else { return false }
        part = rest
        clear()
        return true
    }

    private func values(_ group: UInt32) -> [AnalysisValue] {
        var values: [AnalysisValue] = []
        var number = group
        for dimension in stride(from: fields.count - 1, to: 0, by: -1) {
            let pair = pairs[dimension - 1].pair(number)
            values.append(fields[dimension].value(pair.second))
            number = pair.first
        }
        values.append(fields[0].value(number))
        return values.reversed()
    }

    func result() -> AnalysisResult {
        var result = total
        result.groups = sums.map { AnalysisGroup($0.key, $0.value) }.sorted { $0.precedes($1) }
        return result
    }
}
