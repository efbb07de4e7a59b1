import Foundation
import Testing

/// `eye backup` and `eye verify` on real folders, beside the running service.
@Suite(.timeLimit(.minutes(3))) struct BackupCommandTests {
    @Test func aBackupUnderLoadHoldsExactlyWhatWasDurable() throws {
        let folder = try TemporaryFolder()
        let token = try TestEvents.token(folder)
        let served = try ServedStore(folder.path, ServedStore.ingestOnly + ["--segment-bytes", "1M"])
        #expect(try served.isReady())
        let total = 2_000
        let sender = try RunningSender(
            folder.path, token: token, client: "till", lines: TestEvents.lines(1...total, padding: 4_000), rate: 1_000)
        let log = "\(folder.path)/log"
        while try FileManager.default.contentsOfDirectory(atPath: log).count(where: { $0.hasSuffix(".log") }) < 3 {
            usleep(5000)
        }
        let copies = try TemporaryFolder()
        let copy = "\(copies.path)/copy"
        // Verifying beside the writer finds nothing wrong, either.
        let verify = try CommandRun(["verify", "--data", folder.path])
        #expect(verify.code == 0 && verify.out.contains("The service is running"), "\(verify.out)\(verify.error)")
        let run = try CommandRun(["backup", copy, "--data", folder.path])
        #expect(run.code == 0, "\(run.out)\(run.error)")
        let words = try #require(run.out.split(separator: "up to id ").last?.split(separator: ";").first)
        let last = try #require(Int(words))
        #expect(last > 0 && last <= total)
        #expect(try TestEvents.stored(copy).map(\.id) == Array(1...last))
        #expect(try TestEvents.stored(copy).map(\.number) == Array(1...last))

        // A service on the copy: the same events, the same accounts, and the next id.
        let restored = try ServedStore(copy)
        #expect(try restored.isReady())
        #expect(try TestEvents.send(copy, token: token, TestEvents.lines(9_999...9_999)) == 0)
        #expect(try TestEvents.stored(copy).map(\.number) == Array(1...last) + [9_999])
        #expect(restored.stop() == 0)
        #expect(try CommandRun(["verify", "--data", copy]).code == 0)

        // The original has felt nothing.
        #expect(sender.wait() == 0, "\(sender.error)")
        #expect(served.stop() == 0)
        #expect(try TestEvents.stored(folder.path).map(\.number) == Array(1...total))

        let again = try CommandRun(["backup", copy, "--data", folder.path])
        #expect(again.code == 1 && again.error.contains("is not empty"))
        let nowhere = try CommandRun(["backup", "\(copies.path)/x", "--data", "/none/data"])
        #expect(nowhere.code == 4 && nowhere.error.contains("there is no data folder"))
    }

    @Test func verifyNamesDamageAndRepairsIndexes() throws {
        let folder = try TemporaryFolder()
        let token = try TestEvents.token(folder)
        let served = try ServedStore(folder.path)
        #expect(try served.isReady())
        #expect(try TestEvents.send(folder.path, token: token, TestEvents.lines(1...1)) == 0)
        let locked = try CommandRun(["verify", "--repair-index", "--data", folder.path])
        #expect(locked.code == 4 && locked.error.contains("in use by another eye"))
        #expect(served.stop() == 0)
        // Segments that nobody seals.
        try TestEvents.write(folder.path, 2...400, padding: 6_000)
        for name in try FileManager.default.contentsOfDirectory(atPath: "\(folder.path)/index") {
            try Data("garbage".utf8).write(to: URL(filePath: "\(folder.path)/index/\(name)"))
        }
        try Data("garbage".utf8).write(to: URL(filePath: "\(folder.path)/index/00000000000000000001.idx"))
        let found = try CommandRun(["verify", "--data", folder.path])
        #expect(found.code == 4 && found.out.contains("DAMAGE: index/"), "\(found.out)")
        #expect(try CommandRun(["verify", "--repair-index", "--data", folder.path]).code == 0)
        #expect(try CommandRun(["verify", "--data", folder.path]).code == 0)
        #expect(try TestEvents.stored(folder.path).map(\.number) == Array(1...400))

        let path = "\(folder.path)/log/00000000000000000001.log"
        try flip(path, at: 300_000)
        let run = try CommandRun(["verify", "--json", "--data", folder.path])
        #expect(run.code == 4 && run.error.isEmpty)
        let object = try #require(
            try JSONSerialization.jsonObject(with: Data(run.out.utf8)) as? [String: Any])
        #expect(object["status"] as? String == "damaged")
        let findings = try #require(object["findings"] as? [[String: Any]])
        let place = try #require(findings.first { $0["part"] as? String == "log" })
        #expect(place["file"] as? String == "log/00000000000000000001.log")
        let (first, last) = (place["first_event_id"] as? Int ?? 0, place["last_event_id"] as? Int ?? 0)
        let shown = Set(try TestEvents.stored(folder.path).map(\.id))
        #expect(first > 0 && last >= first)
        #expect(Set(1...400).subtracting(shown) == Set(first...max(first, last)))
    }

    @Test func verifyNamesDamageInSealedSegments() throws {
        let folder = try TemporaryFolder()
        let token = try TestEvents.token(folder)
        let served = try ServedStore(folder.path, ServedStore.ingestOnly + ["--segment-bytes", "1M"])
        #expect(try served.isReady())
        for batch in 0..<4 {
            let numbers = (batch * 100 + 1)...(batch * 100 + 100)
            #expect(try TestEvents.send(folder.path, token: token, TestEvents.lines(numbers, padding: 6_000)) == 0)
        }
        let sealed = "\(folder.path)/sealed"
        while try FileManager.default.contentsOfDirectory(atPath: "\(folder.path)/log").count > 1 { usleep(20_000) }
        #expect(served.stop() == 0)
        let whole = try CommandRun(["verify", "--data", folder.path])
        #expect(whole.code == 0 && whole.out.contains("400 events (1 to 400)"), "\(whole.out)")
        #expect(try TestEvents.stored(folder.path).map(\.number) == Array(1...400))
        let name = try #require(try FileManager.default.contentsOfDirectory(atPath: sealed).sorted().first)
        // Its first blocks are those of the first rows.
        try flip("\(sealed)/\(name)", at: 200)
        let run = try CommandRun(["verify", "--json", "--data", folder.path])
        #expect(run.code == 4 && run.error.isEmpty)
        let object = try #require(try JSONSerialization.jsonObject(with: Data(run.out.utf8)) as? [String: Any])
        let findings = try #require(object["findings"] as? [[String: Any]])
        let place = try #require(findings.first { $0["part"] as? String == "sealed" })
        #expect(place["file"] as? String == "sealed/\(name)")
        let (first, last) = (place["first_event_id"] as? Int ?? 0, place["last_event_id"] as? Int ?? 0)
        let shown = Set(try TestEvents.stored(folder.path).map(\.id))
        #expect(first == 1 && last >= first && last < 400)
        #expect(Set(1...400).subtracting(shown) == Set(first...max(first, last)))
    }

    @Test func whatVerifyNeeds() throws {
        let missing = try CommandRun(["verify", "--data", "/none/data"])
        #expect(missing.code == 4 && missing.error.contains("there is no data folder"))
    }

    /// The mount point of a volume that is not there, another one's folder, and what only looks like ours are no empty stores.
    @Test(arguments: [[], ["log/syslog", "LOCK", "sealed/x.seg"]]) func aFolderThatIsNone(_ files: [String]) throws {
        let home = try TemporaryFolder()
        let (data, copy) = ("\(home.path)/data", "\(home.path)/copy")
        try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: false)
        for file in files {
            let path = URL(filePath: "\(data)/\(file)")
            try FileManager.default.createDirectory(
                at: path.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data("x".utf8).write(to: path)
        }
        for arguments in [
            ["verify"], ["verify", "--repair-index"], ["backup", copy], ["query"], ["query", "--count"],
            ["export", "-o", copy], ["stats", "count"], ["tail"], ["tail", "--once"], ["erase", "event", "1"],
        ] {
            let run = try CommandRun(arguments + ["--data", data])
            #expect(run.code == 4 && run.out.isEmpty, "\(arguments): \(run.out)")
            #expect(run.error.hasPrefix("eye: \(data) is no data folder of eye"), "\(arguments): \(run.error)")
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: home.path) == ["data"])
        #expect(try FileManager.default.contentsOfDirectory(atPath: data).count == files.count)
    }

    /// One in which there is no event yet is a data folder, and so is its copy; and a log alone.
    @Test func aFolderWithoutEventsIsOne() throws {
        let home = try TemporaryFolder()
        let data = "\(home.path)/data"
        #expect(try CommandRun(["init", "--data", data]).code == 0)
        func check(_ folder: String) throws {
            let verify = try CommandRun(["verify", "--data", folder])
            #expect(verify.code == 0 && verify.out.contains("no events"), "\(verify.out)\(verify.error)")
            #expect(try CommandRun(["query", "--count", "--data", folder]).out == "0\n")
        }
        try check(data)
        #expect(try CommandRun(["backup", "\(home.path)/first", "--data", data]).code == 0)
        try check("\(home.path)/first")
        let served = try ServedStore(data)
        #expect(try served.isReady())
        #expect(served.stop() == 0)
        try check(data)
        #expect(try CommandRun(["backup", "\(home.path)/second", "--data", data]).code == 0)
        try check("\(home.path)/second")
        for name in ["accounts", "watermark"] { try FileManager.default.removeItem(atPath: "\(data)/\(name)") }
        try check(data)
    }
}

/// Flips a bit of a file.
func flip(_ path: String, at offset: UInt64) throws {
    let file = try FileHandle(forUpdating: URL(filePath: path))
    try file.seek(toOffset: offset)
    let byte = try #require(try file.read(upToCount: 1)?.first)
    try file.seek(toOffset: offset)
    try file.write(contentsOf: Data([byte ^ 0x10]))
    try file.close()
}
