// A store's reading end, in any process: follows the log by the watermark, keeps what it learns about segments within named limits, and
// gives out snapshots. Knows nothing of the writer but its files. Everything of one reader is used by one thread.

import EyeSystem
import Glibc

/// Limits of one reader.
public struct ReaderLimits: Sendable {
    /// Bytes of index and sealed blocks kept.
    public var blockBytes = 12 << 20
    /// Bytes of indexes in memory kept besides the active segment's.
    public var builtIndexBytes = 16 << 20
    /// Log segments whose files are kept open.
    public var openSegments = 64
    /// Sealed segments whose files are kept open.
    public var openSealedSegments = 512
    /// How long what the folders of segments looked like is believed while nothing was committed (nanoseconds): sealing, and the end of what
    /// retention drops, may be seen so much later, and that another store has its place; what is durable, and what is erased, never. 0: looked
    /// at by every snapshot.
    public var folderLookNanoseconds: UInt64 = 0

    public init() {}
}

/// A store's reading end.
public final class StoreReader {
    let disk: any Disk
    let folder: String
    let cache: BlockCache
    /// How filters look into `data`; nil: they cannot.
    let data: (any DataReading)?
    /// The clock that steps are held to.
    let time: any TimeSource
    /// What tombstones hide.
    private(set) var erasures = ReaderErasures()
    private let limits: ReaderLimits
    private let watermark: WatermarkReader
    private let seed: UInt64
    private var kept: [SegmentName: any KeptSegment] = [:]
    private var segments: [SegmentName] = []
    private var listNumber: UInt64 = 0
    /// Events below this id are gone by retention: the newest header that was seen says so.
    private(set) var firstKeptEventID: UInt64 = 1
    private var mark: Watermark?
    private var clock: UInt64 = 0
    /// The list of segments may have changed.
    private var isListStale = true
    /// What the two folders looked like just before they were listed.
    private var listed: FolderStamps?
    /// When that was, on the monotonic clock.
    private var lookedAt: UInt64 = 0
    /// The folder of the log that was seen last, whatever was in it.
    private var logFolder: FileStamp?
    /// How far the last segment goes, found out without the watermark, and how long its file was then.
    private var surmised: (mark: Watermark, bytes: Int64)?
    /// Counts the stores that were found in the folder one after the other: snapshots of an earlier one are over.
    private(set) var storeNumber: UInt64 = 0
    /// Damaged places met by queries so far, each once; at most `damageMax`.
    private var met: [Corruption] = []
    private static let damageMax = 1000
    /// Segments that are missing, as the names of the others tell, or without any the watermark; found anew with every list.
    private(set) var missing: [Corruption] = []
    /// Missing segments, and damaged places that queries met.
    public var damage: [Corruption] { missing + met }
    /// A segment that was looked at within so many looks at segments is in use.
    private static let recentUses: UInt64 = 10_000
    /// So much memory, let go of at once, is given back to the kernel.
    private static let releasedBytes = 4 << 20

    /// Reads the store in `folder`, which need not be there yet. `data`: needed by filters that look into `data`.
    public init(
        _ disk: any Disk, folder: String, limits: ReaderLimits = ReaderLimits(), data: (any DataReading)? = nil,
        time: any TimeSource = SystemTime()
    ) {
        self.data = data
        self.time = time
        self.disk = disk
        self.folder = folder
        self.limits = limits
        cache = BlockCache(bytesMax: limits.blockBytes)
        watermark = WatermarkReader(disk, path: folder + "/watermark")
        var system = SystemRandomNumberGenerator()
        seed = system.next()
    }

