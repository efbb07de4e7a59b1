// `eye init`: what the first start does to the data folder, without serving. For services whose output goes to a journal, where
// no secret may stand.

import EyeStore
import EyeSystem

/// `eye init`.
enum InitCommand {
    static let command = Command(
        path: ["init"], summary: "Makes the data folder, the first administrator and the first token, and shows both.",
        details: [
            "'eye serve' does this by itself, unless a service manager started it (NOTIFY_SOCKET): its journal would keep",
            "the secrets. Where accounts are already, nothing is changed, and the exit code is 1. When stdout does not take",
            "what is shown, nothing is made, and the exit code is 74.",
        ],
        options: [CommandTable.data],
        run: { invocation throws(Failure) in
            let folder = invocation.text("data") ?? ""
            let disk = RealDisk()
            try Serve.prepareFolder(disk, folder)
            let file = AccountFile(disk, folder: folder, time: SystemTime())
            guard let first = try Serve.firstAccounts(file, isReader: false) else {
                throw Failure("'\(folder)' has accounts already; 'eye user list' shows them")
            }
            if first.isBesideEvents { Output.error("eye: warning: \(Greeting.accountsWereMissing)") }
            return ExitCode.success
        })
}
