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

    /// Of the commands that ask the HTTP service.
    static let http = Option(
        name: "http", placeholder: "HOST:PORT", kind: .address, environment: "EYE_HTTP", fallback: "127.0.0.1:8000",
        help: "The HTTP service.")

    /// Of the commands that need a token, together with `token`; read by `SendJob.token`. `what`: which token.
    static func tokenFile(_ what: String = "the token") -> Option {
        Option(name: "token-file", placeholder: "FILE", kind: .text, help: "Reads \(what) from FILE.")
    }

    /// `scope`: what the token must be allowed to do; nil: help says why it should stand elsewhere.
    static func token(scope: String? = nil) -> Option {
        Option(
            name: "token", placeholder: "TOKEN", kind: .text, environment: "EYE_TOKEN",
            help: scope.map { "A token with scope \($0); better as variable or in a file." }
                ?? "The token itself; better as variable or in a file, arguments are seen by everybody on this machine."
        )
    }
}
