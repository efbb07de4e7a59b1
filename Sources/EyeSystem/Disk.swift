// The file layer behind the store: a small protocol, so that tests can put a simulated disk (lost, reordered and torn
// writes) in its place, and the real one. Paths are plain strings; offsets are bytes from the start of the file.
// Called by EyeStore on any thread; a `DiskFile` is used by one thread at a time unless its owner says otherwise.

import CEyeLinux
import Glibc

/// How `Disk.open` opens a file.
public enum DiskOpenMode: Sendable {
    /// Read only; ENOENT if missing.
    case read
    /// Read and write an existing file; ENOENT if missing.
    case write
    /// Make a new file (mode 0600) for reading and writing; EEXIST if there is one.
    case create
}

/// An open file.
public protocol DiskFile: AnyObject, Sendable {
    /// pread(2) until `buffer` is full or the file ends; returns the bytes read.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(SystemError) -> Int
    /// Writes every piece, one after the other, from `offset` on (pwritev(2), repeated after short writes). When it
    /// throws, any prefix may have been written.
    func write(_ pieces: UnsafeBufferPointer<UnsafeRawBufferPointer>, at offset: Int64) throws(SystemError)
    /// fdatasync(2). A failure is final: never call it again on this file.
    func synchronize() throws(SystemError)
    func truncate(to bytes: Int64) throws(SystemError)
    func size() throws(SystemError) -> Int64
    /// Whether `path` still leads to it (stat(2)): false when another file, or none, is there. True when that cannot be known, and by default.
    func isNamed(_ path: String) -> Bool
    /// posix_fadvise(2), POSIX_FADV_DONTNEED: what is durable of the file leaves the page cache. A hint that cannot fail; does nothing
    /// by default.
    func uncache()
}

/// A directory of a disk.
public protocol DiskDirectory: AnyObject, Sendable {
    /// fsync(2): makes creates, renames and removes in it durable.
    func synchronize() throws(SystemError)
}

/// Held until it is released by `deinit`.
public protocol DiskLock: AnyObject, Sendable {
    /// Whether `path` still names what is locked; true by default.
    func isOf(_ path: String) -> Bool
}

extension DiskLock {
    public func isOf(_ path: String) -> Bool { true }
}

/// A file system.
public protocol Disk: AnyObject, Sendable {
    /// ENXIO: `path` names something that has no content of its own to be read, such as a FIFO or a socket. Never waits for one.
    /// EMFILE when no descriptor is left, or none but those for files that are written (`OpenFiles`).
    func open(_ path: String, _ mode: DiskOpenMode) throws(SystemError) -> any DiskFile
    /// Names in a directory, without `.` and `..`, in no order.
    func list(_ directory: String) throws(SystemError) -> [String]
    func rename(_ from: String, to: String) throws(SystemError)
    func remove(_ path: String) throws(SystemError)
    /// mkdir(2) with mode 0700; a directory that is already there is no error.
    func makeDirectory(_ path: String) throws(SystemError)
    /// fsync(2) of a directory: makes creates, renames and removes in it durable.
    func synchronizeDirectory(_ path: String) throws(SystemError)
    /// A directory that is to be made durable again and again. Has a default, see `NamedDirectory`.
    func openDirectory(_ path: String) throws(SystemError) -> any DiskDirectory
    /// stat(2): what tells a replaced file from the one before; ENOENT if missing. Has a default, see `FileStamp`.
    func stamp(_ path: String) throws(SystemError) -> FileStamp
    /// Bytes that may still be allocated on the file system of `path` by an unprivileged process.
    func freeBytes(_ path: String) throws(SystemError) -> UInt64
    /// flock(2), exclusive, of a file made for it (0600). Throws EWOULDBLOCK when somebody else holds it after
    /// `waitMilliseconds`.
    func lock(_ path: String, waitMilliseconds: Int) throws(SystemError) -> any DiskLock
    /// The same of a directory that is there, whatever is in it. Nil: its file system has no locks on directories (NFS); so it is by default.
    func lockDirectory(_ path: String, waitMilliseconds: Int) throws(SystemError) -> (any DiskLock)?
}

