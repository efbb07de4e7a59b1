import EyeSystem
import EyeTestVectors
import Testing

@testable import EyeStore

/// Whole segments go, oldest first, and nobody who reads meanwhile sees half of one, a hole or an error.
@Suite struct RetentionTests {
    static let day: Int64 = 86_400_000_000
    static let look = StoreLimits.retentionLookNanoseconds

    /// A store that keeps only so much.
    struct Store {
        var disk = SimulatedDisk()
        let time = TestTime()
        var options: StoreOptions
        var writer: StoreWriter
        /// Lives through all of it, as the HTTP service does.
        let reader: StoreReader
        var events: [TestEvent] = []

        init(bytes: UInt64? = nil, age: Int64? = nil, segmentBytes: Int64 = 1_000, seals: Bool = true) throws {
            time.now = 1_795_132_800_000_000
            options = .test(segmentBytes: segmentBytes, seals: seals)
            options.retainBytes = bytes
            options.retainMicroseconds = age
            writer = try StoreWriter.open(disk, folder: "d", options: options, time: time)
            reader = StoreReader(disk, folder: "d")
        }

        /// Commits `count` events, one after the other.
        mutating func commit(_ count: Int = 1, key: ID128? = nil) throws {
            for _ in 0..<count {
                var event = TestEvent(id: writer.nextEventID)
                event.received = time.now
                event.eventID = key
                event.session = ID128(high: 9, low: event.id / 7)
                event.data = "{\"n\":\(event.id),\"pad\":\"\(String(repeating: "x", count: 100))\"}"
                let frame = Frame()
                #expect(frame.append(event))
                #expect(try writer.commit([frame]) == .durable)
                events.append(event)
            }
        }

        /// Does all background work of now.
        func maintain() throws {
            time.monotonic += RetentionTests.look
            while try writer.maintain() {}
        }

        /// The same, with what the appender has to do for it.
        func settle() throws {
            try maintain()
            #expect(try writer.closeForRetention(after: 0))
            try maintain()
        }

        /// The process ends and another one begins.
        mutating func restart() throws {
            disk.locked.removeAll()
            disk.isStopped = false
            disk.syncsLeft = nil
            writer = try StoreWriter.open(disk, folder: "d", options: options, time: time)
        }

        var firstKept: UInt64 { writer.keeping.retention.firstKeptEventID }

        /// All that is kept is there, and nothing else, for everybody.
        func expectRight(_ what: String = "") throws {
            for reader in [reader, StoreReader(disk, folder: "d")] {
                let snapshot = try reader.snapshot()
                #expect(reader.firstKeptEventID == firstKept, "\(what)")
                #expect(reader.damage.isEmpty && writer.recovery.damage.isEmpty, "\(what)")
                let left = events.filter { $0.id >= firstKept }
                for newestFirst in [true, false] {
                    var filter = EventFilter()
                    filter.newestFirst = newestFirst
                    let found = try snapshot.all(filter)
                    #expect(found.events == (newestFirst ? left.reversed() : left), "\(what)")
                    #expect(found.damage.isEmpty, "\(what)")
                }
                #expect(try snapshot.count() == UInt64(left.count), "\(what)")
                #expect(try Set(snapshot.allSessions().map(\.id)) == Set(left.map(\.session)), "\(what)")
                if firstKept > 1 {
                    var filter = EventFilter()
                    filter.idAbove = firstKept - 2
                    filter.idBelow = firstKept
                    let gone = try snapshot.all(filter)
                    #expect(gone.events.isEmpty && gone.damage.isEmpty, "\(what)")
                }
            }
            for isRunning in [true, false] {
                let report = try StoreVerification(disk, folder: "d", isRunning: isRunning).run { _ in }
                #expect(!report.isDamaged, "\(what): \(report.findings)")
            }
        }

        var files: [String] { disk.names.keys.filter { $0.hasSuffix(".log") || $0.hasSuffix(".seg") } }
        var bytes: UInt64 {
            files.filter { $0.hasPrefix("d/log") || $0.hasPrefix("d/sealed") }.reduce(0) {
                $0 + UInt64(disk.names[$1]!.now.count)
            }
        }
    }

    @Test(arguments: [true, false]) func theOldestSegmentsGoWhileAllAreTooLarge(seals: Bool) throws {
        var store = try Store(bytes: 12_000, seals: seals)
        for _ in 0..<60 {
            try store.commit(2)
            try store.maintain()
            try store.expectRight()
        }
        try store.settle()
        try store.expectRight()
        #expect(store.bytes <= 12_000 && store.firstKept > 20 && store.firstKept < 120)
        let status = store.writer.keeping.retention
        #expect(status.droppedEvents == store.firstKept - 1 && status.droppedSegments > 5 && status.droppedBytes > 0)
        // What was closed for it, and its index, come on top.
        #expect(status.bytes > 0 && status.bytes <= 16_000 && status.lastError == nil)
        // Nothing is left of what went, under no name.
        let gone = Array("\"n\":3,".utf8)
        #expect(!store.disk.names.values.contains { ErasureOnDiskTests.Store.find(gone, $0.now) })
        try store.restart()
        #expect(store.firstKept > 20)
        try store.expectRight("in the next life")
    }

