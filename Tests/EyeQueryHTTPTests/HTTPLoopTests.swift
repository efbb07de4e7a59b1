import EyeSystem
import Foundation
import Glibc
import Synchronization
import Testing

@testable import EyeQueryHTTP

/// A loop with real sockets and a clock that only its work, or the test, moves.
@Suite struct HTTPLoopTests {
    private final class MovedTime: TimeSource {
        let now = Atomic<UInt64>(1_000_000_000)
        func nowMicroseconds() -> Int64 { 0 }
        func monotonicNanoseconds() -> UInt64 { now.load(ordering: .relaxed) }
        func advance(milliseconds: UInt64) { now.add(milliseconds * 1_000_000, ordering: .relaxed) }
    }

    /// A client that one thread hands to another.
    private struct Handed: @unchecked Sendable {
        let client: TestClient
    }

    /// What goes on, as all threads see it.
    private final class Progress: Sendable {
        let time = MovedTime()
        let steps = Atomic<Int>(0)
        let isDone = Atomic<Bool>(false)
        let cancelled = Atomic<Int>(0)
        /// Busy requests that have begun.
        let busy = Atomic<Int>(0)
        /// Steps do not end.
        let isHeld = Atomic<Bool>(false)
        /// Steps at the moment when the quick request was sent, and when it was read.
        let sentAt = Atomic<Int>(-1)
        let readAt = Atomic<Int>(-1)
        let quick = Mutex<Handed?>(nil)
    }

    /// Works until it is told that it is done.
    private final class EndlessExchange: Exchange {
        private let progress: Progress
        private let step: () -> Void
        init(_ progress: Progress, _ step: @escaping () -> Void) {
            self.progress = progress
            self.step = step
        }
        var bodyBytesMax: Int { 0 }
        var isLong: Bool { true }
        var wantsBody: Bool { true }
        func receive(_ bytes: Span<UInt8>) {}
        func finishBody() {}
        func answer() -> Answer {
            progress.steps.add(1, ordering: .relaxed)
            step()
            return progress.isDone.load(ordering: .relaxed) ? .ready(Response(status: 200)) : .working
        }
        func cancel() { progress.cancelled.add(1, ordering: .relaxed) }
    }

    /// A body that has no end, and does not know that the service has one.
    private final class LongBody: BodyProducer {
        private let progress: Progress
        init(_ progress: Progress) { self.progress = progress }
        func produce(into out: inout [UInt8], room: Int) -> Production {
            progress.steps.add(1, ordering: .relaxed)
            out.append(contentsOf: repeatElement(UInt8(ascii: "x"), count: room))
            return .more
        }
        func cancel() { progress.cancelled.add(1, ordering: .relaxed) }
    }

    /// `/busy` works without end, `/long` answers without end; anything else is answered at once.
    private final class BusyResponder: Responder {
        private let progress: Progress
        private let step: () -> Void
        init(_ progress: Progress, _ step: @escaping () -> Void) {
            self.progress = progress
            self.step = step
        }
        func exchange(_ head: RequestHead, from peer: Peer, wake: @escaping () -> Void) -> any Exchange {
            if head.bytes.matches(head.path, "/busy") {
                progress.busy.add(1, ordering: .relaxed)
                return EndlessExchange(progress, step)
            }
            if head.bytes.matches(head.path, "/long") {
                return ImmediateExchange(Response(status: 200, body: .stream(LongBody(progress))))
            }
            progress.readAt.store(progress.steps.load(ordering: .relaxed), ordering: .relaxed)
            return ImmediateExchange(Response(status: 200))
        }
        func refusal(_ refusal: RequestRefusal) -> Response { Problem(refusal).response }
        func answered(_ head: RequestHead?, from peer: Peer, status: UInt16, nanoseconds: UInt64) {}
    }

    /// Runs `body` with clients of a loop that serves them; `step`: called by the loop's thread in every step of a busy request.
    private static func serve(
        _ progress: Progress, step: @escaping @Sendable () -> Void, _ body: (SocketAddress) throws -> Void
    ) throws {
        let loop = try HTTPLoop(address: try SocketAddress.resolve("127.0.0.1:0"), time: progress.time)
        let thread = try Thread.start(name: "loop") { try? loop.run(BusyResponder(progress, step)) }
        defer {
            progress.isDone.store(true, ordering: .relaxed)
            loop.stop()
            thread.join()
        }
        try body(loop.address)
    }

