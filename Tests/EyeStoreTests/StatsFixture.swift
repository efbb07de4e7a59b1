// Statistics and sessions as the HTTP service answers them, without sockets: a path and a query string against a store on a simulated disk.

import EyeSystem
import Foundation
import Testing

@testable import EyeQueryHTTP
@testable import EyeStore

/// Asks one store.
final class StatsFixture {
    let source: EventSource
    let time = TestTime()
    let room: AnalysisRoom

    init(_ disk: any Disk, room: AnalysisRoom = AnalysisRoom(), folder: String = "d") {
        source = EventSource(disk, folder: folder, limits: ReaderLimits())
        self.room = room
    }

    /// The answer to `GET /stats/KIND?query`.
    func stats(_ kind: String, _ query: String) throws -> QueryAnswer {
        let kind = try #require(StatsQuery.Kind(rawValue: kind))
        return try ask(.statsCount, query) { (call) throws(ProblemError) in
            try StatsExchange(kind, call, source, room, time)
        }
    }

    /// The answer to `GET /sessions/?query`.
    func sessions(_ query: String) throws -> QueryAnswer {
        try ask(.sessions, query) { (call) throws(ProblemError) in try SessionList.exchange(call, source, time) }
    }

    /// The answer to `GET /sessions/ID/?query`.
    func session(_ id: ID128, _ query: String) throws -> QueryAnswer {
        try ask(.sessionDetail, query) { (call) throws(ProblemError) in
            try SessionTimeline(id, call, source, time)
        }
    }

    private func ask(
        _ route: Route, _ query: String, _ make: (Call) throws(ProblemError) -> any Exchange
    ) throws -> QueryAnswer {
        let parameters = try QueryParameters(parsing: Array(query.utf8)[...])
        let call = Call(
            head: RequestHead(), route: route, id: nil, parameters: parameters, peer: Peer(nil), caller: nil,
            budget: BodyBudget(0), wake: {})
        let exchange: any Exchange
        do throws(ProblemError) {
            exchange = try make(call)
        } catch {
            exchange = ImmediateExchange(error.problem.response)
        }
        exchange.finishBody()
        while true {
            guard case .ready(let response) = exchange.answer() else { continue }
            var answer = QueryAnswer(status: response.status, fields: response.fields.map { ($0.name, $0.value) })
            switch response.body {
            case .none: break
            case .bytes(let bytes): answer.body = bytes
            case .stream(let producer):
                var state = Production.more
                while case .more = state { state = producer.produce(into: &answer.body, room: 1000) }
                answer.fields += producer.trailers().map { ($0.name, $0.value) }
            }
            return answer
        }
    }
}

extension QueryAnswer {
    /// The body as a JSON object.
    var object: [String: Any] {
        (try? JSONSerialization.jsonObject(with: Data(body))) as? [String: Any] ?? [:]
    }

    /// The groups of an answer: values of `fields`, and the member `number`.
    func groups(_ list: String, _ fields: [String], _ number: String) -> [SlowGroup] {
        (object[list] as? [[String: Any]] ?? []).map { group in
            SlowGroup(
                values: fields.map { Bytes(group[$0] as? String ?? "none") }, count: group[number] as? Int ?? -1)
        }
    }
}