/// A directory by its name.
private final class NamedDirectory: DiskDirectory {
    private let disk: any Disk
    private let path: String

    init(_ disk: any Disk, _ path: String) {
        self.disk = disk
        self.path = path
    }

    func synchronize() throws(SystemError) { try disk.synchronizeDirectory(path) }
}

extension Disk {
    public func openDirectory(_ path: String) throws(SystemError) -> any DiskDirectory { NamedDirectory(self, path) }
    public func lockDirectory(_ path: String, waitMilliseconds: Int) throws(SystemError) -> (any DiskLock)? { nil }
}

extension DiskFile {
    public func isNamed(_ path: String) -> Bool { true }
    public func uncache() {}

    /// Writes one piece, see `write(_:at:)`.
    public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(SystemError) {
        let one = UnsafeMutablePointer<UnsafeRawBufferPointer>.allocate(capacity: 1)
        defer { unsafe one.deallocate() }
        unsafe one.initialize(to: bytes)
        try unsafe write(UnsafeBufferPointer(start: one, count: 1), at: offset)
    }

    /// The whole file, or its first `limit` bytes if it is longer.
    public func contents(limit: Int) throws(SystemError) -> [UInt8] {
        let bytes = Int(min(try size(), Int64(limit)))
        var failure: SystemError?
        let all = unsafe [UInt8](unsafeUninitializedCapacity: bytes) { buffer, count in
            do throws(SystemError) {
                count = try unsafe read(into: UnsafeMutableRawBufferPointer(buffer), at: 0)
            } catch {
                failure = error
                count = 0
            }
        }
        if let failure { throw failure }
        return all
    }
}

/// The machine's own file system.
public final class RealDisk: Disk {
    public init() {}

    public func open(_ path: String, _ mode: DiskOpenMode) throws(SystemError) -> any DiskFile {
        let flags: Int32 =
            switch mode {
            case .read: O_RDONLY
            case .write: O_RDWR
            case .create: O_RDWR | O_CREAT | O_EXCL
            }
        // Without O_NONBLOCK open(2) waits until a FIFO has another end.
        let file = try Descriptor.open(path, flags: flags | O_NONBLOCK)
        let (kind, stamp) = try FileStamp.of(file)
        // A folder can be opened for reading, and says EISDIR when it is read.
        guard kind == .file || kind == .folder else { throw SystemError(errno: ENXIO, call: "open") }
        if mode == .read, Int(file.number) >= (try OpenFiles.bound(reserving: OpenFiles.reservedForWriting)) {
            throw SystemError(errno: EMFILE, call: "open")
        }
        return RealFile(file, stamp)
    }

    public func list(_ directory: String) throws(SystemError) -> [String] {
        var names: [String] = []
        try each(directory) { name, _ in names.append(name) }
        return names
    }

    /// Gives the name and the `d_type` of every entry to `body`, without `.` and `..`.
    private func each(
        _ directory: String, _ body: (_ name: String, _ type: UInt8) throws(SystemError) -> Void
    ) throws(SystemError) {
        guard let stream = unsafe opendir(directory) else { throw SystemError.last("opendir") }
        defer { unsafe _ = closedir(stream) }
        while true {
            errno = 0
            guard let entry = unsafe readdir(stream) else {
                if errno != 0 { throw SystemError.last("readdir") }
                return
            }
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                // In bounds: d_name is a NUL-terminated array inside the entry (readdir(3)).
                unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            if name != "." && name != ".." { try body(name, unsafe entry.pointee.d_type) }
        }
    }

    /// The entries of a directory whose kind is another one than that of a plain file, without `.` and `..`: what links lead to. Asks the
    /// file system about those alone that the directory itself does not call plain files.
    public func strangers(_ directory: String) throws(SystemError) -> [(name: String, kind: FileKind)] {
        var found: [(name: String, kind: FileKind)] = []
        try each(directory) { (name, type) throws(SystemError) in
            if type == UInt8(DT_REG) { return }
            do throws(SystemError) {
                let kind = try status("\(directory)/\(name)").kind
                if kind != .file { found.append((name, kind)) }
            } catch {
                // Gone meanwhile, or not ours to look at: whoever opens it finds that out.
            }
        }
        return found
    }

