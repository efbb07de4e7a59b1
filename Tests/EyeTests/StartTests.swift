import EyeStore
import EyeSystem
import Foundation
import Testing

/// Data folders as they should not be: `eye serve` ends with the promised code, or starts and says what it lacks; nothing is overwritten.
@Suite(.timeLimit(.minutes(4))) struct StartTests {
    /// A folder with ten events, its service stopped or killed.
    private func filled(kill: Bool = false) throws -> (folder: TemporaryFolder, token: String) {
        let folder = try TemporaryFolder()
        let token = try TestEvents.token(folder)
        let served = try ServedStore(folder.path)
        #expect(try served.isReady())
        #expect(try TestEvents.send(folder.path, token: token, TestEvents.lines(1...10)) == 0)
        if kill { served.kill() } else { #expect(served.stop() == 0) }
        return (folder, token)
    }

    private static let httpOnly = ["--only", "http", "--http", "127.0.0.1:0"]
    private static let segment = "log/00000000000000000001.log"

    /// Every file and its content.
    private func content(_ folder: String) throws -> [String: Data] {
        var files: [String: Data] = [:]
        for name in try FileManager.default.subpathsOfDirectory(atPath: folder) {
            var about = stat()
            guard lstat("\(folder)/\(name)", &about) == 0, about.st_mode & S_IFMT == S_IFREG else { continue }
            files[name] = try Data(contentsOf: URL(filePath: "\(folder)/\(name)"))
        }
        return files
    }

    /// Something of another kind where a file, a folder or a socket of the store belongs: the start ends with code 4 and one line that names the
    /// place and what to do, and leaves everything as it was.
    @Test(arguments: [
        "LOCK", "watermark", "accounts", "accounts.lock", "token-use", "log", "index", "sealed", "rejected",
        "rejected/log", "rejected/watermark", "ingest.sock", "control.sock",
    ])
    func somethingElseIsThere(_ name: String) throws {
        let (folder, _) = try filled()
        let path = "\(folder.path)/\(name)"
        let isFile = ["log", "index", "sealed", "rejected", "rejected/log", "ingest.sock", "control.sock"].contains(
            name)
        if FileManager.default.fileExists(atPath: path) {
            try FileManager.default.moveItem(atPath: path, toPath: "\(folder.path)/away")
        }
        if isFile {
            try Data("x".utf8).write(to: URL(filePath: path))
        } else {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        }
        let before = try content(folder.path)
        let served = try ServedStore(folder.path)
        #expect(served.wait() == 4)
        let kind = isFile ? "a plain file" : "a folder"
        #expect(served.log.hasPrefix("eye: \(path) is \(kind) where a"), "\(served.log)")
        #expect(served.log.contains("move it away") && served.log.filter { $0 == "\n" }.count == 1, "\(served.log)")
        #expect(served.out.isEmpty)
        #expect(try content(folder.path) == before)
    }

    /// The same of segments, indexes and what is made on the way; of pipes, for whose other end nobody waits; and of links to nothing.
    @Test func somethingElseIsThereToo() throws {
        let (folder, _) = try filled()
        let number = "00000000000000000001"
        // The last one: what `eye verify`, which never waits either, ends with.
        for (name, kind, verified) in [
            ("log/\(number).log", "a folder", 4), ("log/\(number).log", "a named pipe", 4),
            ("log/\(number).log.new", "a folder", 0), ("sealed/\(number)-\(number).seg", "a named pipe", 4),
            ("index/\(number).idx", "a folder", 0), ("rejected/log/\(number).log", "a named pipe", 4),
            ("accounts", "a named pipe", 4), ("accounts.tmp", "a folder", 0), ("watermark", "a named pipe", 4),
            ("LOCK", "a named pipe", 0), ("log", "a link to nothing", 4),
        ] as [(String, String, Int32)] {
            let (path, away) = ("\(folder.path)/\(name)", "\(folder.path)/away")
            let wasThere = FileManager.default.fileExists(atPath: path)
            if wasThere { try FileManager.default.moveItem(atPath: path, toPath: away) }
            switch kind {
            case "a folder": #expect(mkdir(path, 0o700) == 0)
            case "a named pipe": #expect(mkfifo(path, 0o600) == 0)
            default: #expect(symlink("nowhere", path) == 0)
            }
            let before = try content(folder.path)
            let served = try ServedStore(folder.path)
            #expect(served.wait() == 4)
            #expect(served.log.hasPrefix("eye: \(path) is \(kind) where a"), "\(served.log)")
            #expect(served.out.isEmpty)
            #expect(try content(folder.path) == before)
            if name == "accounts.tmp" {
                let run = try CommandRun(["token", "add", "t", "--scope", "read", "--data", folder.path])
                let said = "\(path): unlink: Is a directory; it is no"
                #expect(run.code == 4 && run.error.contains(said), "\(run.error)")
            }
            let verify = try CommandRun(["verify", "--data", folder.path])
            #expect(verify.code == verified, "\(name): \(verify.out)\(verify.error)")
            remove(path)
            if wasThere { try FileManager.default.moveItem(atPath: away, toPath: path) }
        }
    }

    @Test func aFileInPlaceOfADirectory() throws {
        let (folder, _) = try filled()
        try FileManager.default.moveItem(atPath: "\(folder.path)/log", toPath: "\(folder.path)/log-away")
        try Data("x".utf8).write(to: URL(filePath: "\(folder.path)/log"))
        let verify = try CommandRun(["verify", "--data", folder.path])
        #expect(verify.code == 4 && verify.error.contains("\(folder.path)/log is a plain file where a folder"))
        // The data folder itself.
        let served = try ServedStore("\(folder.path)/log")
        #expect(served.wait() == 4 && served.log.contains("/log is a plain file where a folder"), "\(served.log)")
        #expect(try String(contentsOfFile: "\(folder.path)/log", encoding: .utf8) == "x")
    }

    /// What others may open is told in one line, and left as it is.
    @Test func openPermissionsAreTold() throws {
        let (folder, _) = try filled()
        func warnings(_ text: String) -> [Substring] {
            text.split(separator: "\n").filter { $0.contains("the group or others may open") }
        }
        let closed = try ServedStore(folder.path)
        #expect(try closed.isReady())
        #expect(closed.stop() == 0 && warnings(closed.log).isEmpty, "\(closed.log)")
        let check = ["check-config", "--data", folder.path]
        #expect(try CommandRun(check).error.isEmpty)
        chmod(folder.path, 0o755)
        chmod("\(folder.path)/accounts", 0o640)
        let served = try ServedStore(folder.path)
        #expect(try served.isReady())
        #expect(served.stop() == 0)
        let places = "may open \(folder.path) (0755), \(folder.path)/accounts (0640): "
        #expect(warnings(served.log).count == 1 && served.log.contains(places), "\(served.log)")
        let checked = try CommandRun(check)
        #expect(checked.code == 0 && checked.out == "settings: fine\n")
        #expect(warnings(checked.error).count == 1 && checked.error.hasPrefix("eye: warning: the group"))
        var about = stat()
        #expect(stat(folder.path, &about) == 0 && about.st_mode & 0o777 == 0o755)
    }

    /// New credentials for a store that is not new are no silent matter.
    @Test func accountsThatAreGone() throws {
        let (folder, token) = try filled()
        let fresh = try TemporaryFolder()
        let first = try CommandRun(["init", "--data", fresh.path])
        #expect(first.code == 0 && first.error.isEmpty && first.out.hasPrefix("First start."))
        try FileManager.default.removeItem(atPath: "\(folder.path)/accounts")
        // A service manager's start makes none, and says that some were there.
        let managed = try ServedStore(folder.path, environment: ["NOTIFY_SOCKET": "/nowhere"])
        #expect(managed.wait() == 4 && managed.log.contains("though the store has events"), "\(managed.log)")
        let served = try ServedStore(folder.path)
        #expect(try served.isReady())
        #expect(served.log.contains("the accounts file was missing beside a store with events"), "\(served.log)")
        #expect(served.out.contains("New credentials, because the accounts file was missing beside a store"))
        #expect(served.out.contains("admin password"))
        #expect(try TestEvents.send(folder.path, token: token, TestEvents.lines(11...11)) == 1)
        #expect(try TestEvents.stored(folder.path).count == 10)
        #expect(served.stop() == 0)
        try FileManager.default.removeItem(atPath: "\(folder.path)/accounts")
        let verify = try CommandRun(["verify", "--data", folder.path])
        #expect(verify.out.contains("note: accounts: it is missing beside a store with events"), "\(verify.out)")
        let made = try CommandRun(["init", "--data", folder.path])
        #expect(made.code == 0 && made.error.hasPrefix("eye: warning: the accounts file was missing"), "\(made.error)")
    }

    /// On a file system that is mounted read-only the HTTP side serves what is there; nothing is written, and the writing side says why it cannot.
    @Test(.enabled(if: ServedStore.canMountReadOnly, "needs a mount namespace: unshare -rm"))
    func aReadOnlyFileSystem() throws {
        let (folder, _) = try filled()
        let token = try TestEvents.readToken(folder)
        let password = "correct horse"
        try AccountFile(RealDisk(), folder: folder.path, time: SystemTime()).addUser(
            named: "u", password: Array(password.utf8), scopes: .read)
        let before = try content(folder.path)
        let served = try ServedStore(folder.path, Self.httpOnly, isReadOnly: true)
        try #require(try served.isReady(), "\(served.log)")
        // Nothing that cannot work is suggested.
        #expect(!served.out.contains("token add") && !served.out.contains("api-token-auth"), "\(served.out)")
        #expect(served.out.contains("This process may not write in \(folder.path): no token can be made here"))
        let login = try HTTPAnswer(
            of: "POST", "/api-token-auth/", at: served.httpPlace, fields: ["Content-Type: application/json"],
            body: Array(#"{"username":"u","password":"\#(password)"}"#.utf8))
        #expect(login.status == 503 && login["retry-after"] == nil)
        #expect(login.text.contains("this service may not write the accounts; use a token that was made before"))
        let list = try served.get("/events/", token: token)
        #expect(list.hasPrefix("HTTP/1.1 200") && list.contains(#""n":10,"#) && list.contains(#""n":1,"#), "\(list)")
        #expect(try served.get("/event_detail/3", token: token).hasPrefix("HTTP/1.1 200"))
        #expect(try served.get("/stats/count", token: token).contains(#"{"count":10}"#))
        #expect(try served.get("/sessions/", token: token).hasPrefix("HTTP/1.1 200"))
        #expect(try served.get("/-/ready").contains("no-ingest"))
        #expect(served.stop() == 0)
        let writer = try ServedStore(folder.path, isReadOnly: true)
        #expect(writer.wait() == 4 && writer.log.contains("Read-only file system"), "\(writer.log)")
        #expect(try content(folder.path) == before)
        // Nothing is there yet, and nothing can be made: it waits.
        let empty = try TemporaryFolder()
        let waiting = try ServedStore(empty.path, Self.httpOnly, isReadOnly: true)
        try #require(try waiting.isReady(), "\(waiting.log)")
        let ready = try waiting.get("/-/ready")
        #expect(ready.hasPrefix("HTTP/1.1 503"))
        #expect(ready.contains("no-accounts: nobody can log in; there are no accounts yet"), "\(ready)")
        #expect(waiting.stop() == 0 && waiting.log.contains("there are no accounts yet"), "\(waiting.log)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: empty.path).isEmpty)
    }

    /// Starts without it; every event is there, and the next one gets the next id.
    @Test(arguments: ["watermark", "index", "rejected", "token-use", "LOCK", "accounts.lock"])
    func whatIsDerivedMayBeMissing(_ name: String) throws {
        let (folder, token) = try filled(kill: true)
        if FileManager.default.fileExists(atPath: "\(folder.path)/\(name)") {
            try FileManager.default.removeItem(atPath: "\(folder.path)/\(name)")
        }
        let served = try ServedStore(folder.path)
        #expect(try served.isReady(), "\(served.log)")
        #expect(try TestEvents.send(folder.path, token: token, TestEvents.lines(11...11)) == 0)
        #expect(try TestEvents.stored(folder.path).map(\.id) == Array(1...11))
        #expect(served.stop() == 0)
        #expect(try CommandRun(["verify", "--data", folder.path]).code == 0)
    }

    @Test func anEmptyWatermarkIsWrittenAnew() throws {
        let (folder, _) = try filled()
        try Data().write(to: URL(filePath: "\(folder.path)/watermark"))
        #expect(try CommandRun(["verify", "--data", folder.path]).code == 4)
        let served = try ServedStore(folder.path)
        #expect(try served.isReady())
        #expect(try TestEvents.stored(folder.path).count == 10)
        #expect(served.stop() == 0)
        #expect(try CommandRun(["verify", "--data", folder.path]).code == 0)
    }

    /// Accounts that cannot be understood are never replaced.
    @Test(arguments: ["", "eye-accounts 99\n", "something else\n"]) func strangeAccounts(_ text: String) throws {
        let (folder, _) = try filled()
        try Data(text.utf8).write(to: URL(filePath: "\(folder.path)/accounts"))
        let served = try ServedStore(folder.path)
        #expect(served.wait() == 4)
        #expect(served.log.contains("\(folder.path)/accounts"))
        #expect(try String(contentsOfFile: "\(folder.path)/accounts", encoding: .utf8) == text)
        #expect(try CommandRun(["verify", "--data", folder.path]).code == 4)
    }

    /// The only segment is gone, empty, or another file: the start says so, takes new events above the old ids, and touches
    /// nothing of what it found.
    @Test(arguments: ["missing", "empty", "foreign"]) func aSpoiledSegment(_ how: String) throws {
        let (folder, token) = try filled()
        let path = "\(folder.path)/\(Self.segment)"
        switch how {
        case "missing": try FileManager.default.removeItem(atPath: path)
        case "empty": truncate(path, 0)
        default: try Data(repeating: 0x41, count: 5_000).write(to: URL(filePath: path))
        }
        let found = FileManager.default.contents(atPath: path)
        let verify = try CommandRun(["verify", "--data", folder.path])
        #expect(verify.code == 4 && verify.out.contains("events 1 to 10 may be lost"), "\(how): \(verify.out)")
        let served = try ServedStore(folder.path)
        #expect(try served.isReady(), "\(how): \(served.log)")
        #expect(served.log.contains("damage in the store"), "\(how): \(served.log)")
        #expect(try TestEvents.send(folder.path, token: token, TestEvents.lines(11...11)) == 0)
        let stored = try TestEvents.stored(folder.path)
        #expect(stored.map(\.number) == [11] && stored[0].id >= 11, "\(how): \(stored)")
        #expect(FileManager.default.contents(atPath: path) == found, "\(how)")
        #expect(served.stop() == 0)
    }

    @Test func filesOfOthersAreLeftAlone() throws {
        let (folder, _) = try filled()
        for name in ["log/notes.txt", "log/1.log", "index/x", "stranger"] {
            try Data("mine".utf8).write(to: URL(filePath: "\(folder.path)/\(name)"))
        }
        let served = try ServedStore(folder.path)
        #expect(try served.isReady())
        #expect(served.stop() == 0)
        for name in ["log/notes.txt", "log/1.log", "index/x", "stranger"] {
            #expect(try String(contentsOfFile: "\(folder.path)/\(name)", encoding: .utf8) == "mine")
        }
        let verify = try CommandRun(["verify", "--data", folder.path])
        #expect(verify.code == 0 && verify.out.contains("note: log/notes.txt: not a file of the store"))
    }

    @Test func anUnreadableSegment() throws {
        guard getuid() != 0 else {
            print("skipped: root may read everything; run this test as another user")
            return
        }
        let (folder, _) = try filled()
        chmod("\(folder.path)/\(Self.segment)", 0)
        #expect(try CommandRun(["verify", "--data", folder.path]).code == 4)
        let served = try ServedStore(folder.path)
        #expect(try served.isReady())
        #expect(served.log.contains("the disk could not read it"))
        #expect(served.stop() == 0)
    }

    @Test func aSecondWriterTouchesNothing() throws {
        let folder = try TemporaryFolder()
        let token = try TestEvents.token(folder)
        let served = try ServedStore(folder.path)
        #expect(try served.isReady())
        #expect(try TestEvents.send(folder.path, token: token, TestEvents.lines(1...10)) == 0)
        let before = try content(folder.path)
        let second = try ServedStore(folder.path)
        #expect(second.wait() == 4)
        #expect(second.log.contains("in use by another eye process"))
        #expect(try content(folder.path) == before)
        // The first one is still at home behind its sockets.
        #expect(try TestEvents.send(folder.path, token: token, TestEvents.lines(11...11)) == 0)
        // A dead process holds no lock.
        served.kill()
        let third = try ServedStore(folder.path)
        #expect(try third.isReady())
        #expect(try TestEvents.stored(folder.path).count == 11)
        #expect(third.stop() == 0)
    }

    /// Copied by other means while events come in: what is whole is served, nothing is made up, and the copy can be written.
    @Test func aFolderCopiedWhileRunning() throws {
        let folder = try TemporaryFolder()
        let token = try TestEvents.token(folder)
        let served = try ServedStore(folder.path, ServedStore.ingestOnly + ["--segment-bytes", "1M"])
        #expect(try served.isReady())
        let sender = try RunningSender(
            folder.path, token: token, client: "till", lines: TestEvents.lines(1...1_000, padding: 4_000), rate: 1_000)
        while try TestEvents.stored(folder.path).count < 300 { usleep(5000) }
        let copies = try TemporaryFolder()
        let copy = "\(copies.path)/copy"
        let cp = Process()
        cp.executableURL = URL(filePath: "/bin/cp")
        // Sockets cannot be copied: cp says so and copies the rest.
        cp.arguments = ["-r", folder.path, copy]
        cp.standardError = FileHandle.nullDevice
        try cp.run()
        cp.waitUntilExit()
        #expect(sender.wait() == 0)
        #expect(served.stop() == 0)
        let second = try ServedStore(copy)
        #expect(try second.isReady(), "\(second.log)")
        #expect(try TestEvents.send(copy, token: token, TestEvents.lines(5_000...5_000)) == 0)
        let stored = try TestEvents.stored(copy)
        #expect(stored.last?.number == 5_000)
        for event in stored.dropLast() { #expect(event.id == event.number) }
        #expect(stored.map(\.id) == Array(Set(stored.map(\.id))).sorted())
        #expect(second.stop() == 0)
    }

    @Test func aReaderBeforeTheFirstStart() throws {
        let folder = try TemporaryFolder()
        _ = try TestEvents.token(folder)
        let token = try TestEvents.readToken(folder)
        let reader = try ServedStore(folder.path, Self.httpOnly)
        #expect(try reader.isReady(), "\(reader.log)")
        let empty = try reader.get("/events/", token: token)
        #expect(empty.hasPrefix("HTTP/1.1 200") && !empty.contains(#""id""#), "\(empty)")
        let ready = try reader.get("/-/ready")
        #expect(ready.hasPrefix("HTTP/1.1 503") && ready.contains("no-ingest"))
        // The first start comes later: the reader finds what it writes.
        let served = try ServedStore(folder.path)
        #expect(try served.isReady())
        let secret = try TestEvents.send(folder.path, token: token, TestEvents.lines(1...1))
        #expect(secret == 1, "a token for reading does not write")
        while try !reader.get("/-/ready").hasPrefix("HTTP/1.1 200") { usleep(10_000) }
        #expect(served.stop() == 0)
        #expect(reader.stop() == 0)
    }

    /// A service manager's reader may come before there is a folder or an account: it waits for both.
    @Test func aReaderBeforeTheFirstAccounts() throws {
        let home = try TemporaryFolder()
        let data = "\(home.path)/data"
        let reader = try ServedStore(data, Self.httpOnly, environment: ["NOTIFY_SOCKET": "/nowhere"])
        try #require(try reader.isReady(), "\(reader.log)")
        #expect(reader.log.contains("there are no accounts yet"), "\(reader.log)")
        // No token can be added before there are accounts.
        #expect(reader.out.contains(" init --data \(data)\nTry it"), "\(reader.out)")
        #expect(try reader.get("/-/ready").contains("no-accounts: nobody can log in; there are no accounts yet"))
        #expect(try reader.get("/events/", token: "none").hasPrefix("HTTP/1.1 401"))
        #expect(try CommandRun(["init", "--data", data]).code == 0)
        let run = try CommandRun(["token", "add", "r", "--scope", "read", "--data", data])
        #expect(run.code == 0)
        #expect(try reader.get("/events/", token: String(run.out.dropLast())).hasPrefix("HTTP/1.1 200"))
        #expect(try !reader.get("/-/ready").contains("no-accounts"))
        #expect(reader.stop() == 0)
    }
}
