// How the command ends. Scripts rely on these numbers; README lists them.

import EyeStore
import EyeSystem

/// Exit codes of `eye`.
enum ExitCode {
    static let success: Int32 = 0
    /// It could not be done.
    static let failure: Int32 = 1
    /// The command line is wrong.
    static let usage: Int32 = 2
    /// An address cannot be listened on.
    static let cannotBind: Int32 = 3
    /// The data folder is locked, of a newer format, damaged or unusable.
    static let store: Int32 = 4
    /// The disk failed (EX_IOERR of sysexits.h).
    static let inputOutput: Int32 = 74
    /// Ctrl-C, as shells have it.
    static let interrupted: Int32 = 130
}

/// Why a subcommand ends early: one line for stderr and an exit code.
struct Failure: Error {
    let code: Int32
    let message: String
    /// Wrong settings have several lines.
    private var usage: UsageError?

    /// What stderr is to show.
    var lines: [String] { usage?.lines ?? ["eye: \(message)"] }

    /// Everything that is wrong, one by one.
    var faults: [String] { usage?.messages ?? [message] }

    init(_ message: String, code: Int32 = ExitCode.failure) {
        self.code = code
        self.message = message
    }

    init(_ error: UsageError) {
        code = ExitCode.usage
        message = error.messages.joined(separator: "; ")
        usage = error
    }

    init(_ error: AccountError) {
        message = error.description
        switch error {
        case .badName, .noScopes: code = ExitCode.usage
        case .system(let error, _) where error.isInputOutput || error.isFailedSync: code = ExitCode.inputOutput
        case .notShown: code = ExitCode.inputOutput
        default: code = error.isUnusableStore ? ExitCode.store : ExitCode.failure
        }
    }

    /// The same, and what else there is to know.
    init(_ error: AccountError, but more: String) {
        let plain = Failure(error)
        self.init("\(plain.message); \(more)", code: plain.code)
    }

    init(_ error: StoreOpenError) {
        message = "\(error)"
        switch error {
        // A disk that fails while the store is opened is the same failure as later: nothing was accepted yet.
        case .unusable(_, let cause) where cause.isInputOutput || cause.isFailedSync: code = ExitCode.inputOutput
        default: code = ExitCode.store
        }
    }

    init(_ error: SystemError, _ what: String) {
        message = "\(what): \(error)"
        code = error.isInputOutput ? ExitCode.inputOutput : ExitCode.failure
    }

    /// `what` is the data folder, or something in it, that cannot be used.
    init(unusable what: String, _ error: SystemError) {
        message = "\(what): \(error)"
        code = error.isInputOutput ? ExitCode.inputOutput : ExitCode.store
    }

    /// Runs `body`; what the system refuses becomes a failure of `what`.
    static func of<Result: ~Copyable>(
        _ what: String, _ body: () throws(SystemError) -> Result
    ) throws(Failure) -> Result {
        do throws(SystemError) {
            return try body()
        } catch {
            throw Failure(error, what)
        }
    }

    /// Runs `body` on accounts.
    static func ofAccounts<Result>(_ body: () throws(AccountError) -> Result) throws(Failure) -> Result {
        do throws(AccountError) {
            return try body()
        } catch {
            throw Failure(error)
        }
    }
}
