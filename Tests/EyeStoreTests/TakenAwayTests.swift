import EyeSystem
import EyeTestVectors
import Foundation
import Testing

@testable import EyeStore

/// The data folder, or the log in it, is moved, replaced or removed under a writer: nothing more is acknowledged, and nothing more is written to
/// what is in nobody's store now.
@Suite struct TakenAwayTests {
    private static let segment = "00000000000000000001.log"

    private func commit(_ writer: StoreWriter) throws -> CommitOutcome {
        let frame = Frame()
        #expect(frame.append(TestEvent()))
        return try writer.commit([frame])
    }

    private func isStale(_ body: () throws -> Void) -> Bool {
        do { try body() } catch { return (error as? SystemError)?.isStale ?? false }
        return false
    }

    /// `what` becomes of the store in `home`/data; returns where the segment is then, nil: nowhere.
    private func take(_ what: String, _ home: String) throws -> String? {
        let files = FileManager.default
        let (data, away) = ("\(home)/data", "\(home)/away")
        switch what {
        case "data folder moved", "data folder copied and moved":
            try files.moveItem(atPath: data, toPath: away)
            if what.contains("copied") { try files.copyItem(atPath: away, toPath: data) }
            return "\(away)/log/\(Self.segment)"
        case "log moved", "log moved and made anew", "log copied and moved", "log moved and a file made":
            try files.moveItem(atPath: "\(data)/log", toPath: away)
            if what.contains("anew") {
                try files.createDirectory(atPath: "\(data)/log", withIntermediateDirectories: false)
            }
            if what.contains("copied") { try files.copyItem(atPath: away, toPath: "\(data)/log") }
            if what.contains("file") { try Data("x".utf8).write(to: URL(filePath: "\(data)/log")) }
            return "\(away)/\(Self.segment)"
        case "segment moved", "segment renamed":
            let place = what == "segment renamed" ? "\(data)/log/x" : away
            try files.moveItem(atPath: "\(data)/log/\(Self.segment)", toPath: place)
            return place
        default:
            try files.removeItem(atPath: "\(data)/log/\(Self.segment)")
            return nil
        }
    }

    @Test(arguments: [
        "data folder moved", "data folder copied and moved", "log moved", "log moved and made anew",
        "log copied and moved", "log moved and a file made", "segment moved", "segment renamed", "segment removed",
    ])
    func nothingMoreIsAcknowledged(_ what: String) throws {
        let home = try TemporaryFolder()
        let writer = try StoreWriter.open(
            RealDisk(), folder: "\(home.path)/data", options: .test(), time: TestTime())
        #expect(try commit(writer) == .durable)
        try writer.checkPlace()
        let search = ErasureSearch(.event(1), in: try StoreReader(RealDisk(), folder: "\(home.path)/data").snapshot())
        while try search.step() {}
        let place = try take(what, home.path)
        let before = place.flatMap { FileManager.default.contents(atPath: $0) }
        #expect(isStale { _ = try commit(writer) })
        #expect(isStale { try writer.checkPlace() })
        let job = ErasureJob(search, watch: nil, isSession: false, token: 1)
        #expect(isStale { _ = try writer.erase(job) })
        #expect(place.flatMap { FileManager.default.contents(atPath: $0) } == before)
    }

    /// A segment begun meanwhile has a name of its own.
    @Test func eachSegmentIsLookedFor() throws {
        let disk = SimulatedDisk()
        let writer = try StoreWriter.open(disk, folder: "d", options: .test(segmentBytes: 300), time: TestTime())
        while writer.activeSegment == 1 { #expect(try commit(writer) == .durable) }
        try disk.remove("d/log/\(Self.segment)")
        #expect(try commit(writer) == .durable, "that one is closed: readers and the next start tell of it")
        try disk.rename("d/" + SegmentName.log(writer.activeSegment).file, to: "d/away")
        #expect(isStale { _ = try commit(writer) })
    }
}
