import EyeStore
import EyeSystem
import Foundation
import Testing

/// Settings from flags, variables, a configuration file and defaults; what is wrong with a file; what SIGHUP takes over.
@Suite(.timeLimit(.minutes(2))) struct SettingsTests {
    private func write(_ text: String, _ folder: TemporaryFolder) throws -> String {
        let path = "\(folder.path)/eye.conf"
        try Data(text.utf8).write(to: URL(filePath: path))
        return path
    }

    /// `key` → value and origin, as --print-config shows them.
    private func shown(_ text: String) -> [String: [String]] {
        var found: [String: [String]] = [:]
        for line in text.split(separator: "\n") {
            guard let match = line.wholeMatch(of: #/(#? ?[a-z-]+) = ?(.*?) +# (.+)/#) else { continue }
            found[String(match.1)] = [String(match.2), String(match.3)]
        }
        return found
    }

    @Test func everySettingSaysWhereItComesFrom() throws {
        let folder = try TemporaryFolder()
        let path = try write(
            "# ours\n\n data=/from/file  # a place\r\n\ttcp = off\nudp = off\nloops = 3\naccess-log = yes\n", folder)
        let run = try CommandRun(
            ["serve", "--print-config", "--udp", "[::1]:9"],
            environment: ["EYE_CONFIG": path, "EYE_LOOPS": "5", "EYE_UDP": "off", "EYE_ONLY": ""])
        #expect(run.code == 0 && run.error.isEmpty)
        let found = shown(run.out)
        #expect(found["data"] == ["/from/file", "\(path):3"])
        #expect(found["tcp"] == ["off", "\(path):4"])
        #expect(found["udp"] == ["[::1]:9", "command line"])
        #expect(found["loops"] == ["5", "variable EYE_LOOPS"])
        #expect(found["access-log"] == ["yes", "\(path):7"])
        #expect(found["http"] == ["127.0.0.1:8000", "default"])
        #expect(found["# only"] == ["", "not set"])
        #expect(found["config"] == nil && found["print-config"] == nil)
    }

    /// What it prints is a file that sets the same; a flag of the file can be switched off by its variable.
    @Test func whatIsPrintedCanBeRead() throws {
        let folder = try TemporaryFolder()
        let first = try CommandRun(
            ["serve", "--print-config", "--data", "/a b", "--access-log", "--max-future", "1m"])
        let path = try write(first.out, folder)
        let second = try CommandRun(["serve", "--print-config", "--config", path])
        #expect(second.code == 0, "\(second.error)")
        #expect(shown(first.out).mapValues { $0[0] } == shown(second.out).mapValues { $0[0] })
        #expect(shown(second.out)["data"] == ["/a b", "\(path):1"])
        let third = try CommandRun(
            ["serve", "--print-config", "--config", path], environment: ["EYE_ACCESS_LOG": "no"])
        #expect(shown(third.out)["access-log"] == ["no", "variable EYE_ACCESS_LOG"])
    }

    /// Also of values that a line of the file could not hold as they are.
    @Test func whatIsPrintedIsQuoted() throws {
        let folder = try TemporaryFolder()
        for value in ["ä = #b", "#a", " /a", "\"a\"", "a\\ #\nudp = off\t", "a\u{1B}[31m\u{202E}"] {
            let first = try CommandRun(["serve", "--print-config", "--data", value])
            #expect(first.code == 0 && !first.out.contains("\u{1B}") && !first.out.contains("\u{202E}"))
            let path = try write(first.out, folder)
            let second = try CommandRun(["serve", "--print-config", "--config", path])
            func settings(_ text: String) -> [Substring] {
                text.split(separator: "\n").map { $0[..<($0.ranges(of: "  # ").last?.lowerBound ?? $0.endIndex)] }
            }
            #expect(second.code == 0 && settings(second.out) == settings(first.out), "\(value): \(second.error)")
        }
        let plain = try CommandRun(["serve", "--print-config", "--data", "a\\b \"c\""])
        #expect(plain.out.hasPrefix("data = a\\b \"c\" "), "what needs no quotes has none: \(plain.out)")
        for (line, problem) in [
            ("data = \"a", "the value in quotes has no end"),
            ("data = \"a\" b", "there is something behind the value"),
            ("data = \"\\n\"", "stands before"), ("data = \"\\u{110000}\"", "wants the number of a character"),
            ("data = \"\"", "the value is empty"),
        ] {
            let run = try CommandRun(["check-config", "--config", try write(line, folder)])
            #expect(run.code == 2 && run.error.contains(":1: data: ") && run.error.contains(problem), "\(run.error)")
        }
    }

    /// Every fault has its line, and all are told at once; nothing is started.
    @Test(arguments: [["check-config"], ["serve"], ["serve", "--print-config"]])
    func faultsOfAFile(_ command: [String]) throws {
        let folder = try TemporaryFolder()
        let path = try write(
            "tpc = off\nloops = many\n\njust words\nconfig = x\ndata =\nudp = off\nudp = off\naccess-log = on\n\u{1B}[31m = 1\n",
            folder)
        let run = try CommandRun(command + ["--config", path])
        #expect(run.code == 2 && run.out.isEmpty)
        let expected = [
            "1: unknown key 'tpc'; did you mean tcp?", "2: loops: 'many' is not a whole number",
            "4: 'just words' is not 'key = value'", "5: 'config' has no place in a file, only on the command line",
            "6: data: the value is empty", "8: 'udp' was set in line 7 already",
            "9: access-log: 'on' is neither yes nor no", "10: unknown key '\\u{1b}[31m'",
        ]
        let lines = run.error.split(separator: "\n")
        #expect(lines.count == expected.count)
        for (line, text) in zip(lines, expected) {
            #expect(line == "eye \(command[0]): \(path):\(text) (see 'eye \(command[0]) --help')")
        }
    }

    /// Faults of single values hide none of those that settings have together; what depends on a faulty value is not judged.
    @Test(arguments: [["check-config"], ["serve"], ["serve", "--print-config"]])
    func faultsOfBothKinds(_ command: [String]) throws {
        let folder = try TemporaryFolder()
        func told(_ text: String, _ environment: [String: String] = [:]) throws -> [String] {
            let run = try CommandRun(
                command + ["--config", try write(text, folder)], environment: environment)
            #expect(run.code == 2 && run.out.isEmpty)
            let end = " (see 'eye \(command[0]) --help')"
            return run.error.split(separator: "\n").map {
                String($0).replacing("eye \(command[0]): ", with: "").replacing("\(folder.path)/eye.conf:", with: "")
                    .replacing(end, with: "")
            }
        }
        #expect(
            try told(
                "http = 127.0.0.1:9\ntcp = 127.0.0.1:9\nloops = x\nretain-bytes = 64M\ncors-origins = *\n",
                ["EYE_MAX_FUTURE": "soon", "EYE_UDP": "nowhere"]) == [
                    "1: http: '127.0.0.1:9' is taken by 'tcp = 127.0.0.1:9' already",
                    "3: loops: 'x' is not a whole number",
                    "4: retain-bytes: '64M' is not at least 4 times --segment-bytes, which is 128M",
                    "5: cors-origins: '*' is no origin: write https://HOST or http://HOST:PORT, in lower case, without a path",
                    "EYE_UDP: 'nowhere' is not an address: write HOST:PORT, such as 127.0.0.1:8127",
                    "EYE_MAX_FUTURE: 'soon' is not a time span: write a number with ms, s, m, h or d, such as 90d",
                ])
        let uncertain = try told("retain-bytes = 64M\nsegment-bytes = x\nonly = neither\ntcp = :9\nhttp = :9\n")
        #expect(uncertain.map { $0.prefix { $0 != ":" } } == ["2", "3"], "\(uncertain)")
    }

    /// A pipe has no end before somebody writes: nobody waits for that.
    @Test(arguments: ["check-config", "serve"]) func aFileThatIsAPipe(_ command: String) throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/pipe"
        try #require(mkfifo(path, 0o600) == 0)
        let run = try Shell("timeout 20 eye \(command) --config \(path)")
        #expect(run.code == 2 && run.error.contains("cannot be read: it is a named pipe"), "\(run.error)")
    }

    @Test func checkConfig() throws {
        let folder = try TemporaryFolder()
        let path = try write("tcp = localhost:0\nhttp = off\n", folder)
        let fine = try CommandRun(["check-config", "--config", path])
        #expect(fine.code == 0 && fine.out == "\(path): fine\n" && fine.error.isEmpty)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["eye.conf"])
        #expect(try CommandRun(["check-config"]).out == "settings: fine\n")
        for (arguments, message) in [
            (["--config", "\(folder.path)/none"], "the configuration file cannot be read: open: No such file"),
            (["--config", folder.path], "the configuration file cannot be read: it is a folder"),
            (["--config", path, "--only", "http"], "leaves nothing to serve"),
            (["--tcp", "no.such.host.invalid:1"], "'no.such.host.invalid:1': "),
        ] {
            let run = try CommandRun(["check-config"] + arguments)
            #expect(run.code == 2 && run.out.isEmpty)
            #expect(run.error.contains(message), "\(run.error)")
        }
        try Data([0xFF, 0x0A]).write(to: URL(filePath: path))
        #expect(try CommandRun(["check-config", "--config", path]).error.contains("is UTF-8 text of at most"))
    }

    /// Settings that are right one by one and wrong together: each fault says where it comes from, whoever is asked, and nothing is started.
    @Test(arguments: [["check-config"], ["serve"], ["serve", "--print-config"]])
    func settingsThatDoNotFit(_ command: [String]) throws {
        let folder = try TemporaryFolder()
        let path = try write(
            "data = \(folder.path)/none\nhttp = :9\nretain-bytes = 64M\ntcp = 127.0.0.1:9\n"
                + "cors-origins = https://a.example,HTTPS://b/,*\nstatus = 127.0.0.1:10\n", folder)
        let run = try CommandRun(
            command + ["--config", path, "--status", "127.0.0.1:9"], environment: ["EYE_UDP": "127.0.0.1:9"])
        #expect(run.code == 2 && run.out.isEmpty)
        let rule = "is no origin: write https://HOST or http://HOST:PORT, in lower case, without a path"
        let expected = [
            "\(path):2: http: ':9' is taken by 'tcp = 127.0.0.1:9' already",
            "\(path):3: retain-bytes: '64M' is not at least 4 times --segment-bytes, which is 128M",
            "\(path):5: cors-origins: 'HTTPS://b/' \(rule)", "\(path):5: cors-origins: '*' \(rule)",
            "--status: '127.0.0.1:9' is taken by 'tcp = 127.0.0.1:9' already",
        ]
        let name = "eye \(command[0])"
        #expect(run.error == expected.map { "\(name): \($0) (see '\(name) --help')\n" }.joined())
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["eye.conf"])
    }

    /// What would end a start is told by the check, and before anything is made.
    @Test func aDataFolderThatCannotBe() throws {
        let folder = try TemporaryFolder()
        let path = try write("", folder)
        for command in [["check-config"], ["serve"]] {
            let file = try CommandRun(command + ["--data", path])
            #expect(
                file.code == 4 && file.error.hasPrefix("eye: \(path) is a plain file where a folder"), "\(file.error)")
            #expect(file.out.isEmpty)
        }
        // 94 bytes, "/control.sock" and a NUL are the 108 of sockaddr_un.
        let name = String(repeating: "d", count: 95 - folder.path.utf8.count - 1)
        for command in [["check-config"], ["check-config", "--only", "http"], ["serve"], ["serve", "--print-config"]] {
            let long = try CommandRun(command + ["--data", "\(folder.path)/\(name)"])
            #expect(long.code == 2 && long.error.contains("--data: a path of 95 bytes leaves no room"), "\(long.error)")
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["eye.conf"])
        let fits = "\(folder.path)/\(name.dropLast())"
        #expect(try CommandRun(["check-config", "--data", fits]).code == 0)
        let served = try ServedStore(fits)
        #expect(try served.isReady(), "\(served.log)")
        #expect(served.stop() == 0)
    }

    /// What a start would meet in the data folder, without a start: its accounts, and the version of its store.
    @Test func whatAStartWouldMeet() throws {
        let folder = try TemporaryFolder()
        let data = "\(folder.path)/data"
        let served = try ServedStore(data)
        #expect(try served.isReady())
        let check = ["check-config", "--data", data]
        // A running service is nothing to complain of.
        let fine = try CommandRun(check)
        #expect(fine.code == 0 && fine.error.isEmpty, "\(fine.error)")
        #expect(served.stop() == 0)
        func spoiled(_ name: String, _ change: (inout Data) -> Void) throws {
            let place = URL(filePath: "\(data)/\(name)")
            let before = try Data(contentsOf: place)
            var bytes = before
            change(&bytes)
            try bytes.write(to: place)
            let run = try CommandRun(check)
            let start = try ServedStore(data)
            #expect(start.wait() == 4)
            #expect(run.code == 4 && run.out.isEmpty && run.error == start.log, "\(run.error)\(start.log)")
            try before.write(to: place)
            chmod(place.path, 0o600)
        }
        try spoiled("accounts") { $0.append(0x78) }
        try spoiled("accounts") { $0 = Data("eye-accounts 99\n".utf8) }
        try spoiled("watermark") { mark in
            for slot in [0, 512] {
                mark[slot + 4] = 9
                let crc = mark[slot..<(slot + 60)].withUnsafeBytes { Checksum.crc32c($0) }
                for index in 0..<4 { mark[slot + 60 + index] = UInt8(truncatingIfNeeded: crc >> UInt32(8 * index)) }
            }
        }
        #expect(try CommandRun(check).code == 0)
        // Who only reads waits for accounts that can be read.
        try Data("x".utf8).write(to: URL(filePath: "\(data)/accounts"))
        #expect(try CommandRun(check + ["--only", "http"]).code == 0)
        let nowhere = try CommandRun(["check-config", "--data", "\(folder.path)/none/data"])
        #expect(nowhere.code == 4 && nowhere.error.contains("\(folder.path)/none cannot be used"), "\(nowhere.error)")
    }

    @Test(.enabled(if: ServedStore.canMountReadOnly, "needs a mount namespace: unshare -rm"))
    func aReadOnlyDataFolder() throws {
        let folder = try TemporaryFolder()
        _ = try TestEvents.token(folder)
        for (side, code) in [("", 4), ("--only http", 0)] as [(String, Int32)] {
            let run = try Shell(
                "unshare -rm sh -c 'mount --bind $0 $0 && mount -o remount,bind,ro $0 && eye check-config --data $0 \(side)' "
                    + folder.path)
            #expect(run.code == code, "\(run.out)\(run.error)")
            if code == 4 {
                let said = "eye: \(folder.path) cannot be used (access: Read-only file system); its file system is"
                #expect(run.out.isEmpty && run.error.hasPrefix(said), "\(run.error)")
            }
        }
    }

    /// What one side does not do is no fault of its settings; nothing to do is.
    @Test func settingsOfOneSide() throws {
        let same = ["--tcp", "127.0.0.1:9", "--http", "127.0.0.1:9"]
        for (arguments, problem) in [
            (same, "--http: '127.0.0.1:9' is taken by 'tcp = 127.0.0.1:9' already"),
            (same + ["--only", "http"], nil), (same + ["--only", "ingest"], nil),
            (["--tcp", "127.0.0.1:0", "--http", "127.0.0.1:0"], nil),
            (["--tcp", "[::1]:9", "--http", "127.0.0.1:9"], nil),
            (["--tcp", "0.0.0.0:9", "--http", "127.0.0.1:9"], "is taken by"),
            (["--tcp", "0.0.0.0:9", "--http", "[::]:9"], "is taken by"),
            (["--tcp", "[::]:9", "--http", "127.0.0.1:9"], "is taken by"),
            (["--tcp", "0.0.0.0:9", "--http", "[::1]:9"], nil),
            (["--only", "http", "--http", "off"], "--only: 'http' together with 'http = off' leaves nothing to serve"),
            (["--only", "ingest", "--http", "off", "--status", "127.0.0.1:9"], nil),
            (["--http", "off", "--status", "127.0.0.1:9"], "--status: with 'http = off' there is no HTTP service"),
        ] as [([String], String?)] {
            for command in [["check-config"], ["serve", "--print-config"]] {
                let run = try CommandRun(command + arguments)
                #expect(run.code == (problem == nil ? 0 : 2), "\(arguments): \(run.error)")
                #expect(problem.map { run.error.contains($0) } ?? run.error.isEmpty, "\(arguments): \(run.error)")
            }
        }
    }

    /// The access log is off, on after SIGHUP, and shows no query; a faulty file changes nothing.
    @Test func hangupReadsTheSettingsAgain() throws {
        let folder = try TemporaryFolder()
        let path = try write("log-format = text\n", folder)
        let eye = try ServedEye(nil, only: .http, ["--config", path])
        func reload(_ text: String, until: String) throws {
            let marks = try eye.errorOutput.components(separatedBy: until).count
            _ = try write(text, folder)
            eye.hangUp()
            try wait("'\(until)' in \(try eye.errorOutput)") {
                try eye.errorOutput.components(separatedBy: until).count > marks
            }
        }
        _ = try eye.call("GET", "/-/healthy?before=1")
        #expect(try eye.errorOutput.isEmpty)
        try reload("log-format = json\naccess-log = yes\nmax-future = 7s\n", until: "settings read again")
        #expect(try eye.errorOutput.contains(#""settings":"max-future""#))
        _ = try eye.call("GET", "/-/healthy?token=secret")
        _ = try eye.call("GET", "/%1B%5B31m/\u{202E}")
        try wait("the access log") { try eye.errorOutput.split(separator: "\n").count >= 4 }
        let log = try eye.errorOutput
        let line = try #require(log.split(separator: "\n").first { $0.contains("/-/healthy") })
        let entry = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: String])
        #expect(entry["path"] == "/-/healthy" && entry["status"] == "200" && entry["method"] == "GET")
        #expect(entry["peer"] == "127.0.0.1" && Int(entry["milliseconds"] ?? "") != nil)
        #expect(!log.contains("secret") && !log.contains("\u{1B}") && !log.contains("\u{202E}"))
        try reload("acess-log = no\n", until: "the settings stay as they are")
        #expect(try eye.errorOutput.contains("did you mean access-log?"))
        _ = try eye.call("GET", "/-/healthy?after=1")
        try wait("it still logs") { try eye.errorOutput.components(separatedBy: "\"/-/healthy\"").count == 3 }
        // Settings that are right one by one and would not start together: every fault is told, and nothing is taken over.
        try reload(
            "cors-origins = nonsense\nretain-bytes = 1M\naccess-log = no\n", until: "'1M' is not at least 4 times")
        #expect(try eye.errorOutput.contains("eye.conf:1: cors-origins: 'nonsense' is no origin"))
        #expect(try eye.errorOutput.components(separatedBy: "settings read again").count == 2)
        _ = try eye.call("GET", "/-/healthy?after=2")
        try wait("it logs as before") { try eye.errorOutput.components(separatedBy: "\"/-/healthy\"").count == 4 }
        try reload("", until: "settings read again")
        #expect(try eye.errorOutput.hasSuffix("changed=log-format,access-log\n"))
        try FileManager.default.removeItem(atPath: path)
        try #require(mkfifo(path, 0o600) == 0)
        eye.hangUp()
        try wait("a fault") { try eye.errorOutput.contains("it is a named pipe") }
        #expect(eye.end(SIGTERM) == 0)
    }
}

