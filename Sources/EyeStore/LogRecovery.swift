// What happens to a log between two lives of its writer: find its end, tell a torn tail from damage, save the unsynced tail, publish.
// The rules are in docs/format.md, "What recovery does". Invariant: nothing below the watermark is ever cut or overwritten, and a
// crash at any point in here leaves a log that recovers to the same events. Called once, before the appender starts.

import EyeSystem
import Glibc

/// What a start found and did.
public struct RecoveryReport: Sendable {
    /// Damaged places found in what a start reads (the last segment, mostly).
    public internal(set) var damage: [Corruption] = []
    /// Where the torn tail was copied to before it was cut, and its bytes.
    public internal(set) var torn: (path: String, bytes: Int64)?
    /// Events of the last commit that were written and synced anew.
    public internal(set) var rewrittenEvents = 0
    /// Files without a usable header that were left alone.
    public internal(set) var unusableSegments: [UInt64] = []
    /// Whether all event_ids of the window are known again.
    public internal(set) var isWindowComplete = true

    /// Nothing to report.
    public var isClean: Bool { damage.isEmpty && torn == nil && rewrittenEvents == 0 && isWindowComplete }
}

/// An event_id met in a scan.
struct SeenEventID {
    var key: ID128
    var id: UInt64
    var received: Int64
}

/// What one segment told.
struct SegmentFindings {
    struct ClientNote {
        var token: UInt32
        var name: [UInt8]
        var sequence: UInt64
        var lastSeen: Int64
    }

    var base: UInt64
    var header: SegmentHeader?
    var salt: UInt32 = 0
    /// Whether its opening was whole: then no older segment is needed.
    var isOpeningWhole = false
    var isOpeningUnbroken = false
    var clients: [ClientNote] = []
    var eventIDs: [SeenEventID] = []
    var damage: [Corruption] = []
    /// Behind the last frame that counts.
    var end: Int64 = 0
    var fileBytes: Int64 = 0
    var crc: UInt32 = 0
    var position = LogPosition()
    var hasRecords = false
    /// Tombstones in it that hide something, those of the last commit among them.
    var tombstones: UInt32 = 0
    var lastTombstones: UInt32 = 0
    var oldestTombstone = Int64.max
    /// Events below this id are not kept, as its header or a record of it says.
    var firstKeptEventID: UInt64 = 1
    /// The frames of the last commit.
    var lastCommit: [(offset: Int64, header: FrameHeader)] = []
    /// The tail that never was whole begins here.
    var tornStart: Int64?

    init(base: UInt64) {
        self.base = base
        position.nextSequence = base
    }
}

/// A recovered log, and what was read on the way.
struct RecoveredLog {
    var writer: LogWriter
    var report: RecoveryReport
    /// Event ids of the last segment, for the window; older ones are in the indexes.
    var findings: [SegmentFindings]
    /// All segments there are now.
    var segments: [SegmentName]
}

/// Recovery of one log folder.
struct LogRecovery {
    let disk: any Disk
    let folder: String
    let options: StoreOptions
    let time: any TimeSource
    /// Whether segments may have gone without a word (`rejected/`).
    private let mayLoseSegments: Bool
    private var log: String { folder + "/log" }

    init(
        _ disk: any Disk, folder: String, options: StoreOptions, time: any TimeSource, mayLoseSegments: Bool = false
    ) {
        self.mayLoseSegments = mayLoseSegments
        self.disk = disk
        self.folder = folder
        self.options = options
        self.time = time
    }

    func run() throws(StoreOpenError) -> RecoveredLog {
        try LogRecovery.checked(folder) { () throws(SystemError) in
            try disk.makeDirectory(folder)
            try disk.makeDirectory(log)
        }
        let (mark, segments) = try LogRecovery.look(disk, folder)
        return try LogRecovery.checked(folder) { () throws(SystemError) in try recover(mark, segments) }
    }

    /// What there is; throws when it was written by a newer version. Changes nothing.
    static func look(
        _ disk: any Disk, _ folder: String
    ) throws(StoreOpenError) -> (mark: Watermark?, segments: [SegmentName]) {
        let segments = try checked(folder) { () throws(SystemError) in try SegmentList(disk, folder).segments }
        let mark = try checked(folder + "/watermark") { () throws(SystemError) in
            try WatermarkReader(disk, path: folder + "/watermark").read()
        }
        try refuseNewer(disk, folder, mark?.version, segments)
        return (mark?.mark, segments)
    }

    private static func checked<T>(
        _ path: String, _ body: () throws(SystemError) -> T
    ) throws(StoreOpenError) -> T {
        do throws(SystemError) {
            return try body()
        } catch {
            throw .unusable(path: path, error)
        }
    }

