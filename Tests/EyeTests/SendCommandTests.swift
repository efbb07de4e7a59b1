import Foundation
import Testing

private func event(_ number: Int) -> String {
    #"{"session_id":"e2085be5-9137-4e4e-80b5-f1ffddc25423","category":"c","name":"n","data":{"n":\#(number)},"timestamp":"2021-01-01T00:00:00Z"}"#
}

/// `eye send` against a running service.
@Suite(.timeLimit(.minutes(2))) struct SendCommandTests {
    @Test func allAccepted() throws {
        let served = try ServedFolder()
        let input = (1...100).map { event($0) + "\n" }.joined()
        for more in [[], ["--silent"]] {
            let run = try CommandRun(
                ["send", "--unix", served.socketPath] + more, input: input, environment: ["EYE_TOKEN": served.token])
            #expect(run.code == 0 && run.error.isEmpty)
            #expect(run.out == "lines=100 accepted=100 rejected=0 duplicate=0\n")
        }
    }

    @Test(arguments: [[], ["--silent"]])
    func everyRejectedLineIsNamed(more: [String]) throws {
        let served = try ServedFolder()
        let tokenPath = "\(served.folder.path)/token"
        try Data("\(served.token)\n".utf8).write(to: URL(filePath: tokenPath))
        let input = [
            "# a comment", event(1), "", "QUIT", "{\"a\":1}", "  \(event(2))\r", "\(served.token) \(event(3))",
            "wrongtoken \(event(4))", "GET / HTTP/1.1", String(repeating: "x", count: 200_000), "hello world",
            event(5),
        ].joined(separator: "\n")
        let run = try CommandRun(["send", "--unix", served.socketPath, "--token-file", tokenPath] + more, input: input)
        #expect(run.code == 1)
        #expect(run.out == "lines=10 accepted=4 rejected=6 duplicate=0\n")
        let errors = run.error.split(separator: "\n")
        let expected = [
            "line 4: not-object: neither", "line 5: unknown-field: a", "line 8: bad-token: ", "line 9: not-object: ",
            "line 10: too-long: ", "line 11: not-object: ",
        ]
        #expect(errors.count == expected.count)
        for (error, start) in zip(errors, expected) { #expect(error.hasPrefix(start)) }
    }

    @Test func aFileSentTwiceUnderOneClientID() throws {
        let served = try ServedFolder()
        let path = "\(served.folder.path)/events"
        let run = { (count: Int) in
            try Data((1...count).map { event($0) + "\n" }.joined().utf8).write(to: URL(filePath: path))
            return try CommandRun(
                ["send", path, "--unix", served.socketPath, "--client-id", "file"],
                environment: ["EYE_TOKEN": served.token])
        }
        #expect(try run(50).out == "lines=50 accepted=50 rejected=0 duplicate=0\n")
        #expect(try run(80).out == "lines=80 accepted=30 rejected=0 duplicate=50\n")
    }

    /// The service dies while lines are under way: the sender goes on with the next one, and no line is there twice.
    @Test func theServiceIsKilledMeanwhile() throws {
        let served = try ServedFolder()
        let process = Process()
        process.executableURL = CommandRun.executable
        process.arguments = ["send", "--unix", served.socketPath, "--client-id", "c"]
        process.environment = ["EYE_TOKEN": served.token]
        let (input, out, error) = (Pipe(), Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = out
        process.standardError = error
        try process.run()
        var lines = ""
        var count = 0
        func feed(_ more: Int) throws {
            let text = (1...more).map { event(count + $0) + "\n" }.joined()
            try input.fileHandleForWriting.write(contentsOf: Data(text.utf8))
            lines += text
            count += more
        }
        for _ in 0..<3 {
            let before = try served.logBytes()
            try feed(500)
            try wait("some of them in the log") { try served.logBytes() > before + 10_000 }
            try feed(500)
            served.kill()
            try served.start()
        }
        try input.fileHandleForWriting.close()
        let told = String(decoding: out.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0 && !told.contains("unanswered="), "\(told)")
        #expect(told.hasPrefix("lines=\(count) accepted=") && told.contains("rejected=0"), "\(told)")
        let again = try CommandRun(
            ["send", "--unix", served.socketPath, "--client-id", "c"], input: lines,
            environment: ["EYE_TOKEN": served.token])
        #expect(again.out == "lines=\(count) accepted=0 rejected=0 duplicate=\(count)\n")
    }

    /// Who waits says so, once, and once that it goes on.
    @Test(arguments: [["import"], ["send", "--client-id", "c"]]) func theServiceIsAwayAtFirst(command: [String]) throws
    {
        let served = try ServedFolder()
        served.kill()
        let folder = try TemporaryFolder()
        try Data("\(event(1))\n".utf8).write(to: URL(filePath: "\(folder.path)/events"))
        let process = Process()
        process.executableURL = CommandRun.executable
        process.arguments = command + ["--unix", served.socketPath, "\(folder.path)/events"]
        process.environment = ["EYE_TOKEN": served.token]
        process.standardOutput = try folder.write("out")
        process.standardError = try folder.write("err")
        try process.run()
        try wait("a word") { try folder.read("err").hasSuffix("\n") || !process.isRunning }
        try served.start()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        let told = try folder.read("err").split(separator: "\n")
        #expect(
            told == [
                "waiting for the service, 60 s without progress at most: cannot connect to unix \(served.socketPath): "
                    + "Connection refused; is `eye serve` running there?",
                "the service takes events again; going on",
            ])
        #expect(try folder.read("out") == "lines=1 accepted=1 rejected=0 duplicate=0\n")
    }

    /// Where waiting cannot help nobody waits.
    @Test func aFolderThatIsNotThere() throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/events"
        try Data("\(event(1))\n".utf8).write(to: URL(filePath: path))
        for command in [["import", "--data", "/none"], ["send", "--client-id", "c", "--unix", "/none/ingest.sock"]] {
            let run = try CommandRun(command + [path], environment: ["EYE_TOKEN": "x"])
            #expect(run.code == 1 && run.out.isEmpty)
            let reason = "No such file or directory: there is no folder /none"
            #expect(run.error == "eye: cannot connect to unix /none/ingest.sock: \(reason)\n")
        }
    }

    @Test func whatItNeeds() throws {
        let cases: [([String], Int32, String)] = [
            (
                ["--unix", "/none/ingest.sock"], 1,
                "cannot connect to unix /none/ingest.sock: No such file or directory"
            ),
            (["--tcp", "off"], 2, "'off' is no address"),
            (["--udp", "a:1", "--tcp", "b:2"], 2, "give one of --tcp, --udp and --unix"),
            (["--client-id", "x", "--silent"], 2, "--client-id needs answers"),
            (["--client-id", "x"], 2, "--client-id needs a token"),
            (["--token", "a", "--token-file", "/none"], 2, "give one of --token and --token-file"),
            (["--token-file", "/none"], 1, "/none: open: No such file"),
            (["/none/events"], 1, "/none/events: open: No such file"),
        ]
        for (arguments, code, message) in cases {
            let run = try CommandRun(["send"] + arguments, input: "token-1 {}\n")
            #expect(run.code == code && run.out.isEmpty)
            #expect(run.error.contains(message), "\(arguments)")
        }
    }
}
