import EyeSystem
import EyeTestVectors
import Testing

@testable import EyeStore

/// What is erased is shown to nobody, what is not erased to everybody, whatever the segments, the indexes and the pace.
@Suite struct ErasureTests {
    static func session(_ number: UInt64) -> ID128 { ID128(high: 5, low: number) }

    /// Erases as the service does it; nil: there was nothing. `between`: commits that come while it is prepared.
    static func erase(
        _ subject: ErasureSubject, _ writer: StoreWriter, _ reader: StoreReader,
        framesMax: Int = StoreLimits.commitFramesMax, between: () throws -> Void = {}
    ) throws -> ErasureReceipt? {
        var watch: ErasureWatch?
        if case .session(let id) = subject { watch = writer.watch(id) }
        defer { writer.unwatch() }
        let search = ErasureSearch(subject, in: try reader.snapshot())
        while try search.step() {}
        try between()
        let job = ErasureJob(search, watch: watch, isSession: watch != nil, token: 9, framesMax: framesMax)
        if job.isEmpty { return nil }
        while true {
            switch try writer.erase(job) {
            case .done: return job.receipt
            case .more: continue
            case .refused:
                Issue.record("no room")
                return nil
            }
        }
    }

    /// A store with a history of commits and erasures, and what must be left of it.
    struct History {
        var random: SeededGenerator
        let folder: TemporaryFolder
        let writer: StoreWriter
        let options: StoreOptions
        let reader: StoreReader
        var events: [TestEvent] = []
        var erased: Set<UInt64> = []
        /// Sessions that a record names, and those of them that were erased before.
        var known: Set<ID128> = []
        var erasedSessions: Set<ID128> = []

        init(seed: UInt64) throws {
            folder = try TemporaryFolder()
            random = SeededGenerator(seed: seed)
            options = .test(segmentBytes: Int64([2_500, 12_000, 1 << 20].randomElement(using: &random)!))
            writer = try StoreWriter.open(RealDisk(), folder: folder.path, options: options, time: TestTime())
            reader = StoreReader(RealDisk(), folder: folder.path)
        }

        var left: [TestEvent] { events.filter { !erased.contains($0.id) } }

        mutating func commit() throws {
            let frame = Frame()
            for _ in 0..<Int.random(in: 1...40, using: &random) {
                if Int.random(in: 0..<25, using: &random) == 0 {
                    let session = ErasureTests.session(100 + UInt64.random(in: 0..<30, using: &random))
                    #expect(frame.appendSession(session, received: 5, token: 1))
                    known.insert(session)
                    continue
                }
                let event = StoreReaderTests.randomEvent(&random, id: UInt64(events.count + 1))
                #expect(frame.append(event))
                events.append(event)
                known.insert(event.session)
            }
            #expect(try writer.commit([frame]) == .durable)
        }

        mutating func eraseSomething() throws {
            if Bool.random(using: &random) {
                let id = UInt64.random(in: 1...(UInt64(events.count) + 3), using: &random)
                let receipt = try ErasureTests.erase(.event(id), writer, reader)
                let isThere = id <= events.count && !erased.contains(id)
                #expect((receipt != nil) == isThere)
                if let receipt {
                    #expect(receipt.events == 1 && receipt.hull == id...id && !receipt.isSession && receipt.token == 9)
                }
                if isThere { erased.insert(id) }
                return
            }
            let number = UInt64.random(in: 0..<40, using: &random) + (Bool.random(using: &random) ? 100 : 0)
            let session = ErasureTests.session(number)
            let isBusy = Bool.random(using: &random)
            var later = self
            let receipt = try ErasureTests.erase(.session(session), writer, reader) {
                // The session goes on while it is being erased.
                if isBusy { for _ in 0..<3 { try later.commit() } }
            }
            self = later
            let gone = left.filter { $0.session == session }
            #expect((receipt != nil) == known.contains(session) || isBusy)
            if let receipt {
                #expect(receipt.isSession && receipt.events == UInt64(gone.count))
                #expect(receipt.hull?.lowerBound == gone.first?.id && receipt.hull?.upperBound == gone.last?.id)
                for event in gone { erased.insert(event.id) }
                known.remove(session)
                erasedSessions.insert(session)
            }
        }
    }

