// Who is calling: the account file as it was at most a quarter of a second ago, or just now for a token that is not known, and the
// last use of tokens. On the loop's thread.

import EyeStore
import EyeSystem

/// The accounts as the HTTP service sees them.
final class AccountWatch {
    private let file: AccountFile
    private let time: any TimeSource
    private let log: Log?
    private let channel: ControlChannel
    private(set) var book: AccountBook?
    /// Why the file could not be read when it was looked at last; nil: it could.
    private(set) var cause: String?
    private var lastLook: UInt64?
    /// Token → when its use was last reported, in seconds of the monotonic clock.
    private var uses: [UInt32: UInt64] = [:]

    init(_ file: AccountFile, channel: ControlChannel, time: any TimeSource, log: Log?) {
        self.file = file
        self.channel = channel
        self.time = time
        self.log = log
    }

    /// Looks at the file now: after a login made a token.
    func refresh() {
        lastLook = time.monotonicNanoseconds()
        do throws(AccountError) {
            if let news = try file.refresh() {
                book = news
                cause = nil
            }
        } catch {
            cause = AccountWatch.brief(error)
            // Thrown once per cause; the book that we have goes on.
            log?.warning("the accounts cannot be read", ["cause": error.description])
        }
    }

    /// Why, for those who may not know where the file is.
    private static func brief(_ error: AccountError) -> String {
        switch error {
        case .noFolder: "there is no data folder yet"
        case .noAccounts: "there are no accounts yet"
        case .damaged: "the account file is damaged"
        case .newer: "the account file was written by a newer version"
        case .system(let cause, _): "the account file cannot be read (\(cause))"
        default: "the account file cannot be read"
        }
    }

    /// The usable token with this secret.
    func token(_ secret: [UInt8]) -> TokenEntry? {
        let now = time.monotonicNanoseconds()
        refreshIfDue(now)
        guard secret.count <= AccountLimits.secretBytesMax else { return nil }
        var found = book?.token(matching: secret.span, now: time.nowMicroseconds())
        if found == nil {
            // A token works as soon as it was made. What this costs is one stat(2), less than the refusal of a stranger.
            refresh()
            found = book?.token(matching: secret.span, now: time.nowMicroseconds())
        }
        if let found { noteUse(found.id, now / 1_000_000_000) }
        return found
    }

    /// Whether a token that was usable still is: what runs for it asks again and again.
    func isUsable(_ id: UInt32) -> Bool {
        refreshIfDue(time.monotonicNanoseconds())
        return book?.isUsable(token: id, now: time.nowMicroseconds()) ?? false
    }

    private func refreshIfDue(_ now: UInt64) {
        if lastLook.map({ now - $0 >= HTTPLimits.accountsMilliseconds * 1_000_000 }) ?? true { refresh() }
    }

    /// Reports a use, for one token once in a while: last use is for people.
    private func noteUse(_ id: UInt32, _ second: UInt64) {
        if let last = uses[id], second - last < AccountWatch.useSeconds { return }
        if uses.count >= AccountWatch.usesMax { uses.removeAll(keepingCapacity: true) }
        uses[id] = second
        channel.post(ChannelLine.used(token: id))
    }

    private static let useSeconds: UInt64 = 60
    private static let usesMax = 10_000
}