    /// A burst that waits to be sealed drops nothing that fits when it is sealed; what cannot wait is counted as it is.
    @Test(arguments: ["it waits", "no room", "too much"])
    func aBurstDropsNoHistoryThatFits(how: String) throws {
        var store = try Store(bytes: 40_000, segmentBytes: 10_000)
        if how == "no room" { store.disk.free = 20_000 }
        var most: UInt64 = 0
        for round in 0..<(how == "too much" ? 8 : 24) {
            // One segment of log and a little, or four, looked at before any of it is sealed.
            try store.commit(how == "too much" ? 160 : 38)
            try store.settle()
            if round > 4 { most = max(most, store.bytes) }
        }
        try store.expectRight()
        // A segment of log counted as it is takes the place of five sealed ones.
        #expect(store.bytes <= 40_000 && (how == "it waits") == (most > 36_000), "\(most)")
    }

    /// Segments that nobody indexed before they went are counted too.
    @Test func eventsWithoutAnIndexAreCounted() throws {
        var store = try Store(bytes: 1 << 40, seals: false)
        try store.commit(60)
        store.options.retainBytes = 6_000
        try store.restart()
        store.time.monotonic += Self.look
        // It is decided, and no index made.
        _ = try store.writer.maintain()
        #expect(try store.writer.closeForRetention(after: 0))
        #expect(!store.disk.names.keys.contains { $0.hasSuffix("00000000000000000001.idx") })
        try store.maintain()
        #expect(store.firstKept > 10)
        #expect(store.writer.keeping.retention.droppedEvents == store.firstKept - 1)
        try store.expectRight()
    }

    @Test func oldSegmentsGoThoughNothingComes() throws {
        var store = try Store(age: 90 * Self.day)
        for _ in 0..<4 {
            try store.commit(6)
            store.time.now += Self.day
            store.time.monotonic += UInt64(Self.day) * 1000
            try store.maintain()
        }
        let before = store.files.count
        #expect(before >= 4)
        var kept: [UInt64] = []
        for _ in 0..<100 {
            store.time.now += Self.day
            store.time.monotonic += UInt64(Self.day) * 1000
            try store.settle()
            if kept.last != store.firstKept { try store.expectRight() }
            kept.append(store.firstKept)
        }
        #expect(kept[80] == 1 && Set(kept).count > 3 && kept == kept.sorted(), "\(kept)")
        // The active one stays.
        #expect(store.firstKept <= store.writer.nextEventID && store.files.count >= 1)
        #expect(kept.last == store.writer.nextEventID || store.events.contains { $0.id == store.firstKept })
        // Days of nothing make no segments.
        let files = store.files
        for _ in 0..<5 { try store.settle() }
        #expect(store.files == files && files.count < before + 4, "\(files)")
        try store.commit(3)
        try store.expectRight()
        try store.restart()
        try store.expectRight("in the next life")
        #expect(store.writer.nextEventID == UInt64(store.events.count + 1))
    }

    /// The wall clock jumps; the service ran for an hour.
    @Test(arguments: [36_500, -20_000, 100]) func aClockThatJumpsDropsNothing(days: Int64) throws {
        var store = try Store(age: 90 * Self.day)
        for _ in 0..<5 {
            try store.commit(8)
            store.time.now += Self.day
            store.time.monotonic += UInt64(Self.day) * 1000
            try store.maintain()
        }
        store.time.now += days * Self.day
        for round in 0..<6 {
            if round % 2 == 0 { try store.restart() }
            store.time.now += 600_000_000
            store.time.monotonic += 600_000_000_000
            try store.commit(6)
            try store.settle()
        }
        #expect(store.firstKept == 1)
        try store.expectRight()
        if days > 0 {
            #expect(store.writer.keeping.retention.clockLag > days * Self.day / 2)
            // Half of the age later the clock of ages has passed all of it.
            store.time.monotonic += UInt64(46 * Self.day) * 1000
            store.time.now += 46 * Self.day
            try store.settle()
            #expect(store.firstKept > 1)
        }
    }

