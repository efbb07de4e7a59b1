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

/// Who said a value; the first of these who did.
enum ValueOrigin: Equatable, CustomStringConvertible {
    case flag
    case variable(String)
    case file(path: String, line: Int)
    case fallback

    var description: String {
        switch self {
        case .flag: "command line"
        case .variable(let name): "variable \(name)"
        case .file(let path, let line): "\(path):\(line)"
        case .fallback: "default"
        }
    }
}

/// A subcommand as it was called: every value is checked against its option's kind.
struct Invocation {
    let command: Command
    var operands: [String] = []
    /// Values by option name, in the order given; a flag has one empty value.
    var values: [String: [String]] = [:]
    /// Where each value comes from, and that of a flag that a variable or the file says no to.
    var origins: [String: ValueOrigin] = [:]

    /// Options that were given as such, not by a variable, the configuration file or a default.
    var given: Set<String> { Set(origins.filter { $0.value == .flag }.keys) }

    /// Whether the flag was given, or its variable or the configuration file says yes.
    func isSet(_ name: String) -> Bool { values[name] != nil }

    /// The value of an option, nil if there is none anywhere.
    func text(_ name: String) -> String? { values[name]?.last }

    /// Takes checked values over. A flag that is off has none.
    mutating func set(_ option: Option, _ values: [String], from origin: ValueOrigin) {
        origins[option.name] = origin
        if option.isFlag {
            self.values[option.name] = values == [Option.on] ? [""] : nil
        } else {
            self.values[option.name] = values
        }
    }

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
