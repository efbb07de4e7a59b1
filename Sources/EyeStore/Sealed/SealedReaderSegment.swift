// What a reader keeps of one sealed segment between queries: the open file, and the few numbers that place it among the others. All of it
// may be dropped at any moment and is found again when it is needed. One thread: the reader's.

import EyeSystem
import Glibc

/// A reader's view of a sealed segment.
final class SealedReaderSegment: KeptSegment {
    let name: SegmentName
    var lastUsed: UInt64 = 0
    private let disk: any Disk
    private let folder: String
    private let cache: BlockCache
    private var file: SealedFile?
    /// Its numbers, once they were read: they outlast the open file.
    private var numbers: (first: UInt64, next: UInt64)?
    /// The file that the numbers are of.
    private var stamp: FileStamp?
    /// The header was damaged when it was read.
    private var isDamaged = false

    init(_ disk: any Disk, folder: String, name: SegmentName, cache: BlockCache) {
        self.disk = disk
        self.name = name
        self.cache = cache
        self.folder = folder
    }

    /// The file, opened; nil: its header is damaged. Throws ENOENT when the segment is gone.
    private func opened() throws(SystemError) -> SealedFile? {
        if let file { return file }
        if isDamaged { return nil }
        do throws(SystemError) {
            // Looked at first: a file that takes its place in between is taken for another one later, not for this one.
            let found = try disk.stamp(folder + "/" + name.file)
            if stamp.map({ $0 != found }) ?? false { numbers = nil }
            stamp = found
            file = try SealedFile.open(disk, folder: folder, name, cache: cache)
        } catch {
            if error.isMissing || error.errno == EMFILE || error.errno == ENFILE { throw error }
            // What the disk cannot read, or we may not, is as good as damaged, and is looked at again.
            return nil
        }
        guard let file else {
            isDamaged = true
            return nil
        }
        numbers = (file.firstEventID, file.nextEventID)
        return file
    }

    func firstEventID() throws(SystemError) -> UInt64? {
        if let numbers { return numbers.first }
        return try opened()?.firstEventID
    }

    func nextEventID() throws(SystemError) -> UInt64? {
        if let numbers { return numbers.next }
        return try opened()?.nextEventID
    }

    func firstKeptEventID() throws(SystemError) -> UInt64? { try opened()?.header.firstKeptEventID }

    func tombstonesBefore() throws(SystemError) -> UInt32? { nil }

    func prepare(durable: Int64?, next: UInt64?) throws(SystemError) -> (any SegmentIndex)? {
        try opened() ?? LostSegment()
    }

    /// Whoever asks has an index over the log that was sealed meanwhile: look for the segment again.
    func log() throws(SystemError) -> any DiskFile { throw SystemError(errno: ENOENT, call: "open") }

    /// There is nothing that another one could be made from.
    func distrustIndex() {}

    func rest(dropIndex: Bool) { file = nil }

    func isReplaced() -> Bool {
        guard let stamp else { return isDamaged }
        do throws(SystemError) { return try disk.stamp(folder + "/" + name.file) != stamp } catch { return true }
    }

    var cost: Int { 0 }
    var isBuilding: Bool { false }
    var isOpen: Bool { file != nil }
}

/// Stands for a segment of which nothing can be read: no rows, and no numbers of its own. Its neighbours' numbers tell what is lost.
final class LostSegment: SegmentIndex {
    let rows = 0
    let salt: UInt32 = 0
    let firstEventID: UInt64 = 0
    let nextEventID: UInt64 = 0
    let oldestReceived = Int64.max
    let newestReceived = Int64.min
    let oldestTimestamp = Int64.max
    let newestTimestamp = Int64.min
    let extentCount = 0
    let sessionCount = 0

    func extent(_ index: Int) throws(IndexFault) -> IndexExtent { throw .damaged }
    func allGaps() throws(IndexFault) -> [IndexGap] { [] }
    func text(_ text: UnsafeRawBufferPointer, of kind: TextKind) throws(IndexFault) -> (code: Int, entry: IndexText)? {
        nil
    }
    func eachText(
        of kind: TextKind, _ body: (_ code: Int, _ entry: IndexText, _ text: UnsafeRawBufferPointer) -> Void
    ) throws(IndexFault) {}
    func textCount(_ kind: TextKind) throws(IndexFault) -> Int { 0 }
    func entry(_ code: Int, of kind: TextKind) throws(IndexFault) -> IndexText { throw .damaged }
    func appendText(_ code: Int, of kind: TextKind, to out: inout [UInt8]) throws(IndexFault) { throw .damaged }
    func prepareHourCounts(work: inout Int) throws(IndexFault) -> Bool { true }
    func hourCounts() throws(IndexFault) -> [HourCount]? { nil }
    func isOverfull(_ kind: TextKind) -> Bool { false }
    func session(_ id: ID128) throws(IndexFault) -> (code: Int, entry: IndexSession)? { nil }
    func session(code: Int) throws(IndexFault) -> IndexSession { throw .damaged }
    func zone(_ group: Int) throws(IndexFault) -> (oldest: Int64, newest: Int64) { throw .damaged }
    func block(_ column: ColumnKind, group: Int) throws(IndexFault) -> ByteBuffer { throw .damaged }
}
