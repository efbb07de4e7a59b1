// Raw memory that grows as it is appended to: what sealing collects values in and builds blocks with. Grown by doubling, kept for the next
// use, so that a value costs a copy and no allocation. One owner, one thread.

import EyeSystem
import Glibc

/// Growing raw memory.
@safe
final class GrowingBytes {
    private(set) var base: UnsafeMutableRawPointer
    /// Bytes in use.
    private(set) var count = 0
    private(set) var capacity: Int

    init(capacity: Int = 64) {
        self.capacity = max(capacity, 16)
        unsafe base = UnsafeMutableRawPointer.allocate(byteCount: self.capacity, alignment: 16)
    }

    deinit { unsafe base.deallocate() }

    /// What is in use, until the next change.
    var view: UnsafeRawBufferPointer { unsafe UnsafeRawBufferPointer(start: base, count: count) }

    /// Forgets its bytes, not its memory.
    @inline(__always)
    func removeAll() { count = 0 }

    /// Forgets its bytes, and its memory beyond `capacity`.
    func shrink(to capacity: Int) {
        count = 0
        guard self.capacity > capacity else { return }
        unsafe base.deallocate()
        self.capacity = max(capacity, 16)
        unsafe base = UnsafeMutableRawPointer.allocate(byteCount: self.capacity, alignment: 16)
    }

    /// Keeps the first `count` bytes.
    func truncate(to count: Int) {
        precondition(count >= 0 && count <= self.count, "bytes are only taken off")
        self.count = count
    }

    /// Makes room for `more` bytes.
    @inline(__always)
    func reserve(_ more: Int) {
        if capacity &- count < more { grow(more) }
    }

    @inline(never)
    private func grow(_ more: Int) {
        let larger = max(capacity * 2, count + more)
        let fresh = UnsafeMutableRawPointer.allocate(byteCount: larger, alignment: 16)
        // In bounds: the new memory is larger than what is in use of the old.
        unsafe fresh.copyMemory(from: base, byteCount: count)
        unsafe base.deallocate()
        unsafe base = fresh
        capacity = larger
    }

    @inline(__always)
    func append(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress else { return }
        reserve(bytes.count)
        // In bounds: room was just made.
        unsafe memcpy(base + count, start, bytes.count)
        count &+= bytes.count
    }

    @inline(__always)
    func append<T: FixedWidthInteger>(number: T) {
        reserve(MemoryLayout<T>.size)
        // In bounds: room was just made.
        unsafe base.put(number, count)
        count &+= MemoryLayout<T>.size
    }

    func append(id: ID128) {
        reserve(16)
        // In bounds: room was just made.
        unsafe base.put(id, count)
        count += 16
    }

    /// Room for `bytes` more, counted as in use and zero.
    func appendZeros(_ bytes: Int) {
        reserve(bytes)
        // In bounds: room was just made.
        unsafe memset(base + count, 0, bytes)
        count += bytes
    }

    /// Room for up to `bytes` more that `body` writes to; it returns how many it used.
    @inline(__always)
    func append(upTo bytes: Int, _ body: (UnsafeMutableRawPointer) -> Int) {
        reserve(bytes)
        // In bounds: room was just made, and the body keeps to it.
        let used = unsafe body(base + count)
        precondition(used <= bytes, "no more is written than there is room for")
        count += used
    }

    /// A varint: seven bits a byte, the lowest first.
    @inline(__always)
    func append(varint value: UInt64) {
        var left = value
        while left >= 0x80 {
            append(number: UInt8(truncatingIfNeeded: left) | 0x80)
            left >>= 7
        }
        append(number: UInt8(truncatingIfNeeded: left))
    }

    /// The number at `offset`.
    @inline(__always)
    func number<T: FixedWidthInteger>(_ offset: Int, as type: T.Type) -> T { unsafe view.number(offset, as: T.self) }

    /// Overwrites the number at `offset`.
    @inline(__always)
    func set<T: FixedWidthInteger>(_ value: T, _ offset: Int) {
        precondition(offset >= 0 && offset <= count - MemoryLayout<T>.size, "only what is in use is overwritten")
        unsafe base.put(value, offset)
    }
}

extension UnsafeRawBufferPointer {
    /// The varint at `offset`, which is moved behind it; nil: it does not end, or is longer than ten bytes.
    @inline(__always)
    func varint(_ offset: inout Int) -> UInt64? {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while offset < count && shift < 70 {
            // In bounds: just compared.
            let byte = unsafe self[offset]
            offset &+= 1
            value |= UInt64(byte & 0x7F) &<< shift
            if byte < 0x80 { return value }
            shift &+= 7
        }
        return nil
    }
}
