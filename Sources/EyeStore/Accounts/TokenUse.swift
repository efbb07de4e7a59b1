// When each token was last used: derived, kept by the ingest side in the small file `token-use`, shown by `eye token list`.
// May be lost or deleted at any time. One value per ingest loop or one for all; not shared between threads.

import EyeSystem

/// Last use of tokens, in microseconds since 1970.
public struct TokenUse: Equatable, Sendable {
    /// Name of the file in the data folder.
    public static let name = "token-use"
    static let temporaryName = "token-use.tmp"
    static let magic = "eye-token-use 1"

    /// By token id.
    public private(set) var lastUse: [UInt32: Int64] = [:]
    /// Whether anything was recorded since the last `flush`.
    public private(set) var isChanged = false

    public init() {}

    /// Notes a use; the latest counts. Id 0 is no token.
    public mutating func record(_ token: UInt32, at now: Int64) {
        if token == 0 || lastUse[token] ?? Int64.min >= now { return }
        lastUse[token] = now
        isChanged = true
    }

    /// Notes everything that another one noted.
    public mutating func merge(_ other: TokenUse) {
        for (token, moment) in other.lastUse { record(token, at: moment) }
    }

    /// Forgets tokens that are not in the book any more.
    public mutating func keep(only book: AccountBook) {
        for token in lastUse.keys where book.token(id: token) == nil {
            lastUse[token] = nil
            isChanged = true
        }
    }

    /// Replaces the file, if anything changed. Not synced: derived, and guarded by its checksum.
    public mutating func flush(_ disk: any Disk, folder: String) throws(SystemError) {
        guard isChanged else { return }
        var text = "\(TokenUse.magic)\n"
        for (token, moment) in lastUse.sorted(by: { $0.key < $1.key }) { text += "\(token) \(moment)\n" }
        var bytes = Array(text.utf8)
        bytes.append(contentsOf: AccountText.checksumLine(bytes[...]))
        let temporary = "\(folder)/\(TokenUse.temporaryName)"
        try disk.removeIfPresent(temporary)
        let file = try disk.open(temporary, .create)
        try file.write(all: bytes)
        try disk.rename(temporary, to: "\(folder)/\(TokenUse.name)")
        isChanged = false
    }

    /// What the file holds; nothing when it is missing or damaged.
    public static func read(_ disk: any Disk, folder: String) -> TokenUse {
        do throws(SystemError) {
            let file = try disk.open("\(folder)/\(TokenUse.name)", .read)
            return parse(try file.contents(limit: AccountLimits.fileBytesMax)) ?? TokenUse()
        } catch {
            // Derived: a list without last uses is better than none.
            return TokenUse()
        }
    }

    private static func parse(_ bytes: [UInt8]) -> TokenUse? {
        guard bytes.last == 0x0A, let lastStart = bytes.dropLast().lastIndex(of: 0x0A),
            bytes[(lastStart + 1)...].elementsEqual(AccountText.checksumLine(bytes[...lastStart]))
        else { return nil }
        let lines = bytes[..<lastStart].split(separator: 0x0A)
        guard let head = lines.first, head.elementsEqual(magic.utf8) else { return nil }
        var use = TokenUse()
        for line in lines.dropFirst() {
            let words = line.split(separator: 0x20)
            guard words.count == 2, let token = UInt32(String(decoding: words[0], as: UTF8.self)),
                let moment = Int64(String(decoding: words[1], as: UTF8.self))
            else { return nil }
            use.lastUse[token] = moment
        }
        return use
    }
}
