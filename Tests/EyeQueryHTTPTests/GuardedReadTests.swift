import EyeSystem
import Testing

@testable import EyeQueryHTTP

/// A body that never comes.
private final class WaitingProducer: BodyProducer {
    private(set) var isCancelled = false
    func produce(into out: inout [UInt8], room: Int) -> Production { .later }
    func cancel() { isCancelled = true }
}

@Suite struct GuardedReadTests {
    private final class Accounts { var isUsable = true }

    private let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

    @Test func anAnswerThatIsAwaitedBecomes401() {
        let accounts = Accounts()
        let watch = ReadGuard { $0 == 7 && accounts.isUsable }
        let line = Line()
        let inner = DelayedExchange()
        line.responder.makeExchange = { _, wake in GuardedRead(inner, token: 7, watch: watch, wake: wake) }
        line.send(request)
        watch.tick(now: 0)
        line.settle()
        #expect(line.statuses.isEmpty && watch.count == 1)
        accounts.isUsable = false
        watch.tick(now: 0)
        line.settle()
        #expect(line.statuses == [401])
        #expect(watch.count == 0)
    }

    @Test func aStreamThatWaitsIsCut() {
        let accounts = Accounts()
        let watch = ReadGuard { _ in accounts.isUsable }
        let line = Line()
        let producer = WaitingProducer()
        line.responder.makeExchange = { _, wake in
            let inner = ImmediateExchange(Response(status: 200, body: .stream(producer)))
            return GuardedRead(inner, token: 7, watch: watch, wake: wake)
        }
        var wakes = 0
        line.connection.onWake = { wakes += 1 }
        line.send(request)
        watch.tick(now: 0)
        #expect(wakes == 0 && watch.count == 1)
        accounts.isUsable = false
        watch.tick(now: 0)
        #expect(wakes == 1)
        line.settle()
        #expect(line.statuses == [200] && line.connection.isClosing && producer.isCancelled)
        #expect(!line.text.hasSuffix("0\r\n\r\n"))
        #expect(watch.count == 0)
    }

    /// One that takes nothing is never asked for more: what waits for it is looked after by the clock.
    @Test(arguments: [false, true]) func aClientThatTakesNothingIsCut(isStream: Bool) {
        let accounts = Accounts()
        let watch = ReadGuard { _ in accounts.isUsable }
        let line = Line()
        let producer = TestProducer(10 << 20)
        line.responder.makeExchange = { head, wake in
            // A request behind it, whose answer says nothing of a token, changes nothing.
            guard head.method == .get else { return ImmediateExchange(Response(status: 200)) }
            let bytes = [UInt8](repeating: 65, count: 30_000)
            let body: ResponseBody = isStream ? .stream(producer) : .bytes(bytes)
            return GuardedRead(
                ImmediateExchange(Response(status: 200, body: body)), token: 7, watch: watch, wake: wake)
        }
        let bytes = Array((request + "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").utf8)
        bytes.withUnsafeBytes { line.connection.receive($0, now: line.now) }
        line.settle(taking: false)
        #expect(line.statuses == (isStream ? [200] : [200, 200]))
        #expect(!line.connection.isExpired(now: line.now, wallMicroseconds: 0))
        accounts.isUsable = false
        #expect(line.connection.isExpired(now: line.now, wallMicroseconds: 0) && line.connection.isMidAnswer)
        line.connection.abort()
        #expect(!isStream || producer.isCancelled)
    }

    @Test func whoHasItAllIsNotCut() {
        let accounts = Accounts()
        let watch = ReadGuard { _ in accounts.isUsable }
        let line = Line()
        line.responder.makeExchange = { _, wake in
            GuardedRead(ImmediateExchange(Response(status: 200)), token: 7, watch: watch, wake: wake)
        }
        line.send(request)
        accounts.isUsable = false
        #expect(!line.connection.isExpired(now: line.now, wallMicroseconds: 0) && line.connection.isIdle)
    }

    @Test func whoGoesAwayIsForgotten() {
        let watch = ReadGuard { _ in true }
        let line = Line()
        line.responder.makeExchange = { _, wake in
            GuardedRead(DelayedExchange(), token: 7, watch: watch, wake: wake)
        }
        line.send(request)
        #expect(watch.count == 1)
        line.connection.abort()
        #expect(watch.count == 0)
    }
}
