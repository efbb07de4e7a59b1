// What statistics ask of a sealed segment besides rows: dictionaries by code, counts by hour. Parts of `SealedFile`; the reader's thread.

import EyeSystem

extension SealedFile {
    func appendText(_ code: Int, of kind: TextKind, to out: inout [UInt8]) throws(IndexFault) {
        unsafe out.append(contentsOf: try text(code, of: kind).bytes)
    }

    /// They are in the file.
    func prepareHourCounts(work: inout Int) throws(IndexFault) -> Bool { true }

    func hourCounts() throws(IndexFault) -> [HourCount]? {
        guard hasCounts else { return nil }
        if let hourMemo { return hourMemo }
        var entries: [HourCount] = []
        entries.reserveCapacity(header.counts)
        try forEachCount { entries.append($0) }
        guard entries.allSatisfy({ $0.events >= 0 && $0.events <= rows }) else { throw .damaged }
        if entries.count <= AnalysisLimits.hourEntriesKept { hourMemo = entries }
        return entries
    }
}
