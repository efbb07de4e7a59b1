// What a token or a user may do. A set; `admin` implies everything else, so `contains` answers every question.

/// Permissions of a token or a user.
public struct Scopes: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Write events and sessions; read nothing. What SDKs carry.
    public static let ingest = Scopes(rawValue: 1)
    /// Read events, sessions and the errors view.
    public static let read = Scopes(rawValue: 2)
    /// Everything, also accounts and erasure: contains every other scope.
    public static let admin = Scopes(rawValue: 7)

    /// What a user has unless told otherwise.
    public static let userDefault: Scopes = [.ingest, .read]

    /// Each scope by its word.
    public static let words: [(word: String, scope: Scopes)] = [
        ("ingest", .ingest), ("read", .read), ("admin", .admin),
    ]

    /// `ingest,read`: words separated by commas, in any order, at least one, none unknown; else nil.
    public init?(parsing text: some StringProtocol) {
        var scopes: Scopes = []
        for word in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let known = Scopes.words.first(where: { $0.word.utf8.elementsEqual(word.utf8) }) else { return nil }
            scopes.formUnion(known.scope)
        }
        self = scopes
    }
}

extension Scopes: CustomStringConvertible {
    /// `ingest,read`, or `admin` alone; what `init(parsing:)` takes.
    public var description: String {
        if contains(.admin) { return "admin" }
        return Scopes.words.filter { contains($0.scope) }.map(\.word).joined(separator: ",")
    }
}
