// Retention, as a part of the background work on closed segments: whole segments are dropped, oldest first, by the bytes of all and by age.
// Three steps. It is decided which event is the first to be kept; the header of the next segment says so, which makes it durable and known
// to readers; only then files are removed, one after the other, each removal made durable before the next. So at every moment, whatever
// crashes, what is there is one piece that ends with the newest event, and whoever misses a file finds out why. On the keeper's thread.

import EyeSystem
import Glibc

/// What retention has done.
public struct RetentionStatus: Sendable, Equatable {
    /// Events below this id are not kept; 1: all are.
    public internal(set) var firstKeptEventID: UInt64 = 1
    /// Segments that were dropped since the start, with the events they had (of those without an index: the ids) and their bytes.
    public internal(set) var droppedSegments: UInt64 = 0
    public internal(set) var droppedEvents: UInt64 = 0
    public internal(set) var droppedBytes: UInt64 = 0
    /// Bytes of all segments with their indexes at the last look; 0 without retention.
    public internal(set) var bytes: UInt64 = 0
    /// How far the clock of ages is behind the wall clock, µs.
    public internal(set) var clockLag: Int64 = 0
    /// The wall clock was never set: nothing is dropped by age.
    public internal(set) var isClockUnset = false
    /// Why the last attempt failed; nil: it did not.
    public internal(set) var lastError: String?
}

/// What the appender and the keeper tell each other.
struct RetentionWish {
    /// The header of the active segment says: events below this id are not kept.
    var known: UInt64
    /// The keeper wants the next one to say this.
    var wanted: UInt64
    /// Since when, monotonic nanoseconds.
    var since: UInt64
    /// Something changed: look now.
    var isDue = true
}

/// What the keeper's thread remembers for retention.
struct RetentionWork {
    /// Numbers of closed segments, which do not change.
    var numbers: [SegmentName: RetainedSegment] = [:]
    var clock: RetentionClock?
    var isClockRead = false
    var clockWritten: UInt64 = 0
    /// Nothing is looked at before this time, unless something changes.
    var nextLook: UInt64 = 0
    /// The disk failed a sync: nothing is dropped any more in this life.
    var isStopped = false
}

extension SegmentKeeper {
    // MARK: For the appender

    /// The first event id that is to be kept.
    var firstKeptWanted: UInt64 { retention.withLock { $0.wanted } }

    /// The active segment's header says that events below `id` are not kept.
    func noteFirstKept(_ id: UInt64) {
        retention.withLock { wish in
            wish.known = max(wish.known, id)
            wish.isDue = true
        }
        note { $0.retention.firstKeptEventID = max($0.retention.firstKeptEventID, id) }
    }

    /// The first event id to be kept, if no header has said so for so long; nil: nothing waits.
    func firstKept(waitingFor nanoseconds: UInt64) -> UInt64? {
        let now = time.monotonicNanoseconds()
        return retention.withLock { wish in
            wish.wanted > wish.known && now - min(wish.since, now) >= nanoseconds ? wish.wanted : nil
        }
    }

    // MARK: The work

    /// Drops a segment, or finds out what is to be dropped next. False: nothing is left for now.
    func retain() -> Bool {
        let now = time.monotonicNanoseconds()
        let isLimited = options.retainBytes != nil || options.retainMicroseconds != nil
        let (known, isDue) = retention.withLock { wish in
            defer { wish.isDue = false }
            return (wish.known, wish.isDue)
        }
        guard !desk.retention.isStopped, isDue || (isLimited && now >= desk.retention.nextLook) else { return false }
        do throws(SystemError) {
            desk.retention.nextLook = now + StoreLimits.retentionLookNanoseconds
            if !isLimited && known == 1 {
                try forgetClock()
                return false
            }
            let list = try SegmentList(disk, folder)
            // Just now a segment was begun: it is told at once.
            guard list.segments.last == .log(active) else { return false }
            let plan = try survey(list.segments)
            if plan.count(below: known) > 0 {
                try drop(list, plan)
                retention.withLock { $0.isDue = true }
                return true
            }
            try decide(plan, now)
            note { $0.retention.lastError = nil }
        } catch {
            // What a second sync says is not to be believed.
            desk.retention.isStopped = error.isSync
            note { $0.retention.lastError = "\(error)" }
        }
        return false
    }

