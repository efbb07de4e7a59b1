// What a filter means in one segment: codes instead of texts, rows instead of ids; and the scan over columns that gives the rows that
// match. Used by cursors, on the reader's thread.

import EyeSystem

/// A filter, translated for one segment.
final class SegmentPlan {
    let index: any SegmentIndex
    /// Rows that may match: from `firstRow` to below `endRow`.
    private var firstRow: Int
    private var endRow: Int
    private let categories: CodeSet?
    private let names: CodeSet?
    private let sessions: [UInt32]?
    private let otherSessions: [UInt32]
    private let timestamps: [Int64]
    private let otherTimestamps: [Int64]
    private let timestampRange: ClosedRange<Int64>?
    /// Conditions on `data`, where leaves can tell.
    private let data: DataPlan?
    private let alwaysNeedsRecords: Bool
    /// Whether the rows that `select` gave last must be looked at as events before they count.
    var needsRecords: Bool { alwaysNeedsRecords || data?.needsRecords ?? false }
    /// The number of matches, if the dictionary alone tells.
    let knownCount: UInt64?
    /// What is erased; nil: nothing of this segment.
    private let erased: IDSet?
    /// Every row of the segment is wanted as far as ids go, and none is erased: counts of the segment as a whole may be used.
    let isWhole: Bool
    /// The filter leaves nothing of the segment out.
    let isUnconditional: Bool
    /// Counts by category, name and hour tell everything the filter asks for if only these hours are looked at; nil: they do not.
    let hours: ClosedRange<Int64>?
    /// Rows that the index gave: what to look at instead of columns; nil: there are none for this filter.
    private let listed: ListedRows?
    private var lastExtent: IndexExtent?
    // What it takes to gather a row that the index has for a condition, and to look a leaf up, about nanoseconds.
    private static let workPerListedRow = 10
    private static let workPerLeaf = 20_000

    /// Nil: nothing in this segment matches. Adds to `work` what it took to know, about nanoseconds.
    init?(
        _ index: any SegmentIndex, _ filter: EventFilter, low: UInt64, high: UInt64, erased: IDSet,
        reading: (any DataReading)?, work: inout Int
    ) throws(IndexFault) {
        var oldest = Int64.min
        var newest = Int64.max
        if let least = filter.timestamps.min(), let most = filter.timestamps.max() {
            oldest = least
            newest = most
        }
        if let range = filter.timestampRange {
            oldest = max(oldest, range.lowerBound)
            newest = min(newest, range.upperBound)
        }
        // A range that has the whole segment in it says nothing here.
        let isInRange = oldest <= index.oldestTimestamp && newest >= index.newestTimestamp
        let hasTimestamps = !filter.timestamps.isEmpty || (filter.timestampRange != nil && !isInRange)
        // The segment's own numbers first: they rule most segments out, and cost nothing.
        if hasTimestamps {
            guard oldest <= newest, index.newestTimestamp >= oldest, index.oldestTimestamp <= newest else { return nil }
        }
        if let received = filter.receivedRange {
            guard index.newestReceived >= received.lowerBound, index.oldestReceived <= received.upperBound else {
                return nil
            }
        }
        self.index = index
        let (first, next) = (index.firstEventID, index.nextEventID)
        self.erased = first < next && erased.intersects(first...(next - 1)) ? erased : nil
        firstRow = try index.row(atOrAfter: low)
        endRow = try index.row(atOrAfter: high)
        guard firstRow < endRow else { return nil }
        isWhole = firstRow == 0 && endRow == index.rows && self.erased == nil

        var categoryCount: UInt64 = 0
        var nameCount: UInt64 = 0
        work += try CodeSet.work(index, .category, filter.categories) + CodeSet.work(index, .name, filter.names)
        categories = try CodeSet(
            index, .category, filter.categories, firstRow: &firstRow, endRow: &endRow, events: &categoryCount)
        names = try CodeSet(index, .name, filter.names, firstRow: &firstRow, endRow: &endRow, events: &nameCount)
        guard firstRow < endRow else { return nil }
        if filter.sessions.isEmpty {
            sessions = nil
        } else {
            let found = try SegmentPlan.codes(filter.sessions, index)
            sessions = found.codes
            firstRow = max(firstRow, found.firstRow)
            endRow = min(endRow, found.endRow)
            guard firstRow < endRow else { return nil }
        }
        otherSessions = try SegmentPlan.codes(filter.otherSessions, index).codes
        timestampRange = hasTimestamps && oldest <= newest ? oldest...newest : nil
        timestamps = filter.timestamps
        otherTimestamps = filter.otherTimestamps
        if !filter.data.isEmpty, let reading, let sealed = index as? SealedFile {
            data = try DataPlan(sealed, filter.data, reading)
            work += filter.data.count * SegmentPlan.workPerLeaf
        } else {
            data = nil
        }
        listed = try ListedRows(index, sessions: sessions, names: names, categories: categories, firstRow, endRow)
        if let listed { work += listed.count * SegmentPlan.workPerListedRow }
        // Few events are sooner looked at than the columns of all their groups.
        alwaysNeedsRecords =
            (listed != nil && filter.conditionCount > 1) || filter.receivedRange != nil
            || (data == nil && !filter.data.isEmpty) || (categories?.mayBeOther ?? false)
            || (names?.mayBeOther ?? false)
        let isPlain =
            sessions == nil && otherSessions.isEmpty && !hasTimestamps && otherTimestamps.isEmpty
            && !alwaysNeedsRecords && filter.data.isEmpty && isWhole
        isUnconditional = isPlain && categories == nil && names == nil
        hours =
            isWhole && sessions == nil && otherSessions.isEmpty && otherTimestamps.isEmpty && timestamps.isEmpty
                && !alwaysNeedsRecords && filter.data.isEmpty ? SegmentPlan.hours(oldest, newest, index) : nil
        switch (categories, names) {
        case (nil, nil): knownCount = isPlain ? UInt64(endRow - firstRow) : nil
        case (_, nil): knownCount = isPlain ? categoryCount : nil
        case (nil, _): knownCount = isPlain ? nameCount : nil
        default: knownCount = nil
        }
    }

