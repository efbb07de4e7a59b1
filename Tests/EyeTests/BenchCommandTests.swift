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
        #expect((result["errors"] as? [String])?.first?.hasPrefix("bad-token: ") == true)
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
        try Data("QUIT\n".utf8).write(to: URL(filePath: path))
        let refused = try CommandRun(["bench", "--unix", served.socketPath, "--token", "x", "--file", path])
        #expect(refused.code == 1 && refused.error.contains("line 1: neither {json} nor TOKEN {json}"))
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
