// `eye check-config`: whether `eye serve` would take these settings, without starting anything.

import EyeStore
import EyeSystem

/// `eye check-config`.
enum CheckConfigCommand {
    static let command = Command(
        path: ["check-config"], summary: "Says whether 'eye serve' would take these settings, and starts nothing.",
        details: [
            "Takes the options, variables and configuration file of 'eye serve'. Says everything that is wrong with them,",
            "each fault with its line, and ends with 2; with 4 when the data folder could not be used: something else is where it, or a",
            "file of it, belongs, this user may not write in it, the accounts are damaged, or a newer eye wrote the store; or 'fine' and",
            "0. Names of hosts are looked up once each value is right by itself; nothing listens, and whether a service runs is not",
            "asked. A data folder that others may open is a warning.",
        ],
        options: ServeCommand.settings,
        run: { invocation throws(Failure) in
            try SettingsCheck.run(invocation, looksUp: true)
            let (disk, options) = (RealDisk(), ServeCommand.options(invocation))
            let sockets = options.only == .http ? [] : Serve.sockets
            try Failure.ofStore { () throws(StoreOpenError) in
                try DataFolder.check(disk, options.data, sockets: sockets)
                if options.only != .http { try DataFolder.checkAccess(disk, options.data) }
            }
            if options.only != .http { try checkAccounts(AccountFile(disk, folder: options.data, time: SystemTime())) }
            if let warning = Serve.openPermissions(disk, options.data) { Output.error("eye: warning: \(warning)") }
            try Output.out("\(Visible.text(invocation.text(ConfigFile.option.name) ?? "settings")): fine\n")
            return ExitCode.success
        })

    /// Those that are there must be whole; the first start makes them. Who only serves reads starts without, and waits for them.
    private static func checkAccounts(_ accounts: AccountFile) throws(Failure) {
        do throws(AccountError) {
            _ = try accounts.load()
        } catch {
            switch error {
            case .noFolder, .noAccounts: break
            default: throw Failure(error)
            }
        }
    }
}
