// Why accounts cannot be read or changed, in words for the operator: what happened and what to do.

import EyeSystem

/// A failed reading or change of the accounts.
public enum AccountError: Error, Equatable, Sendable {
    /// The data folder does not exist.
    case noFolder(String)
    /// The folder has no accounts file yet.
    case noAccounts(String)
    /// The file is not what was written; it is left as it is.
    case damaged(path: String, cause: String)
    /// The file was written by a newer version; it is left as it is.
    case newer(path: String, version: String)
    /// Somebody else held the lock for too long.
    case busy(String)
    /// The system refused.
    case system(SystemError, path: String)
    /// The change would make the file longer than `AccountLimits.fileBytesMax`, or ids are used up.
    case full(String)
    case badName
    case badPassword
    case noScopes
    case userExists(String)
    case unknownUser(String)
    case tokenExists(String)
    case unknownToken(String)
    /// A number that is one token's id and another one's name.
    case ambiguousToken(String)
    case alreadyRevoked(String)
    /// The user was removed or has another password by now.
    case signInOutdated
    /// crypt(3) failed.
    case hashingFailed
    /// A secret could not be shown to anybody.
    case notShown(SystemError)

    /// Whether it is the folder or the file that cannot be used (exit code 4), rather than the request.
    public var isUnusableStore: Bool {
        switch self {
        case .noFolder, .noAccounts, .damaged, .newer, .busy: true
        case .system(let error, _): !error.isFull && !error.isInputOutput
        default: false
        }
    }
}

extension AccountError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .noFolder(let folder):
            "there is no data folder \(folder): start `eye serve --data \(folder)` once to make it, or name another with "
                + "--data or EYE_DATA"
        case .noAccounts(let folder):
            "there are no accounts in \(folder) yet: start `eye serve --data \(folder)` once, it makes the first "
                + "administrator and the first token"
        case .damaged(let path, let cause):
            "\(path) is damaged (\(cause)) and was left untouched: put a backup of it in its place, or move it away and "
                + "start `eye serve` to make new credentials"
        case .newer(let path, let version):
            "\(path) has format version \(version), this eye knows \(AccountText.version): use the eye that wrote it, or a "
                + "newer one"
        case .busy(let path): "\(path) is locked by another process for too long: try again"
        case .system(let error, let path): "\(path): \(error)\(AccountError.advice(error))"
        case .full(let path): "\(path) has reached its limit of \(AccountLimits.fileBytesMax) bytes: remove users first"
        case .badName:
            "a name has 1 to \(AccountLimits.nameScalarsMax) characters, none of them a control character"
        case .badPassword: "a password is UTF-8 text of 1 to \(Password.bytesMax) bytes without NUL"
        case .noScopes: "at least one scope is needed: ingest, read or admin"
        case .userExists(let name): "there is a user \"\(name)\" already: choose another name, or `eye user passwd`"
        case .unknownUser(let name): "there is no user \"\(name)\": `eye user list` shows all"
        case .tokenExists(let name):
            "there is a token \"\(name)\" in use already: choose another name, or revoke that one first"
        case .unknownToken(let name): "there is no token \"\(name)\": `eye token list` shows all"
        case .ambiguousToken(let name): "\"\(name)\" is the id of one token and the name of another: give the other id"
        case .alreadyRevoked(let name): "token \"\(name)\" is revoked already"
        case .signInOutdated: "the user or the password has changed meanwhile: log in again"
        case .notShown(let error):
            "what is shown this once could not be written to stdout (\(error)): nobody has seen it, so nothing was made; try again with a "
                + "stdout that takes it"
        case .hashingFailed: "crypt(3) could not hash the password: is libcrypt with yescrypt installed?"
        }
    }

    private static func advice(_ error: SystemError) -> String {
        if error.isNoFile { return "; it is no plain file: move it away, put back what belongs there, and try again" }
        if error.isInputOutput || error.isFailedSync { return "; the disk failed: look at it (dmesg), then try again" }
        return error.isFull ? "; nothing was changed: make room on the disk, then try again" : ""
    }
}
