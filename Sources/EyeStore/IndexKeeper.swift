// Makes the index of every closed segment, as background work of the writing process: `step` on a housekeeping thread, a frame or a file at
// a time. Shares nothing with the appender but the list of closed segments, behind a mutex that the appender touches once a segment.

import EyeSystem
import Glibc
import Synchronization

/// The writer's index building.
final class IndexKeeper: Sendable {
    private struct Work {
        /// Closed segments to look at, oldest first, and which segment follows each.
        var bases: [UInt64]
        var active: UInt64
    }

    private let disk: any Disk
    private let folder: String
    private let seed: UInt64
    private let work: Mutex<Work>
    private let building = Building()

    /// What the housekeeping thread alone touches.
    private final class Building: @unchecked Sendable {
        var builder: IndexBuilder?
    }

    init(_ disk: any Disk, folder: String, active: UInt64, seed: UInt64) throws(SystemError) {
        self.disk = disk
        self.folder = folder
        self.seed = seed
        let bases = try SegmentFolder.list(disk, folder + "/log", ".log")
        work = Mutex(Work(bases: bases.filter { $0 < active }, active: active))
    }

    /// A segment was closed by segment `next`; called by the appender.
    func add(_ base: UInt64, next: UInt64) {
        work.withLock { work in
            work.bases.append(base)
            work.active = next
        }
    }

    /// The segment goes: nothing is made for it any more. On the housekeeping thread.
    func forget(_ base: UInt64) {
        if building.builder?.base == base { building.builder = nil }
        work.withLock { $0.bases.removeAll { $0 == base } }
    }

    /// Does a little. `indexed` is given the log of a segment whose index is on the disk now. False: nothing is left for now.
    func step(indexed: (any DiskFile) -> Void = { _ in }) throws(SystemError) -> Bool {
        let job = work.withLock { work -> (base: UInt64, next: UInt64)? in
            guard let base = work.bases.first else { return nil }
            return (base, work.bases.count > 1 ? work.bases[1] : work.active)
        }
        guard let job else { return false }
        do throws(SystemError) {
            if building.builder?.base != job.base {
                if try isIndexed(job.base) { return done(job.base) }
                let file = try disk.open(path(job.base, "log", ".log"), .read)
                building.builder = IndexBuilder(file, base: job.base, limit: try file.size(), seed: seed)
                building.builder?.supersededAt = job.next
            }
            guard let builder = building.builder else { return true }
            if try builder.step() { return true }
            try IndexFileWriter.write(builder, disk, path: path(job.base, "index", ".idx"))
            CrashPoint.reach(.indexWritten)
            indexed(builder.scanner.file)
            return done(job.base)
        } catch {
            building.builder = nil
            // Later, when there is one. What comes next will say the same, once.
            if error.isOutOfDescriptors { return false }
            // Gone, unreadable, or no room: it stays without an index in this life; readers build their own.
            _ = done(job.base)
            if error.errno == ENOENT || error.isFull { return true }
            throw error
        }
    }

    private func done(_ base: UInt64) -> Bool {
        building.builder = nil
        return work.withLock { work in
            if work.bases.first == base { work.bases.removeFirst() }
            return !work.bases.isEmpty
        }
    }

    /// Whether the index that is there has a whole head and is of this segment. One that knows of damage is made anew, once in a life: the
    /// file may have been put right.
    private func isIndexed(_ base: UInt64) throws(SystemError) -> Bool {
        let cache = BlockCache(bytesMax: 1 << 20)
        guard let found = try IndexFile.open(disk, path: path(base, "index", ".idx"), base: base, cache: cache) else {
            return false
        }
        let file = try disk.open(path(base, "log", ".log"), .read)
        guard let header = try SegmentHeader.read(file) else { return true }
        let bytes = try file.size()
        guard found.salt == header.salt && found.coveredBytes <= bytes else { return false }
        do throws(IndexFault) { return try found.allGaps().isEmpty } catch { return false }
    }

    private func path(_ base: UInt64, _ part: String, _ suffix: String) -> String {
        folder + "/" + part + "/" + SegmentFolder.name(base, suffix)
    }
}
