// The container of a sealed segment: a header, blocks, and at the end a directory that says of every block where it is and what its
// checksum is. Blocks are read when they are needed and checked each time they are read; what was read is kept in the `BlockCache`.
// One thread at a time: the reader's.

import EyeSystem
import Glibc

/// Parts of a sealed segment, as on disk. A part is a list of blocks.
enum SealedPart: Int, CaseIterable {
    /// For each row group: where its columns are.
    case groups = 1
    case zones = 2
    case runs = 3
    case gaps = 4
    case receipts = 5
    case categories = 6
    case categoryTexts = 7
    case categoryPostings = 8
    case names = 9
    case nameTexts = 10
    case namePostings = 11
    case sessions = 12
    case sessionIDs = 13
    case sessionFirstIDs = 14
    case sessionFilter = 15
    case sessionPostings = 16
    case counts = 17
    case shapes = 18
    case leaves = 19
    case dictionaryHashes = 20
    case dictionaryTexts = 21
}

/// Where a block is, and its checksum.
struct SealedPlace {
    static let entryBytes = 16

    var offset: Int64
    var bytes: Int
    var checksum: UInt32
}

/// A block that could not be read, or whose checksum is wrong.
struct SealedFault {
    /// Which one, in words.
    var part: String
    var offset: Int64
    var bytes: Int64
}

/// The numbers in a sealed segment's header.
struct SealedHeader {
    /// FE 45 59 43, as a little-endian number.
    static let magic: UInt32 = 0x4359_45FE
    static let bytes = 192
    static let overfullCategories: UInt32 = 1
    static let overfullNames: UInt32 = 2
    static let hasNoCounts: UInt32 = 4
    /// A directory larger than this is not one of ours.
    static let directoryBytesMax = 64 << 20

    var firstSequence: UInt64 = 0
    var nextSequence: UInt64 = 0
    var firstEventID: UInt64 = 0
    var nextEventID: UInt64 = 0
    var oldestReceived = Int64.max
    var newestReceived = Int64.min
    var oldestTimestamp = Int64.max
    var newestTimestamp = Int64.min
    var rows = 0
    var sessions = 0
    var seed: UInt64 = 0
    var created: Int64 = 0
    var firstKeptEventID: UInt64 = 1
    var salt: UInt32 = 0
    var flags: UInt32 = 0
    var commit: UInt64 = 0
    var counts = 0
    var leaves = 0
    var shapes = 0
    var runs = 0

    /// Rows of group `group`.
    func rows(inGroup group: Int) -> Int {
        max(0, min(StoreLimits.rowsPerGroup, rows - group * StoreLimits.rowsPerGroup))
    }
    var groups: Int { (rows + StoreLimits.rowsPerGroup - 1) / StoreLimits.rowsPerGroup }

    /// The header's bytes, for a directory at `directory`.
    func encoded(_ directory: SealedPlace, fileBytes: Int64) -> GrowingBytes {
        let out = GrowingBytes(capacity: SealedHeader.bytes)
        out.append(number: SealedHeader.magic)
        out.append(number: UInt16(FormatVersion.current))
        out.append(number: UInt16(SealedPart.allCases.count))
        for number in [firstSequence, nextSequence, firstEventID, nextEventID] { out.append(number: number) }
        for time in [oldestReceived, newestReceived, oldestTimestamp, newestTimestamp] { out.append(number: time) }
        out.append(number: UInt32(rows))
        out.append(number: UInt32(sessions))
        out.append(number: seed)
        out.append(number: created)
        out.append(number: firstKeptEventID)
        out.append(number: salt)
        out.append(number: flags)
        out.append(number: directory.offset)
        out.append(number: UInt32(directory.bytes))
        out.append(number: directory.checksum)
        out.append(number: fileBytes)
        out.append(number: commit)
        for count in [counts, leaves, shapes, runs] { out.append(number: UInt32(count)) }
        out.appendZeros(SealedHeader.bytes - 4 - out.count)
        out.append(number: unsafe Checksum.crc32c(out.view))
        return out
    }

