// Copies a consistent store, also beside the running service: the segments up to the watermark of one moment, the indexes of closed ones, the
// rejected samples, the accounts. When segments are sealed, rewritten or dropped meanwhile, the moment is taken anew and what changed is
// copied again. Invariant: until everything is written and synced, segments carry names that no start looks at, so that a
// backup that was cut short is an empty store and never half of one. Used by `eye backup`; one thread.

import EyeSystem
import Glibc

/// Why a backup was not made.
public enum BackupError: Error, Sendable, CustomStringConvertible {
    /// The target has something in it already.
    case notEmpty(String)
    /// The source cannot be used.
    case store(StoreOpenError)
    /// Reading or writing failed: the file.
    case failed(path: String, SystemError)
    /// The source changed faster than it could be copied.
    case restless

    public var description: String {
        switch self {
        case .notEmpty(let folder): "\(folder) is not empty: a backup is only made into a new or an empty folder"
        case .store(let error): "\(error)"
        case .failed(let path, let error): "\(path): \(error); what was written so far is no store and can be deleted"
        case .restless: "segments were rewritten or dropped faster than they could be copied; try again"
        }
    }
}

/// A backup of one data folder.
public final class StoreBackup {
    private let disk: any Disk
    private let source: String
    private let target: String
    private let isRunning: Bool
    private var inventory: LogInventory
    private let rejected: LogInventory
    /// Segments that the copy has, of how many bytes, and of which file.
    private var copied: [SegmentName: (bytes: Int64, stamp: FileStamp)] = [:]
    private let buffer = ByteBuffer(count: StoreLimits.scanBytes)
    private var done: Int64 = 0

    /// Looks at what is durable now in `source`: this is what the copy will hold.
    public init(_ disk: any Disk, from source: String, to target: String, isRunning: Bool) throws(BackupError) {
        self.disk = disk
        self.source = source
        self.target = target
        self.isRunning = isRunning
        do throws(StoreOpenError) {
            inventory = try LogInventory(disk, folder: source, isRunning: isRunning)
            rejected = try LogInventory(disk, folder: source + "/rejected", isRunning: isRunning)
        } catch {
            throw .store(error)
        }
    }

    /// Bytes that will be copied, about.
    public var totalBytes: Int64 { inventory.bytes + rejected.bytes }

    /// The last event in the copy; nil: the watermark does not say.
    public var lastEventID: UInt64? { inventory.mark.map { $0.nextEventID - 1 } }

    /// Copies; `progress` is told how many bytes were copied so far. When it returns, everything is durable.
    public func run(_ progress: (Int64) -> Void) throws(BackupError) {
        try prepare()
        let total = totalBytes
        let tell = { (bytes: Int64) in progress(min(bytes, total)) }
        var round = 1
        while try !copySegments(tell) {
            guard round < StoreBackup.roundsMax else { throw .restless }
            round += 1
            do throws(StoreOpenError) {
                inventory = try LogInventory(disk, folder: source, isRunning: isRunning)
            } catch {
                throw .store(error)
            }
        }
        try copyIndexes()
        try copyRejected(tell)
        for name in [AccountFile.name, TokenUse.name] {
            _ = try copy("\(source)/\(name)", to: "\(target)/\(name)", bytes: nil, isOptional: true, tell)
        }
        // Everything is there and synced under names that nobody looks at; now it becomes a store.
        for (part, inventory) in [("/rejected", rejected), ("", inventory)] {
            let folder = target + part
            try at(folder) { () throws(SystemError) in
                for segment in inventory.segments {
                    let path = folder + "/" + segment.name.file
                    if try isThere(path + ".new") { try disk.rename(path + ".new", to: path) }
                }
                if part == "" { try disk.synchronizeDirectory(folder + "/sealed") }
                try disk.synchronizeDirectory(folder + "/log")
            }
            if let mark = inventory.mark {
                try at(target + part + "/watermark") { () throws(SystemError) in
                    let writer = try WatermarkWriter(disk, folder: target + part, from: mark)
                    try writer.publish(mark)
                    try writer.synchronize()
                }
            }
            try at(target + part) { () throws(SystemError) in try disk.synchronizeDirectory(target + part) }
        }
        try at(target) { () throws(SystemError) in try disk.synchronizeDirectory(FolderPath.parent(of: target)) }
    }

    private func prepare() throws(BackupError) {
        try at(target) { () throws(SystemError) in try disk.makeDirectory(target) }
        var isEmpty = false
        try at(target) { () throws(SystemError) in
            isEmpty = try disk.list(target).allSatisfy { $0 == BackupPath.lostAndFound }
        }
        guard isEmpty else { throw .notEmpty(target) }
        for name in ["/log", "/sealed", "/index", "/rejected", "/rejected/log"] {
            try at(target + name) { () throws(SystemError) in try disk.makeDirectory(target + name) }
        }
    }

    /// So often the moment is taken anew.
    private static let roundsMax = 100

