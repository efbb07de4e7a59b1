// The rows of an index in memory: one for each event, and the dictionaries and sessions they point to. A struct, changed a frame at a
// time, so that nothing per event is checked for exclusivity. Belongs to one `IndexBuilder`.

import EyeSystem

/// Rows, dictionaries and sessions of a segment.
struct IndexRows {
    private(set) var categories: TextDictionary
    private(set) var names: TextDictionary
    private(set) var sessions: SessionTable
    /// Oldest and newest timestamp of each row group.
    private(set) var zones: [(oldest: Int64, newest: Int64)] = []
    private(set) var timestamps = IndexColumn(width: 8)
    private(set) var categoryCodes = IndexColumn(width: 2)
    private(set) var nameCodes = IndexColumn(width: 2)
    private(set) var sessionCodes = IndexColumn(width: 4)
    private(set) var eventIDs: [SeenEventID] = []
    private(set) var erasures = SegmentErasures()
    private(set) var rows = 0
    private(set) var oldestReceived = Int64.max
    private(set) var newestReceived = Int64.min
    private(set) var oldestTimestamp = Int64.max
    private(set) var newestTimestamp = Int64.min
    /// The rows of each name and session; nil: nobody asks for them.
    private var nameChain: RowChain?
    private var sessionChain: RowChain?

    init(seed: UInt64, hasChains: Bool) {
        categories = TextDictionary(seed: seed)
        names = TextDictionary(seed: seed)
        sessions = SessionTable(seed: seed)
        nameChain = hasChains ? RowChain() : nil
        sessionChain = hasChains ? RowChain() : nil
    }

    /// Puts the rows of a session into `found`, ascending; false: they are too many, or not known.
    func rows(ofSession code: Int, into found: inout [UInt32]) -> Bool {
        guard let sessionChain else { return false }
        let entry = sessions.entries[code]
        found.removeAll(keepingCapacity: true)
        guard entry.hasEvents else { return true }
        guard IndexRows.isListed(Int(entry.events), of: rows) else { return false }
        sessionChain.rows(Int(entry.lastRow), into: &found)
        return true
    }

    /// Puts the rows of a name into `found`, ascending; false: they are too many, or not known.
    func rows(ofName code: Int, into found: inout [UInt32]) -> Bool {
        let entry = names.entries[code]
        guard let nameChain, IndexRows.isListed(entry.events, of: rows) else { return false }
        found.removeAll(keepingCapacity: true)
        nameChain.rows(entry.lastRow, into: &found)
        return true
    }

    /// As in sealed segments: what more rows have is found by columns.
    private static func isListed(_ events: Int, of rows: Int) -> Bool {
        events <= 2 || PostingBuilder.isListed(events, rows: rows)
    }

    /// Adds a frame's records; returns when its events were received.
    mutating func add(_ frame: ScannedFrame) -> (oldest: Int64, newest: Int64) {
        var oldest = Int64.max
        var newest = Int64.min
        let firstRow = rows
        var offset = 0
        var sequence = frame.header.firstSequence
        let payload = unsafe frame.payload
        while offset < frame.payloadCount, let record = unsafe RecordView.at(offset, of: payload) {
            offset += record.byteCount
            switch record.kind {
            case RecordKind.event:
                add(record, sequence: sequence, id: frame.header.firstEventID + UInt64(rows - firstRow))
                oldest = min(oldest, record.received)
                newest = max(newest, record.received)
            case RecordKind.session:
                _ = sessions.add(
                    record.session, received: record.received, sequence: sequence, row: nil, rows: rows,
                    isOpened: true)
            case RecordKind.tombstone:
                erasures.add(
                    record, sequence: sequence, nextEventID: frame.header.firstEventID + UInt64(rows - firstRow))
            default: break
            }
            sequence += 1
        }
        oldestReceived = min(oldestReceived, oldest)
        newestReceived = max(newestReceived, newest)
        return (oldest, newest)
    }

    @inline(__always)
    private mutating func add(_ record: RecordView, sequence: UInt64, id: UInt64) {
        let row = rows
        let timestamp = record.timestamp
        timestamps.append(timestamp, row: row)
        categoryCodes.append(unsafe categories.add(record.category, row: row), row: row)
        let name = unsafe names.add(record.name, row: row)
        nameCodes.append(name, row: row)
        nameChain?.add(Int(name), row: row)
        let session = sessions.add(
            record.session, received: record.received, sequence: sequence, row: UInt32(truncatingIfNeeded: row))
        sessionCodes.append(session, row: row)
        sessionChain?.add(Int(session), row: row)
        if row % StoreLimits.rowsPerGroup == 0 {
            zones.append((timestamp, timestamp))
        } else {
            let last = zones.count - 1
            if timestamp < zones[last].oldest { zones[last].oldest = timestamp }
            if timestamp > zones[last].newest { zones[last].newest = timestamp }
        }
        if timestamp < oldestTimestamp { oldestTimestamp = timestamp }
        if timestamp > newestTimestamp { newestTimestamp = timestamp }
        if let key = record.eventID { eventIDs.append(SeenEventID(key: key, id: id, received: record.received)) }
        rows += 1
    }

    /// Bytes of memory, about.
    var cost: Int {
        categories.cost + names.cost + sessions.cost + zones.count * 16
            + timestamps.blocks.count * StoreLimits.rowsPerGroup * 16 + eventIDs.count * 32 + erasures.cost
            + (nameChain?.cost ?? 0) + (sessionChain?.cost ?? 0)
    }
}

/// For each row the one before it that has the same code, so that the rows of a code are found without looking at others.
struct RowChain {
    /// Row + 1 of the row before; 0: there is none.
    private var before = IndexColumn(width: 4)
    /// By code: its last row + 1; 0: it has none.
    private var last: [UInt32] = []

    /// Row `row`, one more than the last one added, has `code`.
    @inline(__always)
    mutating func add(_ code: Int, row: Int) {
        while last.count <= code { last.append(0) }
        before.append(last[code], row: row)
        last[code] = UInt32(truncatingIfNeeded: row + 1)
    }

    /// Appends the rows of the code whose last one is `row`, ascending.
    func rows(_ row: Int, into found: inout [UInt32]) {
        let start = found.count
        var row = row
        while row >= 0 {
            found.append(UInt32(truncatingIfNeeded: row))
            let block = before.blocks[row / StoreLimits.rowsPerGroup]
            // In bounds: a block has four bytes for each row of its group.
            row = unsafe Int(block.view(block.capacity).u32(row % StoreLimits.rowsPerGroup * 4)) - 1
        }
        found[start...].reverse()
    }

    /// Bytes of memory, about.
    var cost: Int { before.blocks.count * StoreLimits.rowsPerGroup * 4 + last.count * 4 }
}
