// The index of a closed segment in a file: written whole from an `IndexBuilder`, read by blocks, each with its own checksum. Readers hold
// one per segment they look at (few at a time, see `StoreReader`); blocks are shared through a `BlockCache`.

import EyeSystem
import Glibc

/// Parts of an index file, as on disk.
enum IndexPart: Int, CaseIterable {
    case extents = 1
    case gaps = 2
    case categories = 3
    case categoryTexts = 4
    case names = 5
    case nameTexts = 6
    case sessions = 7
    case sessionHash = 8
    case zones = 9
    case timestamps = 10
    case categoryCodes = 11
    case nameCodes = 12
    case sessionCodes = 13
    case eventIDs = 14
    case erasedIDs = 15
    case erasedSequences = 16
    case receipts = 17

    /// Left out of the file when it is empty.
    var isOptional: Bool { rawValue >= IndexPart.erasedIDs.rawValue }

    /// Bytes of a block, a whole number of entries.
    var blockBytes: Int {
        switch self {
        case .extents: IndexExtent.entryBytes * 64
        case .gaps: IndexGap.entryBytes * 64
        case .categories, .names: IndexText.entryBytes * 512
        case .categoryTexts, .nameTexts: 32_768
        case .sessions: IndexSession.entryBytes * 100
        case .sessionHash: 4096
        case .zones: 16 * 256
        case .timestamps: StoreLimits.rowsPerGroup * 8
        case .categoryCodes, .nameCodes: StoreLimits.rowsPerGroup * 2
        case .sessionCodes: StoreLimits.rowsPerGroup * 4
        case .eventIDs: IndexEventID.entryBytes * 512
        case .erasedIDs, .erasedSequences: IndexErasure.rangeBytes * 512
        case .receipts: IndexErasure.receiptBytes * 100
        }
    }
}

/// An event_id in an index.
enum IndexEventID {
    static let entryBytes = 32
}

/// What tombstones say, in an index.
enum IndexErasure {
    static let rangeBytes = 16
    static let receiptBytes = 48
    static let isSession: UInt32 = 1
    static let isMore: UInt32 = 2
}

/// Numbers of an index file's header.
enum IndexFileHeader {
    /// FE 45 59 49, as a little-endian number.
    static let magic: UInt32 = 0x4959_45FE
    static let bytes = 128
    static let partEntryBytes = 24
    static let overfullCategories: UInt32 = 1
    static let overfullNames: UInt32 = 2
    /// A directory larger than this is not one of ours.
    static let directoryBytesMax = 16 << 20
}

/// An open index file.
final class IndexFile: SegmentIndex {
    struct Part {
        var bytes = 0
        var offset: Int64 = 0
        var checksums: [UInt32] = []
    }

    let base: UInt64
    let coveredBytes: Int64
    let salt: UInt32
    let rows: Int
    let firstEventID: UInt64
    let nextEventID: UInt64
    let nextSequence: UInt64
    let oldestReceived: Int64
    let newestReceived: Int64
    let oldestTimestamp: Int64
    let newestTimestamp: Int64
    private let hashSeed: UInt64
    private let flags: UInt32
    private let file: any DiskFile
    private let cache: BlockCache
    private let number: UInt64
    private var parts: [Part]
    /// Counts that statistics ask for, as far as they were wanted.
    private let hours = HourMemo()

    /// Opens the index of segment `base`; nil when it is missing, of another version, or its head is damaged.
    static func open(
        _ disk: any Disk, path: String, base: UInt64, cache: BlockCache
    ) throws(SystemError) -> IndexFile? {
        let file: any DiskFile
        do throws(SystemError) {
            file = try disk.open(path, .read)
        } catch {
            // Derived: whatever is wrong with it, the log has it all.
            if error.errno == EMFILE || error.errno == ENFILE { throw error }
            return nil
        }
        do throws(SystemError) {
            return try IndexFile(file, base: base, cache: cache)
        } catch {
            return nil
        }
    }