    /// The header in `view`, its directory's place and the file's length; nil: damaged, or of another version.
    static func parse(_ view: UnsafeRawBufferPointer) -> (SealedHeader, SealedPlace, fileBytes: Int64)? {
        guard view.count >= bytes, unsafe view.u32(0) == magic, unsafe view.u16(4) == UInt16(FormatVersion.current),
            unsafe view.u32(188) == Checksum.crc32c(view.slice(0, 188))
        else { return nil }
        var header = SealedHeader()
        unsafe header.firstSequence = view.u64(8)
        unsafe header.nextSequence = view.u64(16)
        unsafe header.firstEventID = view.u64(24)
        unsafe header.nextEventID = view.u64(32)
        unsafe header.oldestReceived = view.i64(40)
        unsafe header.newestReceived = view.i64(48)
        unsafe header.oldestTimestamp = view.i64(56)
        unsafe header.newestTimestamp = view.i64(64)
        unsafe header.rows = Int(view.u32(72))
        unsafe header.sessions = Int(view.u32(76))
        unsafe header.seed = view.u64(80)
        unsafe header.created = view.i64(88)
        unsafe header.firstKeptEventID = view.u64(96)
        unsafe header.salt = view.u32(104)
        unsafe header.flags = view.u32(108)
        unsafe header.commit = view.u64(136)
        unsafe header.counts = Int(view.u32(144))
        unsafe header.leaves = Int(view.u32(148))
        unsafe header.shapes = Int(view.u32(152))
        unsafe header.runs = Int(view.u32(156))
        let directory = unsafe SealedPlace(
            offset: view.i64(112), bytes: Int(view.u32(120)), checksum: view.u32(124))
        let fileBytes = unsafe view.i64(128)
        // Numbers near the end of 64 bits are nobody's: sums can then never wrap.
        let highest = UInt64.max >> 1
        guard directory.bytes <= directoryBytesMax, directory.offset >= Int64(bytes), fileBytes >= directory.offset,
            fileBytes - directory.offset >= Int64(directory.bytes), header.firstSequence <= header.nextSequence,
            header.nextSequence < highest, header.firstEventID <= header.nextEventID, header.nextEventID < highest,
            header.leaves <= StoreLimits.leavesPerSegmentMax * 2, header.shapes <= StoreLimits.shapesPerSegmentMax
        else { return nil }
        return (header, directory, fileBytes)
    }
}

/// The blocks of one open sealed segment.
final class SealedBlocks {
    let header: SealedHeader
    private let file: any DiskFile
    private let cache: BlockCache
    /// Tells this file's blocks in the cache from others'.
    let number: UInt64
    private let fileBytes: Int64
    private let directory: ByteBuffer
    /// Where the blocks of each part stand in the directory, and how many there are.
    private var parts: [(start: Int, blocks: Int)]

    /// The block that could not be read last.
    private var badPlace: SealedPlace?

    /// Kinds of blocks in the cache beside those of parts.
    private enum CachePart {
        static let page: UInt32 = 0x4000_0000
        static let column: UInt32 = 0x1000_0000
        static let decoded: UInt32 = 0x2000_0000
        static let group: UInt32 = 0x3000_0000
    }

