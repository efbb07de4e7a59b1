// How `eye tail` shows an event: as a line of JSON, or short for people. On a terminal nothing of an event can be taken for an
// order: control and bidirectional characters are escaped.

import EyeQueryHTTP
import EyeStore
import EyeSystem
import EyeWire

/// Writes events for people and programs.
struct EventText {
    /// One JSON object a line, or a short line.
    let isJSON: Bool
    /// stdout is a terminal.
    let isTerminal: Bool
    /// Columns that a short line may have; nil: as long as it is.
    let columns: Int?

    private static let document = EventWriter(.json, fields: nil)

    /// The event's line with its LF.
    func line(_ event: borrowing EventView) -> [UInt8] {
        var line: [UInt8] = []
        if isJSON {
            EventText.document.append(event, to: &line)
        } else {
            appendShort(event, to: &line)
        }
        // A short line must stay one line, wherever it goes.
        if isTerminal || !isJSON { line = EventText.harmless(line, asJSON: isJSON) }
        if !isJSON, let columns { line = EventText.cut(line, columns) }
        line.append(0x0A)
        return line
    }

    /// `2021-01-01T09:15:27.243860Z #12 e2085be5 page interaction / cta click {…}`
    private func appendShort(_ event: borrowing EventView, to out: inout [UInt8]) {
        Timestamp.append(event.timestamp, to: &out)
        out.append(" #")
        out.append(decimal: event.id)
        out.append(" ")
        var session: [UInt8] = []
        UUID(high: event.session.high, low: event.session.low).append(to: &session)
        let shownDigits = 8
        out.append(contentsOf: session.prefix(shownDigits))
        out.append(" ")
        event.appendCategory(to: &out)
        out.append(" / ")
        event.appendName(to: &out)
        out.append(" ")
        event.appendData(to: &out)
    }

    /// Everything that a terminal could obey as `\u{…}`; in JSON, where it can only stand in strings, as `\u….`.
    static func harmless(_ line: [UInt8], asJSON: Bool) -> [UInt8] {
        let text = String(decoding: line, as: UTF8.self)
        guard text.unicodeScalars.contains(where: { Log.isUnsafeToShow($0) }) else { return line }
        var out: [UInt8] = []
        guard asJSON else {
            Log.appendVisible(text, to: &out)
            return out
        }
        for scalar in text.unicodeScalars {
            if Log.isUnsafeToShow(scalar) {
                let digits = String(scalar.value, radix: 16)
                out.append("\\u")
                for _ in digits.utf8.count..<4 { out.append(0x30) }
                out.append(contentsOf: digits.utf8)
            } else {
                out.append(contentsOf: String(scalar).utf8)
            }
        }
        return out
    }

    /// The first `columns` characters, the last of them `…` if there are more.
    static func cut(_ line: [UInt8], _ columns: Int) -> [UInt8] {
        let text = String(decoding: line, as: UTF8.self)
        guard columns > 1, text.count > columns else { return line }
        return Array((text.prefix(columns - 1) + "…").utf8)
    }
}