    private func decide(_ plan: RetentionPlan, _ now: UInt64) throws(SystemError) {
        var count = 0
        if let bytesMax = options.retainBytes {
            count = plan.excess(over: bytesMax, waitingMax: try waitingMax(bytesMax))
        }
        if let age = options.retainMicroseconds {
            let wall = time.nowMicroseconds()
            if var clock = try clock(plan, wall: wall, now) {
                count = max(count, plan.aged(age, by: clock, wall: wall))
                if let newest = plan.newestReceived(in: count, by: clock, wall: wall), newest > clock.droppedThrough {
                    clock.droppedThrough = newest
                    try keep(clock, now)
                }
            }
        } else {
            try forgetClock()
        }
        let bytes = plan.bytes
        note { $0.retention.bytes = bytes }
        guard let first = plan.firstKept(without: count) else { return }
        retention.withLock { wish in
            guard first > wish.wanted else { return }
            wish.wanted = first
            wish.since = now
        }
    }

    /// Bytes by which segments that wait to be sealed may exceed `--retain-bytes`: none that are needed as free room.
    private func waitingMax(_ bytesMax: UInt64) throws(SystemError) -> UInt64 {
        let needed = options.minFreeBytes + 2 * UInt64(max(options.segmentBytes, 0))
        let free = try disk.freeBytes(folder)
        return min(SealPacing.backlogMax(options), free - min(free, needed))
    }

    /// The clock of ages, as it stands now; nil: the wall clock was never set.
    private func clock(_ plan: RetentionPlan, wall: Int64, _ now: UInt64) throws(SystemError) -> RetentionClock? {
        if !desk.retention.isClockRead {
            desk.retention.clock = try RetentionClock.read(disk, folder: folder, monotonicNanoseconds: now)
            desk.retention.isClockRead = true
            desk.retention.clockWritten = now
        }
        if var clock = desk.retention.clock {
            clock.advance(wall: wall, monotonicNanoseconds: now)
            desk.retention.clock = clock
            if now - min(desk.retention.clockWritten, now) >= StoreLimits.retentionClockNanoseconds {
                try keep(clock, now)
            }
        } else {
            let begun = try SegmentHeader.read(disk.open(path(active, "log", ".log"), .read))?.created
            let known = plan.segments.compactMap(\.newestReceived) + [begun ?? RetentionClock.earliest]
            let evidence = known.filter { $0 <= wall }.max() ?? RetentionClock.earliest
            if let clock = RetentionClock(evidence: evidence, wall: wall, monotonicNanoseconds: now) {
                try keep(clock, now)
            }
        }
        let clock = desk.retention.clock
        note { status in
            status.retention.isClockUnset = clock == nil
            status.retention.clockLag = clock.map { max(0, wall - $0.reached) } ?? 0
        }
        return clock
    }

    private func keep(_ clock: RetentionClock, _ now: UInt64) throws(SystemError) {
        try clock.write(disk, folder: folder)
        desk.retention.clock = clock
        desk.retention.clockWritten = now
    }

    /// Without retention by age its clock stands still: the next time begins with a new one.
    private func forgetClock() throws(SystemError) {
        guard !desk.retention.isClockRead else { return }
        try disk.removeIfPresent(folder + "/" + RetentionClock.fileName)
        desk.retention.isClockRead = true
    }

    // MARK: Numbers of segments

