// Reads a whole store and says what is wrong with it: log, rejected samples, indexes, watermark, accounts. Changes nothing, and may run
// beside the service: it looks at what was durable when it began. `repairIndexes` is apart, for who holds the store's lock. Used
// by `eye verify` and by `eye backup` (over the copy); one thread.

import EyeSystem
import Glibc

/// A verification of one data folder.
public final class StoreVerification {
    private let disk: any Disk
    private let folder: String
    private let isRunning: Bool
    private let inventory: LogInventory
    private let rejectedInventory: LogInventory
    private var report = StoreReport()
    private var log: LogVerification?
    /// Closed segments whose index is missing or wrong.
    private var unindexed: [UInt64] = []

    /// Looks at what there is. `isRunning`: another process writes this folder now.
    public init(_ disk: any Disk, folder: String, isRunning: Bool) throws(StoreOpenError) {
        self.disk = disk
        self.folder = folder
        self.isRunning = isRunning
        inventory = try LogInventory(disk, folder: folder, isRunning: isRunning)
        rejectedInventory = try LogInventory(disk, folder: folder + "/rejected", isRunning: isRunning)
    }

    /// Bytes that will be read, about: what progress is measured by.
    public var totalBytes: Int64 { inventory.bytes + rejectedInventory.bytes }

    /// The last event that was durable when this began, by the watermark; nil: there is none.
    public var durableEventID: UInt64? { inventory.mark.map { $0.nextEventID - 1 } }

    /// Reads all of it; `progress` is told how many bytes were read so far.
    public func run(_ progress: (Int64) -> Void) throws(SystemError) -> StoreReport {
        var done: Int64 = 0
        let tell = { (more: Int64) in
            done += more
            progress(done)
        }
        checkWatermark("", inventory)
        let log = try readLog(folder, "log/", .log, inventory, mayLoseSegments: false, tell)
        self.log = log
        report.segments = log.segments.count
        report.sealedSegments = log.segments.count(where: \.name.isSealed)
        report.frames = log.frames
        report.events = log.events
        report.firstEventID = log.firstEventID ?? log.position.nextEventID
        report.nextEventID = log.position.nextEventID
        checkNames()
        try checkIndexes(log)
        checkWatermark("rejected/", rejectedInventory)
        let rejected = try readLog(
            folder + "/rejected", "rejected/log/", .rejected, rejectedInventory, mayLoseSegments: true, tell)
        checkSealedNames()
        report.samples = rejected.records
        report.frames += rejected.frames
        checkAccounts()
        report.bytes = done
        return report
    }

    private func readLog(
        _ folder: String, _ name: String, _ part: StoreFinding.Part, _ inventory: LogInventory, mayLoseSegments: Bool,
        _ tell: (Int64) -> Void
    ) throws(SystemError) -> LogVerification {
        var log = LogVerification(disk, folder: folder, inventory: inventory, mayLoseSegments: mayLoseSegments)
        try log.run(tell)
        for place in log.damage { report.findings.append(StoreFinding(place, part: part, folder: name)) }
        if let tail = log.unfinished {
            var finding = StoreFinding(
                .note, part, file: name + SegmentFolder.name(tail.base, ".log"),
                what: "the last write was not finished; nothing of it was acknowledged",
                advice: "Nothing to do: the next start keeps a copy and cuts it.")
            finding.offset = tail.offset
            finding.bytes = tail.bytes
            report.findings.append(finding)
        }
        if let last = inventory.segments.last, !last.isOpenEnded, !isRunning, last.fileBytes > last.bytes {
            var finding = StoreFinding(
                .note, part, file: name + SegmentFolder.name(last.base, ".log"),
                what: "written, but not known to be durable; nothing of it was acknowledged",
                advice: "Nothing to do: the next start keeps what is whole of it.")
            finding.offset = last.bytes
            finding.bytes = last.fileBytes - last.bytes
            report.findings.append(finding)
        }
        return log
    }

    // MARK: Watermark

    private func checkWatermark(_ prefix: String, _ inventory: LogInventory) {
        let file = prefix + "watermark"
        func note(_ gravity: StoreFinding.Gravity, _ what: String, _ advice: String) {
            report.findings.append(StoreFinding(gravity, .watermark, file: file, what: what, advice: advice))
        }
        if let failure = inventory.markFailure {
            note(.damage, "it cannot be read (\(failure))", "Stop eye, move it away and start eye: it is made anew.")
            return
        }
        if let mark = inventory.mark {
            if !inventory.isMarkSure && !isRunning {
                note(
                    .note, "one of its two places is not whole; it may be behind the log, which is read instead",
                    "Nothing to do: the next start writes both anew.")
            }
            guard let last = inventory.segments.last, mark.segment < last.base else { return }
            note(
                .note, "it is behind the log, as after a power cut", "Nothing to do: the next start writes it anew.")
            return
        }
        if inventory.segments.isEmpty { return }
        do throws(SystemError) {
            _ = try disk.stamp(folder + "/" + file)
            note(
                .damage, "neither of its two places is whole; no event is lost: the log is read instead",
                "Stop eye and start it again: it is written anew from the log.")
        } catch {
            note(
                .note, "it is missing; the log is read instead, and queries are slower",
                "Nothing to do: the next start writes it anew from the log.")
        }
    }

    // MARK: Names

    /// Files in `log/` that are none of ours.
    private func checkNames() {
        let names: [String]
        do throws(SystemError) { names = try disk.list(folder + "/log") } catch { return }
        for name in names.sorted() where SegmentFolder.base(name, ".log") == nil {
            if name.hasSuffix(".new") { continue }
            report.findings.append(StoreFinding(stray: "log/" + name, .log))
        }
    }

