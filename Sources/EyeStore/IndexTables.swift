// The growing halves of an index in memory: dictionaries, the session table, columns. Parts of `IndexRows`; one thread at a time.

import EyeSystem

/// A run of whole, contiguous frames that a query reads at once.
struct IndexExtent {
    static let entryBytes = 56

    var offset: Int64
    var firstEventID: UInt64
    var firstSequence: UInt64
    var oldestReceived: Int64
    var newestReceived: Int64
    var bytes: Int
    var firstRow: Int
    var events: Int

    var endRow: Int { firstRow + events }
    var nextEventID: UInt64 { firstEventID + UInt64(events) }
}

/// What a dictionary knows of one text.
struct IndexText {
    static let entryBytes = 24
    /// The code of a text that found no place.
    static let otherCode: UInt16 = 65_535

    var hash: UInt32
    var offset: Int
    var bytes: Int
    var events: Int
    var firstRow: Int
    var lastRow: Int
}

/// Texts with codes, in the order they came.
struct TextDictionary {
    private(set) var entries: [IndexText] = []
    private(set) var texts: [UInt8] = []
    /// Code + 1, or 0; at most half full.
    private var table: [UInt32] = []
    private var hashes: [UInt32] = []
    private let seed: UInt64
    /// Whether some text found no place.
    private(set) var isOverfull = false

    init(seed: UInt64) { self.seed = seed }

    /// The code of `text` on row `row`, new if need be.
    mutating func add(_ text: UnsafeRawBufferPointer, row: Int) -> UInt16 {
        let hash = unsafe UInt32(truncatingIfNeeded: Mix.hash(text, seed: seed))
        if let code = unsafe find(text, hash: hash) {
            entries[code].events += 1
            entries[code].lastRow = row
            return UInt16(code)
        }
        guard entries.count < StoreLimits.dictionaryEntriesMax,
            texts.count + text.count <= StoreLimits.dictionaryBytesMax
        else {
            isOverfull = true
            return IndexText.otherCode
        }
        if entries.count * 2 >= table.count { grow() }
        entries.append(
            IndexText(
                hash: unsafe Checksum.crc32c(text), offset: texts.count, bytes: text.count, events: 1, firstRow: row,
                lastRow: row))
        unsafe texts.append(contentsOf: text)
        hashes.append(hash)
        insert(entries.count - 1)
        return UInt16(entries.count - 1)
    }

    /// The code of `text`; nil: not in the dictionary.
    func code(of text: UnsafeRawBufferPointer) -> Int? {
        unsafe find(text, hash: UInt32(truncatingIfNeeded: Mix.hash(text, seed: seed)))
    }

    @inline(__always)
    private func find(_ text: UnsafeRawBufferPointer, hash: UInt32) -> Int? {
        guard !table.isEmpty else { return nil }
        var place = Int(hash) & (table.count - 1)
        while table[place] != 0 {
            let code = Int(table[place]) - 1
            if hashes[code] == hash && entries[code].bytes == text.count {
                let start = entries[code].offset
                let isSame = unsafe texts.withUnsafeBytes { unsafe $0.slice(start, text.count).isSame(text) }
                if isSame { return code }
            }
            place = (place + 1) & (table.count - 1)
        }
        return nil
    }

    private mutating func grow() {
        table = [UInt32](repeating: 0, count: max(table.count * 2, 64))
        for code in 0..<entries.count { insert(code) }
    }

    private mutating func insert(_ code: Int) {
        var place = Int(hashes[code]) & (table.count - 1)
        while table[place] != 0 { place = (place + 1) & (table.count - 1) }
        table[place] = UInt32(code + 1)
    }

    /// Bytes of memory, about.
    var cost: Int { entries.count * (MemoryLayout<IndexText>.stride + 4) + table.count * 4 + texts.count }
}

/// What an index knows of one session.
struct IndexSession {
    static let entryBytes = 40

    var id: ID128
    var firstReceived: Int64
    var firstSequence: UInt64
    var firstRow: UInt32
    /// Below `firstRow`: it has no event here, but was named when there were so many rows.
    var lastRow: UInt32
    /// Its events here; 0 in what was read from an index file, which does not have them.
    var events: UInt32 = 0
    /// Some record opened it without an event; not known from an index file.
    var isOpened = false

