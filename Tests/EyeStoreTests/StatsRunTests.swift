// Requests for statistics that do not come to their end: the time is up, the client goes away.

import EyeSystem
import Foundation
import Testing

@testable import EyeQueryHTTP
@testable import EyeStore

@Suite struct StatsRunTests {
    /// Half a second passes whenever somebody looks.
    private final class HastyTime: TimeSource, @unchecked Sendable {
        private var now: UInt64 = 0
        func nowMicroseconds() -> Int64 { 1_700_000_000_000_000 }
        func monotonicNanoseconds() -> UInt64 {
            now += 500_000_000
            return now
        }
    }

    private static func store() throws -> SimulatedDisk {
        let disk = SimulatedDisk()
        let writer = try StoreWriter.open(disk, folder: "d", options: .test(), time: TestTime())
        let frame = Frame()
        for number in 0..<400 {
            frame.reset()
            for place in 0..<20 {
                var event = TestEvent()
                event.session = ID128(high: UInt64(number), low: UInt64(place))
                #expect(frame.append(event))
            }
            #expect(try writer.commit([frame]) == .durable)
        }
        try writer.close()
        return disk
    }

    private static func exchange(
        _ disk: SimulatedDisk, _ room: AnalysisRoom, _ query: String, _ time: any TimeSource
    ) throws -> any Exchange {
        let source = EventSource(disk, folder: "d", limits: ReaderLimits())
        let call = Call(
            head: RequestHead(), route: .statsUniq, id: nil,
            parameters: try QueryParameters(parsing: Array(query.utf8)[...]),
            peer: Peer(nil), caller: nil, budget: BodyBudget(0), wake: {})
        let exchange = try StatsExchange(.uniq, call, source, room, time)
        exchange.finishBody()
        return exchange
    }

    @Test func timeIsUp() throws {
        let disk = try Self.store()
        let exchange = try Self.exchange(disk, AnalysisRoom(), "by=name&timeout=2s", HastyTime())
        var response: Response?
        while response == nil {
            if case .ready(let ready) = exchange.answer() { response = ready }
        }
        #expect(response?.status == 503)
        guard case .bytes(let body)? = response?.body else { return }
        let text = String(decoding: body, as: UTF8.self)
        #expect(text.contains("\"code\":\"query-timeout\"") && text.contains("The answer was not ready after 2 s"))
        // Said in a stream too.
        let lines = try Self.exchange(disk, AnalysisRoom(), "by=name&timeout=2s&progress=1", HastyTime())
        guard case .ready(let stream) = lines.answer(), case .stream(let producer) = stream.body else {
            Issue.record("no stream")
            return
        }
        var out: [UInt8] = []
        while case .more = producer.produce(into: &out, room: 100) {}
        let all = String(decoding: out, as: UTF8.self).split(separator: "\n")
        #expect(all.count > 1 && all[0].hasPrefix("{\"progress\":0."))
        #expect(all.last?.contains("\"code\":\"query-timeout\"") == true)
    }

    /// What runs for a client that goes away is dropped with everything it held.
    @Test(arguments: ["by=name", "by=name&progress=1"])
    func clientGoesAway(query: String) throws {
        let disk = try Self.store()
        let room = AnalysisRoom(bytes: 1 << 20, share: 1 << 20, piece: 1 << 20)
        let exchange = try Self.exchange(disk, room, query, TestTime())
        var cancel = exchange.cancel
        if case .ready(let response) = exchange.answer(), case .stream(let producer) = response.body {
            var out: [UInt8] = []
            while AnalysisShare(room).fit(1), case .more = producer.produce(into: &out, room: 100) {}
            cancel = producer.cancel
            // The connection lets the exchange go once it has the response.
            exchange.cancel()
        } else {
            while AnalysisShare(room).fit(1), case .working = exchange.answer() {}
        }
        #expect(!AnalysisShare(room).fit(1))
        cancel()
        #expect(AnalysisShare(room).fit(1))
        withExtendedLifetime(exchange) {}
    }
}