    private init?(_ file: any DiskFile, base: UInt64, cache: BlockCache) throws(SystemError) {
        let head = ByteBuffer(count: IndexFileHeader.bytes)
        let got = try unsafe file.read(into: head.bytes, at: 0)
        guard got == IndexFileHeader.bytes else { return nil }
        let view = unsafe head.view(got)
        guard unsafe view.u32(0) == IndexFileHeader.magic && view.u16(4) == UInt16(FormatVersion.current),
            unsafe view.u32(124) == Checksum.crc32c(view.slice(0, 124)), unsafe view.u64(8) == base
        else { return nil }
        let partCount = unsafe Int(view.u16(6))
        let directoryBytes = unsafe Int(view.u32(56))
        let size = try file.size()
        guard directoryBytes <= IndexFileHeader.directoryBytesMax,
            Int64(directoryBytes + IndexFileHeader.bytes) <= size
        else { return nil }
        self.base = base
        coveredBytes = unsafe view.i64(16)
        salt = unsafe view.u32(24)
        rows = unsafe Int(view.u32(28))
        firstEventID = unsafe view.u64(32)
        nextEventID = unsafe view.u64(40)
        nextSequence = unsafe view.u64(48)
        hashSeed = unsafe view.u64(64)
        oldestReceived = unsafe view.i64(72)
        newestReceived = unsafe view.i64(80)
        oldestTimestamp = unsafe view.i64(88)
        newestTimestamp = unsafe view.i64(96)
        flags = unsafe view.u32(108)
        self.file = file
        self.cache = cache
        number = cache.nextNumber()
        parts = [Part](repeating: Part(), count: IndexPart.allCases.count + 1)

        let directory = ByteBuffer(count: directoryBytes)
        let read = try unsafe file.read(into: directory.bytes, at: Int64(IndexFileHeader.bytes))
        guard read >= directoryBytes else { return nil }
        let entries = unsafe directory.view(directoryBytes)
        guard unsafe view.u32(60) == Checksum.crc32c(entries) else { return nil }
        var offset = 0
        for _ in 0..<partCount {
            guard directoryBytes - offset >= IndexFileHeader.partEntryBytes else { return nil }
            let known = unsafe IndexPart(rawValue: Int(entries.u32(offset)))
            let blockBytes = unsafe Int(entries.u32(offset + 4))
            let bytes = unsafe entries.i64(offset + 8)
            let start = unsafe entries.i64(offset + 16)
            offset += IndexFileHeader.partEntryBytes
            guard blockBytes > 0, bytes >= 0, start >= 0, bytes <= size, start <= size - bytes else { return nil }
            let blocks = (Int(bytes) + blockBytes - 1) / blockBytes
            guard blocks <= (directoryBytes - offset) / 4 else { return nil }
            if let known {
                guard blockBytes == known.blockBytes else { return nil }
                var part = Part(bytes: Int(bytes), offset: start)
                part.checksums.reserveCapacity(blocks)
                for block in 0..<blocks { part.checksums.append(unsafe entries.u32(offset + 4 * block)) }
                parts[known.rawValue] = part
            }
            offset += 4 * blocks
        }
        // Columns have every row, or rows would be looked for behind a block's end.
        guard parts[IndexPart.timestamps.rawValue].bytes == rows * 8,
            parts[IndexPart.categoryCodes.rawValue].bytes == rows * 2,
            parts[IndexPart.nameCodes.rawValue].bytes == rows * 2,
            parts[IndexPart.sessionCodes.rawValue].bytes == rows * 4,
            parts[IndexPart.zones.rawValue].bytes
                == (rows + StoreLimits.rowsPerGroup - 1) / StoreLimits.rowsPerGroup * 16,
            count(.sessionHash, 4).nonzeroBitCount == 1
        else { return nil }
    }

    private func count(_ part: IndexPart, _ entryBytes: Int) -> Int { parts[part.rawValue].bytes / entryBytes }

