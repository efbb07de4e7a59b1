// Writes the parts of a sealed segment that are not rows: dictionaries, shapes, leaves, zones, runs of ids, gaps, receipts. Used by
// `SegmentSealer`; one thread.
//
//    categories, names   blocks of 512: CRC-32C of the text u32, events u32, first row u32, last row u32, offset in the postings u32,
//                        bytes there u32 (0: it has none); their texts: pages of 64
//    shapes              pages of 64, see `ShapeTable.encoded`; shape 0, the data in one piece, is not among them
//    leaves              pages of 64: flags u8 (1 an object, 2 some value has a backslash), occurrence, dictionary entries, first block of
//                        their hashes, first block of their texts (varints), the path
//    dictionary hashes   blocks of 1,024: CRC-32C u32 of each text; dictionary texts: pages of 64
//    zones               blocks of 128: oldest and newest timestamp, oldest and newest received i64
//    runs                blocks of 1,024: packed numbers of the first rows, then of the first ids
//    gaps                one block, entries as in an index
//    receipts            one block: sequence u64, erased i64, events u64, first id u64, last id u64 (0: none), token u32, flags u32 (2, 4 of
//                        the tombstone)

import EyeSystem

/// The tables of a sealed segment.
struct SealedTables {
    static let textsPerBlock = 512
    static let textEntryBytes = 24
    static let textsPerPage = 64
    static let shapesPerPage = 64
    static let leavesPerPage = 64
    static let hashesPerBlock = 1024
    static let zonesPerBlock = 128
    static let zoneBytes = 32
    static let runsPerBlock = 1024
    static let receiptBytes = 48
    static let objectFlag: UInt8 = 1
    static let escapesFlag: UInt8 = 2

    private let writer: SealedWriter
    private let rows: SealedRows
    private let out = GrowingBytes(capacity: 1 << 14)

    init(_ writer: SealedWriter, _ rows: SealedRows) {
        self.writer = writer
        self.rows = rows
    }

    /// Writes blocks of `perBlock` of `count` entries.
    private func writeBlocks(
        _ part: SealedPart, _ count: Int, perBlock: Int, _ append: (Range<Int>) -> Void
    ) throws(SystemError) {
        for first in stride(from: 0, to: count, by: perBlock) {
            out.removeAll()
            append(first..<min(first + perBlock, count))
            try unsafe writer.add(part, out.view)
        }
    }

    func writeTexts(
        _ part: SealedPart, _ texts: SealedPart, _ dictionary: TextDictionary, _ postings: [UInt64]
    ) throws(SystemError) {
        let entries = dictionary.entries
        try writeBlocks(part, entries.count, perBlock: SealedTables.textsPerBlock) { range in
            for code in range {
                let entry = entries[code]
                out.append(number: entry.hash)
                out.append(number: UInt32(entry.events))
                out.append(number: UInt32(entry.firstRow))
                out.append(number: UInt32(entry.lastRow))
                out.append(number: UInt32(postings[code]))
                out.append(number: UInt32(postings[code + 1] - postings[code]))
            }
        }
        let bytes = GrowingBytes(capacity: dictionary.texts.count)
        unsafe dictionary.texts.withUnsafeBytes { unsafe bytes.append($0) }
        try unsafe rows.encoder.writeTexts(texts, count: entries.count, perPage: SealedTables.textsPerPage) { code in
            // In bounds: the dictionary put it there.
            unsafe bytes.view.slice(entries[code].offset, entries[code].bytes)
        }
    }

    func writeShapes() throws(SystemError) {
        let one = GrowingBytes()
        try unsafe rows.encoder.writeTexts(.shapes, count: rows.shapes.count - 1, perPage: SealedTables.shapesPerPage) {
            one.removeAll()
            rows.shapes.encoded($0 + 1, to: one)
            return unsafe one.view
        }
    }

    func writeLeaves() throws(SystemError) {
        var places: [(entries: Int, hashes: Int, texts: Int)] = []
        for column in rows.leaves {
            let dictionary = column.dictionary
            places.append((dictionary.count, writer.count(.dictionaryHashes), writer.count(.dictionaryTexts)))
            try writeBlocks(.dictionaryHashes, dictionary.count, perBlock: SealedTables.hashesPerBlock) { range in
                for code in range { out.append(number: unsafe Checksum.crc32c(dictionary.text(code))) }
            }
            try unsafe rows.encoder.writeTexts(
                .dictionaryTexts, count: dictionary.count, perPage: SealedTables.textsPerPage
            ) { unsafe dictionary.text($0) }
        }
        let leaves = rows.shapes.leaves
        let one = GrowingBytes()
        try unsafe rows.encoder.writeTexts(.leaves, count: leaves.count, perPage: SealedTables.leavesPerPage) {
            number in
            let leaf = leaves[number]
            let place = number < places.count ? places[number] : (0, 0, 0)
            var flags = leaf.isObject ? SealedTables.objectFlag : 0
            if number < places.count && rows.leaves[number].hasEscapes { flags |= SealedTables.escapesFlag }
            one.removeAll()
            one.append(number: flags)
            for value in [leaf.occurrence, place.0, place.1, place.2] { one.append(varint: UInt64(value)) }
            unsafe leaf.path.withUnsafeBytes { unsafe one.append($0) }
            return unsafe one.view
        }
    }

    func writeZones() throws(SystemError) {
        let count = rows.zones.count / SealedTables.zoneBytes
        try writeBlocks(.zones, count, perBlock: SealedTables.zonesPerBlock) { range in
            unsafe out.append(
                rows.zones.view.slice(
                    range.lowerBound * SealedTables.zoneBytes, range.count * SealedTables.zoneBytes))
        }
    }

    func writeRuns() throws(SystemError) {
        try writeBlocks(.runs, rows.runRows.count, perBlock: SealedTables.runsPerBlock) { range in
            PackedNumbers.append(Array(rows.runRows[range]), to: out)
            PackedNumbers.append(Array(rows.runIDs[range]), to: out)
        }
    }

    func write(_ gaps: [IndexGap]) throws(SystemError) {
        try writeBlocks(.gaps, gaps.count, perBlock: max(gaps.count, 1)) { _ in
            for gap in gaps {
                out.append(number: gap.offset)
                out.append(number: gap.bytes)
                out.append(number: gap.firstEventID)
                out.append(number: gap.nextEventID)
                out.append(number: gap.cause.rawValue)
                out.append(number: UInt32(0))
            }
        }
    }

    func write(_ receipts: [ErasureReceipt]) throws(SystemError) {
        try writeBlocks(.receipts, receipts.count, perBlock: max(receipts.count, 1)) { _ in
            for receipt in receipts {
                out.append(number: receipt.id)
                out.append(number: receipt.erased)
                out.append(number: receipt.events)
                out.append(number: receipt.hull?.lowerBound ?? 0)
                out.append(number: receipt.hull?.upperBound ?? 0)
                out.append(number: receipt.token)
                let flags = (receipt.isSession ? TombstoneFlag.session : 0) | (receipt.isMore ? TombstoneFlag.more : 0)
                out.append(number: UInt32(flags))
            }
        }
    }
}