    /// One segment has one version and the newest are last, so a few headers tell.
    private static func refuseNewer(
        _ disk: any Disk, _ folder: String, _ watermark: Int?, _ segments: [SegmentName]
    ) throws(StoreOpenError) {
        if let watermark, watermark > FormatVersion.current {
            throw .newerFormat(file: folder + "/watermark", version: watermark)
        }
        for name in segments.suffix(2) + segments.filter(\.isSealed).suffix(1) {
            let path = folder + "/" + name.file
            var version: Int?
            // A segment that cannot be read is judged by the recovery, not here.
            do throws(SystemError) {
                let file = try disk.open(path, .read)
                version = try name.isSealed ? SealedFile.version(of: file) : SegmentHeader.read(file)?.version
            } catch {
                continue
            }
            if let version, version > FormatVersion.current { throw .newerFormat(file: path, version: version) }
        }
    }

    // MARK: Deciding

    private func recover(_ mark: Watermark?, _ segments: [SegmentName]) throws(SystemError) -> RecoveredLog {
        var report = RecoveryReport()
        // Never appended to, and never behind the log unless somebody took its end away.
        let sealed = try behindSealed(segments)
        var salts = SaltSource(seed: options.randomSeed)
        let now = time.nowMicroseconds()
        try removeLeftovers()
        try synchronizeFolders()

        var findings: [SegmentFindings] = []
        for (index, name) in segments.enumerated().reversed() where !name.isSealed {
            let isLast = index == segments.count - 1
            let durable = mark.map { $0.segment == name.first ? $0.bytes : 0 } ?? 0
            let found = try SegmentReading(disk, log: log).read(
                name.first, durable: durable, next: isLast ? nil : segments[index + 1].first)
            findings.append(found)
            // An opening holds all that older segments know of clients.
            if found.isOpeningWhole || findings.count == LogRecovery.openingsLookedAtMax { break }
        }
        var position = LogPosition()
        let clients = ClientTable()
        for found in findings.reversed() {
            position.nextSequence = max(position.nextSequence, found.position.nextSequence, found.base)
            position.nextEventID = max(position.nextEventID, found.position.nextEventID)
            position.commit = max(position.commit, found.position.commit)
            position.firstKeptEventID = max(position.firstKeptEventID, found.firstKeptEventID)
            for note in found.clients {
                clients.restore(
                    token: note.token, name: note.name, sequence: note.sequence, lastSeen: note.lastSeen, now: now)
            }
        }

        position.nextSequence = max(position.nextSequence, sealed.nextSequence)
        position.nextEventID = max(position.nextEventID, sealed.nextEventID)
        position.commit = max(position.commit, sealed.commit)
        position.firstKeptEventID = max(position.firstKeptEventID, sealed.firstKeptEventID)

        // What was durable once and is not there now keeps its numbers.
        let known = position
        if let mark {
            position.nextSequence = max(position.nextSequence, mark.nextSequence)
            position.nextEventID = max(position.nextEventID, mark.nextEventID)
            position.commit = max(position.commit, mark.commit)
        }
        if let last = findings.first, last.isUnusable, mark?.segment != last.base {
            // Nobody knows which ids it held: skip as many as it can have held.
            position.nextEventID += UInt64(max(last.fileBytes, 0)) / UInt64(Record.eventBytes)
        }
        var isLost = position.nextSequence > known.nextSequence || position.nextEventID > known.nextEventID
        if !mayLoseSegments {
            report.damage = try MissingSegments(disk, folder: folder, segments: segments).all(
                firstKept: position.firstKeptEventID, next: known.nextEventID, read: findings)
        }
        report.damage += damage(in: findings, behind: sealed)
        if isLost { note(&report, mark, findings.first, known: known, position) }
        if let last = findings.first, last.position.nextSequence < sealed.nextSequence { isLost = true }

        let segment = try settle(
            &report, findings.first, isLost: isLost, position: &position, durable: mark, clients: clients, now: now,
            salt: UInt32(truncatingIfNeeded: salts.next()))
        let watermark = try WatermarkWriter(disk, folder: folder, from: mark ?? Watermark())
        try watermark.publish(
            Watermark(
                segment: segment.base, bytes: segment.bytes, nextSequence: position.nextSequence,
                nextEventID: position.nextEventID, commit: position.commit, tombstones: segment.tombstones))
        try watermark.synchronize()
        // Both slots say it: from here on one that is not whole is damaged.
        try watermark.publish(watermark.current)
        let writer = try LogWriter(
            disk, folder: folder, time: time, options: options, clients: clients, position: position, active: segment,
            watermark: watermark, salts: salts)
        return RecoveredLog(
            writer: writer, report: report, findings: findings,
            segments: try SegmentList(disk, folder).segments)
    }