    private func survey(_ names: [SegmentName]) throws(SystemError) -> RetentionPlan {
        let last = names.last
        let isSealing = options.seals && status.lastError == nil
        var plan = RetentionPlan(segments: [])
        var kept: [SegmentName: RetainedSegment] = [:]
        for name in names {
            if let known = desk.retention.numbers[name] {
                plan.segments.append(known)
                kept[name] = known
            } else {
                let (found, isFinal) =
                    try name.isSealed ? (surveySealed(name), true) : surveyLog(name, isActive: name == last)
                plan.segments.append(found)
                if isFinal { kept[name] = found }
            }
            plan.segments[plan.segments.count - 1].isWaiting =
                isSealing && !name.isSealed && name != last && !desk.leftAlone.contains(name.first)
        }
        desk.retention.numbers = kept
        return plan
    }

    private func surveySealed(_ name: SegmentName) throws(SystemError) -> RetainedSegment {
        var found = RetainedSegment(bytes: UInt64(try disk.stamp(folder + "/" + name.file).bytes))
        do throws(SystemError) {
            let cache = BlockCache(bytesMax: 0)
            guard let file = try SealedFile.open(disk, folder: folder, name, cache: cache) else { return found }
            found.firstEventID = file.firstEventID
            found.events = file.rows
            if file.rows > 0 { found.newestReceived = file.newestReceived }
        } catch {
            // One that the disk cannot read is damaged, and goes with those around it.
            if error.errno == EMFILE || error.errno == ENFILE { throw error }
        }
        return found
    }

    /// `isFinal`: nothing of it will change.
    private func surveyLog(_ name: SegmentName, isActive: Bool) throws(SystemError) -> (RetainedSegment, isFinal: Bool)
    {
        var found = RetainedSegment(bytes: UInt64(try disk.stamp(folder + "/" + name.file).bytes))
        do throws(SystemError) {
            found.firstEventID = try SegmentHeader.read(disk.open(folder + "/" + name.file, .read))?.firstEventID
            if isActive { return (found, false) }
            let path = path(name.first, "index", ".idx")
            let cache = BlockCache(bytesMax: 0)
            guard let index = try IndexFile.open(disk, path: path, base: name.first, cache: cache) else {
                return (found, false)
            }
            found.bytes += UInt64(try disk.stamp(path).bytes)
            found.events = index.rows
            if index.rows > 0 { found.newestReceived = index.newestReceived }
            return (found, true)
        } catch {
            if error.errno == EMFILE || error.errno == ENFILE { throw error }
            return (found, false)
        }
    }

    // MARK: Dropping

    /// Drops the oldest segment: what recovery and sealing kept beside it first, and the log that it was sealed from.
    private func drop(_ list: SegmentList, _ plan: RetentionPlan) throws(SystemError) {
        let name = list.segments[0]
        let next = list.segments[1].first
        let numbers = plan.segments[0]
        let events = plan.eventsOfOldest
        try cancel(name.first)
        for base in list.hidden where base < next {
            try disk.removeIfPresent(path(base, "log", ".log"))
            try disk.synchronizeDirectory(folder + "/log")
            try disk.removeIfPresent(path(base, "index", ".idx"))
        }
        try removeCopies(before: next)
        try disk.removeIfPresent(folder + "/" + name.file)
        CrashPoint.reach(.segmentDropped)
        try disk.synchronizeDirectory(folder + (name.isSealed ? "/sealed" : "/log"))
        if !name.isSealed { try disk.removeIfPresent(path(name.first, "index", ".idx")) }
        note { status in
            status.retention.droppedSegments += 1
            status.retention.droppedEvents += UInt64(events)
            status.retention.droppedBytes += numbers.bytes
            if name.isSealed {
                status.sealedSegments = max(0, status.sealedSegments - 1)
                status.sealedBytes -= min(status.sealedBytes, numbers.bytes)
                status.sealedEvents -= min(status.sealedEvents, UInt64(events))
            }
        }
    }
}
