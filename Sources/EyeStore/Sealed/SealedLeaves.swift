// The leaves of `data` in an open sealed segment: which paths there are, and the values of one of them group by group, as codes of its
// dictionary, integers or texts. What filters and statistics look at instead of events. Parts of `SealedFile`; the reader's thread.

import EyeSystem
import Glibc

/// What a segment knows of a leaf.
struct SealedLeafInfo {
    var isObject: Bool
    /// Some value has a backslash in it.
    var hasEscapes: Bool
    /// 0: the one that counts at its path, see `DataDecomposer`.
    var occurrence: Int
    /// Its dictionary: entries, and where its hashes and texts begin.
    var entries: Int
    var firstHashBlock: Int
    var firstTextBlock: Int
}

/// All leaves of a segment, in memory from the first time one is asked for.
final class SealedLeafTable {
    private let infos: [SealedLeafInfo]
    private(set) var paths: [[UInt8]] = []
    private var numbers: [[UInt8]: Int] = [:]
    private var objects: Set<[UInt8]> = []

    init(_ blocks: SealedBlocks) throws(IndexFault) {
        var infos: [SealedLeafInfo] = []
        for number in 0..<blocks.header.leaves {
            let page = try blocks.page(.leaves, number / SealedTables.leavesPerPage)
            guard let text = SealedText(page, number % SealedTables.leavesPerPage) else { throw .damaged }
            let view = unsafe text.bytes
            guard view.count > 0 else { throw .damaged }
            let flags = unsafe view[0]
            var at = 1
            var values: [Int] = []
            for _ in 0..<4 {
                guard let value = unsafe view.varint(&at), value <= UInt64(UInt32.max) else { throw .damaged }
                values.append(Int(value))
            }
            infos.append(
                SealedLeafInfo(
                    isObject: flags & SealedTables.objectFlag != 0, hasEscapes: flags & SealedTables.escapesFlag != 0,
                    occurrence: values[0], entries: values[1], firstHashBlock: values[2], firstTextBlock: values[3]))
            let path = unsafe [UInt8](view.slice(at, view.count - at))
            paths.append(path)
            if infos[number].isObject {
                objects.insert(path)
            } else if number > 0 && values[0] == 0 {
                numbers[path] = number
            }
        }
        self.infos = infos
    }

    @inline(__always)
    func leaf(_ number: Int) throws(IndexFault) -> SealedLeafInfo {
        guard number >= 0, number < infos.count else { throw .damaged }
        return infos[number]
    }

    /// The leaf that counts at this path.
    func number(_ path: [UInt8]) -> Int? { numbers[path] }

    /// Whether some row has an object with members at this path.
    func isObject(_ path: [UInt8]) -> Bool { objects.contains(path) }
}

/// What a segment knows of a path of `data`.
enum SealedPath {
    /// No row whose data was taken apart has a value there.
    case absent
    /// All such values are in this leaf.
    case leaf(SealedLeaf)
    /// Some row has an object there: only the events tell.
    case unknown
}

/// One leaf of an open sealed segment.
struct SealedLeaf {
    let file: SealedFile
    let number: Int
    let info: SealedLeafInfo

    /// The values of a row group; nil: no row of it has one. Rows whose data is kept in one piece (`SealedFile.hasWholeData`) have none
    /// either way: their events tell.
    func chunk(group: Int) throws(IndexFault) -> LeafChunk? {
        try file.chunk(SealedColumn.firstLeaf + number, group: group)
    }

    /// Entries of its dictionary.
    var entries: Int { info.entries }

    /// Entry `code` of its dictionary: a JSON value as it stood in the text.
    func text(code: Int) throws(IndexFault) -> SealedText {
        guard code >= 0, code < entries else { throw .damaged }
        let page = try file.blocks.page(.dictionaryTexts, info.firstTextBlock + code / SealedTables.textsPerPage)
        guard let text = SealedText(page, code % SealedTables.textsPerPage) else { throw .damaged }
        return text
    }

