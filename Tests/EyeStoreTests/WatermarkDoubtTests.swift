import EyeSystem
import Foundation
import Testing

@testable import EyeStore

/// Readers beside a watermark that is gone or may be an older one, and beside a log whose newest file is gone: what was acknowledged is shown, what
/// was erased is not, and what is missing is named.
@Suite struct WatermarkDoubtTests {
    /// What becomes of the watermark.
    enum Loss: CaseIterable {
        case removed, empty, zeroed, newerSlot, olderSlot

        func apply(_ path: String) throws {
            let url = URL(filePath: path)
            if self == .removed { return try FileManager.default.removeItem(at: url) }
            var bytes = try Data(contentsOf: url)
            switch self {
            case .removed: return
            case .empty: bytes = Data()
            case .zeroed: bytes = Data(count: bytes.count)
            case .newerSlot, .olderSlot:
                let generations = [0, Watermark.slotDistance].map { bytes[$0 + 8] }
                let newer = generations[0] > generations[1] ? 0 : Watermark.slotDistance
                bytes[(self == .newerSlot ? newer : Watermark.slotDistance - newer) + 20] ^= 1
            }
            try bytes.write(to: url)
        }
    }

    @Test(arguments: Loss.allCases) func nothingErasedComesBack(_ loss: Loss) throws {
        for seed in UInt64(1)...4 {
            var history = try ErasureTests.History(seed: seed)
            for _ in 0..<8 { try history.commit() }
            for _ in 0..<4 { try history.eraseSomething() }
            try history.commit()
            // The newest commit is a tombstone.
            let last = try #require(history.left.last)
            _ = try ErasureTests.erase(.event(last.id), history.writer, history.reader)
            history.erased.insert(last.id)
            try history.writer.close()
            try loss.apply(history.folder.path + "/watermark")
            for newestFirst in [true, false] {
                let reader = StoreReader(RealDisk(), folder: history.folder.path)
                var filter = EventFilter()
                filter.newestFirst = newestFirst
                let (events, damage) = try reader.snapshot().all(filter)
                #expect(events == (newestFirst ? history.left.reversed() : history.left), "\(loss), seed \(seed)")
                #expect(damage.isEmpty && reader.damage.isEmpty)
                #expect(try reader.snapshot().count() == UInt64(history.left.count))
            }
            let verified = try StoreVerification(RealDisk(), folder: history.folder.path, isRunning: false).run { _ in }
            #expect(verified.findings.contains { $0.part == .watermark }, "\(loss)")
            #expect(!verified.findings.contains { $0.what.contains("acknowledged") }, "\(verified.findings)")
        }
    }

    /// The service goes on with the file that has no name any more: whoever comes now reads on in the log.
    @Test func aReaderThatComesLater() throws {
        let folder = try afterALife()
        // The next start makes both places of a new one.
        let writer = try StoreWriter.open(RealDisk(), folder: folder.path, options: .test(), time: TestTime())
        let read = try WatermarkReader(RealDisk(), path: folder.path + "/watermark").read()
        #expect(read?.isSure == true)
        try writer.close()
    }

    /// The folder of a store that lived on without its watermark; the lock goes with its writer.
    private func afterALife() throws -> TemporaryFolder {
        var history = try ErasureTests.History(seed: 5)
        try history.commit()
        try Loss.removed.apply(history.folder.path + "/watermark")
        let reader = StoreReader(RealDisk(), folder: history.folder.path)
        for _ in 0..<6 {
            #expect(try reader.snapshot().all().events == history.left.reversed())
            try history.commit()
            try history.eraseSomething()
        }
        #expect(try reader.snapshot().all().events == history.left.reversed())
        try history.writer.close()
        return history.folder
    }

    @Test func theNewestFileIsGone() throws {
        let folder = try TemporaryFolder()
        var options = StoreOptions.test(segmentBytes: 4_000, seals: true)
        options.randomSeed = 3
        let writer = try StoreWriter.open(RealDisk(), folder: folder.path, options: options, time: TestTime())
        var id: UInt64 = 0
        for _ in 0..<60 {
            let frame = Frame()
            for _ in 0..<3 {
                id += 1
                #expect(frame.append(TestEvent(id: id)))
            }
            #expect(try writer.commit([frame]) == .durable)
        }
        while try writer.maintain() {}
        try writer.close()
        let log = folder.path + "/log"
        let files = try FileManager.default.contentsOfDirectory(atPath: log)
        #expect(files.count == 1)
        for name in files { try FileManager.default.removeItem(atPath: log + "/" + name) }
        for newestFirst in [true, false] {
            let reader = StoreReader(RealDisk(), folder: folder.path)
            var filter = EventFilter()
            filter.newestFirst = newestFirst
            let (events, damage) = try reader.snapshot().all(filter)
            let next = try #require(events.map(\.id).max()) + 1
            #expect(next < id && damage.ranges == [next...id], "\(damage.ranges)")
            #expect(reader.damage.map(\.cause) == [.missingSegment])
            let sessions = try reader.snapshot().sessions(nil, upper: id, wanted: 5)
            while try sessions.step({ _, _ in true }) != .end {}
            #expect(sessions.damage.hull == next...id)
            let inquiry = try reader.snapshot().inquiry([TestEvent().session], upper: id)
            while try inquiry.step() {}
            #expect(inquiry.damage.hull == next...id && inquiry.sessions[0].events == next - 1)
        }
    }

    /// What is said of a session on a page comes from all segments, and so does what may be missing from it.
    @Test func sessionsOfAPageThatIsNotReadOn() throws {
        let folder = try TemporaryFolder()
        let writer = try StoreWriter.open(
            RealDisk(), folder: folder.path, options: .test(segmentBytes: 1_500), time: TestTime())
        for id in UInt64(1)...40 {
            let frame = Frame()
            var event = TestEvent(id: id)
            event.session = ID128(high: 5, low: id % 4)
            #expect(frame.append(event))
            #expect(try writer.commit([frame]) == .durable)
        }
        try writer.close()
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path + "/log").sorted()
        #expect(names.count > 3)
        let path = URL(filePath: folder.path + "/log/" + names[1])
        var bytes = try Data(contentsOf: path)
        bytes[bytes.count - 30] ^= 4
        try bytes.write(to: path)
        let snapshot = try StoreReader(RealDisk(), folder: folder.path).snapshot()
        let page = snapshot.sessions(nil, upper: 40, wanted: 2)
        var shown: [UInt64] = []
        while try page.step({ session, _ in
            shown.append(session.events)
            return false
        }) == .more {}
        #expect(shown.count == 1)
        let lost = try #require(page.damage.hull)
        let all = try snapshot.all().damage.hull
        #expect(lost.count == 1 && lost == all)
    }
}