    /// The store as it is durable now: a few small calls, more only when a segment was begun, sealed or dropped. An empty store if there
    /// is none.
    public func snapshot() throws(SystemError) -> Snapshot {
        let now = time.monotonicNanoseconds()
        let isLookDue = isListStale || now &- lookedAt >= limits.folderLookNanoseconds
        if isLookDue { lookForAnother() }
        let read = try watermark.read()
        let found = read?.mark
        // It never goes back while a store lives, whoever writes it: other files were put over these.
        if let found, let mark, found.generation < mark.generation { forget() }
        if isLookDue || isListStale || found == nil || found != mark {
            let stamps = FolderStamps(disk, folder)
            if isListStale || found?.segment != mark?.segment || found == nil || stamps != listed {
                try list(stamps)
            }
            lookedAt = now
        }
        mark = found
        trim()
        guard let last = segments.last else {
            missing = MissingSegments.everything(of: found, firstKept: firstKeptEventID)
            return snapshot(nextEventID: found?.nextEventID ?? 1, tombstones: 0)
        }
        if last.isSealed {
            // No log at all: somebody took it away. What is sealed is whole; what the watermark knows beyond it is missing.
            let next = try segment(last).nextEventID()
            return snapshot(nextEventID: [next, found?.nextEventID].compactMap { $0 }.max())
        }
        let isSure = read?.isSure ?? false
        guard let found = isSure ? found : try surmise(last.first, found), found.segment >= last.first else {
            // Behind, or not there: closed segments are durable all the same, of the last one nothing is known.
            let first = try segment(last).firstEventID()
            return snapshot(durableBytes: 0, nextEventID: first, nextSequence: last.first)
        }
        // A watermark in a segment that is gone: what is left is all older, and durable.
        let isHere = found.segment == last.first
        return snapshot(
            durableBytes: isHere ? found.bytes : nil, nextEventID: found.nextEventID, nextSequence: found.nextSequence,
            tombstones: isHere ? found.tombstones : nil)
    }

    /// How far the last segment, `base`, is durable where the watermark, `mark`, does not say it or may be an older one: to the end that a start
    /// would find. What was acknowledged is all below it; what a writer has written and not synced yet may be, too. Nil: its header is damaged.
    private func surmise(_ base: UInt64, _ mark: Watermark?) throws(SystemError) -> Watermark? {
        if let mark, mark.segment > base { return mark }
        let segment = segment(.log(base))
        let bytes: Int64
        do throws(SystemError) { bytes = try segment.log().size() } catch { return mark }
        if let surmised, surmised.mark.segment == base, surmised.bytes == bytes { return surmised.mark }
        let here = mark.flatMap { $0.segment == base ? $0 : nil }
        let found = try SegmentReading(disk, log: folder + "/log").read(base, durable: here?.bytes ?? 0, next: nil)
        if found.isUnusable { return mark }
        // Damage may have held tombstones that nobody counted.
        let made = Watermark(
            generation: mark?.generation ?? 0, segment: base, bytes: max(found.end, here?.bytes ?? 0),
            nextSequence: max(found.position.nextSequence, here?.nextSequence ?? 1),
            nextEventID: max(found.position.nextEventID, here?.nextEventID ?? 1), commit: found.position.commit,
            tombstones: max(found.tombstones, here?.tombstones ?? 0))
        surmised = (made, bytes)
        return made
    }

    /// Looks whether another store has the place of the one that was read so far.
    private func lookForAnother() {
        let (isMarkOther, isLogOther) = (watermark.isReplaced(), isLogReplaced())
        if isMarkOther || isLogOther { forget() }
    }

    /// Whether another folder is where the log was.
    private func isLogReplaced() -> Bool {
        do throws(SystemError) {
            let now = try disk.stamp(folder + "/log")
            defer { logFolder = now }
            return logFolder.map { !$0.isSameFile(as: now) } ?? false
        } catch {
            // Not there, for the moment or for good: the listing finds it out.
            return false
        }
    }

    /// Another store is in the folder: one that was restored from a backup, or the same with files made anew. Nothing that was learned
    /// holds any more.
    private func forget() {
        storeNumber += 1
        watermark.reopen()
        mark = nil
        kept.removeAll()
        segments = []
        firstKeptEventID = 1
        surmised = nil
        erasures = ReaderErasures()
        missing = []
        met = []
        isListStale = true
    }