    /// The codes of sessions that have events in a segment, and the rows that they lie in.
    private static func codes(
        _ ids: [ID128], _ index: any SegmentIndex
    ) throws(IndexFault) -> (codes: [UInt32], firstRow: Int, endRow: Int) {
        var codes: [UInt32] = []
        var first = Int.max
        var end = 0
        for id in ids {
            guard let found = try index.session(id), found.entry.firstRow <= found.entry.lastRow else { continue }
            codes.append(UInt32(found.code))
            first = min(first, Int(found.entry.firstRow))
            end = max(end, Int(found.entry.lastRow) + 1)
        }
        return (codes, first, end)
    }

    /// The hours of a range that begins and ends with whole hours, or beyond the segment; nil: it cuts through one.
    private static func hours(_ oldest: Int64, _ newest: Int64, _ index: any SegmentIndex) -> ClosedRange<Int64>? {
        let low = max(oldest, index.oldestTimestamp)
        let high = min(newest, index.newestTimestamp)
        guard low <= high else { return nil }
        let (first, last) = (HourCount.hour(of: low), HourCount.hour(of: high))
        guard oldest <= index.oldestTimestamp || low == TimeStep.start(ofHour: first),
            newest >= index.newestTimestamp || high == TimeStep.start(ofHour: last + 1) - 1
        else { return nil }
        return first...last
    }

    /// Whether the events of an entry match, where `hours` is not nil.
    func accepts(_ entry: HourCount) -> Bool {
        (hours?.contains(entry.hour) ?? false) && categories?.contains(entry.category) ?? true
            && names?.contains(entry.name) ?? true
    }

    /// Whether many rows of a group may have to be looked at as events, whatever `select` gives.
    func isUnsure(_ group: Int) throws(IndexFault) -> Bool { try data?.isUnsure(group) ?? false }

    /// Whether some row of a group may match.
    func covers(_ group: Int) -> Bool {
        let start = group * StoreLimits.rowsPerGroup
        return start < endRow && start + StoreLimits.rowsPerGroup > firstRow
    }

