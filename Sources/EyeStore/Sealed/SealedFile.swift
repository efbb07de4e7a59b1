// An open sealed segment, as queries see it: an index over its rows (`SegmentIndex`), its sessions and dictionaries with their postings,
// counts, zones. Everything is read by blocks, each with its own checksum, through the `BlockCache`; `damaged` costs the rows of that
// block. Opening it reads the header and the directory. One thread: the reader's.

import EyeSystem
import Glibc

/// An open sealed segment.
final class SealedFile: SegmentIndex {
    let header: SealedHeader
    let blocks: SealedBlocks
    /// The run of ids that was looked at last.
    private var lastRun: IndexExtent?
    /// The leaves of `data`, once they were asked for.
    var leafTable: SealedLeafTable?
    /// Counts that statistics asked for.
    var hourMemo: [HourCount]?

    /// Opens the sealed segment in `path`; nil: its header or its directory is damaged, or it is of another version.
    static func open(_ disk: any Disk, path: String, cache: BlockCache) throws(SystemError) -> SealedFile? {
        let file = try disk.open(path, .read)
        guard let blocks = try SealedBlocks(file, cache: cache) else { return nil }
        return SealedFile(blocks)
    }

    init(_ blocks: SealedBlocks) {
        self.blocks = blocks
        header = blocks.header
    }

    var rows: Int { header.rows }
    var salt: UInt32 { header.salt }
    /// The sequence of its first record, and the one after its last.
    var firstSequence: UInt64 { header.firstSequence }
    var nextSequence: UInt64 { header.nextSequence }
    var firstEventID: UInt64 { header.firstEventID }
    var nextEventID: UInt64 { header.nextEventID }
    var oldestReceived: Int64 { header.oldestReceived }
    var newestReceived: Int64 { header.newestReceived }
    var oldestTimestamp: Int64 { header.oldestTimestamp }
    var newestTimestamp: Int64 { header.newestTimestamp }
    var sessionCount: Int { header.sessions }
    var groups: Int { header.groups }

    // MARK: Ids

    var extentCount: Int { header.runs }

    /// A run of contiguous ids.
    func extent(_ index: Int) throws(IndexFault) -> IndexExtent {
        guard index >= 0, index < header.runs else { throw .damaged }
        // Mostly there is but one.
        if let lastRun, header.runs == 1 { return lastRun }
        let (firstRow, firstID) = try run(index)
        let endRow = index + 1 < header.runs ? try run(index + 1).row : rows
        guard firstRow >= 0, firstRow < endRow, endRow <= rows, firstID > 0,
            UInt64(bitPattern: firstID) + UInt64(endRow - firstRow) <= nextEventID
        else { throw .damaged }
        let found = IndexExtent(
            offset: 0, firstEventID: UInt64(bitPattern: firstID), firstSequence: 0, oldestReceived: oldestReceived,
            newestReceived: newestReceived, bytes: 0, firstRow: firstRow, events: endRow - firstRow)
        if header.runs == 1 { lastRun = found }
        return found
    }

    private func run(_ index: Int) throws(IndexFault) -> (row: Int, id: Int64) {
        let block = try blocks.block(.runs, index / SealedTables.runsPerBlock)
        let view = unsafe block.sealedView
        var offset = 0
        let place = index % SealedTables.runsPerBlock
        guard let firstRows = unsafe view.packed(&offset), let firstIDs = unsafe view.packed(&offset),
            place < firstRows.count, place < firstIDs.count
        else { throw .damaged }
        return (Int(firstRows[place]), firstIDs[place])
    }

    /// The run of ids that holds `row`.
    func run(ofRow row: Int) throws(IndexFault) -> IndexExtent {
        if let lastRun, row >= lastRun.firstRow, row < lastRun.endRow { return lastRun }
        guard row >= 0, row < rows else { throw .damaged }
        let found = try extent(extentIndex(ofRow: row))
        guard row >= found.firstRow, row < found.endRow else { throw .damaged }
        lastRun = found
        return found
    }

    /// The event id of `row`.
    func eventID(ofRow row: Int) throws(IndexFault) -> UInt64 {
        let found = try run(ofRow: row)
        return found.firstEventID + UInt64(row - found.firstRow)
    }

    /// The row of event `id`; nil: it is not here.
    func row(ofEventID id: UInt64) throws(IndexFault) -> Int? {
        guard id >= firstEventID, id < nextEventID else { return nil }
        let row = try row(atOrAfter: id)
        guard row < rows, try eventID(ofRow: row) == id else { return nil }
        return row
    }