    /// Files in `sealed/` that are none of ours, and logs that were sealed and not yet removed.
    private func checkSealedNames() {
        for base in inventory.hidden {
            report.findings.append(
                StoreFinding(
                    .note, .log, file: SegmentName.log(base).file, what: "it was sealed and is not removed yet",
                    advice: "Nothing to do: the running service removes it."))
        }
        let names: [String]
        do throws(SystemError) { names = try disk.list(folder + "/sealed") } catch { return }
        for name in names.sorted() where SealedFolder.segment(name) == nil && !name.hasSuffix(".new") {
            report.findings.append(StoreFinding(stray: "sealed/" + name, .sealed))
        }
    }

    // MARK: Index

    private func checkIndexes(_ log: LogVerification) throws(SystemError) {
        for segment in log.segments where segment.next != nil && !segment.name.isSealed {
            let name = "index/" + SegmentFolder.name(segment.base, ".idx")
            let cache = BlockCache(bytesMax: 1 << 20)
            let index = try IndexFile.open(disk, path: folder + "/" + name, base: segment.base, cache: cache)
            var isWhole = false
            if let index {
                do throws(IndexFault) {
                    try index.checkAll()
                    // Made before a place was damaged, it may know more than the log shows now.
                    isWhole = !segment.isClean || (index.rows == segment.events && index.salt == segment.salt)
                } catch {
                    isWhole = false
                }
            }
            if isWhole {
                report.indexes += 1
                continue
            }
            unindexed.append(segment.base)
            var isThere = true
            do throws(SystemError) { _ = try disk.stamp(folder + "/" + name) } catch { isThere = !error.isMissing }
            report.findings.append(
                isThere
                    ? StoreFinding(
                        .damage, .index, file: name,
                        what: "its checksums are wrong or it belongs to other bytes; no event is lost",
                        advice:
                            "Stop eye and run 'eye verify --repair-index', or delete it: it is made anew from the log.")
                    : StoreFinding(
                        .note, .index, file: name, what: "a closed segment has no index yet; queries are slower",
                        advice: "Nothing to do: the running service makes it."))
        }
    }

    /// After `run`: writes the indexes that it found missing or wrong, and takes those findings back. The caller holds the store's lock.
    public func repairIndexes(_ progress: (Int64) -> Void) throws(SystemError) -> StoreReport {
        guard let log else { return report }
        try disk.makeDirectory(folder + "/index")
        var system = SystemRandomNumberGenerator()
        var done: Int64 = 0
        for base in unindexed {
            guard let segment = log.segments.first(where: { $0.base == base }) else { continue }
            let file = try disk.open(folder + "/log/" + SegmentFolder.name(base, ".log"), .read)
            let bytes = try file.size()
            let builder = IndexBuilder(file, base: base, limit: bytes, seed: system.next())
            builder.supersededAt = segment.next
            while try builder.step() {}
            let name = "index/" + SegmentFolder.name(base, ".idx")
            try IndexFileWriter.write(builder, disk, path: folder + "/" + name)
            report.findings.removeAll { $0.part == .index && $0.file == name }
            report.repairedIndexes += 1
            done += bytes
            progress(done)
        }
        unindexed = []
        return report
    }

    // MARK: Accounts

    private func checkAccounts() {
        do throws(AccountError) {
            _ = try AccountFile(disk, folder: folder, time: SystemTime()).load()
        } catch {
            switch error {
            case .noFolder: break
            case .noAccounts:
                let isUsed = report.events > 0
                report.findings.append(
                    StoreFinding(
                        .note, .accounts, file: AccountFile.name,
                        what: isUsed ? "it is missing beside a store with events" : "there are no accounts yet",
                        advice: isUsed
                            ? "Put a backup of it in its place; without it the next 'eye serve' makes new credentials."
                            : "The first 'eye serve' makes them."))
            default:
                report.findings.append(
                    StoreFinding(
                        .damage, .accounts, file: AccountFile.name, what: "\(error)",
                        advice: "Without it nobody can log in or send."))
            }
        }
    }
}

/// The lock of a store's one writer: the data folder itself, which stays the same whatever is removed from it, and the file in it, for file
/// systems that cannot lock a folder.
public enum StoreLock {
    /// Name of the file in the data folder.
    public static let name = "LOCK"

    /// Takes the lock of the one writer; `.locked` when somebody else still has it after `waitMilliseconds`.
    public static func take(
        _ disk: any Disk, folder: String, waitMilliseconds: Int = 0
    ) throws(StoreOpenError) -> any DiskLock {
        var path = folder
        do throws(SystemError) {
            // First: who does not get it makes no file.
            let held = try disk.lockDirectory(path, waitMilliseconds: waitMilliseconds)
            path += "/" + name
            return Both(folder: held, file: try disk.lock(path, waitMilliseconds: waitMilliseconds))
        } catch {
            if error.isWouldBlock { throw .locked }
            throw .unusable(path: path, error)
        }
    }

    private final class Both: DiskLock {
        private let folder: (any DiskLock)?
        private let file: any DiskLock

        init(folder: (any DiskLock)?, file: any DiskLock) {
            self.folder = folder
            self.file = file
        }

        func isOf(_ path: String) -> Bool { folder?.isOf(path) ?? true }
    }

    /// Whether a writer lives. Never makes the file.
    public static func isHeld(_ disk: RealDisk, folder: String) throws(StoreOpenError) -> Bool {
        var path = folder
        do throws(SystemError) {
            if try disk.isLocked(path) { return true }
            path += "/" + name
            return try disk.isLocked(path)
        } catch {
            throw .unusable(path: path, error)
        }
    }
}