    /// Many clients whose queries take long do not keep others waiting for a step of each of them.
    @Test func aQuickRequestWaitsForAFewStepsOnly() throws {
        let progress = Progress()
        let clients = 40
        try Self.serve(progress) {
            progress.time.advance(milliseconds: 1)
            // Sent by the loop's own thread, when all are at work: so it is there when the next step begins.
            guard progress.busy.load(ordering: .relaxed) == clients, progress.sentAt.load(ordering: .relaxed) < 0
            else { return }
            progress.sentAt.store(progress.steps.load(ordering: .relaxed), ordering: .relaxed)
            progress.quick.withLock { try? $0?.client.send("GET /quick HTTP/1.1\r\nHost: a\r\n\r\n") }
        } _: { address in
            let client = try TestClient(address)
            try client.send("GET /first HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try client.answer().status == 200)
            progress.quick.withLock { $0 = Handed(client: client) }
            let busy = try (0..<clients).map { _ in try TestClient(address) }
            for client in busy { try client.send("GET /busy HTTP/1.1\r\nHost: a\r\n\r\n") }
            try ServiceFixture.wait("the quick request") {
                let (sent, read) = (
                    progress.sentAt.load(ordering: .relaxed), progress.readAt.load(ordering: .relaxed)
                )
                return sent >= 0 && read >= sent
            }
            let waited = progress.readAt.load(ordering: .relaxed) - progress.sentAt.load(ordering: .relaxed)
            #expect(waited <= Int(HTTPLimits.turnsMilliseconds) + 1)
            withExtendedLifetime(busy) {}
        }
    }

    /// Nor for a step of each of those whose requests came with it.
    @Test func aQuickRequestWaitsForNoneOfABatch() throws {
        let progress = Progress()
        try Self.serve(progress) {
            progress.time.advance(milliseconds: 1)
            while progress.isHeld.load(ordering: .relaxed) { sched_yield() }
        } _: { address in
            defer { progress.isHeld.store(false, ordering: .relaxed) }
            let clients = try (0..<42).map { _ in try TestClient(address) }
            for client in clients {
                try client.send("GET /first HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(try client.answer().status == 200)
            }
            progress.isHeld.store(true, ordering: .relaxed)
            let busy = "GET /busy HTTP/1.1\r\nHost: a\r\n\r\n"
            try clients[0].send(busy)
            try ServiceFixture.wait("a step") { progress.steps.load(ordering: .relaxed) == 1 }
            for client in clients[1..<41] { try client.send(busy) }
            try clients[41].send("GET /quick HTTP/1.1\r\nHost: a\r\n\r\n")
            progress.isHeld.store(false, ordering: .relaxed)
            #expect(try clients[41].answer().status == 200)
            let readAt = progress.readAt.load(ordering: .relaxed)
            #expect(readAt <= 1 + Int(HTTPLimits.turnsMilliseconds))
        }
    }

    /// A client that has closed its connection is found out by a question; one that has only closed its sending side gets its answer.
    @Test func whatAClientThatIsGoneAskedForEnds() throws {
        let progress = Progress()
        let nothing: @Sendable () -> Void = {}
        try Self.serve(progress, step: nothing) { address in
            let listening = try TestClient(address)
            try listening.send("GET /busy HTTP/1.1\r\nHost: a\r\n\r\n")
            listening.endSending()
            do {
                let gone = try TestClient(address)
                try gone.send("GET /busy HTTP/1.1\r\nHost: a\r\n\r\n")
                try ServiceFixture.wait("both at work") { progress.steps.load(ordering: .relaxed) > 100 }
            }
            try ServiceFixture.wait("the end of what the other one asked for") {
                // Time for a tick, and for a question now and then.
                progress.time.advance(milliseconds: HTTPLimits.tickMilliseconds)
                return progress.cancelled.load(ordering: .relaxed) == 1
            }
            #expect(try listening.answer().status == 100)
            progress.isDone.store(true, ordering: .relaxed)
            var status = 100
            while status == 100 { status = try listening.answer().status }
            #expect(status == 200)
            #expect(listening.isEnded())
            #expect(progress.cancelled.load(ordering: .relaxed) == 1)
        }
    }

    /// What the end of the service cuts must not look whole, least of all to HTTP/1.0, where a body ends with its connection.
    @Test(arguments: ["1.0", "1.1"]) func anAnswerCutByTheEndIsReset(version: String) throws {
        #expect(try Self.cutByTheEnd("GET /long HTTP/\(version)\r\nHost: a\r\n\r\n").errorAtEnd() == ECONNRESET)
    }

    /// A client whose answer had begun when its loop ended. The loop is gone then, as with its process.
    private static func cutByTheEnd(_ request: String) throws -> TestClient {
        let progress = Progress()
        let loop = try HTTPLoop(address: try SocketAddress.resolve("127.0.0.1:0"), time: progress.time)
        let thread = try Thread.start(name: "loop") {
            try? loop.run(BusyResponder(progress, {}))
            progress.isDone.store(true, ordering: .relaxed)
        }
        let client = try TestClient(loop.address)
        try client.send(request)
        try ServiceFixture.wait("the answer to begin") { progress.steps.load(ordering: .relaxed) > 0 }
        loop.stop()
        try ServiceFixture.wait("the end of the loop") {
            progress.time.advance(milliseconds: HTTPLimits.tickMilliseconds)
            return progress.isDone.load(ordering: .relaxed)
        }
        thread.join()
        #expect(progress.cancelled.load(ordering: .relaxed) == 1)
        return client
    }
}
