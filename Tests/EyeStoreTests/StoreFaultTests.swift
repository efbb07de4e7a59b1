import EyeSystem
import Glibc
import Testing

@testable import EyeStore

/// Full disks, failing syncs, duplicates, stopped clients: what the appender is promised.
@Suite struct StoreFaultTests {
    func open(_ disk: SimulatedDisk, segmentBytes: Int64 = 64 << 20, time: TestTime = TestTime()) throws -> StoreWriter
    {
        try StoreWriter.open(disk, folder: "d", options: .test(segmentBytes: segmentBytes), time: time)
    }

    func frame(_ events: [TestEvent]) -> Frame {
        let frame = Frame()
        for event in events { #expect(frame.append(event)) }
        return frame
    }

    /// Where what is overwritten needs room too, the watermark is the one that may not find it.
    @Test(arguments: [(ENOSPC, false), (EDQUOT, false), (EFBIG, false), (ENOSPC, true)])
    func aFullDiskRefusesWithoutATraceAndResumes(code: Int32, isCopyOnWrite: Bool) throws {
        // The room ends at every length of the commit, its segment change included.
        for room in stride(from: 0, through: 900, by: 7) {
            let disk = SimulatedDisk()
            let time = TestTime()
            let writer = try open(disk, segmentBytes: 500, time: time)
            #expect(try writer.commit([frame([TestEvent(), TestEvent()])]) == .durable)
            disk.fullErrno = code
            disk.isCopyOnWrite = isCopyOnWrite
            disk.room = room
            var refused = 0
            for _ in 0..<4 {
                let before = writer.nextEventID
                time.monotonic += 1_000_000_000
                let frames = [frame([TestEvent()]), frame([TestEvent(), TestEvent()])]
                if try writer.commit(frames) == .refused {
                    refused += 1
                    #expect(writer.nextEventID == before)
                }
            }
            #expect(refused > 0)
            let shown = writer.nextEventID - 1
            #expect(try StoreReader(disk, folder: "d").snapshot().all().events.count == Int(shown))
            // No half frame stays behind, whatever a crash keeps.
            var random = SeededGenerator(seed: UInt64(room))
            let crashed = disk.afterCrash(&random)
            let reopened = try open(crashed, segmentBytes: 500)
            #expect(reopened.nextEventID == shown + 1, "room \(room)")
            #expect(reopened.recovery.damage.isEmpty)
            #expect(reopened.recovery.torn == nil, "room \(room)")
            disk.room = nil
            time.monotonic += StoreLimits.fullProbeNanoseconds
            #expect(try writer.commit([frame([TestEvent()])]) == .durable, "resumes by itself")
            #expect(try StoreReader(disk, folder: "d").snapshot().all().events.count == Int(shown) + 1)
            // Every segment that was begun is known to be: its forerunner is closed.
            #expect(writer.keeping.waitingSegments == disk.names.keys.filter { $0.hasSuffix(".log") }.count - 1)
        }
    }

    @Test func belowTheFloorNothingIsAccepted() throws {
        let disk = SimulatedDisk()
        let time = TestTime()
        var options = StoreOptions.test()
        options.minFreeBytes = 1_000_000
        let writer = try StoreWriter.open(disk, folder: "d", options: options, time: time)
        #expect(try writer.commit([frame([TestEvent()])]) == .durable)
        #expect(!writer.isFull)
        disk.free = 999_999
        #expect(writer.isFull)
        time.monotonic += StoreLimits.freeCheckNanoseconds
        #expect(try writer.commit([frame([TestEvent()])]) == .refused)
        disk.free = 2_000_000
        // Not asked again at once …
        #expect(try writer.commit([frame([TestEvent()])]) == .refused)
        // … but within a second.
        time.monotonic += StoreLimits.fullProbeNanoseconds
        #expect(try writer.commit([frame([TestEvent()])]) == .durable)
        #expect(writer.nextEventID == 3)
    }

    /// An erasure makes room: it may use a part of what stays free of events.
    @Test func belowTheFloorErasureGoesOnAsFarAsHalfOfIt() throws {
        let disk = SimulatedDisk()
        let time = TestTime()
        var options = StoreOptions.test()
        options.minFreeBytes = 1_000_000
        let writer = try StoreWriter.open(disk, folder: "d", options: options, time: time)
        #expect(try writer.commit([frame([TestEvent(), TestEvent()])]) == .durable)
        time.monotonic += StoreLimits.freeCheckNanoseconds
        for (id, free, outcome) in [(1, 500_000, "refused"), (1, 501_000, "done"), (2, 999_999, "done")] {
            disk.free = UInt64(free)
            let search = ErasureSearch(.event(UInt64(id)), in: try StoreReader(disk, folder: "d").snapshot())
            while try search.step() {}
            let job = ErasureJob(search, watch: nil, isSession: false, token: 1)
            #expect("\(try writer.erase(job))" == outcome)
            #expect(try writer.commit([frame([TestEvent()])]) == .refused)
        }
        #expect(try StoreReader(disk, folder: "d").snapshot().count() == 0)
    }

    @Test func aFailedSyncIsFinal() throws {
        for failing in 1...20 {
            let disk = SimulatedDisk()
            let writer = try open(disk, segmentBytes: 600)
            disk.failingSync = disk.syncs + failing
            var durable: UInt64 = 0
            var failures = 0
            for _ in 0..<30 {
                do {
                    #expect(try writer.commit([frame([TestEvent(), TestEvent()])]) == .durable)
                    #expect(failures == 0, "no commit succeeds after a failure")
                    durable += 2
                } catch {
                    failures += 1
                    #expect(error.errno == EIO)
                    #expect(writer.failure?.errno == EIO)
                }
            }
            if failures == 0 { continue }  // It hit a sync of the folder, which cannot fail here.
            let syncs = disk.syncs
            #expect(throws: SystemError.self) { _ = try writer.commit([frame([TestEvent()])]) }
            #expect(disk.syncs == syncs, "never synced again")
            // The next start takes what the page cache shows, and makes it durable before anything else.
            disk.locked.removeAll()
            let next = try open(disk, segmentBytes: 600)
            let shown = next.nextEventID - 1
            #expect(shown >= durable)
            var random = SeededGenerator(seed: 1)
            let crashed = disk.afterCrash(&random)
            #expect(try StoreReader(crashed, folder: "d").snapshot().all().events.count == Int(shown))
        }
    }

    @Test func eventIDsAreDeduplicatedAcrossRestarts() throws {
        for hasIndex in [true, false] {
            let disk = SimulatedDisk()
            var event = TestEvent()
            event.eventID = ID128(high: 1, low: 0)
            var writer = try open(disk, segmentBytes: 500)
            for low in 1...20 {
                event.eventID = ID128(high: 1, low: UInt64(low))
                let one = frame([event, TestEvent(), event])
                #expect(try writer.commit([one]) == .durable)
                #expect(one.outcome(ofRecord: 2) == RecordOutcome(id: one.firstEventID, fate: .duplicate))
                #expect(one.outcome(ofRecord: 1) == RecordOutcome(id: one.firstEventID + 1, fate: .stored))
                #expect(one.duplicateCount == 1)
            }
            if hasIndex { while try writer.maintain() {} }
            try writer.close()
            disk.locked.removeAll()
            writer = try open(disk, segmentBytes: 500)
            #expect(writer.recovery.isWindowComplete)
            #expect(writer.eventIDCount == 20)
            for low in 1...20 {
                event.eventID = ID128(high: 1, low: UInt64(low))
                let again = frame([event])
                #expect(try writer.commit([again]) == .durable)
                #expect(again.outcome(ofRecord: 0) == RecordOutcome(id: UInt64(low * 2 - 1), fate: .duplicate))
            }
            #expect(writer.nextEventID == 41)
        }
    }

    @Test func eventIDsAreForgottenAfterADay() throws {
        let time = TestTime()
        let writer = try open(SimulatedDisk(), time: time)
        var event = TestEvent()
        event.eventID = ID128(high: 1, low: 1)
        event.received = time.now
        #expect(try writer.commit([frame([event])]) == .durable)
        time.now += StoreLimits.eventIDWindowMicroseconds + 1
        event.eventID = ID128(high: 1, low: 2)
        event.received = time.now
        #expect(try writer.commit([frame([event])]) == .durable)
        #expect(writer.eventIDCount == 1)
    }

    @Test func clientLinesAreStoredOnce() throws {
        let disk = SimulatedDisk()
        var writer = try open(disk, segmentBytes: 700)
        let name = Array("client-7".utf8)
        func hello() throws -> (slot: Int32, lastSequence: UInt64) {
            let opened = writer.openClient(token: 3, name: name.span)
            return try #require(opened)
        }
        var client = try hello()
        #expect(client.lastSequence == 0)
        var sent: UInt64 = 0
        for round in 0..<12 {
            let frame = Frame()
            // Each round sends its last two lines again.
            let from = max(1, Int(sent) - 1)
            for line in from...(Int(sent) + 4) {
                let mark = ClientLine(slot: client.slot, sequence: UInt64(line))
                if line % 5 == 0 {
                    #expect(frame.noteRejected(mark))
                } else {
                    var event = TestEvent()
                    event.data = "line \(line)"
                    #expect(frame.append(event, client: mark))
                }
            }
            sent += 4
            if round % 2 == 0 { frame.seal() }
            #expect(try writer.commit([frame]) == .durable)
            if round % 4 == 3 {
                disk.locked.removeAll()
                writer = try open(disk, segmentBytes: 700)
                client = try hello()
                #expect(client.lastSequence == sent)
            }
        }
        let lines = try StoreReader(disk, folder: "d").snapshot().all().events.reversed().map(\.data)
        #expect(lines == (1...Int(sent)).filter { $0 % 5 != 0 }.map { "line \($0)" })
        let other = writer.openClient(token: 4, name: name.span)
        #expect(other?.lastSequence == 0)
        let nobody = writer.openClient(token: 4, name: [UInt8]().span)
        #expect(nobody == nil)
    }

    @Test func aRefusedClientIsStoppedUntilItsNextHello() throws {
        let disk = SimulatedDisk()
        let time = TestTime()
        let writer = try open(disk, time: time)
        let name = Array("c".utf8)
        let opened = writer.openClient(token: 1, name: name.span)
        let client = try #require(opened)
        func commit(_ line: UInt64) throws -> (CommitOutcome, Frame) {
            let frame = Frame()
            #expect(frame.append(TestEvent(), client: ClientLine(slot: client.slot, sequence: line)))
            return (try writer.commit([frame]), frame)
        }
        #expect(try commit(1).0 == .durable)
        disk.room = 10
        #expect(try commit(2).0 == .refused)
        disk.room = nil
        time.monotonic += StoreLimits.fullProbeNanoseconds
        let (outcome, frame) = try commit(3)
        #expect(outcome == .durable)
        #expect(frame.outcome(ofRecord: 0).fate == .stopped)
        #expect(frame.stoppedCount == 1)
        let again = writer.openClient(token: 1, name: name.span)
        #expect(again?.lastSequence == 1)
        #expect(try commit(2).1.outcome(ofRecord: 0) == RecordOutcome(id: 2, fate: .stored))
        #expect(try commit(3).1.outcome(ofRecord: 0) == RecordOutcome(id: 3, fate: .stored))
    }

    @Test func aFrameTakesTheLongestEventAndKnowsItsEnd() throws {
        let frame = Frame()
        var event = TestEvent()
        event.eventID = ID128(high: 1, low: 1)
        event.data = String(repeating: "x", count: 65_536)
        #expect(frame.append(event))
        #expect(!frame.append(event))
        event.eventID = nil
        event.data = String(repeating: "y", count: 60_000)
        #expect(frame.append(event))
        #expect(frame.byteCount <= StoreLimits.frameBytesMax)
        let disk = SimulatedDisk()
        let writer = try open(disk)
        #expect(try writer.commit([frame]) == .durable)
        #expect(try StoreReader(disk, folder: "d").snapshot().all().events.map(\.data.utf8.count) == [60_000, 65_536])
    }

    @Test func aFollowerSeesEveryEventOnceAcrossSegments() throws {
        let folder = try TemporaryFolder()
        let writer = try StoreWriter.open(
            RealDisk(), folder: folder.path, options: .test(segmentBytes: 1_000), time: TestTime())
        let reader = StoreReader(RealDisk(), folder: folder.path)
        var random = SeededGenerator(seed: 5)
        var last: UInt64 = 0
        var written: UInt64 = 0
        for round in 0..<300 {
            let count = Int.random(in: 1...4, using: &random)
            #expect(try writer.commit([frame((0..<count).map { _ in TestEvent() })]) == .durable)
            written += UInt64(count)
            if round % 7 == 0 { while try writer.maintain() {} }
            if round % 3 != 0 { continue }
            var filter = EventFilter()
            filter.newestFirst = false
            filter.idAbove = last
            let (events, damage) = try reader.snapshot().all(filter)
            #expect(damage.isEmpty)
            #expect(events.map(\.id) == Array((last + 1)...written))
            last = written
            let middle = UInt64.random(in: 1...written, using: &random)
            #expect(try reader.snapshot().all(.id(middle)).events.map(\.id) == [middle])
        }
        #expect(try reader.snapshot().all(.id(written + 1)).events.isEmpty)
        #expect(try reader.snapshot().all(.id(0)).events.isEmpty)
    }

    @Test func aReaderBeforeTheFirstStartSeesAnEmptyStore() throws {
        let folder = try TemporaryFolder()
        let reader = StoreReader(RealDisk(), folder: folder.path)
        #expect(try reader.snapshot().all().events.isEmpty)
        #expect(try reader.snapshot().allSessions().isEmpty)
        let writer = try StoreWriter.open(RealDisk(), folder: folder.path, options: .test(), time: TestTime())
        #expect(try reader.snapshot().all().events.isEmpty)
        #expect(try writer.commit([frame([TestEvent()])]) == .durable)
        #expect(try reader.snapshot().all().events.count == 1)
    }

    @Test func aPausedCursorGoesOnBehindTheEvent() throws {
        let disk = SimulatedDisk()
        let writer = try open(disk, segmentBytes: 900)
        for _ in 0..<10 { #expect(try writer.commit([frame((0..<5).map { _ in TestEvent() })]) == .durable) }
        for newestFirst in [true, false] {
            var filter = EventFilter()
            filter.newestFirst = newestFirst
            let cursor = try StoreReader(disk, folder: "d").snapshot().cursor(filter)
            var ids: [UInt64] = []
            var state = CursorState.more
            while state != .end {
                state = try cursor.step {
                    ids.append($0.id)
                    return false
                }
            }
            #expect(ids == (newestFirst ? Array((1...50).reversed()) : Array(1...50)))
        }
    }

    @Test func sessionsOpenedWithoutEventsAreListed() throws {
        let disk = SimulatedDisk()
        let writer = try open(disk, segmentBytes: 400)
        for number in 1...20 {
            let frame = Frame()
            #expect(frame.appendSession(ID128(high: 7, low: UInt64(number)), received: Int64(number), token: 1))
            if number % 3 == 0 {
                var event = TestEvent()
                event.session = ID128(high: 7, low: UInt64(number / 3))
                #expect(frame.append(event))
            }
            #expect(try writer.commit([frame]) == .durable)
        }
        while try writer.maintain() {}
        let sessions = try StoreReader(disk, folder: "d").snapshot().allSessions()
        // By their last activity: the events of sessions 1 to 6 came later.
        let wanted: [UInt64] = [20, 19, 6, 18, 17, 16, 5, 15, 14, 13, 4, 12, 11, 10, 3, 9, 8, 7, 2, 1]
        #expect(sessions.map(\.id.low) == wanted)
        #expect(sessions.map(\.created) == wanted.map { Int64($0) })
    }

    /// What to do about a start that fails depends on why.
    @Test func aFailedStartSaysWhatToDo() throws {
        var failures = 0
        for sync in 1...12 {
            let disk = SimulatedDisk()
            disk.failingSync = sync
            do {
                _ = try StoreWriter.open(disk, folder: "d", options: .test(), time: TestTime())
            } catch {
                failures += 1
                #expect("\(error)".contains("(fdatasync: Input/output error); the disk failed"), "\(error)")
                #expect("\(error)".contains("dmesg") && !"\(error)".contains("writable"), "\(error)")
            }
        }
        #expect(failures > 1)
        for (code, advice) in [(ENOSPC, "make room"), (EROFS, "read-only"), (EACCES, "belong"), (ENOENT, "exists")] {
            #expect("\(StoreOpenError.unusable(path: "d", SystemError(errno: code, call: "open")))".contains(advice))
        }
    }
}
