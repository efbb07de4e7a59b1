import EyeSystem
import Foundation
import Synchronization
import Testing

@testable import EyeStore

/// A folder of its own for a test, removed at the end.
final class AccountFolder {
    private let home: TemporaryFolder
    let disk = RealDisk()
    let time = SettableTime()

    init() throws { home = try TemporaryFolder() }

    var path: String { home.path }

    var file: AccountFile { AccountFile(disk, folder: path, time: time) }

    func bytes(_ name: String = AccountFile.name) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(filePath: "\(path)/\(name)")))
    }

    func put(_ bytes: [UInt8], _ name: String = AccountFile.name) throws {
        try Data(bytes).write(to: URL(filePath: "\(path)/\(name)"))
    }
}

/// A clock that a test sets.
final class SettableTime: TimeSource {
    let now = Atomic<Int64>(1_700_000_000_000_000)
    func nowMicroseconds() -> Int64 { now.load(ordering: .relaxed) }
    func monotonicNanoseconds() -> UInt64 { UInt64(nowMicroseconds()) * 1000 }
    func advance(_ microseconds: Int64) { now.add(microseconds, ordering: .relaxed) }
}

private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

/// What `AccountBook.token(matching:now:)` says to a text.
private func find(_ book: AccountBook, _ secret: String, _ now: Int64) -> TokenEntry? {
    let bytes = Array(secret.utf8)
    return book.token(matching: bytes.span, now: now)
}

@Suite struct SHA256Tests {
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
        (
            "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
            "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"
        ),
    ])
    func vectors(message: String, digest: String) {
        #expect(TokenSecret.digest(message).hex == digest)
        #expect(SHA256Digest(hex: digest) == TokenSecret.digest(message))
    }

    @Test func aMillionTimesA() {
        let digest = TokenSecret.digest(String(repeating: "a", count: 1_000_000))
        #expect(digest.hex == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
    }

    /// Every length around the block's edges, against coreutils' sha256sum.
    @Test func lengthsAroundABlock() throws {
        for count in [55, 56, 57, 63, 64, 65, 119, 120, 127, 128] {
            let text = String(repeating: "x", count: count)
            let process = Process()
            process.executableURL = URL(filePath: "/usr/bin/sha256sum")
            let (input, output) = (Pipe(), Pipe())
            process.standardInput = input
            process.standardOutput = output
            try process.run()
            input.fileHandleForWriting.write(Data(text.utf8))
            try input.fileHandleForWriting.close()
            let line = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            #expect(TokenSecret.digest(text).hex == line.prefix(64), "\(count)")
        }
    }

    @Test func badHex() {
        let good = String(repeating: "0a", count: 32)
        #expect(SHA256Digest(hex: good) != nil)
        for bad in [String(good.dropLast()), good + "0", good.uppercased(), String(repeating: "0g", count: 32)] {
            #expect(SHA256Digest(hex: bad) == nil)
        }
    }
}

@Suite struct ScopesTests {
    @Test func words() {
        #expect(Scopes(parsing: "ingest") == .ingest)
        #expect(Scopes(parsing: "read,ingest") == [.ingest, .read])
        #expect(Scopes(parsing: "admin") == .admin)
        #expect(Scopes(parsing: "admin")?.contains(.ingest) == true)
        #expect(Scopes(parsing: "ingest,read")?.contains(.admin) == false)
        for bad in ["", ",", "ingest,", "Ingest", "write", "ingest read"] { #expect(Scopes(parsing: bad) == nil) }
        for scopes: Scopes in [.ingest, .read, .admin, [.ingest, .read]] {
            #expect(Scopes(parsing: scopes.description) == scopes)
        }
    }
}

@Suite struct PasswordTests {
    @Test func hashAndVerify() throws {
        let hash = try #require(Password.hash(bytes("correct horse")))
        #expect(hash.hasPrefix("$y$"))
        #expect(Password.verify(bytes("correct horse"), hash: hash))
        #expect(!Password.verify(bytes("correct horsf"), hash: hash))
        #expect(!Password.verify(bytes(""), hash: hash))
        #expect(Password.hash(bytes("correct horse")) != hash)
    }

