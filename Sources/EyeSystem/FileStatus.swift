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
    fileprivate init(mode: mode_t) {
        self =
            switch mode & S_IFMT {
            case S_IFREG: .file
            case S_IFDIR: .folder
            case S_IFSOCK: .socket
            case S_IFIFO: .pipe
            default: .other
            }
    }

    /// fstat(2).
    static func of(_ file: borrowing Descriptor) throws(SystemError) -> FileKind {
        let number = file.number
        var about = stat()
        _ = try retrying("fstat") { unsafe fstat(number, &about) }
        return FileKind(mode: about.st_mode)
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

extension RealDisk {
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