    public func rename(_ from: String, to: String) throws(SystemError) {
        _ = try retrying("rename") { unsafe Glibc.rename(from, to) }
    }

    public func remove(_ path: String) throws(SystemError) {
        _ = try retrying("unlink") { unsafe unlink(path) }
    }

    public func makeDirectory(_ path: String) throws(SystemError) {
        do throws(SystemError) {
            _ = try retrying("mkdir") { unsafe mkdir(path, 0o700) }
        } catch {
            if error.errno != EEXIST { throw error }
        }
    }

    public func synchronizeDirectory(_ path: String) throws(SystemError) {
        let directory = try openDirectory(path)
        // A temporary may be closed as soon as its number was read.
        try withExtendedLifetime(directory) { () throws(SystemError) in try directory.synchronize() }
    }

    /// Held open: to make it durable needs no descriptor then.
    public func openDirectory(_ path: String) throws(SystemError) -> any DiskDirectory {
        RealDirectory(try Descriptor.open(path, flags: O_RDONLY | O_DIRECTORY))
    }

    public func freeBytes(_ path: String) throws(SystemError) -> UInt64 {
        var bytes: UInt64 = 0
        _ = try retrying("statvfs") { unsafe eye_free_bytes(path, &bytes) }
        return bytes
    }

    public func lock(_ path: String, waitMilliseconds: Int) throws(SystemError) -> any DiskLock {
        let file = try Descriptor.open(path, flags: O_RDWR | O_CREAT | O_NONBLOCK)
        try RealLock.take(file, LOCK_EX, waitMilliseconds: waitMilliseconds)
        return try RealLock(file)
    }

    public func lockDirectory(_ path: String, waitMilliseconds: Int) throws(SystemError) -> (any DiskLock)? {
        let directory = try Descriptor.open(path, flags: O_RDONLY | O_DIRECTORY)
        do throws(SystemError) {
            try RealLock.take(directory, LOCK_EX, waitMilliseconds: waitMilliseconds)
        } catch {
            if RealLock.isUnknown(error) { return nil }
            throw error
        }
        return try RealLock(directory)
    }

    /// Whether somebody holds the lock `path`, a file or a directory, now; false when there is no such thing, or no locks on directories.
    /// A shared lock is tried for a moment.
    public func isLocked(_ path: String) throws(SystemError) -> Bool {
        do throws(SystemError) {
            let file = try Descriptor.open(path, flags: O_RDONLY | O_NONBLOCK)
            try RealLock.take(file, LOCK_SH, waitMilliseconds: 0)
        } catch {
            if error.isMissing || RealLock.isUnknown(error) { return false }
            if error.call.description == RealLock.call.description, error.isWouldBlock { return true }
            throw error
        }
        return false
    }
}

private final class RealDirectory: DiskDirectory {
    private let directory: Descriptor
    init(_ directory: consuming Descriptor) { self.directory = directory }
    func synchronize() throws(SystemError) { _ = try retrying("fsync") { fsync(directory.number) } }
}

private final class RealLock: DiskLock {
    private let file: Descriptor
    /// Which one that is; while it is open no other gets its number.
    private let stamp: FileStamp

    init(_ file: consuming Descriptor) throws(SystemError) {
        stamp = try FileStamp.of(file).stamp
        self.file = file
    }

    func isOf(_ path: String) -> Bool {
        do throws(SystemError) { return try FileStamp.of(path).isSameFile(as: stamp) } catch { return false }
    }

    static let call: StaticString = "flock"
    private static let pauseMilliseconds = 10

    /// flock(2) with `operation`; EWOULDBLOCK when somebody else holds it after `waitMilliseconds`. Lent, so that `file` is open until the end: a
    /// number that was only read may be closed behind it.
    static func take(_ file: borrowing Descriptor, _ operation: Int32, waitMilliseconds: Int) throws(SystemError) {
        var waited = 0
        while flock(file.number, operation | LOCK_NB) != 0 {
            if errno == EINTR { continue }
            // Not `SystemError.last`: where a lock is one on bytes, a directory, which nobody can write, gives EBADF.
            if errno != EWOULDBLOCK || waited >= waitMilliseconds { throw SystemError(errno: errno, call: call) }
            usleep(UInt32(pauseMilliseconds * 1000))
            waited += pauseMilliseconds
        }
    }

