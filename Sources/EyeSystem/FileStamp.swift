// What tells a replaced file from the one that was read before, at the price of one stat(2): services look twice a second
// at files that almost never change.

import Glibc

/// Identity of a file's content: equal stamps of a file that is only ever replaced whole mean equal content.
public struct FileStamp: Hashable, Sendable {
    /// st_dev and st_ino: a replaced file is another inode.
    public let device, inode: UInt64
    /// st_mtim in nanoseconds since 1970.
    public let modifiedNanoseconds: Int64
    /// st_size.
    public let bytes: Int64

    public init(device: UInt64, inode: UInt64, modifiedNanoseconds: Int64, bytes: Int64) {
        self.device = device
        self.inode = inode
        self.modifiedNanoseconds = modifiedNanoseconds
        self.bytes = bytes
    }

    fileprivate init(_ about: stat) {
        self.init(
            device: UInt64(about.st_dev), inode: UInt64(about.st_ino),
            modifiedNanoseconds: Int64(about.st_mtim.tv_sec) * 1_000_000_000 + Int64(about.st_mtim.tv_nsec),
            bytes: Int64(about.st_size))
    }

    /// stat(2): what `path` leads to; ENOENT if nothing.
    static func of(_ path: String) throws(SystemError) -> FileStamp {
        var about = stat()
        _ = try retrying("stat") { unsafe stat(path, &about) }
        return FileStamp(about)
    }

    /// fstat(2), and what kind of thing it is.
    public static func of(_ file: borrowing Descriptor) throws(SystemError) -> (kind: FileKind, stamp: FileStamp) {
        let number = file.number
        var about = stat()
        _ = try retrying("fstat") { unsafe fstat(number, &about) }
        return (FileKind(mode: about.st_mode), FileStamp(about))
    }

    /// Whether it is the same file or folder, whatever is in it by now.
    public func isSameFile(as other: FileStamp) -> Bool { device == other.device && inode == other.inode }
}

extension Disk {
    /// For disks that have no cheaper way: the checksum of the content in place of the time.
    public func stamp(_ path: String) throws(SystemError) -> FileStamp {
        let file = try open(path, .read)
        let content = try file.contents(limit: 1 << 26)
        // In bounds: the buffer is the array's own.
        let checksum = unsafe content.withUnsafeBytes { unsafe Checksum.crc32c($0) }
        return FileStamp(device: 0, inode: 0, modifiedNanoseconds: Int64(checksum), bytes: Int64(content.count))
    }
}

extension RealDisk {
    public func stamp(_ path: String) throws(SystemError) -> FileStamp { try FileStamp.of(path) }
}
