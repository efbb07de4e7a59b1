// Every limit of the accounts, in one place.

/// Limits of users, tokens and their file.
public enum AccountLimits {
    /// Unicode scalars in the name of a user or a token.
    public static let nameScalarsMax = 100
    /// Bytes of the accounts file; an update that would make it longer is refused.
    public static let fileBytesMax = 16 * 1024 * 1024
    /// Bytes of a presented secret that are looked at; a longer one is no token.
    public static let secretBytesMax = 128
    /// Login tokens kept for each user, the newest ones.
    public static let loginTokensPerUserMax = 20
    /// A login token lives 30 days.
    public static let loginLifetimeMicroseconds: Int64 = 30 * 86_400 * 1_000_000
    /// How long an update waits for another one.
    public static let lockWaitMilliseconds = 5_000
}

/// Names of users and tokens.
public enum AccountName {
    /// 1 to 100 Unicode scalars, none of them a control character or a line or paragraph separator.
    public static func isUsable(_ name: String) -> Bool {
        var count = 0
        for scalar in name.unicodeScalars {
            count += 1
            if count > AccountLimits.nameScalarsMax { return false }
            switch scalar.properties.generalCategory {
            case .control, .lineSeparator, .paragraphSeparator: return false
            default: continue
            }
        }
        return count > 0
    }

    /// Equality by bytes: no Unicode normalisation.
    public static func isEqual(_ a: String, _ b: String) -> Bool { a.utf8.elementsEqual(b.utf8) }
}
