// A store's reading end, in any process: follows the log by the watermark, keeps what it learns about segments within named limits, and
// gives out snapshots. Knows nothing of the writer but its files. Everything of one reader is used by one thread.

import EyeSystem
import Glibc

/// Limits of one reader.
public struct ReaderLimits: Sendable {
    /// Bytes of index blocks kept.
    public var blockBytes = 16 << 20
    /// Bytes of indexes in memory kept besides the active segment's.
    public var builtIndexBytes = 32 << 20
    /// Segments whose files are kept open.
    public var openSegments = 64

    public init() {}
}

/// A store's reading end.
public final class StoreReader {
    let disk: any Disk
    let folder: String
    let cache: BlockCache
    /// How filters look into `data`; nil: they cannot.
    let data: (any DataReading)?
    /// What tombstones hide.
    let erasures = ReaderErasures()
    private let limits: ReaderLimits
    private let watermark: WatermarkReader
    private let seed: UInt64
    private var segments: [UInt64: ReaderSegment] = [:]
    private var bases: [UInt64] = []
    private var mark: Watermark?
    private var clock: UInt64 = 0
    /// The list of segments may have changed.
    private var isListStale = true
    /// Damaged places met by queries so far, each once; at most `damageMax`.
    public private(set) var damage: [Corruption] = []
    private static let damageMax = 1000

    /// Reads the store in `folder`, which need not be there yet. `data`: needed by filters that look into `data`.
    public init(
        _ disk: any Disk, folder: String, limits: ReaderLimits = ReaderLimits(), data: (any DataReading)? = nil
    ) {
        self.data = data
        self.disk = disk
        self.folder = folder
        self.limits = limits
        cache = BlockCache(bytesMax: limits.blockBytes)
        watermark = WatermarkReader(disk, path: folder + "/watermark")
        var system = SystemRandomNumberGenerator()
        seed = system.next()
    }

    /// The store as it is durable now: one small read, more only when a segment was begun. An empty store if there is none.
    public func snapshot() throws(SystemError) -> Snapshot {
        let found = try watermark.read()?.mark
        if isListStale || found?.segment != mark?.segment || found == nil {
            try list()
        }
        mark = found
        trim()
        guard let last = bases.last else {
            return Snapshot(
                reader: self, bases: [], durableBytes: 0, nextEventID: found?.nextEventID ?? 1, tombstones: 0)
        }
        guard let found, found.segment >= last else {
            // Behind, or not there: closed segments are durable all the same, of the last one nothing is known.
            let first = try segment(last).firstEventID()
            return Snapshot(reader: self, bases: bases, durableBytes: 0, nextEventID: first, tombstones: nil)
        }
        // A watermark in a segment that is gone: what is left is all older, and durable.
        let isHere = found.segment == last
        return Snapshot(
            reader: self, bases: bases, durableBytes: isHere ? found.bytes : nil, nextEventID: found.nextEventID,
            tombstones: isHere ? found.tombstones : nil)
    }

    private func list() throws(SystemError) {
        bases = try SegmentFolder.list(disk, folder + "/log", ".log")
        isListStale = false
        let known = Set(bases)
        for base in segments.keys where !known.contains(base) { segments[base] = nil }
        erasures.keep(bases)
    }

    /// A segment was not where it should be: look again next time.
    func noteMissing(_ base: UInt64) {
        isListStale = true
        segments[base] = nil
        watermark.reopen()
    }

    func note(_ corruption: Corruption) {
        if damage.count < StoreReader.damageMax && !damage.contains(corruption) { damage.append(corruption) }
    }

    func segment(_ base: UInt64) -> ReaderSegment {
        clock += 1
        if let known = segments[base] {
            known.lastUsed = clock
            return known
        }
        let made = ReaderSegment(disk, folder: folder, base: base, cache: cache, seed: seed)
        made.lastUsed = clock
        segments[base] = made
        return made
    }

    /// Keeps to the limits; the active segment's index always stays.
    func trim() {
        let active = bases.last
        var open = 0
        var bytes = 0
        for (base, segment) in segments {
            if segment.isOpen { open += 1 }
            if base != active { bytes += segment.cost }
        }
        guard open > limits.openSegments || bytes > limits.builtIndexBytes else { return }
        let oldest = segments.values.filter { $0.base != active }.sorted { $0.lastUsed < $1.lastUsed }
        for segment in oldest.dropLast() {
            if open <= limits.openSegments && bytes <= limits.builtIndexBytes { return }
            if segment.isOpen { open -= 1 }
            let isTooMuch = bytes > limits.builtIndexBytes
            if isTooMuch { bytes -= segment.cost }
            segment.rest(dropIndex: isTooMuch)
        }
    }
}

/// The store at one moment: what was durable when it was taken. Holds no files.
public struct Snapshot {
    let reader: StoreReader
    /// Segments, oldest first.
    let bases: [UInt64]
    /// Durable bytes of the last one; nil: all of it.
    let durableBytes: Int64?
    /// The id after the last durable event; nil: not known (the watermark is missing and the last segment damaged).
    let nextEventID: UInt64?
    /// Tombstones in the last segment; nil: not known.
    let tombstones: UInt32?

    /// The highest event id that may be shown; 0: none.
    public var lastEventID: UInt64 { (nextEventID ?? 1) - 1 }

    /// A cursor over the events that pass `filter`.
    public func cursor(_ filter: EventFilter) -> EventCursor { EventCursor(self, filter) }

    /// A cursor over sessions, newest first, whose first record is before sequence `before` (nil: all).
    public func sessions(before: UInt64? = nil) -> SessionCursor { SessionCursor(self, before: before, only: nil) }

    /// A cursor over one session (to see whether it is there).
    public func session(_ id: ID128) -> SessionCursor { SessionCursor(self, before: nil, only: id) }

    /// The first event id of segment `index` by its header; nil: it is damaged, or the segment is gone.
    func firstEventID(_ index: Int) throws(SystemError) -> UInt64? {
        do throws(SystemError) {
            return try reader.segment(bases[index]).firstEventID()
        } catch {
            if error.errno == EMFILE || error.errno == ENFILE { throw error }
            if error.errno == ENOENT { reader.noteMissing(bases[index]) }
            return nil
        }
    }

    /// Events below this id are gone by retention: the newest segment that can say so says.
    func firstKeptEventID() throws(SystemError) -> UInt64 {
        for base in bases.reversed() {
            do throws(SystemError) {
                if let kept = try reader.segment(base).firstKeptEventID() { return kept }
            } catch {
                if error.errno == EMFILE || error.errno == ENFILE { throw error }
            }
        }
        return 1
    }

    /// The index of the last segment that begins at or before event `id`; 0 if there is none. Headers that cannot be read say nothing:
    /// then an older segment.
    func locate(_ id: UInt64) throws(SystemError) -> Int {
        var low = 0
        var high = bases.count
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
        while index + 1 < bases.count {
            if try firstEventID(index + 1) != nil { break }
            index += 1
        }
        return index
    }

    /// Prepares the index of segment `index`; nil: work is left.
    func prepare(_ index: Int) throws(SystemError) -> (any SegmentIndex)? {
        let isLast = index == bases.count - 1
        return try reader.segment(bases[index]).prepare(
            durable: isLast ? durableBytes : nil, next: isLast ? nil : bases[index + 1])
    }
}
