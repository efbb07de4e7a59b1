// UUIDs as text and as two 64-bit halves. Any version and variant is taken; hex digits in either case; written in lower
// case. Called by the scanner for every event, sixteen hex digits at a time; no allocation.

import CEyeScan

/// A UUID (RFC 9562). Ordered as its text is.
public struct UUID: Hashable, Comparable, Sendable {
    /// The first eight bytes, big-endian.
    public var high: UInt64
    /// The last eight bytes, big-endian.
    public var low: UInt64

    /// From the two big-endian halves.
    @inlinable
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Reads the 36 characters of `8-4-4-4-12` hex digits; nil for anything else.
    public init?(parsing text: Span<UInt8>) {
        guard text.count == UUID.textBytes else { return nil }
        let value = unsafe text.withUnsafeBytes { bytes in
            // In bounds: 36 bytes were just counted.
            unsafe UUID(at: bytes.baseAddress.unsafelyUnwrapped)
        }
        guard let value else { return nil }
        self = value
    }

    /// Bytes of a UUID's text.
    public static let textBytes = 36

    /// Reads the 36 bytes at `text`.
    @inline(__always)
    init?(at text: UnsafeRawPointer) {
        // In bounds: the caller owns 36 bytes from `text`; the last load is bytes 28..<36.
        let a = unsafe UInt64(littleEndian: text.loadUnaligned(as: UInt64.self))
        let b = unsafe UInt64(text.loadUnaligned(fromByteOffset: 9, as: UInt32.self).littleEndian)
        let c = unsafe UInt64(text.loadUnaligned(fromByteOffset: 14, as: UInt32.self).littleEndian)
        let d = unsafe UInt64(text.loadUnaligned(fromByteOffset: 19, as: UInt32.self).littleEndian)
        let e = unsafe UInt64(text.loadUnaligned(fromByteOffset: 24, as: UInt32.self).littleEndian)
        let f = unsafe UInt64(littleEndian: text.loadUnaligned(fromByteOffset: 28, as: UInt64.self))
        // The hyphens stand at the same two places of both of these words.
        let g = unsafe UInt64(littleEndian: text.loadUnaligned(fromByteOffset: 6, as: UInt64.self))
        let h = unsafe UInt64(littleEndian: text.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
        let strange = ((g ^ UUID.hyphens) | (h ^ UUID.hyphens)) & 0xFF00_0000_00FF_0000
        let first = eye_scan_hex16(a, b | c << 32)
        let second = eye_scan_hex16(d | e << 32, f)
        guard first.strange | second.strange == 0, strange == 0 else { return nil }
        high = first.value
        low = second.value
    }

    /// A hyphen in bytes 2 and 7.
    private static let hyphens: UInt64 = 0x2D00_0000_002D_0000

    /// Appends the 36 characters, in lower case.
    public func append(to out: inout [UInt8]) {
        for position in 0..<16 {
            if position == 4 || position == 6 || position == 8 || position == 10 { out.append(0x2D) }
            let half = position < 8 ? high : low
            let byte = UInt8(truncatingIfNeeded: half >> UInt64(56 - 8 * (position & 7)))
            out.append(UUID.digit(byte >> 4))
            out.append(UUID.digit(byte & 15))
        }
    }

    /// The lower-case hex digit of a value below 16.
    private static func digit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 &+ value : 0x57 &+ value }

    /// A random UUID, version 4.
    public static func random(using generator: inout some RandomNumberGenerator) -> UUID {
        let high = generator.next() & ~0xF000 | 0x4000
        let low = generator.next() & ~(3 << 62) | 1 << 63
        return UUID(high: high, low: low)
    }

    public static func < (a: UUID, b: UUID) -> Bool { a.high != b.high ? a.high < b.high : a.low < b.low }
}

extension UUID: CustomStringConvertible {
    /// The 36 characters, in lower case.
    public var description: String {
        var text: [UInt8] = []
        append(to: &text)
        return String(decoding: text, as: UTF8.self)
    }
}
