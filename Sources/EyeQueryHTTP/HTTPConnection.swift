// One HTTP/1.1 connection without its socket: bytes in → requests → responder → bytes out. Keeps connections alive, answers
// pipelined requests in order, sends 100 Continue, frames bodies, watches its deadlines. The owner (HTTPService, or the echo
// server of the conformance tests) moves bytes and tells the time; everything happens on the owner's thread.
//
// Invariant: one request at a time is being answered; input that belongs to a later one waits, and no more is asked for.
// Output waits only up to `HTTPLimits.outputBytesMax` (and one item), since producers are pulled only below it; to less while all answers
// together take much (AnswerBudget). Beside this file: HalfClose, ConnectionDeadlines.

import EyeSystem

/// A connection's protocol state.
public final class HTTPConnection {
    enum Phase {
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

    private(set) var parser = RequestParser()
    private var input: [UInt8] = []
    private var inputOffset = 0
    private var inputEnded = false
    var halfClose = HalfClose()

    private(set) var phase = Phase.head
    private(set) var request: RequestHead?
    private var exchange: (any Exchange)?
    private(set) var bodyIsWhole = false
    private var bodyBytes = 0
    private var keepsAlive = true
    private(set) var isChunked = false
    private var draining = false
    private(set) var hasServed = false
    /// The exchange said `working`, or the producer `more`; or it is its turn.
    private var hasWork = false
    /// The exchange or the producer waits for `wake`, or the exchange for room.
    private var waits = false

    private var out = AnswerOutput()
    /// `Response.mayGoOn` of the answer that is being sent.
    private(set) var mayGoOn: (() -> Bool)?
    private(set) lazy var share = AnswerShare(of: budget) { [weak self] in self?.wakeUp() }
    private let budget: AnswerBudget

    private(set) var phaseStart: UInt64
    var inputWatch = RateWatch()
    var outputWatch = RateWatch()

    public convenience init(responder: any Responder, date: HTTPDate, peer: Peer, now: UInt64) {
        self.init(responder: responder, date: date, peer: peer, budget: AnswerBudget(), now: now)
    }

    init(responder: any Responder, date: HTTPDate, peer: Peer, budget: AnswerBudget, now: UInt64) {
        self.responder = responder
        self.date = date
        self.peer = peer
        self.budget = budget
        phaseStart = now
    }

    private func wakeUp() {
        waits = false
        onWake?()
    }

    private var isFull: Bool { out.count >= share.outputBytesMax }

    // MARK: What the owner asks

    /// Whether `receive` may be called: all earlier input is used up and more of it can be.
    public var wantsInput: Bool {
        guard inputOffset == input.count, !inputEnded else { return false }
        switch phase {
        case .head: return !isFull
        case .exchange: return !bodyIsWhole && (exchange?.wantsBody ?? false)
        case .discard: return true
        case .produce, .closing: return false
        }
    }

    /// Whether `advance` can do something without input, room for output or a wake.
    public var wantsTurn: Bool {
        guard !isFull else { return false }
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
        share.hold(out.capacity)
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
        share.endMaking()
        share.hold(0)
    }

    /// A body without an end is told to end.
    func finishEndless() {
        guard let endless else { return }
        endless.finish()
        waits = false
    }

    /// Does a bounded amount of work: parses, asks, pulls. Call after `receive`, `endInput`, a wake, and while
    /// `wantsTurn`. `maySteps` false: only what is quickly done, and `wantsTurn` for the rest.
    public func advance(now: UInt64, wallMicroseconds: Int64, maySteps: Bool = true) {
        hasWork = false
        waits = false
        var requests = 0
        var hasStepped = false
        while !isFull && !hasWork && !waits {
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
                if bodyIsWhole && exchange?.isLong ?? false {
                    hasWork = !maySteps || hasStepped
                    waits = !hasWork && !share.putBy()
                    if hasWork || waits { break }
                    hasStepped = true
                }
                guard continueExchange(now: now, wall: wallMicroseconds) else { break }
                continue
            case .discard(let response):
                guard continueDiscard(response, now: now, wall: wallMicroseconds) else { break }
                continue
            case .produce(let producer):
                if maySteps { pull(producer, now: now) } else { hasWork = true }
                continue
            case .closing: break
            }
            break
        }
        if pendingOutput > 0 { outputWatch.start(now: now) }
        share.hold(out.capacity)
        if inputOffset == input.count {
            // A connection that waits keeps no room.
            input = []
            inputOffset = 0
        }
        watchInput(now: now)
    }

    /// Appends what is no part of an answer.
    func say(_ text: String, now: UInt64) {
        out.append(text)
        outputWatch.start(now: now)
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
        halfClose.restart(now: now)
        let exchange = responder.exchange(head, from: peer) { [weak self] in self?.wakeUp() }
        self.exchange = exchange
        share.charge(to: exchange.account)
        if head.framing == .none {
            _ = nextEvent()  // `.end` follows at once
            bodyIsWhole = true
            exchange.finishBody()
        }
        if exchange.isLong {
            // It has its turn when its body is there.
            if bodyIsWhole { return }
        } else if ask(exchange, now: now, wall: wall) {
            // Asked before any body: what is refused by its head is refused alike however the bytes are cut.
            return
        }
        if case .length(let length) = head.framing, length > UInt64(exchange.bodyBytesMax) {
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
                // Now that it can be made it has its turn, and its room.
                if exchange.isLong { return true }
            case .needsMore:
                if inputEnded {
                    refuse(.incomplete, now: now, wall: wall)
                    return true
                }
            case .refused(let refusal):
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

    /// Gives up the exchange and answers instead of it.
    func answerInstead(_ response: Response, now: UInt64, wall: Int64) {
        exchange?.cancel()
        settle(response, now: now, wall: wall)
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
        let isAtOnce = response.closes || !keepsAlive
        if request.expectsContinue || rest > UInt64(HTTPLimits.discardBytesMax) || isAtOnce {
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

    /// What is no request, or breaks a limit: answered, and the connection ends. A request under way is given up, or says itself what became of
    /// it so far.
    func refuse(_ refusal: RequestRefusal, now: UInt64, wall: Int64) {
        keepsAlive = false
        if exchange?.breakOff(refusal) ?? false {
            bodyIsWhole = true
            (input, inputOffset) = ([], 0)
            inputWatch.stop()
            return
        }
        exchange = nil
        if case .discard(let known) = phase { return write(known, now: now, wall: wall) }
        write(responder.refusal(refusal), now: now, wall: wall)
    }

    /// Ends the connection with an answer before any request was read: the service has no room.
    public func turnAway(_ refusal: RequestRefusal, now: UInt64, wallMicroseconds: Int64) {
        refuse(refusal, now: now, wall: wallMicroseconds)
    }

    private func write(_ answer: Response, now: UInt64, wall: Int64) {
        let response = responder.completed(answer, for: request)
        // A stream that ends by itself reads on in the store until it does.
        if case .stream(let producer) = response.body, !producer.isEndless {} else { share.endMaking() }
        // Of several answers that wait together, one that has to be asked for goes for all.
        if response.mayGoOn != nil || pendingOutput == 0 { mayGoOn = response.mayGoOn }
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
        // From whatever it was written: nothing of an answer waits unwatched.
        outputWatch.start(now: now)
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
        let before = out.count
        let production = out.pull(producer, isChunked: isChunked, most: share.outputBytesMax)
        if out.count > before { halfClose.restart(now: now) }
        switch production {
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
        share.endMaking()
        exchange = nil
        request = nil
        hasServed = true
        phaseStart = now
        phase = keepsAlive ? .head : .closing
    }
}
