// What a query may ask an index, whether it stands in memory or in a file. Cursors know only this; the next kind of index (sealed
// segments) takes its place without their callers noticing.

import EyeSystem

/// Why an index did not answer.
enum IndexFault: Error {
    /// A checksum or a length of the index file is wrong: build it anew from the log.
    case damaged
    case system(SystemError)
}

/// The two dictionaries.
enum TextKind: Int {
    case category = 0
    case name = 1
}

/// The columns that are scanned.
enum ColumnKind {
    case timestamp, category, name, session
}

/// An index over one segment.
protocol SegmentIndex: AnyObject {
    var rows: Int { get }
    var salt: UInt32 { get }
    var firstEventID: UInt64 { get }
    /// The id after its last event.
    var nextEventID: UInt64 { get }
    var oldestReceived: Int64 { get }
    var newestReceived: Int64 { get }
    var oldestTimestamp: Int64 { get }
    var newestTimestamp: Int64 { get }
    var extentCount: Int { get }
    var sessionCount: Int { get }
    func extent(_ index: Int) throws(IndexFault) -> IndexExtent
    func allGaps() throws(IndexFault) -> [IndexGap]
    /// The code of a text and what is known of it; nil: it is not in the dictionary.
    func text(_ text: UnsafeRawBufferPointer, of kind: TextKind) throws(IndexFault) -> (code: Int, entry: IndexText)?
    /// Every text of a dictionary, in the order of the codes.
    func eachText(
        of kind: TextKind, _ body: (_ code: Int, _ entry: IndexText, _ text: UnsafeRawBufferPointer) -> Void
    ) throws(IndexFault)
    /// Texts of a dictionary.
    func textCount(_ kind: TextKind) throws(IndexFault) -> Int
    /// What is known of text `code`.
    func entry(_ code: Int, of kind: TextKind) throws(IndexFault) -> IndexText
    /// Appends the bytes of text `code`.
    func appendText(_ code: Int, of kind: TextKind, to out: inout [UInt8]) throws(IndexFault)
    /// Whether events may carry texts that are not in the dictionary.
    func isOverfull(_ kind: TextKind) -> Bool
    func session(_ id: ID128) throws(IndexFault) -> (code: Int, entry: IndexSession)?
    func session(code: Int) throws(IndexFault) -> IndexSession
    /// Puts the rows of a session into `rows`, ascending; false: only the columns tell.
    func rows(ofSession code: Int, into rows: inout [UInt32]) throws(IndexFault) -> Bool
    /// Puts the rows of a category or name into `rows`, ascending; false: only the columns tell.
    func rows(of kind: TextKind, code: Int, into rows: inout [UInt32]) throws(IndexFault) -> Bool
    /// The codes that sessions of a range of ids can have: all, where codes are not in order of id.
    func sessionCodes(in part: SessionPart) throws(IndexFault) -> Range<Int>
    /// Does a bounded piece of work towards `hourCounts`; adds to `work` how much, about nanoseconds. True: nothing is left to do.
    func prepareHourCounts(work: inout Int) throws(IndexFault) -> Bool
    /// How many events of each category and name every hour has; nil: there are too many to be kept.
    func hourCounts() throws(IndexFault) -> [HourCount]?
    /// Oldest and newest timestamp of a row group.
    func zone(_ group: Int) throws(IndexFault) -> (oldest: Int64, newest: Int64)
    /// A row group of a column: little-endian numbers.
    func block(_ column: ColumnKind, group: Int) throws(IndexFault) -> ByteBuffer
    /// The tombstones in this segment that are still to be applied.
    func erasures() throws(IndexFault) -> SegmentErasures
}

extension SegmentIndex {
    func erasures() throws(IndexFault) -> SegmentErasures { SegmentErasures() }
    func sessionCodes(in part: SessionPart) throws(IndexFault) -> Range<Int> { 0..<sessionCount }
    func rows(ofSession code: Int, into rows: inout [UInt32]) throws(IndexFault) -> Bool { false }
    func rows(of kind: TextKind, code: Int, into rows: inout [UInt32]) throws(IndexFault) -> Bool { false }

    /// The extent that holds `row`.
    func extentIndex(ofRow row: Int) throws(IndexFault) -> Int {
        var low = 0
        var high = extentCount
        while high - low > 1 {
            let middle = (low + high) / 2
            if try extent(middle).firstRow <= row { low = middle } else { high = middle }
        }
        return low
    }

