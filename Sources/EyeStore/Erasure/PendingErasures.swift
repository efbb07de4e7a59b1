// What is to be taken off the disk: the tombstones of closed segments of the log, together, and which sealed segments hold nothing of it
// (any more). Invariant that this serves: a log segment with tombstones goes only when no older segment holds anything they hide.
// Used by `SegmentKeeper`, on its thread.

import EyeSystem

/// Erasures that are hidden and not yet gone.
struct PendingErasures {
    /// Everything that tombstones of closed segments name.
    private(set) var omission = SealedOmission()
    /// The log segments that hold these tombstones.
    private(set) var holders: Set<UInt64> = []
    /// Sealed segments that hold nothing of it.
    var clean: Set<SegmentName> = []

    var isEmpty: Bool { holders.isEmpty }

    /// Takes up what the tombstones of log segment `base` say.
    mutating func add(_ erasures: SegmentErasures, of base: UInt64) {
        guard erasures.count > 0 else { return }
        holders.insert(base)
        for range in erasures.ids { omission.events.insert(range) }
        for range in erasures.sequences { omission.sequences.insert(range) }
    }

    /// Whether a segment with these event ids and sequences may hold some of it.
    func touches(ids: Range<UInt64>, sequences: Range<UInt64>) -> Bool {
        omission.touches(ids: ids, sequences: sequences)
    }
}

extension SealedOmission {
    /// Whether a segment with these event ids and sequences may hold some of it.
    func touches(ids: Range<UInt64>, sequences: Range<UInt64>) -> Bool {
        !ids.isEmpty && events.intersects(ids.lowerBound...(ids.upperBound - 1))
            || !sequences.isEmpty && self.sequences.intersects(sequences.lowerBound...(sequences.upperBound - 1))
    }
}

extension IDSet {
    /// The ranges that have an id in `span`, ascending.
    func ranges(meeting span: Range<UInt64>) -> [ClosedRange<UInt64>] {
        var found: [ClosedRange<UInt64>] = []
        forEachRange { range in
            if range.upperBound >= span.lowerBound && range.lowerBound < span.upperBound { found.append(range) }
            return range.lowerBound < span.upperBound
        }
        return found
    }
}

extension SealedFile {
    /// Whether it holds anything that `omission` names: an event, or a session that has lost all of its events.
    func holds(_ omission: SealedOmission) throws(IndexFault) -> Bool {
        let ids = firstEventID..<max(firstEventID, nextEventID)
        let sequences = firstSequence..<max(firstSequence, nextSequence)
        guard omission.touches(ids: ids, sequences: sequences) else { return false }
        for range in omission.events.ranges(meeting: ids) {
            let first = try row(atOrAfter: range.lowerBound)
            if first < rows, try eventID(ofRow: first) <= range.upperBound { return true }
        }
        for range in omission.sequences.ranges(meeting: sequences) {
            var code = try firstSession(atOrAfter: range.lowerBound)
            while code < sessionCount {
                let entry = try session(code: code)
                if entry.firstSequence > range.upperBound { break }
                if !entry.hasEvents { return true }
                code += 1
            }
        }
        return false
    }

    /// The code of the first session whose first record is not before `sequence`: codes rise with it.
    private func firstSession(atOrAfter sequence: UInt64) throws(IndexFault) -> Int {
        var low = 0
        var high = sessionCount
        while low < high {
            let middle = (low + high) / 2
            if try session(code: middle).firstSequence < sequence { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

/// Compares a sealed segment that was written anew with the one it was made from: every event that is not left out is there, byte for byte,
/// and no other. A bounded piece at a time.
final class RewriteComparison {
    private let old: SealedFile
    private let fresh: SealedFile
    private let omission: SealedOmission
    private var look = IDSet.Look()
    private let oldScratch = SealedScratch()
    private let freshScratch = SealedScratch()
    private var oldRow = 0
    private var row = 0
    private var tables: SealedTableCheck?
    private static let rowsPerStep = 1024

    init(_ old: SealedFile, _ fresh: SealedFile, _ omission: SealedOmission) {
        self.old = old
        self.fresh = fresh
        self.omission = omission
    }

    func step() -> SealedComparison.Verdict {
        do throws(IndexFault) {
            if let tables {
                if try tables.step() { return .working }
                return try fresh.holds(omission) ? .different("something of it was not left out") : .same
            }
            let end = min(oldRow + RewriteComparison.rowsPerStep, old.rows)
            while oldRow < end {
                let id = try old.eventID(ofRow: oldRow)
                if !omission.events.contains(id, &look) {
                    guard row < fresh.rows, try fresh.eventID(ofRow: row) == id else {
                        return .different("event \(id) is not where it should be")
                    }
                    let was = try old.record(oldRow, into: oldScratch)
                    let found = try fresh.record(row, into: freshScratch)
                    guard unsafe found.bytes.equals(was.bytes) else { return .different("event \(id) is another one") }
                    row += 1
                }
                oldRow += 1
            }
            if oldRow < old.rows { return .working }
            guard row == fresh.rows else { return .different("it has \(fresh.rows) events, not \(row)") }
            tables = SealedTableCheck(fresh)
            return .working
        } catch {
            return .different("a block of it is damaged")
        }
    }
}
