// Percent-encoding (RFC 3986 section 2.1): checked once by the parser, decoded once by whoever needs the value. Invariant:
// what was decoded is never decoded again, holds no NUL, and is UTF-8.

/// Checks, decodes and encodes.
package enum PercentEncoding {
    /// Refuses a `%` without two hexadecimal digits, an encoded NUL, encoded control characters unless
    /// `allowsControls` (a filter may look for a line feed, a path may not hold one), and what decodes to no UTF-8.
    static func check(_ text: ArraySlice<UInt8>, allowsControls: Bool) throws(RequestRefusal) {
        guard text.contains(UInt8(ascii: "%")) else { return }
        guard let decoded = decode(text, plusIsSpace: false) else { throw .percentEncoding }
        if !allowsControls && decoded.contains(where: { $0 < 0x20 || $0 == 0x7F }) { throw .percentEncoding }
    }

    /// The decoded bytes; nil when they cannot be. `plusIsSpace`: as in forms and query strings (WHATWG URL standard,
    /// application/x-www-form-urlencoded).
    static func decode(_ text: ArraySlice<UInt8>, plusIsSpace: Bool) -> [UInt8]? {
        var out: [UInt8] = []
        out.reserveCapacity(text.count)
        var at = text.startIndex
        while at < text.endIndex {
            let byte = text[at]
            if byte == UInt8(ascii: "%") {
                guard text.endIndex - at > 2, let high = ByteClass.hexValue(text[at + 1]),
                    let low = ByteClass.hexValue(text[at + 2])
                else { return nil }
                let value = high << 4 | low
                if value == 0 { return nil }
                out.append(value)
                at += 3
            } else {
                out.append(plusIsSpace && byte == UInt8(ascii: "+") ? .space : byte)
                at += 1
            }
        }
        return isUTF8(out) ? out : nil
    }

    /// Appends `text` with everything but unreserved characters encoded.
    package static func append(_ text: some Sequence<UInt8>, to out: inout [UInt8]) {
        let digits = Array("0123456789ABCDEF".utf8)
        for byte in text {
            if ByteClass.isUnreserved(byte) {
                out.append(byte)
            } else {
                out.append(UInt8(ascii: "%"))
                out.append(digits[Int(byte >> 4)])
                out.append(digits[Int(byte & 15)])
            }
        }
    }

    /// Strict UTF-8 (RFC 3629): no overlong form, no surrogate, nothing above U+10FFFF.
    static func isUTF8(_ bytes: [UInt8]) -> Bool {
        if bytes.allSatisfy({ $0 < 0x80 }) { return true }
        return String(validating: bytes, as: UTF8.self) != nil
    }
}
