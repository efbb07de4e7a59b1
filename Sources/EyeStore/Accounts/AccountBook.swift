// An immutable snapshot of the accounts, made once for each change of the file and then shared by all threads without a lock.
// Asked by every connection that presents a token: a look-up allocates nothing.

import EyeSystem

/// Users and tokens at one moment, with the look-ups that services need.
public final class AccountBook: Sendable {
    /// What it was made from.
    public let records: AccountRecords
    /// First word of each token's digest with its index in `records.tokens`, by rising word.
    private let byDigest: [(word: UInt64, index: Int)]

    /// Indexes `records`.
    public init(_ records: AccountRecords) {
        self.records = records
        byDigest = records.tokens.indices.map { (records.tokens[$0].digest.a, $0) }.sorted { $0.0 < $1.0 }
    }

    /// Counts the changes of the file.
    public var generation: UInt64 { records.generation }
    /// By rising id.
    public var users: [UserEntry] { records.users }
    /// By rising id, the unusable ones too.
    public var tokens: [TokenEntry] { records.tokens }

    /// The token whose secret is `secret`, if it may be used at `now` (microseconds since 1970). The search goes by the
    /// secret's SHA-256, of which nobody can choose a prefix; the comparison takes constant time.
    public func token(matching secret: UnsafeRawBufferPointer, now: Int64) -> TokenEntry? {
        guard secret.count > 0 && secret.count <= AccountLimits.secretBytesMax else { return nil }
        // In bounds: the span covers the caller's buffer and ends before the caller gives it up.
        let digest = unsafe SHA256.hash(Span<UInt8>(_unsafeBytes: secret))
        return token(digest: digest).flatMap { $0.isUsable(at: now) ? $0 : nil }
    }

    /// The same for a span.
    public func token(matching secret: Span<UInt8>, now: Int64) -> TokenEntry? {
        guard secret.count > 0 && secret.count <= AccountLimits.secretBytesMax else { return nil }
        return token(digest: SHA256.hash(secret)).flatMap { $0.isUsable(at: now) ? $0 : nil }
    }

    /// The token of that id, usable or not.
    public func token(id: UInt32) -> TokenEntry? {
        var low = 0
        var high = records.tokens.count
        while low < high {
            let middle = (low + high) / 2
            if records.tokens[middle].id < id { low = middle + 1 } else { high = middle }
        }
        return low < records.tokens.count && records.tokens[low].id == id ? records.tokens[low] : nil
    }

    /// Whether the token of that id may still be used: what open connections ask again and again.
    public func isUsable(token id: UInt32, now: Int64) -> Bool { token(id: id)?.isUsable(at: now) ?? false }

    /// The user of that name.
    public func user(named name: String) -> UserEntry? { records.user(named: name) }

    /// The user of that id.
    public func user(id: UInt32) -> UserEntry? { records.user(id: id) }

    /// The user of that name if the password is theirs. Hashes once whether there is such a user or not: about 50 ms, so
    /// never on an event loop.
    public func authenticate(user name: String, password: [UInt8]) -> UserEntry? {
        let user = user(named: name)
        let isRight = Password.verify(password, hash: user?.passwordHash ?? Password.dummyHash)
        return isRight ? user : nil
    }

    private func token(digest: SHA256Digest) -> TokenEntry? {
        var low = 0
        var high = byDigest.count
        while low < high {
            let middle = (low + high) / 2
            if byDigest[middle].word < digest.a { low = middle + 1 } else { high = middle }
        }
        while low < byDigest.count && byDigest[low].word == digest.a {
            let token = records.tokens[byDigest[low].index]
            if token.digest.matches(digest) { return token }
            low += 1
        }
        return nil
    }
}
