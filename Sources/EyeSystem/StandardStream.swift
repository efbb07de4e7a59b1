// Blocking reads and writes of a process's own streams and of plain files by descriptor, for the command. A reader that
// went away (`eye tail | head`) is a normal end, not a failure.

import Glibc

/// A descriptor that is read or written from start to end.
public enum StandardStream {
    /// Makes writes to a closed pipe fail with EPIPE, and those beyond the largest file allowed with EFBIG, instead of killing the process.
    /// Called once, at the start.
    public static func ignoreWriteSignals() {
        for number in [SIGPIPE, SIGXFSZ] { _ = signal(number, SIG_IGN) }
    }

    /// Opens what the process was started without of stdin, stdout and stderr, so that no file of ours gets such a number and is written
    /// to in its place. What is written to a stdout that was closed fails (ENOSPC). Called once, at the start, before anything is opened.
    public static func openMissing() {
        for number in STDIN_FILENO...STDERR_FILENO where fcntl(number, F_GETFD) < 0 {
            // open(2) gives the lowest number that is free: this one.
            _ = unsafe open(number == STDOUT_FILENO ? "/dev/full" : "/dev/null", O_RDWR)
        }
    }

    /// Appends at most `limit` bytes that read(2) gives to `bytes`; returns how many, 0 at the end.
    public static func read(_ descriptor: Int32, limit: Int, into bytes: inout [UInt8]) throws(SystemError) -> Int {
        var failure: SystemError?
        let chunk = unsafe [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            do throws(SystemError) {
                // In bounds: read(2) is given the buffer and its own size.
                count = try retrying("read") { unsafe Glibc.read(descriptor, buffer.baseAddress, buffer.count) }
            } catch {
                failure = error
                count = 0
            }
        }
        if let failure { throw failure }
        bytes.append(contentsOf: chunk)
        return chunk.count
    }

    /// Everything up to the end, or the first `limit` bytes.
    public static func readAll(_ descriptor: Int32, limit: Int) throws(SystemError) -> [UInt8] {
        let chunkBytes = 16 * 1024
        var all: [UInt8] = []
        while all.count < limit {
            if try read(descriptor, limit: min(chunkBytes, limit - all.count), into: &all) == 0 { break }
        }
        return all
    }

    /// Writes all of `bytes`. Returns false when nobody reads any more (EPIPE).
    public static func write(_ descriptor: Int32, _ bytes: [UInt8]) throws(SystemError) -> Bool {
        var done = 0
        while done < bytes.count {
            do throws(SystemError) {
                done += try retrying("write") {
                    // In bounds: `done` is below the array's count, and no more than the rest is written.
                    unsafe bytes.withUnsafeBytes {
                        unsafe Glibc.write(descriptor, $0.baseAddress! + done, $0.count - done)
                    }
                }
            } catch {
                if error.errno == EPIPE { return false }
                throw error
            }
        }
        return true
    }

    /// Brings a file to the disk: fsync(2).
    public static func synchronize(_ descriptor: Int32) throws(SystemError) {
        _ = try retrying("fsync") { fsync(descriptor) }
    }

    /// Bytes of a plain file; nil for anything else.
    public static func size(_ descriptor: Int32) -> Int64? {
        var about = stat()
        guard unsafe fstat(descriptor, &about) == 0, about.st_mode & S_IFMT == S_IFREG else { return nil }
        return Int64(about.st_size)
    }

    /// Whether something is at `path` that is no plain file: a pipe, a device, a folder.
    public static func isNoPlainFile(_ path: String) -> Bool {
        var about = stat()
        return unsafe stat(path, &about) == 0 && about.st_mode & S_IFMT != S_IFREG
    }

    /// Sleeps that long, or until a signal comes.
    public static func pause(milliseconds: Int) { usleep(UInt32(milliseconds) * 1000) }

    /// Sleeps that long, or until nobody reads the pipe or socket behind `descriptor` any more; true in that case.
    public static func pauseWhileRead(_ descriptor: Int32, milliseconds: Int32) throws(SystemError) -> Bool {
        var wanted = pollfd(fd: descriptor, events: 0, revents: 0)
        return try retrying("poll") { unsafe poll(&wanted, 1, milliseconds) } > 0
    }
}