    /// A block of a part, checked.
    private func block(_ part: IndexPart, _ index: Int) throws(IndexFault) -> ByteBuffer {
        let key = BlockCache.Key(file: number, part: UInt32(part.rawValue), block: UInt32(index))
        if let found = cache.find(key) { return found }
        let known = parts[part.rawValue]
        guard index >= 0, index < known.checksums.count else { throw .damaged }
        let start = index * part.blockBytes
        let bytes = min(part.blockBytes, known.bytes - start)
        let buffer = ByteBuffer(count: part.blockBytes)
        do throws(SystemError) {
            // In bounds: `bytes` is at most the block's size.
            let got = try unsafe file.read(
                into: UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[0..<bytes]), at: known.offset + Int64(start))
            guard got == bytes else { throw SystemError(errno: EIO, call: "pread") }
        } catch {
            throw .damaged
        }
        guard unsafe Checksum.crc32c(buffer.view(bytes)) == known.checksums[index] else { throw .damaged }
        cache.add(key, buffer)
        return buffer
    }

    /// The place of entry `index` of a part: its block, and the offset in it.
    private func entry(_ part: IndexPart, _ index: Int, _ entryBytes: Int) throws(IndexFault) -> (ByteBuffer, Int) {
        guard index >= 0, index < count(part, entryBytes) else { throw .damaged }
        let perBlock = part.blockBytes / entryBytes
        return (try block(part, index / perBlock), index % perBlock * entryBytes)
    }

    var extentCount: Int { count(.extents, IndexExtent.entryBytes) }
    var sessionCount: Int { count(.sessions, IndexSession.entryBytes) }

    func extent(_ index: Int) throws(IndexFault) -> IndexExtent {
        let (block, at) = try entry(.extents, index, IndexExtent.entryBytes)
        let view = unsafe block.view(block.capacity)
        let found = unsafe IndexExtent(
            offset: view.i64(at), firstEventID: view.u64(at + 8), firstSequence: view.u64(at + 16),
            oldestReceived: view.i64(at + 24), newestReceived: view.i64(at + 32), bytes: Int(view.u32(at + 40)),
            firstRow: Int(view.u32(at + 44)), events: Int(view.u32(at + 48)))
        guard found.bytes <= StoreLimits.extentBytesMax, found.endRow <= rows else { throw .damaged }
        return found
    }

    func allGaps() throws(IndexFault) -> [IndexGap] {
        var gaps: [IndexGap] = []
        for index in 0..<count(.gaps, IndexGap.entryBytes) {
            let (block, at) = try entry(.gaps, index, IndexGap.entryBytes)
            let view = unsafe block.view(block.capacity)
            gaps.append(
                unsafe IndexGap(
                    offset: view.i64(at), bytes: view.i64(at + 8), firstEventID: view.u64(at + 16),
                    nextEventID: view.u64(at + 24), cause: CorruptionCause(rawValue: view.u32(at + 32)) ?? .badPayload))
        }
        return gaps
    }

    func text(_ text: UnsafeRawBufferPointer, of kind: TextKind) throws(IndexFault) -> (code: Int, entry: IndexText)? {
        let part = kind == .category ? IndexPart.categories : .names
        let texts = kind == .category ? IndexPart.categoryTexts : .nameTexts
        let hash = unsafe Checksum.crc32c(text)
        for code in 0..<count(part, IndexText.entryBytes) {
            let (block, at) = try entry(part, code, IndexText.entryBytes)
            let view = unsafe block.view(block.capacity)
            guard unsafe view.u32(at) == hash && Int(view.u32(at + 8)) == text.count else { continue }
            let found = unsafe IndexText(
                hash: hash, offset: Int(view.u32(at + 4)), bytes: text.count, events: Int(view.u32(at + 12)),
                firstRow: Int(view.u32(at + 16)), lastRow: Int(view.u32(at + 20)))
            guard found.lastRow < rows else { throw .damaged }
            if try unsafe isSame(text, texts, found.offset) { return (code, found) }
        }
        return nil
    }

    /// Compares with a text that may lie across blocks.
    private func isSame(_ text: UnsafeRawBufferPointer, _ part: IndexPart, _ offset: Int) throws(IndexFault) -> Bool {
        guard offset + text.count <= parts[part.rawValue].bytes else { throw .damaged }
        var done = 0
        while done < text.count {
            let place = offset + done
            let block = try block(part, place / part.blockBytes)
            let skip = place % part.blockBytes
            let length = min(text.count - done, part.blockBytes - skip)
            // In bounds: both parts end within their buffers.
            if unsafe !block.view(block.capacity).slice(skip, length).equals(text.slice(done, length)) { return false }
            done += length
        }
        return true
    }

    func eachText(
        of kind: TextKind, _ body: (_ code: Int, _ entry: IndexText, _ text: UnsafeRawBufferPointer) -> Void
    ) throws(IndexFault) {
        let texts = kind == .category ? IndexPart.categoryTexts : .nameTexts
        for code in 0..<(try textCount(kind)) {
            let found = try entry(code, of: kind)
            let inBlock = found.offset % texts.blockBytes
            if found.bytes == 0 {
                unsafe body(code, found, UnsafeRawBufferPointer(start: nil, count: 0))
            } else if inBlock + found.bytes <= texts.blockBytes {
                let block = try block(texts, found.offset / texts.blockBytes)
                // In bounds: it ends within its block, just compared.
                unsafe body(code, found, block.view(block.capacity).slice(inBlock, found.bytes))
            } else {
                let whole = try gathered(found, texts)
                unsafe whole.withUnsafeBytes { unsafe body(code, found, $0) }
            }
        }
    }

    func textCount(_ kind: TextKind) throws(IndexFault) -> Int {
        count(kind == .category ? .categories : .names, IndexText.entryBytes)
    }

    func entry(_ code: Int, of kind: TextKind) throws(IndexFault) -> IndexText {
        let part = kind == .category ? IndexPart.categories : .names
        let texts = kind == .category ? IndexPart.categoryTexts : .nameTexts
        let (entries, at) = try entry(part, code, IndexText.entryBytes)
        let view = unsafe entries.view(entries.capacity)
        let found = unsafe IndexText(
            hash: view.u32(at), offset: Int(view.u32(at + 4)), bytes: Int(view.u32(at + 8)),
            events: Int(view.u32(at + 12)), firstRow: Int(view.u32(at + 16)), lastRow: Int(view.u32(at + 20)))
        guard found.lastRow < rows, found.offset + found.bytes <= parts[texts.rawValue].bytes else { throw .damaged }
        return found
    }

    func appendText(_ code: Int, of kind: TextKind, to out: inout [UInt8]) throws(IndexFault) {
        let texts = kind == .category ? IndexPart.categoryTexts : .nameTexts
        out.append(contentsOf: try gathered(try entry(code, of: kind), texts))
    }

    func prepareHourCounts(work: inout Int) throws(IndexFault) -> Bool { try hours.extend(self, work: &work) }

    func hourCounts() throws(IndexFault) -> [HourCount]? { hours.counts }

    /// A text, which may lie across blocks.
    private func gathered(_ text: IndexText, _ part: IndexPart) throws(IndexFault) -> [UInt8] {
        var whole: [UInt8] = []
        while whole.count < text.bytes {
            let place = text.offset + whole.count
            let block = try block(part, place / part.blockBytes)
            let skip = place % part.blockBytes
            let length = min(text.bytes - whole.count, part.blockBytes - skip)
            // In bounds: it ends within the block.
            unsafe whole.append(contentsOf: block.view(block.capacity).slice(skip, length))
        }
        return whole
    }

    func isOverfull(_ kind: TextKind) -> Bool {
        flags & (kind == .category ? IndexFileHeader.overfullCategories : IndexFileHeader.overfullNames) != 0
    }

    func session(_ id: ID128) throws(IndexFault) -> (code: Int, entry: IndexSession)? {
        let places = count(.sessionHash, 4)
        var place = Int(truncatingIfNeeded: Mix.hash(id, seed: hashSeed)) & (places - 1)
        for _ in 0..<places {
            let (block, at) = try entry(.sessionHash, place, 4)
            let code = unsafe Int(block.view(block.capacity).u32(at)) - 1
            if code < 0 { return nil }
            let found = try session(code: code)
            if found.id == id { return (code, found) }
            place = (place + 1) & (places - 1)
        }
        return nil
    }

    func session(code: Int) throws(IndexFault) -> IndexSession {
        let (block, at) = try entry(.sessions, code, IndexSession.entryBytes)
        let view = unsafe block.view(block.capacity)
        return unsafe IndexSession(
            id: view.id128(at), firstReceived: view.i64(at + 16), firstSequence: view.u64(at + 24),
            firstRow: view.u32(at + 32), lastRow: view.u32(at + 36))
    }

    func zone(_ group: Int) throws(IndexFault) -> (oldest: Int64, newest: Int64) {
        let (block, at) = try entry(.zones, group, 16)
        let view = unsafe block.view(block.capacity)
        return unsafe (view.i64(at), view.i64(at + 8))
    }

    func block(_ column: ColumnKind, group: Int) throws(IndexFault) -> ByteBuffer {
        let part: IndexPart =
            switch column {
            case .timestamp: .timestamps
            case .category: .categoryCodes
            case .name: .nameCodes
            case .session: .sessionCodes
            }
        return try block(part, group)
    }

    /// The event_ids of this segment, newest last.
    var eventIDCount: Int { count(.eventIDs, IndexEventID.entryBytes) }

    func eventID(_ index: Int) throws(IndexFault) -> SeenEventID {
        let (block, at) = try entry(.eventIDs, index, IndexEventID.entryBytes)
        let view = unsafe block.view(block.capacity)
        return unsafe SeenEventID(key: view.id128(at), id: view.u64(at + 16), received: view.i64(at + 24))
    }

    func erasures() throws(IndexFault) -> SegmentErasures {
        var receipts: [ErasureReceipt] = []
        for index in 0..<count(.receipts, IndexErasure.receiptBytes) {
            let (block, at) = try entry(.receipts, index, IndexErasure.receiptBytes)
            let view = unsafe block.view(block.capacity)
            let flags = unsafe view.u32(at + 44)
            let (low, high) = unsafe (view.u64(at + 24), view.u64(at + 32))
            var receipt = unsafe ErasureReceipt(
                id: view.u64(at), erased: view.i64(at + 8), token: view.u32(at + 40),
                isSession: flags & IndexErasure.isSession != 0, events: view.u64(at + 16),
                hull: low > 0 && low <= high ? low...high : nil)
            receipt.isMore = flags & IndexErasure.isMore != 0
            receipts.append(receipt)
        }
        return SegmentErasures(
            ids: try ranges(.erasedIDs), sequences: try ranges(.erasedSequences), receipts: receipts)
    }

    private func ranges(_ part: IndexPart) throws(IndexFault) -> [ClosedRange<UInt64>] {
        var found: [ClosedRange<UInt64>] = []
        let count = count(part, IndexErasure.rangeBytes)
        found.reserveCapacity(count)
        for index in 0..<count {
            let (block, at) = try entry(part, index, IndexErasure.rangeBytes)
            let view = unsafe block.view(block.capacity)
            let (low, high) = unsafe (view.u64(at), view.u64(at + 8))
            guard low <= high, high < UInt64.max >> 1 else { throw .damaged }
            found.append(low...high)
        }
        return found
    }

    /// Checks every block: for `verify`.
    func checkAll() throws(IndexFault) {
        for part in IndexPart.allCases {
            for index in 0..<parts[part.rawValue].checksums.count { _ = try block(part, index) }
        }
    }
}
