// A client that has closed its sending side: one that still waits for its answer (`printf … | nc -N`) looks just like one that is gone, until
// something is written to it, for the kernel of one that is gone answers with a reset. So while nothing is there to be written it is asked now and
// then, by bytes that mean nothing. Part of HTTPConnection; nanoseconds of the monotonic clock.

/// The end of a client's sending side, and what was done about it.
struct HalfClose {
    /// When it was seen.
    private var since: UInt64?
    private var asked = 0

    /// Between a request's head and its answer: an interim answer (RFC 9110 section 15.2; 102 is of RFC 2518 section 10.1).
    static let interimAnswer = "HTTP/1.1 102 Processing\r\n\r\n"
    /// Between two chunks: a leading zero of the next one's size (RFC 9112 section 7.1).
    static let chunkDigit = "0"

    var isNoted: Bool { since != nil }

    mutating func note(now: UInt64) { since = since ?? now }

    private func elapsedMilliseconds(_ now: UInt64) -> UInt64 {
        guard let since, now > since else { return 0 }
        return (now - since) / 1_000_000
    }

    /// Whether it is time to ask; each time after twice as long.
    mutating func isTimeToAsk(now: UInt64) -> Bool {
        guard asked < HTTPLimits.asksMax, elapsedMilliseconds(now) >= HTTPLimits.askMilliseconds << UInt64(asked) else {
            return false
        }
        asked += 1
        return true
    }

    /// Whether one that cannot be asked has waited long enough.
    func isTooLong(now: UInt64) -> Bool { elapsedMilliseconds(now) >= HTTPLimits.halfClosedMilliseconds }
}
