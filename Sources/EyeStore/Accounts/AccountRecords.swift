// Users and tokens as plain values, and every change that may be made to them. Pure: no files, no clock, no secrets.
// Invariants: ids rise and are never reused; names of users are unique; so are names of named tokens that are not revoked.

/// One user.
public struct UserEntry: Hashable, Sendable {
    /// From 1 on, never reused.
    public let id: UInt32
    public let name: String
    /// As crypt(5) writes it.
    public internal(set) var passwordHash: String
    public let scopes: Scopes
    /// Microseconds since 1970.
    public let created: Int64
}

/// All users and tokens at one moment.
public struct AccountRecords: Equatable, Sendable {
    /// Counts the changes.
    public internal(set) var generation: UInt64 = 0
    var nextUser: UInt32 = 1
    var nextToken: UInt32 = 1
    /// By rising id.
    public internal(set) var users: [UserEntry] = []
    /// By rising id.
    public internal(set) var tokens: [TokenEntry] = []

    /// No users, no tokens.
    public init() {}

    /// The user of that name, compared by bytes.
    public func user(named name: String) -> UserEntry? { users.first { AccountName.isEqual($0.name, name) } }

    /// The user of that id.
    public func user(id: UInt32) -> UserEntry? { users.first { $0.id == id } }

    /// Adds a user; the hash was made by `Password.hash`.
    public mutating func addUser(
        named name: String, passwordHash: String, scopes: Scopes, now: Int64
    ) throws(AccountError) -> UserEntry {
        guard AccountName.isUsable(name) else { throw .badName }
        guard !scopes.isEmpty else { throw .noScopes }
        guard user(named: name) == nil else { throw .userExists(name) }
        guard nextUser < UInt32.max else { throw .full("accounts") }
        let user = UserEntry(id: nextUser, name: name, passwordHash: passwordHash, scopes: scopes, created: now)
        nextUser += 1
        users.append(user)
        return user
    }

    /// Removes a user and the tokens of their logins.
    public mutating func removeUser(named name: String) throws(AccountError) {
        guard let user = user(named: name) else { throw .unknownUser(name) }
        users.removeAll { $0.id == user.id }
        tokens.removeAll { $0.owner == user.id }
    }

    /// Gives a user another password; ends their logins.
    public mutating func setPassword(of name: String, hash: String) throws(AccountError) {
        guard let index = users.firstIndex(where: { AccountName.isEqual($0.name, name) }) else {
            throw .unknownUser(name)
        }
        users[index].passwordHash = hash
        tokens.removeAll { $0.owner == users[index].id && $0.kind == .login }
    }

    /// Adds a token under a name that is not in use.
    public mutating func addToken(
        named name: String, digest: SHA256Digest, scopes: Scopes, expires: Int64?, now: Int64
    ) throws(AccountError) -> TokenEntry {
        guard AccountName.isUsable(name) else { throw .badName }
        guard !scopes.isEmpty else { throw .noScopes }
        let isTaken = tokens.contains {
            $0.kind == .named && $0.isUsable(at: now) && AccountName.isEqual($0.name, name)
        }
        guard !isTaken else { throw .tokenExists(name) }
        return try append(.named, name, digest, scopes, owner: nil, expires: expires, now: now)
    }

    /// Adds the token of a login of `user`, whose password was checked against the hash it holds. Drops the expired ones
    /// and all but the newest 20 of that user.
    public mutating func addLogin(
        of user: UserEntry, digest: SHA256Digest, now: Int64
    ) throws(AccountError) -> TokenEntry {
        guard let known = self.user(id: user.id), known.passwordHash == user.passwordHash else {
            throw .signInOutdated
        }
        tokens.removeAll { $0.kind == .login && !$0.isUsable(at: now) }
        let mine = tokens.filter { $0.kind == .login && $0.owner == user.id }.map(\.id)
        let surplus = Set(mine.dropLast(AccountLimits.loginTokensPerUserMax - 1))
        tokens.removeAll { surplus.contains($0.id) }
        return try append(
            .login, known.name, digest, known.scopes, owner: user.id,
            expires: now + AccountLimits.loginLifetimeMicroseconds, now: now)
    }

    /// Revokes the token of that id, or the named one in use under that name.
    public mutating func revokeToken(_ idOrName: String, now: Int64) throws(AccountError) -> TokenEntry {
        let byID = UInt32(idOrName).flatMap { id in tokens.firstIndex { $0.id == id } }
        let named = tokens.indices.filter {
            tokens[$0].kind == .named && AccountName.isEqual(tokens[$0].name, idOrName)
        }
        let byName = named.first { tokens[$0].revoked == nil } ?? named.last
        if let byID, let byName, byID != byName { throw .ambiguousToken(idOrName) }
        guard let index = byID ?? byName else { throw .unknownToken(idOrName) }
        guard tokens[index].revoked == nil else { throw .alreadyRevoked(idOrName) }
        tokens[index].revoked = now
        return tokens[index]
    }

    private mutating func append(
        _ kind: TokenEntry.Kind, _ name: String, _ digest: SHA256Digest, _ scopes: Scopes, owner: UInt32?,
        expires: Int64?, now: Int64
    ) throws(AccountError) -> TokenEntry {
        guard nextToken < UInt32.max else { throw .full("accounts") }
        let token = TokenEntry(
            id: nextToken, kind: kind, name: name, digest: digest, scopes: scopes, owner: owner, created: now,
            expires: expires, revoked: nil)
        nextToken += 1
        tokens.append(token)
        return token
    }
}