    /// Nil: the header or the directory is damaged, or of another version.
    init?(_ file: any DiskFile, cache: BlockCache) throws(SystemError) {
        let head = ByteBuffer(count: SealedHeader.bytes)
        let got = try unsafe file.read(into: head.bytes, at: 0)
        guard got == SealedHeader.bytes, let (header, place, fileBytes) = unsafe SealedHeader.parse(head.view(got)),
            fileBytes == (try file.size())
        else { return nil }
        self.header = header
        self.file = file
        self.cache = cache
        self.fileBytes = fileBytes
        number = cache.nextNumber()
        directory = ByteBuffer(count: place.bytes)
        parts = [(start: Int, blocks: Int)](repeating: (0, 0), count: 32)
        let target = unsafe UnsafeMutableRawBufferPointer(rebasing: directory.bytes[0..<place.bytes])
        guard try unsafe file.read(into: target, at: place.offset) == place.bytes else { return nil }
        let view = unsafe directory.view(place.bytes)
        guard unsafe Checksum.crc32c(view) == place.checksum else { return nil }
        var at = 0
        while at < view.count {
            guard view.count - at >= 8 else { return nil }
            let part = unsafe Int(view.u32(at))
            let blocks = unsafe Int(view.u32(at + 4))
            at += 8
            guard blocks <= (view.count - at) / SealedPlace.entryBytes else { return nil }
            if SealedPart(rawValue: part) != nil { parts[part] = (at, blocks) }
            at += blocks * SealedPlace.entryBytes
        }
        guard count(.groups) == header.groups else { return nil }
    }

    /// Blocks of a part.
    func count(_ part: SealedPart) -> Int { parts[part.rawValue].blocks }

    /// The place of a block of a part.
    func place(_ part: SealedPart, _ index: Int) throws(IndexFault) -> SealedPlace {
        let (start, blocks) = parts[part.rawValue]
        guard index >= 0, index < blocks else { throw .damaged }
        // In bounds: the directory was found to have them.
        let view = unsafe directory.view(directory.capacity)
        let at = start + index * SealedPlace.entryBytes
        return unsafe SealedPlace(offset: view.i64(at), bytes: Int(view.u32(at + 8)), checksum: view.u32(at + 12))
    }

    /// A block of a part, checked; its bytes are `sealedView`.
    func block(_ part: SealedPart, _ index: Int) throws(IndexFault) -> ByteBuffer {
        let key = BlockCache.Key(
            file: number, part: UInt32(part.rawValue), block: UInt32(truncatingIfNeeded: index))
        if let found = cache.find(key) { return found }
        let made = try read(place(part, index))
        cache.add(key, made)
        return made
    }

    /// A block of a part that is a page of texts.
    func page(_ part: SealedPart, _ index: Int) throws(IndexFault) -> TextPage {
        let key = BlockCache.Key(
            file: number, part: UInt32(part.rawValue), block: UInt32(truncatingIfNeeded: index))
        if let found = cache.find(key) { return TextPage(found) }
        let made = try decodedPage(place(part, index))
        cache.add(key, made)
        return TextPage(made)
    }

    /// A page of texts anywhere in the file.
    func page(at place: SealedPlace) throws(IndexFault) -> TextPage {
        let key = BlockCache.Key(
            file: number, part: CachePart.page | UInt32(truncatingIfNeeded: place.offset >> 32),
            block: UInt32(truncatingIfNeeded: place.offset))
        if let found = cache.find(key) { return TextPage(found) }
        let made = try decodedPage(place)
        cache.add(key, made)
        return TextPage(made)
    }

    /// A column of a row group, as it is on disk.
    func column(_ column: Int, group: Int, at place: SealedPlace) throws(IndexFault) -> ByteBuffer {
        let key = BlockCache.Key(
            file: number, part: CachePart.column | UInt32(truncatingIfNeeded: column),
            block: UInt32(truncatingIfNeeded: group))
        if let found = cache.find(key) { return found }
        let made = try read(place)
        cache.add(key, made)
        return made
    }

    /// A row group with its columns at hand.
    func group(_ group: Int) throws(IndexFault) -> SealedGroup {
        let key = BlockCache.Key(file: number, part: CachePart.group, block: UInt32(truncatingIfNeeded: group))
        if let found = cache.findGroup(key) { return found }
        let made = try SealedGroup(self, group)
        if made.isWhole { cache.add(key, made) }
        return made
    }

