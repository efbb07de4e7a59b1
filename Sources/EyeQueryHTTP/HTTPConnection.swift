// One HTTP/1.1 connection without its socket: bytes in → requests → responder → bytes out. Keeps connections alive, answers
// pipelined requests in order, sends 100 Continue, frames bodies, watches its deadlines. The owner (HTTPService, or the echo
// server of the conformance tests) moves bytes and tells the time; everything happens on the owner's thread.
//
// Invariant: one request at a time is being answered; input that belongs to a later one waits, and no more is asked for.
// Output waits only up to `HTTPLimits.outputBytesMax` (and one item), since producers are pulled only below it.

import EyeSystem

/// A connection's protocol state.
public final class HTTPConnection {
    private enum Phase {
        /// Waiting for, or inside, a request's head.
        case head
        /// The body arrives, or the responder thinks.
        case exchange
        /// The answer is known; the rest of a short body is read before it is sent (RFC 9112 section 9.3).
        case discard(Response)
        /// The answer's body is being pulled.
        case produce(any BodyProducer)
        /// The last answer is in `output`.
        case closing
    }

    private let responder: any Responder
    private let date: HTTPDate
    private let peer: Peer
    /// Called when a responder has news: the owner shall call `advance` soon.
    public var onWake: (() -> Void)?

    private var parser = RequestParser()
    private var input: [UInt8] = []
    private var inputOffset = 0
    private var inputEnded = false
    private var halfClose = HalfClose()

    private var phase = Phase.head
    private var request: RequestHead?
    private var exchange: (any Exchange)?
    private var bodyIsWhole = false
    private var bodyBytes = 0
    private var keepsAlive = true
    private var isChunked = false
    private var draining = false
    private var hasServed = false
    /// The exchange said `working`, or the producer `more`.
    private var hasWork = false
    /// The exchange or the producer waits for `wake`.
    private var waits = false

    private var out = AnswerOutput()

    private var phaseStart: UInt64
    private var inputWatch = RateWatch()
    private var outputWatch = RateWatch()

    public init(responder: any Responder, date: HTTPDate, peer: Peer, now: UInt64) {
        self.responder = responder
        self.date = date
        self.peer = peer
        phaseStart = now
    }

    // MARK: What the owner asks

    /// Whether `receive` may be called: all earlier input is used up and more of it can be.
    public var wantsInput: Bool {
        guard inputOffset == input.count, !inputEnded else { return false }
        switch phase {
        case .head: return !out.isFull
        case .exchange: return !bodyIsWhole && (exchange?.wantsBody ?? false)
        case .discard: return true
        case .produce, .closing: return false
        }
    }

    /// Whether `advance` can do something without input, room for output or a wake.
    public var wantsTurn: Bool {
        guard !out.isFull else { return false }
        if hasWork { return true }
        switch phase {
        case .head: return inputOffset < input.count || inputEnded
        case .exchange: return inputOffset < input.count && !bodyIsWhole && (exchange?.wantsBody ?? false)
        case .discard: return inputOffset < input.count || bodyIsWhole
        case .produce: return !waits
        case .closing: return false
        }
    }

    /// Everything was said: send what is in `output`, then end the connection.
    public var isClosing: Bool {
        if case .closing = phase { return true }
        return false
    }

    /// Bytes that wait for the socket.
    public var pendingOutput: Int { out.count }
    /// These bytes.
    public var output: ArraySlice<UInt8> { out.bytes[out.offset...] }

    /// No request is there or has begun: may be closed at any moment.
    public var isIdle: Bool {
        if case .head = phase { return parser.isBetweenRequests && inputOffset == input.count && pendingOutput == 0 }
        return false
    }

    /// May be closed to make room for another client: kept alive without a request, or silent since it connected a while
    /// ago.
    public func isEvictable(now: UInt64) -> Bool {
        guard isIdle else { return false }
        return hasServed || now > phaseStart && (now - phaseStart) / 1_000_000 >= HTTPLimits.silentMilliseconds
    }

    // MARK: What the owner does

