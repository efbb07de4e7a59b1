// Cells of a table (RFC 4180): CRLF, quotes where they are needed, and nothing of a client's that a spreadsheet would calculate. Pure.
//
// A spreadsheet takes a cell for a formula that begins with = + - @ (their full-width and small forms and U+2212 too), a tab, CR or LF; some of them
// whatever unseen stands before that. A text that begins so gets a `'` in front. Where the list separator is a semicolon, or a table is read
// as columns between tabs, a quote inside a row means nothing: there a new cell begins behind each semicolon, tab and line break of a text.
// (One that stands right behind these opens a quoted cell, whose text is what comes next.)
// So what looks like a formula behind one of these, quotes or not, gets a `'`, too; in JSON the semicolon is written as an escape instead, and a
// tab or a line break, which can only stand between values, as a space: that means the same. Numbers stay as they are. (OWASP, CSV injection.)

import EyeWire

/// Writes cells.
enum CSV {
    /// What stands before a text that looks like a formula.
    private static let guardSign = UInt8(ascii: "'")

    static func appendLineEnd(to out: inout [UInt8]) {
        out.append(.carriageReturn)
        out.append(.lineFeed)
    }

    /// Appends a text that came from a client: never a formula. An empty one is quoted: nothing at all between the commas means that there is no
    /// value.
    static func appendText(_ text: Span<UInt8>, to out: inout [UInt8]) {
        let isGuarded = isFormula(text, from: 0, orEdge: true)
        let isPlain = !isGuarded && needsNoQuotes(text)
        if !isPlain { out.append(UInt8(ascii: "\"")) }
        if isGuarded { out.append(guardSign) }
        for index in 0..<text.count {
            let byte = text[index]
            if byte == UInt8(ascii: "\"") { out.append(byte) }
            out.append(byte)
            if isEdge(byte) && isFormula(text, from: index + 1) { out.append(guardSign) }
        }
        if !isPlain { out.append(UInt8(ascii: "\"")) }
    }

    /// Appends a JSON text, whose semicolons all stand in strings, and whose tabs and line breaks all stand outside.
    static func appendJSON(_ text: Span<UInt8>, to out: inout [UInt8]) {
        let isPlain = needsNoQuotes(text)
        if !isPlain { out.append(UInt8(ascii: "\"")) }
        for index in 0..<text.count {
            switch text[index] {
            case UInt8(ascii: "\""): out.append(text: "\"\"")
            case UInt8(ascii: ";") where isFormula(text, from: index + 1): out.append(text: "\\u003b")
            case let byte where isEdge(byte) && isFormula(text, from: index + 1): out.append(.space)
            case let byte: out.append(byte)
            }
        }
        if !isPlain { out.append(UInt8(ascii: "\"")) }
    }

    /// Appends the value at a path of `data`, nothing if there is none.
    static func appendValue(_ path: [UInt8], of data: Span<UInt8>, to out: inout [UInt8]) {
        unsafe data.withUnsafeBytes { bytes in
            guard let value = unsafe JSON.find(path.span, in: bytes) else { return }
            var text: [UInt8] = []
            if value.kind == .string {
                unsafe JSON.appendUnescaped(value.field, of: bytes, to: &text)
                appendText(text.span, to: &out)
            } else {
                // In bounds: the scanner's ranges lie in the text.
                unsafe text.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[value.range]))
                appendJSON(text.span, to: &out)
            }
        }
    }

    private static func needsNoQuotes(_ cell: Span<UInt8>) -> Bool {
        guard cell.count > 0, cell[0] > .space, cell[cell.count - 1] > .space else { return false }
        for index in 0..<cell.count {
            switch cell[index] {
            case UInt8(ascii: ","), UInt8(ascii: "\""), UInt8(ascii: ";"), 0..<0x20: return false
            default: break
            }
        }
        return true
    }

    /// Behind it a new cell may begin, whatever quotes say.
    private static func isEdge(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: ";"), 0x09, .carriageReturn, .lineFeed: true
        default: false
        }
    }

    /// Whether a spreadsheet may calculate a cell that begins at `start`: the first character that is seen begins a formula. `orEdge`: the cell
    /// is one of ours, and a tab or a line break before it counts too; else it begins inside of one, and quotes, escaped or not, do not count.
    private static func isFormula(_ text: Span<UInt8>, from start: Int, orEdge: Bool = false) -> Bool {
        var index = start
        while index < text.count {
            let (scalar, count) = decode(text, at: index)
            if formulaSigns.contains(scalar) { return true }
            if scalar.isASCII && isEdge(text[index]) { return orEdge && text[index] != UInt8(ascii: ";") }
            let isPassed = isUnseen(scalar) || !orEdge && (scalar == "\"" || scalar == "\\")
            if !isPassed { return false }
            index += count
        }
        return false
    }

    /// `=`, `+`, `-`, `@`; U+2212, their small and their full-width forms.
    private static let formulaSigns: [Unicode.Scalar] = [
        "=", "+", "-", "@", "\u{2212}", "\u{FE62}", "\u{FE63}", "\u{FE66}", "\u{FE6B}", "\u{FF0B}", "\u{FF0D}",
        "\u{FF1D}", "\u{FF20}",
    ]

    /// A control character, a space of whatever width, a mark without one.
    private static func isUnseen(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.isASCII { return scalar.value <= 0x20 || scalar.value == 0x7F }
        let properties = scalar.properties
        if properties.isWhitespace || properties.isDefaultIgnorableCodePoint { return true }
        switch properties.generalCategory {
        case .control, .format: return true
        // An empty Braille pattern.
        default: return scalar == "\u{2800}"
        }
    }

    /// The character at `index` of a text in UTF-8, and its bytes.
    private static func decode(_ text: Span<UInt8>, at index: Int) -> (scalar: Unicode.Scalar, count: Int) {
        let first = text[index]
        if first < 0x80 { return (Unicode.Scalar(first), 1) }
        let count = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
        var value = UInt32(first) & (0x7F >> UInt32(count))
        for place in (index + 1)..<min(index + count, text.count) { value = value << 6 | UInt32(text[place] & 0x3F) }
        return (Unicode.Scalar(value) ?? Unicode.Scalar(first), count)
    }
}
