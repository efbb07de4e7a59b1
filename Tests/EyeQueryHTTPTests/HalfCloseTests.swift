import EyeSystem
import Foundation
import Testing

@testable import EyeQueryHTTP

@Suite struct HalfCloseTests {
    @Test func aHalfClosedClientIsAskedWhetherItIsThere() {
        let line = Line()
        let exchange = DelayedExchange()
        line.responder.makeExchange = { _, _ in exchange }
        line.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        line.endInput()
        #expect(!line.expire(afterMilliseconds: HTTPLimits.askMilliseconds - 1))
        #expect(line.text == "")
        #expect(!line.expire(afterMilliseconds: 1))
        #expect(line.text == "HTTP/1.1 100 Continue\r\n\r\n")
        #expect(!line.expire(afterMilliseconds: HTTPLimits.askMilliseconds - 1))
        #expect(line.text == "HTTP/1.1 100 Continue\r\n\r\n")
        // Each time after twice as long.
        var asked: [UInt64] = [HTTPLimits.askMilliseconds]
        for tick in 1...254 as ClosedRange<UInt64> {
            let before = line.received.count
            #expect(!line.expire(afterMilliseconds: tick == 1 ? 1 : HTTPLimits.askMilliseconds))
            if line.received.count > before { asked.append((tick + 1) * HTTPLimits.askMilliseconds) }
        }
        #expect(asked == (0..<HTTPLimits.asksMax).map { HTTPLimits.askMilliseconds << UInt64($0) })
        exchange.isDone = true
        line.settle()
        #expect(line.statuses == [200] && line.connection.isClosing && !line.connection.isBroken)
    }

    /// Not for ever: its kernel takes the questions, but nobody may have heard the last one.
    @Test(arguments: [true, false]) func whoTookAllQuestionsIsNotWaitedForWithoutEnd(isStream: Bool) {
        for version in isStream ? ["1.0", "1.1"] : ["1.1"] {
            let line = Line()
            let producer = PausingProducer()
            line.responder.makeExchange = { _, _ in
                isStream
                    ? ImmediateExchange(Response(status: 200, body: .stream(producer))) as any Exchange
                    : DelayedExchange()
            }
            line.send("GET / HTTP/\(version)\r\nHost: a\r\n\r\n")
            line.connection.noteHalfClose(now: line.now)
            // A piece of the answer asks as well, and what is behind it is waited for anew.
            if isStream {
                #expect(!line.expire(afterMilliseconds: HTTPLimits.halfClosedAskedMilliseconds - 1))
                producer.hasPiece = true
                line.settle()
                #expect(line.text.contains("yy"))
            }
            #expect(!line.expire(afterMilliseconds: HTTPLimits.halfClosedAskedMilliseconds - 1))
            #expect(line.expire(afterMilliseconds: 1), "HTTP/\(version)")
        }
    }

    @Test func aStreamAsksByZerosBeforeTheNextChunk() throws {
        let line = Line()
        let producer = PausingProducer()
        line.responder.makeExchange = { _, _ in ImmediateExchange(Response(status: 200, body: .stream(producer))) }
        line.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(line.connection.watchesHalfClose)
        line.connection.noteHalfClose(now: line.now)
        #expect(!line.connection.watchesHalfClose)
        for _ in 0..<(HTTPLimits.halfClosedAskedMilliseconds / HTTPLimits.tickMilliseconds - 1) {
            #expect(!line.expire(afterMilliseconds: HTTPLimits.tickMilliseconds))
        }
        producer.isDone = true
        line.settle()
        let zeros = String(repeating: "0", count: HTTPLimits.asksMax)
        #expect(line.text.hasSuffix("\r\n\r\n\(zeros)0000005\r\nxxxxx\r\n0\r\n\r\n"))
        // As strict a reader as ours takes it.
        var body = ChunkedBody()
        let chunks = Array(line.received.suffix(zeros.utf8.count + 21))
        var offset = 0
        guard case .data(let range) = try body.next(chunks.span, at: &offset) else {
            Issue.record("no data")
            return
        }
        #expect(range.count == 5)
        guard case .end = try body.next(chunks.span, at: &offset) else {
            Issue.record("no end")
            return
        }
        #expect(offset == chunks.count)
    }

    /// Nothing may stand before the answer of HTTP/1.0, and a write is not given up for a client that has gone.
    @Test(arguments: ["GET / HTTP/1.0\r\n\r\n", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"])
    func aHalfClosedClientThatCannotBeAskedGetsItsAnswerButNotForEver(request: String) {
        let line = Line()
        let exchange = DelayedExchange()
        line.responder.makeExchange = { _, _ in exchange }
        line.send(request)
        line.endInput()
        #expect(!line.expire(afterMilliseconds: HTTPLimits.halfClosedMilliseconds - 1))
        #expect(line.expire(afterMilliseconds: 2))
        #expect(line.text == "")
        line.connection.abort()
        #expect(exchange.isCancelled)
    }

    /// Of requests that came together each is asked about anew: the second one has not waited yet.
    @Test func eachRequestIsAskedAboutAnew() {
        let line = Line()
        var exchanges: [DelayedExchange] = []
        line.responder.makeExchange = { _, _ in
            exchanges.append(DelayedExchange())
            return exchanges[exchanges.count - 1]
        }
        line.send(String(repeating: "GET / HTTP/1.1\r\nHost: a\r\n\r\n", count: 2))
        line.endInput()
        func questions() -> Int { line.text.components(separatedBy: HalfClose.interimAnswer).count - 1 }
        for _ in 0..<5 { #expect(!line.expire(afterMilliseconds: HTTPLimits.askMilliseconds)) }
        #expect(questions() == 3)
        exchanges[0].isDone = true
        line.settle()
        #expect(exchanges.count == 2 && line.statuses == [200])
        #expect(!line.expire(afterMilliseconds: HTTPLimits.askMilliseconds - 1))
        #expect(questions() == 3)
        #expect(!line.expire(afterMilliseconds: 1))
        #expect(questions() == 4)
    }
}

/// A stream that has nothing until it is told.
final class PausingProducer: BodyProducer {
    var isDone = false
    /// Two bytes are there.
    var hasPiece = false
    func produce(into out: inout [UInt8], room: Int) -> Production {
        if hasPiece {
            hasPiece = false
            out += Array("yy".utf8)
            return .later
        }
        guard isDone else { return .later }
        out += Array("xxxxx".utf8)
        return .end
    }
    func trailers() -> [ResponseField] { [] }
    func cancel() {}
}
