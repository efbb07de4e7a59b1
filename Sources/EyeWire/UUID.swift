// UUIDs as text and as two 64-bit halves. Any version and variant is taken; hex digits in either case; written in lower
// case. Called by the scanner for every event, eight hex digits at a time; no allocation.

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
    @inline(never)
    init?(at text: UnsafeRawPointer) {
        // In bounds: the caller owns 36 bytes from `text`; the last load is bytes 28..<36.
        let a = unsafe UInt64(littleEndian: text.loadUnaligned(as: UInt64.self))
        let b = unsafe UInt64(text.loadUnaligned(fromByteOffset: 9, as: UInt32.self).littleEndian)
        let c = unsafe UInt64(text.loadUnaligned(fromByteOffset: 14, as: UInt32.self).littleEndian)
        let d = unsafe UInt64(text.loadUnaligned(fromByteOffset: 19, as: UInt32.self).littleEndian)
        let e = unsafe UInt64(text.loadUnaligned(fromByteOffset: 24, as: UInt32.self).littleEndian)
        let f = unsafe UInt64(littleEndian: text.loadUnaligned(fromByteOffset: 28, as: UInt64.self))
        let hyphens =
            unsafe (text.load(fromByteOffset: 8, as: UInt8.self) ^ 0x2D)
            | (text.load(fromByteOffset: 13, as: UInt8.self) ^ 0x2D)
            | (text.load(fromByteOffset: 18, as: UInt8.self) ^ 0x2D)
            | (text.load(fromByteOffset: 23, as: UInt8.self) ^ 0x2D)
        let bc = b | c << 32
        let de = d | e << 32
        let strange = UUID.strange(a) | UUID.strange(bc) | UUID.strange(de) | UUID.strange(f)
        guard strange & 0x8080_8080_8080_8080 == 0, hyphens == 0 else { return nil }
        high = UUID.value(a) << 32 | UUID.value(bc)
        low = UUID.value(de) << 32 | UUID.value(f)
    }

    /// The high bit of each byte is set where the byte is no hex digit (and above the first such byte also elsewhere).
    @inline(__always)
    private static func strange(_ word: UInt64) -> UInt64 {
        // For a byte below 0x80: adding 0x50 sets the high bit from '0' on, 0x46 from ':' on; with case folded, 0x1F
        // from 'a' on, 0x19 from 'g' on. A byte of 0x80 or more is strange by itself.
        let folded = word | 0x2020_2020_2020_2020
        let digit = (word &+ 0x5050_5050_5050_5050) & ~(word &+ 0x4646_4646_4646_4646)
        let letter = (folded &+ 0x1F1F_1F1F_1F1F_1F1F) & ~(folded &+ 0x1919_1919_1919_1919)
        return ~(digit | letter) | word
    }

    /// The value of eight hex digits, the first one being the lowest byte of `word`.
    @inline(__always)
    private static func value(_ word: UInt64) -> UInt64 {
        let nibbles = (word & 0x0F0F_0F0F_0F0F_0F0F) &+ ((word >> 6) & 0x0101_0101_0101_0101) &* 9
        let bytes = (nibbles << 4 | nibbles >> 8) & 0x00FF_00FF_00FF_00FF
        let pairs = (bytes | bytes >> 8) & 0x0000_FFFF_0000_FFFF
        return UInt64(UInt32(truncatingIfNeeded: pairs | pairs >> 16).byteSwapped)
    }

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
