// A row group of a sealed segment, opened: its columns are read at once, and each is checked when it is asked for first. Kept in the
// `BlockCache` as one, so that a record costs one look there and not one for each column. A group that is too large for that takes
// its columns from the cache one by one. One thread: the reader's.

import EyeSystem

/// The columns of a row group, as far as they were asked for.
@safe
final class SealedGroup {
    let directory: GroupDirectory
    private let group: Int
    private let rows: Int
    /// All columns as they are in the file, not checked; nil: they are too large, or could not be read so.
    private let region: ByteBuffer?
    private let regionOffset: Int64
    private var numbers = [PackedNumbers?](repeating: nil, count: SealedColumn.firstLeaf)
    /// By the slots of the directory.
    private var chunks: [LeafChunk?]
    /// What `numbers` point into besides the region.
    private var held: [ByteBuffer] = []

    /// Bytes of columns that are read at once at most.
    private static let regionBytesMax = 1 << 17

    init(_ blocks: SealedBlocks, _ group: Int) throws(IndexFault) {
        self.group = group
        rows = blocks.header.rows(inGroup: group)
        directory = try GroupDirectory(blocks, group)
        chunks = Array(repeating: nil, count: directory.count)
        guard directory.count > 0 else {
            region = nil
            regionOffset = 0
            return
        }
        let first = directory.place(atSlot: 0).offset
        let last = directory.place(atSlot: directory.count - 1)
        regionOffset = first
        // Lengths from the file: they are compared before they are added up.
        if first >= 0, last.offset >= first, last.bytes <= SealedGroup.regionBytesMax,
            last.offset - first <= Int64(SealedGroup.regionBytesMax - last.bytes)
        {
            region = blocks.readRegion(offset: first, bytes: Int(last.offset - first) + last.bytes)
        } else {
            region = nil
        }
    }

    /// Its columns are in it, and it is worth being kept.
    var isWhole: Bool { region != nil }

    /// Bytes of memory, about.
    var cost: Int { (region?.capacity ?? 0) + directory.count * 160 + 1024 }

    /// A column of numbers that every group has.
    @inline(__always)
    func numbers(_ column: Int, _ blocks: SealedBlocks) throws(IndexFault) -> PackedNumbers {
        if let known = numbers[column] { return known }
        return try open(column, blocks)
    }

    @inline(never)
    private func open(_ column: Int, _ blocks: SealedBlocks) throws(IndexFault) -> PackedNumbers {
        guard let slot = directory.slot(column) else { throw .damaged }
        let (buffer, range) = try block(slot, blocks)
        let view = unsafe buffer.view(range.upperBound).slice(range.lowerBound, range.count)
        // Behind it there is the next column, or the slack of the buffer.
        guard let made = unsafe PackedNumbers(view), made.count == rows else { throw .damaged }
        if buffer !== region { held.append(buffer) }
        numbers[column] = made
        return made
    }

    /// The chunk of the column in entry `slot` of the directory.
    @inline(__always)
    func chunk(_ slot: Int, _ blocks: SealedBlocks) throws(IndexFault) -> LeafChunk {
        if let known = chunks[slot] { return known }
        let (buffer, range) = try block(slot, blocks)
        guard let made = LeafChunk(buffer, range, rows: rows) else { throw .damaged }
        chunks[slot] = made
        return made
    }

    /// The bytes of a column, checked.
    private func block(
        _ slot: Int, _ blocks: SealedBlocks
    ) throws(IndexFault) -> (buffer: ByteBuffer, range: Range<Int>) {
        let place = directory.place(atSlot: slot)
        if let region, let range = SealedGroup.range(of: place, in: region, from: regionOffset) {
            // In bounds: it was just compared.
            let view = unsafe region.view(range.upperBound).slice(range.lowerBound, range.count)
            if unsafe Checksum.crc32c(view) == place.checksum { return (region, range) }
        }
        let buffer = try blocks.column(directory.column(slot), group: group, at: place)
        return (buffer, 0..<(buffer.capacity - PackedNumbers.slackBytes))
    }

    /// Where the bytes at `place` are in `region`, which begins at `start` of the file; nil: they are not, or not all of them.
    private static func range(of place: SealedPlace, in region: ByteBuffer, from start: Int64) -> Range<Int>? {
        let count = region.capacity - PackedNumbers.slackBytes
        guard place.offset >= start, place.offset - start <= Int64(count) else { return nil }
        let at = Int(place.offset - start)
        return place.bytes <= count - at ? at..<(at + place.bytes) : nil
    }
}
