import EyeSystem
import Foundation
import Testing

@testable import EyeStore

/// Readers that live on while the files under them become others: a watermark made anew, a folder that was restored, something in a file's place
/// that is none.
@Suite(.timeLimit(.minutes(5))) struct ReplacedStoreTests {
    private func open(_ folder: String) throws -> StoreWriter {
        try StoreWriter.open(RealDisk(), folder: folder, options: .test(segmentBytes: 1_500), time: TestTime())
    }

    private func commit(_ writer: StoreWriter, _ count: Int, name: String) throws {
        for _ in 0..<count {
            let frame = Frame()
            var event = TestEvent()
            event.name = name
            #expect(frame.append(event))
            #expect(try writer.commit([frame]) == .durable)
        }
    }

    /// A store of `count` events, closed.
    private func write(_ folder: String, _ count: Int, name: String) throws {
        let writer = try open(folder)
        try commit(writer, count, name: name)
        while try writer.maintain() {}
        try writer.close()
    }

    /// Names of all events, oldest first, and their number by the snapshot.
    private func check(_ reader: StoreReader, _ names: [String], _ what: Comment) throws {
        let snapshot = try reader.snapshot()
        #expect(snapshot.lastEventID == UInt64(names.count), what)
        let (events, damage) = try snapshot.all()
        #expect(events.reversed().map(\.name) == names, what)
        #expect(damage.isEmpty && reader.damage.isEmpty, what)
    }

    private func names(_ counts: (String, Int)...) -> [String] {
        counts.flatMap { Array(repeating: $0.0, count: $0.1) }
    }

    @Test func aWatermarkMadeAnew() throws {
        let folder = try TemporaryFolder()
        let reader = StoreReader(RealDisk(), folder: folder.path)
        do {
            let writer = try open(folder.path)
            try commit(writer, 3, name: "a")
            try check(reader, names(("a", 3)), "before")
            // The writer goes on with the file that has no name any more, and so does the reader.
            try FileManager.default.removeItem(atPath: folder.path + "/watermark")
            try commit(writer, 2, name: "b")
            try check(reader, names(("a", 3), ("b", 2)), "without a name")
            try writer.close()
        }
        let store = try reader.snapshot().storeNumber
        let writer = try open(folder.path)
        try commit(writer, 1, name: "c")
        try check(reader, names(("a", 3), ("b", 2), ("c", 1)), "made anew")
        #expect(try reader.snapshot().storeNumber == store + 1)
        try commit(writer, 1, name: "d")
        #expect(try reader.snapshot().lastEventID == 7)
        #expect(try reader.snapshot().storeNumber == store + 1)
    }

    @Test func anotherFolderInItsPlace() throws {
        let home = try TemporaryFolder()
        let data = home.path + "/data"
        try write(data, 60, name: "old")
        try write(home.path + "/other", 5, name: "new")
        let reader = StoreReader(RealDisk(), folder: data)
        try check(reader, names(("old", 60)), "before")
        var filter = EventFilter()
        filter.newestFirst = false
        let old = try reader.snapshot().cursor(filter)
        var shown = 0
        _ = try old.step { _ in
            shown += 1
            return false
        }
        try FileManager.default.moveItem(atPath: data, toPath: home.path + "/away")
        _ = try reader.snapshot()
        try FileManager.default.moveItem(atPath: home.path + "/other", toPath: data)
        try check(reader, names(("new", 5)), "after")
        // What was begun with the other one does not go on with this one's events.
        let error = #expect(throws: SystemError.self) {
            while try old.step({ _ in true }) != .end {}
        }
        #expect(shown == 1 && error?.isStale == true)
        let writer = try open(data)
        try commit(writer, 40, name: "more")
        try check(reader, names(("new", 5), ("more", 40)), "written on")
    }

    /// Restored by copying over what was there: the files stay the same, what is in them does not.
    @Test func otherContentsInItsFiles() throws {
        let home = try TemporaryFolder()
        let (data, other) = (home.path + "/data", home.path + "/other")
        try write(data, 60, name: "old")
        try write(other, 5, name: "new")
        let reader = StoreReader(RealDisk(), folder: data)
        try check(reader, names(("old", 60)), "before")
        for part in ["log", "index"] {
            let kept = try FileManager.default.contentsOfDirectory(atPath: "\(other)/\(part)")
            for name in try FileManager.default.contentsOfDirectory(atPath: "\(data)/\(part)")
            where !kept.contains(name) {
                try FileManager.default.removeItem(atPath: "\(data)/\(part)/\(name)")
            }
            for name in kept {
                try Data(contentsOf: URL(filePath: "\(other)/\(part)/\(name)"))
                    .write(to: URL(filePath: "\(data)/\(part)/\(name)"))
            }
        }
        try Data(contentsOf: URL(filePath: other + "/watermark")).write(to: URL(filePath: data + "/watermark"))
        try check(reader, names(("new", 5)), "after")
    }

    @Test func samplesOfRefusedLines() throws {
        let folder = try TemporaryFolder()
        func refuse(_ count: Int) throws {
            let log = try RejectedLog.open(RealDisk(), folder: folder.path, options: .test())
            for _ in 0..<count {
                let frame = Frame()
                #expect(
                    frame.appendRejected(
                        RejectedSample(
                            received: 1, code: [0x63], message: [], transport: 1, source: [], token: 0, line: [0x78])))
                #expect(try log.commit([frame]) == .durable)
            }
            try log.close()
        }
        let reader = RejectedReader(RealDisk(), folder: folder.path)
        try refuse(2)
        #expect(try reader.nextID() == 3)
        try FileManager.default.removeItem(atPath: folder.path + "/rejected/watermark")
        try refuse(2)
        #expect(try reader.nextID() == 5)
        var ids: [UInt64] = []
        try reader.list {
            ids.append($0.id)
            return true
        }
        #expect(ids == [4, 3, 2, 1])
    }

    /// Nobody waits for the other end of a pipe: everything else is served, and what the segment held is named.
    @Test(arguments: [true, false]) func aPipeInPlaceOfASegment(isNewest: Bool) throws {
        let folder = try TemporaryFolder()
        try write(folder.path, 60, name: "n")
        let logs = try SegmentFolder.list(RealDisk(), folder.path + "/log", ".log")
        try #require(logs.count > 4)
        let number = isNewest ? logs.count - 1 : 2
        let path = folder.path + "/" + SegmentName.log(logs[number]).file
        let next = isNewest ? 61 : logs[number + 1]
        try FileManager.default.removeItem(atPath: path)
        try FileManager.default.removeItem(atPath: folder.path + "/index")
        #expect(mkfifo(path, 0o600) == 0)
        let gone = logs[number]...(next - 1)
        let (events, damage) = try StoreReader(RealDisk(), folder: folder.path).snapshot().all()
        #expect(events.map(\.id) == (1...60).reversed().filter { !gone.contains($0) })
        #expect(damage.ranges == [gone])
        let report = try StoreVerification(RealDisk(), folder: folder.path, isRunning: false).run { _ in }
        let found = report.findings.filter { $0.gravity == .damage }
        #expect(found.map(\.eventIDs) == [gone] && found.first?.what == CorruptionCause.foreignFile.text, "\(found)")
        let recovery = try open(folder.path).recovery
        if isNewest { #expect(recovery.damage.map(\.cause) == [.foreignFile], "\(recovery.damage)") }
    }
}
