import Foundation
import Testing

private func event(_ number: Int, name: String = "n") -> String {
    #"{"session_id":"e2085be5-9137-4e4e-80b5-f1ffddc2542\#(number % 10)","category":"c\#(number % 2)","name":"\#(name)","data":{"n":\#(number)},"timestamp":"2021-01-01T00:00:00Z"}"#
}

/// `eye tail` on the folder of a running service.
@Suite(.timeLimit(.minutes(2))) struct TailCommandTests {
    private func send(_ served: ServedFolder, _ events: [String]) throws {
        let run = try CommandRun(
            ["send", "--unix", served.socketPath], input: events.map { $0 + "\n" }.joined(),
            environment: ["EYE_TOKEN": served.token])
        #expect(run.code == 0)
    }

    private func tail(_ served: ServedFolder, _ arguments: String...) throws -> [String] {
        let run = try CommandRun(["tail", "--once", "--data", served.folder.path] + arguments)
        #expect(run.code == 0 && run.error.isEmpty)
        return run.out.split(separator: "\n").map(String.init)
    }

    private func ids(_ lines: [String]) throws -> [Int] {
        try lines.map { line in
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            return try #require(object?["id"] as? Int)
        }
    }

    @Test func theLastOnes() throws {
        let served = try ServedFolder()
        #expect(try tail(served) == [])
        try send(served, (1...30).map { event($0) })
        #expect(try ids(tail(served)) == Array(21...30))
        #expect(try ids(tail(served, "-n", "3")) == [28, 29, 30])
        #expect(try ids(tail(served, "-n", "0")) == [])
        #expect(try ids(tail(served, "-n", "1000")) == Array(1...30))
        #expect(try ids(tail(served, "--category", "c1", "-n", "2")) == [27, 29])
        #expect(try ids(tail(served, "--session", "E2085BE5-9137-4e4e-80b5-f1ffddc25424")) == [4, 14, 24])
        #expect(try ids(tail(served, "--category", "c0", "--category", "c1", "-n", "2")) == [29, 30])
        #expect(try ids(tail(served, "--name", "other")) == [])
        let line = try #require(tail(served, "-n", "1").first)
        let expected =
            #"{"id":30,"session_id":"e2085be5-9137-4e4e-80b5-f1ffddc25420","timestamp":"2021-01-01T00:00:00.000000Z","#
            + #""data":{"n":30},"name":"n","category":"c0","received_at":"2"#
        #expect(line.hasPrefix(expected))
        let short = try tail(served, "-n", "1", "--format", "text")
        #expect(short == [#"2021-01-01T00:00:00.000000Z #30 e2085be5 c0 / n {"n":30}"#])
    }

    @Test func nothingCommandsTheTerminal() throws {
        let served = try ServedFolder()
        try send(served, [event(1, name: #"\u001b[31m\n\u202e\u0085é"#)])
        let expected = #"2021-01-01T00:00:00.000000Z #1 e2085be5 c1 / \u{1b}[31m\u{a}\u{202e}\u{85}é {"n":1}"#
        #expect(try tail(served, "--format", "text") == [expected])
        // As JSON on a terminal, which script(1) makes: the same event, escaped.
        let script = "/usr/bin/script"
        guard FileManager.default.isExecutableFile(atPath: script) else { return }
        let process = Process()
        process.executableURL = URL(filePath: script)
        let tail = "\(CommandRun.executable.path) tail --once --format json --data \(served.folder.path)"
        process.arguments = ["-qec", tail, "/dev/null"]
        let out = Pipe()
        process.standardOutput = out
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let text = String(decoding: out.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(text.contains(#""name":"\u001b[31m\n\u202e\u0085é""#))
    }

    /// Every event once and in order, whatever comes meanwhile; ends without a word when its reader goes.
    @Test func follows() throws {
        let served = try ServedFolder()
        try send(served, (1...5).map { event($0) })
        let process = Process()
        process.executableURL = CommandRun.executable
        process.arguments = ["tail", "-n", "2", "--data", served.folder.path]
        let (out, error) = (Pipe(), Pipe())
        process.standardOutput = out
        process.standardError = error
        try process.run()
        try out.fileHandleForWriting.close()
        try error.fileHandleForWriting.close()
        var read = Data()
        func readLines(_ count: Int) {
            while read.count(where: { $0 == 0x0A }) < count {
                let more = out.fileHandleForReading.availableData
                if more.isEmpty { return }
                read.append(more)
            }
        }
        readLines(2)
        for batch in 0..<4 {
            try send(served, (0..<250).map { event(6 + batch * 250 + $0) })
            if batch == 1 {
                served.kill()
                try served.start()
            }
        }
        readLines(1002)
        let lines = String(decoding: read, as: UTF8.self).split(separator: "\n").map(String.init)
        #expect(try ids(lines) == Array(4...1005))
        try out.fileHandleForReading.close()
        process.waitUntilExit()
        #expect(process.terminationReason == .exit && process.terminationStatus == 0)
        #expect(error.fileHandleForReading.readDataToEndOfFile().isEmpty)
    }

    @Test func whatItNeeds() throws {
        let missing = try CommandRun(["tail", "--data", "/none/data"])
        #expect(missing.code == 4 && missing.error.contains("there is no data folder /none/data"))
        let session = try CommandRun(["tail", "--session", "abc"])
        #expect(session.code == 2 && session.error.contains("--session: 'abc' is not a UUID"))
        let empty = try TemporaryFolder()
        _ = try TestEvents.token(empty)
        let run = try CommandRun(["tail", "--once", "--data", empty.path])
        #expect(run.code == 0 && run.out.isEmpty && run.error.isEmpty)
    }
}
