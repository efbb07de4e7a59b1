// The session parts of a sealed segment: a table in the order of codes (that of their first records), the ids in their own order, the first
// id of each block of them, and the filter. Written by `SegmentSealer`; one thread.
//
//    sessions            blocks of 256, packed numbers one behind the other: rank (place in the order of ids), first received, first
//                        sequence, first row (of one without an event: the rows there were when it was named), last row less first row
//                        (-1: no event), events × 2 + 1 if a record opened it, where its
//                        postings begin (one more than sessions: where the last one's end)
//    session ids         blocks of 256, rising: 16 bytes each, then packed numbers of their codes
//    session first ids   blocks of 256: the first id of each block of ids, 16 bytes
//    session filter      blocks of 4,096 bytes, see `SessionFilter`

import EyeSystem

/// Writes the session parts.
enum SessionParts {
    static let sessionsPerBlock = 256
    static let idsPerBlock = 256
    static let firstIDsPerBlock = 256

    /// Writes `table`; the posting of code c is at `postings[c]` up to `postings[c + 1]`.
    static func write(_ table: SessionTable, postings: [UInt64], _ writer: SealedWriter) throws(SystemError) {
        let entries = table.entries
        var sorted = entries.enumerated().map { (id: $0.element.id, code: UInt32($0.offset)) }
        sorted.sort { $0.id < $1.id }
        let order = sorted.map(\.code)
        var ranks = [UInt32](repeating: 0, count: entries.count)
        for (rank, code) in order.enumerated() { ranks[Int(code)] = UInt32(rank) }
        let out = GrowingBytes(capacity: 1 << 14)
        for first in stride(from: 0, to: entries.count, by: sessionsPerBlock) {
            let range = first..<min(first + sessionsPerBlock, entries.count)
            let some = entries[range]
            out.removeAll()
            PackedNumbers.append(ranks[range].map { Int64($0) }, to: out)
            PackedNumbers.append(some.map(\.firstReceived), to: out)
            PackedNumbers.append(some.map { Int64(bitPattern: $0.firstSequence) }, to: out)
            PackedNumbers.append(some.map { Int64($0.hasEvents ? $0.firstRow : $0.lastRow) }, to: out)
            PackedNumbers.append(some.map { $0.hasEvents ? Int64($0.lastRow - $0.firstRow) : -1 }, to: out)
            PackedNumbers.append(some.map { Int64($0.events) << 1 | ($0.isOpened ? 1 : 0) }, to: out)
            PackedNumbers.append(
                (range.lowerBound...range.upperBound).map { Int64(bitPattern: postings[$0]) }, to: out)
            try unsafe writer.add(.sessions, out.view)
        }
        let firstIDs = GrowingBytes()
        for first in stride(from: 0, to: order.count, by: idsPerBlock) {
            let some = order[first..<min(first + idsPerBlock, order.count)]
            out.removeAll()
            for code in some { out.append(id: entries[Int(code)].id) }
            PackedNumbers.append(some.map { Int64($0) }, to: out)
            try unsafe writer.add(.sessionIDs, out.view)
            firstIDs.append(id: entries[Int(order[first])].id)
        }
        try write(.sessionFirstIDs, firstIDs, blockBytes: firstIDsPerBlock * 16, writer)
        try write(.sessionFilter, filter(table), blockBytes: SessionFilter.blockBytes, writer)
    }

    private static func filter(_ table: SessionTable) -> GrowingBytes {
        let buckets = SessionFilter.buckets(table.entries.count)
        let bits = GrowingBytes(capacity: buckets * SessionFilter.bucketBytes)
        bits.appendZeros(buckets * SessionFilter.bucketBytes)
        for entry in table.entries {
            let hash = Mix.hash(entry.id, seed: table.seed)
            let (block, offset) = SessionFilter.bucket(hash, of: buckets)
            for word in 0..<8 {
                let at = block * SessionFilter.blockBytes + offset + word * 4
                bits.set(bits.number(at, as: UInt32.self) | SessionFilter.bit(hash, word), at)
            }
        }
        return bits
    }

    private static func write(
        _ part: SealedPart, _ bytes: GrowingBytes, blockBytes: Int, _ writer: SealedWriter
    ) throws(SystemError) {
        for first in stride(from: 0, to: bytes.count, by: blockBytes) {
            try unsafe writer.add(part, bytes.view.slice(first, min(blockBytes, bytes.count - first)))
        }
    }
}
