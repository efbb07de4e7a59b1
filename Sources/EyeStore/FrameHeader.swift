// The 64 bytes in front of every frame, and when they are believed. Used by the appender (write), by recovery and by readers
// (parse); pure, any thread.

import EyeSystem

/// What a frame holds.
enum FrameKind {
    static let records: UInt8 = 1
    static let opening: UInt8 = 2
}

/// Flags of a frame.
enum FrameFlag {
    static let first: UInt16 = 1
    static let last: UInt16 = 2
    static let mixed: UInt16 = 4
    static let eventIDs: UInt16 = 8
}

/// A frame's header, see docs/format.md.
struct FrameHeader {
    /// FE 45 59 46, as a little-endian number.
    static let magic: UInt32 = 0x4659_45FE
    static let magicFirstByte: UInt8 = 0xFE

    var kind: UInt8 = FrameKind.records
    var flags: UInt16 = 0
    var payloadBytes = 0
    var salt: UInt32 = 0
    var commit: UInt64 = 0
    var firstSequence: UInt64 = 0
    var firstEventID: UInt64 = 0
    var records: UInt32 = 0
    var events: UInt32 = 0
    var previousCRC: UInt32 = 0
    /// Bytes from the start of this commit to this frame.
    var commitBytes: UInt32 = 0
    /// The checksum over the first 60 bytes.
    var headerCRC: UInt32 = 0

    /// Bytes of the whole frame.
    var frameBytes: Int { StoreLimits.headerBytes + payloadBytes + StoreLimits.trailerBytes }
    /// The sequence after this frame.
    var nextSequence: UInt64 { kind == FrameKind.records ? firstSequence &+ UInt64(records) : firstSequence }
    /// The event id after this frame.
    var nextEventID: UInt64 { firstEventID &+ UInt64(events) }

    /// Writes the 64 bytes; returns the header's CRC.
    func write(to pointer: UnsafeMutableRawPointer) -> UInt32 {
        unsafe pointer.put(FrameHeader.magic, 0)
        unsafe pointer.put(UInt8(FormatVersion.current), 4)
        unsafe pointer.put(kind, 5)
        unsafe pointer.put(flags, 6)
        unsafe pointer.put(UInt32(payloadBytes), 8)
        unsafe pointer.put(salt, 12)
        unsafe pointer.put(commit, 16)
        unsafe pointer.put(firstSequence, 24)
        unsafe pointer.put(firstEventID, 32)
        unsafe pointer.put(records, 40)
        unsafe pointer.put(events, 44)
        unsafe pointer.put(previousCRC, 48)
        unsafe pointer.put(commitBytes, 52)
        unsafe pointer.put(UInt32(0), 56)
        let crc = unsafe Checksum.crc32c(UnsafeRawBufferPointer(start: pointer, count: 60))
        unsafe pointer.put(crc, 60)
        return crc
    }

    /// The header in the first 64 of `bytes`; nil unless magic, version, checksum, lengths and (if given) the salt are right.
    static func parse(_ bytes: UnsafeRawBufferPointer, salt: UInt32?) -> FrameHeader? {
        guard bytes.count >= StoreLimits.headerBytes, unsafe bytes.u32(0) == magic else { return nil }
        guard unsafe bytes[4] == UInt8(FormatVersion.current) else { return nil }
        let crc = unsafe bytes.u32(60)
        guard unsafe crc == Checksum.crc32c(bytes.slice(0, 60)) else { return nil }
        var header = FrameHeader()
        header.kind = unsafe bytes[5]
        header.flags = unsafe bytes.u16(6)
        header.salt = unsafe bytes.u32(12)
        header.commit = unsafe bytes.u64(16)
        header.firstSequence = unsafe bytes.u64(24)
        header.firstEventID = unsafe bytes.u64(32)
        header.records = unsafe bytes.u32(40)
        header.events = unsafe bytes.u32(44)
        header.previousCRC = unsafe bytes.u32(48)
        header.commitBytes = unsafe bytes.u32(52)
        header.headerCRC = crc
        let payload = unsafe bytes.u32(8)
        guard payload <= UInt32(StoreLimits.payloadBytesMax) else { return nil }
        header.payloadBytes = Int(payload)
        if let salt, salt != header.salt { return nil }
        guard header.kind == FrameKind.records || header.kind == FrameKind.opening else { return nil }
        guard header.events <= header.records, Int(header.records) * Record.headBytes <= header.payloadBytes else {
            return nil
        }
        // Numbers near the end of 64 bits are nobody's: sums below can then never wrap.
        let highest = UInt64.max >> 1
        guard header.commit < highest, header.firstSequence < highest, header.firstEventID < highest else { return nil }
        return header
    }

    /// The frame's CRC: of its payload, continued over the header's CRC.
    static func seal(payloadCRC: UInt32, headerCRC: UInt32) -> UInt32 {
        unsafe withUnsafeBytes(of: headerCRC.littleEndian) { unsafe Checksum.crc32c($0, continuing: payloadCRC) }
    }

    /// Whether `frame` (the whole of it, this header in front) carries the right CRC at its end.
    func matches(_ frame: UnsafeRawBufferPointer) -> Bool {
        let payload = unsafe frame.slice(StoreLimits.headerBytes, payloadBytes)
        let crc = unsafe FrameHeader.seal(payloadCRC: Checksum.crc32c(payload), headerCRC: headerCRC)
        return unsafe crc == frame.u32(StoreLimits.headerBytes + payloadBytes)
    }
}
