import EyeSystem
import EyeTestVectors
import Foundation
import Testing

/// The real process dies at each named place (the long tests: three times in a row) under a client that wants every line stored exactly once.
@Suite(.timeLimit(.minutes(5))) struct CrashPointTests {
    /// The passings to die at, life by life. Segments are also begun at a start: the first life dies in its very first one.
    static let plan: [(point: CrashPoint, counts: [Int])] = [
        (.segmentCreated, [1, 3, 1]), (.headerSynced, [1, 3, 1]), (.segmentRenamed, [1, 3, 1]),
        (.folderSynced, [1, 3, 1]),
        (.frameWritten, [1, 5, 3]), (.synced, [1, 5, 3]), (.watermarkPublished, [1, 5, 3]), (.indexWritten, [1, 1, 1]),
        (.sealedWritten, [1, 2, 1]), (.sealedSynced, [1, 1, 2]), (.sealedRenamed, [1, 2, 1]), (.logRemoved, [1, 2, 1]),
    ]

    /// Places that only a process that seals comes to.
    static let sealing: Set<CrashPoint> = [.sealedWritten, .sealedSynced, .sealedRenamed, .logRemoved]

    @Test func everyPointHasATest() {
        // The rewriting of sealed segments has its test among those of erasure, the dropping of segments among those of retention.
        let others: [CrashPoint] = [.accountsReplaced, .sealedRewritten, .segmentDropped]
        #expect(Set(Self.plan.map(\.point) + others) == Set(CrashPoint.allCases))
    }

    @Test(arguments: plan.map(\.point)) func nothingAcknowledgedIsLost(_ point: CrashPoint) throws {
        let all = try #require(Self.plan.first { $0.point == point }).counts
        let counts = all.prefix(TestSize.pick(1, long: 3))
        let folder = try TemporaryFolder()
        let token = try TestEvents.token(folder)
        // Enough for the segments that it takes to come to each place.
        let total = Self.sealing.contains(point) ? 1_500 : TestSize.pick(500, long: 900)
        let sender = try RunningSender(
            folder.path, token: token, client: "till", lines: TestEvents.lines(1...total, padding: 5_000), rate: 1_500)
        let arguments = ServedStore.ingestOnly + ["--segment-bytes", "1M"]
        for (life, count) in counts.enumerated() {
            let armed = "\(point.rawValue):\(count)"
            let served = try ServedStore(folder.path, arguments, environment: ["EYE_CRASH_AT": armed])
            #expect(served.wait() == 128 + SIGKILL, "life \(life): \(served.log)")
            #expect(served.log.contains("at=\(armed)"))
        }
        let served = try ServedStore(folder.path, arguments)
        #expect(try served.isReady())
        // Answers that died with the service: by the next HELLO the lines are known to be stored.
        #expect(sender.wait() == 0 && sender.complaints.isEmpty, "\(sender.error)")
        if Self.sealing.contains(point) { try expectSealed(served, folder.path) }
        #expect(served.stop() == 0)
        let stored = try TestEvents.stored(folder.path)
        #expect(stored.map(\.number) == Array(1...total))
        #expect(stored.map(\.id) == Array(1...total))
        let verify = try CommandRun(["verify", "--data", folder.path])
        #expect(verify.code == 0, "\(verify.out)")
    }

    /// What the lives before left half done is finished.
    private func expectSealed(_ served: ServedStore, _ folder: String) throws {
        let deadline = Date.now + 60
        var isDone = false
        while !isDone, Date.now < deadline {
            usleep(20_000)
            let logs = try FileManager.default.contentsOfDirectory(atPath: folder + "/log")
            let sealed = try FileManager.default.contentsOfDirectory(atPath: folder + "/sealed")
            isDone = logs.count == 1 && sealed.count > 4 && sealed.allSatisfy { $0.hasSuffix(".seg") }
        }
        #expect(isDone, "\(served.log)")
    }

    @Test func accountsAreTheOldOrTheNewOnes() throws {
        let folder = try TemporaryFolder()
        _ = try TestEvents.token(folder)
        for name in ["a", "b", "c"] {
            let run = try CommandRun(
                ["token", "add", name, "--scope", "ingest", "--data", folder.path],
                environment: ["EYE_CRASH_AT": "accounts-replaced"])
            #expect(run.code == 128 + SIGKILL)
        }
        let list = try CommandRun(["token", "list", "--data", folder.path])
        #expect(list.code == 0)
        for name in ["first", "a", "b", "c"] { #expect(list.out.contains(" \(name) "), "\(list.out)") }
        let served = try ServedStore(folder.path)
        #expect(try served.isReady())
        #expect(served.stop() == 0)
    }

    @Test func aWrongPlaceIsSaid() throws {
        let folder = try TemporaryFolder()
        let run = try CommandRun(["serve", "--data", folder.path], environment: ["EYE_CRASH_AT": "nowhere"])
        #expect(run.code == 2 && run.error.contains("segment-created"))
        #expect(CrashPoint.parse("synced:0") == nil && CrashPoint.parse("synced:2:3") == nil)
        #expect(CrashPoint.parse("synced:12")?.count == 12 && CrashPoint.parse("synced")?.count == 1)
    }
}
