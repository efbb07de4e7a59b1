import Foundation
import Testing

/// `eye erase` with a running service: what it says, what is left, and that it stays gone.
@Suite(.serialized) struct EraseCommandTests {
    static let session = "e2085be5-9137-4e4e-80b5-f1ffddc25423"

    @Test func eventsAndSessionsAreGone() throws {
        let folder = try TemporaryFolder()
        let token = try TestEvents.token(folder)
        var served = try ServedStore(folder.path)
        #expect(try served.isReady())
        let other =
            #"{"session_id":"11111111-2222-4333-8444-555555555555","category":"c","name":"n","#
            + #""data":{"n":100},"timestamp":"2021-01-01T00:00:00Z"}"#
        #expect(try TestEvents.send(folder.path, token: token, TestEvents.lines(1...9) + [other]) == 0)
        func erase(_ arguments: String...) throws -> CommandRun {
            try CommandRun(["erase"] + arguments + ["--data", folder.path])
        }
        var run = try erase("event", "3", "--dry-run")
        #expect(run.code == 0 && run.out == "1 event (id 3) would be erased. Nothing was changed.\n", "\(run.error)")
        #expect(try TestEvents.stored(folder.path).count == 10)
        run = try erase("event", "3")
        #expect(run.code == 0 && run.out == "1 event (id 3) erased. The receipt is number 11.\n", "\(run.error)")
        run = try erase("event", "3")
        #expect(run.code == 1 && run.out == "There is nothing to erase.\n")
        run = try erase("session", Self.session)
        #expect(run.code == 0 && run.out == "8 events (ids 1 to 9) erased. The receipt is number 12.\n", "\(run.error)")
        #expect(try TestEvents.stored(folder.path).map(\.number) == [100])
        for bad in [["event", "x"], ["session", "x"], ["thing", "1"], ["event"]] {
            #expect(try CommandRun(["erase"] + bad + ["--data", folder.path]).code == 2, "\(bad)")
        }
        served.kill()
        run = try erase("event", "10")
        #expect(run.code == 1 && run.error.contains("eye serve"), "\(run.error)")
        #expect(try TestEvents.stored(folder.path).map(\.number) == [100])
        served = try ServedStore(folder.path)
        #expect(try served.isReady())
        #expect(try TestEvents.stored(folder.path).map(\.number) == [100])
        #expect(served.stop() == 0)
        let verify = try CommandRun(["verify", "--data", folder.path])
        #expect(verify.code == 0, "\(verify.out)")
    }
}
