// The accounts file of a data folder: reading it, looking whether it changed, and changing it. Replaced whole (temporary,
// fsync, rename, fsync of the folder) under `accounts.lock`, so that readers see one version or the next and need no lock.
// A file that is damaged or newer is never overwritten. Used by the command and by both services, from any thread.

import EyeSystem
import Synchronization

/// Credentials that the very first start makes; shown once, kept only as hashes.
public struct FirstCredentials: Sendable {
    public let userName: String
    public let password: String
    public let tokenName: String
    public let token: String
    /// There are events already: an accounts file was there once, and is gone.
    public let isBesideEvents: Bool
}

/// The accounts of one data folder.
public final class AccountFile: Sendable {
    /// Name of the file in the data folder.
    public static let name = "accounts"
    static let lockName = "accounts.lock"
    static let temporaryName = "accounts.tmp"

    private let disk: any Disk
    private let folder: String
    private let time: any TimeSource
    private let state = Mutex(State())

    private struct State {
        var stamp: FileStamp?
        /// The file last read is kept open, so that its inode number cannot be given to the next one.
        var file: (any DiskFile)?
        var lastError: AccountError?
    }

    public init(_ disk: any Disk, folder: String, time: any TimeSource) {
        self.disk = disk
        self.folder = folder
        self.time = time
    }

    /// Path of the file.
    public var path: String { "\(folder)/\(AccountFile.name)" }

    /// Reads the file as it is now.
    public func load() throws(AccountError) -> AccountBook { AccountBook(try read().records) }

    /// Reads the file if it is another one than at the last call, else returns nil at the price of one stat(2). A failure
    /// is thrown once, not again while nothing changes: the caller logs it and goes on with the book it has.
    public func refresh() throws(AccountError) -> AccountBook? {
        let (book, error) = state.withLock { (state) -> (AccountBook?, AccountError?) in
            do throws(AccountError) {
                return (try look(&state), nil)
            } catch {
                let isNews = state.lastError != error
                state.lastError = error
                return (nil, isNews ? error : nil)
            }
        }
        if let error { throw error }
        return book
    }

    /// Makes the folder's first accounts: user `admin` with a random password and an ingest token named `first`. Nil when
    /// there is an accounts file already, whatever its state. The folder must exist. `show` is given them when all is written but the
    /// file's name, so that they count only once somebody can have seen them: when it throws (`.notShown`), nothing is made.
    public func firstStart(
        show: (FirstCredentials) throws(SystemError) -> Void = { _ in }
    ) throws(AccountError) -> FirstCredentials? {
        // Without the lock first: where nothing can be written, what is there can be read.
        if try isThere() { return nil }
        let lock = try takeLock()
        defer { withExtendedLifetime(lock) {} }
        if try isThere() { return nil }
        var random = SystemRandomNumberGenerator()
        let password = TokenSecret.makeReadablePassword(using: &random)
        let secret = TokenSecret.make(using: &random)
        let now = time.nowMicroseconds()
        var records = AccountRecords()
        // Events keep token ids: where accounts were moved away, those that were used are not given again.
        let used = TokenUse.read(disk, folder: folder).lastUse.keys.max() ?? 0
        if used < UInt32.max { records.nextToken = used + 1 }
        _ = try records.addUser(named: "admin", passwordHash: try hash(password), scopes: .admin, now: now)
        _ = try records.addToken(
            named: "first", digest: TokenSecret.digest(secret), scopes: .ingest, expires: nil, now: now)
        let first = FirstCredentials(
            userName: "admin", password: password, tokenName: "first", token: secret, isBesideEvents: isBesideEvents)
        try replace(&records) { () throws(AccountError) in
            do throws(SystemError) { try show(first) } catch { throw .notShown(error) }
        }
        return first
    }

    private func isThere() throws(AccountError) -> Bool {
        do throws(SystemError) {
            _ = try disk.stamp(path)
            return true
        } catch {
            guard error.isMissing else { throw .system(error, path: path) }
            return false
        }
    }

