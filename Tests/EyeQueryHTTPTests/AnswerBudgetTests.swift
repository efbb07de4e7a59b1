import EyeSystem
import Testing

@testable import EyeQueryHTTP
@testable import EyeStore

/// The memory of all answers together.
@Suite struct AnswerBudgetTests {
    private static let request = Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8)

    private static func account(_ token: UInt32, owner: UInt32? = nil) -> AnswerAccount {
        AnswerAccount(
            TokenEntry(
                id: token, kind: owner == nil ? .named : .login, name: "", digest: TokenSecret.digest("\(token)"),
                scopes: .read, owner: owner, created: 0, expires: nil, revoked: nil))
    }

    /// A connection that asks for `count` bytes and takes nothing yet.
    private static func ask(_ budget: AnswerBudget, _ count: Int, token: UInt32 = 0) -> Line {
        let line = Line(budget)
        let watch = ReadGuard { _ in true }
        line.responder.makeExchange = { _, wake in
            GuardedRead(
                ImmediateExchange(Response(status: 200, body: .stream(TestProducer(count)))), token: token,
                account: account(token), watch: watch, wake: wake)
        }
        request.withUnsafeBytes { line.connection.receive($0, now: line.now) }
        line.settle(taking: false)
        return line
    }

    @Test func theyWaitInOrder() {
        // Half of it is for one account.
        let budget = AnswerBudget(4 * HTTPLimits.answerReserveBytes)
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

    /// Whoever takes much waits; who takes little does not wait for it, nor in its line.
    @Test func oneTokenLeavesRoomForOthers() {
        let reserves = 12
        let budget = AnswerBudget(reserves * HTTPLimits.answerReserveBytes)
        var woken: [Int] = []
        func shares(_ account: AnswerAccount, _ count: Int, _ number: Int) -> [AnswerShare] {
            (0..<count).map { _ in AnswerShare(of: budget, for: account) { woken.append(number) } }
        }
        let first = shares(Self.account(1), 20, 1)
        #expect(first.filter { $0.putBy() }.count == reserves / 2)
        // Two that one user's logins made are one.
        let second = shares(Self.account(2, owner: 5), 4, 2) + shares(Self.account(3, owner: 5), 4, 2)
        #expect(second.filter { $0.putBy() }.count == reserves / 4)
        let third = shares(Self.account(5), 2, 3)
        #expect(third[0].putBy() && woken.isEmpty)
        #expect(budget.waitingCount == 14 + 5)
        // What the first one gives back is not its own again while it has more than is free.
        for share in first[..<2] { share.endMaking() }
        #expect(woken.allSatisfy { $0 == 2 } && !woken.isEmpty)
        #expect(!first[10].putBy() && second[3].putBy())
        for share in first { share.endMaking() }
        for share in second { share.endMaking() }
        #expect(budget.waitingCount == 0 && budget.used == HTTPLimits.answerReserveBytes)
        // What a connection holds goes along when its next request is another's.
        first[0].hold(2 * HTTPLimits.answerReserveBytes)
        first[0].charge(to: Self.account(5))
        let more = shares(Self.account(5), 9, 3)
        #expect(more.filter { $0.putBy() }.count == reserves / 2 - 3)
        #expect(shares(Self.account(1), 9, 1).filter { $0.putBy() }.count == reserves / 4)
    }

    /// Slow readers with one token, as many as find room, cost others nothing.
    @Test func slowReadersWithOneTokenKeepNobodyWaiting() {
        let budget = AnswerBudget()
        let slow = (0..<400).map { _ in Self.ask(budget, 1 << 20, token: 1) }
        #expect(slow.contains { $0.statuses.isEmpty })
        for token in 2...9 as ClosedRange<UInt32> {
            #expect(Self.ask(budget, 1000, token: token).statuses == [200], "token \(token)")
        }
    }

    /// Many clients that take nothing: what waits for them is bounded, and when they take it all of them get all of it.
    @Test func whoDoesNotReadTakesItsShareOnly() {
        let most = 16 << 20
        let budget = AnswerBudget(most)
        let bytes = 300_000
        let lines = (0..<300).map { Self.ask(budget, bytes, token: UInt32($0 % 10)) }
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

    /// A request with a body has its turn, and its room, like one without.
    @Test func aBodyIsNoWayAround() {
        let budget = AnswerBudget(2 * HTTPLimits.answerReserveBytes + 20_000)
        let first = Self.ask(budget, 10 << 20)
        let second = Line(budget)
        let inner = ReadWhenWhole()
        second.responder.makeExchange = { _, _ in inner }
        second.send("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
        #expect(budget.waitingCount == 1 && inner.steps == 0)
        first.connection.abort()
        second.settle()
        #expect(inner.steps == 1 && second.statuses == [200])
    }

    private final class ReadWhenWhole: ReadExchange {
        var steps = 0
        override func proceed() -> Answer {
            steps += 1
            return .ready(Response(status: 200))
        }
    }

    @Test func whoWaitsTooLongIsToldSo() {
        // Room for one, and for what idle connections keep.
        let budget = AnswerBudget(2 * HTTPLimits.answerReserveBytes + 20_000)
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
