// Counts failed logins per user name and per address, so that passwords cannot be guessed at speed. Used on the loop's
// thread. Invariant: bounded entries; an attempt is counted when it begins and given back when it succeeds, so that many at
// once cannot slip through.

/// Fixed windows of attempts.
struct LoginLimiter {
    private struct Window {
        var start: UInt64
        var count: Int
    }

    private var users: [String: Window] = [:]
    private var addresses: [String: Window] = [:]

    /// Takes one attempt; the seconds to wait when there is none left. Milliseconds of the monotonic clock.
    mutating func begin(user: String, address: String, now: UInt64) -> UInt64? {
        if let wait = LoginLimiter.wait(users[user], HTTPLimits.loginFailuresPerUserMax, now) { return wait }
        if let wait = LoginLimiter.wait(addresses[address], HTTPLimits.loginFailuresPerAddressMax, now) { return wait }
        LoginLimiter.count(&users, user, now)
        LoginLimiter.count(&addresses, address, now)
        return nil
    }

    /// The attempt was a success: it does not count, and the user's earlier slips are forgiven.
    mutating func succeed(user: String, address: String) {
        users[user] = nil
        if let window = addresses[address] { addresses[address]?.count = max(0, window.count - 1) }
    }

    /// The attempt was never judged.
    mutating func giveBack(user: String, address: String) {
        if let window = users[user] { users[user]?.count = max(0, window.count - 1) }
        if let window = addresses[address] { addresses[address]?.count = max(0, window.count - 1) }
    }

    private static func wait(_ window: Window?, _ most: Int, _ now: UInt64) -> UInt64? {
        guard let window, window.count >= most else { return nil }
        let age = now - window.start
        guard age < HTTPLimits.loginWindowMilliseconds else { return nil }
        return (HTTPLimits.loginWindowMilliseconds - age + 999) / 1000
    }

    private static func count(_ windows: inout [String: Window], _ key: String, _ now: UInt64) {
        if let window = windows[key], now - window.start < HTTPLimits.loginWindowMilliseconds {
            windows[key]?.count += 1
            return
        }
        if windows.count >= HTTPLimits.loginEntriesMax && windows[key] == nil {
            windows = windows.filter { now - $0.value.start < HTTPLimits.loginWindowMilliseconds }
            if windows.count >= HTTPLimits.loginEntriesMax,
                let oldest = windows.min(by: { $0.value.start < $1.value.start })
            {
                windows[oldest.key] = nil
            }
        }
        windows[key] = Window(start: now, count: 1)
    }
}
