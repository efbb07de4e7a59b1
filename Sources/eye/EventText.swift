// How events are shown: as they are written for programs, or by `eye tail` short for people. On a terminal nothing of an event can be taken
// for an order: control and bidirectional characters are escaped.

import EyeQueryHTTP
import EyeStore
import EyeSystem
import EyeWire

extension EventWriter {
    /// Appends an event; on a terminal nothing of it can be taken for an order.
    func append(_ event: borrowing EventView, isTerminal: Bool, to out: inout [UInt8]) {
        guard isTerminal else { return append(event, to: &out) }
        var line: [UInt8] = []
        append(event, to: &line)
        // But for the line's own end.
        var end: [UInt8] = []
        while let last = line.last, last == 0x0A || last == 0x0D {
            end.insert(last, at: 0)
            line.removeLast()
        }
        out.append(contentsOf: EventText.harmless(line, asJSON: format != .csv))
        out.append(contentsOf: end)
    }
}

/// Writes events for people and programs.
struct EventText {
    /// One JSON object a line, or a short line.
    let isJSON: Bool
    /// stdout is a terminal.
    let isTerminal: Bool
    /// Columns that a short line may have; nil: as long as it is.
    let columns: Int?

    /// The line of an event's document, with its LF.
    func line(event document: [UInt8]) -> [UInt8] {
        line(isJSON ? document : EventText.short(document) ?? document)
    }

    /// The line of a refused event's document, as a live stream writes it.
    func line(rejected document: [UInt8]) -> [UInt8] {
        if isJSON { return line(Array("{\"rejected\":".utf8) + document + Array("}".utf8)) }
        return line(EventText.shortRejected(document) ?? document)
    }

    private func line(_ content: [UInt8]) -> [UInt8] {
        var line = content
        // A short line must stay one line, wherever it goes.
        if isTerminal || !isJSON { line = EventText.harmless(line, asJSON: isJSON) }
        if !isJSON, let columns { line = EventText.cut(line, columns) }
        line.append(0x0A)
        return line
    }

    /// `2021-01-01T09:15:27.243860Z #12 e2085be5 page interaction / cta click {…}`
    private static func short(_ document: [UInt8]) -> [UInt8]? {
        let names = ["timestamp", "id", "session_id", "category", "name", "data"]
        guard let members = members(names, of: document) else { return nil }
        let shownDigits = 8
        var out = members[0]
        out += Array(" #".utf8) + members[1] + Array(" ".utf8) + members[2].prefix(shownDigits)
        out += Array(" ".utf8) + members[3] + Array(" / ".utf8) + members[4] + Array(" ".utf8) + members[5]
        return out
    }

    /// `2021-01-01T09:15:27.243860Z rejected #3 bad-time tcp 127.0.0.1:5000: timestamp: … {…}`
    private static func shortRejected(_ document: [UInt8]) -> [UInt8]? {
        let names = ["created_at", "id", "code", "transport", "source", "message", "data"]
        guard let members = members(names, of: document) else { return nil }
        var out = members[0] + Array(" rejected #".utf8) + members[1]
        for member in members[2...4] { out += Array(" ".utf8) + member }
        out += Array(": ".utf8) + members[5] + Array(" ".utf8) + members[6]
        return out
    }

    /// The texts of members of an object; nil when one is not there, or nested too deep to be found.
    private static func members(_ names: [String], of document: [UInt8]) -> [[UInt8]]? {
        let reading = EventDataReading()
        // In bounds: the buffer is the array's own and lives for the call; places lie in it.
        return unsafe document.withUnsafeBytes { bytes in
            var texts: [[UInt8]] = []
            for name in names {
                guard let place = unsafe reading.find(Array(name.utf8), in: bytes) else { return nil }
                var text: [UInt8] = []
                unsafe reading.appendText(of: place, in: bytes, to: &text)
                texts.append(text)
            }
            return texts
        }
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
