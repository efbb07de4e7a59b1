// Which bytes may stand where in an HTTP request. Two 64-bit masks a class: no table, no branch per range.
// Called by the parser for every byte of a head, on the loop's thread.

/// Classes of bytes by the grammars of RFC 9110, RFC 9112 and RFC 3986.
enum ByteClass {
    @inline(__always)
    private static func test(_ byte: UInt8, _ low: UInt64, _ high: UInt64) -> Bool {
        byte < 128 && ((byte < 64 ? low : high) &>> UInt64(byte & 63)) & 1 == 1
    }

    /// tchar, RFC 9110 section 5.6.2.
    @inline(__always)
    static func isToken(_ byte: UInt8) -> Bool { test(byte, 0x03FF_6CFA_0000_0000, 0x57FF_FFFF_C7FF_FFFE) }

    /// pchar, `/` and `%`, RFC 3986 section 3.3.
    @inline(__always)
    static func isPath(_ byte: UInt8) -> Bool { test(byte, 0x2FFF_FFF2_0000_0000, 0x47FF_FFFE_87FF_FFFF) }

    /// Visible ASCII without `#`. Wider than RFC 3986 section 3.4 by `"<>[\]^`{|}`, which people type unescaped and
    /// nobody reads in two ways.
    @inline(__always)
    static func isQuery(_ byte: UInt8) -> Bool { test(byte, 0xFFFF_FFF6_0000_0000, 0x7FFF_FFFF_FFFF_FFFF) }

    /// A reg-name or an IPv4 address, RFC 3986 section 3.2.2, without the comma.
    @inline(__always)
    static func isHost(_ byte: UInt8) -> Bool { test(byte, 0x2BFF_6FF2_0000_0000, 0x47FF_FFFE_87FF_FFFE) }

    /// Needs no percent-encoding, RFC 3986 section 2.3.
    @inline(__always)
    static func isUnreserved(_ byte: UInt8) -> Bool { test(byte, 0x03FF_6000_0000_0000, 0x47FF_FFFE_87FF_FFFE) }

    /// field-content and the white space inside it, RFC 9110 section 5.5: VCHAR, obs-text, SP, HTAB.
    @inline(__always)
    static func isFieldValue(_ byte: UInt8) -> Bool { (byte >= 0x20 && byte != 0x7F) || byte == 0x09 }

    @inline(__always)
    static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

    @inline(__always)
    static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    /// The value of a hexadecimal digit, nil for any other byte.
    @inline(__always)
    static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }

    /// ASCII letters to lower case, other bytes as they are.
    @inline(__always)
    static func lower(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }
}

extension UInt8 {
    static let carriageReturn: UInt8 = 0x0D
    static let lineFeed: UInt8 = 0x0A
    static let space: UInt8 = 0x20
    static let slash: UInt8 = 0x2F
    static let colon: UInt8 = 0x3A
}

extension [UInt8] {
    /// Whether `self[range]`, in any case of letters, is `text`, which is given in lower case.
    func matches(_ range: Range<Int>, _ text: String) -> Bool {
        guard range.count == text.utf8.count else { return false }
        var index = range.lowerBound
        for wanted in text.utf8 {
            if ByteClass.lower(self[index]) != wanted { return false }
            index += 1
        }
        return true
    }

    /// `range` without blanks at its ends.
    func trimmed(_ range: Range<Int>) -> Range<Int> {
        var low = range.lowerBound
        var high = range.upperBound
        while low < high && ByteClass.isBlank(self[low]) { low += 1 }
        while high > low && ByteClass.isBlank(self[high - 1]) { high -= 1 }
        return low..<high
    }

    /// Appends the bytes of a string.
    @inline(__always)
    mutating func append(text: String) { append(contentsOf: text.utf8) }
}
