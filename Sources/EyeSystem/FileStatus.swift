// What a path names, and who may do what with it: stat(2), for those who must know before anything is opened. Used by the command before
// a start; any thread.

import Glibc

/// The kinds of things that a path can name, as people read them.
public enum FileKind: String, Sendable {
    case file = "a plain file"
    case folder = "a folder"
    case socket = "a socket"
    case other = "neither a file nor a folder"
}

/// What stat(2) says of a path.
public struct FileStatus: Sendable {
    public let kind: FileKind
    /// The lower nine bits of st_mode.
    public let permissions: UInt32

    /// Whether the group or others may do anything with it.
    public var isOpenToOthers: Bool { permissions & 0o077 != 0 }
}

extension RealDisk {
    /// What `path` names, links followed; ENOENT if nothing.
    public func status(_ path: String) throws(SystemError) -> FileStatus {
        var about = stat()
        _ = try retrying("stat") { unsafe stat(path, &about) }
        let kind: FileKind =
            switch about.st_mode & S_IFMT {
            case S_IFREG: .file
            case S_IFDIR: .folder
            case S_IFSOCK: .socket
            default: .other
            }
        return FileStatus(kind: kind, permissions: UInt32(about.st_mode & 0o777))
    }
}
