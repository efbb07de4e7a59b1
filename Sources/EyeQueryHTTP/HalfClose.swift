// A client that has closed its sending side: one that still waits for its answer (`printf … | nc -N`) looks just like one that is gone, until
// something is written to it, for the kernel of one that is gone answers with a reset. So while nothing is there to be written it is asked now and
// then, by bytes that mean nothing. Part of HTTPConnection; nanoseconds of the monotonic clock.

/// The end of a client's sending side, and what was done about it for the request that is being answered.
struct HalfClose {
    /// Since when there is something to ask about: the end was seen, the request begun, or a piece of the answer made, whichever was last.
    private var since: UInt64?
    private var asked = 0

    /// Between a request's head and its answer: the interim answer that every client throws away that did not ask for it (RFC 9110 section
    /// 15.2.1), where others, such as 102, are taken for the answer by some.
    static let interimAnswer = "HTTP/1.1 100 Continue\r\n\r\n"
    /// Between two chunks: a leading zero of the next one's size (RFC 9112 section 7.1).
    static let chunkDigit = "0"

    var isNoted: Bool { since != nil }

    mutating func note(now: UInt64) { since = since ?? now }

    /// Another request is being answered, of those that came before the end, or a piece of the answer is there to be sent, which asks as well: its
    /// client has not been waiting for the next one yet.
    mutating func restart(now: UInt64) {
        if isNoted { since = now }
        asked = 0
    }

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

    /// Whether one that took all questions has.
    func isTooLongAsked(now: UInt64) -> Bool { elapsedMilliseconds(now) >= HTTPLimits.halfClosedAskedMilliseconds }
}

extension HTTPConnection {
    /// The client has closed its sending side; there may still be bytes to read before that end.
    public func noteHalfClose(now: UInt64) {
        halfClose.note(now: now)
        finishEndless()
    }

    /// Whether news of a half-close are wanted though input is not.
    public var watchesHalfClose: Bool {
        switch phase {
        case .exchange, .produce: !halfClose.isNoted
        case .head, .discard, .closing: false
        }
    }

    /// The body that is being pulled, if it has no end of its own. It ends with its client's sending side (nothing else would tell that the client is
    /// gone), and with the service.
    var endless: (any BodyProducer)? {
        guard case .produce(let producer) = phase, producer.isEndless else { return nil }
        return producer
    }

    /// Asks a client that has closed its sending side whether it is still there, if it is time to. True: it has waited long enough, whether it
    /// could be asked or not.
    func asksInVain(now: UInt64) -> Bool {
        guard halfClose.isNoted, pendingOutput == 0 else { return false }
        let question: String
        switch phase {
        case .exchange where (request.map { $0.isSafe && $0.minorVersion > 0 } ?? false):
            question = HalfClose.interimAnswer
        case .produce where isChunked: question = HalfClose.chunkDigit
        case .produce: return halfClose.isTooLongAsked(now: now)
        default: return halfClose.isTooLong(now: now)
        }
        if halfClose.isTooLongAsked(now: now) { return true }
        if halfClose.isTimeToAsk(now: now) { say(question, now: now) }
        return false
    }
}
