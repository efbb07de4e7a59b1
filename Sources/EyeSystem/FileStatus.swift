// What a path names, and who may do what with it: stat(2), for those who must know before anything is opened. Used by the command before
// a start; any thread.

import Glibc

/// The kinds of things that a path can name, as people read them.
public enum FileKind: String, Sendable {
    case file = "a plain file"
    case folder = "a folder"
    case socket = "a socket"
    case pipe = "a named pipe"
    case deadLink = "a link to nothing"
    case other = "neither a file nor a folder"

    /// The kind by st_mode.
    init(mode: mode_t) {
        self =
            switch mode & S_IFMT {
            case S_IFREG: .file
            case S_IFDIR: .folder
            case S_IFSOCK: .socket
            case S_IFIFO: .pipe
            default: .other
            }
    }
}

/// What stat(2) says of a path.
public struct FileStatus: Sendable {
    public let kind: FileKind
    /// The lower nine bits of st_mode; 0 of a link to nothing.
    public let permissions: UInt32

    /// Whether the group or others may do anything with it.
    public var isOpenToOthers: Bool { permissions & 0o077 != 0 }
}

/// Paths as text.
public enum FolderPath {
    /// The folder that holds `path`.
    public static func parent(of path: String) -> String {
        var parent = path
        func trim() { while parent.utf8.count > 1, parent.hasSuffix("/") { parent.removeLast() } }
        trim()
        while let last = parent.last, last != "/" { parent.removeLast() }
        trim()
        return parent.isEmpty ? "." : parent
    }
}

/// What a process may want to do with a path.
public enum FileAccess: Sendable {
    /// Read and write a file.
    case write
    /// List a folder, and make, replace and remove files in it.
    case change

    fileprivate var mask: Int32 { self == .write ? R_OK | W_OK : R_OK | W_OK | X_OK }
}

extension RealDisk {
    /// Throws when this process may not do that with `path`: access(2), which knows of file systems that are mounted read-only.
    public func checkAccess(_ path: String, _ access: FileAccess) throws(SystemError) {
        _ = try retrying("access") { unsafe Glibc.access(path, access.mask) }
    }

    /// What `path` names, links followed; ENOENT if nothing.
    public func status(_ path: String) throws(SystemError) -> FileStatus {
        var about = stat()
        do throws(SystemError) {
            _ = try retrying("stat") { unsafe stat(path, &about) }
        } catch {
            // Nothing, or a link that leads there.
            guard error.isMissing, unsafe lstat(path, &about) == 0 else { throw error }
            return FileStatus(kind: .deadLink, permissions: 0)
        }
        return FileStatus(kind: FileKind(mode: about.st_mode), permissions: UInt32(about.st_mode & 0o777))
    }

    /// Whether this process may make and replace files in folder `path`: access(2), which knows of file systems that are mounted read-only.
    public func isWritable(_ path: String) -> Bool { unsafe access(path, W_OK) == 0 }
}
