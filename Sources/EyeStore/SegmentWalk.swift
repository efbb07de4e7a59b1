// A scan over one segment that also keeps account of what damage costs: which event ids lie in each bad place. The common half of the index
// builder and of the sealer. It believes only frames the scanner found valid. One thread at a time.

import EyeSystem
import Glibc

/// A damaged place as the index keeps it.
struct IndexGap: Equatable {
    static let entryBytes = 40

    var offset: Int64
    var bytes: Int64
    var firstEventID: UInt64
    var nextEventID: UInt64
    var cause: CorruptionCause
}

/// A walk over the frames of a segment.
final class SegmentWalk {
    /// What a step came upon.
    enum Step {
        /// The next frame. `isContiguous`: nothing is missing between it and the one before.
        case frame(ScannedFrame, isContiguous: Bool)
        /// Nothing yet.
        case working
        /// There is no more below the limit now.
        case end
    }

    let scanner: SegmentScanner
    /// Frames from this sequence on are superseded by the next segment.
    var supersededAt: UInt64?

    private(set) var gaps: [IndexGap] = []
    private(set) var firstEventID: UInt64 = 0
    private(set) var nextEventID: UInt64 = 0
    private(set) var nextSequence: UInt64
    private(set) var lastCRC: UInt32 = 0
    /// Bytes of the log that were walked over.
    private(set) var coveredBytes: Int64 = 0

    private var bad: [(offset: Int64, bytes: Int64, cause: CorruptionCause)] = []
    private var isOver = false

    init(_ file: any DiskFile, base: UInt64, limit: Int64) {
        nextSequence = base
        scanner = SegmentScanner(file, base: base, limit: limit)
    }

    /// The salt of the segment's frames.
    var salt: UInt32 { scanner.salt ?? 0 }

    /// Whether everything below the scanner's limit was walked over.
    var isComplete: Bool { isOver || scanner.offset >= scanner.limit && bad.isEmpty && coveredBytes >= scanner.limit }

    /// Goes on a little, to the next frame usually.
    func next() throws(SystemError) -> Step {
        if isComplete { return .end }
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
            return .end
        }
        switch found {
        case .working:
            return .working
        case .bad(let offset, let bytes, let cause):
            bad.append((offset, bytes, cause))
            return .working
        case .frame(let frame):
            if let supersededAt, frame.header.firstSequence >= supersededAt {
                finish(at: frame.offset)
                isOver = true
                return .end
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
            nextSequence = frame.header.nextSequence
            nextEventID = frame.header.nextEventID
            lastCRC = frame.crc
            coveredBytes = frame.end
            return .frame(frame, isContiguous: isContiguous)
        case .end:
            finish(at: scanner.limit)
            return .end
        }
    }

    /// Everything that is there was walked over; bad bytes at the end are gaps whose ids only the next segment or the watermark tells.
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
}
