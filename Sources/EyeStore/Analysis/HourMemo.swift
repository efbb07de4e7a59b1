// How many events of a segment each category and name has in each hour of its timestamps: what most dashboards ask for. Sealed segments carry
// these counts; for segments of the log they are made from the columns when they are first wanted, and grow with the segment. One thread.

/// The counts of a log segment's first rows.
final class HourMemo {
    /// Rows that are counted.
    private var rows = 0
    /// There are too many entries to be worth keeping.
    private var isOverfull = false
    private var entries: [HourCount] = []
    private var keys = PairTable(seed: 0)
    /// Hours by the numbers that keys have for them.
    private var hours = BucketTable(TimeStep(microseconds: 3_600_000_000))

    /// All of them, once `extend` says so; nil: there are too many.
    var counts: [HourCount]? { isOverfull ? nil : entries }

    /// What it takes to count a row, about nanoseconds.
    private static let workPerRow = 10

    /// Counts a little more of `index`; adds to `work` what it took. True: all its rows are counted, or never will be.
    func extend(_ index: any SegmentIndex, work: inout Int) throws(IndexFault) -> Bool {
        let wanted = index.rows
        if isOverfull || index.isOverfull(.category) || index.isOverfull(.name) { return giveUp() }
        for _ in 0..<AnalysisLimits.hourGroupsPerStep where rows < wanted {
            let group = rows / StoreLimits.rowsPerGroup
            let start = group * StoreLimits.rowsPerGroup
            let end = min(wanted, start + StoreLimits.rowsPerGroup)
            let timestamps = try index.block(.timestamp, group: group)
            let categories = try index.block(.category, group: group)
            let names = try index.block(.name, group: group)
            unsafe add(
                (rows - start)..<(end - start), timestamps.view(StoreLimits.rowsPerGroup * 8),
                categories.view(StoreLimits.rowsPerGroup * 2), names.view(StoreLimits.rowsPerGroup * 2))
            work += (end - rows) * HourMemo.workPerRow
            rows = end
            if entries.count > AnalysisLimits.hourEntriesKept { return giveUp() }
        }
        return rows >= wanted
    }

    private func add(
        _ places: Range<Int>, _ timestamps: UnsafeRawBufferPointer, _ categories: UnsafeRawBufferPointer,
        _ names: UnsafeRawBufferPointer
    ) {
        for place in places {
            // In bounds: blocks have a place for each row of their group.
            let hour = hours.number(of: unsafe timestamps.i64(place * 8))
            let (category, name) = unsafe (categories.u16(place * 2), names.u16(place * 2))
            let number = Int(keys.number(UInt32(category) << 16 | UInt32(name), hour))
            if number == entries.count {
                entries.append(
                    HourCount(category: category, name: name, hour: hours.buckets[Int(hour)], events: 0))
            }
            entries[number].events += 1
        }
    }

    private func giveUp() -> Bool {
        isOverfull = true
        entries = []
        keys = PairTable(seed: 0)
        return true
    }

    /// Bytes of memory, about.
    var cost: Int { keys.cost + hours.cost + entries.capacity * MemoryLayout<HourCount>.stride }
}
