// Statistics for people: aligned numbers, bars, a histogram of characters. Nothing in a value can command the terminal. Pure.

import EyeQueryHTTP
import EyeStore
import EyeWire

/// Writes answers for a terminal.
struct StatsText {
    private let query: StatsQuery
    private let columns: Int

    /// Columns when there is no terminal.
    private static let columnsDefault = 100
    /// Characters of a value, and of the longest bar.
    private static let valueMax = 60
    private static let barMax = 50

    init(_ query: StatsQuery, columns: Int?) {
        self.query = query
        self.columns = columns ?? StatsText.columnsDefault
    }

    /// The answer, with a final line feed.
    func text(_ result: AnalysisResult) -> String {
        switch query.kind {
        case .count: groups(result, total: result.events, "count")
        case .uniq: groups(result, total: result.distinct, "sessions")
        case .top: top(result)
        case .hits: hits(result)
        case .funnel: funnel(result)
        }
    }

    // MARK: Groups

    private func groups(_ result: AnalysisResult, total: UInt64, _ number: String) -> String {
        if query.fields.isEmpty { return "\(total)\n" }
        var table = NumberTable([number, "share"], query.fields)
        for group in result.groups {
            table.add(["\(group.count)", StatsText.percent(group.count, total)], group.values.map(StatsText.shown))
        }
        return table.text + missing(result)
    }

    private func top(_ result: AnalysisResult) -> String {
        let most = result.groups.first?.count ?? 0
        var table = NumberTable(["count", "share"], ["", query.fields.first ?? ""])
        let width = barWidth(besides: 24 + StatsText.valueMax / 2)
        for group in result.groups {
            table.add(
                ["\(group.count)", StatsText.percent(group.count, result.events)],
                [Bar.padded(group.count, of: most, width), StatsText.shown(group.values[0])])
        }
        let rest = result.distinct > UInt64(result.groups.count) ? "\(result.distinct) different values.\n" : ""
        return table.text + rest + missing(result)
    }

    private func missing(_ result: AnalysisResult) -> String {
        result.missing == 0 ? "" : "\(result.missing) of \(result.events) events have no value.\n"
    }

    // MARK: Over time

    private func hits(_ result: AnalysisResult) -> String {
        guard let histogram = result.histogram, !histogram.counts.isEmpty else { return "no events\n" }
        let starts = histogram.counts.indices.map { StatsText.time(histogram.start($0), histogram.step) }
        var text: String
        if query.fields.isEmpty {
            let most = histogram.counts.max() ?? 0
            let width = barWidth(besides: (starts.first?.utf8.count ?? 0) + 4 + "\(most)".utf8.count)
            var table = NumberTable(["count"], ["", ""])
            for (start, count) in zip(starts, histogram.counts) {
                table.add(["\(count)"], [Bar.padded(count, of: most, width), start])
            }
            text = table.rows(in: [2, 0, 1])
        } else {
            text = series(histogram, starts)
        }
        return text + missing(result)
    }

    /// A column for each of the first series, and one for all others.
    private func series(_ histogram: Histogram, _ starts: [String]) -> String {
        let shownMax = 6
        let shown = histogram.series.prefix(shownMax)
        let others = histogram.series.dropFirst(shownMax)
        var heads = ["all"] + shown.map { StatsText.shown($0.value) }
        if !others.isEmpty { heads.append("\(others.count) others") }
        var table = NumberTable(heads, [query.steps.first ?? ""])
        for (index, start) in starts.enumerated() {
            var cells = ["\(histogram.counts[index])"] + shown.map { "\($0.counts[index])" }
            if !others.isEmpty { cells.append("\(others.reduce(0) { $0 + $1.counts[index] })") }
            table.add(cells, [start])
        }
        return table.text(labelsFirst: true)
    }

    /// As exact as the step needs it.
    private static func time(_ microseconds: Int64, _ step: TimeStep) -> String {
        var out: [UInt8] = []
        Timestamp.append(microseconds, to: &out)
        let text = String(decoding: out, as: UTF8.self)
        let (date, clock) = (text.prefix(10), text.dropFirst(11))
        if step.microseconds % 86_400_000_000 == 0 { return String(date) }
        return "\(date) \(clock.prefix(step.microseconds % 60_000_000 == 0 ? 5 : 8))"
    }

    // MARK: Funnel

