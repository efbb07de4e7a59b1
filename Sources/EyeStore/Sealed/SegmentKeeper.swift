// What becomes of closed segments, as background work of the writing process, a frame or a block at a time: first each gets its index,
// then the oldest is sealed, compared with its log, and only then the log goes. Invariant: at every moment one of the two is whole and
// durable. Shares with the appender nothing but the list of closed segments, behind a mutex that the appender touches once a segment.
// `step` belongs to one housekeeping thread.

import EyeSystem
import Glibc
import Synchronization

/// The writer's background work on closed segments.
final class SegmentKeeper: Sendable {
    private struct Shared {
        var active: UInt64
        /// Segments were closed since they were listed.
        var isListStale = true
        var status = KeeperStatus()
        var pacing: SealPacing
    }

    let disk: any Disk
    let folder: String
    let options: StoreOptions
    let time: any TimeSource
    let room: WorkRoom
    let indexes: IndexKeeper
    let retention: Mutex<RetentionWish>
    private let shared: Mutex<Shared>
    let desk = Desk()

    /// What is under way with a segment.
    enum Job {
        case sealing(SegmentSealer)
        case comparing(SealedComparison, temporary: String, sealed: SegmentName)
    }

    /// What is under way with a sealed segment that holds erased events.
    enum Rewrite {
        case sealing(SegmentSealer)
        case comparing(RewriteComparison, SealedFile)
    }

    /// What the housekeeping thread alone touches.
    final class Desk: @unchecked Sendable {
        var isTidy = false
        /// Closed segments of the log, oldest first, and what follows each.
        var closed: [(base: UInt64, next: UInt64)] = []
        /// Log segments that a sealed one hides, and that one: what a crash left between rename and removal.
        var hidden: [(base: UInt64, sealed: SegmentName)] = []
        /// Segments that stay in the log, and those of them that do because they are damaged.
        var leftAlone: Set<UInt64> = []
        var damaged: Set<UInt64> = []
        var job: (base: UInt64, next: UInt64, what: Job)?
        var hiddenJob: (base: UInt64, sealed: SegmentName, what: SealedComparison)?
        /// What tombstones of closed segments hide.
        var pending = PendingErasures()
        var rewrite: (name: SegmentName, old: SealedFile, what: Rewrite)?
        /// Damaged segments that are sealed all the same, because they hold erased events.
        var forced: Set<UInt64> = []
        /// Sealed segments that cannot be written anew: newer tombstones have to stay.
        var obstructed: Set<SegmentName> = []
        /// The segment that there was no room for, and what was written of it until then: without room for more it is not tried again.
        var tried: (base: UInt64, bytes: Int64)?
        /// Nothing is tried before this time.
        var pauseUntil: UInt64 = 0
        var retention = RetentionWork()
        var seed: UInt64
        init() {
            var system = SystemRandomNumberGenerator()
            seed = system.next()
        }
    }

    init(
        _ disk: any Disk, folder: String, active: UInt64, seed: UInt64, options: StoreOptions, time: any TimeSource,
        retention wish: RetentionWish
    ) throws(SystemError) {
        self.disk = disk
        self.folder = folder
        self.options = options
        self.time = time
        room = WorkRoom(disk, folder: folder, options: options)
        indexes = try IndexKeeper(disk, folder: folder, active: active, seed: seed)
        shared = Mutex(Shared(active: active, pacing: SealPacing(options)))
        retention = Mutex(wish)
        desk.seed = seed
        note { $0.retention.firstKeptEventID = wish.known }
    }

    /// What was done and is left; any thread.
    var status: KeeperStatus { shared.withLock { $0.status } }
    /// The active segment, by its first sequence.
    var active: UInt64 { shared.withLock { $0.active } }

    /// Whether less is free than must stay free; any thread. What cannot be asked is not full.
    var isFull: Bool {
        do throws(SystemError) {
            return try disk.freeBytes(folder) < max(options.minFreeBytes, 1)
        } catch {
            return false
        }
    }

    /// A segment was closed by segment `next`; called by the appender.
    func add(_ base: UInt64, next: UInt64) {
        indexes.add(base, next: next)
        let now = time.monotonicNanoseconds()
        shared.withLock { shared in
            shared.pacing.noteClosed(now: now)
            shared.active = next
            shared.isListStale = true
            shared.status.waitingSegments += 1
            shared.status.activeTombstones = 0
        }
    }

    /// So many tombstones are in the active segment; called by the appender.
    func note(activeTombstones: UInt32) {
        shared.withLock { $0.status.activeTombstones = Int(activeTombstones) }
    }

