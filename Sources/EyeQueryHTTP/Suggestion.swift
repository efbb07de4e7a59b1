// "Did you mean …": the known word nearest to a wrong one, for parameters of requests as for the words of the command line and of its file. Pure.

/// Finds near words.
package enum Suggestion {
    /// A longer word is no slip of the hand: it is not compared.
    private static let bytesMax = 64

    /// `; did you mean --data?`, or nothing.
    package static func text(for word: String, in known: [String]) -> String {
        nearest(to: word, in: known).map { "; did you mean \($0)?" } ?? ""
    }

    /// The known word with the fewest edits, at most a third of the longer one's length but always one, and never as many as the word has
    /// letters; or else the only one that the word begins.
    package static func nearest(to word: String, in known: [String]) -> String? {
        let letters = Array(word.utf8)
        guard letters.count <= bytesMax else { return nil }
        let scored = known.map { ($0, distance(letters, Array($0.utf8))) }
        if let (near, edits) = scored.min(by: { $0.1 < $1.1 }),
            edits <= max(1, max(letters.count, near.utf8.count) / 3), edits < letters.count
        {
            return near
        }
        let begun = known.filter { $0.hasPrefix(word) && letters.count > 2 }
        return begun.count == 1 ? begun[0] : nil
    }

    /// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b` (optimal string alignment).
    static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
        var before: [Int] = []
        var last = Array(0...b.count)
        for i in 0..<a.count {
            var row = [i + 1]
            row.reserveCapacity(b.count + 1)
            for j in 0..<b.count {
                var cost = min(row[j] + 1, last[j + 1] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
                if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] { cost = min(cost, before[j - 1] + 1) }
                row.append(cost)
            }
            before = last
            last = row
        }
        return last[b.count]
    }
}
