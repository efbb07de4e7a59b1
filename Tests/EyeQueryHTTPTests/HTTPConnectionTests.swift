import EyeSystem
import Testing

@testable import EyeQueryHTTP

/// Answers every request with 200 and its body, as the echo server of the conformance tests does.
final class EchoResponder: Responder {
    var statuses: [UInt16] = []
    var makeExchange: ((RequestHead, @escaping () -> Void) -> any Exchange)?

    func exchange(_ head: RequestHead, from peer: Peer, wake: @escaping () -> Void) -> any Exchange {
        makeExchange?(head, wake) ?? EchoExchange()
    }
    func refusal(_ refusal: RequestRefusal) -> Response { Problem(refusal).response }
    func answered(_ head: RequestHead?, from peer: Peer, status: UInt16, nanoseconds: UInt64) {
        statuses.append(status)
    }
}

final class EchoExchange: Exchange {
    var body: [UInt8] = []
    var isWhole = false
    var isCancelled = false
    var bodyBytesMax = HTTPLimits.bodyBytesMax
    var wantsBody = true
    func receive(_ bytes: Span<UInt8>) { for index in bytes.indices { body.append(bytes[index]) } }
    func finishBody() { isWhole = true }
    func answer() -> Answer { isWhole ? .ready(Response(status: 200, body: .bytes(body))) : .later }
    func cancel() { isCancelled = true }
}

/// A stream of `count` bytes `x`.
final class TestProducer: BodyProducer {
    var left: Int
    var isCancelled = false
    var fails = false
    var mostAtOnce = 0
    init(_ count: Int) { left = count }
    func produce(into out: inout [UInt8], room: Int) -> Production {
        let count = min(left, room)
        mostAtOnce = max(mostAtOnce, count)
        out += Array(repeating: UInt8(ascii: "x"), count: count)
        left -= count
        if left == 0 { return fails ? .failed : .end }
        return .more
    }
    func trailers() -> [ResponseField] { [ResponseField("Eye-Incomplete", "1-2")] }
    func cancel() { isCancelled = true }
}

/// A connection without a socket.
final class Line {
    let responder = EchoResponder()
    let connection: HTTPConnection
    var now: UInt64 = 1_000_000_000
    var received: [UInt8] = []

    init(_ budget: AnswerBudget = AnswerBudget()) {
        connection = HTTPConnection(
            responder: responder, date: HTTPDate(), peer: Peer(nil), budget: budget, now: now)
    }

    func send(_ text: String) { send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) {
        settle()
        var rest = bytes[...]
        while !rest.isEmpty && connection.wantsInput {
            let piece = Array(rest)
            piece.withUnsafeBytes { connection.receive($0, now: now) }
            rest = []
            settle()
        }
    }

    func endInput() {
        connection.endInput(now: now)
        settle()
    }

    /// Turns until nothing moves, taking all output.
    func settle(taking: Bool = true) {
        repeat {
            connection.advance(now: now, wallMicroseconds: 0)
            if taking { take() }
        } while connection.wantsTurn && (taking || connection.pendingOutput < HTTPLimits.outputBytesMax)
    }

    func take() {
        received += connection.output
        connection.didSend(connection.pendingOutput)
    }

    func expire(afterMilliseconds milliseconds: UInt64) -> Bool {
        now += milliseconds * 1_000_000
        let isExpired = connection.isExpired(now: now, wallMicroseconds: 0)
        settle()
        return isExpired
    }

    var text: String { String(decoding: received, as: UTF8.self) }
    var statuses: [UInt16] { responder.statuses }
}

@Suite struct HTTPConnectionTests {
    @Test(arguments: Vector.load("requests") + Vector.load("refusals") + Vector.load("smuggling"))
    func vectors(_ vector: Vector) {
        let wantedStatuses = vector.expected.compactMap { event -> UInt16? in
            let words = event.split(separator: " ")
            switch words[0] {
            case "request": return 200
            case "refused": return UInt16(words[1])
            default: return 400  // `waiting`: the client ends here, inside a request
            }
        }
        var first: String?
        for cuts in Vector.cuts(vector.bytes.count) {
            let line = Line()
            for piece in Vector.pieces(vector.bytes, cuts) where !line.connection.isClosing { line.send(piece) }
            line.endInput()
            if line.statuses != wantedStatuses || !line.connection.isClosing {
                #expect(line.statuses == wantedStatuses, "cut at \(cuts.count > 1 ? "every byte" : "\(cuts)")")
                #expect(line.connection.isClosing)
                return
            }
            // The same bytes, however they were cut; but a body that came with its head needs no 100 (RFC 9110 section 10.1.1).
            let answers = line.text.replacing("HTTP/1.1 100 Continue\r\n\r\n", with: "")
            if first == nil { first = answers }
            if first != answers {
                #expect(first == answers)
                return
            }
        }
    }

