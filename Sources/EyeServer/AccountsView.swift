// The accounts as the loops see them: an immutable book that housekeeping replaces when the file has changed, and a number
// that says whether it did, so that a loop looks with one atomic load a tick.

import EyeStore
import Synchronization

/// The current account book.
final class AccountsView: Sendable {
    private let book: Mutex<AccountBook>
    private let version = Atomic<UInt64>(1)

    private let file: AccountFile

    init(_ book: AccountBook, file: AccountFile) {
        self.book = Mutex(book)
        self.file = file
    }

    /// Changes with every replaced book; never 0.
    var currentVersion: UInt64 { version.load(ordering: .acquiring) }
    var current: AccountBook { book.withLock { $0 } }

    /// Looks at the file and replaces the book if it has changed: one stat(2) if it has not. Housekeeping does so all the time, a loop
    /// when the HTTP service shows it a token that the book does not know yet.
    func look() throws(AccountError) {
        guard let newer = try file.refresh() else { return }
        book.withLock { $0 = newer }
        version.add(1, ordering: .releasing)
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
