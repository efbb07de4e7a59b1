// Reads every byte of one log (`log/` with `sealed/`, or `rejected/log/`) up to its durable position, checks every checksum, link and
// number, and says what is wrong. The same rules as recovery and readers, but over all segments, and nothing is changed. Used by
// `StoreVerification`.

import EyeSystem
import Glibc

/// What is known of a segment that was read.
struct VerifiedSegment {
    var name: SegmentName
    var next: UInt64?
    /// Nothing is wrong with it.
    var isClean = true
    var events = 0
    var salt: UInt32?
    /// Bytes from its start that belong to it.
    var bytes: Int64 = 0

    var base: UInt64 { name.first }
}

/// One log under verification.
struct LogVerification {
    let disk: any Disk
    /// The folder that holds `log/`.
    let folder: String
    let inventory: LogInventory
    /// Whether segments may have gone without a word (`rejected/`).
    let mayLoseSegments: Bool

    private(set) var damage: [Corruption] = []
    private(set) var segments: [VerifiedSegment] = []
    private(set) var frames: UInt64 = 0
    private(set) var events: UInt64 = 0
    private(set) var records: UInt64 = 0
    private(set) var firstEventID: UInt64?
    /// Where the numbering stands behind what was read.
    private(set) var position = LogPosition()
    /// Bytes at the end of an open-ended segment that are no whole frame.
    private(set) var unfinished: (base: UInt64, offset: Int64, bytes: Int64)?
    /// Events below this one are gone by retention.
    private var firstKept: UInt64 = 1
    /// The segment before is gone by retention: the next one is the first.
    private var isFrontGone = false
    /// The last place of `damage`, while the ids it costs are not known to their end.
    private var isLastOpen = false

    init(_ disk: any Disk, folder: String, inventory: LogInventory, mayLoseSegments: Bool) {
        self.disk = disk
        self.folder = folder
        self.inventory = inventory
        self.mayLoseSegments = mayLoseSegments
    }

    /// Reads all of it; tells `progress` how many bytes more were read.
    mutating func run(_ progress: (Int64) -> Void) throws(SystemError) {
        for (index, segment) in inventory.segments.enumerated() {
            let isFirst = index == 0 || isFrontGone
            isFrontGone = false
            if segment.name.isSealed {
                try readSealed(segment.name, isFirst: isFirst, progress)
            } else {
                try read(segment, isFirst: isFirst, progress)
            }
        }
        if !mayLoseSegments, firstEventID ?? 1 > firstKept { _ = try isDropped() }
        if !mayLoseSegments, let first = firstEventID, first > firstKept,
            !damage.contains(where: { $0.firstEventID <= firstKept })
        {
            let oldest = inventory.segments.first?.name.first ?? 1
            let gone = oldest > 1 ? SegmentName(first: 1, last: oldest - 1) : .log(1)
            damage.insert(Corruption(gone, first: firstKept, next: first), at: 0)
        }
        guard let mark = inventory.mark, !isFrontGone else { return }
        guard mark.nextSequence > position.nextSequence || mark.nextEventID > position.nextEventID else { return }
        if isLastOpen, let last = damage.indices.last {
            damage[last].nextEventID = max(damage[last].nextEventID, mark.nextEventID)
        } else {
            let isHere = mark.segment == inventory.segments.last?.base
            damage.append(
                Corruption(
                    segment: mark.segment, offset: isHere ? segments.last?.bytes ?? 0 : 0,
                    bytes: isHere ? 0 : mark.bytes,
                    cause: isHere ? .missingBytes : .missingSegment,
                    firstEventID: position.nextEventID, nextEventID: max(mark.nextEventID, position.nextEventID)))
        }
    }

