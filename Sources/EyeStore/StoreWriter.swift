// The one writer of a store: takes the lock, recovers, takes out duplicates, commits. Invariant: what `commit` called durable is on
// disk and published; clients' sequences and event_ids change only with a durable commit. Used by the appender thread only, but
// for `maintain`, which a housekeeping thread calls.

import EyeSystem
import Glibc

/// A store's writing end; one per data folder.
public final class StoreWriter: @unchecked Sendable {
    private let log: LogWriter
    private let lock: any DiskLock
    private let folder: String
    private let window: EventIDWindow
    private let keeper: SegmentKeeper
    private let time: any TimeSource
    /// What the start found and did.
    public let recovery: RecoveryReport

    // What the commit under way has changed in memory, to be taken back if it is refused: each client once.
    private var touchedClients: [(slot: Int32, before: UInt64)] = []
    private var addedEventIDs = 0
    /// The session that is being erased.
    private var watch: ErasureWatch?

    private init(
        log: LogWriter, lock: any DiskLock, folder: String, window: EventIDWindow, keeper: SegmentKeeper,
        recovery: RecoveryReport,
        time: any TimeSource
    ) {
        self.log = log
        self.lock = lock
        self.folder = folder
        self.window = window
        self.keeper = keeper
        self.recovery = recovery
        self.time = time
        keeper.note(activeTombstones: log.active.tombstones)
        log.closed = { [keeper] base, next in
            keeper.add(base, next: next.base)
            keeper.noteFirstKept(next.firstKeptEventID)
        }
        log.firstKeptWanted = { [keeper] in keeper.firstKeptWanted }
    }

    /// Opens the store in `folder` (made if it is not there), takes its lock and recovers it. Touches nothing when it is locked or
    /// of a newer format.
    public static func open(
        _ disk: any Disk, folder: String, options: StoreOptions = StoreOptions(), time: any TimeSource = SystemTime()
    ) throws(StoreOpenError) -> StoreWriter {
        do throws(SystemError) { try disk.makeDirectory(folder) } catch { throw .unusable(path: folder, error) }
        let lock = try StoreLock.take(disk, folder: folder, waitMilliseconds: options.lockWaitMilliseconds)
        let recovered = try LogRecovery(disk, folder: folder, options: options, time: time).run()
        var report = recovered.report
        let window = EventIDWindow(seed: recovered.writer.nextSalt())
        do throws(SystemError) {
            try disk.makeDirectory(folder + "/index")
            report.isWindowComplete = try EventIDMemory(disk, folder: folder).fill(
                window, recovered: recovered, now: time.nowMicroseconds())
            let keeper = try SegmentKeeper(
                disk, folder: folder, active: recovered.writer.active.base, seed: recovered.writer.nextSalt(),
                options: options, time: time,
                retention: RetentionWish(
                    known: recovered.writer.active.firstKeptEventID, wanted: recovered.writer.position.firstKeptEventID,
                    since: time.monotonicNanoseconds()))
            return StoreWriter(
                log: recovered.writer, lock: lock, folder: folder, window: window, keeper: keeper, recovery: report,
                time: time)
        } catch {
            throw .unusable(path: folder, error)
        }
    }

    /// The id that the next event will get.
    public var nextEventID: UInt64 { log.position.nextEventID }
    /// The sequence that the next record will get.
    public var nextSequence: UInt64 { log.position.nextSequence }
    /// The last durable commit.
    public var lastCommit: UInt64 { log.position.commit }
    /// The active segment, by its first sequence.
    public var activeSegment: UInt64 { log.active.base }
    /// event_ids remembered.
    public var eventIDCount: Int { window.count }
    /// The last commit was refused because no descriptor was left for the next segment.
    public var lacksDescriptors: Bool { log.lacksDescriptors }
    /// Why the writer is unusable; nil: it is not.
    public var failure: SystemError? { log.failure }

