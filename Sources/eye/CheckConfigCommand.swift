// `eye check-config`: whether `eye serve` would take these settings, without starting anything.

import EyeSystem

/// `eye check-config`.
enum CheckConfigCommand {
    static let command = Command(
        path: ["check-config"], summary: "Says whether 'eye serve' would take these settings, and starts nothing.",
        details: [
            "Takes the options, variables and configuration file of 'eye serve'. Says everything that is wrong with the file,",
            "each fault with its line, and ends with 2; or 'fine' and 0. Names of hosts are looked up; nothing listens.",
        ],
        options: ServeCommand.settings,
        run: { invocation throws(Failure) in
            let options = ServeCommand.options(invocation)
            try options.check()
            if options.only != .http {
                _ = try Serve.resolve(options.tcp)
                _ = try Serve.resolve(options.udp, datagram: true)
            }
            if options.only != .ingest {
                _ = try Serve.resolve(options.http)
                _ = try Serve.resolve(options.status)
            }
            if options.only == .http && options.http == nil {
                throw Failure("'only = http' with 'http = off' leaves nothing to serve", code: ExitCode.usage)
            }
            try Output.out("\(Visible.text(invocation.text(ConfigFile.option.name) ?? "settings")): fine\n")
            return ExitCode.success
        })
}
