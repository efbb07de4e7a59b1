import EyeSystem
import Synchronization
import Testing

@testable import EyeQueryHTTP

/// A query loop that does not turn is noticed; one that has nothing to do is not taken for one.
@Suite struct LoopWatchTests {
    private final class SetTime: TimeSource {
        let now = Atomic<UInt64>(0)
        func nowMicroseconds() -> Int64 { 0 }
        func monotonicNanoseconds() -> UInt64 { now.load(ordering: .relaxed) }
        func advance(milliseconds: UInt64) { now.add(milliseconds * 1_000_000, ordering: .relaxed) }
    }

    @Test func aLoopThatDoesNotTurn() throws {
        let time = SetTime()
        let loop = try HTTPLoop(address: try SocketAddress.resolve("127.0.0.1:0"), time: SystemTime())
        let watch = LoopWatch(loop, time)
        #expect(watch.stuckMilliseconds() == nil)
        time.advance(milliseconds: HTTPLimits.stuckMilliseconds - 1)
        #expect(watch.stuckMilliseconds() == nil)
        time.advance(milliseconds: 1)
        #expect(watch.stuckMilliseconds() == HTTPLimits.stuckMilliseconds)

        // It runs now, with nothing to do but to be looked at.
        let thread = try Thread.start(name: "loop") { try? loop.run(EchoResponder()) }
        while watch.stuckMilliseconds() != nil {}
        time.advance(milliseconds: HTTPLimits.stuckMilliseconds)
        while watch.stuckMilliseconds() != nil {}
        loop.stop()
        thread.join()
    }
}
