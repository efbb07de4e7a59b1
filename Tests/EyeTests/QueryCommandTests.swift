import EyeStore
import EyeSystem
import Foundation
import Testing

private func event(_ number: Int, name: String = "n", data: String? = nil, more: String = "") -> String {
    let data = data ?? #"{"n":\#(number),"path":"/\#(number % 3)"}"#
    return
        #"{"session_id":"e2085be5-9137-4e4e-80b5-f1ffddc2542\#(number % 10)","category":"c\#(number % 2)","name":"\#(name)","data":\#(data),"timestamp":"2021-01-01T00:00:00Z"\#(more)}"#
}

private func send(_ served: ServedFolder, _ events: [String]) throws {
    let run = try CommandRun(
        ["send", "--unix", served.socketPath], input: events.map { $0 + "\n" }.joined(),
        environment: ["EYE_TOKEN": served.token])
    #expect(run.code == 0, "\(run.error)")
}

/// `eye query` on the folder of a running service.
@Suite(.timeLimit(.minutes(2))) struct QueryCommandTests {
    private func query(_ served: ServedFolder, _ arguments: String...) throws -> CommandRun {
        try CommandRun(["query", "--data", served.folder.path] + arguments)
    }

    @Test func everyShape() throws {
        let served = try ServedFolder()
        #expect(try query(served).out == "")
        #expect(try query(served, "--json").out == "[]\n")
        #expect(try query(served, "--count").out == "0\n")
        try send(served, (1...150).map { event($0) })
        // Newest first, 100 of them.
        let lines = try query(served).out.split(separator: "\n")
        #expect(lines.count == 100 && lines[0].hasPrefix(#"{"id":150,"#) && lines[99].hasPrefix(#"{"id":51,"#))
        #expect(try query(served, "-n", "120").out.split(separator: "\n").count == 120)
        #expect(
            try query(served, "data.path=/1", "category=c0", "order=id", "--fields", "id,data.n", "-n", "2", "--json")
                .out
                == "[{\"id\":4,\"data.n\":4},\n{\"id\":10,\"data.n\":10}]\n")
        #expect(
            try query(served, "--csv", "--order", "id", "-n", "1", "fields=name,data.path,id").out
                == "name,data.path,id\r\nn,/1,1\r\n")
        #expect(try query(served, "--count", "data.n__gt=100").out == "50\n")
        #expect(try query(served, "--count", "--json", "data.n__gt=100", "data.n__lte=1.1e2").out == "{\"count\":10}\n")
        let table = try query(served, "--table", "-n", "1").out
        #expect(
            table == """
                timestamp                    id   session_id  category  name  data
                2021-01-01T00:00:00.000000Z  150  e2085be5    c0        n     {"n":150,"path":"/0"}

                """)
        let more = try query(served, "--table", "-n", "2", "--fields", "data.none,id")
        #expect(more.out == "data.none  id\n           150\n           149\n")
        #expect(more.error == "There are more than these 2: see --limit.\n")
    }

    @Test func nothingCommandsTheTerminal() throws {
        let served = try ServedFolder()
        try send(served, [event(1, name: #"\u001b[31m\n\u202e\u0085é"#, data: #"{"t":"\u001b[2J"}"#)])
        let table = try query(served, "--table", "--fields", "name,data.t").out
        let shown = #"\u{1b}[31m\u{a}\u{202e}\u{85}é"#
        let head = "name" + String(repeating: " ", count: shown.count - 2) + "data.t"
        #expect(table == "\(head)\n\(shown)  \\u{1b}[2J\n")
        let script = "/usr/bin/script"
        guard FileManager.default.isExecutableFile(atPath: script) else { return }
        for (more, expected) in [
            ("--json", #""name":"\u001b[31m\n\u202e\u0085é""#),
            ("--csv --fields name", #""\u{1b}[31m\u{a}\u{202e}\u{85}é""#),
            ("--fields name", #"\u{1b}[31m\u{a}\u{202e}\u{85}é"#),
        ] {
            let process = Process()
            process.executableURL = URL(filePath: script)
            let command = "\(CommandRun.executable.path) query \(more) --data \(served.folder.path)"
            process.arguments = ["-qec", command, "/dev/null"]
            let out = Pipe()
            process.standardOutput = out
            process.standardInput = FileHandle.nullDevice
            try process.run()
            let text = String(decoding: out.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            #expect(text.contains(expected), "\(text)")
        }
    }

    @Test(arguments: [
        (["x"], "'x' is no filter: write KEY=VALUE"),
        (["catgory=a"], #"Unknown parameter "catgory"; did you mean category?"#),
        (["session_id=a", "since=1y"], "session_id: “a” is not a valid UUID."),
        (["session_id=a", "since=1y"], "since: Datetime has wrong format."),
        (["--count", "--limit", "3"], "limit: A count is of everything"), (["--json", "--csv"], "give one of --json"),
        (["--table", "--limit", "10001"], "--limit: a table has at most 10000 rows"),
        (["--limit", "0"], "--limit: 0 is not from 1"),
        (["--fields", "idd"], "fields: Unknown field “idd”; did you mean id?"),
    ])
    func wrong(arguments: [String], message: String) throws {
        let folder = try TemporaryFolder()
        let run = try CommandRun(["query", "--data", folder.path] + arguments)
        #expect(run.code == 2 && run.out.isEmpty && run.error.contains(message), "\(run.error)")
        #expect(try CommandRun(["query", "--data", "/none"]).code != 0)
    }

    @Test func damageEndsWithAnotherCode() throws {
        let served = try ServedFolder()
        for number in 1...3 { try send(served, [event(number, data: #"{"n":\#(number),"pad":"xxxxxxxxxxxxxxxx"}"#)]) }
        served.kill()
        let path = "\(served.folder.path)/log/00000000000000000001.log"
        var bytes = try Data(contentsOf: URL(filePath: path))
        let place = try #require(bytes.range(of: Data(#"{"n":2,"pad":"#.utf8)))
        bytes[place.upperBound + 5] ^= 1
        try bytes.write(to: URL(filePath: path))
        let run = try query(served, "--fields", "data.n")
        #expect(run.code == 4 && run.out == "{\"data.n\":3}\n{\"data.n\":1}\n")
        #expect(run.error == "events 2 to 2 may be missing here: the store is damaged there\n")
        #expect(try query(served, "--count", "data.n__exists=true").code == 4)
        #expect(try CommandRun(["export", "--data", served.folder.path]).code == 4)
    }
}

/// `eye export` and `eye import`.
@Suite(.timeLimit(.minutes(2))) struct ExportImportTests {
    private func export(_ served: ServedFolder, _ arguments: String...) throws -> String {
        let run = try CommandRun(["export", "--data", served.folder.path] + arguments)
        #expect(run.code == 0 && run.error.isEmpty, "\(run.error)")
        return run.out
    }

    /// Lines of an export without what a store gives.
    private func stripped(_ export: String) -> [String] {
        export.split(separator: "\n").map { line in
            String(line).replacing(#/^\{"id":[0-9]+,/#, with: "{").replacing(#/,"received_at":"[^"]*"\}$/#, with: "}")
        }
    }

    @Test func aRoundTripChangesIDsOnly() throws {
        let first = try ServedFolder()
        // The longest line there is, with nothing to spare: a short timestamp, a text that is longer with escapes.
        let del = String(repeating: "\u{7f}", count: 150)
        let around =
            #"{"session_id":"e2085be5-9137-4e4e-80b5-f1ffddc25423","category":"c","name":"\#(del)","data":{"p":""},"timestamp":"2021-01-01T00:00:00"}"#
        let padding = String(repeating: "y", count: 65_536 - 41 - around.utf8.count)
        let longest = around.replacing(#"{"p":""}"#, with: #"{"p":"\#(padding)"}"#)
        let events =
            (1...200).map { event($0) } + [
                event(
                    1, name: #"\u0000\u001b\"\\\/\ud83d\ude00é"#, data: #"{ "k\u0001" : [1.0e5, "\u2028"] , "z":-0}"#),
                event(2, data: "{\r\"cr\"\t:\r1}", more: #","event_id":"0a2c9e4f-0000-4000-8000-000000000001""#),
                longest,
            ]
        try send(first, events)
        let path = "\(first.folder.path)/out.ndjson"
        #expect(try export(first, "--output", path) == "\(path): 203 events\n")
        #expect(!FileManager.default.fileExists(atPath: path + ".part"))
        let exported = try String(contentsOfFile: path, encoding: .utf8)
        #expect(try export(first) == exported)

        let second = try ServedFolder()
        let environment = ["EYE_TOKEN": second.token]
        let imported = try CommandRun(["import", path, "--data", second.folder.path], environment: environment)
        #expect(imported.code == 0 && imported.error.isEmpty, "\(imported.error)")
        #expect(imported.out == "lines=203 accepted=203 rejected=0 duplicate=0\n")
        let back = try export(second)
        #expect(stripped(back) == stripped(exported))
        // Again: nothing is stored twice, unless that is asked for; the one with an event_id not even then.
        let again = try CommandRun(["import", path, "--data", second.folder.path], environment: environment)
        #expect(again.code == 0 && again.out == "lines=203 accepted=0 rejected=0 duplicate=203\n")
        let twice = try CommandRun(["import", path, "--again", "--data", second.folder.path], environment: environment)
        #expect(twice.code == 0 && twice.out == "lines=203 accepted=202 rejected=0 duplicate=1\n")
    }

    /// The service dies on the way; the same command again, and everything is there once, in order.
    @Test func anImportGoesOnWhereItEnded() throws {
        let served = try ServedFolder()
        let path = "\(served.folder.path)/events"
        let lines = (1...3_000).map { event($0) }
        try Data(lines.map { $0 + "\n" }.joined().utf8).write(to: URL(filePath: path))
        let environment = ["EYE_TOKEN": served.token]
        // What an import that was killed after 1,000 lines has left behind.
        let begun = "\(served.folder.path)/begun"
        try Data(lines.prefix(1_000).map { $0 + "\n" }.joined().utf8).write(to: URL(filePath: begun))
        let name = ["--client-id", "a"]
        let first = try CommandRun(["import", begun, "--data", served.folder.path] + name, environment: environment)
        #expect(first.out == "lines=1000 accepted=1000 rejected=0 duplicate=0\n")
        served.kill()
        let down = try CommandRun(
            ["import", path, "--data", "\(served.folder.path)/none"] + ["--again"], environment: environment)
        #expect(down.code == 1 && down.error.contains("cannot connect"))
        try served.start()
        let rest = try CommandRun(["import", path, "--data", served.folder.path] + name, environment: environment)
        #expect(rest.out == "lines=3000 accepted=2000 rejected=0 duplicate=1000\n")
        let numbers = try export(served, "--fields", "data.n").split(separator: "\n")
        #expect(numbers == (1...3_000).map { "{\"data.n\":\($0)}" })
    }

    @Test func plainLinesAndWrongOnes() throws {
        let served = try ServedFolder()
        let input = [
            event(1), "", "# comment", #"{"id":5,"received_at":"x",\#(event(2).dropFirst())"#, "{\"id\":1}",
            "\(served.token) \(event(3))", "[1]", event(4).replacing("}", with: ",}"),
        ].joined(separator: "\n")
        let run = try CommandRun(
            ["import", "--data", served.folder.path], input: input, environment: ["EYE_TOKEN": served.token])
        #expect(run.code == 1)
        #expect(run.out == "lines=6 accepted=3 rejected=3 duplicate=0\n")
        let starts = ["line 5: missing-field: ", "line 7: not-object: ", "line 8: bad-json: "]
        let errors = run.error.split(separator: "\n")
        #expect(errors.count == starts.count)
        for (error, start) in zip(errors, starts) { #expect(error.hasPrefix(start), "\(error)") }
        #expect(
            try export(served, "--fields", "data.n,id", "--order", "-id")
                == "{\"data.n\":3,\"id\":3}\n{\"data.n\":2,\"id\":2}\n{\"data.n\":1,\"id\":1}\n")
    }

    @Test func tablesAndFilters() throws {
        let served = try ServedFolder()
        try send(served, (1...20).map { event($0, name: "=\($0)") })
        let path = "\(served.folder.path)/out.csv"
        _ = try export(served, "-o", path, "data.path=/0", "--fields", "id,name", "--limit", "2")
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "id,name\r\n3,\"'=3\"\r\n6,\"'=6\"\r\n")
        #expect(try export(served, "--format", "csv", "--limit", "1", "--fields", "id") == "id\r\n1\r\n")
        #expect(try export(served, "-o", "/dev/null") == "/dev/null: 20 events\n")
        for (arguments, code, message) in [
            (["export", "format=json"], 2, "an export is ndjson or csv"), (["export", "a"], 2, "'a' is no filter"),
            (["export", "-o", "/none/x"], 1, "/none/x.part: open: No such file"),
            (["import"], 2, "an import needs a token"), (["import", "/none/x", "--token", "t"], 1, "/none/x: open"),
            (["import", "--again", "--client-id", "x", "--token", "t"], 2, "give one of --again and --client-id"),
            (["import", "--tcp", "off", "--token", "t"], 2, "'off' is no address"),
        ] as [([String], Int32, String)] {
            let run = try CommandRun([arguments[0], "--data", served.folder.path] + arguments.dropFirst())
            #expect(run.code == code && run.out.isEmpty && run.error.contains(message), "\(arguments): \(run.error)")
        }
    }
}
