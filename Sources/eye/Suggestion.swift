// "Did you mean": the nearest known word, if it is near enough.

/// Finds the word that was probably meant.
enum Suggestion {
    /// `; did you mean --data?`, or nothing.
    static func text(for word: String, among known: [String]) -> String {
        nearest(to: word, among: known).map { "; did you mean \($0)?" } ?? ""
    }

    /// The known word with the fewest edits (optimal string alignment), at most a third of the longer one's length but
    /// always one, or the only one that the word begins.
    static func nearest(to word: String, among known: [String]) -> String? {
        let scored = known.map { ($0, distance(Array(word.utf8), Array($0.utf8))) }
        if let best = scored.min(by: { $0.1 < $1.1 }), best.1 <= max(1, max(word.utf8.count, best.0.utf8.count) / 3) {
            return best.0
        }
        let begun = known.filter { $0.hasPrefix(word) && word.utf8.count > 2 }
        return begun.count == 1 ? begun[0] : nil
    }

    /// Edits between two words: insert, delete, replace, swap of neighbours.
    static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
        var rows = [Array(0...b.count)]
        for (i, x) in a.enumerated() {
            var row = [i + 1]
            for (j, y) in b.enumerated() {
                var best = min(row[j] + 1, rows[i][j + 1] + 1, rows[i][j] + (x == y ? 0 : 1))
                if i > 0 && j > 0 && x == b[j - 1] && a[i - 1] == y { best = min(best, rows[i - 1][j - 1] + 1) }
                row.append(best)
            }
            rows.append(row)
        }
        return rows[a.count][b.count]
    }
}
