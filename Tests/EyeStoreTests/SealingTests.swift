import EyeSystem
import Testing

@testable import EyeStore

/// The life of a closed segment: sealed, compared, dropped; whatever comes between, every event is there exactly once.
@Suite struct SealingTests {
    /// A store on a simulated disk, in small segments.
    struct Store {
        let disk: SimulatedDisk
        let time = TestTime()
        var writer: StoreWriter
        var events: [TestEvent] = []
        let segmentBytes: Int64

        init(segmentBytes: Int64 = 900, on disk: SimulatedDisk = SimulatedDisk(), seals: Bool = true) throws {
            self.disk = disk
            self.segmentBytes = segmentBytes
            writer = try StoreWriter.open(
                disk, folder: "d", options: .test(segmentBytes: segmentBytes, seals: seals), time: time)
        }

        mutating func write(commits: Int, perCommit: Int = 3) throws {
            for _ in 0..<commits {
                let frame = Frame()
                for _ in 0..<perCommit {
                    var event = TestEvent()
                    event.id = UInt64(events.count + 1)
                    event.session = ID128(high: 1, low: event.id % 7)
                    event.name = "name\(event.id % 5)"
                    event.timestamp += Int64(event.id)
                    if event.id % 4 == 0 { event.eventID = ID128(high: 6, low: event.id) }
                    event.data = "{\"n\":\(event.id)}"
                    #expect(frame.append(event))
                    events.append(event)
                }
                #expect(try writer.commit([frame]) == .durable)
            }
        }

        func seal() throws { while try writer.maintain() {} }

        /// The process ends, and another one begins.
        mutating func restart() throws {
            disk.locked.removeAll()
            writer = try StoreWriter.open(
                disk, folder: "d", options: .test(segmentBytes: segmentBytes, seals: true), time: time)
        }

        func files(_ part: String) -> [String] {
            disk.names.keys.filter { $0.hasPrefix("d/\(part)/") }.map { String($0.dropFirst(part.count + 3)) }.sorted()
        }

        func expectAll(_ what: String = "", sourceLocation: SourceLocation = #_sourceLocation) throws {
            let (found, damage) = try StoreReader(disk, folder: "d").snapshot().all()
            #expect(found == events.reversed(), "\(what)", sourceLocation: sourceLocation)
            #expect(damage.isEmpty, "\(what)", sourceLocation: sourceLocation)
            let report = try StoreVerification(disk, folder: "d", isRunning: false).run { _ in }
            #expect(!report.isDamaged, "\(what): \(report.findings)", sourceLocation: sourceLocation)
            #expect(report.events == UInt64(events.count), "\(what)", sourceLocation: sourceLocation)
        }
    }

