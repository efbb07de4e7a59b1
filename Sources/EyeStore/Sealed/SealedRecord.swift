// An event out of a sealed segment, as the record that it was in the log, byte for byte: put together from the columns of its row. What
// was looked at last (a row group's chunks, a shape, pages of texts) stays at hand in the scratch, so that rows near each other cost
// neither a look into the cache nor an allocation. One thread: the reader's.

import EyeSystem
import Glibc

/// What putting records together keeps between two of them. Belongs to one cursor of one reader.
@safe
final class SealedScratch {
    /// The pages that the last values of a chunk came from.
    fileprivate final class Slot {
        var dictionaryPage: TextPage?
        var dictionaryNumber = -1
        var textPage: TextPage?
        var textOffset: Int64 = -1

        func clear() {
            textPage = nil
            textOffset = -1
        }
    }

    fileprivate let out = GrowingBytes(capacity: 1024)
    /// The number of the open file, see `BlockCache`.
    fileprivate var file: UInt64 = 0
    fileprivate var group = -1
    fileprivate var opened: SealedGroup?
    fileprivate var slots: [Slot] = []
    fileprivate var slotsInUse = 0
    // The shape of the last row: pairs (bytes of text before the leaf, leaf), u32, and bytes of text at the end.
    fileprivate var shape = -1
    fileprivate var shapeLeaves = 0
    fileprivate let shapeParts = GrowingBytes(capacity: 256)
    fileprivate var shapeText: SealedText?
    fileprivate var shapeTextOffset = 0
    // Texts and ids of the last row.
    fileprivate var categoryCode = -1
    fileprivate var category: SealedText?
    fileprivate var nameCode = -1
    fileprivate var name: SealedText?
    fileprivate var sessionCode = -1
    fileprivate var session = ID128(high: 0, low: 0)

    init() {}

    /// Lets go of everything.
    func drop() {
        file = 0
        forgetFile()
    }

    fileprivate func forgetFile() {
        forgetGroup()
        shape = -1
        shapeText = nil
        categoryCode = -1
        category = nil
        nameCode = -1
        name = nil
        sessionCode = -1
        for slot in slots {
            slot.dictionaryNumber = -1
            slot.dictionaryPage = nil
        }
    }

    fileprivate func forgetGroup() {
        group = -1
        opened = nil
        for index in 0..<slotsInUse { slots[index].clear() }
        slotsInUse = 0
    }
}

extension SealedFile {
    /// The record of `row`, as it was in the log; valid until the scratch is used again.
    func record(_ row: Int, into scratch: SealedScratch) throws(IndexFault) -> RecordView {
        guard row >= 0, row < rows else { throw .damaged }
        try turn(scratch, to: row / StoreLimits.rowsPerGroup)
        let place = row % StoreLimits.rowsPerGroup
        let out = scratch.out
        out.removeAll()
        let received = try number(SealedColumn.received, place, scratch)
        let timestamp = try number(SealedColumn.timestamp, place, scratch)
        let token = try number(SealedColumn.token, place, scratch)
        let session = try session(place, scratch)
        let eventID = try eventID(place, scratch)
        out.append(number: UInt32(0))
        out.append(number: RecordKind.event)
        out.append(number: eventID == nil ? 0 : Record.hasEventID)
        out.append(number: UInt64(0).littleEndian)
        out.truncate(to: 12)
        out.append(number: UInt32(truncatingIfNeeded: token))
        out.append(number: received)
        out.append(number: timestamp)
        out.append(id: session)
        if let eventID { out.append(id: eventID) }
        let start = out.count
        try appendCategory(place, scratch)
        let categoryEnd = out.count
        try appendName(place, scratch)
        let a = categoryEnd - start
        let b = out.count - categoryEnd
        guard a <= Int(UInt16.max), b <= Int(UInt16.max) else { throw .damaged }
        out.set(UInt16(a), 6)
        out.set(UInt16(b), 8)
        try appendData(place, scratch)
        guard out.count <= StoreLimits.payloadBytesMax else { throw .damaged }
        out.set(UInt32(out.count), 0)
        return unsafe RecordView(bytes: out.view)
    }

    /// Turns the scratch to a row group of this file.
    private func turn(_ scratch: SealedScratch, to group: Int) throws(IndexFault) {
        if scratch.file == blocks.number && scratch.group == group { return }
        if scratch.file != blocks.number {
            scratch.forgetFile()
            scratch.file = blocks.number
        }
        scratch.forgetGroup()
        let opened = try blocks.group(group)
        while scratch.slots.count < opened.directory.count { scratch.slots.append(SealedScratch.Slot()) }
        scratch.slotsInUse = opened.directory.count
        scratch.opened = opened
        scratch.group = group
    }

    /// The number of row `place` in a column that every group has.
    @inline(__always)
    private func number(_ column: Int, _ place: Int, _ scratch: SealedScratch) throws(IndexFault) -> Int64 {
        guard let opened = scratch.opened else { throw .damaged }
        return try opened.numbers(column, blocks)[place]
    }

    private func session(_ place: Int, _ scratch: SealedScratch) throws(IndexFault) -> ID128 {
        let code = Int(try number(SealedColumn.session, place, scratch))
        if code != scratch.sessionCode {
            scratch.session = try sessionID(code: code)
            scratch.sessionCode = code
        }
        return scratch.session
    }

    private func eventID(_ place: Int, _ scratch: SealedScratch) throws(IndexFault) -> ID128? {
        guard let opened = scratch.opened, let slot = opened.directory.slot(SealedColumn.eventID) else { return nil }
        let chunk = try opened.chunk(slot, blocks)
        guard chunk.kind == .ids else { throw .damaged }
        return chunk.index(ofRow: place).map { chunk.id($0) }
    }