    /// Does a little. False: nothing is left for now.
    func step() throws(SystemError) -> Bool {
        if retain() { return true }
        // On a full disk an index would take the room that the first sealed segment needs to give some back; it waits.
        if !(options.seals && isFull), try indexes.step(indexed: letGo) { return true }
        guard options.seals else { return false }
        if time.monotonicNanoseconds() < desk.pauseUntil { return false }
        do throws(SystemError) {
            return try seal()
        } catch {
            giveUp(error)
            return false
        }
    }

    /// In a burst a log leaves the page cache once it has its index: it is not read again before the burst is over, and its pages are taken
    /// for what comes next. New memory for every page would cost more than all the rest of a commit, and the machine its cache. Without a
    /// burst it is sealed next, and stays.
    private func letGo(_ log: any DiskFile) {
        let now = time.monotonicNanoseconds()
        if shared.withLock({ $0.pacing.isBurst(now: now) }) { log.uncache() }
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
        if let rewrite = desk.rewrite {
            try goOnRewriting(rewrite.name, rewrite.old, rewrite.what)
            return true
        }
        if shared.withLock({ $0.isListStale }) { try list() }
        if let next = try nextToRewrite() {
            try beginRewrite(next.name, next.file)
            return true
        }
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
        for name in try disk.list(folder + "/index") {
            guard name.hasSuffix(".new") || SegmentFolder.base(name, ".idx").map({ !logs.contains($0) }) ?? false else {
                continue
            }
            try disk.removeIfPresent(folder + "/index/" + name)
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
        desk.pending = try gatherErasures(
            desk.closed + desk.hidden.map { (base: $0.base, next: ($0.sealed.last ?? $0.base) + 1) })
        // What was left alone and holds something erased meanwhile, or hides it, is looked at anew.
        for (base, next) in desk.closed where desk.leftAlone.contains(base) && !desk.forced.contains(base) {
            let isTouched = try isTouched(base, next: next)
            guard isHolder(base) || isTouched else { continue }
            desk.leftAlone.remove(base)
            desk.damaged.remove(base)
        }
        let waiting = desk.closed.count
        let damaged = desk.damaged.count
        let erasing = desk.pending.holders.count
        note { status in
            status.waitingSegments = waiting
            status.damagedSegments = damaged
            status.erasingSegments = erasing
        }
    }

    func note(_ change: (inout KeeperStatus) -> Void) { shared.withLock { change(&$0.status) } }

    /// The folders are not as they were listed.
    func listAgain() { shared.withLock { $0.isListStale = true } }

    /// Gives up what is under way with the segment that begins with `base`: it goes.
    func cancel(_ base: UInt64) throws(SystemError) {
        indexes.forget(base)
        if desk.job?.base == base || desk.rewrite?.name.first == base { try disk.removeIfPresent(temporary(base)) }
        if desk.job?.base == base { desk.job = nil }
        if desk.rewrite?.name.first == base { desk.rewrite = nil }
        desk.hiddenJob = nil
        desk.hidden = []
        desk.obstructed = desk.obstructed.filter { $0.first != base }
        if desk.obstructed.isEmpty { note { $0.obstruction = nil } }
        listAgain()
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
        if try isKnownDamaged(base, next: next, nextEventID: nextEventID) { return leaveAlone(base, isDamaged: true) }
        // What it hides must be gone from older segments first.
        if isHolder(base), try isStuck(base) { return leaveAlone(base, isDamaged: false) }
        try checkRoom(base)
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
            decomposer: options.decomposer, omission: desk.pending.omission, seed: desk.seed, room: room)
        desk.job = (base, next, .sealing(sealer))
    }

    /// The first event id of the segment that begins with sequence `base`; nil: it does not say.
    func firstEventID(ofSegment base: UInt64) throws(SystemError) -> UInt64? {
        guard let name = try SegmentList(disk, folder).segments.first(where: { $0.first == base }) else { return nil }
        if name.isSealed {
            return try SealedFile.open(disk, folder: folder, name, cache: BlockCache(bytesMax: 0))?.firstEventID
        }
        return try SegmentHeader.read(disk.open(path(base, "log", ".log"), .read))?.firstEventID
    }

