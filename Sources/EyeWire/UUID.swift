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
        let (a, b) = (UUID.digits(high >> 32), UUID.digits(high & 0xFFFF_FFFF))
        let (c, d) = (UUID.digits(low >> 32), UUID.digits(low & 0xFFFF_FFFF))
        // Eight characters each, the first one lowest, the hyphens where they stand; appended at once.
        let words = (
            a.littleEndian,
            (0x2D | (b & 0xFFFF_FFFF) << 8 | 0x2D << 40 | (b >> 32) << 48).littleEndian,
            (b >> 48 | 0x2D << 16 | (c & 0xFFFF_FFFF) << 24 | 0x2D << 56).littleEndian,
            (c >> 32 | d << 32).littleEndian,
            (d >> 32).littleEndian
        )
        // In bounds: 36 bytes of the tuple's 40.
        unsafe withUnsafeBytes(of: words) { bytes in
            unsafe out.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[0..<UUID.textBytes]))
        }
    }

    /// The eight lower-case hex digits of a number below 2^32, the first one lowest.
    @inline(__always)
    private static func digits(_ number: UInt64) -> UInt64 {
        // Each byte gets two, each digit one: the highest byte first.
        var spread = number.byteSwapped >> 32
        spread = (spread | spread << 16) & 0x0000_FFFF_0000_FFFF
        spread = (spread | spread << 8) & 0x00FF_00FF_00FF_00FF
        let values = spread >> 4 & 0x000F_000F_000F_000F | (spread & 0x000F_000F_000F_000F) << 8
        let letters = (values &+ 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
        return values &+ 0x3030_3030_3030_3030 &+ letters &* 0x27
    }

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