    /// The ids of the rows of a group, first and last: what is lost when it is damaged.
    func eventIDs(ofGroup group: Int) throws(IndexFault) -> ClosedRange<UInt64> {
        let first = group * StoreLimits.rowsPerGroup
        let count = header.rows(inGroup: group)
        guard count > 0 else { throw .damaged }
        let low = try eventID(ofRow: first)
        let high = try eventID(ofRow: first + count - 1)
        guard low <= high else { throw .damaged }
        return low...high
    }

    // MARK: Dictionaries

    func text(_ text: UnsafeRawBufferPointer, of kind: TextKind) throws(IndexFault) -> (code: Int, entry: IndexText)? {
        let hash = unsafe Checksum.crc32c(text)
        let part = kind.part
        for number in 0..<blocks.count(part) {
            let held = try blocks.block(part, number)
            let view = unsafe held.sealedView
            for place in 0..<(view.count / SealedTables.textEntryBytes) {
                guard unsafe view.u32(place * SealedTables.textEntryBytes) == hash else { continue }
                let code = number * SealedTables.textsPerBlock + place
                let known = try self.text(code, of: kind)
                if unsafe known.bytes.equals(text) { return (code, try entry(code, of: kind)) }
            }
        }
        return nil
    }

    func eachText(
        of kind: TextKind, _ body: (_ code: Int, _ entry: IndexText, _ text: UnsafeRawBufferPointer) -> Void
    ) throws(IndexFault) {
        for code in 0..<(try textCount(kind)) {
            let text = try text(code, of: kind)
            unsafe body(code, try entry(code, of: kind), text.bytes)
        }
    }

    /// Texts in a dictionary.
    func textCount(_ kind: TextKind) throws(IndexFault) -> Int {
        let number = blocks.count(kind.part)
        guard number > 0 else { return 0 }
        let held = try blocks.block(kind.part, number - 1)
        let last = unsafe held.sealedView.count
        return (number - 1) * SealedTables.textsPerBlock + last / SealedTables.textEntryBytes
    }

    /// What a dictionary knows of text `code`.
    func entry(_ code: Int, of kind: TextKind) throws(IndexFault) -> IndexText {
        let (held, at) = try textEntry(code, kind)
        let view = unsafe held.sealedView
        let found = unsafe IndexText(
            hash: view.u32(at), offset: 0, bytes: 0, events: Int(view.u32(at + 4)), firstRow: Int(view.u32(at + 8)),
            lastRow: Int(view.u32(at + 12)))
        guard found.firstRow <= found.lastRow, found.lastRow < rows else { throw .damaged }
        return found
    }

    private func textEntry(_ code: Int, _ kind: TextKind) throws(IndexFault) -> (ByteBuffer, Int) {
        guard code >= 0 else { throw .damaged }
        let held = try blocks.block(kind.part, code / SealedTables.textsPerBlock)
        let view = unsafe held.sealedView
        let at = code % SealedTables.textsPerBlock * SealedTables.textEntryBytes
        guard view.count - at >= SealedTables.textEntryBytes else { throw .damaged }
        return (held, at)
    }

    /// Text `code` of a dictionary.
    func text(_ code: Int, of kind: TextKind) throws(IndexFault) -> SealedText {
        guard code >= 0 else { throw .damaged }
        let page = try blocks.page(kind.textsPart, code / SealedTables.textsPerPage)
        guard let found = SealedText(page, code % SealedTables.textsPerPage) else { throw .damaged }
        return found
    }

    func isOverfull(_ kind: TextKind) -> Bool {
        header.flags & (kind == .category ? SealedHeader.overfullCategories : SealedHeader.overfullNames) != 0
    }

    // MARK: Rows

    func zone(_ group: Int) throws(IndexFault) -> (oldest: Int64, newest: Int64) { try times(group, 0) }

    /// Oldest and newest time of reception in a row group.
    func receivedZone(_ group: Int) throws(IndexFault) -> (oldest: Int64, newest: Int64) { try times(group, 16) }

    private func times(_ group: Int, _ skip: Int) throws(IndexFault) -> (Int64, Int64) {
        guard group >= 0 else { throw .damaged }
        let held = try blocks.block(.zones, group / SealedTables.zonesPerBlock)
        let view = unsafe held.sealedView
        let at = group % SealedTables.zonesPerBlock * SealedTables.zoneBytes + skip
        guard view.count - at >= 16 else { throw .damaged }
        return unsafe (view.i64(at), view.i64(at + 8))
    }

