// Events by groups: values of some fields, and buckets of time. From a segment's own counts where the filter allows it, from its columns where
// they have the fields, else from the records. The most frequent values are found in parts when they do not fit into the room.

/// Counts events by groups.
final class GroupTally: Tally {
    private let fields: [FieldCoder]
    private let step: TimeStep?
    /// Buckets that shall be there though they may be empty.
    private let within: ClosedRange<Int64>?
    /// Most frequent values that are wanted; nil: all groups are.
    private let top: Int?
    private let share: AnalysisShare
    private let seed: UInt64

    private var buckets: BucketTable?
    /// One for each dimension but the first.
    private var pairs: [PairTable] = []
    /// By the number of the group.
    private var counts: [UInt64] = []
    /// Groups that have any events. A column numbers the values of all its rows, also of those that do not pass.
    private var groupsMet = 0
    /// Of a histogram by a field: events without a value, by the number of the bucket.
    private var missingByBucket: [UInt64] = []
    private var events: UInt64 = 0
    private var missing: UInt64 = 0
    private var part = HashPart()
    private var sessionPart = SessionPart()
    private var isFirstPass = true
    private var total = AnalysisResult()
    private var best: TopList
    private(set) var refusal: AnalysisRefusal?
    private(set) var isFull = false

    // The segment taken as a whole.
    private var source = WholeSource.none
    private var place = 0
    private var pending: [(number: UInt32, events: UInt64)] = []
    // Room for the numbers of a row group.
    private var first: [UInt32] = []
    private var second: [UInt32] = []
    private var recordsTaken = 0
    /// Groups of this pass that have been compared with the most frequent ones.
    private var ranked = 0

    // What it takes to look an entry up and to add it, and to read one, about nanoseconds.
    private static let workPerEntry = 150
    private static let workPerEntryRead = 20

    /// Where a whole segment's numbers come from.
    private enum WholeSource {
        case none, knownCount
        case texts(TextKind)
        case hours
    }

    init(
        _ fields: [AnalysisField], _ step: TimeStep?, within: ClosedRange<Int64>?, top: Int?, share: AnalysisShare,
        reading: (any DataReading)?, seed: UInt64
    ) {
        self.fields = fields.map { FieldCoder($0, reading, seed: seed) }
        self.step = step
        self.within = within
        self.top = top
        self.share = share
        self.seed = seed
        best = TopList(top ?? 0)
        clear()
        // What needs no look at the events.
        if let buckets, let within, within.lowerBound != Int64.min, within.upperBound != Int64.max {
            let (low, high) = bucketRange(buckets)
            if high &- low >= Int64(AnalysisLimits.bucketsMax) { refusal = tooManyBuckets(buckets) }
        }
    }

    /// Begins a pass.
    private func clear() {
        for field in fields { field.reset(part, sessionPart, seed: seed) }
        buckets = step.map { BucketTable($0) }
        let dimensions = fields.count + (step == nil ? 0 : 1)
        pairs = (0..<max(dimensions - 1, 0)).map { _ in PairTable(seed: seed) }
        counts = []
        groupsMet = 0
        missingByBucket = []
        events = 0
        missing = 0
        pending = []
        ranked = 0
        isFull = false
    }

    var looksIntoData: Bool { fields.contains { $0.looksIntoData } }

    var cost: Int {
        fields.reduce(0) { $0 + $1.cost } + pairs.reduce(0) { $0 + $1.cost } + (buckets?.cost ?? 0)
            + (counts.capacity + missingByBucket.capacity) * 8 + pending.capacity * 16 + best.cost
    }

    // MARK: Taking

    func begin(_ plan: SegmentPlan) throws(IndexFault) -> VisitWay {
        pending.removeAll(keepingCapacity: true)
        place = 0
        var hasColumns = true
        for field in fields { hasColumns = try field.begin(plan.index) && hasColumns }
        guard hasColumns, !plan.needsRecords else { return .records }
        source = wholeSource(plan)
        if case .none = source { return .columns }
        return .whole
    }

