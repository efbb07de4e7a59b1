// Queries as the HTTP service answers them, without sockets: a query string against a store on a simulated disk.

import EyeSystem
import Foundation
import Testing

@testable import EyeQueryHTTP
@testable import EyeStore

/// What a query came to.
struct QueryAnswer {
    var status: UInt16 = 0
    var fields: [(name: String, value: String)] = []
    var body: [UInt8] = []
    /// The stream failed before its end.
    var isCut = false
    /// Bytes that each pull of the stream gave.
    var pulls: [Int] = []

    subscript(_ name: String) -> String? { fields.first { $0.name == name }?.value }
    var text: String { String(decoding: body, as: UTF8.self) }
    /// The query string of the next page.
    var next: String? {
        guard let link = self["Link"] else { return nil }
        return link.dropFirst().prefix { $0 != ">" }.split(separator: "?").last.map(String.init)
    }
    /// Ids of a list of whole events. `data` of the tests has no member `id`.
    var ids: [UInt64] {
        let mark = Array("{\"id\":".utf8)
        var found: [UInt64] = []
        var at = body.startIndex
        while let brace = body[at...].firstIndex(of: mark[0]) {
            at = brace + 1
            guard body[brace...].starts(with: mark) else { continue }
            let digits = body[(brace + mark.count)...].prefix { $0 >= 0x30 && $0 <= 0x39 }
            found.append(digits.reduce(0) { $0 * 10 + UInt64($1 - 0x30) })
        }
        return found
    }
}

/// Asks one store.
final class QueryFixture {
    let source: EventSource
    let time = TestTime()

    init(_ disk: any Disk, folder: String = "d") {
        source = EventSource(disk, folder: folder, limits: ReaderLimits())
    }

    static func encode(_ parameters: [(name: String, value: String)]) -> String {
        parameters.map { parameter in
            var out: [UInt8] = []
            PercentEncoding.append(parameter.name.utf8, to: &out)
            out.append(UInt8(ascii: "="))
            PercentEncoding.append(parameter.value.utf8, to: &out)
            return String(decoding: out, as: UTF8.self)
        }.joined(separator: "&")
    }

    /// The answer to `GET /events/?query`. `room`: what a client takes at a time. `onPull`: after each such time, with how many there were.
    func ask(
        _ query: String, room: Int = HTTPLimits.outputBytesMax, onPull: (Int) -> Void = { _ in }
    ) throws -> QueryAnswer {
        let parameters = try QueryParameters(parsing: Array(query.utf8)[...])
        let call = Call(
            head: RequestHead(), route: .events, id: nil, parameters: parameters, peer: Peer(nil), caller: nil,
            budget: BodyBudget(0), wake: {})
        let exchange: any Exchange
        do throws(ProblemError) {
            exchange = try EventList.exchange(call, source, time)
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
            case .stream(let producer): QueryFixture.drain(producer, room, &answer, onPull)
            }
            return answer
        }
    }

    private static func drain(
        _ producer: any BodyProducer, _ room: Int, _ answer: inout QueryAnswer, _ onPull: (Int) -> Void
    ) {
        while true {
            let before = answer.body.count
            let production = producer.produce(into: &answer.body, room: room)
            answer.pulls.append(answer.body.count - before)
            onPull(answer.pulls.count)
            switch production {
            case .more, .later: continue
            case .end:
                answer.fields += producer.trailers().map { ($0.name, $0.value) }
                return
            case .failed:
                answer.isCut = true
                return
            }
        }
    }
}
