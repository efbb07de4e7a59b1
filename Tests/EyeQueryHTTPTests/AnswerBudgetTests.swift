import EyeSystem
import Testing

@testable import EyeQueryHTTP

/// The memory of all answers together.
@Suite struct AnswerBudgetTests {
    private static let request = Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8)

    /// A connection that asks for `count` bytes and takes nothing yet.
    private static func ask(_ budget: AnswerBudget, _ count: Int) -> Line {
        let line = Line(budget)
        line.responder.makeExchange = { _, _ in
            ImmediateExchange(Response(status: 200, body: .stream(TestProducer(count))))
        }
        request.withUnsafeBytes { line.connection.receive($0, now: line.now) }
        line.settle(taking: false)
        return line
    }

    @Test func theyWaitInOrder() {
        let budget = AnswerBudget(2 * HTTPLimits.answerReserveBytes)
        var woken: [Int] = []
        let shares = (0..<5).map { number in AnswerShare(of: budget) { woken.append(number) } }
        #expect(shares.map { $0.putBy() } == [true, true, false, false, false])
        #expect(budget.waitingCount == 3 && woken.isEmpty)
        shares[1].endMaking()
        #expect(woken == [2])
        // It is not the turn of these.
        #expect(!shares[3].putBy() && !shares[1].putBy())
        shares[2].endMaking()
        #expect(woken.last == 3 && shares[3].putBy() && !shares[4].putBy())
        // What waits in outputs counts like what is put by.
        shares[0].hold(HTTPLimits.answerReserveBytes)
        shares[0].endMaking()
        #expect(!shares[4].putBy())
        shares[0].hold(0)
        #expect(woken.last == 4 && shares[4].putBy())
        #expect(budget.waitingCount == 1 && budget.used == 2 * HTTPLimits.answerReserveBytes)
    }

    /// Many clients that take nothing: what waits for them is bounded, and when they take it all of them get all of it.
    @Test func whoDoesNotReadTakesItsShareOnly() {
        let most = 16 << 20
        let budget = AnswerBudget(most)
        let bytes = 300_000
        let lines = (0..<300).map { _ in Self.ask(budget, bytes) }
        #expect(budget.used <= most)
        let waiting = budget.waitingCount
        #expect(waiting > 0 && waiting < 280)
        #expect(lines.filter { $0.statuses.isEmpty }.count == waiting)
        // Half is given out generously, the rest in small pieces.
        let small = lines.filter { 1..<(2 * HTTPLimits.tightOutputBytesMax + 1) ~= $0.connection.pendingOutput }
        #expect(small.count > 20)
        #expect(lines[0].connection.pendingOutput >= HTTPLimits.outputBytesMax)
        // What is answered at once is, whatever waits.
        let other = Line(budget)
        other.send(String(decoding: Self.request, as: UTF8.self))
        #expect(other.statuses == [200])
        for _ in 0..<2 { for line in lines { line.settle() } }
        #expect(lines.allSatisfy { $0.statuses == [200] && $0.received.count > bytes && $0.connection.isIdle })
        #expect(budget.waitingCount == 0 && budget.used <= lines.count * 4096)
        #expect(budget.isWorthReleasing)
    }

    @Test func whoWaitsTooLongIsToldSo() {
        // Room for one, and for what idle connections keep.
        let budget = AnswerBudget(HTTPLimits.answerReserveBytes + 20_000)
        let first = Self.ask(budget, 10 << 20)
        let second = Self.ask(budget, 10)
        let third = Self.ask(budget, 10)
        #expect(budget.waitingCount == 2)
        #expect(!second.expire(afterMilliseconds: HTTPLimits.answerWaitMilliseconds - 1))
        #expect(second.statuses.isEmpty)
        #expect(!second.expire(afterMilliseconds: 1))
        #expect(second.statuses == [503] && second.connection.isIdle)
        #expect(second.text.contains("\r\nRetry-After: 1\r\n") && second.text.contains("\"code\":\"overloaded\""))
        // One that is gone is in nobody's way.
        third.connection.abort()
        #expect(budget.waitingCount == 0)
        first.settle()
        #expect(Self.ask(budget, 10).statuses == [200])
    }

    /// What was sent is let go of, also of a client that never has taken all of it.
    @Test func whatWasSentTakesNoRoom() {
        let budget = AnswerBudget()
        let line = Self.ask(budget, 10 << 20)
        while line.connection.pendingOutput > 1000 {
            line.connection.didSend(line.connection.pendingOutput - 1000)
            line.settle(taking: false)
            if budget.used > 4 * HTTPLimits.outputBytesMax { break }
        }
        #expect(budget.used <= 4 * HTTPLimits.outputBytesMax)
        line.settle()
        #expect(line.connection.isIdle)
    }

    @Test func muchThatIsFreeAgainIsGivenBack() {
        let budget = AnswerBudget()
        let share = AnswerShare(of: budget) {}
        share.hold(HTTPLimits.releaseBytesMin - 1)
        share.hold(0)
        #expect(!budget.isWorthReleasing)
        share.hold(HTTPLimits.releaseBytesMin)
        share.hold(HTTPLimits.releaseBytesMin / 4 + 1)
        #expect(!budget.isWorthReleasing)
        share.hold(HTTPLimits.releaseBytesMin / 4)
        #expect(budget.isWorthReleasing)
        budget.noteRelease()
        #expect(!budget.isWorthReleasing)
    }
}
