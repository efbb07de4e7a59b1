// One subcommand: its words, what may follow them, and what it does.

import EyeStore

/// A word that must follow a subcommand.
struct Operand: Sendable {
    /// As in help: `NAME`.
    let name: String
    var isOptional = false
    /// The last operand only: any number of words may stand there.
    var isRepeatable = false

    /// `[KEY=VALUE]...`
    var usage: String { (isOptional ? "[\(name)]" : name) + (isRepeatable ? "..." : "") }
}

/// A subcommand of `eye`.
struct Command: Sendable {
    /// `["token", "add"]`.
    let path: [String]
    /// One sentence for the list of subcommands.
    let summary: String
    /// What else its own help says; may be empty.
    var details: [String] = []
    var operands: [Operand] = []
    let options: [Option]
    /// Does it; returns the exit code.
    let run: @Sendable (Invocation) throws(Failure) -> Int32

    /// `eye token add`.
    var name: String { (["eye"] + path).joined(separator: " ") }
}

/// A subcommand as it was called: every value is checked against its option's kind.
struct Invocation {
    let command: Command
    var operands: [String] = []
    /// Values by option name, in the order given; a flag has one empty value.
    var values: [String: [String]] = [:]
    /// Options that were given as such, not by a variable or a default.
    var given: Set<String> = []

    /// Whether the flag was given, or its variable is set.
    func isSet(_ name: String) -> Bool { values[name] != nil }

    /// The value of an option, nil if there is none anywhere.
    func text(_ name: String) -> String? { values[name]?.last }

    /// Every value of a repeatable option.
    func all(_ name: String) -> [String] { values[name] ?? [] }

    /// The value of a number option.
    func number(_ name: String) -> Int64? { text(name).flatMap { Int64($0) } }

    /// The value of a bytes option.
    func bytes(_ name: String) -> Int64? { text(name).flatMap { Quantity.bytes($0) } }

    /// The value of a duration option, in microseconds.
    func duration(_ name: String) -> Int64? { text(name).flatMap { Quantity.microseconds($0) } }

    /// The value of an address option; nil for `off` too.
    func address(_ name: String) -> String? { text(name).flatMap { $0 == Quantity.off ? nil : $0 } }

    /// The value of a scopes option.
    func scopes(_ name: String) -> Scopes { text(name).flatMap { Scopes(parsing: $0) } ?? [] }
}
