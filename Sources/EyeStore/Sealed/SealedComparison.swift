// Compares a sealed segment with the log that it was made from, record by record, before that log is removed: a fault of the sealing, or of
// the disk while it wrote, then costs time and no event. Bounded work a step; used by `SegmentKeeper`, on its thread.

import EyeSystem
import Glibc

/// A comparison under way.
final class SealedComparison {
    enum Verdict {
        /// Call again.
        case working
        /// Every record of the log is in the sealed segment, byte for byte, and no other; what is erased may be there or not.
        case same
        /// Not so, or a block of it is damaged; the log has to stay.
        case different(String)
    }

    private let sealed: SealedFile
    private let scanner: SegmentScanner
    /// Frames from this sequence on are superseded by the next segment.
    private let next: UInt64
    private var run: IndexExtent?
    private var runIndex = 0
    /// Events that were compared.
    private(set) var events = 0
    private let scratch = SealedScratch()
    /// What is not rows; nil: not come to yet.
    private var tables: SealedTableCheck?

    private let omission: SealedOmission
    private var look = IDSet.Look()
    private let mayHaveGaps: Bool

    /// `log`: of segment `base`, which ends where `next` begins. `omission`: what is erased. `mayHaveGaps`: damage in the log is no reason.
    init(
        _ sealed: SealedFile, log: any DiskFile, base: UInt64, next: UInt64,
        omission: SealedOmission = SealedOmission(),
        mayHaveGaps: Bool = false
    ) throws(SystemError) {
        self.sealed = sealed
        self.next = next
        self.omission = omission
        self.mayHaveGaps = mayHaveGaps
        scanner = SegmentScanner(log, base: base, limit: try log.size())
    }

    /// Compares a little more, a frame at most.
    func step() throws(SystemError) -> Verdict {
        if let tables {
            do throws(IndexFault) {
                return try tables.step() ? .working : .same
            } catch {
                return .different("a block of the sealed segment is damaged")
            }
        }
        switch try scanner.next() {
        case .working: return .working
        case .bad: return mayHaveGaps ? .working : .different("the log is damaged")
        case .end: return finish()
        case .frame(let frame):
            if frame.header.firstSequence >= next { return finish() }
            if frame.header.kind != FrameKind.records { return .working }
            do throws(IndexFault) {
                return try compare(frame).map { .different($0) } ?? .working
            } catch {
                return .different("a block of the sealed segment is damaged")
            }
        }
    }

    private func finish() -> Verdict {
        guard events == sealed.rows else {
            return .different("the sealed segment has \(sealed.rows) events, the log \(events)")
        }
        tables = SealedTableCheck(sealed)
        return .working
    }

    /// What is different; nil: nothing.
    private func compare(_ frame: ScannedFrame) throws(IndexFault) -> String? {
        var offset = 0
        var id = frame.header.firstEventID
        while offset < frame.payloadCount, let record = unsafe RecordView.at(offset, of: frame.payload) {
            offset += record.byteCount
            switch record.kind {
            case RecordKind.event:
                guard try self.id(ofRow: events) == id else {
                    // Left out.
                    guard omission.events.contains(id, &look) else { return "event \(id) is not where it should be" }
                    id += 1
                    continue
                }
                let found = try sealed.record(events, into: scratch)
                guard unsafe found.bytes.equals(record.bytes) else { return "event \(id) is another one" }
                events += 1
                id += 1
            case RecordKind.session:
                guard try sealed.session(record.session) != nil || !omission.sequences.isEmpty else {
                    return "a session is missing"
                }
            default: break
            }
        }
        return nil
    }

    /// The event id of a row; rows come ascending. Nil: there is no such row.
    private func id(ofRow row: Int) throws(IndexFault) -> UInt64? {
        while true {
            if let run, row < run.endRow {
                return row >= run.firstRow ? run.firstEventID + UInt64(row - run.firstRow) : nil
            }
            guard runIndex < sealed.extentCount else { return nil }
            run = try sealed.extent(runIndex)
            runIndex += 1
        }
    }
}
