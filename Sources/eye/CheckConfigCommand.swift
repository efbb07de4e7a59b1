// `eye check-config`: whether `eye serve` would take these settings, without starting anything.

import EyeStore
import EyeSystem

/// `eye check-config`.
enum CheckConfigCommand {
    static let command = Command(
        path: ["check-config"], summary: "Says whether 'eye serve' would take these settings, and starts nothing.",
        details: [
            "Takes the options, variables and configuration file of 'eye serve'. Says everything that is wrong with them,",
            "each fault with its line, and ends with 2; with 4 when something else is where the data folder, or a file of it,",
            "belongs; or 'fine' and 0. Names of hosts are looked up; nothing listens. A data folder that others may open is a warning.",
        ],
        options: ServeCommand.settings,
        run: { invocation throws(Failure) in
            try SettingsCheck.run(invocation, looksUp: true)
            let (disk, options) = (RealDisk(), ServeCommand.options(invocation))
            let sockets = options.only == .http ? [] : Serve.sockets
            try Failure.ofStore { () throws(StoreOpenError) in
                try DataFolder.check(disk, options.data, sockets: sockets)
            }
            if let warning = Serve.openPermissions(disk, options.data) { Output.error("eye: warning: \(warning)") }
            try Output.out("\(Visible.text(invocation.text(ConfigFile.option.name) ?? "settings")): fine\n")
            return ExitCode.success
        })
}
