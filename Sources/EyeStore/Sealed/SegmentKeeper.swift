// What becomes of closed segments, as background work of the writing process, a frame or a block at a time: first each gets its index,
// then the oldest is sealed, compared with its log, and only then the log goes. Invariant: at every moment one of the two is whole and
// durable. Shares with the appender nothing but the list of closed segments, behind a mutex that the appender touches once a segment.
// `step` belongs to one housekeeping thread.

import EyeSystem
import Glibc
import Synchronization

/// What the background work on closed segments has done, and what is left.
public struct KeeperStatus: Sendable, Equatable {
    /// Sealed segments, their bytes and their events.
    public internal(set) var sealedSegments = 0
    public internal(set) var sealedBytes: UInt64 = 0
    public internal(set) var sealedEvents: UInt64 = 0
    /// Closed segments that are still in the log.
    public internal(set) var waitingSegments = 0
    /// How many of them are damaged: they stay as they are.
    public internal(set) var damagedSegments = 0
    /// Segments that were sealed, and attempts that failed, since the start.
    public internal(set) var sealings: UInt64 = 0
    public internal(set) var failures: UInt64 = 0
    /// Why the last attempt failed; nil: it did not.
    public internal(set) var lastError: String?
}

/// The writer's background work on closed segments.
final class SegmentKeeper: Sendable {
    private struct Shared {
        var active: UInt64
        /// Segments were closed since they were listed.
        var isListStale = true
        var status = KeeperStatus()
        var pacing: SealPacing
    }

    private let disk: any Disk
    private let folder: String
    private let options: StoreOptions
    private let time: any TimeSource
    private let indexes: IndexKeeper
    private let shared: Mutex<Shared>
    private let desk = Desk()

    /// What is under way with a segment.
    private enum Job {
        case sealing(SegmentSealer)
        case comparing(SealedComparison, temporary: String, sealed: SegmentName)
    }

    /// What the housekeeping thread alone touches.
    private final class Desk: @unchecked Sendable {
        var isTidy = false
        /// Closed segments of the log, oldest first, and what follows each.
        var closed: [(base: UInt64, next: UInt64)] = []
        /// Log segments that a sealed one hides, and that one: what a crash left between rename and removal.
        var hidden: [(base: UInt64, sealed: SegmentName)] = []
        /// Segments that stay in the log in this life.
        var leftAlone: Set<UInt64> = []
        var job: (base: UInt64, next: UInt64, what: Job)?
        var hiddenJob: (base: UInt64, sealed: SegmentName, what: SealedComparison)?
        /// Nothing is tried before this time.
        var pauseUntil: UInt64 = 0
        var seed: UInt64
        init() {
            var system = SystemRandomNumberGenerator()
            seed = system.next()
        }
    }

    init(
        _ disk: any Disk, folder: String, active: UInt64, seed: UInt64, options: StoreOptions, time: any TimeSource
    ) throws(SystemError) {
        self.disk = disk
        self.folder = folder
        self.options = options
        self.time = time
        indexes = try IndexKeeper(disk, folder: folder, active: active, seed: seed)
        shared = Mutex(Shared(active: active, pacing: SealPacing(options)))
        desk.seed = seed
    }

    /// What was done and is left; any thread.
    var status: KeeperStatus { shared.withLock { $0.status } }

    /// A segment was closed by segment `next`; called by the appender.
    func add(_ base: UInt64, next: UInt64) {
        indexes.add(base, next: next)
        let now = time.monotonicNanoseconds()
        shared.withLock { shared in
            shared.pacing.noteClosed(now: now)
            shared.active = next
            shared.isListStale = true
            shared.status.waitingSegments += 1
        }
    }

    /// Does a little. False: nothing is left for now.
    func step() throws(SystemError) -> Bool {
        if try indexes.step() { return true }
        guard options.seals else { return false }
        if time.monotonicNanoseconds() < desk.pauseUntil { return false }
        do throws(SystemError) {
            return try seal()
        } catch {
            giveUp(error)
            return false
        }
    }
}