    private func funnel(_ result: AnalysisResult) -> String {
        guard let steps = result.funnel?.steps, let first = steps.first?.sessions else { return "" }
        var table = NumberTable(["sessions", "of first", "of previous", "median"], ["", "step"])
        let width = barWidth(besides: 48 + StatsText.valueMax / 2)
        for (index, (name, step)) in zip(query.steps, steps).enumerated() {
            let before = index == 0 ? first : steps[index - 1].sessions
            table.add(
                [
                    "\(step.sessions)", StatsText.percent(step.sessions, first),
                    StatsText.percent(step.sessions, before),
                    step.medianSincePrevious.map(StatsText.span) ?? "",
                ], [Bar.padded(step.sessions, of: first, width), StatsText.cut(name)])
        }
        return table.text
    }

    // MARK: Pieces

    private func barWidth(besides taken: Int) -> Int { min(StatsText.barMax, max(10, columns - taken)) }

    private static func shown(_ value: AnalysisValue) -> String {
        switch value {
        case .text(let bytes): return cut(String(decoding: bytes, as: UTF8.self))
        case .session(let id):
            var out: [UInt8] = []
            UUID(high: id.high, low: id.low).append(to: &out)
            return String(decoding: out, as: UTF8.self)
        }
    }

    private static func cut(_ text: String) -> String {
        let shown = Visible.text(text)
        if shown.isEmpty { return "\"\"" }
        if shown.unicodeScalars.count <= valueMax { return shown }
        return String(String.UnicodeScalarView(shown.unicodeScalars.prefix(valueMax - 1))) + "…"
    }

    /// `12.3 %`.
    private static func percent(_ part: UInt64, _ whole: UInt64) -> String {
        whole == 0 ? "" : "\(Amount.tenths(Double(part) * 100 / Double(whole))) %"
    }

    /// `4.2 s`, `5 m 10 s`, `2 h 3 m`, `3 d 4 h`.
    private static func span(_ microseconds: Int64) -> String {
        let seconds = microseconds / 1_000_000
        if seconds < 60 { return "\(Amount.tenths(Double(microseconds) / 1e6)) s" }
        if seconds < 3600 { return "\(seconds / 60) m \(seconds % 60) s" }
        if seconds < 86_400 { return "\(seconds / 3600) h \(seconds % 3600 / 60) m" }
        return "\(seconds / 86_400) d \(seconds % 86_400 / 3600) h"
    }
}

/// A bar of block characters, in eighths.
enum Bar {
    private static let eighths = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"]

    /// A bar for `part` of `whole`, `width` columns with the blanks behind it. What is not nothing can be seen.
    static func padded(_ part: UInt64, of whole: UInt64, _ width: Int) -> String {
        guard whole > 0, part > 0 else { return String(repeating: " ", count: width) }
        let length = max(1, Int((Double(part) / Double(whole) * Double(width) * 8).rounded()))
        let bar = String(repeating: "█", count: length / 8) + eighths[length % 8]
        return bar + String(repeating: " ", count: width - bar.unicodeScalars.count)
    }
}

/// A table of numbers, aligned to the right, and of texts behind them.
struct NumberTable {
    private let heads: [String]
    private let labels: [String]
    private var lines: [(numbers: [String], texts: [String])] = []

    init(_ heads: [String], _ labels: [String]) {
        self.heads = heads
        self.labels = labels.map { Visible.text($0) }
    }

    mutating func add(_ numbers: [String], _ texts: [String]) { lines.append((numbers, texts)) }

    /// The table with its head.
    var text: String { text(labelsFirst: false) }

    func text(labelsFirst: Bool) -> String {
        let all = [(numbers: heads, texts: labels)] + lines
        let numbers = heads.count
        let columns =
            labelsFirst
            ? Array(numbers..<(numbers + labels.count)) + Array(0..<numbers) : Array(0..<(numbers + labels.count))
        return NumberTable.aligned(all.map { $0.numbers + $0.texts }, numbers: numbers, columns)
    }

    /// The table without its head, its columns in this order.
    func rows(in columns: [Int]) -> String {
        NumberTable.aligned(lines.map { $0.numbers + $0.texts }, numbers: heads.count, columns)
    }

    private static func aligned(_ rows: [[String]], numbers: Int, _ columns: [Int]) -> String {
        let widths = columns.map { column in rows.map { $0[column].unicodeScalars.count }.max() ?? 0 }
        var text = ""
        for row in rows {
            var line = ""
            for (place, column) in columns.enumerated() {
                let blanks = String(repeating: " ", count: widths[place] - row[column].unicodeScalars.count)
                if place > 0 { line += "  " }
                line += column < numbers ? blanks + row[column] : row[column] + blanks
            }
            while line.utf8.last == 0x20 { line.removeLast() }
            text += line + "\n"
        }
        return text
    }
}