    /// Where the numbering stands behind the newest sealed segment.
    private func behindSealed(_ segments: [SegmentName]) throws(SystemError) -> LogPosition {
        var position = LogPosition()
        guard let newest = segments.last(where: \.isSealed), let last = newest.last else { return position }
        position.nextSequence = last + 1
        let cache = BlockCache(bytesMax: 1 << 20)
        var file: SealedFile?
        do throws(SystemError) {
            file = try SealedFile.open(disk, folder: folder, newest, cache: cache)
        } catch {
            if error.isFull || error.errno == EMFILE || error.errno == ENFILE { throw error }
        }
        // Every event and every commit has a record at least.
        position.nextEventID = file?.nextEventID ?? last + 1
        position.commit = file?.header.commit ?? last
        position.firstKeptEventID = file?.header.firstKeptEventID ?? 1
        return position
    }

    /// What is damaged in the segments that were read, oldest first. Where neither header nor opening tells a segment's first event id,
    /// what older ones hold is not in it.
    private func damage(in findings: [SegmentFindings], behind sealed: LogPosition) -> [Corruption] {
        var damage: [Corruption] = []
        var first: UInt64 = 1
        for found in findings.reversed() {
            if found.base >= sealed.nextSequence { first = max(first, sealed.nextEventID) }
            for var place in found.damage {
                place.firstEventID = max(place.firstEventID, first)
                place.nextEventID = max(place.nextEventID, place.firstEventID)
                damage.append(place)
            }
            first = max(first, found.position.nextEventID)
        }
        return damage
    }

    /// So many openings are looked at, one after the other, when they are damaged.
    private static let openingsLookedAtMax = 16

    /// Reports ids that the watermark knows of and the log does not.
    private func note(
        _ report: inout RecoveryReport, _ mark: Watermark?, _ last: SegmentFindings?, known: LogPosition,
        _ position: LogPosition
    ) {
        let index = report.damage.indices.last
        if let index, let last, report.damage[index].segment == last.base,
            report.damage[index].nextEventID == known.nextEventID,
            report.damage[index].offset + report.damage[index].bytes >= last.fileBytes
        {
            // The damage at the end of the segment is where they were.
            report.damage[index].nextEventID = position.nextEventID
            return
        }
        let isHere = mark?.segment == last?.base
        report.damage.append(
            Corruption(
                segment: mark?.segment ?? last?.base ?? 1, offset: isHere ? last?.fileBytes ?? 0 : 0,
                bytes: isHere ? max((mark?.bytes ?? 0) - (last?.fileBytes ?? 0), 0) : mark?.bytes ?? 0,
                cause: isHere ? .missingBytes : .missingSegment, firstEventID: known.nextEventID,
                nextEventID: position.nextEventID))
    }

    /// Cuts, saves, and says where the next frame goes.
    private func settle(
        _ report: inout RecoveryReport, _ last: SegmentFindings?, isLost: Bool, position: inout LogPosition,
        durable: Watermark?, clients: ClientTable, now: Int64, salt: UInt32
    ) throws(SystemError) -> ActiveSegment {
        guard let last else {
            return try fresh(position, clients: clients, now: now, salt: salt, tombstonesBefore: 0)
        }
        let isWhole = last.damage.isEmpty && !isLost
        if isWhole, let start = last.tornStart {
            report.torn = (try copyTorn(last.base, from: start, bytes: last.fileBytes - start), last.fileBytes - start)
        }
        let durableBytes = durable.map { $0.segment == last.base ? $0.bytes : 0 } ?? 0
        if !isLost, let first = last.lastCommit.first, first.offset >= durableBytes {
            return try saveTail(
                &report, last, first: first, isWhole: isWhole, clients: clients, now: now, salt: salt,
                firstKept: position.firstKeptEventID)
        }
        guard isWhole, !last.isUnusable, let header = last.header else {
            if last.isUnusable { report.unusableSegments.append(last.base) }
            // A name is used once.
            if position.nextSequence <= last.base { position.nextSequence = last.base + 1 }
            // What is damaged may hold tombstones that nobody counted.
            let tombstones = isWhole && last.header != nil ? last.tombstones : SegmentHeader.unknownTombstones
            return try fresh(position, clients: clients, now: now, salt: salt, tombstonesBefore: tombstones)
        }
        let file = try disk.open(log + "/" + SegmentFolder.name(last.base, ".log"), .write)
        if last.tornStart != nil {
            try file.truncate(to: last.end)
            try file.synchronize()
        }
        return ActiveSegment(
            file: file, base: last.base, salt: header.salt, bytes: last.end, previousCRC: last.crc,
            hasRecords: last.hasRecords, tombstones: last.tombstones, oldestTombstone: last.oldestTombstone,
            firstKeptEventID: header.firstKeptEventID)
    }

