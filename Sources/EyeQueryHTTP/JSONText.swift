// Writing JSON (RFC 8259) member by member into byte arrays; the strings are EyeWire's. Pure.

import EyeWire

/// Appends JSON texts.
enum JSONText {
    /// Appends `bytes` as a JSON string; what is no UTF-8 in it becomes U+FFFD.
    static func appendString(_ bytes: [UInt8], to out: inout [UInt8]) { JSON.appendString(bytes.span, to: &out) }

    static func appendString(_ text: String, to out: inout [UInt8]) { JSON.appendString(text, to: &out) }

    /// Appends `"name":`, with a comma before it unless it is an object's first.
    static func appendName(_ name: String, to out: inout [UInt8]) {
        if let last = out.last, last != UInt8(ascii: "{") { out.append(UInt8(ascii: ",")) }
        appendString(name, to: &out)
        out.append(.colon)
    }

    /// Appends a moment as a JSON string: `"2021-01-01T09:15:27.243860Z"`.
    static func appendTime(_ microseconds: Int64, to out: inout [UInt8]) {
        out.append(UInt8(ascii: "\""))
        Timestamp.append(microseconds, to: &out)
        out.append(UInt8(ascii: "\""))
    }

    /// Appends a UUID as a JSON string.
    static func appendUUID(high: UInt64, low: UInt64, to out: inout [UInt8]) {
        out.append(UInt8(ascii: "\""))
        UUID(high: high, low: low).append(to: &out)
        out.append(UInt8(ascii: "\""))
    }
}