    private func appendCategory(_ place: Int, _ scratch: SealedScratch) throws(IndexFault) {
        let code = Int(try number(SealedColumn.category, place, scratch))
        if code == Int(IndexText.otherCode) { return try appendValue(SealedColumn.otherCategory, -1, place, scratch) }
        if code != scratch.categoryCode {
            scratch.categoryCode = -1
            scratch.category = try text(code, of: .category)
            scratch.categoryCode = code
        }
        if let text = scratch.category { unsafe scratch.out.append(text.bytes) }
    }

    private func appendName(_ place: Int, _ scratch: SealedScratch) throws(IndexFault) {
        let code = Int(try number(SealedColumn.name, place, scratch))
        if code == Int(IndexText.otherCode) { return try appendValue(SealedColumn.otherName, -1, place, scratch) }
        if code != scratch.nameCode {
            scratch.nameCode = -1
            scratch.name = try text(code, of: .name)
            scratch.nameCode = code
        }
        if let text = scratch.name { unsafe scratch.out.append(text.bytes) }
    }

    private func appendData(_ place: Int, _ scratch: SealedScratch) throws(IndexFault) {
        let shape = Int(try number(SealedColumn.shape, place, scratch))
        if shape == 0 { return try appendValue(SealedColumn.firstLeaf, 0, place, scratch) }
        if shape != scratch.shape { try openShape(shape, scratch) }
        guard let text = scratch.shapeText else { throw .damaged }
        var at = scratch.shapeTextOffset
        for index in 0..<scratch.shapeLeaves {
            let literal = Int(scratch.shapeParts.number(index &* 8, as: UInt32.self))
            let leaf = Int(scratch.shapeParts.number(index &* 8 &+ 4, as: UInt32.self))
            // In bounds: `openShape` has summed them up.
            unsafe scratch.out.append(text.bytes.slice(at, literal))
            at &+= literal
            try appendValue(SealedColumn.firstLeaf &+ leaf, leaf, place, scratch)
            guard scratch.out.count <= StoreLimits.payloadBytesMax else { throw .damaged }
        }
        unsafe scratch.out.append(text.bytes.slice(at, text.bytes.count - at))
    }

    @inline(never)
    private func openShape(_ shape: Int, _ scratch: SealedScratch) throws(IndexFault) {
        scratch.shape = -1
        guard shape > 0, shape < header.shapes,
            let text = SealedText(
                try blocks.page(.shapes, (shape - 1) / SealedTables.shapesPerPage),
                (shape - 1) % SealedTables.shapesPerPage)
        else { throw .damaged }
        let view = unsafe text.bytes
        var at = 0
        guard let leaves = unsafe view.varint(&at), leaves <= UInt64(StoreLimits.leavesPerEventMax) else {
            throw .damaged
        }
        scratch.shapeParts.removeAll()
        var bytes: UInt64 = 0
        for index in 0...leaves {
            guard let literal = unsafe view.varint(&at), literal <= UInt64(view.count) else { throw .damaged }
            bytes += literal
            scratch.shapeParts.append(number: UInt32(literal))
            if index < leaves {
                guard let leaf = unsafe view.varint(&at), leaf < UInt64(header.leaves) else { throw .damaged }
                scratch.shapeParts.append(number: UInt32(leaf))
            }
        }
        guard bytes == UInt64(view.count - at) else { throw .damaged }
        scratch.shapeText = text
        scratch.shapeTextOffset = at
        scratch.shapeLeaves = Int(leaves)
        scratch.shape = shape
    }

    /// Appends the value of row `place` in `column`; `leaf`: whose dictionary its codes are of.
    private func appendValue(
        _ column: Int, _ leaf: Int, _ place: Int, _ scratch: SealedScratch
    ) throws(IndexFault) {
        guard let opened = scratch.opened, let number = opened.directory.slot(column) else { throw .damaged }
        let chunk = try opened.chunk(number, blocks)
        guard let index = chunk.index(ofRow: place) else { throw .damaged }
        let slot = scratch.slots[number]
        switch chunk.kind {
        case .constant: unsafe scratch.out.append(chunk.constant)
        case .integers:
            unsafe scratch.out.append(upTo: CanonicalInteger.bytesMax) {
                unsafe CanonicalInteger.write(chunk.number(index), to: $0)
            }
        case .codes: try appendEntry(slot, leaf, chunk.number(index), scratch)
        case .texts:
            let (at, number) = chunk.page(index)
            if slot.textOffset != at.offset {
                slot.textOffset = -1
                slot.textPage = try blocks.page(at: at)
                slot.textOffset = at.offset
            }
            guard let text = unsafe slot.textPage?.value(number) else { throw .damaged }
            unsafe scratch.out.append(text)
        case .ids: throw .damaged
        }
    }

    @inline(__always)
    private func appendEntry(
        _ slot: SealedScratch.Slot, _ leaf: Int, _ code: Int64, _ scratch: SealedScratch
    ) throws(IndexFault) {
        guard leaf >= 0, code >= 0 else { throw .damaged }
        let about = try leaves().leaf(leaf)
        guard code < Int64(about.entries) else { throw .damaged }
        let number = about.firstTextBlock + Int(code) / SealedTables.textsPerPage
        if slot.dictionaryNumber != number {
            slot.dictionaryNumber = -1
            slot.dictionaryPage = try blocks.page(.dictionaryTexts, number)
            slot.dictionaryNumber = number
        }
        guard let text = unsafe slot.dictionaryPage?.value(Int(code) % SealedTables.textsPerPage) else {
            throw .damaged
        }
        unsafe scratch.out.append(text)
    }
}
