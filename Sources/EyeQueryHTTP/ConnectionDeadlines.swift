// What ends a connection, or a request of it, by the clock: silence, slow bodies, answers that are not taken, waiting for room, a token that was
// revoked. Part of HTTPConnection; the loop asks every `HTTPLimits.tickMilliseconds`.

extension HTTPConnection {
    /// The client is expected to send while its body is wanted.
    func watchInput(now: UInt64) {
        let bodyExpected =
            switch phase {
            case .exchange, .discard: !bodyIsWhole && wantsInput
            default: false
            }
        if bodyExpected { inputWatch.start(now: now) } else { inputWatch.stop() }
    }

    /// May be closed to make room for another client: kept alive without a request, or silent since it connected a while
    /// ago.
    public func isEvictable(now: UInt64) -> Bool {
        guard isIdle else { return false }
        return hasServed || now > phaseStart && (now - phaseStart) / 1_000_000 >= HTTPLimits.silentMilliseconds
    }

    /// Looks at the deadlines. True when the connection must be cut off at once.
    public func isExpired(now: UInt64, wallMicroseconds: Int64) -> Bool {
        if isMidAnswer, let mayGoOn, !mayGoOn() { return true }
        let period = endless == nil ? HTTPLimits.ratePeriodMilliseconds : HTTPLimits.livePatienceMilliseconds
        if outputWatch.isTooSlow(now: now, over: period) { return true }
        let elapsed = now > phaseStart ? (now - phaseStart) / 1_000_000 : 0
        switch phase {
        case .head:
            if parser.isBetweenRequests {
                if pendingOutput > 0 { return false }
                return elapsed >= (hasServed ? HTTPLimits.idleMilliseconds : HTTPLimits.headMilliseconds)
            }
            if elapsed >= HTTPLimits.headMilliseconds {
                refuse(.timeout, now: now, wall: wallMicroseconds)
            }
        case .exchange where share.isWaiting && elapsed >= HTTPLimits.answerWaitMilliseconds:
            answerInstead(Problem.crowded.response, now: now, wall: wallMicroseconds)
        case .exchange, .discard:
            if inputWatch.isTooSlow(now: now) {
                refuse(.timeout, now: now, wall: wallMicroseconds)
            } else {
                return asksInVain(now: now)
            }
        case .produce: return asksInVain(now: now)
        case .closing: break
        }
        return false
    }
}