    @Test func clientsAndEventIDsOutliveTheirSegments() throws {
        var store = try Store(bytes: 6_000)
        let name = Array("till".utf8)
        let opened = store.writer.openClient(token: 7, name: name.span)
        let slot = try #require(opened).slot
        let frame = Frame()
        #expect(frame.append(TestEvent(id: 1), client: ClientLine(slot: slot, sequence: 41)))
        #expect(try store.writer.commit([frame]) == .durable)
        store.events.append(TestEvent(id: 1))
        let key = ID128(high: 77, low: 78)
        try store.commit(1, key: key)
        try store.commit(60)
        try store.settle()
        #expect(store.firstKept > 2)
        let again = Frame()
        var event = TestEvent()
        event.eventID = key
        #expect(again.append(event))
        #expect(try store.writer.commit([again]) == .durable)
        #expect(again.duplicateCount == 1 && again.outcome(ofRecord: 0).id == 2)
        try store.restart()
        let reopened = store.writer.openClient(token: 7, name: name.span)
        #expect(reopened?.lastSequence == 41)
        #expect(store.writer.nextEventID == 63)
    }

    /// The header that says so is there before the first file goes, and what was begun is finished by the next life, also without options.
    @Test func whatWasBegunIsFinished() throws {
        var store = try Store(bytes: 6_000, seals: false)
        try store.commit(60)
        try store.maintain()
        #expect(store.firstKept == 1)
        #expect(try store.writer.closeForRetention(after: UInt64.max))
        #expect(store.firstKept == 1)
        #expect(try store.writer.closeForRetention(after: 0))
        #expect(store.firstKept > 1)
        // Not removed yet, and shown to nobody.
        #expect(store.disk.names.values.contains { ErasureOnDiskTests.Store.find(Array("\"n\":3,".utf8), $0.now) })
        try store.expectRight()
        store.options.retainBytes = nil
        try store.restart()
        let before = store.files.count
        try store.maintain()
        #expect(store.files.count < before && store.firstKept > 1)
        try store.expectRight()
    }

    /// A disk without room is given some.
    @Test func itWorksBelowTheFloor() throws {
        var store = try Store(bytes: 1 << 40)
        try store.commit(60)
        try store.maintain()
        store.options.retainBytes = 6_000
        store.options.minFreeBytes = 1 << 30
        try store.restart()
        store.disk.free = 1 << 20
        store.time.monotonic += 10_000_000_000
        let frame = Frame()
        #expect(frame.append(TestEvent()))
        #expect(try store.writer.commit([frame]) == .refused)
        for _ in 0..<3 { try store.settle() }
        let first = store.firstKept
        #expect(first > 1)
        try store.expectRight()
        // The active segment has no record now; a record of its own closes it.
        store.options.retainBytes = 3_000
        try store.restart()
        try store.settle()
        #expect(store.firstKept > first)
        try store.expectRight()
    }

    /// Readers that have begun, in both directions, and those with old lists.
    @Test func aReaderInTheMiddleSeesNoHoleAndNoError() throws {
        for newestFirst in [true, false] {
            var store = try Store(bytes: 1 << 40)
            try store.commit(80)
            try store.maintain()
            var filter = EventFilter()
            filter.newestFirst = newestFirst
            var cursors: [EventCursor] = []
            var seen: [[UInt64]] = []
            for index in 0..<8 {
                var limits = ReaderLimits()
                if index % 2 == 0 { (limits.openSegments, limits.openSealedSegments) = (0, 0) }
                cursors.append(try StoreReader(store.disk, folder: "d", limits: limits).snapshot().cursor(filter))
            }
            for (index, cursor) in cursors.enumerated() {
                var ids: [UInt64] = []
                while ids.count < index * 10,
                    try cursor.step({
                        ids.append($0.id)
                        return ids.count < index * 10
                    }) != .end
                {}
                seen.append(ids)
            }
            store.options.retainBytes = 4_000
            try store.restart()
            try store.settle()
            #expect(store.firstKept > 30)
            for (index, cursor) in cursors.enumerated() {
                while try cursor.step({
                    seen[index].append($0.id)
                    return true
                }) != .end {}
                #expect(cursor.damage.isEmpty)
                let ids = newestFirst ? seen[index].reversed() : seen[index]
                #expect(ids == ids.sorted() && Set(ids).count == ids.count)
                #expect(Set(store.firstKept...80).isSubset(of: ids), "\(index): \(ids)")
            }
        }
    }