    func block(_ column: ColumnKind, group: Int) throws(IndexFault) -> ByteBuffer {
        switch column {
        case .timestamp: try decoded(SealedColumn.timestamp, group, as: Int64.self)
        case .category: try decoded(SealedColumn.category, group, as: UInt16.self)
        case .name: try decoded(SealedColumn.name, group, as: UInt16.self)
        case .session: try decoded(SealedColumn.session, group, as: UInt32.self)
        }
    }

    /// When the events of a row group were received: i64 each.
    func receivedBlock(group: Int) throws(IndexFault) -> ByteBuffer {
        try decoded(SealedColumn.received, group, as: Int64.self)
    }

    /// The shapes of the rows of a group, u32 each; 0: the data is kept in one piece.
    func shapeBlock(group: Int) throws(IndexFault) -> ByteBuffer {
        try decoded(SealedColumn.shape, group, as: UInt32.self)
    }

    private func decoded<T: FixedWidthInteger>(
        _ column: Int, _ group: Int, as type: T.Type
    ) throws(IndexFault) -> ByteBuffer {
        try blocks.decoded(column, group: group) { () throws(IndexFault) in
            let block = try self.column(column, group)
            guard let numbers = unsafe PackedNumbers(block.sealedView), numbers.count == header.rows(inGroup: group)
            else { throw .damaged }
            let out = ByteBuffer(count: StoreLimits.rowsPerGroup * MemoryLayout<T>.size)
            // In bounds: no group has more rows.
            unsafe numbers.decode(to: out.bytes.baseAddress.unsafelyUnwrapped, as: T.self)
            return out
        }
    }

    /// A column of a group that every group has, as it is on disk.
    private func column(_ column: Int, _ group: Int) throws(IndexFault) -> ByteBuffer {
        guard let place = try GroupDirectory(blocks, group).place(column) else { throw .damaged }
        return try blocks.column(column, group: group, at: place)
    }

    /// The session code of `row`.
    func sessionCode(ofRow row: Int) throws(IndexFault) -> UInt32 {
        guard row >= 0, row < rows else { throw .damaged }
        let block = try block(.session, group: row / StoreLimits.rowsPerGroup)
        return unsafe block.view(block.capacity).u32(row % StoreLimits.rowsPerGroup * 4)
    }

    /// The event_ids of the events of a group, in order.
    func seenEventIDs(group: Int) throws(IndexFault) -> [SeenEventID] {
        guard let chunk = try chunk(SealedColumn.eventID, group: group) else { return [] }
        guard chunk.kind == .ids else { throw .damaged }
        let received = try receivedBlock(group: group)
        let times = unsafe received.view(received.capacity)
        var places: [(place: Int, index: Int)] = []
        chunk.forEachRow { places.append(($0, $1)) }
        var found: [SeenEventID] = []
        for (place, index) in places {
            let id = try eventID(ofRow: group * StoreLimits.rowsPerGroup + place)
            found.append(SeenEventID(key: chunk.id(index), id: id, received: unsafe times.i64(place * 8)))
        }
        return found
    }

    /// The chunk of a column in a group; nil: no row of it has a value.
    func chunk(_ column: Int, group: Int) throws(IndexFault) -> LeafChunk? {
        guard let place = try GroupDirectory(blocks, group).place(column) else { return nil }
        let block = try blocks.column(column, group: group, at: place)
        guard let chunk = LeafChunk(block, rows: header.rows(inGroup: group)) else { throw .damaged }
        return chunk
    }

    // MARK: What stands behind the rows

    func allGaps() throws(IndexFault) -> [IndexGap] {
        var gaps: [IndexGap] = []
        for number in 0..<blocks.count(.gaps) {
            let held = try blocks.block(.gaps, number)
            let view = unsafe held.sealedView
            for at in stride(from: 0, through: view.count - IndexGap.entryBytes, by: IndexGap.entryBytes) {
                gaps.append(
                    unsafe IndexGap(
                        offset: view.i64(at), bytes: view.i64(at + 8), firstEventID: view.u64(at + 16),
                        nextEventID: view.u64(at + 24),
                        cause: CorruptionCause(rawValue: view.u32(at + 32)) ?? .badPayload))
            }
        }
        return gaps
    }

