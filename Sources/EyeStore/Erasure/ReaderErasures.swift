// What a reader knows to be erased: the tombstones of all segments of the log, closed and active. Filled in before a query looks at anything,
// in bounded steps; mostly there is nothing to do: each segment's header says whether the one before it holds tombstones, and the
// watermark says it of the active one. Sealed segments hold none that is still to be applied. One thread: the reader's.

import EyeSystem
import Glibc

/// A reader's tombstones.
final class ReaderErasures {
    /// Event ids that are erased.
    private(set) var ids = IDSet()
    /// Sequences of records by which sessions came to be that are erased.
    private(set) var sequences = IDSet()

    /// What was taken from a segment so far.
    private struct Taken {
        var ids = 0
        var sequences = 0
        var tombstones = 0
        /// It is closed, and all of it is taken.
        var isWhole = false
    }
    private var taken: [UInt64: Taken] = [:]
    /// The reader's list of segments of which all closed ones are whole.
    private var wholeList: UInt64?
    /// Another one: what was known to be complete may not be any more.
    private(set) var version: UInt64 = 0
    /// How often a listed segment was not there.
    private var misses: [UInt64: Int] = [:]
    private static let missesMax = 4

    /// The list of segments changed. What came from one that is gone is not needed any more: before it went, it was applied.
    func keep(_ segments: [SegmentName]) {
        wholeList = nil
        let known = Set(segments.lazy.filter { !$0.isSealed }.map(\.first))
        let gone = taken.filter { !known.contains($0.key) }
        for base in gone.keys { taken[base] = nil }
        misses = misses.filter { known.contains($0.key) }
        if gone.values.contains(where: { $0.tombstones > 0 }) {
            ids = IDSet()
            sequences = IDSet()
            taken.removeAll()
            version += 1
        }
    }

    /// Does a little. True: everything that `snapshot` must hide is known. Throws ENOENT when a segment is gone: list them again.
    func prepare(_ snapshot: Snapshot) throws(SystemError) -> Bool {
        let segments = snapshot.segments
        if wholeList != snapshot.list {
            var headersLeft = StoreLimits.headersPerStep
            for (index, name) in segments.enumerated().dropLast() {
                if name.isSealed || taken[name.first]?.isWhole ?? false { continue }
                // A header is read from its file when it is looked at first.
                if headersLeft == 0 { return false }
                headersLeft -= 1
                let next = segments[index + 1]
                let isDone = try unlessMissing(name, snapshot.reader) { () throws(SystemError) in
                    try takeClosed(name, next: next, snapshot.reader)
                }
                if !isDone { return false }
                taken[name.first, default: Taken()].isWhole = true
            }
            wholeList = snapshot.list
        }
        guard let active = segments.last, !active.isSealed else { return true }
        return try unlessMissing(active, snapshot.reader) { () throws(SystemError) in
            try takeActive(active, snapshot)
        }
    }

    /// One that is gone was sealed, with what it said applied before, or dropped: the list is old. One that is listed again and again and
    /// never there says nothing.
    private func unlessMissing(
        _ name: SegmentName, _ reader: StoreReader, _ body: () throws(SystemError) -> Bool
    ) throws(SystemError) -> Bool {
        do throws(SystemError) {
            return try body()
        } catch {
            guard error.isMissing else { throw error }
            misses[name.first, default: 0] += 1
            if misses[name.first, default: 0] > ReaderErasures.missesMax { return true }
            reader.noteMissing(name)
            throw error
        }
    }

    private func takeClosed(
        _ name: SegmentName, next: SegmentName, _ reader: StoreReader
    ) throws(SystemError) -> Bool {
        let base = name.first
        let count = try reader.segment(next).tombstonesBefore()
        if let count, Int(count) <= taken[base]?.tombstones ?? 0 { return true }
        guard let index = try reader.segment(name).prepare(durable: nil, next: next.first) else { return false }
        do throws(IndexFault) {
            take(try index.erasures(), of: base)
            return true
        } catch {
            switch error {
            case .damaged:
                reader.segment(name).distrustIndex()
                return false
            case .system(let error): throw error
            }
        }
    }

    private func takeActive(_ name: SegmentName, _ snapshot: Snapshot) throws(SystemError) -> Bool {
        let base = name.first
        // Nil: nobody says how many there are.
        let wanted = snapshot.tombstones.map { Int($0) }
        if let wanted, taken[base]?.tombstones ?? 0 >= wanted { return true }
        let segment = snapshot.reader.segment(name)
        let index = try segment.prepare(durable: snapshot.durableBytes, next: nil)
        if let builder = (segment as? ReaderSegment)?.builder { take(builder.table.erasures, of: base) }
        if index != nil { return true }
        return wanted.map { taken[base]?.tombstones ?? 0 >= $0 } ?? false
    }

    private func take(_ found: SegmentErasures, of base: UInt64) {
        var known = taken[base] ?? Taken()
        for range in found.ids.dropFirst(known.ids) { ids.insert(range) }
        for range in found.sequences.dropFirst(known.sequences) { sequences.insert(range) }
        known.ids = max(known.ids, found.ids.count)
        known.sequences = max(known.sequences, found.sequences.count)
        known.tombstones = max(known.tombstones, found.count)
        taken[base] = known
    }
}

extension Snapshot {
    /// Does a little towards knowing what is erased. True: `erased` is complete; false: call again. Every query asks before it looks at
    /// anything else.
    func prepareErasures() throws(SystemError) -> Bool {
        try checkStore()
        return try reader.erasures.prepare(self)
    }

    /// Ids of events that must not be shown; complete once `prepareErasures` said so.
    var erased: IDSet { reader.erasures.ids }

    /// Whether a session, as the index of a segment has it, is erased there: the record by which it came to be is, and so are all of its
    /// events. Returns the work too, about nanoseconds.
    func isErased(
        _ session: IndexSession, code: Int, in index: any SegmentIndex
    ) throws(IndexFault) -> (isErased: Bool, work: Int) {
        guard reader.erasures.sequences.contains(session.firstSequence) else { return (false, 10) }
        guard session.firstRow <= session.lastRow else { return (true, 10) }
        let (first, last) = (Int(session.firstRow), Int(session.lastRow))
        var look = IDSet.Look()
        var extent: IndexExtent?
        let groups = first / StoreLimits.rowsPerGroup...last / StoreLimits.rowsPerGroup
        for group in groups {
            let block = try index.block(.session, group: group)
            let view = unsafe block.view(StoreLimits.rowsPerGroup * 4)
            let start = group * StoreLimits.rowsPerGroup
            for row in max(first, start)...min(last, start + StoreLimits.rowsPerGroup - 1) {
                guard unsafe Int(view.u32((row - start) * 4)) == code else { continue }
                if extent.map({ row >= $0.endRow }) ?? true { extent = try index.extent(index.extentIndex(ofRow: row)) }
                guard let extent, row >= extent.firstRow, row < extent.endRow else { throw .damaged }
                let id = extent.firstEventID + UInt64(row - extent.firstRow)
                if !erased.contains(id, &look) { return (false, last - first) }
            }
        }
        return (true, last - first)
    }
}
