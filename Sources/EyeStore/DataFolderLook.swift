// What can be told of a data folder without opening a store: whether one is in it, and whether a start could use it. Changes nothing.
// Used by commands, on the main thread.

import EyeSystem
import Glibc

extension DataFolder {
    /// Whether it is one: a start, `eye init` or a backup leaves a watermark or accounts there, and segments are a store whatever is missing
    /// beside them. Throws when the folder cannot be listed; ENOENT: there is none.
    public static func isOne(_ disk: any Disk, _ folder: String) throws(SystemError) -> Bool {
        let names = try disk.list(folder)
        if names.contains("watermark") || names.contains(AccountFile.name) { return true }
        return try !SegmentList(disk, folder).segments.isEmpty
    }

    /// Throws when this process may not do in the folder what a writing start does there, or when the store in it was written by a newer
    /// version. A folder that is not there yet must be one that can be made.
    public static func checkAccess(_ disk: RealDisk, _ folder: String) throws(StoreOpenError) {
        guard try isAllowed(disk, folder, to: .change) else {
            _ = try isAllowed(disk, FolderPath.parent(of: folder), to: .change, mayBeMissing: false)
            return
        }
        for (name, kind) in entries where kind == .folder {
            _ = try isAllowed(disk, "\(folder)/\(name)", to: .change)
        }
        // Others are only ever replaced, or set aside when they cannot be read.
        for name in [StoreLock.name, "watermark"] { _ = try isAllowed(disk, "\(folder)/\(name)", to: .write) }
        _ = try LogRecovery.look(disk, folder)
    }

    /// False: it is not there.
    private static func isAllowed(
        _ disk: RealDisk, _ path: String, to access: FileAccess, mayBeMissing: Bool = true
    ) throws(StoreOpenError) -> Bool {
        do throws(SystemError) {
            try disk.checkAccess(path, access)
            return true
        } catch {
            if mayBeMissing && error.isMissing { return false }
            throw .unusable(path: path, error)
        }
    }
}
