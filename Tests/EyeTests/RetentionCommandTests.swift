import EyeSystem
import EyeTestVectors
import Foundation
import Testing

/// The real service drops its oldest segments, is killed at that, and goes on.
@Suite(.serialized, .timeLimit(.minutes(5))) struct RetentionCommandTests {
    static let limits = ["--segment-bytes", "1M", "--retain-bytes", "4M"]
    static let total = 420

    /// Lines of 30,000 bytes that do not become shorter.
    static func lines() -> [String] {
        (1...total).map { number in
            let pad = (0..<830).map { _ in UUID().uuidString }.joined()
            return
                #"{"session_id":"e2085be5-9137-4e4e-80b5-f1ffddc25423","category":"c","name":"n","data":{"n":\#(number),"pad":"\#(pad)"},"#
                + #""timestamp":"2021-01-01T00:00:00Z"}"#
        }
    }

    /// Once, in the long run three times in a row, under a client that wants every line stored exactly once, and sends slowly enough to have
    /// lines left at the last.
    @Test func aCrashWhileASegmentIsDroppedIsMadeUpFor() throws {
        let folder = try TemporaryFolder()
        let token = try TestEvents.token(folder)
        let rate = TestSize.pick(80, long: 30)
        let passings = [1, 2, 1].prefix(TestSize.pick(1, long: 3))
        let sender = try RunningSender(folder.path, token: token, client: "till", lines: Self.lines(), rate: rate)
        let arguments = ServedStore.both + Self.limits
        for (life, count) in passings.enumerated() {
            let armed = "\(CrashPoint.segmentDropped.rawValue):\(count)"
            let served = try ServedStore(folder.path, arguments, environment: ["EYE_CRASH_AT": armed])
            // The first one must die at the place. A later one of a slow machine may have no lines left to come there: then it is killed.
            let end = Date.now + (life == 0 ? 120 : 30)
            while served.process.isRunning, Date.now < end { usleep(20_000) }
            if life == 0 { #expect(!served.process.isRunning, "it did not come to \(armed)") }
            served.kill()
            #expect(served.wait() == 128 + SIGKILL, "life \(life): \(served.log)")
            let stored = try TestEvents.stored(folder.path)
            let first = try #require(stored.first?.id)
            #expect(
                stored.map(\.id) == Array(first..<(first + stored.count)) && stored.map(\.number) == stored.map(\.id))
            let verify = try CommandRun(["verify", "--data", folder.path])
            #expect(verify.code == 0, "life \(life): \(verify.out)")
        }
        let served = try ServedStore(folder.path, arguments)
        #expect(try served.isReady())
        // Answers that died with the service: by the next HELLO the lines are known to be stored.
        #expect(sender.wait() == 0 && sender.complaints.isEmpty, "\(sender.error)")
        let stored = try TestEvents.stored(folder.path)
        let first = try #require(stored.first?.id)
        #expect(first > 100 && stored.last?.id == Self.total)
        #expect(stored.map(\.id) == Array(first...Self.total) && stored.map(\.number) == stored.map(\.id))
        let read = try TestEvents.readToken(folder)
        #expect(try served.get("/event_detail/1", token: read).hasPrefix("HTTP/1.1 404 "))
        #expect(try served.get("/event_detail/\(Self.total)", token: read).hasPrefix("HTTP/1.1 200 "))
        let list = try served.get("/events/?order=id&limit=1", token: read)
        #expect(list.contains("\"id\":\(first),") && !list.lowercased().contains("eye-incomplete"))
        let metrics = try served.get("/metrics")
        #expect(metrics.contains("\neye_store_first_kept_event_id "))
        #expect(!metrics.contains("\neye_store_first_kept_event_id 1\n"), "\(metrics)")
        #expect(metrics.contains("\neye_store_retention_failed 0\n"))
        // Sealed to the end: a step of an unoptimised build may take longer than a service may take to stop.
        let end = Date.now + 60
        while !(try served.get("/metrics").contains("\neye_store_waiting_segments 0\n")), Date.now < end {
            usleep(20_000)
        }
        #expect(served.stop() == 0)
        #expect(served.log.contains("retention dropped the oldest segments"), "\(served.log)")
        let verify = try CommandRun(["verify", "--data", folder.path])
        #expect(verify.code == 0, "\(verify.out)")
    }

    @Test func theStartSaysWhatIsKept() throws {
        let folder = try TemporaryFolder()
        var served = try ServedStore(folder.path, ServedStore.ingestOnly)
        #expect(try served.isReady())
        #expect(served.out.contains("  keeps    every event\n"))
        #expect(served.stop() == 0)
        served = try ServedStore(
            folder.path, ServedStore.ingestOnly + ["--retain-age", "90d", "--retain-bytes", "50G"])
        #expect(try served.isReady())
        #expect(served.out.contains("  keeps    90d of events, at most 50G of segments; older segments are dropped\n"))
        #expect(served.stop() == 0)
        #expect(FileManager.default.fileExists(atPath: folder.path + "/retention"))
    }

    @Test func whatCannotBeKeptToIsSaid() throws {
        let run = try CommandRun(["serve", "--retain-bytes", "511M", "--data", "/nonexistent/x"])
        #expect(run.code == 2 && run.error.contains("at least 4 times --segment-bytes"), "\(run.error)")
        #expect(try CommandRun(["serve", "--retain-age", "59m", "--data", "/nonexistent/x"]).code == 2)
    }
}