    /// The row group to look at as number `number`; nil: all are done.
    func group(number: Int, newestFirst: Bool) -> Int? {
        if let groups = listed?.groups {
            guard number < groups.count else { return nil }
            return groups[newestFirst ? groups.count - 1 - number : number]
        }
        let first = firstRow / StoreLimits.rowsPerGroup
        let last = (endRow - 1) / StoreLimits.rowsPerGroup
        guard number <= last - first else { return nil }
        return newestFirst ? last - number : first + number
    }

    /// The extent that holds `row`.
    func extent(ofRow row: Int) throws(IndexFault) -> IndexExtent {
        if let lastExtent, row >= lastExtent.firstRow, row < lastExtent.endRow { return lastExtent }
        let found = try index.extent(index.extentIndex(ofRow: row))
        guard row >= found.firstRow, row < found.endRow else { throw .damaged }
        lastExtent = found
        return found
    }

    /// The event ids, from first to below next, of a group's rows as far as they may match; nil: the index cannot say.
    func ids(ofGroup group: Int) -> (first: UInt64, next: UInt64)? {
        let start = group * StoreLimits.rowsPerGroup
        let from = max(firstRow, start)
        let last = min(endRow, start + StoreLimits.rowsPerGroup) - 1
        do throws(IndexFault) {
            let head = try extent(ofRow: from)
            let first = head.firstEventID + UInt64(from - head.firstRow)
            let tail = try extent(ofRow: last)
            return (first, tail.firstEventID + UInt64(last - tail.firstRow) + 1)
        } catch {
            return nil
        }
    }

    /// Appends the matching rows of a group; returns the work it took, about nanoseconds.
    func select(_ group: Int, _ filter: EventFilter, into rows: inout [UInt32]) throws(IndexFault) -> Int {
        let start = group * StoreLimits.rowsPerGroup
        let from = max(firstRow, start)
        let to = min(endRow, start + StoreLimits.rowsPerGroup)
        if let range = timestampRange {
            let zone = try index.zone(group)
            if zone.newest < range.lowerBound || zone.oldest > range.upperBound { return 200 }
        }
        if let listed {
            rows.append(contentsOf: listed.rows(from, to))
            return 500 + rows.count + (try dropErased(from: &rows))
        }
        if let data, try data.rulesOut(group) { return 1_000 }
        var work = 1_000 + (to - from)
        rows.append(contentsOf: UInt32(from)..<UInt32(to))
        if sessions != nil || !otherSessions.isEmpty {
            let block = try index.block(.session, group: group)
            let view = unsafe block.view(StoreLimits.rowsPerGroup * 4)
            let others = otherSessions
            if let sessions, sessions.count == 1, others.isEmpty {
                let wanted = sessions[0]
                keep(&rows) { unsafe view.u32((Int($0) - start) * 4) == wanted }
            } else {
                keep(&rows) {
                    let code = unsafe view.u32((Int($0) - start) * 4)
                    return (sessions?.contains(code) ?? true) && !others.contains(code)
                }
            }
            work += to - from
        }
        if let names, !rows.isEmpty {
            let block = try index.block(.name, group: group)
            let view = unsafe block.view(StoreLimits.rowsPerGroup * 2)
            keep(&rows) { names.contains(unsafe view.u16((Int($0) - start) * 2)) }
            work += to - from
        }
        if let categories, !rows.isEmpty {
            let block = try index.block(.category, group: group)
            let view = unsafe block.view(StoreLimits.rowsPerGroup * 2)
            keep(&rows) { categories.contains(unsafe view.u16((Int($0) - start) * 2)) }
            work += to - from
        }
        if timestampRange != nil || !otherTimestamps.isEmpty, !rows.isEmpty {
            let range = timestampRange ?? Int64.min...Int64.max
            let block = try index.block(.timestamp, group: group)
            let view = unsafe block.view(StoreLimits.rowsPerGroup * 8)
            keep(&rows) { row in
                let timestamp = unsafe view.i64((Int(row) - start) * 8)
                return range.contains(timestamp) && (timestamps.isEmpty || timestamps.contains(timestamp))
                    && !otherTimestamps.contains(timestamp)
            }
            work += to - from
        }
        work += try dropErased(from: &rows)
        if let data, !rows.isEmpty { work += try data.keep(group, &rows) }
        return work
    }

