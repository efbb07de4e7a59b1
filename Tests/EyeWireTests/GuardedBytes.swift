import Glibc
import Synchronization

/// Bytes whose end is the end of a page, with a page behind it that may not be touched: a read beyond them kills the test.
enum GuardedBytes {
    /// Memory with such a page behind it, used again and again: mapping it anew for each text costs more than most tests.
    private struct Place: @unchecked Sendable {
        let start: UnsafeMutableRawPointer
        let bytes: Int

        init(bytes: Int) {
            let page = Int(sysconf(Int32(_SC_PAGESIZE)))
            self.bytes = (bytes + page - 1) / page * page
            let map = mmap(nil, self.bytes + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)!
            precondition(map != MAP_FAILED, "no memory for a test")
            precondition(mprotect(map + self.bytes, page, PROT_NONE) == 0)
            start = map
        }
    }

    private static let placeBytes = 1 << 16
    private static let free = Mutex<[Place]>([])

    /// Calls `body` with a copy of `bytes` at such a place.
    static func with<R>(_ bytes: [UInt8], _ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        let isLarge = bytes.count > placeBytes
        let place = (isLarge ? nil : free.withLock { $0.popLast() }) ?? Place(bytes: max(bytes.count, placeBytes))
        defer {
            if isLarge {
                munmap(place.start, place.bytes + Int(sysconf(Int32(_SC_PAGESIZE))))
            } else {
                free.withLock { $0.append(place) }
            }
        }
        let start = place.start + place.bytes - bytes.count
        if !bytes.isEmpty { start.copyMemory(from: bytes, byteCount: bytes.count) }
        return try body(UnsafeRawBufferPointer(start: start, count: bytes.count))
    }
}