    /// Whether the store beside it has events, or may have: a store that nobody can read is not a new one.
    public var isBesideEvents: Bool {
        do throws(SystemError) {
            let segments = try SegmentList(disk, folder).segments
            let mark = try WatermarkReader(disk, path: folder + "/watermark").read()?.mark
            return segments.count > 1 || mark.map { $0.nextEventID > 1 } ?? !segments.isEmpty
        } catch {
            return true
        }
    }

    /// Reads, changes and replaces the file under the lock. When the change throws, nothing is written; nor when `ready` does, which is called
    /// when the new file is durable and has not its name yet.
    public func update<Result>(
        _ change: (inout AccountRecords, _ now: Int64) throws(AccountError) -> Result,
        ready: () throws(AccountError) -> Void = {}
    ) throws(AccountError) -> Result {
        let lock = try takeLock()
        defer { withExtendedLifetime(lock) {} }
        var records = try read().records
        let result = try change(&records, time.nowMicroseconds())
        try replace(&records, ready: ready)
        return result
    }

    /// Adds a user; hashing happens before the lock is taken.
    @discardableResult
    public func addUser(named name: String, password: [UInt8], scopes: Scopes) throws(AccountError) -> UserEntry {
        guard AccountName.isUsable(name) else { throw .badName }
        let hash = try hash(password)
        return try update { (records, now) throws(AccountError) in
            try records.addUser(named: name, passwordHash: hash, scopes: scopes, now: now)
        }
    }

    /// Removes a user and ends their logins.
    public func removeUser(named name: String) throws(AccountError) {
        try update { (records, _) throws(AccountError) in try records.removeUser(named: name) }
    }

    /// Changes a user's password and ends their logins.
    public func setPassword(of name: String, password: [UInt8]) throws(AccountError) {
        let hash = try hash(password)
        try update { (records, _) throws(AccountError) in try records.setPassword(of: name, hash: hash) }
    }

    /// Adds a token that lives for `lifetimeMicroseconds`, or until it is revoked; returns its secret, which is kept nowhere. `show` is given
    /// that as in `firstStart`.
    public func addToken(
        named name: String, scopes: Scopes, lifetimeMicroseconds: Int64? = nil,
        show: (_ secret: String) throws(SystemError) -> Void = { _ in }
    ) throws(AccountError) -> (entry: TokenEntry, secret: String) {
        let secret = newSecret()
        let entry = try update(
            { (records, now) throws(AccountError) in
                try records.addToken(
                    named: name, digest: TokenSecret.digest(secret), scopes: scopes,
                    expires: lifetimeMicroseconds.map { now + $0 }, now: now)
            },
            ready: { () throws(AccountError) in
                do throws(SystemError) { try show(secret) } catch { throw .notShown(error) }
            })
        return (entry, secret)
    }

    /// Makes the token of a login, after `AccountBook.authenticate` returned this user.
    public func logIn(_ user: UserEntry) throws(AccountError) -> (entry: TokenEntry, secret: String) {
        let secret = newSecret()
        let entry = try update { (records, now) throws(AccountError) in
            try records.addLogin(of: user, digest: TokenSecret.digest(secret), now: now)
        }
        return (entry, secret)
    }

    /// Revokes a token by its id or its name.
    @discardableResult
    public func revokeToken(_ idOrName: String) throws(AccountError) -> TokenEntry {
        try update { (records, now) throws(AccountError) in try records.revokeToken(idOrName, now: now) }
    }

    private func newSecret() -> String {
        var random = SystemRandomNumberGenerator()
        return TokenSecret.make(using: &random)
    }

    private func hash(_ password: String) throws(AccountError) -> String { try hash(Array(password.utf8)) }

    private func hash(_ password: [UInt8]) throws(AccountError) -> String {
        guard Password.isUsable(password) else { throw .badPassword }
        guard let hash = Password.hash(password) else { throw .hashingFailed }
        return hash
    }

