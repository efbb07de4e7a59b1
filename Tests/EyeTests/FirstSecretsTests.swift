// Secrets that are shown once and that nobody can have seen: a stdout that is full, closed, or read by nobody.

import Foundation
import Testing

@Suite(.timeLimit(.minutes(5))) struct FirstSecretsTests {
    /// They do not count: no account is made, and the next start shows others.
    @Test(arguments: ["init", "serve --only ingest --tcp off --udp off"], [">/dev/full", ">&-", ">&3"])
    func whatNobodySawDoesNotCount(_ command: String, _ place: String) throws {
        let folder = try TemporaryFolder()
        // Behind descriptor 3 there is a pipe whose reader has ended.
        let pipe = place == ">&3" ? "exec 3> >(true); wait $!; " : ""
        let run = try Shell("\(pipe)timeout 20 eye \(command) --data \(folder.path) \(place)")
        #expect(run.code == 74, "\(run.error)")
        let lines = run.error.split(separator: "\n")
        #expect(
            lines.count == 1 && lines[0].hasPrefix("eye: what is shown this once could not be written"), "\(lines)"
        )
        #expect(lines.first?.contains("nothing was made") == true && run.out.isEmpty)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["accounts.lock"])
        let next = try CommandRun(["init", "--data", folder.path])
        #expect(next.code == 0 && next.out.hasPrefix("First start.") && next.error.isEmpty, "\(next.error)")
    }

    /// A service does not end because nobody reads where it listens.
    @Test func aGreetingThatNobodyReads() throws {
        let folder = try TemporaryFolder()
        #expect(try CommandRun(["init", "--data", folder.path]).code == 0)
        let pipe = Pipe()
        let process = Process()
        process.executableURL = CommandRun.executable
        process.arguments = ["serve", "--data", folder.path, "--only", "ingest", "--tcp", "off", "--udp", "off"]
        process.standardOutput = pipe.fileHandleForWriting
        process.standardError = try folder.write("err")
        try pipe.fileHandleForReading.close()
        try process.run()
        try wait("a word") { try folder.read("err").contains("nobody reads stdout") || !process.isRunning }
        #expect(process.isRunning)
        process.terminate()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        #expect(try folder.read("err").contains("stopped: every line that was received is stored"))
    }

    /// Nor does a further token: its name is still free.
    @Test func aTokenThatNobodySawIsNotMade() throws {
        let folder = try TemporaryFolder()
        #expect(try CommandRun(["init", "--data", folder.path]).code == 0)
        let add = "eye token add shop --data \(folder.path)"
        let run = try Shell("\(add) >/dev/full")
        #expect(run.code == 74 && run.error.contains("nothing was made"), "\(run.error)")
        let again = try Shell(add)
        #expect(again.code == 0 && again.out.utf8.count == 41, "\(again.error)")
    }

    /// They stand above everything else, so that what comes after cannot keep them from being seen.
    @Test func theyComeFirst() throws {
        let eye = try ServedEye()
        let lines = eye.greeting.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines[0].hasPrefix("First start.") && lines[3].isEmpty && lines[4].hasPrefix("The Eye "), "\(lines)")
        #expect(try eye.eye("token", "list").out.contains("first"))
    }
}