    @Test(arguments: 1...TestSize.pick(10, long: 16)) func showsWhatIsLeft(seed: UInt64) throws {
        var history = try History(seed: seed)
        for _ in 0..<Int.random(in: 3...60, using: &history.random) {
            try history.commit()
            while Int.random(in: 0..<3, using: &history.random) == 0, try history.writer.maintain() {}
            if Int.random(in: 0..<6, using: &history.random) == 0 {
                try history.eraseSomething()
                let filter = StoreReaderTests.randomFilter(&history.random, last: UInt64(history.events.count))
                let wanted = StoreReaderTests.expected(history.left, filter)
                #expect(try history.reader.snapshot().all(filter).events.map(\.id) == wanted.map(\.id), "seed \(seed)")
            }
        }
        if Bool.random(using: &history.random) { while try history.writer.maintain() {} }
        let fresh = StoreReader(RealDisk(), folder: history.folder.path)
        for round in 0..<30 {
            let filter = StoreReaderTests.randomFilter(&history.random, last: UInt64(history.events.count))
            let snapshot = try (round % 2 == 0 ? fresh : history.reader).snapshot()
            let wanted = StoreReaderTests.expected(history.left, filter)
            let answer = try snapshot.all(filter)
            #expect(answer.events.map(\.id) == wanted.map(\.id), "seed \(seed), \(filter)")
            // A hole that an erasure leaves is no damage.
            #expect(answer.damage.isEmpty)
            #expect(try snapshot.count(filter) == UInt64(wanted.count), "seed \(seed), \(filter)")
        }
        #expect(try fresh.snapshot().count() == UInt64(history.left.count))
        let listed = try fresh.snapshot().allSessions()
        // One that came back after its erasure and lost all events again, one by one, may be listed or not.
        let withEvents = Set(history.left.map(\.session))
        let wanted = history.known.filter { !history.erasedSessions.contains($0) || withEvents.contains($0) }
        #expect(Set(listed.map(\.id)).isSuperset(of: wanted), "seed \(seed)")
        #expect(Set(listed.map(\.id)).isSubset(of: history.known), "seed \(seed)")
        #expect(listed.count == Set(listed.map(\.id)).count)
    }

