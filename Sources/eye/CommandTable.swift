// Every subcommand, in the order of --help.

import EyeSystem

/// The table of subcommands.
enum CommandTable {
    static let all: [Command] =
        [ServeCommand.command, InitCommand.command, CheckConfigCommand.command] + UserCommand.all + TokenCommand.all + [
            SendCommand.command, TailCommand.command, EraseCommand.command, QueryCommand.command, ExportCommand.command,
            ImportCommand.command,
        ] + StatsCommand.all + [
            VerifyCommand.command, BackupCommand.command, BenchCommand.command, BenchQueryCommand.command,
        ]

    /// Every variable that is looked at.
    static var variables: Set<String> {
        Set(all.flatMap { $0.options.compactMap(\.environment) } + [CrashPoint.variable] + ServiceManager.variables)
    }

    /// Known to every subcommand that looks into the data folder.
    static let data = Option(
        name: "data", placeholder: "DIR", kind: .text, environment: "EYE_DATA", fallback: "./eye-data",
        help: "The data folder.")
}
