// The configuration file of `eye serve`: lines of `key = value`, where the keys are the names of the options. Everything that is
// wrong with a file is found at once, each fault with its line. Read at the start and again for SIGHUP.

import EyeQueryHTTP
import EyeSystem
import Glibc

/// A configuration file that was read and checked against an option table.
struct ConfigFile {
    /// What the file says of one option.
    struct Setting: Equatable {
        /// One, but for repeatable options.
        var values: [String]
        /// Counts from 1.
        var line: Int
    }

    /// Which file to read.
    static let option = Option(
        name: "config", placeholder: "FILE", kind: .text, environment: "EYE_CONFIG", isCommandLineOnly: true,
        help: "A file with lines of 'key = value'; the keys are the names of these options.")

    /// A longer file is refused: it is something else.
    static let bytesMax = 256 * 1024

    /// A line that is wrong.
    struct Fault {
        let line: Int
        /// The option that it would have set; nil: none.
        let name: String?
        let message: String
    }

    /// What the file sets, in the order of the option table; nothing for an option with a fault.
    let settings: [(option: Option, setting: Setting)]
    /// In the order of the lines.
    let faults: [Fault]

    /// Reads the file at `path`; throws when it cannot be read at all.
    init(reading path: String, for command: Command) throws(UsageError) {
        let kind: FileKind
        var bytes: [UInt8] = []
        do throws(SystemError) {
            // open(2) would wait until a pipe has a writer, and read(2) as long as that likes; a service that reads its settings again cannot.
            let file = try Descriptor.open(path, flags: O_RDONLY | O_NONBLOCK)
            kind = try FileStamp.of(file).kind
            if kind == .file { bytes = try StandardStream.readAll(file.number, limit: ConfigFile.bytesMax + 1) }
        } catch {
            throw UsageError(message: "\(path): the configuration file cannot be read: \(error)", command: command.name)
        }
        guard kind == .file else {
            throw UsageError(
                message: "\(path): the configuration file cannot be read: it is \(kind.rawValue)", command: command.name
            )
        }
        guard bytes.count <= ConfigFile.bytesMax, String(validating: bytes, as: UTF8.self) != nil else {
            let rule = "a configuration file is UTF-8 text of at most \(ConfigFile.bytesMax) bytes"
            throw UsageError(message: "\(path): \(rule)", command: command.name)
        }
        var reading = Reading(options: command.options)
        // By bytes: a carriage return and a line feed are one Character, and so is an '=' with what combines with it.
        for (index, line) in bytes.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
            reading.take(line, number: index + 1)
        }
        faults = reading.faults
        var found = reading.found
        for name in faults.compactMap(\.name) { found[name] = nil }
        settings = command.options.compactMap { option in found[option.name].map { (option, $0) } }
    }

    /// The lines so far.
    private struct Reading {
        let options: [Option]
        var found: [String: Setting] = [:]
        var faults: [Fault] = []

        init(options: [Option]) { self.options = options }

        /// `key = value`, a comment or nothing. Blanks around key and value do not count; a `#` that begins the line or stands
        /// behind a blank begins a comment; for values in quotes see `ConfigValue`.
        mutating func take(_ whole: ArraySlice<UInt8>, number: Int) {
            let line = ConfigValue.trimmed(ConfigValue.withoutComment(whole))
            if line.isEmpty { return }
            guard let equals = line.firstIndex(of: UInt8(ascii: "=")) else {
                add(number, nil, "'\(String(decoding: line, as: UTF8.self))' is not 'key = value'")
                return
            }
            let key = String(decoding: ConfigValue.trimmed(line[..<equals]), as: UTF8.self)
            let known = options.filter { !$0.isCommandLineOnly }
            guard let option = known.first(where: { $0.name == key }) else {
                if options.contains(where: { $0.name == key }) {
                    add(number, nil, "'\(key)' has no place in a file, only on the command line")
                } else {
                    let meant = Suggestion.text(for: key, in: known.map(\.name))
                    add(number, nil, "unknown key '\(key)'\(meant)")
                }
                return
            }
            let value: String
            do throws(ConfigValue.Fault) {
                value = try ConfigValue.read(whole[(equals + 1)...])
            } catch {
                add(number, key, "\(key): \(error.problem)")
                return
            }
            if let before = found[key], !option.isRepeatable {
                add(number, key, "'\(key)' was set in line \(before.line) already")
            } else if value.isEmpty {
                add(number, key, "\(key): the value is empty")
            } else if let problem = option.problem(with: value) {
                add(number, key, "\(key): \(problem)")
            } else {
                found[key, default: Setting(values: [], line: number)].values.append(value)
            }
        }

        private mutating func add(_ line: Int, _ name: String?, _ message: String) {
            faults.append(Fault(line: line, name: name, message: message))
        }
    }
}