    private mutating func read(
        _ segment: LogInventory.Segment, isFirst: Bool, _ progress: (Int64) -> Void
    ) throws(SystemError) {
        var about = VerifiedSegment(name: segment.name, next: segment.next)
        let damageBefore = damage.count
        var isBegun = false
        var isOpeningWhole = false
        var bad: [(offset: Int64, bytes: Int64, cause: CorruptionCause)] = []
        var told: Int64 = 0
        let scanner: SegmentScanner
        do throws(SystemError) {
            let file = try disk.open(folder + "/log/" + SegmentFolder.name(segment.base, ".log"), .read)
            scanner = SegmentScanner(file, base: segment.base, limit: segment.bytes)
        } catch {
            // Evicted meanwhile: no part of this moment any more.
            if error.isMissing && mayLoseSegments { return }
            if error.errno == EMFILE || error.errno == ENFILE { throw error }
            if error.isMissing, let now = try whereNow(segment.name) {
                return try readSealed(now, isFirst: isFirst, progress)
            }
            if error.isMissing, try isDropped() { return }
            begin(segment.base, firstEventID: nil, isFirst: isFirst)
            note(segment.name, [(0, segment.bytes, error.isNoFile ? .foreignFile : .unreadable)], next: nil)
            about.isClean = false
            segments.append(about)
            progress(segment.bytes)
            return
        }
        scan: while true {
            let step: ScanStep
            do throws(SystemError) {
                step = try scanner.next()
            } catch {
                // The disk cannot read it: as good as damaged from here on.
                bad.append((scanner.offset, max(segment.bytes - scanner.offset, 0), .unreadable))
                break scan
            }
            if !isBegun, let header = scanner.header {
                begin(segment.base, firstEventID: header.firstEventID, isFirst: isFirst)
                firstKept = max(firstKept, header.firstKeptEventID)
                isBegun = true
            }
            if scanner.offset - told >= Int64(StoreLimits.scanBytes) {
                progress(scanner.offset - told)
                told = scanner.offset
            }
            switch step {
            case .working: continue
            case .end: break scan
            case .bad(let offset, let bytes, let cause): bad.append((offset, bytes, cause))
            case .frame(let frame):
                if let next = segment.next, frame.header.firstSequence >= next { break scan }
                if !isBegun {
                    begin(segment.base, firstEventID: frame.header.firstEventID, isFirst: isFirst)
                    isBegun = true
                }
                if !frame.linked && bad.isEmpty { bad.append((frame.offset, 0, .brokenChain)) }
                note(segment.name, bad, next: frame.header.firstEventID)
                bad.removeAll(keepingCapacity: true)
                let header = frame.header
                if header.kind == FrameKind.opening && header.flags & FrameFlag.last != 0 { isOpeningWhole = true }
                position = LogPosition(
                    nextSequence: header.nextSequence, nextEventID: header.nextEventID, commit: header.commit)
                frames += 1
                if header.kind == FrameKind.records {
                    if firstEventID == nil && header.events > 0 { firstEventID = header.firstEventID }
                    records += UInt64(header.records)
                    events += UInt64(header.events)
                    about.events += Int(header.events)
                }
                about.bytes = frame.end
            }
        }
        if !isBegun { begin(segment.base, firstEventID: nil, isFirst: isFirst) }
        if segment.isOpenEnded, let last = bad.last, bad.count == 1, last.cause != .unreadable, isOpeningWhole {
            unfinished = (segment.base, last.offset, last.bytes)
            bad.removeAll()
        }
        note(segment.name, bad, next: nil)
        if damage.count == damageBefore && !isOpeningWhole {
            note(segment.name, [(about.bytes, 0, .missingBytes)], next: nil)
        }
        about.isClean = damage.count == damageBefore
        about.salt = scanner.salt
        segments.append(about)
        progress(segment.bytes - told)
    }

    // MARK: Sealed

    /// The sealed segment that has what `name` had; nil: it is gone.
    private func whereNow(_ name: SegmentName) throws(SystemError) -> SegmentName? {
        try SegmentList(disk, folder).segments.first { $0.isSealed && $0.covers(name.first) }
    }

    /// Whether a segment that would begin with the next event is gone because retention, as it is by now, does not keep it.
    private mutating func isDropped() throws(SystemError) -> Bool {
        firstKept = max(firstKept, try KeptBound.read(disk, folder: folder))
        isFrontGone = firstKept > position.nextEventID
        return isFrontGone
    }