    @Test func closedSegmentsBecomeSealedOnesAndTheirLogsGo() throws {
        var store = try Store()
        try store.write(commits: 20)
        let logs = store.files("log").count
        #expect(logs > 4 && store.writer.keeping.waitingSegments == logs - 1)
        try store.seal()
        #expect(store.files("log").count == 1 && store.files("index").isEmpty)
        #expect(store.files("sealed").count == logs - 1)
        let status = store.writer.keeping
        #expect(status.sealedSegments == logs - 1 && status.waitingSegments == 0 && status.lastError == nil)
        #expect(status.sealedEvents == UInt64(store.files("sealed").count == 0 ? 0 : status.sealedEvents))
        let bytes = store.files("sealed").reduce(0) { $0 + store.disk.names["d/sealed/\($1)"]!.now.count }
        #expect(status.sealedBytes == UInt64(bytes))
        try store.expectAll()
        // And on, through more lives.
        try store.restart()
        try store.write(commits: 10)
        try store.seal()
        try store.expectAll()
        #expect(store.writer.keeping.sealedSegments == store.files("sealed").count)
        let active = store.writer.activeSegment
        let before = try StoreReader(store.disk, folder: "d").snapshot().segments
        #expect(before.dropLast().allSatisfy(\.isSealed) && before.last == .log(active))
        for (one, two) in zip(before, before.dropFirst()) { #expect(one.last.map { $0 + 1 } == two.first) }
    }

    @Test func pagesBySevenWhileSegmentsAreSealedUnderThem() throws {
        var store = try Store(segmentBytes: 16_000)
        try store.write(commits: 400, perCommit: 25)
        #expect(store.events.count == 10_000 && store.writer.keeping.waitingSegments > 30)
        let reader = StoreReader(store.disk, folder: "d")
        for newestFirst in [true, false] {
            var random = SeededGenerator(seed: 3)
            var seen: [UInt64] = []
            while true {
                var filter = EventFilter()
                filter.newestFirst = newestFirst
                if newestFirst { filter.idBelow = seen.last } else { filter.idAbove = seen.last ?? 0 }
                let cursor = try reader.snapshot().cursor(filter)
                var page: [TestEvent] = []
                var state = CursorState.more
                while state == .more {
                    state = try cursor.step {
                        page.append(TestEvent($0))
                        return page.count < 7
                    }
                }
                #expect(cursor.damage.isEmpty)
                for event in page { #expect(event == store.events[Int(event.id) - 1]) }
                seen += page.map(\.id)
                if state == .end { break }
                // Sealing goes on by small steps, some in the middle of a segment.
                for _ in 0..<Int.random(in: 0...6, using: &random) { _ = try store.writer.maintain() }
            }
            #expect(seen == (newestFirst ? Array((1...10_000).reversed()) : Array(1...10_000)))
            if newestFirst {
                try store.seal()
                #expect(store.writer.keeping.waitingSegments == 0)
                // More to be sealed under the second round.
                store = try Store(segmentBytes: 16_000, on: SimulatedDisk())
                try store.write(commits: 400, perCommit: 25)
            }
            if newestFirst { break }
        }
    }

    @Test(arguments: [true, false]) func aCursorGoesOnWhenItsSegmentIsSealed(newestFirst: Bool) throws {
        var store = try Store(segmentBytes: 2_000)
        try store.write(commits: 120)
        let reader = StoreReader(store.disk, folder: "d")
        var filter = EventFilter()
        filter.newestFirst = newestFirst
        let snapshot = try reader.snapshot()
        let cursor = snapshot.cursor(filter)
        let counting = snapshot.cursor(filter)
        let expected = store.events.count
        var random = SeededGenerator(seed: 9)
        var seen: [TestEvent] = []
        var state = CursorState.more
        var countState = CursorState.more
        while state != .end || countState != .end {
            if state != .end {
                state = try cursor.step {
                    seen.append(TestEvent($0))
                    return Int.random(in: 0..<5, using: &random) != 0
                }
            }
            if countState != .end { countState = try counting.countStep() }
            for _ in 0..<Int.random(in: 0...12, using: &random) { _ = try store.writer.maintain() }
            // Not part of that moment; the active segment is closed and sealed, too.
            if Int.random(in: 0..<6, using: &random) == 0 { try store.write(commits: 2) }
        }
        #expect(seen == (newestFirst ? store.events.prefix(expected).reversed() : Array(store.events.prefix(expected))))
        #expect(cursor.damage.isEmpty && counting.damage.isEmpty)
        #expect(counting.count == UInt64(expected))
    }

    @Test func sessionsAreListedOnceWhileSegmentsAreSealed() throws {
        let disk = SimulatedDisk()
        let writer = try StoreWriter.open(
            disk, folder: "d", options: .test(segmentBytes: 1_000, seals: true), time: TestTime())
        for number in 1...100 {
            let frame = Frame()
            #expect(frame.appendSession(ID128(high: 7, low: UInt64(number)), received: Int64(number), token: 1))
            var event = TestEvent()
            event.session = ID128(high: 7, low: UInt64(max(1, number / 2)))
            #expect(frame.append(event))
            #expect(try writer.commit([frame]) == .durable)
        }
        let reader = StoreReader(disk, folder: "d")
        let snapshot = try reader.snapshot()
        let wanted = try snapshot.allSessions().map(\.id)
        let cursor = snapshot.sessions(nil, upper: snapshot.lastEventID, wanted: 7)
        var seen: [SessionSummary] = []
        var random = SeededGenerator(seed: 4)
        while true {
            let state = try cursor.step { session, _ in
                seen.append(session)
                return seen.count % 5 != 0
            }
            if state == .end { break }
            for _ in 0..<Int.random(in: 0...30, using: &random) { _ = try writer.maintain() }
        }
        #expect(seen.map(\.id) == wanted && Set(wanted).count == 100)
        while try writer.maintain() {}
        #expect(try reader.snapshot().allSessions().map(\.id) == wanted)
        #expect(try StoreReader(disk, folder: "d").snapshot().allSessions().map(\.id) == wanted)
    }

    /// A store whose closed segments are sealed, and the logs that were removed.
    private func sealedStore() throws -> (store: Store, logs: [String: SimulatedDisk.Node]) {
        var store = try Store(seals: false)
        try store.write(commits: 12)
        let image = store.disk.names
        try store.restart()
        try store.seal()
        let left = store.disk.names
        return (store, image.filter { $0.key.hasPrefix("d/log/") && left[$0.key] == nil })
    }

    @Test func anEarlierLifesLeftoversAreRemovedOrFinished() throws {
        // As between rename and removal.
        var (store, logs) = try sealedStore()
        store.disk.names.merge(logs) { $1 }
        let sealed = store.files("sealed")
        let unfinished = SimulatedDisk.Node()
        unfinished.now = [1, 2, 3]
        store.disk.names["d/sealed/00000000000000000099.new"] = unfinished
        store.disk.names["d/index/00000000000000000001.idx"] = unfinished
        #expect(store.files("log").count == sealed.count + 1)
        try store.expectAll("with hidden logs")
        let report = try StoreVerification(store.disk, folder: "d", isRunning: false).run { _ in }
        #expect(report.findings.count { $0.what.contains("sealed and is not removed") } == sealed.count)
        try store.restart()
        try store.seal()
        #expect(store.files("log").count == 1 && store.files("index").isEmpty && store.files("sealed") == sealed)
        try store.expectAll("after")
    }

    @Test func aSealedFileThatIsNotItsLogIsSetAside() throws {
        var (store, logs) = try sealedStore()
        store.disk.names.merge(logs) { $1 }
        let sealed = store.files("sealed")
        let path = "d/sealed/" + sealed[1]
        store.disk.names[path]!.now[store.disk.names[path]!.now.count / 2] ^= 1
        try store.restart()
        try store.seal()
        #expect(store.files("sealed").filter { $0.hasSuffix(".bad") } == [sealed[1] + ".bad"])
        #expect(store.files("sealed").filter { $0.hasSuffix(".seg") } == sealed)
        #expect(store.files("log").count == 1)
        let (found, damage) = try StoreReader(store.disk, folder: "d").snapshot().all()
        #expect(found == store.events.reversed() && damage.isEmpty)
    }

    /// A log that is beside its sealed segment and is not whole is never believed over it, whatever it is.
    @Test(arguments: ["empty", "flipped", "cut", "another's", "inside"])
    func aLogThatIsNotWholeIsSetAside(_ kind: String) throws {
        var (store, logs) = try sealedStore()
        let sealed = store.files("sealed")
        let paths = logs.keys.sorted()
        var path = paths[1]
        let node = logs[path]!
        switch kind {
        case "empty": node.now = []
        case "flipped": node.now[node.now.count / 2] ^= 1
        case "cut": node.now.removeLast(node.now.count / 2)
        case "another's": node.now = logs[paths[2]]!.now
        default:
            let base = try #require(SegmentFolder.base(String(path.dropFirst(6)), ".log"))
            path = "d/log/" + SegmentFolder.name(base + 1, ".log")
        }
        store.disk.names[path] = node
        try store.restart()
        try store.seal()
        #expect(store.files("sealed") == sealed)
        #expect(store.disk.names[path] == nil && store.disk.names[path + ".bad"] != nil)
        let (found, damage) = try StoreReader(store.disk, folder: "d").snapshot().all()
        #expect(found == store.events.reversed() && damage.isEmpty)
    }

    @Test func aDamagedSegmentIsNotSealed() throws {
        var store = try Store(seals: false)
        try store.write(commits: 12)
        let logs = store.files("log")
        let path = "d/log/" + logs[1]
        let whole = store.disk.names[path]!.now
        store.disk.names[path]!.now[whole.count - 10] ^= 1
        try store.restart()
        try store.seal()
        #expect(store.files("log") == [logs[1], logs.last!].sorted())
        let status = store.writer.keeping
        #expect(status.damagedSegments == 1 && status.waitingSegments == 1)
        let reader = StoreReader(store.disk, folder: "d")
        let (found, damage) = try reader.snapshot().all()
        #expect(found.count < store.events.count && !damage.isEmpty)
        for event in store.events where !found.contains(event) {
            #expect(damage.ranges.contains { $0.contains(event.id) })
        }
        // Put right from a copy: sealed in the next life.
        store.disk.names[path]!.now = whole
        try store.restart()
        try store.seal()
        #expect(store.files("log") == [logs.last!])
        try store.expectAll()
    }

    @Test func aFullDiskStopsSealingForAWhile() throws {
        for room in [0, 10, 200, 1_000, 3_000, 6_000, 20_000] {
            var store = try Store(segmentBytes: 4_000, seals: false)
            try store.write(commits: 100)
            try store.restart()
            store.disk.room = room
            try store.seal()
            store.disk.room = nil
            let status = store.writer.keeping
            if status.failures > 0 {
                #expect(status.lastError?.contains("no room") ?? false, "\(room)")
                #expect(status.waitingSegments > 0)
                #expect(store.files("sealed").allSatisfy { $0.hasSuffix(".seg") })
                try store.expectAll("\(room)")
                // Not at once again, but later.
                try store.seal()
                #expect(store.writer.keeping.waitingSegments == status.waitingSegments)
                store.time.monotonic += StoreLimits.sealRetryNanoseconds
                try store.seal()
            }
            #expect(store.writer.keeping.waitingSegments == 0 && store.writer.keeping.lastError == nil, "\(room)")
            try store.expectAll("\(room)")
        }
    }

    @Test func theFloorOfFreeSpaceIsKept() throws {
        var store = try Store(seals: false)
        try store.write(commits: 12)
        store.disk.locked.removeAll()
        var options = StoreOptions.test(segmentBytes: 900, seals: true)
        options.minFreeBytes = 1 << 30
        store.disk.free = (1 << 29) - 1
        store.writer = try StoreWriter.open(store.disk, folder: "d", options: options, time: store.time)
        try store.seal()
        #expect(store.files("sealed").isEmpty)
        #expect(store.writer.keeping.lastError?.contains("half of --min-free-bytes") ?? false)
        store.disk.free = 1 << 30
        store.time.monotonic += StoreLimits.sealRoomLookNanoseconds
        try store.seal()
        #expect(store.files("log").count == 1)
        try store.expectAll()
    }

    /// A burst fills the disk down to the floor; sealing goes on below it, as far as half of it, and events are taken again.
    @Test func aStoreThatABurstHasFilledDrainsByItself() throws {
        var store = try Store(segmentBytes: 20_000, seals: false)
        store.disk.locked.removeAll()
        var options = StoreOptions.test(segmentBytes: 20_000, seals: true)
        options.minFreeBytes = 24_000
        store.writer = try StoreWriter.open(store.disk, folder: "d", options: options, time: store.time)
        store.disk.capacity = 240_000
        func isRefused() throws -> Bool {
            var event = TestEvent()
            event.id = UInt64(store.events.count + 1)
            event.data = "{\"n\":\(event.id),\"pad\":\"\(String(repeating: "x", count: 200))\"}"
            let frame = Frame()
            #expect(frame.append(event))
            if try store.writer.commit([frame]) == .refused { return true }
            store.events.append(event)
            return false
        }
        while try !isRefused() {}
        let full = store.events.count
        // The head of a new segment is not asked for.
        #expect(store.disk.leastFree >= 23_500 && store.files("sealed").isEmpty, "\(store.disk.leastFree)")
        try store.seal()
        #expect(store.writer.keeping.lastError == nil && store.files("log").count == 1)
        #expect(store.disk.leastFree < 23_500 && store.disk.leastFree >= 12_000, "\(store.disk.leastFree)")
        store.time.monotonic += StoreLimits.fullProbeNanoseconds
        for _ in 0..<100 { #expect(try !isRefused()) }
        #expect(!store.writer.isFull && store.events.count == full + 100)
        try store.expectAll()
    }

    /// Without room for it a segment is not written again and again.
    @Test func aSegmentThatHadNoRoomIsNotTriedBeforeThereIsMore() throws {
        var store = try Store(segmentBytes: 200_000, seals: false)
        try store.write(commits: 1_000)
        store.disk.locked.removeAll()
        var options = StoreOptions.test(segmentBytes: 200_000, seals: true)
        options.minFreeBytes = 8_000
        store.disk.free = 4_100
        store.writer = try StoreWriter.open(store.disk, folder: "d", options: options, time: store.time)
        try store.seal()
        #expect(store.writer.keeping.failures == 1 && store.files("sealed").isEmpty)
        store.time.monotonic += StoreLimits.sealRetryNanoseconds
        // It is not even begun.
        #expect(try !store.writer.maintain())
        #expect(store.writer.keeping.failures == 2)
        store.disk.free = 1 << 20
        store.time.monotonic += StoreLimits.sealRetryNanoseconds
        try store.seal()
        #expect(store.files("log").count == 1 && store.writer.keeping.lastError == nil)
        try store.expectAll()
    }

    @Test func aFailedSyncEndsSealingForThisLife() throws {
        for failing in 1...10 {
            var store = try Store(seals: false)
            try store.write(commits: 12)
            try store.restart()
            store.disk.failingSync = store.disk.syncs + failing
            try store.seal()
            let status = store.writer.keeping
            // Syncs of folders do not fail here.
            if status.failures == 0 { continue }
            #expect(status.failures == 1 && status.lastError?.contains("fdatasync") ?? false, "\(failing)")
            store.time.monotonic += StoreLimits.sealRetryNanoseconds * 10
            try store.seal()
            #expect(store.files("log").count > 1)
            try store.expectAll("\(failing)")
            store.disk.failingSync = nil
            try store.restart()
            try store.seal()
            #expect(store.files("log").count == 1)
            try store.expectAll("\(failing)")
        }
    }

    @Test func numbersGoOnWhenTheLogIsTakenAway() throws {
        var store = try Store()
        try store.write(commits: 12)
        try store.seal()
        let last = try #require(store.files("sealed").last.flatMap { SealedFolder.segment($0)?.last })
        for path in store.disk.names.keys where path.hasPrefix("d/log/") || path == "d/watermark" {
            store.disk.names[path] = nil
        }
        let shown = try StoreReader(store.disk, folder: "d").snapshot().all().events
        #expect(shown == store.events.prefix(shown.count).reversed() && shown.count > 20)
        try store.restart()
        #expect(store.writer.nextSequence == last + 1 && store.writer.nextEventID == UInt64(shown.count + 1))
        #expect(store.writer.recovery.damage.isEmpty)
        store.events = Array(store.events.prefix(shown.count))
        try store.write(commits: 2)
        try store.expectAll()
    }

    @Test func eventIDsAreRememberedFromSealedSegments() throws {
        var store = try Store()
        try store.write(commits: 30)
        try store.seal()
        try store.restart()
        #expect(store.writer.recovery.isWindowComplete)
        #expect(store.writer.eventIDCount == store.events.count { $0.eventID != nil })
        let frame = Frame()
        for event in store.events where event.eventID != nil { #expect(frame.append(event)) }
        let count = frame.recordCount
        #expect(try store.writer.commit([frame]) == .durable)
        #expect(frame.duplicateCount == count)
        for (index, event) in store.events.filter({ $0.eventID != nil }).enumerated() {
            #expect(frame.outcome(ofRecord: index).id == event.id)
        }
        try store.expectAll()
    }

    @Test func aBackupBesideSealingIsWhole() throws {
        for seed in 1...12 {
            var random = SeededGenerator(seed: UInt64(seed))
            var store = try Store(segmentBytes: 1_500)
            try store.write(commits: 60)
            for _ in 0..<Int.random(in: 0...200, using: &random) { _ = try store.writer.maintain() }
            let backup = try StoreBackup(store.disk, from: "d", to: "b", isRunning: true)
            let expected = store.events.count
            var failure: (any Error)?
            try backup.run { _ in
                do {
                    for _ in 0..<Int.random(in: 0...20, using: &random) { _ = try store.writer.maintain() }
                } catch { failure = error }
            }
            #expect(failure == nil)
            let copy = try StoreReader(store.disk, folder: "b").snapshot().all()
            #expect(copy.events == store.events.prefix(expected).reversed() && copy.damage.isEmpty, "seed \(seed)")
            let report = try StoreVerification(store.disk, folder: "b", isRunning: false).run { _ in }
            #expect(!report.isDamaged, "seed \(seed): \(report.findings)")
            #expect(!store.disk.names.keys.contains { $0.hasPrefix("b/") && $0.hasSuffix(".new") })
            let restored = try StoreWriter.open(
                store.disk, folder: "b", options: .test(segmentBytes: 900, seals: true), time: TestTime())
            #expect(restored.nextEventID == UInt64(expected + 1))
            while try restored.maintain() {}
            #expect(try StoreReader(store.disk, folder: "b").snapshot().all().events == copy.events)
        }
    }
}