    private func wholeSource(_ plan: SegmentPlan) -> WholeSource {
        if fields.isEmpty && step == nil { return plan.knownCount == nil ? .none : .knownCount }
        guard plan.isWhole, fields.allSatisfy({ $0.field == .category || $0.field == .name }) else { return .none }
        if step == nil && fields.count == 1 && plan.isUnconditional {
            return .texts(fields[0].field == .category ? .category : .name)
        }
        guard step?.isWholeHours ?? true, plan.hours != nil else { return .none }
        return .hours
    }

    func takeWhole(_ plan: SegmentPlan) throws(IndexFault) -> (state: WholeState, work: Int) {
        var work = 0
        switch source {
        case .none: return (.columns, 0)
        case .knownCount:
            events += plan.knownCount ?? 0
            return (.done, 0)
        case .texts(let kind):
            let count = try plan.index.textCount(kind)
            let end = min(count, place + AnalysisLimits.entriesPerStep)
            for code in place..<end {
                let found = try plan.index.entry(code, of: kind)
                pending.append((try fields[0].number(code: code, plan.index), UInt64(found.events)))
            }
            work = (end - place) * GroupTally.workPerEntry
            place = end
            return (end == count ? commit() : .more, work)
        case .hours:
            guard try plan.index.prepareHourCounts(work: &work) else { return (.more, work) }
            guard let entries = try plan.index.hourCounts() else { return (.columns, work) }
            let end = min(entries.count, place + AnalysisLimits.entriesPerStep)
            for entry in entries[place..<end] where plan.accepts(entry) {
                pending.append((try number(entry, plan.index), UInt64(entry.events)))
            }
            // Many of them are read from the segment again each time.
            work += entries.count * GroupTally.workPerEntryRead + (end - place) * GroupTally.workPerEntry
            place = end
            return (end == entries.count ? commit() : .more, work)
        }
    }

    private func number(_ entry: HourCount, _ index: any SegmentIndex) throws(IndexFault) -> UInt32 {
        var number: UInt32 = 0
        for (dimension, field) in fields.enumerated() {
            let code = Int(field.field == .category ? entry.category : entry.name)
            let next = try field.number(code: code, index)
            number = dimension == 0 ? next : pair(dimension, number, next)
        }
        if step != nil {
            let bucket = buckets?.number(of: TimeStep.start(ofHour: Int64(entry.hour))) ?? 0
            number = fields.isEmpty ? bucket : pair(fields.count, number, bucket)
        }
        return number
    }

    private func pair(_ dimension: Int, _ first: UInt32, _ second: UInt32) -> UInt32 {
        if first >= ValueTable.unknown { return first }
        if second >= ValueTable.unknown { return second }
        return pairs[dimension - 1].number(first, second)
    }

    /// Everything of a whole segment is known: now it counts.
    private func commit() -> WholeState {
        makeRoom()
        for (number, events) in pending {
            self.events += events
            if number < ValueTable.unknown {
                if counts[Int(number)] == 0 && events > 0 { groupsMet += 1 }
                counts[Int(number)] += events
            } else if number == ValueTable.missing {
                missing += events
            }
        }
        pending.removeAll(keepingCapacity: true)
        look()
        return .done
    }

    func takesRows(ofGroup group: Int, _ plan: SegmentPlan) throws(IndexFault) -> Bool {
        for field in fields where try !field.takesRows(ofGroup: group) { return false }
        return true
    }

    func take(_ rows: [UInt32], group: Int, _ plan: SegmentPlan) throws(IndexFault) -> Int {
        if fields.isEmpty && step == nil {
            events += UInt64(rows.count)
            return 0
        }
        var work = rows.count * 5
        first.removeAll(keepingCapacity: true)
        for (dimension, field) in fields.enumerated() {
            if dimension == 0 {
                work += try field.numbers(of: rows, group: group, plan.index, into: &first)
            } else {
                work += try field.numbers(of: rows, group: group, plan.index, into: &second)
                pairs[dimension - 1].combine(&first, with: second)
            }
        }
        if step != nil {
            let block = try plan.index.block(.timestamp, group: group)
            let view = unsafe block.view(StoreLimits.rowsPerGroup * 8)
            let start = group * StoreLimits.rowsPerGroup
            second.removeAll(keepingCapacity: true)
            unsafe buckets?.numbers(of: rows, start, view, into: &second)
            if fields.isEmpty {
                swap(&first, &second)
            } else {
                makeRoom()
                for (place, number) in first.enumerated() where number == ValueTable.missing {
                    missingByBucket[Int(second[place])] += 1
                }
                pairs[fields.count - 1].combine(&first, with: second)
            }
        }
        makeRoom()
        events += UInt64(rows.count)
        missing += GroupTally.add(first, to: &counts, &groupsMet)
        look()
        return work + rows.count * 5 * fields.count
    }

