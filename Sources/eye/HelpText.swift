// --help, made from the tables that parsing uses: what it shows cannot differ from what is accepted.

/// Writes help pages.
enum HelpText {
    /// All subcommands, or those under a first word.
    static func overview(of commands: [Command], under path: [String]) -> String {
        let shown = commands.filter { $0.path.starts(with: path) }
        let name = (["eye"] + path).joined(separator: " ")
        var text = path.isEmpty ? "The Eye collects events and lets people query them.\n\n" : ""
        text += "Usage: \(name) SUBCOMMAND [options]\n\nSubcommands:\n"
        let titles = shown.map { title($0) }
        let width = titles.map(\.utf8.count).max() ?? 0
        for (title, command) in zip(titles, shown) {
            text += "  \(title)\(String(repeating: " ", count: width - title.utf8.count + 2))\(command.summary)\n"
        }
        text += "\n'eye SUBCOMMAND --help' shows the options of a subcommand"
        text += path.isEmpty ? ", 'eye --version' the version.\n" : ".\n"
        if path.isEmpty {
            text += """

                Exit codes: 0 done, 1 it failed, 2 wrong command line, 3 an address cannot be listened on,
                4 the data folder is locked, of a newer format or unusable, 74 the disk failed.

                """
        }
        return text
    }

    /// One subcommand with its options.
    static func page(of command: Command) -> String {
        var text = "Usage: eye \(title(command)) [options]\n\n\(command.summary)\n"
        if !command.details.isEmpty { text += "\n" + command.details.joined(separator: "\n") + "\n" }
        text += "\nOptions:\n"
        for option in command.options { text += entry(option) }
        text += "  -h, --help\n      Shows this.\n"
        return text
    }

    private static func title(_ command: Command) -> String {
        (command.path + command.operands.map(\.usage)).joined(separator: " ")
    }

    private static func entry(_ option: Option) -> String {
        var notes: [String] = []
        if case .choice(let words) = option.kind { notes.append("One of \(words.joined(separator: ", ")).") }
        if option.isRepeatable { notes.append("May be repeated.") }
        if let fallback = option.fallback { notes.append("Default: \(fallback).") }
        if let environment = option.environment { notes.append("Variable: \(environment).") }
        if option.isReloadable { notes.append("SIGHUP reloads it.") }
        let all = ([option.help] + notes).joined(separator: " ")
        return "  \(option.usage)\n" + wrap(all, indent: 6)
    }

    /// Lines of at most 100 columns.
    private static func wrap(_ text: String, indent: Int) -> String {
        let columnsMax = 100
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ") {
            if !line.isEmpty && indent + line.count + 1 + word.count > columnsMax {
                lines.append(line)
                line = ""
            }
            line += line.isEmpty ? String(word) : " \(word)"
        }
        lines.append(line)
        return lines.map { String(repeating: " ", count: indent) + $0 + "\n" }.joined()
    }
}
