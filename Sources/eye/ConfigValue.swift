// A value in a configuration file: as it is, or in double quotes when it has blanks at its ends, a comment's sign behind a blank, or
// characters that are unsafe to show. One place for reading and writing, so that each takes what the other made. Pure.

import EyeSystem

/// Values of `key = value`.
enum ConfigValue {
    private static let quote = UInt8(ascii: "\"")
    private static let backslash = UInt8(ascii: "\\")
    private static let hash = UInt8(ascii: "#")

    /// A carriage return too: files that were written elsewhere.
    static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0D }

    /// `text` as `read` takes it back.
    static func text(_ text: String) -> String {
        let bytes = Array(text.utf8)
        let hasBlankEnd = bytes.first.map(isBlank) ?? false || bytes.last.map(isBlank) ?? false
        let isPlain =
            !hasBlankEnd && bytes.first != quote && withoutComment(bytes[...]).count == bytes.count
            && !text.unicodeScalars.contains(where: Log.isUnsafeToShow)
        if isPlain { return text }
        var out: [UInt8] = [quote]
        for scalar in text.unicodeScalars {
            if scalar == "\"" || scalar == "\\" { out.append(backslash) }
            Log.appendVisible(String(scalar), to: &out)
        }
        out.append(quote)
        return String(decoding: out, as: UTF8.self)
    }

    /// The value that `text` begins with: what follows the `=` up to the end of the line, a comment included. Blanks around it do not count.
    static func read(_ text: ArraySlice<UInt8>) throws(Fault) -> String {
        let text = text.drop(while: isBlank)
        guard text.first == quote else { return String(decoding: trimmed(withoutComment(text)), as: UTF8.self) }
        return try readQuoted(text)
    }

    /// What is wrong with a value in quotes, in words that follow "key: ".
    struct Fault: Error { let problem: String }

    /// In quotes `\"`, `\\` and `\u{HEX}` are escapes; everything else stands for itself.
    private static func readQuoted(_ text: ArraySlice<UInt8>) throws(Fault) -> String {
        var out: [UInt8] = []
        var rest = text.dropFirst()
        while let byte = rest.popFirst() {
            if byte == quote {
                guard trimmed(withoutComment(rest)).isEmpty else {
                    throw Fault(problem: "there is something behind the value in quotes")
                }
                return String(decoding: out, as: UTF8.self)
            }
            guard byte == backslash else {
                out.append(byte)
                continue
            }
            switch rest.popFirst() {
            case quote: out.append(quote)
            case backslash: out.append(backslash)
            case UInt8(ascii: "u"):
                let close = rest.firstIndex(of: UInt8(ascii: "}"))
                guard rest.first == UInt8(ascii: "{"), let close,
                    let value = UInt32(String(decoding: rest[..<close].dropFirst(), as: UTF8.self), radix: 16),
                    let scalar = Unicode.Scalar(value)
                else { throw Fault(problem: "'\\u' in quotes wants the number of a character: \\u{1f}") }
                out.append(contentsOf: Array(String(scalar).utf8))
                rest = rest[(close + 1)...]
            default: throw Fault(problem: "in quotes a '\\' stands before '\"', '\\' or 'u{…}' only")
            }
        }
        throw Fault(problem: "the value in quotes has no end")
    }

    /// Without the comment: from a `#` on that begins the line or stands behind a blank.
    static func withoutComment(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var last = UInt8(ascii: " ")
        for index in line.indices {
            if line[index] == hash && isBlank(last) { return line[..<index] }
            last = line[index]
        }
        return line
    }

    static func trimmed(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var text = text.drop(while: isBlank)
        while let last = text.last, isBlank(last) { text.removeLast() }
        return text
    }
}