    /// Takes bytes from the socket. Only while `wantsInput`.
    public func receive(_ bytes: UnsafeRawBufferPointer, now: UInt64) {
        if case .head = phase, parser.isBetweenRequests { phaseStart = now }
        inputWatch.count(bytes.count)
        input.removeAll(keepingCapacity: true)
        inputOffset = 0
        unsafe input.append(contentsOf: bytes)
    }

    /// The client has ended its sending side.
    public func endInput(now: UInt64) {
        inputEnded = true
        noteHalfClose(now: now)
    }

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

    /// The body that is being pulled, if it has no end of its own.
    private var endless: (any BodyProducer)? {
        guard case .produce(let producer) = phase, producer.isEndless else { return nil }
        return producer
    }

    /// A body without an end ends with its client's sending side (nothing else would tell that the client is gone), and with the service.
    private func finishEndless() {
        guard let endless else { return }
        endless.finish()
        waits = false
    }

    /// The answer broke off: the connection is to be reset, so that what was sent of it is not taken for the whole.
    public private(set) var isBroken = false

    /// Part of an answer is still to be sent.
    public var isMidAnswer: Bool {
        if case .produce = phase { return true }
        return pendingOutput > 0
    }

    /// `endInput` was called.
    public var hasInputEnded: Bool { inputEnded }

    /// Sends waiting output into a socket, once.
    func sendOutput(to socket: Int32) throws(SystemError) -> Transfer { try out.send(to: socket) }

    /// `count` bytes of `output` went into the socket.
    public func didSend(_ count: Int) {
        outputWatch.count(count)
        if out.didSend(count) { outputWatch.stop() }
    }

    /// No further request: what is being answered is finished, then the connection ends.
    public func drain() {
        draining = true
        keepsAlive = false
        if case .head = phase { phase = .closing }
        finishEndless()
    }

    /// The client is gone: whatever runs for it is cancelled.
    public func abort() {
        if let exchange { exchange.cancel() }
        if case .produce(let producer) = phase { producer.cancel() }
        exchange = nil
        request = nil
        hasWork = false
        phase = .closing
        out.removeAll()
    }

    /// Does a bounded amount of work: parses, asks, pulls. Call after `receive`, `endInput`, a wake, and while
    /// `wantsTurn`.
    public func advance(now: UInt64, wallMicroseconds: Int64) {
        hasWork = false
        waits = false
        var requests = 0
        while !out.isFull && !hasWork && !waits {
            switch phase {
            case .head:
                if requests == HTTPLimits.requestsATurnMax {
                    hasWork = inputOffset < input.count
                    break
                }
                requests += 1
                guard readHead(now: now, wall: wallMicroseconds) else { break }
                continue
            case .exchange:
                guard continueExchange(now: now, wall: wallMicroseconds) else { break }
                continue
            case .discard(let response):
                guard continueDiscard(response, now: now, wall: wallMicroseconds) else { break }
                continue
            case .produce(let producer):
                pull(producer, now: now)
                continue
            case .closing: break
            }
            break
        }
        if pendingOutput > 0 { outputWatch.start(now: now) }
        if inputOffset == input.count {
            // A connection that waits keeps no room.
            input = []
            inputOffset = 0
        }
        watchInput(now: now)
    }

    private func watchInput(now: UInt64) {
        let bodyExpected =
            switch phase {
            case .exchange, .discard: !bodyIsWhole && wantsInput
            default: false
            }
        if bodyExpected { inputWatch.start(now: now) } else { inputWatch.stop() }
    }