    /// Makes `frames` (at most `commitFramesMax`) durable as one commit: duplicates taken out, numbers given, one write, one fdatasync, published.
    /// Throws: final, nothing of it may be acknowledged, and no later commit will succeed. Refused: the storage is full; nothing
    /// of it was stored, and the clients marked in it are stopped until `openClient`.
    public func commit(_ frames: ArraySlice<Frame>) throws(SystemError) -> CommitOutcome {
        try checkPlace()
        var sequence = log.position.nextSequence
        let outcome = try commitWithoutDuplicates(frames)
        if let watch, outcome == .durable {
            for frame in frames {
                watch.note(frame, firstSequence: sequence)
                sequence += UInt64(frame.recordCount)
            }
        }
        return outcome
    }

    private func commitWithoutDuplicates(_ frames: ArraySlice<Frame>) throws(SystemError) -> CommitOutcome {
        var needsCare = false
        for frame in frames where !frame.marks.isEmpty || frame.hasEventIDs { needsCare = true }
        if !needsCare { return try log.append(frames) }

        var id = log.position.nextEventID
        let now = time.nowMicroseconds()
        for frame in frames {
            if !frame.marks.isEmpty || frame.hasEventIDs { settle(frame, firstID: id, now: now) }
            id += UInt64(frame.eventCount)
        }
        let outcome = try log.append(frames)
        switch outcome {
        case .durable:
            if addedEventIDs > 0 { window.trim(now: now) }
            for touched in touchedClients { log.clients.confirm(touched.slot) }
        case .refused:
            window.undo(addedEventIDs)
            for touched in touchedClients {
                log.clients.setSequence(touched.slot, touched.before, now: now)
            }
            for frame in frames {
                for mark in frame.marks { log.clients.setStopped(mark.slot, true) }
            }
        }
        addedEventIDs = 0
        touchedClients.removeAll(keepingCapacity: true)
        return outcome
    }

    /// `commit` of a whole array.
    public func commit(_ frames: [Frame]) throws(SystemError) -> CommitOutcome { try commit(frames[...]) }

    /// The slot of a client (made if it is new) and its highest durable line. Ends a stop after a refusal. Nil: 100,000 clients are
    /// known, or the name is empty or longer than 128 bytes. The answer holds once all earlier batches of that client are committed.
    public func openClient(token: UInt32, name: Span<UInt8>) -> (slot: Int32, lastSequence: UInt64)? {
        guard name.count > 0, name.count <= StoreLimits.clientNameBytesMax else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(name.count)
        for index in 0..<name.count { bytes.append(name[index]) }
        guard let slot = log.clients.open(token: token, name: bytes, now: time.nowMicroseconds()) else { return nil }
        log.clients.setStopped(slot, false)
        return (slot, log.clients[slot].sequence)
    }

    /// A clean stop: the watermark becomes durable too. Not to be called after a failure.
    public func close() throws(SystemError) { try log.close() }

    /// A slice of background work: what is not to be kept is dropped, closed segments are indexed, then sealed. For a housekeeping thread; needs nothing of the appender.
    /// True: there is more to do now; false: nothing until a segment is closed, or until later.
    public func maintain() throws(SystemError) -> Bool {
        guard isInPlace else { return false }
        return try keeper.step()
    }

    /// Throws, for good, when the data folder or the log that is written is not where it was opened any more: what went on there would be in
    /// nobody's store, or in somebody else's. Two stat(2).
    public func checkPlace() throws(SystemError) {
        guard isInPlace, log.isInPlace else { throw SystemError(errno: ESTALE, call: "stat") }
    }

    /// Whether the folder's name still names the folder that was opened: it may have been moved, and another one be there.
    private var isInPlace: Bool { lock.isOf(folder) }

    /// Whether less is free than must stay free, so that events are refused; asks the file system; any thread.
    public var isFull: Bool { keeper.isFull }

    /// What `maintain` has done and has left to do; any thread.
    public var keeping: KeeperStatus { keeper.status }

    // MARK: Erasure

    /// Begins to note what is committed of `session`, until `unwatch`. One at a time.
    public func watch(_ session: ID128) -> ErasureWatch {
        let begun = ErasureWatch(session, nextEventID: log.position.nextEventID)
        watch = begun
        return begun
    }

    /// Ends the watch.
    public func unwatch() { watch = nil }

