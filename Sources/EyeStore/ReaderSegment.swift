// What a reader keeps of one segment between queries: the open file, its header, its index (the writer's file, or one grown in memory).
// All of it may be dropped at any moment and is found again when it is needed. One thread: the reader's.

import EyeSystem
import Glibc

/// What a reader keeps of a segment, of either kind.
protocol KeptSegment: AnyObject {
    /// For the reader's least-recently-used order.
    var lastUsed: UInt64 { get set }
    /// The first event id by its header; nil: the header is damaged.
    func firstEventID() throws(SystemError) -> UInt64?
    /// The id after its last event, if its header says so.
    func nextEventID() throws(SystemError) -> UInt64?
    /// Events below this id are gone by retention, as far as this segment knows; nil: it cannot say.
    func firstKeptEventID() throws(SystemError) -> UInt64?
    /// Tombstones in the segment before this one, as its header says; nil: not known.
    func tombstonesBefore() throws(SystemError) -> UInt32?
    /// An index that covers the segment up to `durable` bytes (nil: closed, all of it, up to sequence `next`); nil: work is left, call
    /// again.
    func prepare(durable: Int64?, next: UInt64?) throws(SystemError) -> (any SegmentIndex)?
    /// The log file; throws ENOENT when the segment is gone.
    func log() throws(SystemError) -> any DiskFile
    /// The index turned out to be wrong: another one is to be made.
    func distrustIndex()
    /// Lets go of files and, if told to, of an index in memory.
    func rest(dropIndex: Bool)
    /// Whether another file has its name now.
    func isReplaced() -> Bool
    /// Bytes of memory that its index takes, about.
    var cost: Int { get }
    /// An index in memory is made for somebody who was not given it yet.
    var isBuilding: Bool { get }
    var isOpen: Bool { get }
}

/// A reader's view of a segment of the log.
final class ReaderSegment: KeptSegment {
    let base: UInt64
    var lastUsed: UInt64 = 0
    private let disk: any Disk
    private let path: String
    private let indexPath: String
    private let cache: BlockCache
    private let seed: UInt64
    private var file: (any DiskFile)?
    private var header: SegmentHeader?
    private var isHeaderRead = false
    private(set) var builder: IndexBuilder?
    private var indexFile: IndexFile?
    /// Somebody waits for the index in memory, and was not given it yet.
    private var isAwaited = false
    /// The index file was wrong once: do not look at it again.
    private var isFileDistrusted = false

    init(_ disk: any Disk, folder: String, base: UInt64, cache: BlockCache, seed: UInt64) {
        self.disk = disk
        self.base = base
        self.cache = cache
        self.seed = seed
        path = folder + "/log/" + SegmentFolder.name(base, ".log")
        indexPath = folder + "/index/" + SegmentFolder.name(base, ".idx")
    }

    func log() throws(SystemError) -> any DiskFile {
        if let file { return file }
        do throws(SystemError) {
            file = try disk.open(path, .read)
        } catch {
            // A segment that we may not read, or that is no file, is damaged for us: everything else is served.
            guard error.errno == EACCES || error.errno == EPERM || error.isNoFile else { throw error }
            file = ClosedFile()
        }
        return file ?? ClosedFile()
    }

    func firstEventID() throws(SystemError) -> UInt64? {
        if !isHeaderRead {
            let read: SegmentHeader?
            do throws(SystemError) {
                read = try SegmentHeader.read(log())
            } catch {
                // A header that the disk cannot read is a damaged one, and is looked at again.
                guard error.errno == EIO || error.errno == EISDIR else { throw error }
                return nil
            }
            // The header of another file says nothing about this one.
            header = read.flatMap { $0.base == base && $0.version == FormatVersion.current ? $0 : nil }
            isHeaderRead = true
        }
        return header?.firstEventID
    }

    /// Only the next segment says where this one ended.
    func nextEventID() throws(SystemError) -> UInt64? { nil }

    func firstKeptEventID() throws(SystemError) -> UInt64? {
        _ = try firstEventID()
        return header?.firstKeptEventID
    }

    func tombstonesBefore() throws(SystemError) -> UInt32? {
        _ = try firstEventID()
        return header.flatMap {
            $0.tombstonesBefore == SegmentHeader.unknownTombstones ? nil : $0.tombstonesBefore
        }
    }

    /// Does about one frame's work.
    func prepare(durable: Int64?, next: UInt64?) throws(SystemError) -> (any SegmentIndex)? {
        if let known = builder, known.extents.isEmpty, let durable, durable > known.scanner.limit {
            // Nothing of it was shown yet: recovery may have put another file in its place.
            rest(dropIndex: true)
            isHeaderRead = false
        }
        if let builder {
            builder.supersededAt = next
            let limit = try limit(durable)
            if limit > builder.scanner.limit { builder.scanner.limit = limit }
            if try builder.step() { return nil }
            isAwaited = false
            return builder
        }
        if durable == nil && !isFileDistrusted {
            if let indexFile { return indexFile }
            if let opened = try IndexFile.open(disk, path: indexPath, base: base, cache: cache) {
                // Of this very segment, in the length it has now?
                let size = try log().size()
                let salt = try firstEventID() == nil ? nil : header?.salt
                if opened.coveredBytes <= size && (salt == nil || salt == opened.salt) {
                    indexFile = opened
                    return opened
                }
                isFileDistrusted = true
            }
        }
        isAwaited = true
        // A closed one has its index file soon: until then what every index has must do.
        builder = IndexBuilder(
            try log(), base: base, limit: try limit(durable), seed: seed, isForQueries: durable != nil)
        builder?.supersededAt = next
        return nil
    }

    private func limit(_ durable: Int64?) throws(SystemError) -> Int64 {
        if let durable { return durable }
        return try log().size()
    }

    /// One is built in memory instead.
    func distrustIndex() {
        indexFile = nil
        isFileDistrusted = true
    }

    func rest(dropIndex: Bool) {
        file = nil
        indexFile = nil
        if dropIndex { builder = nil }
    }

    /// A closed segment never changes; the active one is looked at anew by `prepare`.
    func isReplaced() -> Bool { false }

    var cost: Int { builder?.cost ?? 0 }
    var isBuilding: Bool { builder != nil && isAwaited }
    var isOpen: Bool { file != nil || indexFile != nil }
}

/// Stands for a file that may not be opened: nothing of it can be read.
private final class ClosedFile: DiskFile {
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(SystemError) -> Int {
        throw SystemError(errno: EIO, call: "open")
    }
    func write(
        _ pieces: UnsafeBufferPointer<UnsafeRawBufferPointer>, at offset: Int64
    ) throws(SystemError) { throw SystemError(errno: EIO, call: "open") }
    func synchronize() throws(SystemError) { throw SystemError(errno: EIO, call: "open") }
    func truncate(to bytes: Int64) throws(SystemError) { throw SystemError(errno: EIO, call: "open") }
    func size() throws(SystemError) -> Int64 { 0 }
}