    /// Whether it has an event here.
    var hasEvents: Bool { firstRow <= lastRow }
}

/// Sessions with codes, in the order of their first record.
struct SessionTable {
    private(set) var entries: [IndexSession] = []
    private var table: [UInt32] = []
    /// The code found last: events of one session often follow each other.
    private var last = 0
    let seed: UInt64

    init(seed: UInt64) { self.seed = seed }

    /// The code of a session that has a record here. `row`: nil for a record that is not an event; then `rows` is how many there are, and
    /// `isOpened` says whether it opens the session.
    mutating func add(
        _ id: ID128, received: Int64, sequence: UInt64, row: UInt32?, rows: Int = 0, isOpened: Bool = false
    ) -> UInt32 {
        if last < entries.count && entries[last].id == id {
            note(last, row, isOpened)
            return UInt32(last)
        }
        if entries.count * 2 >= table.count { grow() }
        var place = Int(truncatingIfNeeded: Mix.hash(id, seed: seed)) & (table.count - 1)
        while table[place] != 0 {
            let code = Int(table[place]) - 1
            if entries[code].id == id {
                note(code, row, isOpened)
                last = code
                return UInt32(code)
            }
            place = (place + 1) & (table.count - 1)
        }
        last = entries.count
        entries.append(
            IndexSession(
                id: id, firstReceived: received, firstSequence: sequence,
                firstRow: row ?? UInt32(truncatingIfNeeded: rows + 1), lastRow: row ?? UInt32(truncatingIfNeeded: rows),
                events: row == nil ? 0 : 1, isOpened: isOpened))
        table[place] = UInt32(entries.count)
        return UInt32(entries.count - 1)
    }

    @inline(__always)
    private mutating func note(_ code: Int, _ row: UInt32?, _ isOpened: Bool) {
        if let row {
            if !entries[code].hasEvents { entries[code].firstRow = row }
            entries[code].lastRow = row
            entries[code].events &+= 1
        }
        if isOpened { entries[code].isOpened = true }
    }

    /// The code of a session; nil: none of its records are here.
    func code(of id: ID128) -> Int? {
        guard !table.isEmpty else { return nil }
        var place = Int(truncatingIfNeeded: Mix.hash(id, seed: seed)) & (table.count - 1)
        while table[place] != 0 {
            let code = Int(table[place]) - 1
            if entries[code].id == id { return code }
            place = (place + 1) & (table.count - 1)
        }
        return nil
    }

    private mutating func grow() {
        table = SessionTable.places(entries, count: max(table.count * 2, 64), seed: seed)
    }

    /// The hash table over `entries` with `count` places, as it is written to disk.
    static func places(_ entries: [IndexSession], count: Int, seed: UInt64) -> [UInt32] {
        var table = [UInt32](repeating: 0, count: count)
        for code in 0..<entries.count {
            var place = Int(truncatingIfNeeded: Mix.hash(entries[code].id, seed: seed)) & (count - 1)
            while table[place] != 0 { place = (place + 1) & (count - 1) }
            table[place] = UInt32(code + 1)
        }
        return table
    }

    var hashPlaces: [UInt32] { table.isEmpty ? [0] : table }

    /// Bytes of memory, about.
    var cost: Int { entries.count * MemoryLayout<IndexSession>.stride + table.count * 4 }
}

/// A column in memory: one block of little-endian numbers for each row group, exactly as on disk.
struct IndexColumn {
    let width: Int
    private(set) var blocks: [ByteBuffer] = []

    init(width: Int) { self.width = width }

    @inline(__always)
    mutating func append<T: FixedWidthInteger>(_ value: T, row: Int) {
        let place = row % StoreLimits.rowsPerGroup
        if place == 0 { blocks.append(ByteBuffer(count: StoreLimits.rowsPerGroup * width)) }
        // In bounds: `place` is below the rows of a group, and the block has `width` bytes for each.
        unsafe blocks[blocks.count - 1].bytes.baseAddress.unsafelyUnwrapped.put(value, place * width)
    }
}