    /// The event id of `row`.
    func id(ofRow row: Int) throws(IndexFault) -> UInt64 {
        let extent = try extent(ofRow: row)
        return extent.firstEventID + UInt64(row - extent.firstRow)
    }

    /// Takes out rows whose events are erased; returns the work it took.
    private func dropErased(from rows: inout [UInt32]) throws(IndexFault) -> Int {
        guard let erased, let first = rows.first, let last = rows.last else { return 0 }
        let ids = try id(ofRow: Int(first))...id(ofRow: Int(last))
        return erased.intersects(ids) ? try drop(erased, from: &rows) : 0
    }

    private func drop(_ erased: IDSet, from rows: inout [UInt32]) throws(IndexFault) -> Int {
        var look = IDSet.Look()
        var kept = 0
        for place in 0..<rows.count {
            let row = rows[place]
            rows[kept] = row
            kept += erased.contains(try id(ofRow: Int(row)), &look) ? 0 : 1
        }
        let work = rows.count * 4
        rows.removeLast(rows.count - kept)
        return work
    }

    @inline(__always)
    private func keep(_ rows: inout [UInt32], _ isKept: (UInt32) -> Bool) {
        var kept = 0
        for place in 0..<rows.count {
            let row = rows[place]
            rows[kept] = row
            kept += isKept(row) ? 1 : 0
        }
        rows.removeLast(rows.count - kept)
    }
}

/// Rows of a segment that its index has for a condition: those of sessions, names or categories that have few events.
struct ListedRows {
    private let all: [UInt32]
    /// Groups that hold some of them, ascending.
    let groups: [Int]

    /// Nil: no condition has postings for all that it asks for.
    init?(
        _ index: any SegmentIndex, sessions: [UInt32]?, names: CodeSet?, categories: CodeSet?, _ firstRow: Int,
        _ endRow: Int
    ) throws(IndexFault) {
        guard firstRow < endRow else { return nil }
        var found: [UInt32]?
        if let sessions, sessions.count <= CodeSet.fewMax {
            found = try ListedRows.union(sessions) { code, rows throws(IndexFault) in
                try index.rows(ofSession: Int(code), into: &rows)
            }
        }
        for (kind, codes) in [(TextKind.name, names), (.category, categories)] where found == nil {
            guard let few = codes?.few else { continue }
            found = try ListedRows.union(few) { code, rows throws(IndexFault) in
                try index.rows(of: kind, code: Int(code), into: &rows)
            }
        }
        guard let found else { return nil }
        all = found.filter { Int($0) >= firstRow && Int($0) < endRow }
        var groups: [Int] = []
        for row in all where groups.last != Int(row) / StoreLimits.rowsPerGroup {
            groups.append(Int(row) / StoreLimits.rowsPerGroup)
        }
        self.groups = groups
    }

    var count: Int { all.count }

    /// Those from row `from` to below `to`.
    func rows(_ from: Int, _ to: Int) -> ArraySlice<UInt32> {
        all[place(from)..<place(to)]
    }

