// Postings: for every category, name or session with few events the rows that have it. Made when all rows are written, by reading their
// codes back, for as many codes at a time as fit into a fixed memory; a group a step. One thread.
//
// A posting is the first row, then for each further row the distance less one, as varints. Postings stand one after the other in the
// order of codes, cut into blocks of 32,768 bytes.

import EyeSystem

/// The postings of one part under construction.
final class PostingBuilder {
    private let part: SealedPart
    private let rows: Int
    /// Events of each code.
    private let events: (Int) -> Int
    private let codes: Int
    /// Where the posting of each code begins, and where the last one ends; filled as they are written.
    private(set) var starts: [UInt64] = [0]
    private var firstCode = 0
    private var endCode = 0
    private var group = 0
    /// Where the next row of each code of this pass goes.
    private var fill: [UInt32] = []
    private var found: [UInt32] = []
    private let out = GrowingBytes(capacity: PostingBuilder.blockBytes * 2)
    private var written: UInt64 = 0

    static let blockBytes = 32_768

    /// Postings into `part` for codes below `codes`, which have so many `events` in a segment of `rows` rows.
    init(_ part: SealedPart, rows: Int, codes: Int, events: @escaping (Int) -> Int) {
        self.part = part
        self.rows = rows
        self.codes = codes
        self.events = events
        starts.reserveCapacity(codes + 1)
    }

    /// Whether a text or session of so many events has a posting. One or two rows are known without.
    static func isListed(_ events: Int, rows: Int) -> Bool { events > 2 && events * 64 <= rows }

    /// Does one group; `read` gives its codes. False: all is written.
    func step(
        _ writer: SealedWriter, read: (_ group: Int, _ to: inout [UInt32]) throws(SystemError) -> Void
    ) throws(SystemError) -> Bool {
        if group == 0 {
            guard firstCode < codes else {
                if out.count > 0 { try unsafe writer.add(part, out.view) }
                out.removeAll()
                return false
            }
            beginPass()
        }
        if !found.isEmpty {
            var codesOfRows: [UInt32] = []
            try read(group, &codesOfRows)
            let firstRow = group * StoreLimits.rowsPerGroup
            for (place, code) in codesOfRows.enumerated() where code >= firstCode && code < endCode {
                let at = Int(code) - firstCode
                let next = fill[at]
                if next == UInt32.max { continue }
                found[Int(next)] = UInt32(firstRow + place)
                fill[at] = next + 1
            }
        }
        group += 1
        if found.isEmpty || group * StoreLimits.rowsPerGroup >= rows {
            try endPass(writer)
            group = 0
        }
        return true
    }

    private func beginPass() {
        fill.removeAll(keepingCapacity: true)
        var total = 0
        endCode = firstCode
        while endCode < codes {
            let count = events(endCode)
            if PostingBuilder.isListed(count, rows: rows) {
                if total > 0 && total + count > StoreLimits.postingRowsPerPass { break }
                fill.append(UInt32(total))
                total += count
            } else {
                fill.append(UInt32.max)
            }
            endCode += 1
        }
        found = [UInt32](repeating: 0, count: total)
    }

    private func endPass(_ writer: SealedWriter) throws(SystemError) {
        var at = 0
        for code in firstCode..<endCode {
            let count = events(code)
            if PostingBuilder.isListed(count, rows: rows) {
                let before = out.count
                var last: UInt32 = 0
                for index in at..<(at + count) {
                    let row = found[index]
                    out.append(varint: UInt64(index == at ? row : row &- last &- 1))
                    last = row
                }
                at += count
                written += UInt64(out.count - before)
            }
            starts.append(written)
            try flush(writer)
        }
        firstCode = endCode
    }

    /// Writes whole blocks.
    private func flush(_ writer: SealedWriter) throws(SystemError) {
        var from = 0
        while out.count - from >= PostingBuilder.blockBytes {
            try unsafe writer.add(part, out.view.slice(from, PostingBuilder.blockBytes))
            from += PostingBuilder.blockBytes
        }
        if from > 0 {
            let rest = unsafe [UInt8](out.view.slice(from, out.count - from))
            out.removeAll()
            unsafe rest.withUnsafeBytes { unsafe out.append($0) }
        }
    }
}