    @Test func keepsAliveAndFrames() {
        let line = Line()
        line.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
        #expect(
            line.text == "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Length: 2\r\n\r\nhi")
        #expect(line.connection.isIdle)
        #expect(!line.connection.isClosing)
    }

    @Test func headHasNoBody() {
        let line = Line()
        let producer = TestProducer(10)
        line.responder.makeExchange = { _, _ in ImmediateExchange(Response(status: 200, body: .stream(producer))) }
        line.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(line.text.hasSuffix("Transfer-Encoding: chunked\r\n\r\n"))
        #expect(producer.isCancelled)
        line.responder.makeExchange = { _, _ in ImmediateExchange(Response(status: 200, body: .bytes([1, 2, 3]))) }
        line.received = []
        line.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(line.text.hasSuffix("Content-Length: 3\r\n\r\n"))
    }

    @Test func streamsInChunksWithTrailers() {
        let line = Line()
        line.responder.makeExchange = { _, _ in
            ImmediateExchange(Response(status: 200, body: .stream(TestProducer(5))))
        }
        line.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(line.text.hasSuffix("\r\n\r\n0000005\r\nxxxxx\r\n0\r\nEye-Incomplete: 1-2\r\n\r\n"))
        #expect(line.connection.isIdle)
    }

    @Test func streamsToOldClientsUntilTheEnd() {
        let line = Line()
        line.responder.makeExchange = { _, _ in
            ImmediateExchange(Response(status: 200, body: .stream(TestProducer(5))))
        }
        line.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        #expect(line.text.hasSuffix("Connection: close\r\n\r\nxxxxx"))
        #expect(line.connection.isClosing)
    }

    @Test func aFailedStreamIsCut() {
        let line = Line()
        line.responder.makeExchange = { _, _ in
            let producer = TestProducer(5)
            producer.fails = true
            return ImmediateExchange(Response(status: 200, body: .stream(producer)))
        }
        line.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(line.text.hasSuffix("0000005\r\nxxxxx\r\n"))
        #expect(line.connection.isClosing && line.connection.isBroken)
    }

    @Test func aSlowReaderHoldsTheProducerBack() {
        let line = Line()
        let producer = TestProducer(10 << 20)
        line.responder.makeExchange = { _, _ in ImmediateExchange(Response(status: 200, body: .stream(producer))) }
        let bytes = Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
        bytes.withUnsafeBytes { line.connection.receive($0, now: line.now) }
        line.settle(taking: false)
        #expect(line.connection.pendingOutput <= 2 * HTTPLimits.outputBytesMax)
        #expect(producer.left > 9 << 20)
        #expect(!line.connection.wantsTurn)
        line.take()
        #expect(line.connection.wantsTurn)
        #expect(producer.mostAtOnce <= HTTPLimits.outputBytesMax)
        line.connection.abort()
        #expect(producer.isCancelled)
    }

    @Test func aReaderThatStandsStillIsCutOff() {
        let line = Line()
        line.responder.makeExchange = { _, _ in
            ImmediateExchange(Response(status: 200, body: .stream(TestProducer(10 << 20))))
        }
        let bytes = Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
        bytes.withUnsafeBytes { line.connection.receive($0, now: line.now) }
        line.settle(taking: false)
        line.now += HTTPLimits.ratePeriodMilliseconds * 1_000_000
        #expect(line.connection.isExpired(now: line.now, wallMicroseconds: 0))
    }

    @Test func slowHeadsAre408() {
        let line = Line()
        line.send("GET / HTTP/1.1\r\nHo")
        #expect(!line.expire(afterMilliseconds: HTTPLimits.headMilliseconds - 1))
        #expect(line.statuses.isEmpty)
        // A byte now and then does not help.
        line.send("s")
        #expect(!line.expire(afterMilliseconds: 1))
        #expect(line.statuses == [408])
        #expect(line.connection.isClosing)
    }

    /// A refusal that is written by the clock is watched like any other answer.
    @Test func aRefusalThatNobodyTakesIsCutOff() {
        let line = Line()
        line.send("GET / HT")
        line.now += HTTPLimits.headMilliseconds * 1_000_000
        #expect(!line.connection.isExpired(now: line.now, wallMicroseconds: 0))
        #expect(line.statuses == [408] && line.connection.pendingOutput > 0)
        line.now += HTTPLimits.ratePeriodMilliseconds * 1_000_000
        #expect(line.connection.isExpired(now: line.now, wallMicroseconds: 0))
    }

    @Test func silentConnectionsAreClosedWithoutAWord() {
        let line = Line()
        #expect(!line.expire(afterMilliseconds: HTTPLimits.headMilliseconds - 1))
        #expect(line.expire(afterMilliseconds: 1))
        #expect(line.received.isEmpty)
        let kept = Line()
        kept.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(!kept.expire(afterMilliseconds: HTTPLimits.idleMilliseconds - 1))
        #expect(kept.expire(afterMilliseconds: 1))
        #expect(kept.statuses == [200])
    }

    @Test func slowBodiesAre408() {
        let line = Line()
        var exchange: EchoExchange?
        line.responder.makeExchange = { _, _ in
            let made = EchoExchange()
            exchange = made
            return made
        }
        line.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
        let enough = HTTPLimits.rateBytesPerSecond * Int(HTTPLimits.ratePeriodMilliseconds) / 1000
        for _ in 0..<3 {
            line.send(Array(repeating: 65, count: enough))
            #expect(!line.expire(afterMilliseconds: HTTPLimits.ratePeriodMilliseconds))
            #expect(line.statuses.isEmpty)
        }
        line.send(Array(repeating: 65, count: enough - 1))
        #expect(!line.expire(afterMilliseconds: HTTPLimits.ratePeriodMilliseconds))
        #expect(line.statuses == [408])
        #expect(exchange?.isCancelled == true)
    }

    /// An answer that was known before the body was whole is given, though the rest does not come.
    @Test func anEarlyAnswerIsNotForgotten() {
        let line = Line()
        line.responder.makeExchange = { _, _ in ImmediateExchange(Response(status: 404)) }
        line.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc")
        #expect(line.statuses.isEmpty)
        #expect(!line.expire(afterMilliseconds: HTTPLimits.ratePeriodMilliseconds))
        #expect(line.statuses == [404] && line.connection.isClosing)
    }

    @Test func aBodyThatIsHeldBackIsNotSlow() {
        let line = Line()
        let exchange = EchoExchange()
        exchange.wantsBody = false
        line.responder.makeExchange = { _, _ in exchange }
        line.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
        #expect(!line.connection.wantsInput)
        #expect(!line.expire(afterMilliseconds: 10 * HTTPLimits.ratePeriodMilliseconds))
        #expect(line.statuses.isEmpty)
        exchange.wantsBody = true
        line.settle()
        #expect(line.statuses == [200])
        #expect(exchange.body == Array("abc".utf8))
    }

    @Test func continuesWhenTheBodyIsWanted() {
        let line = Line()
        line.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        #expect(line.text == "HTTP/1.1 100 Continue\r\n\r\n")
        line.send("hi")
        #expect(line.text.hasSuffix("\r\n\r\nhi"))
        #expect(line.connection.isIdle)
    }

    @Test func aBodyThatIsThereIsNotAskedFor() {
        let line = Line()
        line.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nh")
        #expect(line.text.isEmpty)
        line.send("i")
        #expect(line.text.hasPrefix("HTTP/1.1 200 ") && line.text.hasSuffix("\r\n\r\nhi"))
    }

    @Test func refusesInsteadOfContinuing() {
        let line = Line()
        line.responder.makeExchange = { _, _ in ImmediateExchange(Response(status: 401)) }
        line.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        #expect(line.text.hasPrefix("HTTP/1.1 401 "))
        #expect(!line.text.contains("100 Continue"))
        #expect(line.connection.isClosing)
    }

    @Test(arguments: [false, true]) func bodiesOverTheLimitAre413(isChunked: Bool) {
        let line = Line()
        let exchange = EchoExchange()
        exchange.bodyBytesMax = 10
        line.responder.makeExchange = { _, _ in exchange }
        if isChunked {
            line.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n")
            #expect(line.statuses.isEmpty)
            line.send("6\r\nghijkl\r\n0\r\n\r\n")
        } else {
            line.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n")
        }
        #expect(line.statuses == [413])
        #expect(line.connection.isClosing)
        #expect(exchange.isCancelled)
    }

    @Test func theRestOfAShortBodyIsReadBeforeAnEarlyAnswer() {
        let line = Line()
        line.responder.makeExchange = { head, _ in
            head.method == .post ? ImmediateExchange(Response(status: 401)) as any Exchange : EchoExchange()
        }
        line.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab")
        #expect(line.statuses.isEmpty)
        line.send("cGET / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(line.statuses == [401, 200])
        #expect(line.connection.isIdle)
    }

    @Test(arguments: ["Content-Length: 1000000", "Transfer-Encoding: chunked"])
    func aLongBodyEndsTheConnectionAfterAnEarlyAnswer(framing: String) {
        let line = Line()
        line.responder.makeExchange = { _, _ in ImmediateExchange(Response(status: 401)) }
        line.send("POST / HTTP/1.1\r\nHost: a\r\n\(framing)\r\n\r\n")
        if framing.hasSuffix("chunked") {
            let size = String(HTTPLimits.discardBytesMax + 1, radix: 16)
            line.send(Array("\(size)\r\n".utf8) + Array(repeating: 65, count: HTTPLimits.discardBytesMax + 1))
        }
        #expect(line.statuses == [401])
        #expect(line.text.contains("Connection: close"))
        #expect(line.connection.isClosing)
    }

    @Test func pipelinedRequestsAreAnsweredInOrder() {
        let line = Line()
        var wakes: [() -> Void] = []
        var exchanges: [DelayedExchange] = []
        line.responder.makeExchange = { _, wake in
            let exchange = DelayedExchange()
            exchanges.append(exchange)
            wakes.append(wake)
            return exchange
        }
        line.send((1...3).map { "POST /\($0) HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n\($0)" }.joined())
        #expect(exchanges.count == 1)
        for index in 0..<3 {
            exchanges[index].isDone = true
            wakes[index]()
            line.settle()
            #expect(line.statuses.count == index + 1)
        }
        #expect(line.text.split(separator: "\r\n\r\n").suffix(1).first == "3")
        #expect(line.connection.isIdle)
    }

    @Test func manyPipelinedRequestsTakeTurns() {
        let line = Line()
        let one = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        let bytes = Array(String(repeating: one, count: 500).utf8)
        bytes.withUnsafeBytes { line.connection.receive($0, now: line.now) }
        line.connection.advance(now: line.now, wallMicroseconds: 0)
        #expect(line.statuses.count == HTTPLimits.requestsATurnMax)
        #expect(line.connection.wantsTurn)
        #expect(!line.connection.wantsInput)
        line.settle()
        #expect(line.statuses.count == 500)
    }

    @Test func drainsAfterTheAnswer() {
        let line = Line()
        let exchange = DelayedExchange()
        line.responder.makeExchange = { _, _ in exchange }
        line.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        line.connection.drain()
        #expect(!line.connection.isClosing)
        exchange.isDone = true
        line.settle()
        #expect(line.text.contains("Connection: close"))
        #expect(line.connection.isClosing)
        let idle = Line()
        idle.connection.drain()
        #expect(idle.connection.isClosing)
    }
}

/// An echo that waits until it is told.
final class DelayedExchange: Exchange {
    var body: [UInt8] = []
    var isDone = false
    var isCancelled = false
    var bodyBytesMax: Int { HTTPLimits.bodyBytesMax }
    var wantsBody: Bool { true }
    func receive(_ bytes: Span<UInt8>) { for index in bytes.indices { body.append(bytes[index]) } }
    func finishBody() {}
    func answer() -> Answer { isDone ? .ready(Response(status: 200, body: .bytes(body))) : .later }
    func cancel() { isCancelled = true }
}
