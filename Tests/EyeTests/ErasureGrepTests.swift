import EyeSystem
import EyeTestVectors
import Foundation
import Testing

/// The whole data folder is searched for an erased session, in text and in bytes, and for a value that only its events held; the process is
/// killed at the places that this goes through, three times in a row at each.
@Suite(.serialized, .timeLimit(.minutes(5))) struct ErasureGrepTests {
    static let session = "5E55D0D0-1bad-4cab-8fed-0123456789ab"
    static let bytes: [UInt8] = [
        0x5E, 0x55, 0xD0, 0xD0, 0x1B, 0xAD, 0x4C, 0xAB, 0x8F, 0xED, 1, 0x23, 0x45, 0x67, 0x89, 0xAB,
    ]
    /// Letters that no codec makes shorter: in the log they stand in the event, in a sealed segment in a dictionary or as a literal, as they
    /// are. So do the sixteen bytes of the session.
    static let secret = "Zq7mPwX2vLk9RtYbN4"
    /// What must still be there.
    static let other = "Hj3sDfG8kQe1UoAcB6"
    static let segments = ["--segment-bytes", "1M"]

    static func event(_ number: Int, session: String, value: String) -> String {
        #"{"session_id":"\#(session)","category":"c","name":"n","data":{"n":\#(number),"v":"\#(value)","#
            + #""pad":"\#(String(repeating: "p", count: 900))"},"timestamp":"2021-01-01T00:00:00Z"}"#
    }

    /// 3,000 events in a few segments, every tenth of the session, and a refused line that names it.
    static func fill(_ folder: TemporaryFolder, token: String) throws {
        let lines = (1...3_000).map { number in
            number % 10 == 0
                ? event(number, session: session, value: secret)
                : event(number, session: "e2085be5-9137-4e4e-80b5-f1ffddc25423", value: "\(other)\(number)")
        }
        #expect(try TestEvents.send(folder.path, token: token, lines) == 0)
        _ = try TestEvents.send(folder.path, token: token, [#"{"session_id":"\#(session)","data":{}}"#])
    }

    /// Files that hold the session or the value.
    static func tellers(_ folder: String, _ needles: [[UInt8]]) throws -> [String] {
        let files = FileManager.default.subpaths(atPath: folder) ?? []
        return files.filter { name in
            guard let data = FileManager.default.contents(atPath: "\(folder)/\(name)") else { return false }
            return needles.contains { data.range(of: Data($0)) != nil }
        }
    }

    static let needles: [[UInt8]] = [
        bytes, Array(session.utf8), Array(session.lowercased().utf8), Array(session.uppercased().utf8),
        Array(secret.utf8),
    ]

    static func waitUntilGone(_ served: ServedStore, _ folder: String) throws {
        let deadline = Date.now + 120
        while try !tellers(folder, needles).isEmpty {
            guard Date.now < deadline, served.process.isRunning else {
                Issue.record("still there: \(try tellers(folder, needles)); \(served.log)")
                return
            }
            usleep(50_000)
        }
    }

    static func expectTheRest(_ folder: String) throws {
        let stored = try TestEvents.stored(folder)
        #expect(stored.map(\.number) == (1...3_000).filter { $0 % 10 != 0 })
        #expect(stored.map(\.id) == (1...3_000).filter { $0 % 10 != 0 })
        #expect(try !tellers(folder, [Array(other.utf8)]).isEmpty)
        let verify = try CommandRun(["verify", "--data", folder])
        #expect(verify.code == 0, "\(verify.out)")
    }

    @Test func noFileHoldsIt() throws {
        let folder = try TemporaryFolder()
        let token = try TestEvents.token(folder)
        let served = try ServedStore(folder.path, ServedStore.ingestOnly + Self.segments)
        #expect(try served.isReady())
        try Self.fill(folder, token: token)
        #expect(try !Self.tellers(folder.path, Self.needles).isEmpty)
        let run = try CommandRun(["erase", "session", Self.session, "--now", "--data", folder.path])
        #expect(
            run.code == 0 && run.out.hasPrefix("300 events (ids 10 to 3000) and 1 samples"), "\(run.out)\(run.error)")
        try Self.waitUntilGone(served, folder.path)
        try Self.expectTheRest(folder.path)
        #expect(served.stop() == 0)
        #expect(try Self.tellers(folder.path, Self.needles).isEmpty)
        try Self.expectTheRest(folder.path)
    }

    /// The place, and the passings to die at, life by life.
    static let plan: [(point: CrashPoint, counts: [Int])] = [
        (.synced, [1, 1, 1]), (.segmentRenamed, [1, 1, 1]), (.indexWritten, [1, 1, 1]), (.sealedWritten, [1, 1, 2]),
        (.sealedSynced, [1, 1, 2]), (.sealedRewritten, [1, 1, 1]), (.sealedRenamed, [1, 1, 1]),
        (.logRemoved, [1, 1, 1]),
    ]

    static let places = TestSize.pick([CrashPoint.sealedRewritten], long: plan.map(\.point))

    @Test(arguments: places) func aCrashOnTheWayIsMadeUpFor(_ point: CrashPoint) throws {
        let counts = try #require(Self.plan.first { $0.point == point }).counts
        let folder = try TemporaryFolder()
        let token = try TestEvents.token(folder)
        var served = try ServedStore(folder.path, ServedStore.ingestOnly + Self.segments)
        #expect(try served.isReady())
        try Self.fill(folder, token: token)
        // Sealed first, so that sealed segments have to be written anew.
        let deadline = Date.now + 60
        while try FileManager.default.contentsOfDirectory(atPath: "\(folder.path)/log").count > 1, Date.now < deadline {
            usleep(20_000)
        }
        #expect(served.stop() == 0)
        for needle in [Self.bytes, Array(Self.secret.utf8)] {
            #expect(try Self.tellers(folder.path, [needle]).contains { $0.hasSuffix(".seg") })
        }
        var isErased = false
        for (life, count) in counts.enumerated() {
            served = try ServedStore(
                folder.path, ServedStore.ingestOnly + Self.segments,
                environment: ["EYE_CRASH_AT": "\(point.rawValue):\(count)"])
            guard try served.isReady() else { continue }
            let run = try CommandRun(["erase", "session", Self.session, "--now", "--data", folder.path])
            isErased = isErased || run.code == 0
            // It dies at the place, or has nothing left to do there.
            let end = Date.now + 90
            while served.process.isRunning, try !Self.tellers(folder.path, Self.needles).isEmpty, Date.now < end {
                usleep(20_000)
            }
            if life == 0 {
                #expect(!served.process.isRunning, "it did not come to \(point.rawValue)")
            }
            served.kill()
            if isErased { #expect(try TestEvents.stored(folder.path).count == 2_700, "life \(life)") }
        }
        served = try ServedStore(folder.path, ServedStore.ingestOnly + Self.segments)
        #expect(try served.isReady())
        _ = try CommandRun(["erase", "session", Self.session, "--now", "--data", folder.path])
        try Self.waitUntilGone(served, folder.path)
        #expect(served.stop() == 0)
        try Self.expectTheRest(folder.path)
    }
}
