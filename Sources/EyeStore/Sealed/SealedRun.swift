// Rows of a sealed segment that a cursor is about to show: each is made into a record again when its turn comes, so that a page costs as
// many records as it shows. Used by cursors, on the reader's thread.

/// Events of a sealed segment, at hand for a cursor.
struct SealedRun {
    private var index: SealedFile?
    private var rows: [UInt32] = []
    private var taken = 0
    // The run of ids that all of them are in.
    private var firstRow = 0
    private var firstEventID: UInt64 = 0
    private let scratch = SealedScratch()

    /// Forgets what is left.
    mutating func drop() {
        index = nil
        rows.removeAll(keepingCapacity: true)
        taken = 0
    }

    /// Takes up rows (ascending) of one run of contiguous ids.
    mutating func take(_ extent: IndexExtent, rows: ArraySlice<UInt32>, of index: SealedFile) {
        self.index = index
        self.rows.removeAll(keepingCapacity: true)
        self.rows.append(contentsOf: rows)
        taken = 0
        firstRow = extent.firstRow
        firstEventID = extent.firstEventID
    }

    /// The next event, in order. Valid until the next one. Throws when a block that it needs is damaged.
    @inline(__always)
    mutating func next(newestFirst: Bool) throws(IndexFault) -> (id: UInt64, record: RecordView)? {
        guard taken < rows.count, let index else { return nil }
        let row = Int(newestFirst ? rows[rows.count - 1 - taken] : rows[taken])
        taken += 1
        let record = try index.record(row, into: scratch)
        return (firstEventID + UInt64(row - firstRow), record)
    }
}
