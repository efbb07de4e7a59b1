// Tokens: what a client presents (a secret, kept by nobody but the client) and what is kept of it (its SHA-256).

/// One token as the accounts keep it.
public struct TokenEntry: Hashable, Sendable {
    /// Where a token comes from.
    public enum Kind: String, Sendable {
        /// Made by `eye token add` under a name that is unique among the tokens in use.
        case named = "token"
        /// Made by a login over HTTP.
        case login = "login"
    }

    /// From 1 on, never reused: events keep it. 0 means no token.
    public let id: UInt32
    public let kind: Kind
    public let name: String
    /// SHA-256 of the secret's bytes.
    public let digest: SHA256Digest
    public let scopes: Scopes
    /// The user whose login made it.
    public let owner: UInt32?
    /// Microseconds since 1970, as all times here.
    public let created: Int64
    /// Not usable from this moment on.
    public let expires: Int64?
    /// When it was revoked.
    public internal(set) var revoked: Int64?

    /// Whether it may be used at `now`.
    public func isUsable(at now: Int64) -> Bool { state(at: now) == .active }

    /// A token's condition.
    public enum State: String, Sendable { case active, expired, revoked }

    /// Its condition at `now`.
    public func state(at now: Int64) -> State {
        if revoked != nil { return .revoked }
        if let expires, now >= expires { return .expired }
        return .active
    }
}

/// Makes secrets.
public enum TokenSecret {
    /// Characters of a token.
    public static let count = 40

    /// 160 random bits as 40 lower-case hexadecimal digits. The system's generator reads getrandom(2).
    public static func make(using random: inout some RandomNumberGenerator) -> String {
        var digits: [UInt8] = []
        while digits.count < count {
            let word: UInt64 = random.next()
            for shift in stride(from: 60, through: 0, by: -4) where digits.count < count {
                digits.append(Hex.digit(UInt8(truncatingIfNeeded: word >> shift) & 15))
            }
        }
        return String(decoding: digits, as: UTF8.self)
    }

    /// Whether `text` looks like a token: ``count`` lower-case hexadecimal digits.
    public static func isPossible(_ text: UnsafeRawBufferPointer) -> Bool {
        guard text.count == count else { return false }
        // Digits, or letters from a to f.
        return unsafe text.allSatisfy { $0 &- 0x30 <= 9 || $0 &- 0x61 <= 5 }
    }

    /// A password for people: 5 groups of 5 characters out of 32 (125 bits), without those that look alike.
    public static func makeReadablePassword(using random: inout some RandomNumberGenerator) -> String {
        let alphabet = Array("abcdefghijkmnpqrstuvwxyz23456789".utf8)
        var text: [UInt8] = []
        for group in 0..<5 {
            if group > 0 { text.append(0x2D) }
            for _ in 0..<5 {
                let word: UInt64 = random.next()
                text.append(alphabet[Int(word & 31)])
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// SHA-256 of a secret.
    public static func digest(_ secret: String) -> SHA256Digest {
        let bytes = Array(secret.utf8)
        return SHA256.hash(bytes.span)
    }
}
