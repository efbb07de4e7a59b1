// The memory of the answers of all connections of a loop: what waits for clients that do not read, and what is put by for answers in the making.
// One budget a loop, on its thread.
//
// When half of it is taken, connections hold little output: long answers go on in smaller pieces. When there is no room for another one, an
// answer that is read from the store waits for its turn, in order, and after `HTTPLimits.answerWaitMilliseconds` is 503. What is answered
// at once (health, writes, refusals) never waits; a connection that reads nothing of it is asked for no further request.
//
// Nobody takes everybody's room: an account's answers (AnswerAccount) are given more only while they take less than what is free, as one token's
// clients are on the ingest side. One alone has half of all, two have a third each, and whoever comes next finds room.

import EyeStore

/// Whom an answer is made for: all connections that use one token, or tokens of one login, have one account.
public struct AnswerAccount: Hashable, Sendable {
    private let number: UInt64

    /// Those of whom nothing is known.
    public static let strangers = AnswerAccount(number: 0)

    private init(number: UInt64) { self.number = number }

    /// Logins are free: all that one user has made count as one.
    init(_ token: TokenEntry) {
        number = token.owner.map { UInt64($0) << 32 | 1 << 63 } ?? UInt64(token.id)
    }
}

/// What all answers may take, and who waits for some of it.
final class AnswerBudget {
    /// Bytes of all of them.
    private let most: Int
    private(set) var used = 0
    fileprivate final class Account {
        var used = 0
        /// Connections that it has.
        var shares = 0
        /// Those that wait, in order.
        var waiting: [AnswerShare] = []
    }
    private var accounts: [AnswerAccount: Account] = [:]
    /// Answers that wait for room.
    private(set) var waitingCount = 0
    private var lastTicket: UInt64 = 0
    /// The most that was taken since memory was given back.
    private var peak = 0

    init(_ most: Int = HTTPLimits.answersBytesMax) { self.most = most }

    /// The output that a connection may hold before nothing more is made for it.
    var outputBytesMax: Int { used > most / 2 ? HTTPLimits.tightOutputBytesMax : HTTPLimits.outputBytesMax }

    private func hasRoom(_ account: Account) -> Bool {
        account.used + HTTPLimits.answerReserveBytes <= most - used
    }

    /// The one whose turn it is: of those whose account may have more the one that came first.
    private var next: AnswerShare? {
        if waitingCount == 0 { return nil }
        return accounts.values.filter { !$0.waiting.isEmpty && hasRoom($0) }.compactMap(\.waiting.first)
            .min { $0.ticket < $1.ticket }
    }

    fileprivate func open(_ id: AnswerAccount) -> Account {
        let account = accounts[id] ?? Account()
        accounts[id] = account
        account.shares += 1
        return account
    }

    /// A connection leaves an account, with what it took.
    fileprivate func close(_ id: AnswerAccount, _ account: Account) {
        account.shares -= 1
        if account.shares == 0 { accounts[id] = nil }
    }

    fileprivate func change(_ account: Account, by bytes: Int) {
        account.used += bytes
        used += bytes
        peak = max(peak, used)
        next?.wake()
    }

    /// Whether `share` may have its reserve now; if not it is woken in its turn.
    fileprivate func admit(_ share: AnswerShare) -> Bool {
        let account = share.account
        if hasRoom(account) && (next.map { $0 === share } ?? true) {
            if share.isWaiting {
                account.waiting.removeFirst()
                waitingCount -= 1
            }
            return true
        }
        if !share.isWaiting {
            lastTicket += 1
            share.ticket = lastTicket
            account.waiting.append(share)
            waitingCount += 1
        }
        return false
    }

    fileprivate func leave(_ share: AnswerShare) {
        share.account.waiting.removeAll { $0 === share }
        waitingCount -= 1
        next?.wake()
    }

    /// Whether so much less is taken than once was that what was freed is worth giving back to the kernel.
    var isWorthReleasing: Bool { peak >= HTTPLimits.releaseBytesMin && used <= peak / 4 }
    /// It was given back.
    func noteRelease() { peak = used }
}

/// What one connection has of the budget.
final class AnswerShare {
    private let budget: AnswerBudget
    private var id = AnswerAccount.strangers
    fileprivate private(set) var account: AnswerBudget.Account
    private var outputBytes = 0
    private var hasReserve = false
    private(set) var isWaiting = false
    /// Lower for those that began to wait earlier.
    fileprivate var ticket: UInt64 = 0
    /// Called when it is this one's turn.
    fileprivate let wake: () -> Void

    init(of budget: AnswerBudget, for id: AnswerAccount = .strangers, wake: @escaping () -> Void) {
        self.budget = budget
        self.id = id
        self.wake = wake
        account = budget.open(id)
    }

    deinit {
        budget.change(account, by: -cost)
        budget.close(id, account)
    }

    /// Whose answers it carries from now on; what it holds goes along.
    func charge(to id: AnswerAccount) {
        if id == self.id { return }
        precondition(!isWaiting, "what waits is of one account")
        let (before, held) = (account, cost)
        budget.close(self.id, before)
        self.id = id
        account = budget.open(id)
        before.used -= held
        account.used += held
    }

    /// Its output is in what was put by.
    private var cost: Int { hasReserve ? max(HTTPLimits.answerReserveBytes, outputBytes) : outputBytes }

    /// Changes what it takes.
    private func change(_ body: () -> Void) {
        let before = cost
        body()
        if cost != before { budget.change(account, by: cost - before) }
    }

    /// The output that the connection may hold before nothing more is made for it.
    var outputBytesMax: Int { budget.outputBytesMax }

    /// Puts memory by for an answer that is about to be made; nothing if that was done. False: `wake` says when to ask again.
    func putBy() -> Bool {
        if hasReserve { return true }
        guard budget.admit(self) else {
            isWaiting = true
            return false
        }
        isWaiting = false
        change { hasReserve = true }
        return true
    }

    /// The answer is made, or will not be, or goes on without an end: what it takes is output from now on.
    func endMaking() {
        if isWaiting {
            isWaiting = false
            budget.leave(self)
        }
        guard hasReserve else { return }
        change { hasReserve = false }
    }

    /// The output takes so many bytes of memory now.
    func hold(_ bytes: Int) {
        if bytes == outputBytes { return }
        change { outputBytes = bytes }
    }
}