    /// Commits the next tombstones of `job`: at most one commit, so that ingest goes on between the parts of a large one. When it is
    /// durable, so is the watermark: no reader of a later life can be shown what was erased.
    public func erase(_ job: ErasureJob) throws(SystemError) -> ErasureOutcome {
        try checkPlace()
        let (frames, isLast) = job.nextFrames(now: time.nowMicroseconds())
        let position = log.position
        if !frames.isEmpty {
            guard try log.append(frames[...], floor: .work) == .durable else { return .refused }
            job.committed(frames, firstSequence: position.nextSequence, nextEventID: position.nextEventID)
            keeper.note(activeTombstones: log.active.tombstones)
        }
        guard isLast else { return .more }
        try log.synchronizeWatermark()
        return .done
    }

    /// Closes the active segment if it holds a tombstone that was committed at or before `moment` (µs since 1970 UTC), or in the future
    /// (the wall clock went back since), so that what it hides can be taken off the disk. False: there is no room for a new one.
    public func closeForErasures(until moment: Int64) throws(SystemError) -> Bool {
        guard log.active.tombstones > 0 else { return true }
        let oldest = log.active.oldestTombstone
        guard oldest <= moment || oldest > time.nowMicroseconds() else { return true }
        try checkPlace()
        return try log.closeSegment()
    }

    // MARK: Retention

    /// Closes the active segment if retention has waited at least so long for the next one, whose header tells every reader what is not kept
    /// any more; only then it is removed. False: there is no room for a new segment.
    public func closeForRetention(after nanoseconds: UInt64) throws(SystemError) -> Bool {
        guard let id = keeper.firstKept(waitingFor: nanoseconds) else { return true }
        try checkPlace()
        return try log.keep(from: id)
    }

    // MARK: Duplicates

    /// Takes duplicates out of a frame and appends its clients' sequences.
    private func settle(_ frame: Frame, firstID: UInt64, now: Int64) {
        let count = frame.recordCount
        var fates = [RecordOutcome.Fate](repeating: .stored, count: count)
        var firsts = [UInt64](repeating: 0, count: count)
        var dropped = 0
        for mark in frame.marks {
            let client = log.clients[mark.slot]
            var fate = RecordOutcome.Fate.stored
            if client.isStopped {
                fate = .stopped
            } else if mark.sequence <= client.sequence {
                fate = .duplicate
            } else {
                if !client.isTouched { touchedClients.append((mark.slot, client.sequence)) }
                log.clients.setSequence(mark.slot, mark.sequence, now: now)
            }
            if fate != .stored && mark.record >= 0 {
                fates[Int(mark.record)] = fate
                dropped += 1
            }
        }
        var isEvent = [Bool](repeating: false, count: count)
        var id = firstID
        var offset = 0
        let payload = unsafe frame.payload
        for index in 0..<count {
            guard let record = unsafe RecordView.at(offset, of: payload) else {
                preconditionFailure("a frame under construction holds whole records")
            }
            offset += record.byteCount
            guard record.kind == RecordKind.event else { continue }
            isEvent[index] = true
            guard fates[index] == .stored else { continue }
            if let key = record.eventID {
                if let first = window.find(key) {
                    fates[index] = .duplicate
                    firsts[index] = first
                    dropped += 1
                    continue
                }
                window.add(key, id: id, received: record.received)
                addedEventIDs += 1
            }
            id += 1
        }
        frame.duplicateCount = 0
        frame.stoppedCount = 0
        if dropped > 0 {
            frame.keepRecords { fates[$0] == .stored }
            var id = firstID
            frame.outcomes.removeAll(keepingCapacity: true)
            for index in 0..<count {
                switch fates[index] {
                case .stored:
                    frame.outcomes.append(RecordOutcome(id: isEvent[index] ? id : 0, fate: .stored))
                    if isEvent[index] { id += 1 }
                case .duplicate:
                    frame.duplicateCount += 1
                    frame.outcomes.append(RecordOutcome(id: firsts[index], fate: .duplicate))
                case .stopped:
                    frame.stoppedCount += 1
                    frame.outcomes.append(RecordOutcome(id: 0, fate: .stopped))
                }
            }
        }
        for slot in frame.markedSlots {
            let client = log.clients[slot]
            // The record says what is durable with this frame; a client whose every line was a duplicate needs none.
            if !client.isStopped && client.isTouched {
                frame.appendClient(
                    token: client.token, name: client.name, sequence: client.sequence, received: now)
            }
        }
    }
}