    /// Adds one for each number; returns how many are missing.
    private static func add(_ numbers: [UInt32], to counts: inout [UInt64], _ groupsMet: inout Int) -> UInt64 {
        var missing: UInt64 = 0
        for number in numbers {
            if number < ValueTable.unknown {
                if counts[Int(number)] == 0 { groupsMet += 1 }
                counts[Int(number)] += 1
            } else if number == ValueTable.missing {
                missing += 1
            }
        }
        return missing
    }

    func take(_ record: RecordView, id: UInt64) {
        events += 1
        var number: UInt32 = 0
        for (dimension, field) in fields.enumerated() {
            let next = field.number(of: record)
            number = dimension == 0 ? next : pair(dimension, number, next)
        }
        if step != nil {
            let bucket = buckets?.number(of: record.timestamp) ?? 0
            if number == ValueTable.missing && !fields.isEmpty {
                makeRoom()
                missingByBucket[Int(bucket)] += 1
            }
            number = fields.isEmpty ? bucket : pair(fields.count, number, bucket)
        } else if fields.isEmpty {
            return
        }
        if number < ValueTable.unknown {
            makeRoom()
            if counts[Int(number)] == 0 { groupsMet += 1 }
            counts[Int(number)] += 1
        } else if number == ValueTable.missing {
            missing += 1
        }
        recordsTaken += 1
        let recordsPerLook = 64
        if recordsTaken % recordsPerLook == 0 { look() }
    }

    /// A count for every group that has a number.
    private func makeRoom() {
        let groups = groupCount
        if counts.count < groups { counts.append(contentsOf: repeatElement(0, count: groups - counts.count)) }
        if let buckets, missingByBucket.count < buckets.count {
            missingByBucket.append(contentsOf: repeatElement(0, count: buckets.count - missingByBucket.count))
        }
    }

    private var groupCount: Int { pairs.last?.count ?? fields.first?.count ?? buckets?.count ?? 0 }

    /// Whether it still fits.
    private func look() {
        let groupsMax = step == nil ? AnalysisLimits.groupsMax : AnalysisLimits.cellsMax
        if let buckets, buckets.count > AnalysisLimits.bucketsMax {
            refusal = tooManyBuckets(buckets)
        } else if top == nil && groupsMet > groupsMax {
            refusal = step == nil ? .tooManyGroups(max: groupsMax) : .tooManyCells(UInt64(groupsMet))
        }
        isFull = refusal != nil || !share.fit(cost)
    }

    private func tooManyBuckets(_ buckets: BucketTable) -> AnalysisRefusal {
        let (low, high) = bucketRange(buckets)
        return .tooManyBuckets(
            UInt64(bitPattern: high &- low) &+ 1, oldest: buckets.step.start(low),
            newest: buckets.step.start(high) &+ buckets.step.microseconds - 1)
    }

    // MARK: Passes

    var span: (before: Double, share: Double) {
        fields.first?.field == .session
            ? (sessionPart.before, sessionPart.share) : (part.before, part.share)
    }

    func narrow(_ progress: Double) -> Bool {
        guard top != nil, let field = fields.first else { return false }
        let share = Self.keptShare(progress)
        if field.field == .session {
            guard let less = field.sessions.narrowed(share) else { return false }
            sessionPart = less
        } else {
            guard let less = part.first(share) else { return false }
            part = less
        }
        clear()
        return true
    }