    /// `bytes` bytes of the file from `offset` on, unchecked, and the slack behind them; nil: they cannot be read as one piece.
    func readRegion(offset: Int64, bytes: Int) -> ByteBuffer? {
        guard offset >= Int64(SealedHeader.bytes), offset <= fileBytes, Int64(bytes) <= fileBytes - offset else {
            return nil
        }
        let region = ByteBuffer(count: bytes + PackedNumbers.slackBytes)
        do throws(SystemError) {
            // In bounds: the region was made for it.
            let got = try unsafe file.read(
                into: UnsafeMutableRawBufferPointer(rebasing: region.bytes[0..<bytes]), at: offset)
            guard got == bytes else { return nil }
        } catch {
            return nil
        }
        region.clearSlack()
        return region
    }

    /// A decoded column of a row group; made by `make` when it is not in the cache.
    func decoded(
        _ column: Int, group: Int, _ make: () throws(IndexFault) -> ByteBuffer
    ) throws(IndexFault) -> ByteBuffer {
        let key = BlockCache.Key(
            file: number, part: CachePart.decoded | UInt32(truncatingIfNeeded: column),
            block: UInt32(truncatingIfNeeded: group))
        if let found = cache.find(key) { return found }
        let made = try make()
        cache.add(key, made)
        return made
    }

    private func decodedPage(_ place: SealedPlace) throws(IndexFault) -> ByteBuffer {
        let block = try read(place)
        guard let made = unsafe TextPage.decoded(block.sealedView) else { throw .damaged }
        return made
    }

    /// Reads and checks a block, past the cache.
    func read(_ place: SealedPlace) throws(IndexFault) -> ByteBuffer {
        do throws(IndexFault) {
            return try readChecked(place)
        } catch {
            badPlace = place
            throw error
        }
    }

    /// The block that could not be read last, once: for whoever reports it.
    func takeFault() -> SealedFault? {
        guard let place = badPlace else { return nil }
        // Finding out which one it is may meet others.
        defer { badPlace = nil }
        return SealedFault(part: part(at: place), offset: place.offset, bytes: Int64(place.bytes))
    }

    /// What block is at `place`, in words.
    private func part(at wanted: SealedPlace) -> String {
        do throws(IndexFault) {
            for part in SealedPart.allCases {
                for index in 0..<count(part) where try place(part, index).offset == wanted.offset {
                    return "block \(index) of part \"\(part)\""
                }
            }
            for group in 0..<header.groups {
                let directory = try GroupDirectory(self, group)
                for slot in 0..<directory.count where directory.place(atSlot: slot).offset == wanted.offset {
                    return "column \(SealedColumn.text(directory.column(slot))) of row group \(group)"
                }
            }
        } catch {
            // A damaged directory of a group tells nothing of its columns.
        }
        return "a page of texts"
    }

    private func readChecked(_ place: SealedPlace) throws(IndexFault) -> ByteBuffer {
        guard place.offset >= Int64(SealedHeader.bytes), place.offset <= fileBytes,
            Int64(place.bytes) <= fileBytes - place.offset, place.bytes <= StoreLimits.sealedBlockBytesMax
        else { throw .damaged }
        let buffer = ByteBuffer(count: place.bytes + PackedNumbers.slackBytes)
        do throws(SystemError) {
            // In bounds: the buffer was made for it.
            let got = try unsafe file.read(
                into: UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[0..<place.bytes]), at: place.offset)
            guard got == place.bytes else { throw SystemError(errno: EIO, call: "pread") }
        } catch {
            throw .damaged
        }
        guard unsafe Checksum.crc32c(buffer.sealedView) == place.checksum else { throw .damaged }
        buffer.clearSlack()
        return buffer
    }
}

extension ByteBuffer {
    /// The bytes of a block of a sealed segment, without the slack behind them.
    var sealedView: UnsafeRawBufferPointer { unsafe view(capacity - PackedNumbers.slackBytes) }

    /// What is read of the slack is not used, but it is not to be anybody's old bytes either.
    fileprivate func clearSlack() {
        // In bounds: a buffer of a sealed segment has the slack at its end.
        unsafe memset(
            bytes.baseAddress.unsafelyUnwrapped + (capacity - PackedNumbers.slackBytes), 0, PackedNumbers.slackBytes)
    }
}