// MARK: Sealing

extension SegmentKeeper {
    /// The next piece of work. False: nothing is left for now.
    private func seal() throws(SystemError) -> Bool {
        if !desk.isTidy {
            try tidy()
            return true
        }
        if desk.hiddenJob != nil || !desk.hidden.isEmpty { return try dropHidden() }
        if desk.job != nil { return try goOn() }
        if shared.withLock({ $0.isListStale }) { try list() }
        guard let next = desk.closed.first(where: { !desk.leftAlone.contains($0.base) }) else { return false }
        let free = try disk.freeBytes(folder)
        let now = time.monotonicNanoseconds()
        let waiting = desk.closed.count
        if shared.withLock({ $0.pacing.mayWait(segments: waiting, freeBytes: free, now: now) }) { return false }
        try begin(next.base, next: next.next)
        return true
    }

    /// Once in a life: removes what an earlier one left unfinished.
    private func tidy() throws(SystemError) {
        try disk.makeDirectory(folder + "/sealed")
        try disk.synchronizeDirectory(folder)
        for name in try disk.list(folder + "/sealed") where name.hasSuffix(".new") {
            try disk.remove(folder + "/sealed/" + name)
        }
        try list()
        let logs = Set(try SegmentFolder.list(disk, folder + "/log", ".log"))
        for base in try SegmentFolder.list(disk, folder + "/index", ".idx") where !logs.contains(base) {
            try disk.removeIfPresent(path(base, "index", ".idx"))
        }
        try countSealed()
        desk.isTidy = true
    }

    private func list() throws(SystemError) {
        let active = shared.withLock { shared in
            shared.isListStale = false
            return shared.active
        }
        let list = try SegmentList(disk, folder)
        desk.closed = []
        for (index, name) in list.segments.enumerated().dropLast() where !name.isSealed && name.first < active {
            desk.closed.append((name.first, list.segments[index + 1].first))
        }
        desk.hidden = list.hidden.compactMap { base in
            list.segments.first { $0.isSealed && $0.covers(base) }.map { (base, $0) }
        }
        let waiting = desk.closed.count
        let damaged = desk.leftAlone.count
        shared.withLock { shared in
            shared.status.waitingSegments = waiting
            shared.status.damagedSegments = damaged
        }
    }

    private func countSealed() throws(SystemError) {
        var segments = 0
        var bytes: UInt64 = 0
        var events: UInt64 = 0
        for name in try SegmentList(disk, folder).segments where name.isSealed {
            segments += 1
            do throws(SystemError) {
                bytes += UInt64(try disk.open(folder + "/" + name.file, .read).size())
                let cache = BlockCache(bytesMax: 0)
                events += UInt64(try SealedFile.open(disk, folder: folder, name, cache: cache)?.rows ?? 0)
            } catch {
                // Readers and `verify` say so.
                if error.errno == EMFILE || error.errno == ENFILE { throw error }
            }
        }
        shared.withLock { shared in
            shared.status.sealedSegments = segments
            shared.status.sealedBytes = bytes
            shared.status.sealedEvents = events
        }
    }

    /// Begins with a closed segment, unless it is damaged: then it stays as it is, for whoever has a copy of the damaged place.
    private func begin(_ base: UInt64, next: UInt64) throws(SystemError) {
        let nextEventID = try firstEventID(ofSegment: next)
        switch try judged(base, nextEventID: nextEventID) {
        case .sealable: break
        case .damaged: return leaveAlone(base, isDamaged: true)
        case .hiding: return leaveAlone(base, isDamaged: false)
        }
        try checkRoom()
        let log: any DiskFile
        do throws(SystemError) {
            log = try disk.open(path(base, "log", ".log"), .read)
        } catch {
            guard error.isMissing else { throw error }
            shared.withLock { $0.isListStale = true }
            return
        }
        try disk.removeIfPresent(temporary(base))
        let sealer = try SegmentSealer(
            log: log, base: base, next: next, nextEventID: nextEventID, to: temporary(base), disk,
            decomposer: options.decomposer, seed: desk.seed)
        desk.job = (base, next, .sealing(sealer))
    }

