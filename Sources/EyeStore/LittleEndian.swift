// Numbers in bytes: little-endian, by shifts where the machine differs, at any alignment. The leaf through which every other file of
// the store reads and writes raw memory; callers have compared the offset with the buffer's count before.

import Glibc

extension UnsafeRawBufferPointer {
    @inlinable @inline(__always)
    func number<T: FixedWidthInteger>(_ offset: Int, as type: T.Type) -> T {
        // In bounds: callers check lengths before they read a structure; a debug build traps here if they did not.
        assert(offset >= 0 && offset + MemoryLayout<T>.size <= count)
        return unsafe T(littleEndian: baseAddress.unsafelyUnwrapped.loadUnaligned(fromByteOffset: offset, as: T.self))
    }

    @inlinable @inline(__always) func u16(_ offset: Int) -> UInt16 { unsafe number(offset, as: UInt16.self) }
    @inlinable @inline(__always) func u32(_ offset: Int) -> UInt32 { unsafe number(offset, as: UInt32.self) }
    @inlinable @inline(__always) func u64(_ offset: Int) -> UInt64 { unsafe number(offset, as: UInt64.self) }
    @inlinable @inline(__always) func i64(_ offset: Int) -> Int64 { unsafe number(offset, as: Int64.self) }

    /// 16 bytes in text order.
    @inlinable @inline(__always)
    func id128(_ offset: Int) -> ID128 {
        unsafe ID128(
            high: number(offset, as: UInt64.self).byteSwapped,
            low: number(offset + 8, as: UInt64.self).byteSwapped)
    }

    /// The part from `offset` on, `count` bytes long.
    @inlinable @inline(__always)
    func slice(_ offset: Int, _ count: Int) -> UnsafeRawBufferPointer {
        // In bounds: as above.
        assert(offset >= 0 && count >= 0 && offset + count <= self.count)
        return unsafe UnsafeRawBufferPointer(start: baseAddress.map { unsafe $0 + offset }, count: count)
    }

    /// Equal bytes.
    @inline(__always)
    func equals(_ other: UnsafeRawBufferPointer) -> Bool {
        guard count == other.count else { return false }
        // In bounds: both have `count` bytes.
        return unsafe count == 0
            || memcmp(baseAddress.unsafelyUnwrapped, other.baseAddress.unsafelyUnwrapped, count) == 0
    }
}

extension UnsafeRawBufferPointer {
    /// Equal bytes; for short ones, where a call costs more than the comparison.
    @inline(__always)
    func isSame(_ other: UnsafeRawBufferPointer) -> Bool {
        guard count == other.count else { return false }
        // In bounds: words lie inside both, the last one overlaps the one before.
        if count >= 8 {
            if count > 64 { return unsafe equals(other) }
            var at = 0
            while at < count &- 8 {
                if unsafe u64(at) != other.u64(at) { return false }
                at &+= 8
            }
            return unsafe u64(count &- 8) == other.u64(count &- 8)
        }
        if count >= 4 { return unsafe u32(0) == other.u32(0) && u32(count &- 4) == other.u32(count &- 4) }
        for at in 0..<count where unsafe self[at] != other[at] { return false }
        return true
    }
}

extension UnsafeMutableRawPointer {
    @inlinable @inline(__always)
    func put<T: FixedWidthInteger>(_ value: T, _ offset: Int) {
        // In bounds: callers have made room for the whole structure.
        unsafe storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self)
    }

    /// 16 bytes in text order.
    @inlinable @inline(__always)
    func put(_ id: ID128, _ offset: Int) {
        unsafe put(id.high.byteSwapped, offset)
        unsafe put(id.low.byteSwapped, offset + 8)
    }
}

extension [UInt8] {
    /// Appends `value`, little-endian.
    mutating func appendNumber<T: FixedWidthInteger>(_ value: T) {
        var left = value
        for _ in 0..<MemoryLayout<T>.size {
            append(UInt8(truncatingIfNeeded: left))
            left = MemoryLayout<T>.size > 1 ? left >> 8 : left
        }
    }

    /// Appends 16 bytes in text order.
    mutating func appendID(_ id: ID128) {
        appendNumber(id.high.byteSwapped)
        appendNumber(id.low.byteSwapped)
    }
}