    private func snapshot(
        durableBytes: Int64? = nil, nextEventID: UInt64?, nextSequence: UInt64? = nil, tombstones: UInt32? = nil
    ) -> Snapshot {
        Snapshot(
            reader: self, segments: segments, list: listNumber, durableBytes: durableBytes, nextEventID: nextEventID,
            nextSequence: nextSequence, tombstones: tombstones)
    }

    /// The segments as they are now, for a snapshot that has lost one of its own.
    func listAgain() throws(SystemError) -> (segments: [SegmentName], list: UInt64) {
        // It may have lost all of them.
        lookForAnother()
        try list(FolderStamps(disk, folder))
        return (segments, listNumber)
    }

    private func list(_ stamps: FolderStamps) throws(SystemError) {
        segments = try SegmentList(disk, folder).segments
        var isFrontThere = try settleFront()
        missing = try missingSegments()
        if !isFrontThere || !missing.isEmpty {
            // The segment that says why may have been begun after `log/` was listed and before `sealed/` was, or written anew by a start.
            firstKeptEventID = max(firstKeptEventID, try KeptBound.read(disk, folder: folder))
            segments = try SegmentList(disk, folder).segments
            isFrontThere = try settleFront()
            missing = try missingSegments()
        }
        if !isFrontThere, let oldest = segments.first, oldest.first > 1, let first = try firstEventID(oldest) {
            let gone = SegmentName(first: 1, last: oldest.first - 1)
            missing.insert(Corruption(gone, first: firstKeptEventID, next: first), at: 0)
        }
        listNumber += 1
        listed = stamps
        // A change in the same tick of the file system's clock would not show.
        isListStale = stamps.isYoung
        let known = Set(segments)
        for (name, segment) in kept where !known.contains(name) || segment.isReplaced() { kept[name] = nil }
        erasures.keep(segments)
    }

    /// Leaves out the oldest segments that retention does not keep, whether their files are still there or not. False: events before the
    /// first segment are missing, and nothing says why.
    private func settleFront() throws(SystemError) -> Bool {
        for name in segments.reversed() {
            guard let said = try number(name, { (segment) throws(SystemError) in try segment.firstKeptEventID() })
            else {
                continue
            }
            firstKeptEventID = max(firstKeptEventID, said)
            break
        }
        while segments.count > 1, firstKeptEventID > 1 {
            if let first = try firstEventID(segments[0]), first >= firstKeptEventID { break }
            guard let next = try firstEventID(segments[1]), next <= firstKeptEventID else { break }
            segments.removeFirst()
        }
        guard let oldest = segments.first, let first = try firstEventID(oldest) else { return true }
        return first <= firstKeptEventID
    }

    /// Segments between others that are not there, and not dropped by retention either.
    private func missingSegments() throws(SystemError) -> [Corruption] {
        try MissingSegments.byName(
            in: segments, firstKept: firstKeptEventID, next: nil,
            firstEventID: { name throws(SystemError) in try firstEventID(name) },
            nextEventID: { name throws(SystemError) in
                try number(name) { (segment) throws(SystemError) in try segment.nextEventID() }
            })
    }

    /// The ids of a missing segment just before segment `name`; empty: there is none.
    func idsMissing(before name: SegmentName) -> Range<UInt64> {
        let gone = missing.first { $0.lastSequence.map { $0 + 1 == name.first } ?? false }
        return gone.map { $0.firstEventID..<$0.nextEventID } ?? 0..<0
    }

    private func firstEventID(_ name: SegmentName) throws(SystemError) -> UInt64? {
        try number(name) { (segment) throws(SystemError) in try segment.firstEventID() }
    }

    /// What a header says; nil: it is damaged, or the segment is gone.
    private func number(
        _ name: SegmentName, _ body: (any KeptSegment) throws(SystemError) -> UInt64?
    ) throws(SystemError) -> UInt64? {
        do throws(SystemError) {
            return try body(segment(name))
        } catch {
            if error.errno == EMFILE || error.errno == ENFILE { throw error }
            return nil
        }
    }

