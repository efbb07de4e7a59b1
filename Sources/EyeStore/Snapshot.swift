// The store as it was durable at one moment: which segments, and how far. Numbers only, no files: a segment that was sealed, rewritten or
// dropped since is listed again. Given out by `StoreReader`, used by cursors on its thread.

import EyeSystem
import Glibc

/// The store at one moment: what was durable when it was taken. Holds no files.
public struct Snapshot {
    let reader: StoreReader
    /// Segments, oldest first.
    private(set) var segments: [SegmentName]
    /// Durable bytes of the last one; nil: all of it.
    private(set) var durableBytes: Int64?
    /// The id after the last durable event; nil: not known (the watermark is missing and the last segment damaged).
    let nextEventID: UInt64?
    /// The sequence after the last durable record; nil: not known.
    let nextSequence: UInt64?
    /// Tombstones in the last segment; nil: not known.
    let tombstones: UInt32?
    /// The reader's list that the segments are of.
    private(set) var list: UInt64
    /// No segment that begins behind this sequence is part of it.
    private let lastBase: UInt64
    /// The reader's store that it is of.
    public let storeNumber: UInt64

    init(
        reader: StoreReader, segments: [SegmentName], list: UInt64, durableBytes: Int64?, nextEventID: UInt64?,
        nextSequence: UInt64?, tombstones: UInt32?
    ) {
        self.reader = reader
        self.segments = segments
        self.list = list
        self.durableBytes = durableBytes
        self.nextEventID = nextEventID
        self.nextSequence = nextSequence
        self.tombstones = tombstones
        lastBase = segments.last?.first ?? 0
        storeNumber = reader.storeNumber
    }

    /// Throws ESTALE when the store that it is of is not in the folder any more.
    func checkStore() throws(SystemError) {
        if storeNumber != reader.storeNumber { throw SystemError(errno: ESTALE, call: "stat") }
    }

    /// The highest event id that may be shown; 0: none.
    public var lastEventID: UInt64 { (nextEventID ?? 1) - 1 }

    /// Events below this id are gone by retention.
    public var firstKeptEventID: UInt64 { reader.firstKeptEventID }

    /// The ids of all events there were, when no segment is left; empty: there are some, or there was no event.
    var idsOfEverything: Range<UInt64> {
        guard segments.isEmpty else { return 0..<0 }
        return firstKeptEventID..<max(firstKeptEventID, nextEventID ?? 0)
    }

    /// The ids between segment `segment`, which has `index`, and what follows it; mostly there are none.
    func idsMissing(behind segment: Int, _ index: any SegmentIndex) -> Range<UInt64> {
        guard index.nextEventID > 0 else {
            // Nothing of it is left; its neighbours tell what it had.
            let lost = idsOfLost(segment)
            return lost.first..<max(lost.first, lost.next)
        }
        var end: UInt64?
        do throws(SystemError) {
            end = try segment + 1 < segments.count ? firstEventID(segment + 1) : nextEventID
        } catch {
            // Whoever reads that one says that it cannot be read.
            return 0..<0
        }
        return index.nextEventID..<max(end ?? 0, index.nextEventID)
    }

    /// A cursor over the events that pass `filter`.
    public func cursor(_ filter: EventFilter) -> EventCursor { EventCursor(self, filter) }

    /// Finds its segments again after one of them was sealed, rewritten or dropped: the same moment, in the files of now.
    mutating func listAgain() throws(SystemError) {
        let found = try reader.listAgain()
        try checkStore()
        segments = found.segments.filter { $0.first <= lastBase }
        list = found.list
        // The segment that was the last is closed when it is not the last of the log any more.
        if segments.last != .log(lastBase) { durableBytes = nil }
    }

    /// The first event id of segment `index` by its header; nil: it is damaged, or the segment is gone.
    func firstEventID(_ index: Int) throws(SystemError) -> UInt64? {
        try checkStore()
        do throws(SystemError) {
            return try reader.segment(segments[index]).firstEventID()
        } catch {
            if error.errno == EMFILE || error.errno == ENFILE { throw error }
            if error.isMissing { reader.noteMissing(segments[index]) }
            return nil
        }
    }

    /// The index of the last segment that begins at or before event `id`; 0 if there is none. Headers that cannot be read say nothing:
    /// then an older segment.
    func locate(_ id: UInt64) throws(SystemError) -> Int {
        var low = 0
        var high = segments.count
        while high - low > 1 {
            let middle = (low + high) / 2
            var probe = middle
            var first = try firstEventID(probe)
            while first == nil && probe + 1 < high {
                probe += 1
                first = try firstEventID(probe)
            }
            if let first, first <= id { low = probe } else { high = middle }
        }
        return low
    }

    /// The last segment that may hold event `id`: as `locate`, but segments without a readable header may.
    func locateLast(_ id: UInt64) throws(SystemError) -> Int {
        var index = try locate(id)
        while index + 1 < segments.count {
            if try firstEventID(index + 1) != nil { break }
            index += 1
        }
        return index
    }

    /// Prepares the index of segment `index`; nil: work is left.
    func prepare(_ index: Int) throws(SystemError) -> (any SegmentIndex)? {
        try checkStore()
        let isLast = index == segments.count - 1
        return try reader.segment(segments[index]).prepare(
            durable: isLast ? durableBytes : nil, next: isLast ? nil : segments[index + 1].first)
    }
}
