// Writing JSON into a caller's buffer, and showing text that came from a peer. Any thread.

extension JSON {
    /// Appends `text` as a JSON string with its quotes. Control characters are escaped; bytes that are no UTF-8 become
    /// U+FFFD, so that the answer stays JSON whatever is in it.
    public static func appendString(_ text: UnsafeRawBufferPointer, to out: inout [UInt8]) {
        out.append(0x22)
        let scanner = unsafe JSONScanner<GuardedEdge>(text)
        var i = 0
        while i < text.count {
            let byte = scanner.byte(i)
            if byte >= 0x80 {
                let length = scanner.sequenceLength(i)
                if length == 0 {
                    out.append("\u{FFFD}")
                    i += 1
                } else {
                    // In bounds: the sequence was just read to its end.
                    unsafe out.append(contentsOf: UnsafeRawBufferPointer(rebasing: text[i..<i + length]))
                    i += length
                }
                continue
            }
            let start = i
            while i < text.count, isPlain(scanner.byte(i)) { i += 1 }
            if i > start {
                // In bounds: just read so far.
                unsafe out.append(contentsOf: UnsafeRawBufferPointer(rebasing: text[start..<i]))
            } else {
                appendEscaped(byte, to: &out)
                i += 1
            }
        }
        out.append(0x22)
    }

    /// Appends `text` as a JSON string with its quotes, as above.
    public static func appendString(_ text: Span<UInt8>, to out: inout [UInt8]) {
        unsafe text.withUnsafeBytes { bytes in unsafe appendString(bytes, to: &out) }
    }

    /// Appends `text` as a JSON string with its quotes, as above.
    public static func appendString(_ text: String, to out: inout [UInt8]) {
        appendString([UInt8](text.utf8).span, to: &out)
    }

    /// Appends a literal as a JSON string with its quotes.
    public static func appendString(_ literal: StaticString, to out: inout [UInt8]) {
        literal.withUTF8Buffer { bytes in unsafe appendString(UnsafeRawBufferPointer(bytes), to: &out) }
    }

    /// An ASCII byte that stands for itself inside a string.
    @inline(__always)
    private static func isPlain(_ byte: UInt8) -> Bool {
        byte >= 0x20 && byte < 0x7F && byte != 0x22 && byte != 0x5C
    }

    /// One ASCII byte inside a string that does not stand for itself.
    private static func appendEscaped(_ byte: UInt8, to out: inout [UInt8]) {
        switch byte {
        case 0x22: out.append("\\\"")
        case 0x5C: out.append("\\\\")
        case 0x0A: out.append("\\n")
        case 0x0D: out.append("\\r")
        case 0x09: out.append("\\t")
        default: appendUnit(UInt32(byte), to: &out)
        }
    }

    /// Appends `\u` and four hex digits.
    private static func appendUnit(_ unit: UInt32, to out: inout [UInt8]) {
        out.append("\\u")
        for shift in [12, 8, 4, 0] as [UInt32] {
            let digit = UInt8(truncatingIfNeeded: unit >> shift) & 15
            out.append(digit < 10 ? 0x30 + digit : 0x57 + digit)
        }
    }

    /// Appends a valid JSON text with its line breaks (which can stand only between values) as spaces: fit for a line.
    public static func appendOneLine(_ text: UnsafeRawBufferPointer, to out: inout [UInt8]) {
        let scanner = unsafe JSONScanner<GuardedEdge>(text)
        for offset in 0..<text.count {
            let byte = scanner.byte(offset)
            out.append(byte == 0x0A || byte == 0x0D ? 0x20 : byte)
        }
    }

    /// Appends a peer's bytes for a person to read, harmless on a terminal and fit for the inside of a JSON string or of
    /// a line: control and bidirectional characters, and bytes that are no UTF-8, as `\u`-escapes (the latter as U+FFFD);
    /// at most `scalarsMax` scalars, then `…`. Backslashes and quotes stay as they are.
    public static func appendShown(_ text: UnsafeRawBufferPointer, scalarsMax: Int, to out: inout [UInt8]) {
        let scanner = unsafe JSONScanner<GuardedEdge>(text)
        var i = 0
        for _ in 0..<scalarsMax where i < text.count {
            let byte = scanner.byte(i)
            let length = byte < 0x80 ? 1 : scanner.sequenceLength(i)
            if length == 0 {
                out.append("\u{FFFD}")
                i += 1
                continue
            }
            let value = byte < 0x80 ? UInt32(byte) : scanner.scalar(i).value
            switch value {
            case 0..<0x20, 0x7F..<0xA0, 0x61C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069, 0xFEFF:
                appendUnit(value, to: &out)
            default: UTF8Encoding.append(value, to: &out)
            }
            i += length
        }
        if i < text.count { out.append("\u{2026}") }
    }
}
