// An index in memory, grown from a segment frame by frame: by a reader over the active segment (and over closed ones whose index is
// missing), by the housekeeping thread over closed ones to write their index. It believes only frames the scanner found valid.
// Rows are only ever added, so whoever looks at rows below a number sees them unchanged. One thread at a time.

import EyeSystem
import Glibc

/// A damaged place as the index keeps it.
struct IndexGap {
    static let entryBytes = 40

    var offset: Int64
    var bytes: Int64
    var firstEventID: UInt64
    var nextEventID: UInt64
    var cause: CorruptionCause
}

/// An index under construction.
final class IndexBuilder {
    let base: UInt64
    let seed: UInt64
    let scanner: SegmentScanner
    /// Frames from this sequence on are superseded by the next segment.
    var supersededAt: UInt64?

    private(set) var extents: [IndexExtent] = []
    private(set) var gaps: [IndexGap] = []
    /// The rows: dictionaries, sessions, columns.
    private(set) var table: IndexRows
    private(set) var firstEventID: UInt64 = 0
    private(set) var nextEventID: UInt64 = 0
    private(set) var nextSequence: UInt64
    private(set) var lastCRC: UInt32 = 0
    /// Bytes of the log that are indexed.
    private(set) var coveredBytes: Int64 = 0

    private var bad: [(offset: Int64, bytes: Int64, cause: CorruptionCause)] = []
    private var isOver = false

    init(_ file: any DiskFile, base: UInt64, limit: Int64, seed: UInt64) {
        self.base = base
        self.seed = seed
        nextSequence = base
        scanner = SegmentScanner(file, base: base, limit: limit)
        table = IndexRows(seed: seed)
    }

    /// The salt of the segment's frames.
    var salt: UInt32 { scanner.salt ?? 0 }

    /// Whether everything below the scanner's limit is indexed.
    var isComplete: Bool { isOver || scanner.offset >= scanner.limit && bad.isEmpty && coveredBytes >= scanner.limit }

    /// Indexes a little more (a frame, usually). False: there is no more below the limit now.
    func step() throws(SystemError) -> Bool {
        if isComplete { return false }
        let found: ScanStep
        do throws(SystemError) {
            found = try scanner.next()
        } catch {
            // A directory in the place of a segment is no better than a broken disk.
            guard error.errno == EIO || error.errno == EISDIR else { throw error }
            // What the disk cannot read is as good as damaged, from here to the end.
            bad.append((scanner.offset, scanner.limit - scanner.offset, .unreadable))
            finish(at: scanner.limit)
            isOver = true
            return false
        }
        switch found {
        case .working:
            return true
        case .bad(let offset, let bytes, let cause):
            bad.append((offset, bytes, cause))
            return true
        case .frame(let frame):
            if let supersededAt, frame.header.firstSequence >= supersededAt {
                finish(at: frame.offset)
                isOver = true
                return false
            }
            if firstEventID == 0 {
                firstEventID = scanner.header?.firstEventID ?? frame.header.firstEventID
                nextEventID = firstEventID
            }
            if !frame.linked && bad.isEmpty { bad.append((frame.offset, 0, .brokenChain)) }
            for (index, place) in bad.enumerated() {
                let next = index == bad.count - 1 ? frame.header.firstEventID : nextEventID
                gaps.append(
                    IndexGap(
                        offset: place.offset, bytes: place.bytes, firstEventID: nextEventID, nextEventID: next,
                        cause: place.cause))
            }
            let isContiguous = bad.isEmpty
            bad.removeAll()
            if frame.header.kind == FrameKind.records {
                add(frame, isContiguous: isContiguous)
            }
            nextSequence = frame.header.nextSequence
            nextEventID = frame.header.nextEventID
            lastCRC = frame.crc
            coveredBytes = frame.end
            return true
        case .end:
            finish(at: scanner.limit)
            return false
        }
    }

    /// Everything that is there is indexed; bad bytes at the end are gaps whose ids only the next segment or the watermark tells.
    private func finish(at end: Int64) {
        if firstEventID == 0, let header = scanner.header {
            firstEventID = header.firstEventID
            nextEventID = firstEventID
        }
        for place in bad {
            gaps.append(
                IndexGap(
                    offset: place.offset, bytes: place.bytes, firstEventID: nextEventID, nextEventID: nextEventID,
                    cause: place.cause))
        }
        bad.removeAll()
        coveredBytes = end
        scanner.rest()
    }

    private func add(_ frame: ScannedFrame, isContiguous: Bool) {
        let header = frame.header
        let firstRow = table.rows
        let received = table.add(frame)
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
    var cost: Int { extents.count * MemoryLayout<IndexExtent>.stride + table.cost }
}
