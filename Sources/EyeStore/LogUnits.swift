// Pieces of the log that can be checked by themselves: runs of whole records of one frame, each with a checksum that was taken when the whole
// frame was found valid. So an event of the active segment costs a read of its unit, not of its frame. Part of a reader's `IndexBuilder`;
// one thread at a time.

import EyeSystem

/// Whole records of one frame.
struct LogUnit {
    /// Where they begin in the segment's file.
    var offset: Int64
    var bytes: UInt32
    var checksum: UInt32
    /// The row of the first event among them.
    var firstRow: UInt32
}

/// The units of a segment, in the order of rows.
struct LogUnits {
    /// A unit ends with the record that makes it so long.
    private static let bytesMin = 2048

    private var units: [LogUnit] = []

    var count: Int { units.count }

    subscript(_ index: Int) -> LogUnit { units[index] }

    /// Adds the units of a frame whose first event has row `firstRow`. Records between which no event is are left out.
    mutating func add(_ frame: ScannedFrame, firstRow: Int) {
        let payload = unsafe frame.payload
        var start = 0
        var offset = 0
        var first = firstRow
        var row = firstRow
        while offset < frame.payloadCount, let record = unsafe RecordView.at(offset, of: payload) {
            offset += record.byteCount
            if record.kind == RecordKind.event { row += 1 }
            guard offset - start >= LogUnits.bytesMin || offset >= frame.payloadCount else { continue }
            if row > first {
                units.append(
                    LogUnit(
                        offset: frame.offset + Int64(StoreLimits.headerBytes + start), bytes: UInt32(offset - start),
                        // In bounds: the records that were just walked over.
                        checksum: unsafe Checksum.crc32c(payload.slice(start, offset - start)),
                        firstRow: UInt32(truncatingIfNeeded: first)))
            }
            start = offset
            first = row
        }
    }

    /// The last unit that begins at or before `row`; nil: there is none.
    func index(ofRow row: Int) -> Int? {
        var low = 0
        var high = units.count
        while low < high {
            let middle = (low + high) / 2
            if Int(units[middle].firstRow) <= row { low = middle + 1 } else { high = middle }
        }
        return low == 0 ? nil : low - 1
    }

    /// The row behind unit `index`, as far as the next one tells.
    func endRow(_ index: Int) -> Int { index + 1 < units.count ? Int(units[index + 1].firstRow) : Int.max }

    /// Bytes of memory, about.
    var cost: Int { units.count * MemoryLayout<LogUnit>.stride }
}