    /// A segment was not where it should be: look again next time.
    func noteMissing(_ name: SegmentName) {
        isListStale = true
        kept[name] = nil
        watermark.reopen()
    }

    func note(_ corruption: Corruption) {
        // A missing segment is told as long as it is missing.
        if corruption.isMissingSegment { return }
        if met.count < StoreReader.damageMax && !met.contains(corruption) { met.append(corruption) }
    }

    func segment(_ name: SegmentName) -> any KeptSegment {
        clock += 1
        if let known = kept[name] {
            known.lastUsed = clock
            return known
        }
        let made: any KeptSegment
        if name.isSealed {
            made = SealedReaderSegment(disk, folder: folder, name: name, cache: cache)
        } else {
            made = ReaderSegment(disk, folder: folder, base: name.first, cache: cache, seed: seed)
        }
        made.lastUsed = clock
        kept[name] = made
        return made
    }

    /// Keeps to the limits; the active segment's index always stays.
    func trim() {
        let active = segments.last
        var open = 0
        var openSealed = 0
        var bytes = 0
        for (name, segment) in kept {
            if segment.isOpen { if name.isSealed { openSealed += 1 } else { open += 1 } }
            if name != active { bytes += segment.cost }
        }
        if open > limits.openSegments || bytes > limits.builtIndexBytes {
            var dropped = 0
            for segment in oldestFirst({ $0 != active && !$0.isSealed }).dropLast() {
                if open <= limits.openSegments && bytes <= limits.builtIndexBytes { break }
                // Queries that build by turns must not take each other's half-built ones.
                if segment.isBuilding && clock - segment.lastUsed < StoreReader.recentUses { continue }
                if segment.isOpen { open -= 1 }
                let isTooMuch = bytes > limits.builtIndexBytes
                if isTooMuch {
                    bytes -= segment.cost
                    dropped += segment.cost
                }
                segment.rest(dropIndex: isTooMuch)
            }
            if dropped >= StoreReader.releasedBytes { ResidentMemory.releaseFree() }
        }
        if openSealed > limits.openSealedSegments {
            // Some more than need be, so that not every query sorts.
            let surplus = openSealed - limits.openSealedSegments * 3 / 4
            for segment in oldestFirst({ $0.isSealed }).filter(\.isOpen).prefix(surplus) {
                segment.rest(dropIndex: false)
            }
        }
    }

    /// Gives back to the kernel what blocks that made room for others have left behind, if that is much: a scan of everything leaves as much free
    /// memory in small pieces as the cache holds. It takes some milliseconds: for whoever has a moment now and then.
    public func releaseEvicted() {
        if cache.takeEvicted(StoreReader.releasedBytes) { ResidentMemory.releaseFree() }
    }

    /// Closes the files of segments; what was learnt of them, and indexes in memory, stay.
    public func closeFiles() {
        for segment in kept.values { segment.rest(dropIndex: false) }
    }

    private func oldestFirst(_ isWanted: (SegmentName) -> Bool) -> [any KeptSegment] {
        kept.filter { isWanted($0.key) }.values.sorted { $0.lastUsed < $1.lastUsed }
    }
}

/// What tells that something was put into, or taken out of, the folders of segments.
private struct FolderStamps: Equatable {
    private var log: FileStamp?
    private var sealed: FileStamp?

    init(_ disk: any Disk, _ folder: String) {
        func stamp(_ part: String) -> FileStamp? {
            // A folder that is not there, or that we may not look at, is found out by the listing.
            do throws(SystemError) { return try disk.stamp(folder + part) } catch { return nil }
        }
        log = stamp("/log")
        sealed = stamp("/sealed")
    }

    /// Changed so lately that the next change may bear the same time.
    var isYoung: Bool {
        let tick: Int64 = 50_000_000
        let now = SystemTime().nowMicroseconds() * 1000
        return [log, sealed].contains { $0.map { now - $0.modifiedNanoseconds < tick } ?? false }
    }
}
