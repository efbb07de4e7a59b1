// One option of a subcommand: everything that parsing, --help and the error messages say about it comes from here.

import EyeStore
import EyeSystem

/// What an option's value may be.
enum OptionKind: Sendable {
    /// No value: the option is there or not; `yes` or `no` in a variable and in the configuration file.
    case flag
    /// Any text but an empty one.
    case text
    /// A whole number.
    case number(ClosedRange<Int64>)
    /// A number of bytes; may end in K, M or G (powers of 1,024).
    case bytes(ClosedRange<Int64>)
    /// A time span in microseconds; a number and ms, s, m, h or d.
    case duration(ClosedRange<Int64>)
    /// One of these words.
    case choice([String])
    /// `HOST:PORT`, or `off` for none.
    case address
    /// Scopes of a token or a user.
    case scopes
}

/// One row of an option table.
struct Option: Sendable {
    /// Without the dashes: `data`.
    let name: String
    /// One letter, for those that people type: `-n`.
    var short: String?
    /// What stands for the value in help: `DIR`.
    var placeholder = ""
    let kind: OptionKind
    /// The variable that is looked at when the option is not given.
    var environment: String?
    /// The value when neither is given, written as on the command line.
    var fallback: String?
    /// May be given several times; all values count.
    var isRepeatable = false
    /// Has no place in a configuration file: it says which one, or what to do with it.
    var isCommandLineOnly = false
    /// A running service takes a new value over when it gets SIGHUP.
    var isReloadable = false
    /// One sentence.
    let help: String

    /// `--data DIR`, or `-n, --last N`.
    var usage: String {
        let long = placeholder.isEmpty ? "--\(name)" : "--\(name) \(placeholder)"
        return short.map { "-\($0), \(long)" } ?? long
    }

    /// How a flag is written where there is no command line.
    static let on = "yes"
    static let off = "no"

    /// What is wrong with a value, in words that follow "--name: "; nil when it is fine.
    func problem(with text: String) -> String? {
        if text.isEmpty && !isFlag { return "the value is empty" }
        switch kind {
        case .text: return nil
        case .flag: return text == Option.on || text == Option.off ? nil : "'\(text)' is neither yes nor no"
        case .number(let range):
            guard let value = Int64(text) else { return "'\(text)' is not a whole number" }
            return range.contains(value) ? nil : "\(value) is not from \(range.lowerBound) to \(range.upperBound)"
        case .bytes(let range):
            guard let value = Quantity.bytes(text) else {
                return "'\(text)' is not a number of bytes: write a number, or one with K, M or G"
            }
            return range.contains(value)
                ? nil : "'\(text)' is not from \(range.lowerBound) to \(range.upperBound) bytes"
        case .duration(let range):
            guard let value = Quantity.microseconds(text) else {
                return "'\(text)' is not a time span: write a number with ms, s, m, h or d, such as 90d"
            }
            return range.contains(value)
                ? nil
                : "'\(text)' is not from \(Quantity.span(range.lowerBound)) to \(Quantity.span(range.upperBound))"
        case .choice(let words):
            return words.contains(text) ? nil : "'\(text)' is not one of \(words.joined(separator: ", "))"
        case .address: return Quantity.problem(withAddress: text)
        case .scopes:
            return Scopes(parsing: text) == nil
                ? "'\(text)' is not a list of scopes: write ingest, read or admin, separated by commas without spaces"
                : nil
        }
    }

    var isFlag: Bool {
        if case .flag = kind { return true }
        return false
    }
}

/// Amounts and addresses as people write them.
enum Quantity {
    /// The word for "no listener".
    static let off = "off"

    /// What is wrong with `HOST:PORT`; names are resolved later, when they are used.
    static func problem(withAddress text: String) -> String? {
        if text == off { return nil }
        do throws(AddressError) {
            _ = try SocketAddress.split(text)
            return nil
        } catch {
            return error.description
        }
    }

    /// `64M` → 67,108,864. Nil for anything else, overflow too.
    static func bytes(_ text: String) -> Int64? {
        scaled(text, [("K", 1 << 10), ("M", 1 << 20), ("G", 1 << 30), ("T", 1 << 40), ("", 1)])
    }

    /// The shortest text for a number of bytes: 67,108,864 → `64M`.
    static func size(_ bytes: Int64) -> String {
        for (unit, scale) in [("T", Int64(1) << 40), ("G", 1 << 30), ("M", 1 << 20), ("K", 1 << 10)]
        where bytes % scale == 0 && bytes != 0 {
            return "\(bytes / scale)\(unit)"
        }
        return "\(bytes)"
    }

    /// `90d` → microseconds.
    static func microseconds(_ text: String) -> Int64? { scaled(text, spans) }

    /// The shortest text for a time span: 5,000,000 → `5s`.
    static func span(_ microseconds: Int64) -> String {
        for (unit, scale) in spans.reversed() where microseconds % scale == 0 && microseconds != 0 {
            return "\(microseconds / scale)\(unit)"
        }
        return "\(microseconds)us"
    }

    private static let spans: [(String, Int64)] = [
        ("us", 1), ("ms", 1000), ("s", 1_000_000), ("m", 60_000_000), ("h", 3_600_000_000), ("d", 86_400_000_000),
    ]

    private static func scaled(_ text: String, _ units: [(String, Int64)]) -> Int64? {
        let digits = text.utf8.prefix { $0 >= 0x30 && $0 <= 0x39 }
        let rest = text.utf8.dropFirst(digits.count)
        guard let number = Int64(String(decoding: digits, as: UTF8.self)),
            let unit = units.first(where: { $0.0.utf8.elementsEqual(rest) })
        else { return nil }
        let (value, isTooMuch) = number.multipliedReportingOverflow(by: unit.1)
        return isTooMuch ? nil : value
    }
}
