import EyeStore
import EyeSystem
import Foundation
import Testing

private func event(_ number: Int, name: String? = nil, second: Int? = nil) -> String {
    let name = name ?? (number % 3 == 0 ? "signup" : "page view")
    let second = second ?? number
    return
        #"{"session_id":"e2085be5-9137-4e4e-80b5-f1ffddc2542\#(number % 4)","category":"c\#(number % 2)","name":"\#(name)","data":{"n":\#(number),"path":"/\#(number % 3)"},"timestamp":"2021-01-01T00:\#(10 + second / 60):\#(10 + second % 50)Z"}"#
}

/// `eye stats` on the folder of a running service.
@Suite(.timeLimit(.minutes(2))) struct StatsCommandTests {
    private func served(_ events: [String]) throws -> ServedFolder {
        let served = try ServedFolder()
        let run = try CommandRun(
            ["send", "--unix", served.socketPath], input: events.map { $0 + "\n" }.joined(),
            environment: ["EYE_TOKEN": served.token])
        #expect(run.code == 0, "\(run.error)")
        return served
    }

    private func stats(_ served: ServedFolder, _ arguments: String...) throws -> CommandRun {
        try CommandRun(["stats"] + arguments + ["--data", served.folder.path])
    }

    @Test func numbersForPeople() throws {
        let served = try served((1...12).map { event($0) })
        #expect(try stats(served, "count").out == "12\n")
        #expect(try stats(served, "count", "category=c1").out == "6\n")
        #expect(
            try stats(served, "count", "--by", "name", "--by", "category").out == """
                count   share  name       category
                    4  33.3 %  page view  c0
                    4  33.3 %  page view  c1
                    2  16.7 %  signup     c0
                    2  16.7 %  signup     c1

                """)
        #expect(
            try stats(served, "uniq", "by=name").out == """
                sessions    share  name
                       4  100.0 %  page view
                       4  100.0 %  signup

                """)
        let top = try stats(served, "top", "--field", "data.path", "-n", "2", "data.n__gt=1").out
        #expect(top.contains("    4  36.4 %  ██████████") && top.hasSuffix("3 different values.\n"))
        #expect(
            try stats(served, "top", "field=data.none").out
                == "count  share    data.none\n12 of 12 events have no value.\n")
        #expect(
            try stats(served, "hits", "--step", "10s", "data.n__lte=12").out
                == "2021-01-01 00:10:10  9  ██████████████████████████████████████████████████\n"
                + "2021-01-01 00:10:20  3  ████████████████▋\n")
        #expect(
            try stats(served, "hits", "step=10s", "--by", "category").out == """
                10s                  all  c0  c1
                2021-01-01 00:10:10    9   4   5
                2021-01-01 00:10:20    3   2   1

                """)
        let funnel = try stats(
            served, "funnel", "--step", "name:page view;category:c1", "--step", "name:signup", "--window", "1h"
        ).out
        let lines = funnel.split(separator: "\n")
        #expect(lines.count == 3 && lines[0].contains("sessions") && lines[2].contains("signup"))
        #expect(lines[1].contains("100.0 %") && lines[2].contains("50.0 %"))
    }

    /// The very object of the HTTP service.
    @Test func json() throws {
        let served = try served((1...12).map { event($0) })
        #expect(try stats(served, "count", "--json").out == "{\"count\":12}\n")
        #expect(
            try stats(served, "top", "field=category", "--json").out
                == "{\"field\":\"category\",\"count\":12,\"missing\":0,\"values\":2,\"top\":[{\"value\":\"c0\",\"count\":6},{\"value\":\"c1\",\"count\":6}]}\n"
        )
        #expect(try stats(served, "uniq", "--json").out == "{\"sessions\":4,\"events\":12}\n")
    }

    @Test func nothingCommandsTheTerminal() throws {
        let served = try served([event(1, name: #"\u001b[31m\n\u202e"#)])
        #expect(try stats(served, "top", "field=name").out.contains(#"\u{1b}[31m\u{a}\u{202e}"#))
        #expect(try stats(served, "hits", "by=name").out.contains(#"\u{1b}[31m\u{a}\u{202e}"#))
    }

    @Test(arguments: [
        (["count", "nmae=x"], "did you mean name?"), (["top"], "field: This field is required."),
        (["hits", "--step", "x"], "step: A span of time is required"),
        (["funnel", "--step", "name:a"], "step: 2 to 8 steps are required"),
        (["count", "name"], "'name' is no filter: write KEY=VALUE"), (["sum"], "unknown subcommand sum"),
        (["top", "--feild", "name"], "unknown option --feild; did you mean --field?"),
    ])
    func wrong(arguments: [String], message: String) throws {
        let run = try CommandRun(["stats"] + arguments + ["--data", "/none/data"])
        #expect(run.code == 2 && run.out.isEmpty && run.error.contains(message), "\(run.error)")
    }

    @Test func whatItNeeds() throws {
        let missing = try CommandRun(["stats", "count", "--data", "/none/data"])
        #expect(missing.code == 4 && missing.error.contains("there is no data folder /none/data"))
        let served = try served([event(1), event(2).replacing("2021", with: "2001")])
        let run = try stats(served, "hits", "step=1m")
        #expect(run.code == 1 && run.error.contains("at most 10000 are shown. Choose a longer step"))
    }

    /// Ctrl-C in the middle of a long scan: the code that shells have for it, and no half answer.
    @Test func interrupted() throws {
        let folder = try TemporaryFolder()
        let writer = try StoreWriter.open(RealDisk(), folder: folder.path, options: StoreOptions(), time: SystemTime())
        let frame = Frame()
        let data = Array(#"{"n":1,"text":"\#(String(repeating: "x", count: 200))"}"#.utf8)
        for _ in 0..<300 {
            frame.reset()
            for number in 0..<300 {
                let key = EventKey(received: 1, timestamp: 1, session: ID128(high: 1, low: UInt64(number)), token: 1)
                let isTaken = data.withUnsafeBytes { data in
                    frame.appendEvent(
                        key, category: data[0..<1].rebased, name: data[0..<1].rebased, data: data, client: .none)
                }
                #expect(isTaken)
            }
            #expect(try writer.commit([frame]) == .durable)
        }
        try writer.close()
        let process = Process()
        process.executableURL = CommandRun.executable
        process.arguments = ["stats", "uniq", "by=data.n", "--data", folder.path]
        let (out, error) = (Pipe(), Pipe())
        process.standardOutput = out
        process.standardError = error
        try process.run()
        // It has begun when it takes the signal itself.
        let status = "/proc/\(process.processIdentifier)/status"
        var isReady = false
        while process.isRunning && !isReady {
            let text = (try? String(contentsOfFile: status, encoding: .utf8)) ?? ""
            let blocked = text.firstMatch(of: #/SigBlk:\t([0-9a-f]+)/#).flatMap { UInt64($0.1, radix: 16) } ?? 0
            isReady = blocked >> UInt64(SIGINT - 1) & 1 == 1
        }
        #expect(kill(process.processIdentifier, SIGINT) == 0)
        process.waitUntilExit()
        #expect(process.terminationReason == .exit && process.terminationStatus == 130)
        #expect(out.fileHandleForReading.readDataToEndOfFile().isEmpty)
    }
}

extension Slice<UnsafeRawBufferPointer> {
    fileprivate var rebased: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: self) }
}
