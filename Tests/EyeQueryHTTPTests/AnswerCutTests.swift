import EyeSystem
import Synchronization
import Testing

@testable import EyeQueryHTTP

/// Clients that take nothing of an answer without an end, over real sockets; the clock is the test's.
@Suite struct AnswerCutTests {
    private final class State: TimeSource {
        let now = Atomic<UInt64>(1_000_000_000)
        let produced = Atomic<Int>(0)
        let isUsable = Atomic<Bool>(true)
        let isCancelled = Atomic<Bool>(false)
        func nowMicroseconds() -> Int64 { 0 }
        func monotonicNanoseconds() -> UInt64 { now.load(ordering: .relaxed) }
    }

    private final class EndlessProducer: BodyProducer {
        private let state: State
        init(_ state: State) { self.state = state }
        func produce(into out: inout [UInt8], room: Int) -> Production {
            out += [UInt8](repeating: 65, count: room)
            state.produced.add(room, ordering: .relaxed)
            return .more
        }
        func cancel() { state.isCancelled.store(true, ordering: .relaxed) }
    }

    private final class EndlessResponder: Responder {
        private let state: State
        init(_ state: State) { self.state = state }
        func exchange(_ head: RequestHead, from peer: Peer, wake: @escaping () -> Void) -> any Exchange {
            var response = Response(status: 200, body: .stream(EndlessProducer(state)))
            response.mayGoOn = { [state] in state.isUsable.load(ordering: .relaxed) }
            return ImmediateExchange(response)
        }
        func refusal(_ refusal: RequestRefusal) -> Response { Problem(refusal).response }
        func answered(_ head: RequestHead?, from peer: Peer, status: UInt16, nanoseconds: UInt64) {}
    }

    @Test func whoMayNoLongerReadIsResetThoughItTakesNothing() throws {
        let state = State()
        let loop = try HTTPLoop(address: try SocketAddress.resolve("127.0.0.1:0"), time: state)
        let thread = try Thread.start(name: "loop") { try? loop.run(EndlessResponder(state)) }
        defer {
            loop.stop()
            thread.join()
        }
        let client = try TestClient(loop.address)
        try client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        // Until nothing more goes into the kernel: the loop has turned so often without making anything.
        var (produced, turns) = (0, loop.takePulse())
        try ServiceFixture.wait("a full socket") {
            let now = state.produced.load(ordering: .relaxed)
            if now != produced || now == 0 { (produced, turns) = (now, loop.takePulse()) }
            return loop.takePulse() > turns + 50
        }
        // What the kernel keeps: the client's window, and little on our side.
        #expect(produced < 600_000)
        let isEarly = state.isCancelled.load(ordering: .relaxed)
        #expect(!isEarly)
        state.isUsable.store(false, ordering: .relaxed)
        // One look at the deadlines, long before those of slow readers.
        state.now.add(HTTPLimits.tickMilliseconds * 1_000_000, ordering: .relaxed)
        try ServiceFixture.wait("the end") {
            _ = loop.takePulse()
            return state.isCancelled.load(ordering: .relaxed)
        }
        #expect(client.isReset())
    }
}