    @Test func unusable() throws {
        #expect(Password.hash([]) == nil)
        #expect(Password.hash([0x61, 0, 0x62]) == nil)
        #expect(Password.hash([UInt8](repeating: 0x61, count: 512)) == nil)
        let longest = [UInt8](repeating: 0x61, count: 511)
        let hash = try #require(Password.hash(longest))
        #expect(Password.verify(longest, hash: hash))
        let short = try #require(Password.hash([0x61]))
        #expect(!Password.verify([0x61, 0, 0x62], hash: short))
        #expect(!Password.verify([0x61], hash: "not a hash"))
    }

    @Test func dummyCostsTheSame() {
        #expect(Password.hash(bytes("x"))?.prefix(7) == Password.dummyHash.prefix(7))
        #expect(!Password.verify(bytes("x"), hash: Password.dummyHash))
    }
}

@Suite struct TokenSecretTests {
    @Test func shape() {
        var random = SystemRandomNumberGenerator()
        let secret = TokenSecret.make(using: &random)
        #expect(secret.utf8.count == 40)
        #expect(secret.allSatisfy { "0123456789abcdef".contains($0) })
        #expect(secret != TokenSecret.make(using: &random))
        let password = TokenSecret.makeReadablePassword(using: &random)
        #expect(password.split(separator: "-").map(\.count) == [5, 5, 5, 5, 5])
    }
}

@Suite struct AccountNameTests {
    @Test func rules() {
        for good in ["a", "web shop", "é", "日本語", String(repeating: "x", count: 100), " a ", "👩‍👩‍👧"] {
            #expect(AccountName.isUsable(good))
        }
        let bads = [
            "", "a\nb", "a\u{0}", "\u{7F}", "\u{85}", "\u{2028}", String(repeating: "x", count: 101), "\u{1B}[31m",
        ]
        for bad in bads { #expect(!AccountName.isUsable(bad)) }
        #expect(!AccountName.isEqual("e\u{301}", "\u{E9}"))
    }
}

@Suite struct AccountFileTests {
    @Test func firstStart() throws {
        let folder = try AccountFolder()
        let first = try #require(try folder.file.firstStart())
        #expect(try folder.file.firstStart() == nil)
        let book = try folder.file.load()
        let admin = try #require(book.authenticate(user: first.userName, password: bytes(first.password)))
        #expect(admin.scopes == .admin)
        #expect(book.authenticate(user: first.userName, password: bytes("wrong")) == nil)
        #expect(book.authenticate(user: "nobody", password: bytes(first.password)) == nil)
        let token = try #require(find(book, first.token, folder.time.nowMicroseconds()))
        #expect(token.scopes == .ingest && token.name == "first" && token.id == 1)
        let text = String(decoding: try folder.bytes(), as: UTF8.self)
        #expect(!text.contains(first.token) && !text.contains(first.password))
    }

    /// What could not be shown does not count: it is shown before the file has its name, nothing is left of it, and the next start has others.
    @Test func firstCredentialsCountOnceTheyAreShown() throws {
        let disk = SimulatedDisk()
        disk.directories = ["d"]
        let file = AccountFile(disk, folder: "d", time: SettableTime())
        let refusal = SystemError(errno: ENOSPC, call: "write")
        var shown: [String] = []
        let failure = #expect(throws: AccountError.self) {
            try file.firstStart { first throws(SystemError) in
                shown.append(first.token)
                #expect(disk.names["d/accounts"] == nil && disk.names["d/accounts.tmp"]?.pending.isEmpty == true)
                throw refusal
            }
        }
        #expect(failure == .notShown(refusal) && failure?.isUnusableStore == false)
        #expect(disk.names.isEmpty)
        let first = try #require(try file.firstStart { first throws(SystemError) in shown.append(first.token) })
        #expect(shown.count == 2 && shown[0] != shown[1] && shown[1] == first.token)
        #expect(try find(file.load(), first.token, SettableTime().nowMicroseconds()) != nil)
    }

