// An index in memory, grown from a segment frame by frame: by a reader over the active segment (and over closed ones whose index is
// missing), by the housekeeping thread over closed ones to write their index. It believes only frames the scanner found valid.
// Rows are only ever added, so whoever looks at rows below a number sees them unchanged. One thread at a time.

import EyeSystem
import Glibc

/// An index under construction.
final class IndexBuilder {
    let base: UInt64
    let seed: UInt64
    private let walk: SegmentWalk

    private(set) var extents: [IndexExtent] = []
    /// The rows: dictionaries, sessions, columns.
    private(set) var table: IndexRows
    /// Counts that statistics ask for, as far as they were wanted.
    let hours = HourMemo()
    /// Where the rows' records are, for those who look at single events.
    private(set) var units = LogUnits()
    private let isForQueries: Bool

    /// `isForQueries`: it keeps what single events are found by, too, which is not written to index files.
    init(_ file: any DiskFile, base: UInt64, limit: Int64, seed: UInt64, isForQueries: Bool = false) {
        self.base = base
        self.seed = seed
        self.isForQueries = isForQueries
        walk = SegmentWalk(file, base: base, limit: limit)
        table = IndexRows(seed: seed, hasChains: isForQueries)
    }

    var scanner: SegmentScanner { walk.scanner }
    /// Frames from this sequence on are superseded by the next segment.
    var supersededAt: UInt64? {
        get { walk.supersededAt }
        set { walk.supersededAt = newValue }
    }
    var gaps: [IndexGap] { walk.gaps }
    var firstEventID: UInt64 { walk.firstEventID }
    var nextEventID: UInt64 { walk.nextEventID }
    var nextSequence: UInt64 { walk.nextSequence }
    var lastCRC: UInt32 { walk.lastCRC }
    /// Bytes of the log that are indexed.
    var coveredBytes: Int64 { walk.coveredBytes }
    /// The salt of the segment's frames.
    var salt: UInt32 { walk.salt }

    /// Whether everything below the scanner's limit is indexed.
    var isComplete: Bool { walk.isComplete }

    /// Indexes a little more (a frame, usually). False: there is no more below the limit now.
    func step() throws(SystemError) -> Bool {
        switch try walk.next() {
        case .working: return true
        case .end: return false
        case .frame(let frame, let isContiguous):
            if frame.header.kind == FrameKind.records { add(frame, isContiguous: isContiguous) }
            return true
        }
    }

    private func add(_ frame: ScannedFrame, isContiguous: Bool) {
        let header = frame.header
        let firstRow = table.rows
        let received = table.add(frame)
        if isForQueries { units.add(frame, firstRow: firstRow) }
        let events = table.rows - firstRow
        if isContiguous, let last = extents.indices.last,
            extents[last].offset + Int64(extents[last].bytes) == frame.offset,
            extents[last].bytes + header.frameBytes <= StoreLimits.extentBytesMax,
            extents[last].nextEventID == header.firstEventID
        {
            extents[last].bytes += header.frameBytes
            extents[last].events += events
            extents[last].oldestReceived = min(extents[last].oldestReceived, received.oldest)
            extents[last].newestReceived = max(extents[last].newestReceived, received.newest)
        } else {
            extents.append(
                IndexExtent(
                    offset: frame.offset, firstEventID: header.firstEventID, firstSequence: header.firstSequence,
                    oldestReceived: received.oldest, newestReceived: received.newest, bytes: header.frameBytes,
                    firstRow: firstRow, events: events))
        }
    }

    var rows: Int { table.rows }

    /// Bytes of memory, about.
    var cost: Int { extents.count * MemoryLayout<IndexExtent>.stride + table.cost + hours.cost + units.cost }
}
