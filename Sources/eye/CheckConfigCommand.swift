// `eye check-config`: whether `eye serve` would take these settings, without starting anything.

import EyeSystem

/// `eye check-config`.
enum CheckConfigCommand {
    static let command = Command(
        path: ["check-config"], summary: "Says whether 'eye serve' would take these settings, and starts nothing.",
        details: [
            "Takes the options, variables and configuration file of 'eye serve'. Says everything that is wrong with them,",
            "each fault with its line, and ends with 2; or 'fine' and 0. Names of hosts are looked up; nothing listens.",
            "A data folder that others may open is a warning.",
        ],
        options: ServeCommand.settings,
        run: { invocation throws(Failure) in
            try SettingsCheck.run(invocation, looksUp: true)
            if let warning = Serve.openPermissions(RealDisk(), ServeCommand.options(invocation).data) {
                Output.error("eye: warning: \(warning)")
            }
            try Output.out("\(Visible.text(invocation.text(ConfigFile.option.name) ?? "settings")): fine\n")
            return ExitCode.success
        })
}
