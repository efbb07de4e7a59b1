// What a data folder has in it, by name and kind. Looked at before a start touches anything: what is of another kind is in the way and must
// not be overwritten, and what other users may open is told. Used by the command, on the main thread.

import EyeSystem

/// The entries of a data folder.
public enum DataFolder {
    /// Name and kind of everything that the store keeps there; the sockets of the services come on top.
    private static let entries: [(name: String, kind: FileKind)] = [
        ("log", .folder), ("index", .folder), ("sealed", .folder), ("rejected", .folder), ("rejected/log", .folder),
        (StoreLock.name, .file), ("watermark", .file), (AccountFile.name, .file), (AccountFile.lockName, .file),
        (TokenUse.name, .file), (RetentionClock.fileName, .file), ("rejected/watermark", .file),
    ]

    /// Throws when something there is not of the kind that belongs there. What is missing is fine. `sockets`: names of sockets;
    /// `onlyFolders`: what is no folder is not looked at.
    public static func check(
        _ disk: RealDisk, _ folder: String, sockets: [String] = [], onlyFolders: Bool = false
    ) throws(StoreOpenError) {
        try check(disk, folder, .folder)
        for (name, kind) in entries where kind == .folder || !onlyFolders { try check(disk, "\(folder)/\(name)", kind) }
        for name in sockets { try check(disk, "\(folder)/\(name)", .socket) }
    }

    private static func check(_ disk: RealDisk, _ path: String, _ wanted: FileKind) throws(StoreOpenError) {
        guard let kind = status(disk, path)?.kind, kind != wanted else { return }
        throw .inTheWay(path: path, is: kind, wanted: wanted)
    }

    /// What the group or others may do something with, as `PATH (0755)`; the folder itself first.
    public static func openToOthers(_ disk: RealDisk, _ folder: String, sockets: [String] = []) -> [String] {
        let paths = [folder] + (entries.map(\.name) + sockets).map { "\(folder)/\($0)" }
        return paths.compactMap { path in
            guard let found = status(disk, path), found.isOpenToOthers else { return nil }
            let digits = String(found.permissions, radix: 8)
            return "\(path) (\(String(repeating: "0", count: 4 - digits.utf8.count))\(digits))"
        }
    }

    /// Nil: nothing is there, or we may not look, which the first one who opens it finds out.
    private static func status(_ disk: RealDisk, _ path: String) -> FileStatus? {
        do throws(SystemError) { return try disk.status(path) } catch { return nil }
    }
}