    /// Whether the index already tells of damage that is left as it is. A damaged segment that holds erased events is not: they have to go.
    private func isKnownDamaged(
        _ base: UInt64, next: UInt64, nextEventID: UInt64?
    ) throws(SystemError) -> Bool {
        let cache = BlockCache(bytesMax: 1 << 20)
        guard let index = try IndexFile.open(disk, path: path(base, "index", ".idx"), base: base, cache: cache) else {
            return false
        }
        let end = max(index.nextEventID, nextEventID ?? 0)
        if desk.pending.touches(ids: index.firstEventID..<max(index.firstEventID, end), sequences: base..<next) {
            desk.forced.insert(base)
            return false
        }
        if let nextEventID, index.nextEventID < nextEventID { return true }
        do throws(IndexFault) {
            return try !index.allGaps().isEmpty
        } catch {
            return false
        }
    }

    private func goOn() throws(SystemError) -> Bool {
        guard let job = desk.job else { return true }
        switch job.what {
        case .sealing(let sealer):
            do throws(IndexFault) {
                if try sealer.step() { return true }
            } catch {
                // A log's source has no index that could be damaged.
                guard case .system(let error) = error else { return differ(job.base, "it cannot be read") }
                throw error
            }
            CrashPoint.reach(.sealedSynced)
            // Gaps are what damage has left; tombstones that were not gathered hide what nobody has looked for.
            if !sealer.gaps.isEmpty, try isTouched(job.base, next: job.next) { desk.forced.insert(job.base) }
            guard sealer.gaps.isEmpty || desk.forced.contains(job.base),
                sealer.receipts.isEmpty || isHolder(job.base)
            else {
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
            sealed, log: disk.open(self.path(base, "log", ".log"), .read), base: base, next: next,
            omission: desk.pending.omission, mayHaveGaps: desk.forced.contains(base) || isMadeOfDamage(sealed))
    }

    /// Gives the sealed file its name, and lets the log go.
    private func put(_ temporary: String, _ name: SegmentName, base: UInt64, events: Int) throws(SystemError) {
        let bytes = try disk.open(temporary, .read).size()
        try disk.rename(temporary, to: folder + "/" + name.file)
        CrashPoint.reach(.sealedRenamed)
        try disk.synchronizeDirectory(folder + "/sealed")
        try removeLog(base)
        // Retention did not count it until now.
        retention.withLock { $0.isDue = true }
        desk.closed.removeAll { $0.base == base }
        desk.tried = nil
        let waiting = desk.closed.count
        let erasing = desk.pending.holders.intersection(desk.closed.map(\.base)).count
        shared.withLock { shared in
            shared.status.erasingSegments = erasing
            shared.status.sealedSegments += 1
            shared.status.sealedBytes += UInt64(bytes)
            shared.status.sealedEvents += UInt64(events)
            shared.status.sealings += 1
            shared.status.waitingSegments = waiting
            shared.status.lastError = nil
        }
    }

    private func removeLog(_ base: UInt64) throws(SystemError) {
        if isHolder(base) { try removeCopies() }
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
        case .different(let what):
            if try isWhole(log: job.base, as: job.sealed) {
                try setAside(job.sealed, what)
            } else {
                try setAside(log: job.base, job.sealed)
            }
        case .same:
            try disk.synchronizeDirectory(folder + "/sealed")
            try removeLog(job.base)
            // Its tombstones are done with.
            listAgain()
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
        if isDamaged { desk.damaged.insert(base) }
        let damaged = desk.damaged.count
        shared.withLock { $0.status.damagedSegments = damaged }
    }

    /// Forgets what is under way, and its file.
    private func drop(_ base: UInt64) {
        desk.job = nil
        do throws(SystemError) { try disk.removeIfPresent(temporary(base)) } catch {
            // Removed at the next start.
        }
    }

    func fail(_ text: String) {
        shared.withLock { shared in
            shared.status.failures += 1
            shared.status.lastError = text
        }
    }

    /// The disk refused: later again, or never again in this life if it failed a sync (what a second one says is not to be believed).
    private func giveUp(_ error: SystemError) {
        if error.isFull { noteTried() }
        if let job = desk.job { drop(job.base) }
        if let rewrite = desk.rewrite { drop(rewrite.name.first) }
        desk.rewrite = nil
        desk.hiddenJob = nil
        let now = time.monotonicNanoseconds()
        if WorkRoom.isFloor(error) {
            // To look again costs little, and nothing was found to be other than it was listed.
            desk.pauseUntil = now + StoreLimits.sealRoomLookNanoseconds
        } else {
            listAgain()
            desk.pauseUntil = error.isSync ? UInt64.max : now + StoreLimits.sealRetryNanoseconds
        }
        fail(WorkRoom.text(error))
    }

    func temporary(_ base: UInt64) -> String { path(base, "sealed", ".new") }

    func path(_ base: UInt64, _ part: String, _ suffix: String) -> String {
        folder + "/" + part + "/" + SegmentFolder.name(base, suffix)
    }
}
