import EyeSystem
import Foundation
import Testing

@testable import EyeStore

/// `Tests/Vectors/store/version-1` is a store as version 1 of the format writes it. Every later version must read it; as long as the
/// version is 1, the same calls must give the same bytes. `EYE_STORE_GOLDEN=1 swift test --filter StoreGoldenTests` writes it anew (only
/// for a version that was never released).
@Suite struct StoreGoldenTests {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Vectors/store/version-1").path

    static let events: [TestEvent] = (1...9).map { number in
        var event = TestEvent()
        event.id = UInt64(number)
        event.received = 1_700_000_000_000_000 + Int64(number)
        event.timestamp = 1_609_492_527_243_860 - Int64(number) * 1_000_000
        event.session = ID128(high: 0xe208_5be5_9137_4e4e, low: 0x80b5_f1ff_ddc2_5420 + UInt64(number % 3))
        event.token = UInt32(number)
        event.category = ["page interaction", "form", "Ünïcödé \u{1F600}"][number % 3]
        event.name = ["cta click", "pageview", "a\u{0}b"][number % 3]
        event.data = "{\"host\":\"www.consumeraffairs.com\",\"n\":\(number)}"
        if number % 2 == 0 { event.eventID = ID128(high: 0xFE45_5946_0000_0000, low: UInt64(number)) }
        return event
    }

    /// The calls that make it.
    static func write(_ disk: any Disk, _ folder: String) throws {
        let time = TestTime()
        let writer = try StoreWriter.open(disk, folder: folder, options: .test(segmentBytes: 1_200), time: time)
        let name = Array("client one".utf8)
        let client = writer.openClient(token: 5, name: name.span)!
        var frames = [Frame(), Frame()]
        #expect(frames[0].append(events[0]) && frames[0].append(events[1]))
        #expect(frames[0].appendSession(ID128(high: 1, low: 2), received: 1_700_000_000_000_000, token: 5))
        #expect(frames[1].append(events[2]) && frames[1].append(events[3]))
        #expect(try writer.commit(frames) == .durable)
        frames = [Frame()]
        #expect(frames[0].append(events[4], client: ClientLine(slot: client.slot, sequence: 1001)))
        #expect(frames[0].append(events[1]), "a duplicate")
        #expect(frames[0].noteRejected(ClientLine(slot: client.slot, sequence: 1002)))
        #expect(frames[0].appendTombstone([900...901], received: 1_700_000_000_000_005, token: 1))
        #expect(try writer.commit(frames) == .durable)
        for event in events[5...] {
            let frame = Frame()
            #expect(frame.append(event))
            #expect(try writer.commit([frame]) == .durable)
        }
        while try writer.maintain() {}
        let rejected = try RejectedLog.open(disk, folder: folder, options: .test(), time: time)
        let frame = Frame()
        #expect(frame.appendRejected(RejectedLogTests.sample(1)))
        #expect(try rejected.commit([frame]) == .durable)
        try rejected.close()
        try writer.close()
    }

    static func files(_ folder: String) throws -> [String: [UInt8]] {
        var found: [String: [UInt8]] = [:]
        for name in try FileManager.default.subpathsOfDirectory(atPath: folder) where name != "LOCK" {
            if let data = FileManager.default.contents(atPath: folder + "/" + name) { found[name] = Array(data) }
        }
        return found
    }

    @Test func theSameCallsGiveTheSameBytes() throws {
        let temporary = try TemporaryFolder()
        try Self.write(RealDisk(), temporary.path)
        if ProcessInfo.processInfo.environment["EYE_STORE_GOLDEN"] != nil {
            if FileManager.default.fileExists(atPath: Self.folder) {
                try FileManager.default.removeItem(atPath: Self.folder)
            }
            try FileManager.default.createDirectory(
                atPath: Self.folder + "/..", withIntermediateDirectories: true)
            try FileManager.default.copyItem(atPath: temporary.path, toPath: Self.folder)
            try FileManager.default.removeItem(atPath: Self.folder + "/LOCK")
        }
        let written = try Self.files(temporary.path)
        let golden = try Self.files(Self.folder)
        #expect(written.keys.sorted() == golden.keys.sorted())
        for (name, bytes) in golden { #expect(written[name] == bytes, "\(name)") }
    }

    @Test func itIsReadAndWrittenOn() throws {
        let temporary = try TemporaryFolder()
        let folder = temporary.path + "/copy"
        try FileManager.default.copyItem(atPath: Self.folder, toPath: folder)
        let reader = StoreReader(RealDisk(), folder: folder)
        let (events, damage) = try reader.snapshot().all()
        #expect(events == Self.events.reversed())
        #expect(damage.isEmpty)
        #expect(try reader.snapshot().allSessions().count == 4)
        #expect(try RejectedReader(RealDisk(), folder: folder).find(1)?.token == 1)
        let writer = try StoreWriter.open(RealDisk(), folder: folder, options: .test(), time: TestTime())
        #expect(writer.recovery.isClean)
        #expect(writer.nextEventID == 10)
        #expect(writer.eventIDCount == 4)
        let name = Array("client one".utf8)
        let client = writer.openClient(token: 5, name: name.span)
        #expect(client?.lastSequence == 1002)
    }
}
