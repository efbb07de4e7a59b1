import Glibc

/// Bytes whose end is the end of a page, with a page behind it that may not be touched: a read beyond them kills the test.
enum GuardedBytes {
    /// Calls `body` with a copy of `bytes` at such a place.
    static func with<R>(_ bytes: [UInt8], _ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        let room = (bytes.count + page - 1) / page * page
        let map = mmap(nil, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)!
        precondition(map != MAP_FAILED, "no memory for a test")
        defer { munmap(map, room + page) }
        precondition(mprotect(map + room, page, PROT_NONE) == 0)
        let start = map + room - bytes.count
        if !bytes.isEmpty { start.copyMemory(from: bytes, byteCount: bytes.count) }
        return try body(UnsafeRawBufferPointer(start: start, count: bytes.count))
    }
}
