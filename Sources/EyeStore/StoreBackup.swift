// Copies a consistent store, also beside the running service: the segments up to the watermark of one moment, the indexes of closed ones, the
// rejected samples, the accounts. Invariant: until everything is written and synced, segments carry names that no start looks at, so
// that a backup that was cut short is an empty store and never half of one. Used by `eye backup`; one thread.

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

    public var description: String {
        switch self {
        case .notEmpty(let folder): "\(folder) is not empty: a backup is only made into a new or an empty folder"
        case .store(let error): "\(error)"
        case .failed(let path, let error): "\(path): \(error); what was written so far is no store and can be deleted"
        }
    }
}

/// A backup of one data folder.
public final class StoreBackup {
    private let disk: any Disk
    private let source: String
    private let target: String
    private let inventory: LogInventory
    private let rejected: LogInventory
    private let buffer = ByteBuffer(count: StoreLimits.scanBytes)
    private var done: Int64 = 0

    /// Looks at what is durable now in `source`: this is what the copy will hold.
    public init(_ disk: any Disk, from source: String, to target: String, isRunning: Bool) throws(BackupError) {
        self.disk = disk
        self.source = source
        self.target = target
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
        try copyLog("", inventory, progress)
        try copyIndexes()
        try copyLog("/rejected", rejected, progress)
        for name in [AccountFile.name, TokenUse.name] {
            _ = try copy("\(source)/\(name)", to: "\(target)/\(name)", bytes: nil, isOptional: true, progress)
        }
        // Everything is there and synced under names that nobody looks at; now it becomes a store.
        for (part, inventory) in [("/rejected", rejected), ("", inventory)] {
            let log = target + part + "/log"
            try at(log) { () throws(SystemError) in
                for segment in inventory.segments {
                    let path = log + "/" + SegmentFolder.name(segment.base, ".log")
                    if try isThere(path + ".new") { try disk.rename(path + ".new", to: path) }
                }
                try disk.synchronizeDirectory(log)
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
        try at(target) { () throws(SystemError) in try disk.synchronizeDirectory(BackupPath.parent(of: target)) }
    }

    private func prepare() throws(BackupError) {
        try at(target) { () throws(SystemError) in try disk.makeDirectory(target) }
        var isEmpty = false
        try at(target) { () throws(SystemError) in
            isEmpty = try disk.list(target).allSatisfy { $0 == BackupPath.lostAndFound }
        }
        guard isEmpty else { throw .notEmpty(target) }
        for name in ["/log", "/index", "/rejected", "/rejected/log"] {
            try at(target + name) { () throws(SystemError) in try disk.makeDirectory(target + name) }
        }
    }

    private func copyLog(
        _ part: String, _ inventory: LogInventory, _ progress: (Int64) -> Void
    ) throws(BackupError) {
        for segment in inventory.segments {
            let name = part + "/log/" + SegmentFolder.name(segment.base, ".log")
            // Of the last one what is durable, or all that is there where nobody knows; of rejected samples the oldest may go meanwhile.
            _ = try copy(
                source + name, to: target + name + ".new", bytes: segment.bytes, isOptional: part != "", progress)
        }
        try at(target + part + "/log") { () throws(SystemError) in
            try disk.synchronizeDirectory(target + part + "/log")
        }
    }

    /// Derived, but worth having: without them a restored store has to read its segments before it knows all event_ids.
    private func copyIndexes() throws(BackupError) {
        for segment in inventory.segments where segment.next != nil {
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

    /// The folder that holds `path`.
    static func parent(of path: String) -> String {
        var parent = path
        while parent.utf8.count > 1, parent.hasSuffix("/") { parent.removeLast() }
        while let last = parent.last, last != "/" { parent.removeLast() }
        return parent.isEmpty ? "." : parent
    }
}
