// The bytes of the accounts file (docs/accounts.md): lines of words, a version first, a CRC-32C last. Pure; what is read is
// checked as strictly as it is written, so that a file that parses is exactly one that this code would write.

import EyeSystem

/// Writing and reading of the accounts file's text.
public enum AccountText {
    /// The version that this code writes, and the newest that it reads.
    public static let version = 1
    static let magic = "eye-accounts"
    static let checksumWord = "crc32c"

    /// Why a text is refused.
    public enum Refusal: Error, Equatable, Sendable {
        case newer(String)
        case damaged(String)
    }

    /// The file's bytes.
    public static func write(_ records: AccountRecords) -> [UInt8] {
        var text = "\(magic) \(version)\n"
        text += "next \(records.generation) \(records.nextUser) \(records.nextToken)\n"
        for user in records.users {
            text += "user \(user.id) \(user.scopes) \(user.created) \(user.passwordHash) \(user.name)\n"
        }
        for token in records.tokens {
            text += "\(token.kind.rawValue) \(token.id) \(token.scopes) \(token.created) \(optional(token.expires)) "
            text += "\(optional(token.revoked)) \(optional(token.owner)) \(token.digest.hex) \(token.name)\n"
        }
        var bytes = Array(text.utf8)
        bytes.append(contentsOf: checksumLine(bytes[...]))
        return bytes
    }

    /// The records in a file's bytes.
    public static func read(_ bytes: [UInt8]) throws(Refusal) -> AccountRecords {
        // The version comes first: a newer format may be checked in another way.
        guard let firstEnd = bytes.firstIndex(of: 0x0A) else { throw .damaged("no complete line") }
        let head = bytes[..<firstEnd].split(separator: 0x20, omittingEmptySubsequences: false)
        guard head.count == 2, head[0].elementsEqual(magic.utf8) else { throw .damaged("not an accounts file") }
        let written = String(decoding: head[1], as: UTF8.self)
        guard let number = Int(written), "\(number)" == written, number > 0 else { throw .damaged("no version") }
        guard number <= version else { throw .newer(written) }
        guard bytes.last == 0x0A, let lastStart = bytes.dropLast().lastIndex(of: 0x0A) else {
            throw .damaged("cut short")
        }
        let body = bytes[...lastStart]
        guard bytes[(lastStart + 1)...].elementsEqual(checksumLine(body)) else { throw .damaged("wrong checksum") }
        var records = AccountRecords()
        var isFirst = true
        for line in body[(firstEnd + 1)...].dropLast().split(separator: 0x0A, omittingEmptySubsequences: false) {
            let isUnderstood = isFirst ? readNext(line, &records) : readEntry(line, &records)
            guard isUnderstood else { throw .damaged("a line that cannot be read") }
            isFirst = false
        }
        guard !isFirst else { throw .damaged("no counters") }
        return records
    }

    /// `crc32c 0123abcd` and LF, for the bytes before it.
    static func checksumLine(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        // In bounds: the buffer is the slice's own.
        let checksum = unsafe bytes.withUnsafeBytes { unsafe Checksum.crc32c($0) }
        var digits: [UInt8] = []
        Hex.append(UInt64(checksum), to: &digits)
        return Array("\(checksumWord) ".utf8) + digits.suffix(8) + [0x0A]
    }

    private static func optional(_ value: (some BinaryInteger)?) -> String { value.map { "\($0)" } ?? "-" }

    private static func readNext(_ line: ArraySlice<UInt8>, _ records: inout AccountRecords) -> Bool {
        let words = line.split(separator: 0x20, omittingEmptySubsequences: false)
        guard words.count == 4, words[0].elementsEqual("next".utf8),
            let generation: UInt64 = number(words[1]), let nextUser: UInt32 = number(words[2]),
            let nextToken: UInt32 = number(words[3])
        else { return false }
        records.generation = generation
        records.nextUser = nextUser
        records.nextToken = nextToken
        return true
    }

    private static func readEntry(_ line: ArraySlice<UInt8>, _ records: inout AccountRecords) -> Bool {
        guard let kindEnd = line.firstIndex(of: 0x20) else { return false }
        let kind = String(decoding: line[..<kindEnd], as: UTF8.self)
        return kind == "user" ? readUser(line, &records) : readToken(line, kind, &records)
    }

    private static func readUser(_ line: ArraySlice<UInt8>, _ records: inout AccountRecords) -> Bool {
        // The name is the rest of the line: it may hold spaces.
        let words = line.split(separator: 0x20, maxSplits: 5, omittingEmptySubsequences: false)
        guard words.count == 6, let id: UInt32 = number(words[1]), id > records.users.last?.id ?? 0,
            id < records.nextUser, let scopes = scopes(words[2]), let created: Int64 = number(words[3]),
            let hash = text(words[4]), !hash.isEmpty, let name = text(words[5]), AccountName.isUsable(name)
        else { return false }
        records.users.append(UserEntry(id: id, name: name, passwordHash: hash, scopes: scopes, created: created))
        return true
    }

    private static func readToken(_ line: ArraySlice<UInt8>, _ kindWord: String, _ records: inout AccountRecords)
        -> Bool
    {
        let words = line.split(separator: 0x20, maxSplits: 8, omittingEmptySubsequences: false)
        guard words.count == 9, let kind = TokenEntry.Kind(rawValue: kindWord), let id: UInt32 = number(words[1]),
            id > records.tokens.last?.id ?? 0, id < records.nextToken, let scopes = scopes(words[2]),
            let created: Int64 = number(words[3]), let expires: Int64? = optionalNumber(words[4]),
            let revoked: Int64? = optionalNumber(words[5]), let owner: UInt32? = optionalNumber(words[6]),
            let hex = text(words[7]), let digest = SHA256Digest(hex: hex), let name = text(words[8]),
            AccountName.isUsable(name)
        else { return false }
        records.tokens.append(
            TokenEntry(
                id: id, kind: kind, name: name, digest: digest, scopes: scopes, owner: owner, created: created,
                expires: expires, revoked: revoked))
        return true
    }

    private static func text(_ bytes: ArraySlice<UInt8>) -> String? { String(validating: bytes, as: UTF8.self) }

    /// Digits as they are written: no sign of plus, no leading zero.
    private static func number<T: FixedWidthInteger>(_ bytes: ArraySlice<UInt8>) -> T? {
        guard let text = text(bytes), let value = T(text), "\(value)".utf8.elementsEqual(bytes) else { return nil }
        return value
    }

    /// A number, or nil inside for `-`; nil outside for anything else.
    private static func optionalNumber<T: FixedWidthInteger>(_ bytes: ArraySlice<UInt8>) -> T?? {
        if bytes.elementsEqual([0x2D]) { return .some(nil) }
        return number(bytes).map { .some($0) }
    }

    private static func scopes(_ bytes: ArraySlice<UInt8>) -> Scopes? {
        guard let text = text(bytes), let scopes = Scopes(parsing: text), scopes.description == text else { return nil }
        return scopes
    }
}