/// The socket of a service manager.
final class NotifyEar {
    /// The value of NOTIFY_SOCKET.
    let name: String
    private let number: Int32
    private let folder: TemporaryFolder

    init(isAbstract: Bool) throws {
        folder = try TemporaryFolder()
        name = isAbstract ? "@eye-\(UUID().uuidString)" : "\(folder.path)/notify"
        number = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = isAbstract ? [0] + name.utf8.dropFirst() : Array(name.utf8)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let size = socklen_t(2 + bytes.count + (isAbstract ? 0 : 1))
        let failed = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(number, $0, size) }
        }
        guard failed == 0 else { throw WaitedInVain(what: "bind \(name)") }
    }

    deinit { close(number) }

    /// The next message; empty after half a minute.
    func next() -> [String] {
        var wanted = pollfd(fd: number, events: Int16(POLLIN), revents: 0)
        guard poll(&wanted, 1, 30_000) == 1 else { return [] }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = recv(number, &bytes, bytes.count, 0)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self).split(separator: "\n").map(String.init)
    }
}

/// What a service manager is told.
@Suite(.timeLimit(.minutes(2))) struct ServiceManagerTests {
    @Test(arguments: [false, true]) func notifications(isAbstract: Bool) throws {
        let ear = try NotifyEar(isAbstract: isAbstract)
        let folder = try TemporaryFolder()
        #expect(try CommandRun(["init", "--data", folder.path]).code == 0)
        let served = try ServedStore(
            folder.path, ServedStore.both, environment: ["NOTIFY_SOCKET": ear.name, "WATCHDOG_USEC": "4000000"])
        let ready = ear.next()
        #expect(ready.first == "READY=1")
        #expect(ready.last?.wholeMatch(of: #/STATUS=serving HTTP 127\.0\.0\.1:[0-9]+/#) != nil)
        #expect(ear.next() == ["WATCHDOG=1"])
        kill(served.process.processIdentifier, SIGHUP)
        var reloading = ear.next()
        if reloading == ["WATCHDOG=1"] { reloading = ear.next() }
        try #require(reloading.count == 3 && reloading[0] == "RELOADING=1")
        let moment = Int64(reloading[1].dropFirst("MONOTONIC_USEC=".count)) ?? 0
        #expect(abs(Int64(SystemTime().monotonicNanoseconds() / 1000) - moment) < 30_000_000)
        #expect(ear.next() == ["READY=1", "STATUS=serving"])
        served.process.terminate()
        var stopping = ear.next()
        if stopping == ["WATCHDOG=1"] { stopping = ear.next() }
        #expect(stopping == ["STOPPING=1", "STATUS=storing what was received"])
        #expect(served.wait() == 0)
        #expect(!served.out.contains("admin password"))
    }

    /// One reload after the other: the watchdog is fed all the same.
    @Test func signalsDoNotKeepTheManagerWaiting() throws {
        let ear = try NotifyEar(isAbstract: true)
        let folder = try TemporaryFolder()
        #expect(try CommandRun(["init", "--data", folder.path]).code == 0)
        let served = try ServedStore(
            folder.path, ServedStore.both, environment: ["NOTIFY_SOCKET": ear.name, "WATCHDOG_USEC": "1000000"])
        var told = ear.next()
        while !told.isEmpty, told != ["WATCHDOG=1"] {
            if told.first == "READY=1" { kill(served.process.processIdentifier, SIGHUP) }
            told = ear.next()
        }
        #expect(told == ["WATCHDOG=1"])
        #expect(served.log.contains("settings read again"))
        #expect(served.stop() == 0)
    }

    /// A journal would keep the first secrets: they are made by `eye init`, once, and it says so.
    @Test func firstSecretsGoToNoJournal() throws {
        let folder = try TemporaryFolder()
        let ear = try NotifyEar(isAbstract: true)
        let served = try ServedStore(folder.path, ServedStore.both, environment: ["NOTIFY_SOCKET": ear.name])
        #expect(served.wait() == 4)
        #expect(served.log.contains("eye init --data \(folder.path)") && served.out.isEmpty)
        let first = try CommandRun(["init", "--data", folder.path])
        #expect(first.code == 0 && first.out.contains("admin password") && first.out.contains("ingest token"))
        let again = try CommandRun(["init", "--data", folder.path])
        #expect(again.code == 1 && again.out.isEmpty && again.error.contains("has accounts already"))
    }

    /// A name that is no socket is told, and harms nothing.
    @Test func aNameThatIsNoSocket() throws {
        let folder = try TemporaryFolder()
        let served = try ServedStore(folder.path, ServedStore.both, environment: ["NOTIFY_SOCKET": "vsock:2:1"])
        #expect(try served.isReady())
        #expect(served.log.contains("the service manager cannot be told anything"))
        #expect(served.stop() == 0)
    }
}
