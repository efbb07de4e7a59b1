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

    private func replaceByDirectory(_ path: String) throws {
        try FileManager.default.removeItem(atPath: path)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    }

    /// The start ends with code 4, names the place, and leaves every other file as it was.
    @Test(arguments: ["LOCK", "watermark", "accounts"]) func aDirectoryInPlaceOfAFile(_ name: String) throws {
        let (folder, _) = try filled()
        try replaceByDirectory("\(folder.path)/\(name)")
        let before = try content(folder.path)
        let served = try ServedStore(folder.path)
        #expect(served.wait() == 4)
        #expect(served.log.contains(folder.path), "\(served.log)")
        #expect(try content(folder.path)[Self.segment] == before[Self.segment])
    }

    @Test func aFileInPlaceOfADirectory() throws {
        let (folder, _) = try filled()
        try FileManager.default.moveItem(atPath: "\(folder.path)/log", toPath: "\(folder.path)/log-away")
        try Data("x".utf8).write(to: URL(filePath: "\(folder.path)/log"))
        let served = try ServedStore(folder.path)
        #expect(served.wait() == 4)
        #expect(try String(contentsOfFile: "\(folder.path)/log", encoding: .utf8) == "x")
        #expect(try CommandRun(["verify", "--data", folder.path]).code == 4)
        // The data folder itself.
        let file = "\(folder.path)/log"
        #expect(try ServedStore(file).wait() == 4)
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

    /// The only segment is gone, empty, a directory, or another file: the start says so, takes new events above the old ids, and touches
    /// nothing of what it found.
    @Test(arguments: ["missing", "empty", "directory", "foreign"]) func aSpoiledSegment(_ how: String) throws {
        let (folder, token) = try filled()
        let path = "\(folder.path)/\(Self.segment)"
        switch how {
        case "missing": try FileManager.default.removeItem(atPath: path)
        case "empty": truncate(path, 0)
        case "directory": try replaceByDirectory(path)
        default: try Data(repeating: 0x41, count: 5_000).write(to: URL(filePath: path))
        }
        let found = FileManager.default.contents(atPath: path)
        let verify = try CommandRun(["verify", "--data", folder.path])
        #expect(verify.code == 4 && verify.out.contains("events 1 to 10 may be lost"), "\(how): \(verify.out)")
        let served = try ServedStore(folder.path)
        #expect(try served.isReady(), "\(how): \(served.log)")
        #expect(served.log.contains("damage in the log"), "\(how): \(served.log)")
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
        let reader = try ServedStore(
            folder.path, ["--only", "http", "--http", "127.0.0.1:0"])
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
}