    /// How many rows are below `row`.
    private func place(_ row: Int) -> Int {
        var low = 0
        var high = all.count
        while low < high {
            let middle = (low + high) / 2
            if Int(all[middle]) < row { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The rows of all `codes`, ascending; nil: one of them has no posting.
    private static func union<Code: Hashable>(
        _ codes: [Code], _ posting: (Code, inout [UInt32]) throws(IndexFault) -> Bool
    ) throws(IndexFault) -> [UInt32]? {
        var all: [UInt32] = []
        var rows: [UInt32] = []
        if codes.count == 1 { return try posting(codes[0], &rows) ? rows : nil }
        // A session may be asked for twice.
        let distinct = Set(codes)
        for code in distinct {
            guard try posting(code, &rows) else { return nil }
            all.append(contentsOf: rows)
        }
        if distinct.count > 1 { all.sort() }
        return all
    }
}

/// Codes of the texts that pass a filter.
struct CodeSet {
    private var single: UInt16?
    private var bits: [UInt64] = []
    /// A text that passes may stand behind the code for "not in the dictionary".
    private(set) var mayBeOther = false
    /// The codes one by one, while they are few; nil: they are many.
    private(set) var few: [UInt16]?
    /// So many codes are few.
    static let fewMax = 16
    /// What it takes to look at a text of a dictionary, about nanoseconds.
    private static let workPerText = 50

    /// What it takes to find the codes for a filter, about nanoseconds: an index file's dictionary is gone through for each text.
    static func work(_ index: any SegmentIndex, _ kind: TextKind, _ filter: TextFilter) throws(IndexFault) -> Int {
        if filter.isEmpty { return 0 }
        let texts = try index.textCount(kind)
        if !filter.isWhole && filter.equal.isEmpty { return texts * workPerText }
        return (filter.equal.count + filter.unequal.count) * (index is IndexFile ? texts : 1) * workPerText
    }

    /// Nil: every text passes. Narrows the rows to where the texts are; adds up the events that have them.
    init?(
        _ index: any SegmentIndex, _ kind: TextKind, _ filter: TextFilter, firstRow: inout Int, endRow: inout Int,
        events: inout UInt64
    ) throws(IndexFault) {
        if filter.isEmpty { return nil }
        if filter.equal.isEmpty && filter.isWhole {
            try complement(index, kind, filter.unequal, events: &events)
            return
        }
        var codes: Set<UInt16> = []
        var first = Int.max
        var end = 0
        var sum: UInt64 = 0
        func add(_ code: Int, _ entry: IndexText) {
            if codes.insert(UInt16(code)).inserted { sum += UInt64(entry.events) }
            first = min(first, entry.firstRow)
            end = max(end, entry.lastRow + 1)
        }
        if filter.equal.isEmpty {
            try unsafe index.eachText(of: kind) { code, entry, text in
                if unsafe filter.passes(text) { add(code, entry) }
            }
            mayBeOther = index.isOverfull(kind)
        } else {
            for text in filter.equal {
                // Not by a closure: it could not throw what we throw.
                let copy = ByteBuffer(count: text.count)
                unsafe copy.bytes.copyBytes(from: text)
                guard unsafe filter.passes(copy.view(text.count)) else { continue }
                if let found = try unsafe index.text(copy.view(text.count), of: kind) {
                    add(found.code, found.entry)
                } else if index.isOverfull(kind) {
                    mayBeOther = true
                }
            }
        }
        events += sum
        if mayBeOther {
            codes.insert(IndexText.otherCode)
        } else {
            firstRow = max(firstRow, first)
            endRow = min(endRow, end)
        }
        if codes.count <= CodeSet.fewMax && !mayBeOther { few = codes.sorted() }
        if codes.count == 1 {
            single = codes.first
        } else if !codes.isEmpty {
            bits = [UInt64](repeating: 0, count: 1024)
            for code in codes { bits[Int(code >> 6)] |= 1 << UInt64(code & 63) }
        }
    }

    /// All codes but those of `texts`.
    private mutating func complement(
        _ index: any SegmentIndex, _ kind: TextKind, _ texts: [[UInt8]], events: inout UInt64
    ) throws(IndexFault) {
        bits = [UInt64](repeating: UInt64.max, count: 1024)
        var left = UInt64(index.rows)
        for text in texts {
            let copy = ByteBuffer(count: text.count)
            unsafe copy.bytes.copyBytes(from: text)
            if let found = try unsafe index.text(copy.view(text.count), of: kind) {
                guard contains(UInt16(found.code)) else { continue }
                bits[found.code >> 6] &= ~(1 << UInt64(found.code & 63))
                left -= min(left, UInt64(found.entry.events))
            } else if index.isOverfull(kind) {
                mayBeOther = true
            }
        }
        events += left
    }

    @inline(__always)
    func contains(_ code: UInt16) -> Bool {
        if let single { return code == single }
        if bits.isEmpty { return false }
        return bits[Int(code >> 6)] >> UInt64(code & 63) & 1 == 1
    }
}