    /// The first event id of the segment that begins with sequence `base`; nil: it does not say.
    private func firstEventID(ofSegment base: UInt64) throws(SystemError) -> UInt64? {
        guard let name = try SegmentList(disk, folder).segments.first(where: { $0.first == base }) else { return nil }
        if name.isSealed {
            return try SealedFile.open(disk, folder: folder, name, cache: BlockCache(bytesMax: 0))?.firstEventID
        }
        return try SegmentHeader.read(disk.open(path(base, "log", ".log"), .read))?.firstEventID
    }

    private enum Judgement {
        case sealable
        case damaged
        /// It holds tombstones, which readers need until what they hide is gone from every segment.
        case hiding
    }

    /// What the index already tells, so that nothing needs to be read.
    private func judged(_ base: UInt64, nextEventID: UInt64?) throws(SystemError) -> Judgement {
        let cache = BlockCache(bytesMax: 1 << 20)
        guard let index = try IndexFile.open(disk, path: path(base, "index", ".idx"), base: base, cache: cache) else {
            return .sealable
        }
        if let nextEventID, index.nextEventID < nextEventID { return .damaged }
        do throws(IndexFault) {
            if try !index.allGaps().isEmpty { return .damaged }
            return try index.erasures().count > 0 ? .hiding : .sealable
        } catch {
            return .sealable
        }
    }

    private func goOn() throws(SystemError) -> Bool {
        guard let job = desk.job else { return true }
        switch job.what {
        case .sealing(let sealer):
            try checkRoom()
            do throws(IndexFault) {
                if try sealer.step() { return true }
            } catch {
                // A log's source has no index that could be damaged.
                guard case .system(let error) = error else { return differ(job.base, "it cannot be read") }
                throw error
            }
            CrashPoint.reach(.sealedSynced)
            guard sealer.gaps.isEmpty, sealer.receipts.isEmpty else {
                drop(job.base)
                leaveAlone(job.base, isDamaged: !sealer.gaps.isEmpty)
                return true
            }
            let name = SegmentName(first: job.base, last: sealer.nextSequence - 1)
            guard let comparison = try compare(temporary(job.base), as: name, with: job.base, next: job.next) else {
                return differ(job.base, "it cannot be read back")
            }
            desk.job = (job.base, job.next, .comparing(comparison, temporary: temporary(job.base), sealed: name))
        case .comparing(let comparison, let temporary, let name):
            switch try comparison.step() {
            case .working: break
            case .different(let what): return differ(job.base, what)
            case .same:
                try put(temporary, name, base: job.base, events: comparison.events)
                desk.job = nil
            }
        }
        return true
    }

    private func compare(
        _ path: String, as name: SegmentName, with base: UInt64, next: UInt64
    ) throws(SystemError) -> SealedComparison? {
        let cache = BlockCache(bytesMax: StoreLimits.sealedComparisonCacheBytes)
        guard let sealed = try SealedFile.open(disk, path: path, cache: cache), sealed.isNamed(name) else { return nil }
        return try SealedComparison(
            sealed, log: disk.open(self.path(base, "log", ".log"), .read), base: base, next: next)
    }

    /// Gives the sealed file its name, and lets the log go.
    private func put(_ temporary: String, _ name: SegmentName, base: UInt64, events: Int) throws(SystemError) {
        let bytes = try disk.open(temporary, .read).size()
        try disk.rename(temporary, to: folder + "/" + name.file)
        CrashPoint.reach(.sealedRenamed)
        try disk.synchronizeDirectory(folder + "/sealed")
        try removeLog(base)
        desk.closed.removeAll { $0.base == base }
        let waiting = desk.closed.count
        shared.withLock { shared in
            shared.status.sealedSegments += 1
            shared.status.sealedBytes += UInt64(bytes)
            shared.status.sealedEvents += UInt64(events)
            shared.status.sealings += 1
            shared.status.waitingSegments = waiting
            shared.status.lastError = nil
        }
    }

