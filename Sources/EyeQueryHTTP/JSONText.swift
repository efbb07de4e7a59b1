// Writing JSON (RFC 8259) into byte arrays: strings with their escapes, and objects member by member. Pure.

/// Appends JSON texts.
enum JSONText {
    /// Appends `bytes`, which are UTF-8, as a JSON string. Control characters are escaped, all else stands as it is.
    static func appendString(_ bytes: some Sequence<UInt8>, to out: inout [UInt8]) {
        out.append(UInt8(ascii: "\""))
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                out.append(UInt8(ascii: "\\"))
                out.append(byte)
            case 0x0A: out.append(text: "\\n")
            case 0x0D: out.append(text: "\\r")
            case 0x09: out.append(text: "\\t")
            case 0..<0x20, 0x7F:
                let digits = Array("0123456789abcdef".utf8)
                out.append(text: "\\u00")
                out.append(digits[Int(byte >> 4)])
                out.append(digits[Int(byte & 15)])
            default: out.append(byte)
            }
        }
        out.append(UInt8(ascii: "\""))
    }

    static func appendString(_ text: String, to out: inout [UInt8]) { appendString(text.utf8, to: &out) }

    /// Appends `"name":`, with a comma before it unless it is an object's first.
    static func appendName(_ name: String, to out: inout [UInt8]) {
        if let last = out.last, last != UInt8(ascii: "{") { out.append(UInt8(ascii: ",")) }
        appendString(name, to: &out)
        out.append(.colon)
    }
}
