// The accounts as the loops see them: an immutable book that is replaced when the file has changed, and a number that says
// whether it was, so that a loop looks with one atomic load a tick. Housekeeping looks at the file twice a second; a loop
// that meets a token it does not know looks at once, so that a token works as soon as it was made.

import EyeStore
import EyeSystem
import Synchronization

/// The current account book.
final class AccountsView: Sendable {
    private let file: AccountFile
    private let log: Log
    private let book: Mutex<AccountBook>
    private let version = Atomic<UInt64>(1)

    init(_ file: AccountFile, log: Log) throws(AccountError) {
        self.file = file
        self.log = log
        // Looks first, so that a change between the two is seen by the next look.
        if let first = try file.refresh() {
            book = Mutex(first)
        } else {
            book = Mutex(try file.load())
        }
    }

    /// Changes with every replaced book; never 0.
    var currentVersion: UInt64 { version.load(ordering: .acquiring) }
    var current: AccountBook { book.withLock { $0 } }

    /// Reads the file if it is another one than before: one stat(2) if it is not. Under the lock from the look to the new
    /// book: who finds the file unchanged because somebody else has just read it finds that book here too.
    func look() {
        let failure: AccountError? = book.withLock { book in
            do throws(AccountError) {
                guard let newer = try file.refresh() else { return nil }
                book = newer
                version.add(1, ordering: .releasing)
                return nil
            } catch {
                return error
            }
        }
        if let failure {
            log.error(
                "the accounts file cannot be read; going on with what was read before", ["error": "\(failure)"])
        }
    }
}

/// Uses of tokens that the loops have seen and housekeeping has not written yet.
final class TokenUseNotes: Sendable {
    private let notes = Mutex(TokenUse())

    /// A loop, when it finds a token in the book anew (not per line).
    func record(_ token: UInt32, at now: Int64) { notes.withLock { $0.record(token, at: now) } }

    func take() -> TokenUse {
        notes.withLock { notes in
            let taken = notes
            notes = TokenUse()
            return taken
        }
    }
}
