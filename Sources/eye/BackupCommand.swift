// `eye backup`: copies a consistent store while the service runs, then reads the copy back. What it copies, and in which order, is in
// EyeStore's StoreBackup.

import EyeStore
import EyeSystem

/// `eye backup`.
enum BackupCommand {
    static let command = Command(
        path: ["backup"], summary: "Copies the store into a new folder; the service may run.",
        details: [
            "The copy holds exactly the events that were durable when it began, the accounts and the rejected samples.",
            "It is synced and read back before this ends. To use it: eye serve --data DIR.",
        ],
        operands: [Operand(name: "DIR")], options: [CommandTable.data],
        run: { invocation throws(Failure) in
            let (source, target) = (invocation.text("data") ?? "", invocation.operands[0])
            let disk = RealDisk()
            let isRunning = try StoreFolder.check(disk, source)
            let backup: StoreBackup
            var copying: ProgressLine
            do throws(BackupError) {
                backup = try StoreBackup(disk, from: source, to: target, isRunning: isRunning)
                copying = ProgressLine("copying", totalBytes: backup.totalBytes)
                try backup.run { copying.show($0) }
            } catch {
                throw failure(error)
            }
            let seconds = copying.seconds
            copying.end()
            let verification = try Failure.ofStore { () throws(StoreOpenError) in
                try StoreVerification(disk, folder: target, isRunning: false)
            }
            var reading = ProgressLine("reading back", totalBytes: verification.totalBytes)
            let report = try Failure.of(target) { () throws(SystemError) in
                try verification.run { reading.show($0) }
            }
            reading.end()
            for finding in report.findings where finding.gravity == .damage {
                Output.error("damaged, in the copy as in the original: \(finding)")
            }
            let last = report.nextEventID - 1
            try Output.out(
                "\(target): \(report.events) events, up to id \(last); \(Amount.bytes(report.bytes)) in "
                    + "\(Amount.tenths(seconds)) s, synced and read back\n")
            return report.isDamaged ? ExitCode.store : ExitCode.success
        })

    private static func failure(_ error: BackupError) -> Failure {
        switch error {
        case .notEmpty, .restless: Failure("\(error)")
        case .store: Failure("\(error)", code: ExitCode.store)
        case .failed(_, let cause):
            Failure("\(error)", code: cause.isInputOutput ? ExitCode.inputOutput : ExitCode.failure)
        }
    }
}