    /// Accounts that were moved away: events keep token ids, so those that were used are not given again.
    @Test func secondFirstStart() throws {
        let folder = try AccountFolder()
        _ = try folder.file.firstStart()
        var use = TokenUse()
        use.record(41, at: 1)
        try use.flush(folder.disk, folder: folder.path)
        try folder.disk.remove(folder.file.path)
        _ = try folder.file.firstStart()
        #expect(try folder.file.load().tokens.map(\.id) == [42])
    }

    /// A change that the disk has no room for, or cannot sync, leaves the file as it was, and nothing beside it.
    @Test(arguments: [true, false]) func aFailedChangeLeavesNothingBehind(isFull: Bool) throws {
        let disk = SimulatedDisk()
        disk.directories = ["d"]
        let file = AccountFile(disk, folder: "d", time: SettableTime())
        _ = try file.firstStart()
        let before = disk.names.mapValues(\.now)
        if isFull { disk.room = 100 } else { disk.failingSync = disk.syncs + 1 }
        let failure = #expect(throws: AccountError.self) { try file.addToken(named: "shop", scopes: .ingest) }
        let text = "\(try #require(failure))"
        #expect(text.contains(isFull ? "make room" : "the disk failed") && text.hasPrefix("d/accounts: "), "\(text)")
        #expect(disk.names.mapValues(\.now) == before)
    }

    /// The file is gone, the store beside it is not a new one.
    @Test func aMissingFileBesideEvents() throws {
        for hasEvents in [false, true] {
            let disk = SimulatedDisk()
            let writer = try StoreWriter.open(disk, folder: "d", options: .test(), time: TestTime())
            let frame = Frame()
            #expect(frame.append(TestEvent()))
            if hasEvents { #expect(try writer.commit([frame]) == .durable) }
            #expect(try AccountFile(disk, folder: "d", time: SettableTime()).firstStart()?.isBesideEvents == hasEvents)
        }
    }

    @Test func modes() throws {
        let folder = try AccountFolder()
        _ = try folder.file.firstStart()
        func mode(_ path: String) throws -> Int {
            (try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? NSNumber)?.intValue ?? -1
        }
        #expect(try mode(folder.path) == 0o700)
        #expect(try mode("\(folder.path)/accounts") == 0o600)
        #expect(try mode("\(folder.path)/accounts.lock") == 0o600)
    }

    @Test func roundTripOfEveryChange() throws {
        let folder = try AccountFolder()
        let file = folder.file
        _ = try file.firstStart()
        let bob = try file.addUser(named: "Bob Ω  two spaces ", password: bytes("admin"), scopes: .userDefault)
        let (entry, secret) = try file.addToken(
            named: "shop 1", scopes: [.ingest, .read], lifetimeMicroseconds: 5_000_000)
        #expect(throws: AccountError.userExists(bob.name)) {
            try file.addUser(named: bob.name, password: bytes("x"), scopes: .read)
        }
        #expect(throws: AccountError.tokenExists("shop 1")) { try file.addToken(named: "shop 1", scopes: .read) }
        #expect(throws: AccountError.badName) { try file.addToken(named: "a\nuser 9", scopes: .read) }
        #expect(throws: AccountError.badPassword) { try file.addUser(named: "eve", password: [], scopes: .read) }
        let book = try file.load()
        #expect(try AccountText.read(AccountText.write(book.records)) == book.records)
        #expect(book.user(named: bob.name) == bob)
        let now = folder.time.nowMicroseconds()
        #expect(find(book, secret, now) == entry)
        #expect(find(book, secret, now + 4_999_999) != nil)
        #expect(find(book, secret, now + 5_000_000) == nil)
        #expect(find(book, secret + "0", now) == nil)
        #expect(find(book, String(secret.dropLast()), now) == nil)
        #expect(find(book, "", now) == nil)
        #expect(book.isUsable(token: entry.id, now: now))
        try file.removeUser(named: bob.name)
        #expect(throws: AccountError.unknownUser(bob.name)) { try file.removeUser(named: bob.name) }
        let next = try file.addUser(named: bob.name, password: bytes("p"), scopes: .read)
        #expect(next.id == bob.id + 1)
    }