    /// Copies what the copy does not have yet of the moment. False: a segment was rewritten or has gone meanwhile.
    private func copySegments(_ progress: (Int64) -> Void) throws(BackupError) -> Bool {
        let wanted = Dictionary(uniqueKeysWithValues: inventory.segments.map { ($0.name, $0.bytes) })
        for name in copied.keys.sorted(by: { $0.first < $1.first }) where wanted[name] == nil { try forget(name) }
        for segment in inventory.segments {
            let name = segment.name
            guard let stamp = try stamp(name) else { return false }
            if let known = copied[name] {
                // What is closed never changes; a sealed segment is only ever replaced.
                if known.bytes == segment.bytes && (known.stamp == stamp || !name.isSealed) { continue }
                try forget(name)
            }
            let path = "/" + name.file
            // Of the last one what is durable, or all that is there where nobody knows.
            guard
                try copy(
                    source + path, to: target + path + ".new", bytes: segment.bytes, isOptional: true, progress)
            else { return false }
            copied[name] = (segment.bytes, stamp)
        }
        // A tombstone that was applied meanwhile is not in the copy any more: what it hides must not be either.
        for segment in inventory.segments where segment.name.isSealed {
            if try stamp(segment.name) != copied[segment.name]?.stamp { return false }
        }
        for part in ["/log", "/sealed"] {
            try at(target + part) { () throws(SystemError) in try disk.synchronizeDirectory(target + part) }
        }
        return true
    }

    private func forget(_ name: SegmentName) throws(BackupError) {
        copied[name] = nil
        let path = target + "/" + name.file + ".new"
        try at(path) { () throws(SystemError) in try disk.removeIfPresent(path) }
    }

    /// Tells the file of a segment from the one that may take its place; nil: it is gone.
    private func stamp(_ name: SegmentName) throws(BackupError) -> FileStamp? {
        let path = source + "/" + name.file
        do throws(SystemError) {
            return try disk.stamp(path)
        } catch {
            if error.isMissing { return nil }
            throw .failed(path: path, error)
        }
    }

    private func copyRejected(_ progress: (Int64) -> Void) throws(BackupError) {
        for segment in rejected.segments {
            let path = "/rejected/" + segment.name.file
            // The oldest may go meanwhile.
            _ = try copy(
                source + path, to: target + path + ".new", bytes: segment.bytes, isOptional: true, progress)
        }
        let log = target + "/rejected/log"
        try at(log) { () throws(SystemError) in try disk.synchronizeDirectory(log) }
    }

    /// Derived, but worth having: without them a restored store has to read its segments before it knows all event_ids.
    private func copyIndexes() throws(BackupError) {
        for segment in inventory.segments where segment.next != nil && !segment.name.isSealed {
            let name = "/index/" + SegmentFolder.name(segment.base, ".idx")
            do throws(BackupError) {
                _ = try copy(source + name, to: target + name, bytes: nil, isOptional: true) { _ in }
            } catch {
                // One that cannot be read is made anew; one that cannot be written is a full disk.
                guard case .failed(let path, _) = error, path == source + name else { throw error }
                try at(target + name) { () throws(SystemError) in try disk.removeIfPresent(target + name) }
            }
        }
        try at(target + "/index") { () throws(SystemError) in try disk.synchronizeDirectory(target + "/index") }
    }

    /// Copies the first `bytes` (nil: all) of a file and syncs the copy. False: the file is gone, which `isOptional` allows.
    private func copy(
        _ from: String, to: String, bytes: Int64?, isOptional: Bool, _ progress: (Int64) -> Void
    ) throws(BackupError) -> Bool {
        let old: any DiskFile
        let limit: Int64
        do throws(SystemError) {
            old = try disk.open(from, .read)
            let size = try old.size()
            limit = bytes ?? size
        } catch {
            if error.isMissing && isOptional { return false }
            throw .failed(path: from, error)
        }
        var new: (any DiskFile)?
        try at(to) { () throws(SystemError) in new = try disk.open(to, .create) }
        guard let new else { preconditionFailure("a file that could not be made was thrown") }
        var offset: Int64 = 0
        while offset < limit {
            let wanted = Int(min(limit - offset, Int64(StoreLimits.scanBytes)))
            var got = 0
            try at(from) { () throws(SystemError) in
                // In bounds: `wanted` is at most the buffer's size.
                got = try unsafe old.read(
                    into: UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[0..<wanted]), at: offset)
            }
            // Shorter than the watermark says: the verification of the copy tells what is missing.
            if got == 0 { break }
            try at(to) { () throws(SystemError) in try unsafe new.write(buffer.view(got), at: offset) }
            offset += Int64(got)
            done += Int64(got)
            progress(done)
        }
        try at(to) { () throws(SystemError) in try new.synchronize() }
        return true
    }

    private func isThere(_ path: String) throws(SystemError) -> Bool {
        do throws(SystemError) {
            _ = try disk.stamp(path)
            return true
        } catch {
            if error.isMissing { return false }
            throw error
        }
    }

    private func at(_ path: String, _ body: () throws(SystemError) -> Void) throws(BackupError) {
        do throws(SystemError) {
            try body()
        } catch {
            throw .failed(path: path, error)
        }
    }
}

/// Paths of a backup.
enum BackupPath {
    /// What a fresh file system has in its root.
    static let lostAndFound = "lost+found"
}
