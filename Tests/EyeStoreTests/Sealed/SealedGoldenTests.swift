import EyeSystem
import Foundation
import Testing

@testable import EyeStore

/// `Tests/Vectors/store/version-1-sealed` is a segment as version 1 of the format seals it. Every later version must read it; as long as the
/// version is 1, the same events must give the same bytes. `EYE_STORE_GOLDEN=1 swift test --filter SealedGoldenTests` writes it anew (only
/// for a version that was never released).
@Suite struct SealedGoldenTests {
    static let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
        .appendingPathComponent("Vectors/store/version-1-sealed/00000000000000000001-00000000000000000603.seg").path

    private static func fixture() throws -> SealedFixture {
        var events = SealedFileTests.visits(600, seed: 77)
        for index in events.indices {
            switch index % 7 {
            case 0: events[index].eventID = ID128(high: 0xFE45_5943, low: UInt64(index))
            case 1:
                let nasty = SealedFileTests.nasty[index % SealedFileTests.nasty.count]
                if nasty.utf8.count < 2_000 { events[index].data = nasty }
            case 2: events[index].name = "only once \(index)"
            default: break
            }
        }
        return try SealedFixture(events) {
            #expect($0.appendSession(ID128(high: 5, low: 6), received: 7, token: 8))
            #expect($0.appendTombstone([1...1][...], flags: TombstoneFlag.sequences, received: 9, token: 10))
            #expect($0.appendSession(ID128(high: 11, low: 12), received: 13, token: 14))
        }
    }

    @Test func theSameEventsGiveTheSameBytes() throws {
        let fixture = try Self.fixture()
        #expect(fixture.nextSequence == 604)
        _ = try fixture.seal()
        let written = try #require(FileManager.default.contents(atPath: fixture.folder.path + "/a.seg"))
        if ProcessInfo.processInfo.environment["EYE_STORE_GOLDEN"] != nil {
            let folder = URL(fileURLWithPath: Self.path).deletingLastPathComponent()
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            try written.write(to: URL(fileURLWithPath: Self.path))
        }
        #expect(FileManager.default.contents(atPath: Self.path) == written)
    }

    @Test func itIsRead() throws {
        let file = try #require(
            try SealedFile.open(RealDisk(), path: Self.path, cache: BlockCache(bytesMax: 1 << 20)))
        #expect(file.sessionCount > 2 && file.firstSequence == 1 && file.nextSequence == 604)
        try expectSame(file, try Self.fixture().events)
        #expect(try file.session(ID128(high: 5, low: 6))?.entry.isOpened == true)
        #expect(try file.erasures().receipts.map(\.token) == [10])
    }
}
