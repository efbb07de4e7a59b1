import EyeTestVectors
import Foundation
import Testing

/// `eye bench` against a running service: the account is exact, in every way of sending.
@Suite(.timeLimit(.minutes(2))) struct BenchCommandTests {
    private func run(_ served: ServedFolder, _ arguments: [String], token: String? = nil) throws -> (
        CommandRun, [String: Any]
    ) {
        let run = try CommandRun(
            ["bench", "--unix", served.socketPath, "--json"] + arguments,
            environment: ["EYE_TOKEN": token ?? served.token])
        let object = try JSONSerialization.jsonObject(with: Data(run.out.utf8))
        return (run, try #require(object as? [String: Any]))
    }

    @Test(arguments: [
        ["--count", "20000"], ["--count", "20000", "--connections", "7"],
        ["--count", "5000", "--connections", "3", "--acks"], ["--count", "2000", "--rate", "50000", "--acks"],
        ["--count", "1001", "--rate", "100000", "--acks", "--connections", "50"], ["--count", "20", "--one-by-one"],
    ])
    func everyLineIsAccountedFor(arguments: [String]) throws {
        let served = try ServedFolder()
        let (run, result) = try run(served, arguments)
        #expect(run.code == 0 && run.error.isEmpty)
        let count = Int(arguments[1])
        #expect(result["lines"] as? Int == count && result["accepted"] as? Int == count)
        #expect(result["received"] as? Int == count && result["exact"] as? Bool == true)
        let latency = result["latency_us"] as? [String: Any]
        let measures = arguments.contains("--acks") || arguments.contains("--one-by-one")
        #expect(latency?["count"] as? Int == (measures ? count : nil))
    }

    /// As many as go in a time: nobody says how many each connection shall send.
    @Test func asFastAsItGoesForATime() throws {
        let served = try ServedFolder()
        let (run, result) = try run(served, ["--seconds", "1", "--connections", "3"])
        #expect(run.code == 0 && run.error.isEmpty)
        let lines = try #require(result["lines"] as? Int)
        #expect(lines > 0 && result["accepted"] as? Int == lines && result["exact"] as? Bool == true)
    }

    @Test func refusedLinesAreCountedAndShown() throws {
        let served = try ServedFolder()
        let (run, result) = try run(served, ["--count", "1000", "--acks"], token: String(repeating: "0", count: 40))
        #expect(run.code == 1)
        #expect(result["rejected"] as? Int == 1000 && result["exact"] as? Bool == true)
        // They are never durable, however soon that is known.
        #expect(result["latency_us"] == nil)
        #expect((result["errors"] as? [String])?.first?.hasPrefix("bad-token: ") == true)
    }

    /// What a server says to ten lines, one by one if that is asked for.
    private func heard(_ said: [String], _ way: String, lines: Int = 10) throws -> (CommandRun, [String: Any]) {
        let server = try ScriptedServer([
            { peer in
                try peer.expect("MODE acks")
                for _ in 0..<lines { _ = try peer.line() }
                for line in said { try peer.say(line) }
                while try peer.line() != nil {}
            }
        ])
        let run = try CommandRun(
            ["bench", "--unix", server.path, "--json", "-n", "\(lines)", way], environment: ["EYE_TOKEN": "x"])
        // Whether it could say everything is of no account: bench may have closed before.
        _ = server.join()
        let object = try JSONSerialization.jsonObject(with: Data(run.out.utf8))
        return (run, try #require(object as? [String: Any]))
    }

    /// A commit that fails is told after later lines that were refused at once (protocol.md, section 5).
    @Test func refusalsComeInNoOrder() throws {
        let refusals = [8, 3, 4, 5].map { "-ERR \($0) storage-full The disk is full." }
        let said = refusals + ["+ACK 5", "+ACK 8", "+ACK 10", "+BYE received=10 accepted=6 rejected=4 duplicate=0"]
        let (run, result) = try heard(said, "--acks")
        #expect(run.code == 1 && result["failures"] as? [String] == [], "\(run.out)")
        #expect(result["exact"] as? Bool == true)
        #expect((result["latency_us"] as? [String: Any])?["count"] as? Int == 6)
    }

    /// Whatever a server says, that is told and ends with code 1.
    @Test(arguments: [
        (["-ERR 3 io x", "-ERR 3 io x", "+ACK 3"], "--acks", "it refused line 3 twice"),
        (["+ACK 5", "-ERR 4 io x"], "--acks", "it refused line 4 after an acknowledgement that covers it"),
        (["-ERR 18446744073709551615 io x"], "--acks", "it refused line 18446744073709551615, which was not sent"),
        (["+ACK 11"], "--acks", "it acknowledged line 11, which was not sent"),
        (["+ACK 5", "+ACK 4"], "--acks", "it acknowledged line 4 after line 5"),
        (
            ["+BYE received=10 accepted=18446744073709551615 rejected=1 duplicate=0"], "--acks",
            "it tells of more lines than the 10 that were sent"
        ),
        (["+ACK 2", "+ACK 1"], "--one-by-one", "it acknowledged line 2, which was not sent"),
        (["-ERR 2 io x", "+ACK 1"], "--one-by-one", "it refused line 2, which was not sent"),
    ])
    func aServerThatContradictsItself(said: [String], way: String, failure: String) throws {
        let bye = said.last?.hasPrefix("+BYE") == true ? [] : ["+BYE received=1 accepted=1 rejected=0 duplicate=0"]
        let (run, result) = try heard(said + bye, way, lines: way == "--acks" ? 10 : 1)
        #expect(run.code == 1, "\(run.error)")
        #expect(result["failures"] as? [String] == ["the server contradicts itself: \(failure)"])
    }

    @Test(arguments: ["--acks", "--one-by-one"]) func anAnswerWithoutEnd(way: String) throws {
        let (run, result) = try heard([String(repeating: "x", count: 1 << 18)], way, lines: 1)
        #expect(run.code == 1 && result["failures"] as? [String] == ["an answer without end"], "\(run.out)")
    }

    @Test func theDiskBesideTheAcks() throws {
        let served = try ServedFolder()
        let (run, result) = try run(
            served, ["--count", "10", "--one-by-one", "--compare-disk", served.folder.path])
        #expect(run.code == 0)
        #expect((result["disk_us"] as? [String: Any])?["count"] as? Int == 10)
    }

    @Test func linesOfAFileGoRound() throws {
        let served = try ServedFolder()
        let path = "\(served.folder.path)/lines"
        let event =
            #"{"session_id":"e2085be5-9137-4e4e-80b5-f1ffddc25423","category":"c","name":"n","data":{"n":1},"timestamp":"2021-01-01T00:00:00Z"}"#
        let lines = "\(event)\r\n\r\n\n# comment\r\n{\"a\":1}\n\(served.token) \(event)"
        try Data(lines.utf8).write(to: URL(filePath: path))
        let (_, result) = try run(served, ["--count", "3000", "--file", path])
        #expect(result["accepted"] as? Int == 2000 && result["rejected"] as? Int == 1000)
        for way in [["--acks"], ["--acks", "--rate", "100000"], ["--one-by-one"]] {
            let (_, result) = try self.run(served, ["--count", "30", "--file", path] + way)
            #expect(result["rejected"] as? Int == 10)
            #expect((result["latency_us"] as? [String: Any])?["count"] as? Int == 20, "\(way)")
        }
        try Data("QUIT\n".utf8).write(to: URL(filePath: path))
        let refused = try CommandRun(["bench", "--unix", served.socketPath, "--token", "x", "--file", path])
        #expect(refused.code == 1 && refused.error.contains("line 1: neither {json} nor TOKEN {json}"))
    }

    /// A duplicate is stored already, so it is no failure. HTTP answers do not tell duplicates, and nobody claims to know.
    @Test func duplicatesAreNoLoss() throws {
        let served = try ServedEye()
        let path = "\(served.folder.path)/lines"
        let lines = (1...2).map { number in
            #"{"event_id":"e2085be5-9137-4e4e-80b5-f1ffddc2542\#(number)","session_id":"e2085be5-9137-4e4e-80b5-f1ffddc25423","category":"c","name":"n","data":{"n":1},"timestamp":"2021-01-01T00:00:00Z"}"#
        }
        try Data(lines.joined(separator: "\n").utf8).write(to: URL(filePath: path))
        let variables = ["EYE_TOKEN": served.firstToken]
        func run(_ arguments: String...) throws -> (CommandRun, [String: Any]) {
            let run = try CommandRun(["bench", "-n", "10", "--file", path] + arguments, environment: variables)
            return (run, (try? JSONSerialization.jsonObject(with: Data(run.out.utf8))) as? [String: Any] ?? [:])
        }
        let (tcp, told) = try run("--tcp", served.tcp, "--json")
        #expect(tcp.code == 0 && told["accepted"] as? Int == 2 && told["duplicate"] as? Int == 8)
        let (http, answered) = try run("--http", served.http, "--json")
        #expect(http.code == 0 && answered["accepted_or_duplicate"] as? Int == 10)
        #expect(answered["accepted"] == nil && answered["duplicate"] == nil && answered["exact"] as? Bool == true)
        #expect(answered["latency_of"] as? String == "requests")
        let (text, _) = try run("--http", served.http)
        #expect(
            text.out.contains("  judged         received=10 accepted-or-duplicate=10 rejected=0: exact\n"),
            "\(text.out)")
        #expect(text.out.contains("  of each request, a refused one too, from its start\n"), "\(text.out)")
    }

    /// The time is over when it is over, and what was due and was not sent is told to the line.
    @Test(
        arguments: [["--unix", "-c", "2", "-n", "500000000"], ["--udp"]]
            + TestSize.pick([], long: [["--unix", "--one-by-one"], ["--http", "-c", "2"]]))
    func aRateThatIsNotReached(arguments: [String]) throws {
        let served = try ServedEye()
        let place = ["--unix": "\(served.folder.path)/ingest.sock", "--http": served.http, "--udp": served.udp]
        let target = try #require(place[arguments[0]])
        let run = try CommandRun(
            ["bench", arguments[0], target, "--rate", "1000000000", "--seconds", "1", "--json"] + arguments.dropFirst(),
            environment: ["EYE_TOKEN": served.firstToken])
        #expect(run.code == 0 && run.error.isEmpty, "\(run.error)\(run.out)")
        let result = try #require(try JSONSerialization.jsonObject(with: Data(run.out.utf8)) as? [String: Any])
        let lines = try #require(result["lines"] as? Int)
        let overdue = try #require(result["overdue"] as? Int)
        #expect(lines > 0 && overdue > 0 && lines + overdue == (arguments.contains("-n") ? 500_000_000 : 1_000_000_000))
        #expect(result["rate_kept"] as? Bool == false)
    }

    /// The progress line needs a terminal at stderr; what stdout is does not matter.
    @Test func progressOnATerminal() throws {
        let served = try ServedFolder()
        let terminal = open("/dev/ptmx", O_RDWR | O_NOCTTY)
        defer { close(terminal) }
        // TIOCSPTLCK and TIOCGPTN (ioctl_tty(2)): unlocks the other end, and asks for its number.
        var lock: Int32 = 0
        var number: Int32 = -1
        try #require(ioctl(terminal, 0x4004_5431, &lock) == 0 && ioctl(terminal, 0x8004_5430, &number) == 0)
        let other = open("/dev/pts/\(number)", O_RDWR | O_NOCTTY)
        try #require(other >= 0)
        let process = Process()
        process.executableURL = CommandRun.executable
        process.arguments = [
            "bench", "--unix", served.socketPath, "--token", served.token, "-n", "400", "-r", "800", "--json",
        ]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle(fileDescriptor: other)
        try process.run()
        process.waitUntilExit()
        close(other)
        var shown = [UInt8](repeating: 0, count: 4096)
        let count = read(terminal, &shown, shown.count)
        #expect(process.terminationStatus == 0)
        #expect(String(decoding: shown.prefix(max(0, count)), as: UTF8.self).contains(" lines/s"))
    }

    /// A service that is down is told by the first datagrams already.
    @Test func nobodyTakesDatagrams() throws {
        let run = try CommandRun(["bench", "--udp", "127.0.0.1:9", "-n", "1"], environment: ["EYE_TOKEN": "x"])
        #expect(run.code == 1 && run.out.contains("  refused        1 sends: nobody listens there\n"), "\(run.out)")
    }

    /// For people, without a terminal: no progress, no colours.
    @Test func summary() throws {
        let served = try ServedFolder()
        let run = try CommandRun(
            ["bench", "--unix", served.socketPath, "-n", "1000", "--acks"], environment: ["EYE_TOKEN": served.token])
        #expect(run.code == 0 && run.error.isEmpty && !run.out.contains("\u{1B}"))
        #expect(run.out.hasPrefix("unix \(served.socketPath), 1 connection, "))
        #expect(run.out.contains("  judged         received=1000 accepted=1000 rejected=0 duplicate=0: exact\n"))
        #expect(run.out.contains("  durable after  p50 "))
    }

    @Test(arguments: [
        (["--count", "1"], 2, "a token is needed"),
        (["--token", "x", "--udp", "a:1", "--acks"], 2, "UDP answers nothing"),
        (["--token", "x", "--udp", "a:1", "--http", "b:2"], 2, "give one of"),
        (["--token", "x", "--tcp", "off"], 2, "'off' is no address"),
        (["--token", "x", "--one-by-one", "-c", "2"], 2, "--one-by-one is one connection"),
        (["--token", "x", "--compare-disk", "."], 2, "--compare-disk goes with --one-by-one"),
        (["--token", "x", "--lines-per-datagram", "2"], 2, "--lines-per-datagram goes with --udp"),
        (["--token", "x", "--unix", "/none/s"], 1, "cannot connect to unix /none/s"),
        (["--token", "x", "--file", "/none/f"], 1, "/none/f: open: No such file"),
    ])
    func whatItNeeds(arguments: [String], code: Int32, message: String) throws {
        let run = try CommandRun(["bench"] + arguments)
        #expect(run.code == code && run.out.isEmpty)
        #expect(run.error.contains(message))
    }
}