    private func fresh(
        _ position: LogPosition, clients: ClientTable, now: Int64, salt: UInt32, tombstonesBefore: UInt32
    ) throws(SystemError) -> ActiveSegment {
        let segment = NewSegment(
            base: position.nextSequence, position: position, salt: salt, created: now,
            tombstonesBefore: tombstonesBefore)
        return try segment.make(disk, folder: folder, clients: clients, tail: [])
    }

    /// Writes the frames of the last commit to a segment of their own: the page cache may be the only place that has them.
    private func saveTail(
        _ report: inout RecoveryReport, _ last: SegmentFindings, first: (offset: Int64, header: FrameHeader),
        isWhole: Bool, clients: ClientTable, now: Int64, salt: UInt32, firstKept: UInt64
    ) throws(SystemError) -> ActiveSegment {
        let path = log + "/" + SegmentFolder.name(last.base, ".log")
        let old = try disk.open(path, .write)
        var tail: [(header: FrameHeader, payload: [UInt8])] = []
        for frame in last.lastCommit {
            let buffer = ByteBuffer(count: frame.header.payloadBytes)
            let got = try unsafe old.read(into: buffer.bytes, at: frame.offset + Int64(StoreLimits.headerBytes))
            tail.append((frame.header, unsafe Array(buffer.view(min(got, frame.header.payloadBytes)))))
            report.rewrittenEvents += Int(frame.header.events)
        }
        let base = first.header.firstSequence
        // The new file takes the old one's name when nothing else is in it; what is damaged there is kept aside.
        if base == last.base && !isWhole { _ = try copyTorn(base, from: 0, bytes: last.fileBytes) }
        let before = LogPosition(
            nextSequence: base, nextEventID: first.header.firstEventID, commit: first.header.commit - 1,
            firstKeptEventID: firstKept)
        var tombstones = isWhole ? last.tombstones - last.lastTombstones : SegmentHeader.unknownTombstones
        if base == last.base { tombstones = last.header?.tombstonesBefore ?? SegmentHeader.unknownTombstones }
        let segment = try NewSegment(
            base: base, position: before, salt: salt, created: now, tombstonesBefore: tombstones
        ).make(disk, folder: folder, clients: clients, tail: tail)
        if base != last.base && isWhole {
            try old.truncate(to: first.offset)
            try old.synchronize()
        }
        return segment
    }

    // MARK: Files

    private func removeLeftovers() throws(SystemError) {
        for name in try disk.list(log) where name.hasSuffix(".new") { try disk.remove(log + "/" + name) }
    }

    /// A life that was killed between a rename and the folder's sync left names that only the cache knows: nothing is appended to a
    /// segment before its name is durable. A new store's own place must be durable too.
    private func synchronizeFolders() throws(SystemError) {
        try disk.synchronizeDirectory(log)
        try disk.synchronizeDirectory(folder)
        do throws(SystemError) {
            try disk.synchronizeDirectory(FolderPath.parent(of: folder))
        } catch {
            // A parent that we may not read was not made by us.
            if error.errno != EACCES && error.errno != ENOENT && error.errno != EPERM { throw error }
        }
    }

    /// Copies bytes that will be cut; returns where to.
    private func copyTorn(_ base: UInt64, from start: Int64, bytes: Int64) throws(SystemError) -> String {
        let source = try disk.open(log + "/" + SegmentFolder.name(base, ".log"), .read)
        for attempt in 1...StoreLimits.tornCopiesMax {
            let path = log + "/" + SegmentFolder.name(base, "-\(start)-\(attempt).torn")
            let copy: any DiskFile
            do throws(SystemError) {
                copy = try disk.open(path, .create)
            } catch {
                if error.errno == EEXIST && attempt < StoreLimits.tornCopiesMax { continue }
                throw error
            }
            let buffer = ByteBuffer(count: StoreLimits.scanBytes)
            var done: Int64 = 0
            while done < bytes {
                let wanted = Int(min(bytes - done, Int64(StoreLimits.scanBytes)))
                // In bounds: `wanted` is at most the buffer's size.
                let got = try unsafe source.read(
                    into: UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[0..<wanted]), at: start + done)
                if got == 0 { break }
                try unsafe copy.write(buffer.view(got), at: done)
                done += Int64(got)
            }
            try copy.synchronize()
            try disk.synchronizeDirectory(log)
            return path
        }
        throw SystemError(errno: EEXIST, call: "open")
    }
}

extension SegmentFindings {
    /// No header, no frame: nothing can be appended to it.
    var isUnusable: Bool { header == nil && !hasRecords && !isOpeningWhole }
}
