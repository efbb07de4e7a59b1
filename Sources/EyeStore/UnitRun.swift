// Events of the log that a cursor is about to show, read unit by unit when their turn comes, each unit checked when it is turned to. A unit
// that is not what it was when it was indexed ends the run: what is left is for the frames to tell (`ExtentRun`). Used by cursors,
// on the reader's thread.

import EyeSystem
import Glibc

/// Events of a segment whose index has units.
struct UnitRun {
    private var index: IndexBuilder?
    private var file: (any DiskFile)?
    private(set) var extent: IndexExtent?
    private var rows: [UInt32] = []
    private var taken = 0
    private var newestFirst = false
    // The units in the buffer, and the one that was checked.
    private var buffer: ByteBuffer?
    private var loaded = 0..<0
    private var loadedOffset: Int64 = 0
    private var current = -1
    /// Units to read at once: more while they follow each other.
    private var ahead = 1
    private var isBroken = false
    /// Work done since it was asked for, about nanoseconds.
    private var work = 0

    /// Units, and bytes, that are read at once at most; a unit that is longer is read alone.
    private static let aheadMax = 16
    private static let readBytesMax = 32_768

    // What work costs, about nanoseconds: a record walked over, a read; and the bytes read, and checked, in a nanosecond.
    private static let workPerRecord = 20
    private static let workPerRead = 1_500
    private static let bytesRead = 4
    private static let bytesChecked = 8

    /// Forgets what is left.
    mutating func drop() {
        index = nil
        file = nil
        extent = nil
        rows.removeAll(keepingCapacity: true)
        taken = 0
        loaded = 0..<0
        current = -1
        isBroken = false
    }

    /// Takes up rows (ascending) of one extent.
    mutating func take(
        _ extent: IndexExtent, rows: ArraySlice<UInt32>, of index: IndexBuilder, _ file: any DiskFile, newestFirst: Bool
    ) {
        // Units of another index have other numbers.
        if self.index !== index { drop() }
        self.index = index
        self.file = file
        self.extent = extent
        self.newestFirst = newestFirst
        self.rows.removeAll(keepingCapacity: true)
        self.rows.append(contentsOf: rows)
        taken = 0
        isBroken = false
    }

    /// The work done since this was asked last, about nanoseconds.
    mutating func takeWork() -> Int {
        defer { work = 0 }
        return work
    }

    /// The rows that it could not give, ascending; they are forgotten.
    mutating func takeBroken() -> [UInt32]? {
        guard isBroken else { return nil }
        let left = newestFirst ? rows.dropLast(taken) : rows.dropFirst(taken)
        isBroken = false
        taken = rows.count
        return Array(left)
    }

    /// The next event, in order, valid until the next one; nil: there is none, or `takeBroken` has some.
    mutating func next() throws(IndexFault) -> (id: UInt64, record: RecordView)? {
        guard taken < rows.count, !isBroken, let extent, let index else { return nil }
        let row = Int(newestFirst ? rows[rows.count - 1 - taken] : rows[taken])
        guard let record = try record(row, index) else {
            isBroken = true
            return nil
        }
        taken += 1
        return (extent.firstEventID + UInt64(row - extent.firstRow), record)
    }

    private mutating func record(_ row: Int, _ index: IndexBuilder) throws(IndexFault) -> RecordView? {
        if current < 0 || row < Int(index.units[current].firstRow) || row >= index.units.endRow(current) {
            guard let wanted = index.units.index(ofRow: row), try turn(to: wanted, index.units) else { return nil }
        }
        guard let buffer else { return nil }
        let unit = index.units[current]
        let start = Int(unit.offset - loadedOffset)
        // In bounds: it was read and checked.
        let records = unsafe buffer.view(start + Int(unit.bytes))
        var at = start
        var found = Int(unit.firstRow)
        work += UnitRun.workPerRecord * (row - found + 1)
        while let record = unsafe RecordView.at(at, of: records) {
            if record.kind == RecordKind.event {
                if found == row { return record }
                found += 1
            }
            at += record.byteCount
        }
        return nil
    }

    /// Turns to a unit: reads it if it is not in the buffer, and checks it. False: it is damaged, or cannot be read.
    private mutating func turn(to unit: Int, _ units: LogUnits) throws(IndexFault) -> Bool {
        if !loaded.contains(unit) {
            let follows = unit == loaded.upperBound || unit == loaded.lowerBound - 1
            ahead = follows && !loaded.isEmpty ? min(ahead * 2, UnitRun.aheadMax) : 1
            guard try read(unit, units) else { return false }
        }
        current = -1
        guard let buffer else { return false }
        // In bounds: all loaded units lie in the buffer.
        let bytes = unsafe buffer.view(buffer.capacity).slice(
            Int(units[unit].offset - loadedOffset), Int(units[unit].bytes))
        work += bytes.count / UnitRun.bytesChecked
        guard unsafe Checksum.crc32c(bytes) == units[unit].checksum else { return false }
        current = unit
        return true
    }

    private mutating func read(_ unit: Int, _ units: LogUnits) throws(IndexFault) -> Bool {
        let end = units[unit].offset + Int64(units[unit].bytes)
        var first = unit
        var last = unit
        while last - first + 1 < ahead {
            let next = newestFirst ? first - 1 : last + 1
            guard next >= 0, next < units.count else { break }
            let span =
                newestFirst
                ? end - units[next].offset : units[next].offset + Int64(units[next].bytes) - units[unit].offset
            guard span <= Int64(UnitRun.readBytesMax) else { break }
            if newestFirst { first = next } else { last = next }
        }
        let start = units[first].offset
        let bytes = Int(units[last].offset - start) + Int(units[last].bytes)
        loaded = 0..<0
        current = -1
        let room: ByteBuffer
        if let buffer, buffer.capacity >= bytes {
            room = buffer
        } else {
            room = ByteBuffer(count: max(bytes, UnitRun.readBytesMax))
            buffer = room
        }
        guard let file else { return false }
        work += UnitRun.workPerRead + bytes / UnitRun.bytesRead
        do throws(SystemError) {
            // In bounds: the room was made for it.
            let got = try unsafe file.read(
                into: UnsafeMutableRawBufferPointer(rebasing: room.bytes[0..<bytes]), at: start)
            guard got == bytes else { return false }
        } catch {
            guard error.errno == EIO else { throw .system(error) }
            return false
        }
        loaded = first..<(last + 1)
        loadedOffset = start
        return true
    }
}