    /// The first row whose event id is not below `id`.
    func row(atOrAfter id: UInt64) throws(IndexFault) -> Int {
        if extentCount == 0 { return 0 }
        var low = 0
        var high = extentCount
        while high - low > 1 {
            let middle = (low + high) / 2
            if try extent(middle).firstEventID <= id { low = middle } else { high = middle }
        }
        let found = try extent(low)
        if id <= found.firstEventID { return found.firstRow }
        return found.firstRow + Int(min(id - found.firstEventID, UInt64(found.events)))
    }
}

extension IndexBuilder: SegmentIndex {
    var oldestReceived: Int64 { table.oldestReceived }
    var newestReceived: Int64 { table.newestReceived }
    var oldestTimestamp: Int64 { table.oldestTimestamp }
    var newestTimestamp: Int64 { table.newestTimestamp }
    var extentCount: Int { extents.count }
    var sessionCount: Int { table.sessions.entries.count }

    func extent(_ index: Int) throws(IndexFault) -> IndexExtent { extents[index] }
    func allGaps() throws(IndexFault) -> [IndexGap] { gaps }

    func text(_ text: UnsafeRawBufferPointer, of kind: TextKind) throws(IndexFault) -> (code: Int, entry: IndexText)? {
        switch kind {
        case .category: return unsafe table.categories.code(of: text).map { ($0, table.categories.entries[$0]) }
        case .name: return unsafe table.names.code(of: text).map { ($0, table.names.entries[$0]) }
        }
    }

    func eachText(
        of kind: TextKind, _ body: (_ code: Int, _ entry: IndexText, _ text: UnsafeRawBufferPointer) -> Void
    ) throws(IndexFault) {
        let dictionary = kind == .category ? table.categories : table.names
        unsafe dictionary.texts.withUnsafeBytes { texts in
            for (code, entry) in dictionary.entries.enumerated() {
                unsafe body(code, entry, texts.slice(entry.offset, entry.bytes))
            }
        }
    }

    private func dictionary(_ kind: TextKind) -> TextDictionary {
        kind == .category ? table.categories : table.names
    }

    func isOverfull(_ kind: TextKind) -> Bool { dictionary(kind).isOverfull }

    func textCount(_ kind: TextKind) throws(IndexFault) -> Int { dictionary(kind).entries.count }

    func entry(_ code: Int, of kind: TextKind) throws(IndexFault) -> IndexText {
        let entries = dictionary(kind).entries
        guard code >= 0, code < entries.count else { throw .damaged }
        return entries[code]
    }

    func appendText(_ code: Int, of kind: TextKind, to out: inout [UInt8]) throws(IndexFault) {
        let found = try entry(code, of: kind)
        out.append(contentsOf: dictionary(kind).texts[found.offset..<(found.offset + found.bytes)])
    }

    func prepareHourCounts(work: inout Int) throws(IndexFault) -> Bool { try hours.extend(self, work: &work) }

    func hourCounts() throws(IndexFault) -> [HourCount]? { hours.counts }

    func session(_ id: ID128) throws(IndexFault) -> (code: Int, entry: IndexSession)? {
        table.sessions.code(of: id).map { ($0, table.sessions.entries[$0]) }
    }

    func session(code: Int) throws(IndexFault) -> IndexSession { table.sessions.entries[code] }

    func rows(ofSession code: Int, into rows: inout [UInt32]) throws(IndexFault) -> Bool {
        table.rows(ofSession: code, into: &rows)
    }

    func rows(of kind: TextKind, code: Int, into rows: inout [UInt32]) throws(IndexFault) -> Bool {
        kind == .name && table.rows(ofName: code, into: &rows)
    }

    func erasures() throws(IndexFault) -> SegmentErasures { table.erasures }

    func zone(_ group: Int) throws(IndexFault) -> (oldest: Int64, newest: Int64) { table.zones[group] }

    func block(_ column: ColumnKind, group: Int) throws(IndexFault) -> ByteBuffer {
        switch column {
        case .timestamp: table.timestamps.blocks[group]
        case .category: table.categoryCodes.blocks[group]
        case .name: table.nameCodes.blocks[group]
        case .session: table.sessionCodes.blocks[group]
        }
    }
}