    private func removeLog(_ base: UInt64) throws(SystemError) {
        try disk.removeIfPresent(path(base, "log", ".log"))
        CrashPoint.reach(.logRemoved)
        try disk.synchronizeDirectory(folder + "/log")
        try disk.removeIfPresent(path(base, "index", ".idx"))
    }

    /// A log that a sealed segment hides: an earlier life ended between the rename and the removal. Compared again, since nobody knows how
    /// far that life had come.
    private func dropHidden() throws(SystemError) -> Bool {
        guard let job = desk.hiddenJob else {
            let next = desk.hidden[0]
            let path = folder + "/" + next.sealed.file
            guard
                let comparison = try compare(
                    path, as: next.sealed, with: next.base, next: (next.sealed.last ?? next.base) + 1)
            else {
                try setAside(next.sealed, "its header is damaged")
                return true
            }
            desk.hiddenJob = (next.base, next.sealed, comparison)
            return true
        }
        switch try job.what.step() {
        case .working: return true
        case .different(let what): try setAside(job.sealed, what)
        case .same:
            try disk.synchronizeDirectory(folder + "/sealed")
            try removeLog(job.base)
        }
        desk.hiddenJob = nil
        desk.hidden.removeAll { $0.base == job.base }
        return true
    }

    /// A sealed file whose log is still there, and says otherwise: it is kept under a name that nobody looks at, and sealed again.
    private func setAside(_ name: SegmentName, _ what: String) throws(SystemError) {
        let path = folder + "/" + name.file
        try disk.rename(path, to: path + ".bad")
        try disk.synchronizeDirectory(folder + "/sealed")
        fail("\(name.file): \(what); the log is used, the file was renamed to .bad")
        desk.hiddenJob = nil
        try list()
        try countSealed()
    }

    // MARK: Giving up

    /// The sealed copy is not what the log is: the log stays, in this life.
    private func differ(_ base: UInt64, _ what: String) -> Bool {
        drop(base)
        leaveAlone(base, isDamaged: false)
        fail("log/\(SegmentFolder.name(base, ".log")) cannot be sealed: \(what); it stays as it is")
        return true
    }

    private func leaveAlone(_ base: UInt64, isDamaged: Bool) {
        desk.leftAlone.insert(base)
        if isDamaged { shared.withLock { $0.status.damagedSegments += 1 } }
    }

    /// Forgets what is under way, and its file.
    private func drop(_ base: UInt64) {
        desk.job = nil
        do throws(SystemError) { try disk.removeIfPresent(temporary(base)) } catch {
            // Removed at the next start.
        }
    }

    private func fail(_ text: String) {
        shared.withLock { shared in
            shared.status.failures += 1
            shared.status.lastError = text
        }
    }

    /// The disk refused: later again, or never again in this life if it failed a sync (what a second one says is not to be believed).
    private func giveUp(_ error: SystemError) {
        if let job = desk.job { drop(job.base) }
        desk.hiddenJob = nil
        shared.withLock { $0.isListStale = true }
        let now = time.monotonicNanoseconds()
        desk.pauseUntil = error.isSync ? UInt64.max : now + StoreLimits.sealRetryNanoseconds
        fail(error.isFull ? "no room: less than --min-free-bytes would be left" : "\(error)")
    }

    /// What is sealed must not take the room that events need.
    private func checkRoom() throws(SystemError) {
        let needed = options.minFreeBytes + UInt64(StoreLimits.sealingGroupBytesMax)
        if options.minFreeBytes > 0, try disk.freeBytes(folder) < needed {
            throw SystemError(errno: ENOSPC, call: "statvfs")
        }
    }

    private func temporary(_ base: UInt64) -> String { path(base, "sealed", ".new") }

    private func path(_ base: UInt64, _ part: String, _ suffix: String) -> String {
        folder + "/" + part + "/" + SegmentFolder.name(base, suffix)
    }
}
