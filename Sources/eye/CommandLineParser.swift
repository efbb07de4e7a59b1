// From words to a checked invocation. Arguments, environment and the configuration file in, a decision out. Precedence:
// options over EYE_* variables over the file over the defaults of the table. Called again when the service reloads.

import EyeQueryHTTP

/// What the command line asks for.
enum Request {
    case run(Invocation)
    case help(String)
    case version
}

/// A wrong command line: one line that says what is wrong, and where help is. A configuration file may have several
/// faults; each has its line.
struct UsageError: Error {
    let messages: [String]
    /// `eye token add`: whose --help to read.
    let command: String

    init(message: String, command: String) { self.init(messages: [message], command: command) }

    init(messages: [String], command: String) {
        self.messages = messages
        self.command = command
    }

    /// What stderr is to show, a line each.
    var lines: [String] { messages.map { "\(command): \($0) (see '\(command) --help')" } }
}

/// Parses command lines by a table of commands.
struct CommandLineParser {
    let commands: [Command]
    let environment: [String: String]

    /// What `arguments` (without the program's name) ask for.
    func parse(_ arguments: [String]) throws(UsageError) -> Request {
        var path: [String] = []
        var rest = arguments[...]
        if rest.first == "help" {
            rest.removeFirst()
            rest.append("--help")
        }
        while let word = rest.first {
            // `bench query` is not `bench` with an operand.
            let leadsOn = commands.contains { $0.path.starts(with: path + [word]) }
            if !leadsOn, let command = commands.first(where: { $0.path == path }) {
                return try parse(rest, of: command)
            }
            if word == "--help" || word == "-h" { return .help(HelpText.overview(of: commands, under: path)) }
            if path.isEmpty && (word == "--version" || word == "version") { return .version }
            path.append(word)
            rest.removeFirst()
            guard commands.contains(where: { $0.path.starts(with: path) }) else { throw unknown(path) }
        }
        if let command = commands.first(where: { $0.path == path }) { return try parse(rest, of: command) }
        let name = (["eye"] + path).joined(separator: " ")
        let next = nextWords(under: path).joined(separator: ", ")
        throw UsageError(message: "what shall it do? One of: \(next)", command: name)
    }

    private func parse(_ arguments: ArraySlice<String>, of command: Command) throws(UsageError) -> Request {
        var invocation = Invocation(command: command)
        var rest = arguments
        var onlyOperands = false
        while let word = rest.popFirst() {
            if onlyOperands || word == "-" || !word.hasPrefix("-") {
                invocation.operands.append(word)
            } else if word == "--" {
                onlyOperands = true
            } else if word == "--help" || word == "-h" {
                return .help(HelpText.page(of: command))
            } else {
                try parseOption(word, &rest, &invocation)
            }
        }
        try checkOperands(invocation)
        try fill(&invocation)
        return .run(invocation)
    }

    private func parseOption(
        _ word: String, _ rest: inout ArraySlice<String>, _ invocation: inout Invocation
    ) throws(UsageError) {
        let command = invocation.command
        let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let isLong = word.hasPrefix("--")
        let known = command.options.first {
            isLong ? parts[0] == "--\($0.name)" : $0.short.map { parts[0] == "-\($0)" } ?? false
        }
        guard let option = known else {
            let all = command.options.map { "--\($0.name)" } + ["--help"]
            throw UsageError(
                message: "unknown option \(parts[0])\(Suggestion.text(for: parts[0], in: all))",
                command: command.name)
        }
        if option.isFlag {
            guard parts.count == 1 else {
                throw UsageError(message: "--\(option.name) takes no value", command: command.name)
            }
            invocation.values[option.name] = [""]
            invocation.origins[option.name] = .flag
            return
        }
        guard let value = parts.count == 2 ? parts[1] : rest.popFirst() else {
            throw UsageError(message: "--\(option.name) needs a value: \(option.usage)", command: command.name)
        }
        if let problem = option.problem(with: value) {
            throw UsageError(message: "--\(option.name): \(problem)", command: command.name)
        }
        let before = option.isRepeatable ? invocation.values[option.name] ?? [] : []
        invocation.values[option.name] = before + [value]
        invocation.origins[option.name] = .flag
    }

    private func checkOperands(_ invocation: Invocation) throws(UsageError) {
        let command = invocation.command
        let needed = command.operands.filter { !$0.isOptional }
        if invocation.operands.count < needed.count {
            throw UsageError(message: "\(needed[invocation.operands.count].name) is missing", command: command.name)
        }
        if invocation.operands.count > command.operands.count, command.operands.last?.isRepeatable != true {
            let surplus = invocation.operands[command.operands.count]
            throw UsageError(message: "'\(surplus)' is one word too many", command: command.name)
        }
    }

    /// Adds variables, the configuration file and defaults for what was not given. An empty variable counts as not set. Throws with
    /// everything that is wrong.
    private func fill(_ invocation: inout Invocation) throws(UsageError) {
        let command = invocation.command
        var faults: [SettingsCheck.Fault] = []
        var wrong: Set<String> = []
        for option in command.options where invocation.origins[option.name] == nil {
            guard let variable = option.environment, let value = environment[variable], !value.isEmpty else { continue }
            if let problem = option.problem(with: value) {
                faults.append((.max, "\(variable): \(problem)"))
                wrong.insert(option.name)
                continue
            }
            invocation.set(option, [value], from: .variable(variable))
        }
        // The file's own name comes from the command line or a variable, and nowhere else.
        if let path = invocation.text(ConfigFile.option.name),
            command.options.contains(where: { $0.name == ConfigFile.option.name })
        {
            let file = try ConfigFile(reading: path, for: command)
            faults += file.faults.map { ($0.line, "\(path):\($0.line): \($0.message)") }
            for case let name? in file.faults.map(\.name) where invocation.origins[name] == nil { wrong.insert(name) }
            for (option, setting) in file.settings
            where invocation.origins[option.name] == nil && !wrong.contains(option.name) {
                invocation.set(option, setting.values, from: .file(path: path, line: setting.line))
            }
        }
        for option in command.options where invocation.origins[option.name] == nil {
            if let fallback = option.fallback { invocation.set(option, [fallback], from: .fallback) }
        }
        if !faults.isEmpty { throw SettingsCheck.error(invocation, wrong: wrong, faults) }
    }

    private func nextWords(under path: [String]) -> [String] {
        var words: [String] = []
        for command in commands where command.path.starts(with: path) && command.path.count > path.count {
            if words.last != command.path[path.count] { words.append(command.path[path.count]) }
        }
        return words
    }

    private func unknown(_ path: [String]) -> UsageError {
        let before = Array(path.dropLast())
        let name = (["eye"] + before).joined(separator: " ")
        let word = path[path.count - 1]
        let kind = word.hasPrefix("-") ? "option" : "subcommand"
        let suggestion = Suggestion.text(for: word, in: nextWords(under: before) + ["--help", "--version"])
        return UsageError(message: "unknown \(kind) \(Visible.text(word))\(suggestion)", command: name)
    }
}
