// Appends frames to a log: segment files, numbering, chain, one write and one fdatasync a commit, the watermark, and the roll to the
// next segment. Knows nothing of duplicates. Invariant: `position` is what is durable and published; bytes behind it in the
// file are nobody's. A failed sync makes it unusable for good. Used by one thread: the appender, or housekeeping for rejected/.

import EyeSystem
import Glibc

/// How a commit ended; a failure that is final is thrown instead.
public enum CommitOutcome: Sendable {
    /// Every frame is on disk, and published to readers.
    case durable
    /// The storage is full, or no descriptor is left for the next segment: nothing of it was stored; sequences and ids are unchanged.
    case refused
}

/// Numbers that nobody can foresee, or a seeded row of them for tests.
struct SaltSource {
    private var state: UInt64?

    init(seed: UInt64?) { state = seed }

    mutating func next() -> UInt64 {
        guard let seed = state else {
            var system = SystemRandomNumberGenerator()
            return system.next()
        }
        let sum = seed &+ 0x9E37_79B9_7F4A_7C15
        state = sum
        var mixed = (sum ^ (sum >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// The active segment of a log.
struct ActiveSegment {
    var file: any DiskFile
    var base: UInt64
    var salt: UInt32
    /// Where the next frame goes.
    var bytes: Int64
    /// The CRC that the next frame's header repeats.
    var previousCRC: UInt32
    /// Whether it holds records, not only its opening.
    var hasRecords: Bool
    /// Durable tombstones in it that hide something.
    var tombstones: UInt32 = 0
    /// When the first of them was committed.
    var oldestTombstone = Int64.max
    /// Events below this id are gone by retention, or may go: as its header says, so that every reader can know.
    var firstKeptEventID: UInt64 = 1
}

/// What the next commit continues from.
struct LogPosition {
    var nextSequence: UInt64 = 1
    var nextEventID: UInt64 = 1
    /// The last durable commit.
    var commit: UInt64 = 0
    /// Events below this id are gone by retention, or are to go once a segment's header says so.
    var firstKeptEventID: UInt64 = 1
}

/// A log's writing end.
@safe
final class LogWriter {
    let disk: any Disk
    /// The folder that holds `log/` and `watermark`.
    let folder: String
    /// Its `log/`, held open: a new segment needs one descriptor, and that before anything was done.
    private let segments: any DiskDirectory
    let time: any TimeSource
    let options: StoreOptions
    let clients: ClientTable
    private(set) var position: LogPosition
    private(set) var active: ActiveSegment
    /// Where the active segment was made.
    private var activePath: (base: UInt64, path: String)
    private let watermark: WatermarkWriter
    private(set) var salts: SaltSource
    private let pieces: UnsafeMutablePointer<UnsafeRawBufferPointer>
    /// Why it is unusable.
    private(set) var failure: SystemError?
    /// The last commit was refused because no descriptor was left for the next segment.
    private(set) var lacksDescriptors = false
    /// There was no room for the watermark (a file system that writes elsewhere than before needs some): it is published before anything
    /// else is written.
    private var owesWatermark = false
    /// The segment before the active one, when readers do not know of that yet.
    private var unannounced: UInt64?
    /// Called after a roll, once readers may know of it, with the base of the segment that was closed and with the new one; on the writer's thread.
    var closed: (UInt64, ActiveSegment) -> Void = { _, _ in }
    /// Asked at a roll: the first event id that retention wants to keep.
    var firstKeptWanted: () -> UInt64 = { 1 }

    // Room on the disk.
    private var isFull = false
    private var checkedAt: UInt64 = 0
    /// So many bytes may be written before free space is looked up again.
    private var bytesUntilCheck: Int64 = 0

    init(
        _ disk: any Disk, folder: String, time: any TimeSource, options: StoreOptions, clients: ClientTable,
        position: LogPosition, active: ActiveSegment, watermark: WatermarkWriter, salts: SaltSource
    ) throws(SystemError) {
        self.disk = disk
        self.folder = folder
        segments = try disk.openDirectory(folder + "/log")
        self.time = time
        self.options = options
        self.clients = clients
        self.position = position
        self.active = active
        activePath = LogWriter.path(of: active, folder)
        self.watermark = watermark
        self.salts = salts
        unsafe pieces = .allocate(capacity: StoreLimits.commitFramesMax)
        unsafe pieces.initialize(
            repeating: UnsafeRawBufferPointer(start: nil, count: 0), count: StoreLimits.commitFramesMax)
    }

    deinit { unsafe pieces.deallocate() }

    private static func path(of segment: ActiveSegment, _ folder: String) -> (base: UInt64, path: String) {
        (segment.base, folder + "/" + SegmentName.log(segment.base).file)
    }

    /// Whether the name of the active segment still leads to the file that is written: it, or the folder that it is in, may have been moved,
    /// replaced or removed.
    var isInPlace: Bool {
        if activePath.base != active.base { activePath = LogWriter.path(of: active, folder) }
        return active.file.isNamed(activePath.path)
    }

    /// Makes `frames` durable as one commit. Empty ones are passed over. Of less room than `floor` leaves
    /// nothing is taken.
    func append(_ frames: ArraySlice<Frame>, floor: RoomFloor = .events) throws(SystemError) -> CommitOutcome {
        if let failure { throw failure }
        precondition(frames.count <= StoreLimits.commitFramesMax, "a commit has at most `commitFramesMax` frames")
        var bytes: Int64 = 0
        var left = 0
        for frame in frames where frame.recordCount > 0 {
            bytes += Int64(frame.byteCount)
            left += 1
        }
        if left == 0 { return .durable }
        switch floor {
        case .events: guard hasRoom(for: bytes) else { return .refused }
        case .work: guard hasWorkRoom(for: bytes) else { return .refused }
        case .none: break
        }
        do throws(SystemError) {
            guard try payWatermark() else { return refuse() }
            if active.hasRecords && active.bytes + bytes > options.segmentBytes {
                guard try roll() else { return refuse() }
            }
            var next = position
            next.commit += 1
            var crc = active.previousCRC
            var offset: UInt32 = 0
            var count = 0
            var tombstones: UInt32 = 0
            for frame in frames where frame.recordCount > 0 {
                var header = FrameHeader()
                left -= 1
                header.flags = (count == 0 ? FrameFlag.first : 0) | (left == 0 ? FrameFlag.last : 0)
                header.salt = active.salt
                header.commit = next.commit
                header.firstSequence = next.nextSequence
                header.firstEventID = next.nextEventID
                header.previousCRC = crc
                header.commitBytes = offset
                let whole = unsafe frame.complete(&header)
                // In bounds: at most `commitFramesMax` frames, checked above.
                unsafe pieces[count] = whole.bytes
                crc = unsafe whole.crc
                count += 1
                unsafe offset += UInt32(whole.bytes.count)
                frame.firstEventID = next.nextEventID
                if frame.hasTombstones {
                    tombstones += unsafe SegmentErasures.count(
                        in: frame.payload, firstSequence: next.nextSequence, firstEventID: next.nextEventID)
                }
                next.nextSequence += UInt64(header.records)
                next.nextEventID += UInt64(header.events)
            }
            do throws(SystemError) {
                try unsafe active.file.write(UnsafeBufferPointer(start: pieces, count: count), at: active.bytes)
            } catch {
                guard error.isFull else { throw error }
                return try takeBack()
            }
            CrashPoint.reach(.frameWritten)
            try active.file.synchronize()
            CrashPoint.reach(.synced)
            var grown = active
            grown.bytes += bytes
            grown.previousCRC = crc
            grown.hasRecords = true
            grown.tombstones += tombstones
            if tombstones > 0 { grown.oldestTombstone = min(grown.oldestTombstone, time.nowMicroseconds()) }
            // What readers cannot be shown is not acknowledged either.
            guard try publish(grown, next) else { return try takeBack() }
            active = grown
            position = next
            bytesUntilCheck -= bytes
            lacksDescriptors = false
            CrashPoint.reach(.watermarkPublished)
            return .durable
        } catch {
            failure = error
            throw error
        }
    }

    /// A clean stop.
    func close() throws(SystemError) { try synchronizeWatermark() }

    /// Makes what is published durable too.
    func synchronizeWatermark() throws(SystemError) {
        if let failure { throw failure }
        do throws(SystemError) {
            try watermark.synchronize()
        } catch {
            failure = error
            throw error
        }
    }

    func nextSalt() -> UInt64 { salts.next() }

    /// Takes a commit back of which any part may stand behind the durable position. That is cut off, durably, before anybody is told: an
    /// event that was refused must not turn up after a crash.
    private func takeBack() throws(SystemError) -> CommitOutcome {
        try active.file.truncate(to: active.bytes)
        try active.file.synchronize()
        return refuse()
    }

    // MARK: Watermark

    /// Tells readers that the log is durable so far. False: there is no room for it; they go on with what they know.
    private func publish(_ active: ActiveSegment, _ position: LogPosition) throws(SystemError) -> Bool {
        do throws(SystemError) {
            try watermark.publish(
                Watermark(
                    segment: active.base, bytes: active.bytes, nextSequence: position.nextSequence,
                    nextEventID: position.nextEventID, commit: position.commit, tombstones: active.tombstones))
        } catch {
            guard error.isFull else { throw error }
            owesWatermark = true
            return false
        }
        owesWatermark = false
        return true
    }

    /// Publishes what could not be for want of room. False: there is still none.
    private func payWatermark() throws(SystemError) -> Bool {
        if owesWatermark {
            guard try publish(active, position) else { return false }
        }
        if let old = unannounced {
            unannounced = nil
            closed(old, active)
        }
        return true
    }

    // MARK: Room

    private func hasRoom(for bytes: Int64) -> Bool {
        let now = time.monotonicNanoseconds()
        let pause = isFull ? StoreLimits.fullProbeNanoseconds : StoreLimits.freeCheckNanoseconds
        let isDue = now &- checkedAt >= pause || (!isFull && bytesUntilCheck < bytes)
        guard isDue else { return !isFull }
        checkedAt = now
        isFull = isBelowFloor(bytes)
        if isFull { lacksDescriptors = false }
        return !isFull
    }

    private func isBelowFloor(_ bytes: Int64) -> Bool {
        do throws(SystemError) {
            let free = try disk.freeBytes(folder)
            // Near the floor each commit looks, or a fast burst would be far below it between two looks.
            let left = Int64(clamping: free - min(free, options.minFreeBytes))
            bytesUntilCheck = min(StoreLimits.freeCheckBytes, left / 2)
            return free < options.minFreeBytes + UInt64(bytes)
        } catch {
            bytesUntilCheck = StoreLimits.freeCheckBytes
            // Unknown is not full: the write itself will say.
            return false
        }
    }

    private func hasWorkRoom(for bytes: Int64) -> Bool {
        do throws(SystemError) {
            try WorkRoom(disk, folder: folder, options: options).check(Int(bytes))
            return true
        } catch {
            // Unknown is not full here either.
            return !error.isFull
        }
    }

    private func refuse() -> CommitOutcome {
        isFull = true
        checkedAt = time.monotonicNanoseconds()
        return .refused
    }

    // MARK: Segments

    /// Closes the active segment, unless it is empty. False: the storage is full.
    func closeSegment() throws(SystemError) -> Bool {
        if let failure { throw failure }
        do throws(SystemError) {
            guard try payWatermark() else { return false }
            guard active.hasRecords else { return true }
            return try roll()
        } catch {
            failure = error
            throw error
        }
    }

    /// Makes it durable, and known to every reader, that events below `id` are not kept: by the header of a new segment. What is given up
    /// makes room, so the free-space floor is not looked at. False: the storage is full.
    func keep(from id: UInt64) throws(SystemError) -> Bool {
        if let failure { throw failure }
        guard active.firstKeptEventID < id else { return try announce() }
        position.firstKeptEventID = max(position.firstKeptEventID, id)
        if !active.hasRecords {
            // A segment without records has the next one's name.
            let frame = Frame()
            frame.appendRetention(firstKeptEventID: id, received: time.nowMicroseconds())
            guard try append([frame], floor: .none) == .durable else { return false }
        }
        return try closeSegment()
    }

    /// Readers know of the active segment when this returns true; false: there is no room to tell them.
    private func announce() throws(SystemError) -> Bool {
        guard owesWatermark else { return true }
        do throws(SystemError) {
            return try payWatermark()
        } catch {
            failure = error
            throw error
        }
    }

    /// Begins the next segment. False: the storage is full, or there is no descriptor for it. The old one is durable: every commit was synced.
    private func roll() throws(SystemError) -> Bool {
        let old = active.base
        position.firstKeptEventID = max(position.firstKeptEventID, firstKeptWanted())
        do throws(SystemError) {
            let segment = NewSegment(
                base: position.nextSequence, position: position, salt: UInt32(truncatingIfNeeded: salts.next()),
                created: time.nowMicroseconds(), tombstonesBefore: active.tombstones)
            active = try segment.make(disk, folder: folder, clients: clients, tail: [], in: segments)
        } catch {
            lacksDescriptors = error.isOutOfDescriptors
            if lacksDescriptors || error.isFull && !error.isSync {
                try NewSegment.removeLeftover(disk, folder: folder, base: position.nextSequence)
                return false
            }
            throw error
        }
        // Readers must know of the new segment before they look for the index of the old one.
        unannounced = old
        owesWatermark = true
        return try payWatermark()
    }
}

/// How much must stay free after a commit.
enum RoomFloor {
    /// `--min-free-bytes`.
    case events
    /// The part of it that work which makes room leaves.
    case work
    /// Nothing: what is committed gives room at once.
    case none
}

extension SystemError {
    /// A failed sync: final, whatever its errno.
    var isSync: Bool { call.description == "fdatasync" || call.description == "fsync" }
}