    @Test func revocation() throws {
        let folder = try AccountFolder()
        let file = folder.file
        let first = try #require(try file.firstStart())
        #expect(try file.revokeToken("first").id == 1)
        let book = try file.load()
        #expect(find(book, first.token, folder.time.nowMicroseconds()) == nil)
        #expect(book.token(id: 1)?.state(at: 0) == .revoked)
        #expect(throws: AccountError.alreadyRevoked("1")) { try file.revokeToken("1") }
        #expect(throws: AccountError.unknownToken("2")) { try file.revokeToken("2") }
        // The name is free again, the id is not; a number that names one and is the id of another is refused.
        #expect(try file.addToken(named: "first", scopes: .ingest).entry.id == 2)
        #expect(try file.addToken(named: "2", scopes: .ingest).entry.id == 3)
        #expect(throws: AccountError.ambiguousToken("2")) { try file.revokeToken("2") }
        #expect(try file.revokeToken("first").id == 2)
    }

    @Test func logins() throws {
        let folder = try AccountFolder()
        let file = folder.file
        _ = try file.firstStart()
        let user = try file.addUser(named: "ann", password: bytes("pw"), scopes: .userDefault)
        var secrets: [String] = []
        for _ in 0..<25 {
            folder.time.advance(1)
            secrets.append(try file.logIn(user).secret)
        }
        let now = folder.time.nowMicroseconds()
        let book = try file.load()
        #expect(
            secrets.map { find(book, $0, now) != nil } == Array(repeating: false, count: 5)
                + Array(repeating: true, count: 20))
        let entry = try #require(find(book, secrets[24], now))
        #expect(entry.scopes == user.scopes && entry.owner == user.id && entry.kind == .login)
        #expect(entry.expires == now + 30 * 86_400 * 1_000_000)
        // Another password ends the logins, and a login that was on its way with the old one.
        try file.setPassword(of: "ann", password: bytes("pw2"))
        #expect(find(try file.load(), secrets[24], now) == nil)
        #expect(throws: AccountError.signInOutdated) { try file.logIn(user) }
        let renewed = try #require(try file.load().authenticate(user: "ann", password: bytes("pw2")))
        let last = try file.logIn(renewed)
        try file.removeUser(named: "ann")
        #expect(find(try file.load(), last.secret, now) == nil)
    }

    @Test func changesAreSeen() throws {
        let folder = try AccountFolder()
        let service = folder.file
        #expect(throws: AccountError.noAccounts(folder.path)) { try service.refresh() }
        #expect(try service.refresh() == nil)
        _ = try folder.file.firstStart()
        #expect(try service.refresh()?.generation == 1)
        #expect(try service.refresh() == nil)
        for generation in 2...20 {
            _ = try folder.file.addToken(named: "t\(generation)", scopes: .ingest)
            #expect(try service.refresh()?.generation == UInt64(generation))
        }
        // Damage: said once, and the next good file is taken.
        let good = try folder.bytes()
        try folder.put(Array(good.dropLast()))
        #expect(throws: AccountError.self) { try service.refresh() }
        #expect(try service.refresh() == nil)
        try folder.put(good)
        #expect(try service.refresh()?.generation == 20)
    }

