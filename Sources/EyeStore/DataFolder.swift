// What a data folder has in it, by name and kind. Looked at before a start touches anything: what is of another kind is in the way and must
// not be overwritten, and what other users may open is told. Used by the command, on the main thread.

import EyeSystem

/// The entries of a data folder.
public enum DataFolder {
    /// Name and kind of everything that the store keeps there; the sockets of the services come on top.
    static let entries: [(name: String, kind: FileKind)] = [
        ("log", .folder), ("index", .folder), ("sealed", .folder), ("rejected", .folder), ("rejected/log", .folder),
        (StoreLock.name, .file), ("watermark", .file), (AccountFile.name, .file), (AccountFile.lockName, .file),
        (TokenUse.name, .file), (RetentionClock.fileName, .file), ("rejected/watermark", .file),
        // Under these names files are made before they take another's place.
        ("watermark.new", .file), (AccountFile.temporaryName, .file), (TokenUse.temporaryName, .file),
        (RetentionClock.fileName + ".new", .file), ("rejected/watermark.new", .file),
    ]

    /// Folders that hold nothing but files of the store, and what others put there.
    private static let segmentFolders = ["log", "sealed", "index", "rejected/log"]

    /// Whether the store makes, replaces or removes files of this name in one of these.
    private static func isOurs(_ name: String) -> Bool {
        name.hasSuffix(".new") || SegmentFolder.base(name, ".log") != nil || SegmentFolder.base(name, ".idx") != nil
            || SealedFolder.segment(name) != nil
    }

    /// Throws when something there is not of the kind that belongs there. What is missing is fine. `sockets`: names of sockets;
    /// `onlyFolders`: what is no folder is not looked at.
    public static func check(
        _ disk: RealDisk, _ folder: String, sockets: [String] = [], onlyFolders: Bool = false
    ) throws(StoreOpenError) {
        try check(disk, folder, .folder)
        for (name, kind) in entries where kind == .folder || !onlyFolders { try check(disk, "\(folder)/\(name)", kind) }
        for name in sockets { try check(disk, "\(folder)/\(name)", .socket) }
        if onlyFolders { return }
        for part in segmentFolders {
            for (name, kind) in strangers(disk, "\(folder)/\(part)") where isOurs(name) {
                throw .inTheWay(path: "\(folder)/\(part)/\(name)", is: kind, wanted: .file)
            }
        }
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

    /// What is no plain file; nothing where the folder is not there yet, or cannot be listed, which the first one who does finds out.
    private static func strangers(_ disk: RealDisk, _ folder: String) -> [(name: String, kind: FileKind)] {
        do throws(SystemError) { return try disk.strangers(folder) } catch { return [] }
    }

    /// Nil: nothing is there, or we may not look, which the first one who opens it finds out.
    private static func status(_ disk: RealDisk, _ path: String) -> FileStatus? {
        do throws(SystemError) { return try disk.status(path) } catch { return nil }
    }
}