    /// `verify` and `backup` looked before, and read after.
    @Test func verifyAndBackupBesideIt() throws {
        for keepsLast in [1_500, 4_000, 9_000] as [UInt64] {
            var store = try Store(bytes: 1 << 40)
            try store.commit(40)
            try store.maintain()
            // Some are still in the log.
            store.options.seals = false
            try store.restart()
            try store.commit(40)
            try store.maintain()
            let verification = try StoreVerification(store.disk, folder: "d", isRunning: true)
            let backup = try StoreBackup(store.disk, from: "d", to: "b", isRunning: true)
            store.options.retainBytes = keepsLast
            try store.restart()
            try store.settle()
            #expect(store.firstKept > 1)
            let report = try verification.run { _ in }
            #expect(!report.isDamaged, "\(report.findings)")
            try backup.run { _ in }
            let copied = try StoreVerification(store.disk, folder: "b", isRunning: false).run { _ in }
            #expect(!copied.isDamaged, "\(copied.findings)")
            let found = try StoreReader(store.disk, folder: "b").snapshot().all()
            #expect(found.damage.isEmpty && found.events == store.events.filter { $0.id >= store.firstKept }.reversed())
        }
    }

    /// A segment that is really missing at the front is damage as before.
    @Test func whatIsMissingForNoReasonIsDamage() throws {
        var store = try Store(bytes: 6_000)
        try store.commit(60)
        try store.settle()
        let list = try SegmentList(store.disk, "d")
        let first = try #require(list.segments.first)
        try store.disk.remove("d/" + first.file)
        let found = try StoreReader(store.disk, folder: "d").snapshot().all()
        #expect(found.damage.hull?.lowerBound == store.firstKept)
        let report = try StoreVerification(store.disk, folder: "d", isRunning: false).run { _ in }
        #expect(report.isDamaged)
    }

    /// Erased events that wait are gone with their segments; tombstones hide until then, and receipts that are left can be read.
    @Test func erasureAndRetentionTogether() throws {
        var store = try Store(bytes: 1 << 40)
        try store.commit(30)
        #expect(try ErasureTests.erase(.event(2), store.writer, store.reader) != nil)
        #expect(try ErasureTests.erase(.event(29), store.writer, store.reader) != nil)
        try store.commit(30)
        store.events.removeAll { [2, 29].contains($0.id) }
        store.options.retainBytes = 9_000
        store.options.seals = false
        try store.restart()
        try store.settle()
        #expect(store.firstKept > 2)
        try store.expectRight()
        store.options.seals = true
        try store.restart()
        try store.settle()
        try store.expectRight()
        #expect(store.writer.keeping.erasingSegments == 0)
    }

    /// The machine or the process stops at any sync: what is there is one piece that ends with the newest event, and in the end it fits.
    @Test(arguments: 1...TestSize.pick(10, long: 300)) func anyCrashLeavesOnePiece(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        // The least has room for one segment with its index, and for what is closed and has no events: one each time something is dropped
        // at the end, with an index each, and what a crash left of an older one. (`--retain-bytes` begins at 200 times as much.)
        var store = try Store(
            bytes: UInt64.random(in: 6_000...15_000, using: &random), seals: Bool.random(using: &random))
        var last: UInt64 = 1
        for round in 0..<8 {
            store.disk.syncsLeft = Int.random(in: 0...60, using: &random)
            do {
                for _ in 0..<6 {
                    try store.commit(Int.random(in: 1...9, using: &random))
                    if Bool.random(using: &random) { try store.maintain() } else { try store.settle() }
                }
            } catch {
                #expect("\(error)" != "")
            }
            let acknowledged = store.events.last?.id ?? 0
            if Bool.random(using: &random) { store.disk = store.disk.afterCrash(&random) }
            try store.restart()
            let found = try StoreReader(store.disk, folder: "d").snapshot().all()
            #expect(found.damage.isEmpty, "seed \(seed), round \(round)")
            let ids = found.events.map(\.id)
            #expect(ids.first ?? acknowledged >= acknowledged, "seed \(seed), round \(round)")
            if let newest = ids.first, let oldest = ids.last {
                #expect(ids.count == Int(newest - oldest + 1), "seed \(seed), round \(round): \(ids)")
                #expect(oldest >= last, "seed \(seed), round \(round): dropped ones came back")
                last = max(last, store.firstKept)
            }
            store.events = found.events.reversed()
            // Indexes are derived, and not synced.
            let report = try StoreVerification(store.disk, folder: "d", isRunning: false).run { _ in }
            let damage = report.findings.filter { $0.gravity == .damage && $0.part != .index }
            #expect(damage.isEmpty, "seed \(seed), round \(round): \(damage)")
        }
        for _ in 0..<3 { try store.settle() }
        #expect(store.bytes <= store.options.retainBytes! + 1_500, "seed \(seed)")
        #expect(store.writer.keeping.retention.lastError == nil)
        let found = try StoreReader(store.disk, folder: "d").snapshot().all()
        #expect(found.damage.isEmpty && found.events.last?.id ?? 0 >= last, "seed \(seed)")
    }
}
