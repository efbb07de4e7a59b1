import EyeSystem
import Testing

@testable import EyeStore

/// A segment whose file is gone: the start says so, every reader, every answer that touches it and the verification, each by its name and with
/// its events, and nobody else is blamed.
@Suite struct MissingSegmentTests {
    /// A store whose closed segments are all sealed, and the events of each.
    private struct Image {
        let image: SealedStoreDamageTests.Image
        var names: [SegmentName] = []
        var ids: [SegmentName: ClosedRange<UInt64>] = [:]

        init() throws {
            image = try SealedStoreDamageTests.Image(commits: 30, segmentBytes: 900)
            for path in image.sealed {
                let name = try #require(SealedFolder.segment(String(path.dropFirst("d/sealed/".count))))
                let file = try #require(
                    try SealedFile.open(image.store.disk, folder: "d", name, cache: BlockCache(bytesMax: 0)))
                names.append(name)
                ids[name] = file.firstEventID...(file.nextEventID - 1)
            }
            try #require(names.count > 4)
        }

        func without(_ gone: [SegmentName]) -> SimulatedDisk {
            let disk = image.copy()
            for name in gone { disk.names["d/" + name.file] = nil }
            return disk
        }
    }

    private func start(_ disk: SimulatedDisk) throws -> RecoveryReport {
        try StoreWriter.open(disk, folder: "d", options: .test(segmentBytes: 900), time: TestTime()).recovery
    }

    @Test func eachOneIsNamed() throws {
        let image = try Image()
        #expect(try start(image.without([])).damage.isEmpty)
        for name in image.names {
            let disk = image.without([name])
            let ids = try #require(image.ids[name])
            // Before any query: the list of names tells.
            let reader = StoreReader(disk, folder: "d")
            let snapshot = try reader.snapshot()
            #expect(reader.damage.map(\.eventIDs) == [ids])
            let text = "\(try #require(reader.damage.first))"
            #expect(text.hasPrefix("\(name.file): the segment is missing: this file, log/"), "\(text)")
            #expect(text.hasSuffix("event ids \(ids.lowerBound)-\(ids.upperBound) may be lost"), "\(text)")
            // Every answer that touches it, in both directions, and none besides.
            for newestFirst in [true, false] {
                var filter = EventFilter()
                filter.newestFirst = newestFirst
                let all = try snapshot.all(filter)
                #expect(all.damage.ranges == [ids])
                #expect(all.events.count == image.image.store.events.count - ids.count)
                filter.idAbove = ids.upperBound
                #expect(try snapshot.all(filter).damage.isEmpty)
            }
            #expect(try snapshot.all(.id(ids.lowerBound)).damage.ranges == [ids.lowerBound...ids.lowerBound])
            let sessions = snapshot.sessions(nil, upper: snapshot.lastEventID, wanted: 100)
            while try sessions.step({ _, _ in true }) != .end {}
            #expect(sessions.damage.ranges == [ids])
            // Queries have not blamed another file.
            #expect(reader.damage.map(\.file) == [name.file], "\(reader.damage)")
            let report = try StoreVerification(disk, folder: "d", isRunning: false).run { _ in }
            let damage = report.findings.filter { $0.gravity == .damage }
            #expect(damage.map(\.file) == [name.file] && damage.map(\.eventIDs) == [ids], "\(damage)")
            let recovery = try start(disk)
            #expect(recovery.damage == reader.damage, "\(recovery.damage)")
            #expect(!recovery.isWindowComplete, "nobody knows which event_ids it held")
            #expect(disk.names["d/" + name.file] == nil)
        }
    }

    /// Moves every segment away; returns where they were.
    private func takeAll(_ disk: SimulatedDisk) throws -> [String] {
        let paths = disk.names.keys.filter { $0.hasPrefix("d/log/") || $0.hasPrefix("d/sealed/") }
        for path in paths { try disk.rename(path, to: "away/" + path) }
        return paths
    }

    /// Not one file is left: the watermark says what there was.
    @Test(arguments: [true, false]) func allOfThem(inARunningReader: Bool) throws {
        let image = try Image()
        let disk = inARunningReader ? image.image.copy() : SimulatedDisk()
        let reader = StoreReader(disk, folder: "d")
        _ = try reader.snapshot().all()
        #expect(reader.damage.isEmpty)
        let ids = 1...UInt64(image.image.store.events.count)
        if !inARunningReader {
            let whole = image.image.copy()
            (disk.names, disk.directories) = (whole.names, whole.directories)
        }
        let gone = try takeAll(disk)
        let snapshot = try reader.snapshot()
        #expect(reader.damage.map(\.eventIDs) == [ids])
        #expect("\(try #require(reader.damage.first))".contains("the segment is missing"))
        for newestFirst in [true, false] {
            var filter = EventFilter()
            filter.newestFirst = newestFirst
            let all = try snapshot.all(filter)
            #expect(all.events.isEmpty && all.damage.ranges == [ids])
            let counting = snapshot.cursor(filter)
            while try counting.countStep() != .end {}
            #expect(counting.count == 0 && counting.damage.ranges == [ids])
            filter.idAbove = ids.upperBound - 2
            #expect(try snapshot.all(filter).damage.ranges == [(ids.upperBound - 1)...ids.upperBound])
            filter.idAbove = ids.upperBound
            #expect(try snapshot.all(filter).damage.isEmpty)
        }
        #expect(try snapshot.all(.id(7)).damage.ranges == [7...7])
        let sessions = snapshot.sessions(nil, upper: snapshot.lastEventID, wanted: 100)
        while try sessions.step({ _, _ in true }) != .end {}
        #expect(sessions.damage.ranges == [ids])
        let inquiry = snapshot.inquiry([ID128(high: 1, low: 1)], upper: snapshot.lastEventID)
        while try inquiry.step() {}
        #expect(inquiry.damage.ranges == [ids])
        #expect(AccountFile(disk, folder: "d", time: TestTime()).isBesideEvents)
        // Put back, they are forgotten.
        for path in gone { try disk.rename("away/" + path, to: path) }
        #expect(try reader.snapshot().all().events == image.image.store.events.reversed())
        #expect(reader.damage.isEmpty)
    }

    /// A cursor under way has what it has shown; the rest is missing.
    @Test(arguments: [true, false]) func allOfThemUnderACursor(newestFirst: Bool) throws {
        let image = try Image()
        let disk = image.image.copy()
        var filter = EventFilter()
        filter.newestFirst = newestFirst
        let cursor = try StoreReader(disk, folder: "d").snapshot().cursor(filter)
        var shown: [UInt64] = []
        while shown.count < 10 {
            _ = try cursor.step {
                shown.append($0.id)
                return shown.count < 10
            }
        }
        _ = try takeAll(disk)
        while try cursor.step({
            shown.append($0.id)
            return true
        }) != .end {}
        let lost = Set(cursor.damage.ranges.flatMap { $0 })
        #expect(lost.isDisjoint(with: shown) && lost.count + shown.count == image.image.store.events.count)
        #expect(Set(shown).count == shown.count && !lost.isEmpty)
    }

    /// Where there was no event none is missing.
    @Test func aStoreWithoutEvents() throws {
        let disk = SimulatedDisk()
        #expect(try start(disk).damage.isEmpty)
        for _ in 0..<2 {
            let reader = StoreReader(disk, folder: "d")
            #expect(try reader.snapshot().all().damage.isEmpty)
            #expect(reader.damage.isEmpty)
            _ = try takeAll(disk)
        }
        #expect(!AccountFile(disk, folder: "d", time: TestTime()).isBesideEvents)
    }

    @Test func neighboursAreOneFinding() throws {
        let image = try Image()
        let gone = Array(image.names[1...2])
        let disk = image.without(gone)
        let report = try start(disk)
        let ids = image.ids[gone[0]]!.lowerBound...image.ids[gone[1]]!.upperBound
        try #require(report.damage.map(\.eventIDs) == [ids])
        #expect(report.damage[0].segment == gone[0].first && report.damage[0].lastSequence == gone[1].last)
        #expect(try StoreReader(disk, folder: "d").snapshot().all().damage.ranges == [ids])
    }

    @Test func oneBesideADamagedOneHasItsOwnEvents() throws {
        let image = try Image()
        let disk = image.without([image.names[2]])
        disk.names["d/" + image.names[1].file]!.now[3] ^= 1
        let (damaged, gone) = (image.ids[image.names[1]]!, image.ids[image.names[2]]!)
        // The damaged one does not say where it ends.
        let both = damaged.lowerBound...gone.upperBound
        let report = try start(disk)
        #expect(report.damage.first?.eventIDs?.contains(gone.lowerBound) == true, "\(report.damage)")
        #expect(report.damage.first?.eventIDs?.contains(gone.upperBound) == true, "\(report.damage)")
        let found = try StoreReader(disk, folder: "d").snapshot().all().damage
        #expect(both.allSatisfy { id in found.ranges.contains { $0.contains(id) } }, "\(found.ranges)")
    }

    @Test func whatIsPutBackIsForgotten() throws {
        let image = try Image()
        let path = "d/" + image.names[1].file
        let disk = image.image.copy()
        let reader = StoreReader(disk, folder: "d")
        _ = try reader.snapshot()
        #expect(reader.damage.isEmpty)
        try disk.rename(path, to: "d/away")
        _ = try reader.snapshot().all()
        #expect(reader.damage.count == 1)
        try disk.rename("d/away", to: path)
        #expect(try reader.snapshot().all().damage.isEmpty)
        #expect(reader.damage.isEmpty)
    }

    /// Of the log only the index says what a closed segment ends with, or its last frame.
    @Test(arguments: [true, false]) func aMissingSegmentOfTheLog(hasIndexes: Bool) throws {
        var store = try SealingTests.Store(seals: false)
        try store.write(commits: 20)
        while hasIndexes, try store.writer.maintain() {}
        try store.writer.close()
        store.disk.locked.removeAll()
        #expect(try start(store.disk).damage.isEmpty)
        store.disk.locked.removeAll()
        let logs = store.files("log")
        try #require(logs.count > 4)
        func first(_ number: Int) throws -> UInt64 {
            try #require(try SegmentHeader.read(store.disk.open("d/log/" + logs[number], .read))).firstEventID
        }
        let ids = try first(2)...(first(3) - 1)
        store.disk.names["d/log/" + logs[2]] = nil
        let report = try start(store.disk)
        #expect(report.damage.map(\.eventIDs) == [ids], "\(report.damage)")
        #expect("\(try #require(report.damage.first))".hasPrefix("log/\(logs[1]): what followed is missing"))
        for newestFirst in [true, false] {
            var filter = EventFilter()
            filter.newestFirst = newestFirst
            let reader = StoreReader(store.disk, folder: "d")
            #expect(try reader.snapshot().all(filter).damage.ranges == [ids])
            #expect(reader.damage == report.damage, "\(reader.damage)")
        }
    }

    /// The newest segment's opening is damaged, so that recovery reads the one before, too: what is missing between them is told.
    @Test func aMissingSegmentBetweenTwoThatRecoveryReads() throws {
        var store = try SealingTests.Store(seals: false)
        try store.write(commits: 20)
        while try store.writer.maintain() {}
        try store.writer.close()
        let logs = store.files("log")
        func first(_ number: Int) throws -> UInt64 {
            try #require(try SegmentHeader.read(store.disk.open("d/log/" + logs[number], .read))).firstEventID
        }
        let ids = try first(logs.count - 2)...(first(logs.count - 1) - 1)
        store.disk.names["d/log/" + logs[logs.count - 2]] = nil
        store.disk.names["d/log/" + logs[logs.count - 1]]!.now[StoreLimits.headerBytes + 3] ^= 1
        store.disk.locked.removeAll()
        let damage = try start(store.disk).damage
        #expect(damage.filter { $0.cause == .missingBehind }.map(\.eventIDs) == [ids], "\(damage)")
    }
}