    /// Some more groups of this pass may be among the most frequent ones.
    func finishPass() -> Bool {
        guard top != nil, let field = fields.first, ranked < counts.count else { return false }
        let end = min(counts.count, ranked + AnalysisLimits.entriesPerStep)
        for number in ranked..<end where counts[number] > 0 {
            total.distinct += 1
            best.add(counts[number]) { [field.value(UInt32(number))] }
        }
        ranked = end
        return true
    }

    func endPass() -> Bool {
        if isFirstPass {
            total.events = events
            total.missing = missing
            isFirstPass = false
        }
        if step != nil { total.histogram = histogram() }
        guard top != nil, let field = fields.first else { return false }
        let isSession = field.field == .session
        guard isSession ? sessionPart.rest != nil : part.rest != nil else { return false }
        sessionPart = sessionPart.rest ?? SessionPart()
        part = part.rest ?? HashPart()
        clear()
        return true
    }

    func result() -> AnalysisResult {
        var result = total
        if top != nil {
            result.groups = best.groups()
        } else if step == nil && !fields.isEmpty {
            result.groups = counts.indices.filter { counts[$0] > 0 }
                .map { AnalysisGroup(values(UInt32($0)), counts[$0]) }
                .sorted { $0.precedes($1) }
            result.distinct = UInt64(result.groups.count)
        }
        return result
    }

    /// The values of a group without buckets.
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

    // MARK: Histogram

    private func bucketRange(_ buckets: BucketTable) -> (low: Int64, high: Int64) {
        var low = buckets.buckets.min() ?? 0
        var high = buckets.buckets.max() ?? 0
        if let within {
            // A side that is open takes the events' own end.
            if within.lowerBound != Int64.min { low = buckets.step.bucket(within.lowerBound) }
            if within.upperBound != Int64.max { high = buckets.step.bucket(within.upperBound) }
        }
        return (low, max(low, high))
    }

    private func histogram() -> Histogram? {
        guard let buckets else { return nil }
        var histogram = Histogram(step: buckets.step)
        let isBounded = within.map { $0.lowerBound != Int64.min && $0.upperBound != Int64.max } ?? false
        if buckets.count == 0 && !isBounded { return histogram }
        let (low, high) = bucketRange(buckets)
        let (span, isTooMuch) = high.subtractingReportingOverflow(low)
        guard !isTooMuch, span < Int64(AnalysisLimits.bucketsMax) else {
            refusal = tooManyBuckets(buckets)
            return nil
        }
        let length = Int(span) + 1
        histogram.start = buckets.step.start(low)
        histogram.counts = [UInt64](repeating: 0, count: length)
        guard let field = fields.first else {
            for (number, bucket) in buckets.buckets.enumerated() where number < counts.count {
                histogram.counts[Int(bucket - low)] += counts[number]
            }
            return histogram
        }
        // The place of each value's series.
        var places = [Int](repeating: -1, count: field.count)
        var shown: [UInt32] = []
        for group in counts.indices where counts[group] > 0 {
            let value = pairs[0].pair(UInt32(group)).first
            if places[Int(value)] < 0 {
                places[Int(value)] = shown.count
                shown.append(value)
            }
        }
        let seriesCount = shown.count
        guard seriesCount <= AnalysisLimits.groupsMax, seriesCount * length <= AnalysisLimits.cellsMax else {
            refusal = .tooManyCells(UInt64(seriesCount) * UInt64(length))
            return nil
        }
        var series = shown.map { (field.value($0), UInt64(0), [UInt64](repeating: 0, count: length)) }
        for group in counts.indices where counts[group] > 0 {
            let (value, bucket) = pairs[0].pair(UInt32(group))
            let index = Int(buckets.buckets[Int(bucket)] - low)
            series[places[Int(value)]].2[index] += counts[group]
            series[places[Int(value)]].1 += counts[group]
            histogram.counts[index] += counts[group]
        }
        for (number, bucket) in buckets.buckets.enumerated() where number < missingByBucket.count {
            histogram.counts[Int(bucket - low)] += missingByBucket[number]
        }
        series.sort { $0.1 != $1.1 ? $0.1 > $1.1 : $0.0 < $1.0 }
        histogram.series = series.map { (value: $0.0, total: $0.1, counts: $0.2) }
        return histogram
    }
}
