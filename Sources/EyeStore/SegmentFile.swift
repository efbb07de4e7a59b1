// Names of segments and the 64 bytes at their start. Pure but for `SegmentFolder.list`; any thread.

import EyeSystem
import Glibc

/// The header of a segment's file, see docs/format.md.
struct SegmentHeader {
    /// FE 45 59 53, as a little-endian number.
    static let magic: UInt32 = 0x5359_45FE
    static let unknownTombstones = UInt32.max

    var base: UInt64
    var firstEventID: UInt64
    var created: Int64
    var salt: UInt32
    /// Tombstones in the segment before this one, so that nobody has to look for them there; `unknownTombstones`: not known.
    var tombstonesBefore: UInt32 = 0
    /// The last commit before this segment.
    var commit: UInt64
    /// Events below this id are gone by retention, not by damage; 1: none are.
    var firstKeptEventID: UInt64 = 1
    var crc: UInt32 = 0
    var version = FormatVersion.current

    /// Writes the 64 bytes; returns their CRC.
    func write(to pointer: UnsafeMutableRawPointer) -> UInt32 {
        unsafe pointer.initializeMemory(as: UInt8.self, repeating: 0, count: StoreLimits.headerBytes)
        unsafe pointer.put(SegmentHeader.magic, 0)
        unsafe pointer.put(UInt16(FormatVersion.current), 4)
        unsafe pointer.put(base, 8)
        unsafe pointer.put(firstEventID, 16)
        unsafe pointer.put(created, 24)
        unsafe pointer.put(salt, 32)
        unsafe pointer.put(tombstonesBefore, 36)
        unsafe pointer.put(commit, 40)
        unsafe pointer.put(firstKeptEventID, 48)
        let crc = unsafe Checksum.crc32c(UnsafeRawBufferPointer(start: pointer, count: 60))
        unsafe pointer.put(crc, 60)
        return crc
    }

    /// The header in `bytes`, of any version; nil: damaged.
    static func parse(_ bytes: UnsafeRawBufferPointer) -> SegmentHeader? {
        guard bytes.count >= StoreLimits.headerBytes, unsafe bytes.u32(0) == magic else { return nil }
        let crc = unsafe bytes.u32(60)
        guard unsafe crc == Checksum.crc32c(bytes.slice(0, 60)) else { return nil }
        let highest = UInt64.max >> 1
        let header = unsafe SegmentHeader(
            base: bytes.u64(8), firstEventID: bytes.u64(16), created: bytes.i64(24), salt: bytes.u32(32),
            tombstonesBefore: bytes.u32(36), commit: bytes.u64(40), firstKeptEventID: bytes.u64(48), crc: crc,
            version: Int(bytes.u16(4)))
        return header.base < highest && header.firstEventID < highest && header.commit < highest
            && header.firstKeptEventID < highest ? header : nil
    }

    /// Reads the header of an open segment; nil: damaged or too short.
    static func read(_ file: any DiskFile) throws(SystemError) -> SegmentHeader? {
        let buffer = ByteBuffer(count: StoreLimits.headerBytes)
        let got = try unsafe file.read(into: buffer.bytes, at: 0)
        return unsafe SegmentHeader.parse(buffer.view(got))
    }
}

/// Names in `log/` and `index/`.
enum SegmentFolder {
    /// Twenty digits, so that names sort like numbers.
    static func name(_ base: UInt64, _ suffix: String) -> String {
        let digits = String(base)
        return String(repeating: "0", count: 20 - digits.utf8.count) + digits + suffix
    }

    /// The number in a name that `name` made; nil: not such a name.
    static func base(_ name: String, _ suffix: String) -> UInt64? {
        let bytes = Array(name.utf8)
        guard bytes.count == 20 + suffix.utf8.count, name.hasSuffix(suffix) else { return nil }
        var base: UInt64 = 0
        for byte in bytes[..<20] {
            guard byte >= 0x30, byte <= 0x39 else { return nil }
            let (ten, wrapped) = base.multipliedReportingOverflow(by: 10)
            let (sum, wrappedToo) = ten.addingReportingOverflow(UInt64(byte - 0x30))
            if wrapped || wrappedToo { return nil }
            base = sum
        }
        return base > 0 && base < UInt64.max >> 1 ? base : nil
    }

    /// The segments of a folder by their bases, ascending. A folder that is not there has none.
    static func list(_ disk: any Disk, _ folder: String, _ suffix: String) throws(SystemError) -> [UInt64] {
        do throws(SystemError) {
            return try disk.list(folder).compactMap { SegmentFolder.base($0, suffix) }.sorted()
        } catch {
            if error.errno == ENOENT { return [] }
            throw error
        }
    }
}