    /// The next life of the writer, with its indexes gone or there, and readers of its own.
    @Test(arguments: 1...6) func outlivesTheWriter(seed: UInt64) throws {
        var history = try History(seed: seed &+ 1000)
        for _ in 0..<20 {
            try history.commit()
            if Bool.random(using: &history.random) { try history.eraseSomething() }
        }
        let left = history.left
        let copy = try TemporaryFolder()
        let backup = try StoreBackup(RealDisk(), from: history.folder.path, to: copy.path, isRunning: true)
        try backup.run { _ in }
        for _ in 0..<3 {
            let writer = try StoreWriter.open(RealDisk(), folder: copy.path, options: history.options, time: TestTime())
            #expect(writer.recovery.isClean)
            #expect(
                try StoreReader(RealDisk(), folder: copy.path).snapshot().all().events.map(\.id)
                    == left.reversed().map(\.id))
            if Bool.random(using: &history.random) { while try writer.maintain() {} }
            let frame = Frame()
            var event = TestEvent()
            event.session = Self.session(999)
            #expect(frame.append(event))
            #expect(try writer.commit([frame]) == .durable)
            let reader = StoreReader(RealDisk(), folder: copy.path)
            #expect(try Self.erase(.session(Self.session(999)), writer, reader)?.events == 1)
            #expect(try reader.snapshot().all().events.map(\.id) == left.reversed().map(\.id))
            try writer.close()
        }
    }

    @Test func laterEventsOfTheSessionAreNew() throws {
        let folder = try TemporaryFolder()
        let writer = try StoreWriter.open(RealDisk(), folder: folder.path, options: .test(), time: TestTime())
        let reader = StoreReader(RealDisk(), folder: folder.path)
        let session = Self.session(1)
        var event = TestEvent()
        event.session = session
        let frame = Frame()
        #expect(frame.appendSession(session, received: 1, token: 1) && frame.append(event))
        #expect(try writer.commit([frame]) == .durable)
        #expect(try Self.erase(.session(session), writer, reader)?.events == 1)
        #expect(try reader.snapshot().allSessions().isEmpty)
        #expect(try Self.erase(.session(session), writer, reader) == nil)
        frame.reset()
        event.data = "{\"later\":1}"
        #expect(frame.append(event))
        #expect(try writer.commit([frame]) == .durable)
        #expect(try reader.snapshot().all().events.map(\.data) == ["{\"later\":1}"])
        #expect(try reader.snapshot().allSessions().map(\.id) == [session])
        #expect(try Self.erase(.session(session), writer, reader)?.hull == 2...2)
        #expect(try reader.snapshot().allSessions().isEmpty)
        #expect(try reader.snapshot().count() == 0)
    }

    /// A session without events is erased too: its id is what it is about.
    @Test func anOpenedSessionGoesAway() throws {
        let folder = try TemporaryFolder()
        let writer = try StoreWriter.open(RealDisk(), folder: folder.path, options: .test(), time: TestTime())
        let reader = StoreReader(RealDisk(), folder: folder.path)
        let frame = Frame()
        #expect(frame.appendSession(Self.session(1), received: 1, token: 1))
        #expect(frame.appendSession(Self.session(2), received: 1, token: 1))
        #expect(try writer.commit([frame]) == .durable)
        let receipt = try Self.erase(.session(Self.session(1)), writer, reader)
        #expect(receipt?.events == 0 && receipt?.hull == nil && receipt?.isSession == true)
        #expect(try reader.snapshot().allSessions().map(\.id) == [Self.session(2)])
    }

    /// An erased event's event_id goes on being known: a retry of it does not come back.
    @Test func aRetryDoesNotBringItBack() throws {
        let folder = try TemporaryFolder()
        let writer = try StoreWriter.open(RealDisk(), folder: folder.path, options: .test(), time: TestTime())
        let reader = StoreReader(RealDisk(), folder: folder.path)
        var event = TestEvent()
        event.eventID = ID128(high: 4, low: 4)
        let frame = Frame()
        #expect(frame.append(event))
        #expect(try writer.commit([frame]) == .durable)
        #expect(try Self.erase(.event(1), writer, reader)?.events == 1)
        frame.reset()
        #expect(frame.append(event))
        #expect(try writer.commit([frame]) == .durable)
        #expect(frame.outcome(ofRecord: 0) == RecordOutcome(id: 1, fate: .duplicate))
        #expect(try reader.snapshot().count() == 0)
    }

    /// More ranges than one commit has room for: it takes several, and ingest goes on between them.
    @Test func aScatteredSessionTakesSeveralCommits() throws {
        let folder = try TemporaryFolder()
        let writer = try StoreWriter.open(RealDisk(), folder: folder.path, options: .test(), time: TestTime())
        let reader = StoreReader(RealDisk(), folder: folder.path)
        let events = 2 * StoreLimits.tombstoneRangesMax + 7
        var event = TestEvent()
        event.data = "{}"
        var sent = 0
        while sent < events * 2 {
            var frames: [Frame] = []
            while frames.count < StoreLimits.commitFramesMax, sent < events * 2 {
                let frame = Frame()
                while sent < events * 2 {
                    event.session = Self.session(UInt64(sent % 2))
                    guard frame.append(event) else { break }
                    sent += 1
                }
                frames.append(frame)
            }
            #expect(try writer.commit(frames) == .durable)
        }
        let before = writer.lastCommit
        let receipt = try Self.erase(.session(Self.session(0)), writer, reader, framesMax: 2)
        #expect(receipt?.events == UInt64(events))
        #expect(writer.lastCommit == before + 3)
        var filter = EventFilter()
        filter.sessions = [Self.session(0)]
        #expect(try reader.snapshot().count(filter) == 0)
        #expect(try reader.snapshot().count() == UInt64(events))
        #expect(try StoreReader(RealDisk(), folder: folder.path).snapshot().count() == UInt64(events))
    }
}