    @Test func damageIsRefusedAndNeverOverwritten() throws {
        let folder = try AccountFolder()
        let file = folder.file
        _ = try file.firstStart()
        let good = try folder.bytes()
        var damaged: [[UInt8]] = (0..<good.count).map { Array(good[..<$0]) }
        for index in good.indices {
            var copy = good
            copy[index] ^= 1 << (index % 8)
            damaged.append(copy)
        }
        damaged.append(good + good)
        damaged.append(good + [0x0A])
        for bytes in damaged { #expect(throws: AccountText.Refusal.self) { try AccountText.read(bytes) } }
        try folder.put(damaged[40])
        #expect(throws: AccountError.damaged(path: file.path, cause: "cut short")) { try file.load() }
        #expect(throws: AccountError.self) { try file.addToken(named: "x", scopes: .ingest) }
        #expect(try file.firstStart() == nil)
        #expect(try folder.bytes() == damaged[40])
    }

    @Test func newerVersionIsRefused() throws {
        let folder = try AccountFolder()
        let newer = bytes("eye-accounts 2\nsomething else\n")
        try folder.put(newer)
        let error = AccountError.newer(path: folder.file.path, version: "2")
        #expect(throws: error) { try folder.file.load() }
        #expect(throws: error) { try folder.file.addToken(named: "x", scopes: .ingest) }
        #expect(try folder.bytes() == newer)
        #expect(error.description.contains("version 2"))
    }

    @Test func missingFolder() throws {
        let folder = try AccountFolder()
        let missing = AccountFile(folder.disk, folder: folder.path + "/none", time: folder.time)
        #expect(throws: AccountError.noFolder(folder.path + "/none")) { try missing.load() }
        #expect(throws: AccountError.noFolder(folder.path + "/none")) {
            try missing.addToken(named: "x", scopes: .read)
        }
    }

    @Test func concurrentUpdaters() async throws {
        let folder = try AccountFolder()
        _ = try folder.file.firstStart()
        let path = folder.path
        await withTaskGroup(of: Void.self) { group in
            for worker in 0..<4 {
                group.addTask {
                    // A value of its own each: only the lock on disk stands between them, as between processes.
                    let file = AccountFile(RealDisk(), folder: path, time: SystemTime())
                    for round in 0..<10 {
                        do { _ = try file.addToken(named: "\(worker)-\(round)", scopes: .ingest) } catch {
                            Issue.record(error)
                        }
                    }
                }
            }
        }
        let book = try folder.file.load()
        #expect(book.tokens.map(\.id) == Array(1...41))
        #expect(Set(book.tokens.map(\.name)).count == 41)
        #expect(book.generation == 41)
    }

    /// The bytes that docs/accounts.md shows.
    @Test func goldenBytes() throws {
        var records = AccountRecords()
        records.generation = 2
        _ = try records.addUser(named: "admin", passwordHash: "$y$j9T$salt$hash", scopes: .admin, now: 1)
        _ = try records.addToken(
            named: "first", digest: TokenSecret.digest("abc"), scopes: .ingest, expires: nil, now: 2)
        let text = """
            eye-accounts 1
            next 2 2 2
            user 1 admin 1 $y$j9T$salt$hash admin
            token 1 ingest 2 - - - ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad first
            crc32c e967027c

            """
        #expect(String(decoding: AccountText.write(records), as: UTF8.self) == text)
    }
}

@Suite struct TokenUseTests {
    @Test func roundTrip() throws {
        let folder = try AccountFolder()
        _ = try folder.file.firstStart()
        var use = TokenUse()
        use.record(0, at: 5)
        #expect(!use.isChanged)
        use.record(1, at: 10)
        use.record(1, at: 7)
        use.record(9, at: 8)
        var other = TokenUse()
        other.record(1, at: 12)
        use.merge(other)
        try use.flush(folder.disk, folder: folder.path)
        #expect(!use.isChanged)
        #expect(TokenUse.read(folder.disk, folder: folder.path).lastUse == [1: 12, 9: 8])
        use.keep(only: try folder.file.load())
        try use.flush(folder.disk, folder: folder.path)
        #expect(TokenUse.read(folder.disk, folder: folder.path).lastUse == [1: 12])
        var bytes = try folder.bytes(TokenUse.name)
        bytes[18] ^= 1
        try folder.put(bytes, TokenUse.name)
        #expect(TokenUse.read(folder.disk, folder: folder.path).lastUse.isEmpty)
        #expect(TokenUse.read(folder.disk, folder: folder.path + "/none").lastUse.isEmpty)
    }
}