    /// The file system has no such lock.
    static func isUnknown(_ error: SystemError) -> Bool {
        error.call.description == call.description
            && [EBADF, EINVAL, ENOLCK, ENOSYS, EOPNOTSUPP].contains(error.errno)
    }
}

/// A file of the machine's own file system.
final class RealFile: DiskFile {
    private let file: Descriptor
    /// As it was opened: which one it is; while it is open no other gets its number.
    private let stamp: FileStamp

    init(_ file: consuming Descriptor, _ stamp: FileStamp) {
        self.file = file
        self.stamp = stamp
    }

    func isNamed(_ path: String) -> Bool {
        do throws(SystemError) {
            return try FileStamp.of(path).isSameFile(as: stamp)
        } catch {
            // Whoever may not look, or cannot for now, knows nothing.
            return error.errno != ENOENT && error.errno != ENOTDIR
        }
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(SystemError) -> Int {
        var done = 0
        while done < buffer.count {
            // In bounds: `done` is below the buffer's count, and no more than the rest is asked for.
            let got = try retrying("pread") {
                unsafe pread(file.number, buffer.baseAddress! + done, buffer.count - done, Int(offset) + done)
            }
            if got == 0 { break }
            done += got
        }
        return done
    }

    func write(_ pieces: UnsafeBufferPointer<UnsafeRawBufferPointer>, at offset: Int64) throws(SystemError) {
        let vectorsMax = 64
        try unsafe withUnsafeTemporaryAllocationTyped(of: iovec.self, capacity: vectorsMax) {
            (vectors: UnsafeMutableBufferPointer<iovec>) throws(SystemError) in
            var next = 0  // first piece that is not wholly written
            var skip = 0  // bytes of it that are
            var position = offset
            while true {
                var count = 0
                while count < vectorsMax && next + count < pieces.count {
                    let piece = unsafe pieces[next + count]
                    let from = count == 0 ? skip : 0
                    unsafe vectors[count] = iovec(
                        iov_base: UnsafeMutableRawPointer(mutating: piece.baseAddress.map { unsafe $0 + from }),
                        iov_len: piece.count - from)
                    count += 1
                }
                if count == 0 { return }
                var wrote = try retrying("pwritev") {
                    unsafe pwritev(file.number, vectors.baseAddress!, Int32(count), Int(position))
                }
                position += Int64(wrote)
                while unsafe next < pieces.count && wrote >= pieces[next].count - skip {
                    wrote -= unsafe pieces[next].count - skip
                    skip = 0
                    next += 1
                }
                skip += wrote
            }
        }
    }

    func synchronize() throws(SystemError) {
        // Not `retrying`: a failed sync is final whatever its errno (promise 7 of the README).
        if eye_sync_data(file.number) != 0 { throw SystemError.last("fdatasync") }
    }

    func truncate(to bytes: Int64) throws(SystemError) {
        _ = try retrying("ftruncate") { ftruncate(file.number, Int(bytes)) }
    }

    func size() throws(SystemError) -> Int64 {
        var about = stat()
        _ = try retrying("fstat") { unsafe fstat(file.number, &about) }
        return Int64(about.st_size)
    }

    func uncache() {
        // Its only errors are a wrong descriptor and a wrong advice (posix_fadvise(2)).
        _ = posix_fadvise(file.number, 0, 0, POSIX_FADV_DONTNEED)
    }
}

/// `withUnsafeTemporaryAllocation` with a typed error.
@inline(__always)
func withUnsafeTemporaryAllocationTyped<T, R>(
    of type: T.Type, capacity: Int, _ body: (UnsafeMutableBufferPointer<T>) throws(SystemError) -> R
) throws(SystemError) -> R {
    let result = unsafe withUnsafeTemporaryAllocation(of: type, capacity: capacity) { buffer in
        do throws(SystemError) {
            return Result<R, SystemError>.success(try unsafe body(buffer))
        } catch {
            return Result<R, SystemError>.failure(error)
        }
    }
    return try result.get()
}