    /// Looks at the deadlines. True when the connection must be cut off at once.
    public func isExpired(now: UInt64, wallMicroseconds: Int64) -> Bool {
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
        case .exchange, .discard:
            if inputWatch.isTooSlow(now: now) {
                exchange?.cancel()
                exchange = nil
                refuse(.timeout, now: now, wall: wallMicroseconds)
            } else {
                return asksInVain(now: now)
            }
        case .produce: return asksInVain(now: now)
        case .closing: break
        }
        return false
    }

    /// Asks a client that has closed its sending side whether it is still there, if it is time to. True: it cannot be asked, and has waited
    /// long enough.
    private func asksInVain(now: UInt64) -> Bool {
        guard halfClose.isNoted, pendingOutput == 0 else { return false }
        let question: String
        switch phase {
        case .exchange where (request.map { $0.isSafe && $0.minorVersion > 0 } ?? false):
            question = HalfClose.interimAnswer
        case .produce where isChunked: question = HalfClose.chunkDigit
        case .produce: return false
        default: return halfClose.isTooLong(now: now)
        }
        if halfClose.isTimeToAsk(now: now) {
            out.append(question)
            outputWatch.start(now: now)
        }
        return false
    }

    // MARK: Requests

    /// Parses up to a head. False when input is missing.
    private func readHead(now: UInt64, wall: Int64) -> Bool {
        switch nextEvent() {
        case .needsMore:
            guard inputEnded else { return false }
            if parser.isBetweenRequests {
                phase = .closing
            } else {
                refuse(.incomplete, now: now, wall: wall)
            }
            return true
        case .head(let head):
            begin(head, now: now, wall: wall)
            return true
        case .refused(let refusal):
            refuse(refusal, now: now, wall: wall)
            return true
        case .body, .end:
            preconditionFailure("a body before its head")
        }
    }

    private func nextEvent() -> RequestParser.Event {
        let bytes = input
        return parser.next(bytes.span, at: &inputOffset)
    }

    private func begin(_ head: RequestHead, now: UInt64, wall: Int64) {
        request = head
        keepsAlive = head.keepsAlive && !draining
        bodyIsWhole = false
        bodyBytes = 0
        phaseStart = now
        phase = .exchange
        let exchange = responder.exchange(head, from: peer) { [weak self] in
            guard let self else { return }
            self.waits = false
            self.onWake?()
        }
        self.exchange = exchange
        if head.framing == .none {
            _ = nextEvent()  // `.end` follows at once
            bodyIsWhole = true
            exchange.finishBody()
        }
        // Asked before any body: what is refused by its head is refused alike however the bytes are cut.
        if ask(exchange, now: now, wall: wall) { return }
        if case .length(let length) = head.framing, length > UInt64(exchange.bodyBytesMax) {
            exchange.cancel()
            refuse(.bodyTooLarge, now: now, wall: wall)
            return
        }
        if head.expectsContinue && !bodyIsWhole && inputOffset == input.count {
            // RFC 9110 section 10.1.1: now that the body is wanted, unless it has begun to arrive already.
            out.append("HTTP/1.1 100 Continue\r\n\r\n")
        }
    }

    /// Asks for the answer; true when it was ready and the phase changed.
    private func ask(_ exchange: any Exchange, now: UInt64, wall: Int64) -> Bool {
        switch exchange.answer() {
        case .later:
            return false
        case .working:
            hasWork = true
            return false
        case .ready(let response):
            settle(response, now: now, wall: wall)
            return true
        }
    }

    /// Feeds the body and asks for the answer. False when nothing more can be done now.
    private func continueExchange(now: UInt64, wall: Int64) -> Bool {
        guard let exchange else { preconditionFailure("an exchange phase without an exchange") }
        var moved = false
        while !bodyIsWhole && exchange.wantsBody {
            switch nextEvent() {
            case .body(let range):
                moved = true
                bodyBytes += range.count
                if bodyBytes > exchange.bodyBytesMax {
                    exchange.cancel()
                    refuse(.bodyTooLarge, now: now, wall: wall)
                    return true
                }
                let bytes = input
                exchange.receive(bytes.span.extracting(range))
                continue
            case .end:
                moved = true
                bodyIsWhole = true
                exchange.finishBody()
            case .needsMore:
                if inputEnded {
                    exchange.cancel()
                    refuse(.incomplete, now: now, wall: wall)
                    return true
                }
            case .refused(let refusal):
                exchange.cancel()
                refuse(refusal, now: now, wall: wall)
                return true
            case .head:
                preconditionFailure("a head inside a body")
            }
            break
        }
        if ask(exchange, now: now, wall: wall) { return true }
        return moved && !hasWork && inputOffset < input.count && !bodyIsWhole && exchange.wantsBody
    }

    /// The answer is known. It is written at once when the body is whole, or when reading the rest of it would take long.
    private func settle(_ response: Response, now: UInt64, wall: Int64) {
        exchange = nil
        guard let request, !bodyIsWhole else {
            write(response, now: now, wall: wall)
            return
        }
        let rest: UInt64 =
            switch request.framing {
            case .none: 0
            case .length(let length): length - UInt64(bodyBytes)
            case .chunked: 0
            }
        // RFC 9110 section 10.1.1: a client that waits for 100 may or may not send the body after this answer.
        if request.expectsContinue || rest > UInt64(HTTPLimits.discardBytesMax) || !keepsAlive {
            keepsAlive = false
            write(response, now: now, wall: wall)
            return
        }
        bodyBytes = 0
        phase = .discard(response)
    }

    /// Reads and drops the rest of a body. False when input is missing.
    private func continueDiscard(_ response: Response, now: UInt64, wall: Int64) -> Bool {
        while !bodyIsWhole {
            switch nextEvent() {
            case .body(let range):
                bodyBytes += range.count
                if bodyBytes <= HTTPLimits.discardBytesMax { continue }
                keepsAlive = false
            case .end:
                bodyIsWhole = true
            case .needsMore:
                if !inputEnded { return false }
                keepsAlive = false
            case .refused:
                keepsAlive = false
            case .head:
                preconditionFailure("a head inside a body")
            }
            break
        }
        write(response, now: now, wall: wall)
        return true
    }

    // MARK: Answers

    /// What is no request, or breaks a limit: answered, and the connection ends.
    private func refuse(_ refusal: RequestRefusal, now: UInt64, wall: Int64) {
        exchange = nil
        keepsAlive = false
        write(responder.refusal(refusal), now: now, wall: wall)
    }

    /// Ends the connection with an answer before any request was read: the service has no room.
    public func turnAway(_ refusal: RequestRefusal, now: UInt64, wallMicroseconds: Int64) {
        refuse(refusal, now: now, wall: wallMicroseconds)
    }

    private func write(_ answer: Response, now: UInt64, wall: Int64) {
        let response = responder.completed(answer, for: request)
        let isHead = request?.method == .head
        let minorVersion = request?.minorVersion ?? 1
        if response.closes { keepsAlive = false }
        var framing = Response.Framing.none
        switch response.body {
        case .none: if !HTTPStatus.isBodiless(response.status) { framing = .length(0) }
        case .bytes(let bytes): framing = .length(bytes.count)
        case .stream: framing = minorVersion == 0 ? .close : .chunked
        }
        if case .close = framing { keepsAlive = false }
        let field: Response.ConnectionField = keepsAlive ? (minorVersion == 0 ? .keepAlive : .silent) : .close
        out.appendHead(response, framing: framing, date: date.bytes(wall), connection: field)
        responder.answered(
            request, from: peer, status: response.status, nanoseconds: now > phaseStart ? now - phaseStart : 0)
        isChunked = if case .chunked = framing { true } else { false }
        switch response.body {
        case .none: finishAnswer(now: now)
        case .bytes(let bytes):
            if !isHead { out.append(bytes) }
            finishAnswer(now: now)
        case .stream(let producer):
            if isHead {
                producer.cancel()
                finishAnswer(now: now)
            } else {
                phase = .produce(producer)
                if draining || halfClose.isNoted { finishEndless() }
            }
        }
    }

    private func pull(_ producer: any BodyProducer, now: UInt64) {
        switch out.pull(producer, isChunked: isChunked) {
        case .more: hasWork = true
        case .later: waits = true
        case .failed:
            keepsAlive = false
            isBroken = true
            finishAnswer(now: now)
        case .end: finishAnswer(now: now)
        }
    }

    private func finishAnswer(now: UInt64) {
        exchange = nil
        request = nil
        hasServed = true
        phaseStart = now
        phase = keepsAlive ? .head : .closing
    }
}