    /// What the tombstones of this segment left behind. They hide nothing any more: what they named is gone.
    func erasures() throws(IndexFault) -> SegmentErasures {
        var found: [ErasureReceipt] = []
        for number in 0..<blocks.count(.receipts) {
            let held = try blocks.block(.receipts, number)
            let view = unsafe held.sealedView
            let bytes = SealedTables.receiptBytes
            for at in stride(from: 0, through: view.count - bytes, by: bytes) {
                let (first, last) = unsafe (view.u64(at + 24), view.u64(at + 32))
                let flags = unsafe UInt8(truncatingIfNeeded: view.u32(at + 44))
                var receipt = unsafe ErasureReceipt(
                    id: view.u64(at), erased: view.i64(at + 8), token: view.u32(at + 40),
                    isSession: flags & TombstoneFlag.session != 0, events: view.u64(at + 16),
                    hull: first > 0 && first <= last ? first...last : nil)
                receipt.isMore = flags & TombstoneFlag.more != 0
                found.append(receipt)
            }
        }
        return SegmentErasures(ids: [], sequences: [], receipts: found)
    }

    /// Whether the segment has counts by category, name and hour.
    var hasCounts: Bool { header.flags & SealedHeader.hasNoCounts == 0 }

    /// Calls `body` with every count by category, name and hour.
    func forEachCount(_ body: (HourCount) -> Void) throws(IndexFault) {
        for number in 0..<blocks.count(.counts) {
            let held = try blocks.block(.counts, number)
            let view = unsafe held.sealedView
            var offset = 0
            guard let categories = unsafe view.packed(&offset), let names = unsafe view.packed(&offset),
                let hours = unsafe view.packed(&offset), let events = unsafe view.packed(&offset),
                names.count == categories.count, hours.count == categories.count, events.count == categories.count
            else { throw .damaged }
            for index in 0..<categories.count {
                body(
                    HourCount(
                        category: UInt16(truncatingIfNeeded: categories[index]),
                        name: UInt16(truncatingIfNeeded: names[index]), hour: hours[index],
                        events: Int(events[index])))
            }
        }
    }
}

/// A text in a page, with what keeps it in memory.
@safe
struct SealedText {
    private let page: TextPage
    private let index: Int

    /// Text `index` of `page`; nil: there are not so many.
    init?(_ page: TextPage, _ index: Int) {
        guard index >= 0, index < page.count else { return nil }
        self.page = page
        self.index = index
    }

    /// Its bytes, valid as long as this value.
    var bytes: UnsafeRawBufferPointer {
        // It was there when this was made.
        unsafe page.value(index) ?? UnsafeRawBufferPointer(start: nil, count: 0)
    }
}

/// Where the columns of one row group are.
@safe
struct GroupDirectory {
    private let block: ByteBuffer
    /// Columns in the group.
    let count: Int

    init(_ blocks: SealedBlocks, _ group: Int) throws(IndexFault) {
        block = try blocks.block(.groups, group)
        let bytes = unsafe block.sealedView.count
        guard bytes % SealedColumn.entryBytes == 0 else { throw .damaged }
        count = bytes / SealedColumn.entryBytes
    }

    /// The column of entry `slot`, which is there.
    @inline(__always)
    func column(_ slot: Int) -> Int { unsafe Int(block.sealedView.u32(slot &* SealedColumn.entryBytes)) }

    /// The entry of `column`; nil: no row of the group has a value of it.
    @inline(__always)
    func slot(_ column: Int) -> Int? {
        var low = 0
        var high = count
        while low < high {
            let middle = (low &+ high) / 2
            if self.column(middle) < column { low = middle &+ 1 } else { high = middle }
        }
        return low < count && self.column(low) == column ? low : nil
    }

    /// Where the column of entry `slot` is.
    func place(atSlot slot: Int) -> SealedPlace {
        let view = unsafe block.sealedView
        let at = slot * SealedColumn.entryBytes
        return unsafe SealedPlace(offset: view.i64(at + 8), bytes: Int(view.u32(at + 4)), checksum: view.u32(at + 16))
    }

    func place(_ column: Int) -> SealedPlace? { slot(column).map { place(atSlot: $0) } }
}

extension TextKind {
    var part: SealedPart { self == .category ? .categories : .names }
    var textsPart: SealedPart { self == .category ? .categoryTexts : .nameTexts }
    var postingsPart: SealedPart { self == .category ? .categoryPostings : .namePostings }
}

extension UnsafeRawBufferPointer {
    /// The packed numbers at `offset`, which is moved behind them; nil: there are none.
    @inline(__always)
    func packed(_ offset: inout Int) -> PackedNumbers? {
        guard offset <= count, let found = unsafe PackedNumbers(slice(offset, count - offset)) else { return nil }
        offset += found.byteCount
        return found
    }
}
