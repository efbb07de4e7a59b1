// A table for a terminal: columns as wide as their widest cell, separated by two spaces.

/// Aligned columns.
struct TextTable {
    let header: [String]
    private var rows: [[String]] = []

    init(_ header: [String]) { self.header = header }

    /// Adds a row; cells are made harmless to show.
    mutating func add(_ cells: [String]) { rows.append(cells.map { Visible.text($0) }) }

    /// The table with a final line feed.
    var text: String {
        let all = [header] + rows
        let widths = header.indices.map { column in all.map { $0[column].unicodeScalars.count }.max() ?? 0 }
        var text = ""
        for row in all {
            var line = ""
            for (column, cell) in row.enumerated() {
                line += cell
                if column < row.count - 1 {
                    line += String(repeating: " ", count: widths[column] - cell.unicodeScalars.count + 2)
                }
            }
            text += line + "\n"
        }
        return text
    }
}
