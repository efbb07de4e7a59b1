import EyeStore
import EyeSystem
import Foundation
import Testing

/// `eye user …` and `eye token …` as processes, on accounts that the library reads and the other way round.
@Suite struct AccountCommandTests {
    private let folder: TemporaryFolder
    private let file: AccountFile

    init() throws {
        folder = try TemporaryFolder()
        file = AccountFile(RealDisk(), folder: folder.path, time: SystemTime())
        _ = try file.firstStart()
    }

    private func run(_ arguments: String..., input: String = "") throws -> CommandRun {
        try CommandRun(arguments + ["--data", folder.path], input: input)
    }

    @Test func tokenAddPrintsTheTokenAndNothingElse() throws {
        let run = try run("token", "add", "web shop", "--scope", "ingest,read", "--expires", "90d")
        #expect(run.code == 0 && run.error.isEmpty)
        #expect(run.out.wholeMatch(of: /[0-9a-f]{40}\n/) != nil)
        let secret = Array(run.out.utf8.dropLast())
        let now = SystemTime().nowMicroseconds()
        let token = try #require(try file.load().token(matching: secret.span, now: now))
        #expect(token.name == "web shop" && token.scopes == [.ingest, .read])
        let life = try #require(token.expires) - now
        #expect(life > 89 * 86_400_000_000 && life <= 90 * 86_400_000_000)
        let again = try self.run("token", "add", "web shop")
        #expect(again.code == 1 && again.out.isEmpty && again.error.contains("a token \"web shop\" in use already"))
    }

    @Test func tokenListAndRevoke() throws {
        _ = try run("token", "add", "soon gone")
        let before = try run("token", "list").out.split(separator: "\n")
        #expect(before.count == 3)
        #expect(before[0].split(separator: " ").first == "ID")
        #expect(before[2].hasPrefix("2   soon gone  ingest") && before[2].hasSuffix("never     active"))
        var use = TokenUse()
        use.record(2, at: 1_700_000_000_000_000)
        try use.flush(RealDisk(), folder: folder.path)
        #expect(try run("token", "revoke", "soon gone").code == 0)
        let after = try run("token", "list").out.split(separator: "\n")
        #expect(after[2].hasSuffix("2023-11-14 22:13Z  revoked"))
        let again = try run("token", "revoke", "2")
        #expect(again.code == 1 && again.error.contains("revoked already"))
        #expect(try run("token", "revoke", "9").code == 1)
    }

    @Test func userLife() throws {
        let added = try run("user", "add", "ann", input: "secret one\n")
        #expect(added.code == 0 && added.out.isEmpty)
        #expect(
            try file.load().authenticate(user: "ann", password: Array("secret one".utf8))?.scopes == [.ingest, .read])
        #expect(try run("user", "add", "ann", input: "x\n").code == 1)
        let passwordPath = "\(folder.path)/password"
        try Data("secret two\r\n".utf8).write(to: URL(filePath: passwordPath))
        #expect(try run("user", "passwd", "ann", "--password-file", passwordPath).code == 0)
        #expect(try file.load().authenticate(user: "ann", password: Array("secret two".utf8)) != nil)
        #expect(try file.load().authenticate(user: "ann", password: Array("secret one".utf8)) == nil)
        let list = try run("user", "list").out.split(separator: "\n")
        #expect(list.count == 3 && list[2].hasPrefix("2   ann    ingest,read"))
        #expect(try run("user", "remove", "ann").code == 0)
        #expect(try run("user", "remove", "ann").code == 1)
        #expect(try run("user", "passwd", "ann", input: "x").code == 1)
    }

    @Test(arguments: [
        "", "\n", "one\ntwo\n", "nul\u{0}\n", String(repeating: "x", count: 512), String(repeating: "x", count: 9000),
    ])
    func badPasswords(input: String) throws {
        let run = try run("user", "add", "bob", input: input)
        #expect(run.code == 1 && run.error.contains("password"))
        #expect(try file.load().user(named: "bob") == nil)
    }

    /// Nobody could log in with it: JSON is UTF-8.
    @Test func aPasswordThatIsNoUTF8() throws {
        let passwordPath = "\(folder.path)/password"
        try Data([0x63, 0x61, 0x66, 0xE9, 0x0A]).write(to: URL(filePath: passwordPath))
        let run = try run("user", "add", "bob", "--password-file", passwordPath)
        #expect(run.code == 1 && run.error == "eye: a password is UTF-8 text of 1 to 511 bytes without NUL\n")
        #expect(try file.load().user(named: "bob") == nil)
    }

    @Test func missingPasswordFile() throws {
        let run = try run("user", "add", "bob", "--password-file", "/none/file")
        #expect(run.code == 1 && run.error.contains("/none/file: open: No such file or directory"))
    }

    @Test func badNames() throws {
        for name in ["", "a\nb", String(repeating: "x", count: 101)] {
            let run = try run("token", "add", name)
            #expect(run.code == 2 && run.out.isEmpty && run.error.contains("a name has 1 to 100 characters"))
        }
    }

    @Test func foldersWithoutAccounts() throws {
        let missing = try CommandRun(["token", "add", "x", "--data", folder.path + "/none"])
        #expect(missing.code == 4 && missing.out.isEmpty && missing.error.contains("start `eye serve --data"))
        let empty = try TemporaryFolder()
        let run = try CommandRun(["user", "add", "x", "--data", empty.path], input: "pw\n")
        #expect(run.code == 4 && run.error.contains("no accounts in"))
        #expect(!FileManager.default.fileExists(atPath: "\(empty.path)/accounts"))
    }

    @Test func damagedAndNewerFilesAreLeftAlone() throws {
        let path = "\(folder.path)/accounts"
        for (content, word) in [
            ("eye-accounts 1\nnext 1 1 1\n", "damaged"), ("eye-accounts 2\n", "version 2"), ("", "damaged"),
        ] {
            try Data(content.utf8).write(to: URL(filePath: path))
            let run = try run("token", "add", "x")
            #expect(run.code == 4 && run.out.isEmpty && run.error.contains(word))
            #expect(try Data(contentsOf: URL(filePath: path)) == Data(content.utf8))
        }
    }

    /// Processes at once, each a token: none lost.
    @Test func concurrentProcesses() async throws {
        let path = folder.path
        try await withThrowingTaskGroup(of: Int32.self) { group in
            for number in 0..<8 {
                group.addTask { try CommandRun(["token", "add", "t\(number)", "--data", path]).code }
            }
            for try await code in group { #expect(code == 0) }
        }
        #expect(try file.load().tokens.count == 9)
    }
}