    /// The code of the value that stands in the text just so; nil: it is not in the dictionary. (A string with escapes may say the same in
    /// other bytes: look at all entries if `info.hasEscapes`.)
    func code(of token: UnsafeRawBufferPointer) throws(IndexFault) -> Int? {
        let hash = unsafe Checksum.crc32c(token)
        var code = 0
        while code < entries {
            let block = info.firstHashBlock + code / SealedTables.hashesPerBlock
            let held = try file.blocks.block(.dictionaryHashes, block)
            let view = unsafe held.sealedView
            let count = min(SealedTables.hashesPerBlock, entries - code)
            guard view.count >= count * 4 else { throw .damaged }
            for place in 0..<count where unsafe view.u32(place * 4) == hash {
                let known = try text(code: code + place)
                if unsafe known.bytes.equals(token) { return code + place }
            }
            code += count
        }
        return nil
    }

    /// Value `index` of a chunk of texts.
    func text(_ chunk: LeafChunk, _ index: Int) throws(IndexFault) -> SealedText {
        guard chunk.kind == .texts, index >= 0, index < chunk.count else { throw .damaged }
        let (place, number) = chunk.page(index)
        guard let text = SealedText(try file.blocks.page(at: place), number) else { throw .damaged }
        return text
    }
}

extension SealedFile {
    /// Its leaves, read the first time they are asked for.
    func leaves() throws(IndexFault) -> SealedLeafTable {
        if let leafTable { return leafTable }
        let made = try SealedLeafTable(blocks)
        leafTable = made
        return made
    }

    /// What is known of a dotted path of `data`.
    func path(_ path: [UInt8]) throws(IndexFault) -> SealedPath {
        let table = try leaves()
        if table.isObject(path) { return .unknown }
        guard let number = table.number(path) else { return .absent }
        return .leaf(SealedLeaf(file: self, number: number, info: try table.leaf(number)))
    }

    /// Whether some row of a group keeps its data in one piece: then its events must be looked at beside the leaves. Such rows have the
    /// shape 0.
    func hasWholeData(group: Int) throws(IndexFault) -> Bool {
        try GroupDirectory(blocks, group).slot(SealedColumn.firstLeaf) != nil
    }

    /// Whether so many rows of a group keep their data in one piece that it is better gone through event by event.
    func hasManyWhole(group: Int) throws(IndexFault) -> Bool {
        guard try hasWholeData(group: group) else { return false }
        let block = try shapeBlock(group: group)
        let view = unsafe block.view(block.capacity)
        // In bounds: a decoded column has room for all rows of a group.
        let whole = (0..<header.rows(inGroup: group)).count { unsafe view.u32($0 * 4) == 0 }
        return whole > AnalysisLimits.wholeRowsMax
    }

    // MARK: Verification

    /// Reads and checks what is not rows: for `verify`.
    func checkTables() throws(IndexFault) {
        for part in SealedPart.allCases {
            for number in 0..<blocks.count(part) { _ = try blocks.read(blocks.place(part, number)) }
        }
        _ = try leaves()
        for index in 0..<extentCount { _ = try extent(index) }
        for code in 0..<sessionCount {
            let entry = try session(code: code)
            guard try session(entry.id)?.code == code else { throw .damaged }
        }
        for kind in [TextKind.category, .name] {
            for code in 0..<(try textCount(kind)) { _ = try text(code, of: kind) }
        }
        _ = try allGaps()
        _ = try erasures()
        try forEachCount { _ in }
    }

    /// Reads and checks the rows of a group, every record of it: for `verify`.
    func check(group: Int, _ scratch: SealedScratch) throws(IndexFault) {
        let directory = try GroupDirectory(blocks, group)
        for slot in 0..<directory.count {
            let block = try blocks.read(directory.place(atSlot: slot))
            let column = directory.column(slot)
            guard column > SealedColumn.shape || column == SealedColumn.eventID else { continue }
            guard let chunk = LeafChunk(block, rows: header.rows(inGroup: group)) else { throw .damaged }
            if chunk.kind == .texts {
                for page in 0..<chunk.pageCount { _ = try blocks.read(chunk.pagePlace(page)) }
            }
        }
        scratch.drop()
        let first = group * StoreLimits.rowsPerGroup
        for row in first..<(first + header.rows(inGroup: group)) {
            let record = try record(row, into: scratch)
            guard unsafe RecordView.at(0, of: record.bytes) != nil else { throw .damaged }
        }
    }

    /// Reads and checks all of it.
    func checkAll() throws(IndexFault) {
        try checkTables()
        let scratch = SealedScratch()
        for group in 0..<groups { try check(group: group, scratch) }
    }
}
