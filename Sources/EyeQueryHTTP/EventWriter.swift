// Events one after the other, as a stream of lines or a table: what `format=ndjson` and `format=csv` send and `eye export` writes. Pure.
//
// CSV is RFC 4180: CRLF, a head, quotes where they are needed. A spreadsheet takes a cell that begins with = + - @ (their full-width
// forms too), a tab, CR or LF for a formula: a text of an event that begins so, blanks of any kind before it aside, gets a `'` in front.
// Numbers do not.
// So CSV is for looking at; lines of JSON are the events.

import EyeStore
import EyeWire

/// Writes events in one format.
package struct EventWriter: Sendable {
    package let format: EventQuery.Format
    private let fields: [EventField]?

    /// `fields`: nil for all.
    package init(_ format: EventQuery.Format, fields: [EventField]?) {
        self.format = format
        self.fields = fields
    }

    /// Appends what stands before the first event.
    package func appendHead(to out: inout [UInt8]) {
        guard format == .csv else { return }
        for (index, field) in (fields ?? EventField.all).enumerated() {
            if index > 0 { out.append(UInt8(ascii: ",")) }
            CSV.appendText(Array(field.label.utf8).span, to: &out)
        }
        CSV.appendLineEnd(to: &out)
    }

    /// Appends an event, as an object or with its line's end.
    package func append(_ event: borrowing EventView, to out: inout [UInt8]) {
        switch format {
        case .csv: appendRow(event, to: &out)
        case .json, .ndjson:
            if let fields {
                EventDocument.append(event, fields: fields, to: &out)
            } else {
                EventDocument.append(event, to: &out)
            }
            if format == .ndjson { out.append(.lineFeed) }
        }
    }

    private func appendRow(_ event: borrowing EventView, to out: inout [UInt8]) {
        for (index, field) in (fields ?? EventField.all).enumerated() {
            if index > 0 { out.append(UInt8(ascii: ",")) }
            switch field {
            case .data: event.withData { CSV.append($0, to: &out) }
            case .name: event.withName { CSV.appendText($0, to: &out) }
            case .category: event.withCategory { CSV.appendText($0, to: &out) }
            case .path(let path): event.withData { CSV.appendValue(path, of: $0, to: &out) }
            // Digits, letters, hyphens and colons.
            case .id, .session, .timestamp, .eventID, .received: field.appendText(of: event, to: &out)
            }
        }
        CSV.appendLineEnd(to: &out)
    }
}

/// Cells of a table (RFC 4180).
enum CSV {
    static func appendLineEnd(to out: inout [UInt8]) {
        out.append(.carriageReturn)
        out.append(.lineFeed)
    }

    /// Appends a cell, quoted if it has to be. An empty one is quoted, too: nothing at all between the commas means that there is no value.
    static func append(_ cell: Span<UInt8>, guardedBy quote: UInt8? = nil, to out: inout [UInt8]) {
        var isPlain = quote == nil && cell.count > 0 && cell[0] > .space && cell[cell.count - 1] > .space
        for index in 0..<cell.count where isPlain {
            switch cell[index] {
            case UInt8(ascii: ","), UInt8(ascii: "\""), UInt8(ascii: ";"), 0..<0x20: isPlain = false
            default: break
            }
        }
        if !isPlain { out.append(UInt8(ascii: "\"")) }
        if let quote { out.append(quote) }
        for index in 0..<cell.count {
            if cell[index] == UInt8(ascii: "\"") { out.append(UInt8(ascii: "\"")) }
            out.append(cell[index])
        }
        if !isPlain { out.append(UInt8(ascii: "\"")) }
    }

    /// Appends a text that came from a client: never a formula.
    static func appendText(_ text: Span<UInt8>, to out: inout [UInt8]) {
        append(text, guardedBy: isFormula(text) ? UInt8(ascii: "'") : nil, to: &out)
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
                append(text.span, to: &out)
            }
        }
    }

    /// A spreadsheet may calculate it.
    private static func isFormula(_ text: Span<UInt8>) -> Bool {
        var start = 0
        while start < text.count {
            let blank = blankBytes(text, at: start)
            if blank == 0 { break }
            start += blank
        }
        guard start < text.count else { return false }
        switch text[start] {
        case UInt8(ascii: "="), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "@"), 0x09, .carriageReturn,
            .lineFeed:
            return true
        case 0xEF where text.count - start > 2 && text[start + 1] == 0xBC:
            // U+FF0B, U+FF0D, U+FF1D, U+FF20.
            return [0x8B, 0x8D, 0x9D, 0xA0].contains(text[start + 2])
        default: return false
        }
    }

    /// How long the character at `index` is, if nothing is seen of it: a control character (but a tab or a line's end), a space of whatever
    /// width, a mark without one; 0: it is none of these.
    private static func blankBytes(_ text: Span<UInt8>, at index: Int) -> Int {
        func byte(_ offset: Int) -> UInt8 { index + offset < text.count ? text[index + offset] : 0 }
        switch (byte(0), byte(1), byte(2)) {
        case (0x09, _, _), (.carriageReturn, _, _), (.lineFeed, _, _): return 0
        case (0...0x20, _, _), (0x7F, _, _): return 1
        // U+0080 to U+00A0, U+00AD.
        case (0xC2, 0x80...0xA0, _), (0xC2, 0xAD, _): return 2
        // U+1680, U+180E; U+2000 to U+200F, U+2028 to U+202F, U+205F to U+206F; U+2800; U+3000; U+FEFF.
        case (0xE1, 0x9A, 0x80), (0xE1, 0xA0, 0x8E), (0xE2, 0x80, 0x80...0x8F), (0xE2, 0x80, 0xA8...0xAF),
            (0xE2, 0x81, 0x9F...0xAF), (0xE2, 0xA0, 0x80), (0xE3, 0x80, 0x80), (0xEF, 0xBB, 0xBF):
            return 3
        default: return 0
        }
    }
}