    private func look(_ state: inout State) throws(AccountError) -> AccountBook? {
        let stamp: FileStamp
        do throws(SystemError) {
            stamp = try disk.stamp(path)
        } catch {
            state.stamp = nil
            throw failure(error)
        }
        if stamp == state.stamp { return nil }
        do throws(AccountError) {
            let (records, file) = try read()
            state = State(stamp: stamp, file: file)
            return AccountBook(records)
        } catch {
            // A file that cannot be understood will not become better; one that could not be read just now may.
            switch error {
            case .damaged, .newer: state.stamp = stamp
            default: state.stamp = nil
            }
            throw error
        }
    }

    private func read() throws(AccountError) -> (records: AccountRecords, file: any DiskFile) {
        let file: any DiskFile
        let bytes: [UInt8]
        do throws(SystemError) {
            file = try disk.open(path, .read)
            bytes = try file.contents(limit: AccountLimits.fileBytesMax + 1)
        } catch {
            throw failure(error)
        }
        guard bytes.count <= AccountLimits.fileBytesMax else { throw .damaged(path: path, cause: "too long") }
        do throws(AccountText.Refusal) {
            return (try AccountText.read(bytes), file)
        } catch {
            switch error {
            case .newer(let version): throw .newer(path: path, version: version)
            case .damaged(let cause): throw .damaged(path: path, cause: cause)
            }
        }
    }

    /// Under the lock: what is in the temporary file is nobody else's. `ready`: see `update`.
    private func replace(
        _ records: inout AccountRecords, ready: () throws(AccountError) -> Void = {}
    ) throws(AccountError) {
        records.generation += 1
        let bytes = AccountText.write(records)
        guard bytes.count <= AccountLimits.fileBytesMax else { throw .full(path) }
        let temporary = "\(folder)/\(AccountFile.temporaryName)"
        do throws(SystemError) {
            try disk.removeIfPresent(temporary)
        } catch {
            throw .system(error, path: temporary)
        }
        do throws(SystemError) {
            let file = try disk.open(temporary, .create)
            try file.write(all: bytes)
            try file.synchronize()
        } catch {
            discard(temporary)
            throw .system(error, path: path)
        }
        do throws(AccountError) {
            try ready()
        } catch {
            discard(temporary)
            throw error
        }
        do throws(SystemError) {
            try disk.rename(temporary, to: path)
            CrashPoint.reach(.accountsReplaced)
            try disk.synchronizeDirectory(folder)
        } catch {
            discard(temporary)
            throw .system(error, path: path)
        }
    }

    /// What could not be finished is nothing to leave behind, on a full disk least of all.
    private func discard(_ temporary: String) {
        do throws(SystemError) { try disk.removeIfPresent(temporary) } catch {
            // The next change removes it.
        }
    }

    private func takeLock() throws(AccountError) -> any DiskLock {
        let lockPath = "\(folder)/\(AccountFile.lockName)"
        do throws(SystemError) {
            return try disk.lock(lockPath, waitMilliseconds: AccountLimits.lockWaitMilliseconds)
        } catch {
            if error.isMissing { throw .noFolder(folder) }
            if error.isWouldBlock { throw .busy(lockPath) }
            throw .system(error, path: lockPath)
        }
    }

    /// ENOENT of the file: is it the file or the folder that is not there?
    private func failure(_ error: SystemError) -> AccountError {
        guard error.isMissing else { return .system(error, path: path) }
        do throws(SystemError) {
            _ = try disk.list(folder)
            return .noAccounts(folder)
        } catch {
            return error.isMissing ? .noFolder(folder) : .system(error, path: folder)
        }
    }
}

extension Disk {
    /// Removes a file that may be missing.
    func removeIfPresent(_ path: String) throws(SystemError) {
        do throws(SystemError) {
            try remove(path)
        } catch {
            guard error.isMissing else { throw error }
        }
    }
}

extension DiskFile {
    /// Writes an array as the file's first bytes.
    func write(all bytes: [UInt8]) throws(SystemError) {
        // In bounds: the buffer is the array's own and lives for the call.
        let failure = unsafe bytes.withUnsafeBytes { buffer in
            do throws(SystemError) {
                try unsafe write(buffer, at: 0)
                return nil as SystemError?
            } catch {
                return error
            }
        }
        if let failure { throw failure }
    }
}
