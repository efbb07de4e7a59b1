// Events as aligned columns for people: texts cut to what can be read, the last column to what the terminal has room for. Nothing in them
// can command the terminal.

import EyeQueryHTTP
import EyeStore

/// Rows of events.
struct EventTable {
    private let fields: [EventField]
    private let columns: Int?
    private var table: TextTable
    /// Rows so far.
    private(set) var count = 0

    /// Characters of a cell, but for the last one of a row.
    private static let cellMax = 40
    /// Digits of a session that tell it from the others on a screen.
    private static let sessionDigits = 8
    /// What is shown when nothing else is asked for.
    private static let usual: [EventField] = [.timestamp, .id, .session, .category, .name, .data]

    /// `fields`: nil for the usual ones, with sessions shortened. `columns`: the terminal's; nil: lines are as long as they are.
    init(fields: [EventField]?, columns: Int?) {
        self.fields = fields ?? EventTable.usual
        self.columns = columns
        isUsual = fields == nil
        table = TextTable(self.fields.map { Visible.text($0.label) })
    }
    private let isUsual: Bool

    mutating func add(_ event: borrowing EventView) {
        var cells: [String] = []
        for (index, field) in fields.enumerated() {
            var text: [UInt8] = []
            field.appendText(of: event, to: &text)
            if isUsual && field == .session { text = Array(text.prefix(EventTable.sessionDigits)) }
            // The last one is cut with its line.
            if index < fields.count - 1 { text = EventText.cut(text, EventTable.cellMax) }
            cells.append(String(decoding: text, as: UTF8.self))
        }
        table.add(cells)
        count += 1
    }

    /// All of it.
    var text: [UInt8] {
        guard let columns else { return Array(table.text.utf8) }
        var out: [UInt8] = []
        for line in table.text.utf8.split(separator: 0x0A) {
            out.append(contentsOf: EventText.cut(Array(line), columns))
            out.append(0x0A)
        }
        return out
    }
}