    /// Reads every block, and makes every record.
    private mutating func readSealed(
        _ name: SegmentName, isFirst: Bool, _ progress: (Int64) -> Void
    ) throws(SystemError) {
        var about = VerifiedSegment(name: name, next: nil)
        var sealed: SealedFile?
        do throws(SystemError) {
            about.bytes = try disk.open(folder + "/" + name.file, .read).size()
            let cache = BlockCache(bytesMax: LogVerification.cacheBytes)
            sealed = try SealedFile.open(disk, folder: folder, name, cache: cache)
        } catch {
            if error.errno == EMFILE || error.errno == ENFILE { throw error }
            if error.isMissing {
                // Rewritten under another name, or dropped by retention.
                if let now = try whereNow(name), now != name { return try readSealed(now, isFirst: isFirst, progress) }
                if try isDropped() { return }
            }
        }
        let damageBefore = damage.count
        if let sealed {
            begin(name.first, firstEventID: sealed.firstEventID, isFirst: isFirst)
            check(sealed, name, &about)
            position = LogPosition(
                nextSequence: (name.last ?? name.first) + 1, nextEventID: sealed.nextEventID,
                commit: sealed.header.commit)
        } else {
            begin(name.first, firstEventID: nil, isFirst: isFirst)
            note(name, [(0, about.bytes, .badSealedFile)], next: nil)
            position.nextSequence = (name.last ?? name.first) + 1
        }
        about.isClean = damage.count == damageBefore
        segments.append(about)
        progress(about.bytes)
    }

    private static let cacheBytes = 4 << 20

    private mutating func check(_ sealed: SealedFile, _ name: SegmentName, _ about: inout VerifiedSegment) {
        if firstEventID == nil, sealed.nextEventID > sealed.firstEventID { firstEventID = sealed.firstEventID }
        let before = damage.count
        func lost(_ first: UInt64, _ next: UInt64) -> Corruption {
            var found = Corruption(name, .badSealedBlock, first: first, next: next)
            if let fault = sealed.blocks.takeFault() {
                (found.part, found.offset, found.bytes) = (fault.part, fault.offset, fault.bytes)
            }
            return found
        }
        do throws(IndexFault) {
            for gap in try sealed.allGaps() { damage.append(Corruption(gap, in: name)) }
            let scratch = SealedScratch()
            for group in 0..<sealed.groups {
                let rows = sealed.header.rows(inGroup: group)
                do throws(IndexFault) {
                    try sealed.check(group: group, scratch)
                    _ = try sealed.eventIDs(ofGroup: group)
                    events += UInt64(rows)
                    records += UInt64(rows)
                    about.events += rows
                } catch {
                    let ids = try sealed.eventIDs(ofGroup: group)
                    damage.append(lost(ids.lowerBound, ids.upperBound + 1))
                }
            }
        } catch {
            damage.append(lost(sealed.firstEventID, sealed.nextEventID))
        }
        // Without these no event is lost, but filters and statistics do not find them all.
        guard damage.count == before else { return }
        do throws(IndexFault) { try sealed.checkTables() } catch {
            damage.append(lost(sealed.nextEventID, sealed.nextEventID))
        }
    }

    /// A segment begins: do its numbers follow the one before?
    private mutating func begin(_ base: UInt64, firstEventID first: UInt64?, isFirst: Bool) {
        if !isFirst {
            if isLastOpen, let last = damage.indices.last {
                if let first {
                    damage[last].nextEventID = max(damage[last].nextEventID, first)
                    isLastOpen = false
                }
            } else if !mayLoseSegments,
                base != position.nextSequence || first.map({ $0 != position.nextEventID }) ?? false
            {
                let next = max(first ?? position.nextEventID, position.nextEventID)
                let older = segments.last?.name ?? .log(base)
                let isNamed = older.isSealed && base > position.nextSequence
                damage.append(
                    isNamed
                        ? Corruption(
                            SegmentName(first: position.nextSequence, last: base - 1), first: position.nextEventID,
                            next: next)
                        : Corruption(older, .missingBehind, first: position.nextEventID, next: next))
            }
        }
        position.nextSequence = max(position.nextSequence, base)
        if let first { position.nextEventID = max(position.nextEventID, first) }
    }

    /// Damaged places in a row; `next`: the event id behind the last of them, nil: not known yet.
    private mutating func note(
        _ name: SegmentName, _ places: [(offset: Int64, bytes: Int64, cause: CorruptionCause)], next: UInt64?
    ) {
        for (index, place) in places.enumerated() {
            let isLast = index == places.count - 1
            if isLastOpen, let last = damage.indices.last, let next {
                damage[last].nextEventID = max(damage[last].nextEventID, next)
            }
            damage.append(
                Corruption(
                    segment: name.first, lastSequence: name.last, offset: place.offset, bytes: place.bytes,
                    cause: place.cause,
                    firstEventID: position.nextEventID,
                    nextEventID: max(isLast ? next ?? 0 : 0, position.nextEventID)))
            isLastOpen = isLast && next == nil
        }
    }
}
