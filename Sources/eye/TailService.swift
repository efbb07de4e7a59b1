// `eye tail` through the HTTP service: a list for the last events, then its live stream. When the service goes away it is waited for, and the
// stream goes on behind the last id that was seen.

import EyeQueryHTTP
import EyeSystem
import Glibc

/// One run of `eye tail` that asks the service.
struct TailService {
    private let plan: TailPlan
    private let address: String
    private let token: String

    /// Between two tries to reach a service that is away.
    private static let retryMilliseconds: Int32 = 500

    init(_ plan: TailPlan, address: String, token: String) {
        self.plan = plan
        self.address = address
        self.token = token
    }

    /// Shows the last events, then follows until nobody reads any more.
    func run() throws(Failure) {
        var place = try showLast()
        if plan.isOnce { return }
        var isAway = false
        while true {
            let connection: LiveConnection
            do throws(ServiceAway) {
                connection = try LiveConnection(address, target(after: place), token: token)
            } catch {
                if let failure = error.failure { throw failure }
                if !isAway { Output.error("the service is away (\(error.cause)); waiting for it") }
                isAway = true
                if try pause(error.retryMilliseconds ?? TailService.retryMilliseconds) { return }
                continue
            }
            if isAway { Output.error("the service is back") }
            isAway = false
            if try follow(connection, &place) { return }
        }
    }

    // MARK: What there is

    /// Returns the id of the newest event, before which the last ones are shown.
    private func showLast() throws(Failure) -> String {
        let connection = try QueryConnection(address, token: token)
        let newest = JSONPick.number("id", in: try require("/events/?limit=1&fields=id", connection).body) ?? 0
        if plan.last == 0 { return "\(newest)" }
        let answer = try require("/events/?\(filters)format=ndjson&limit=\(plan.last)", connection)
        // What came since is the stream's.
        let lines = answer.body.split(separator: 0x0A).map(Array.init)
            .filter { plan.isOnce || JSONPick.number("id", in: $0) ?? 0 <= newest }
        for line in lines.reversed() { try Output.out(plan.text.line(event: line)) }
        if let ids = answer.incomplete?.split(separator: "-"), ids.count == 2 {
            Output.error("events \(ids[0]) to \(ids[1]) may be missing here: the store is damaged there")
        }
        return "\(newest)"
    }

    private func require(_ target: String, _ connection: QueryConnection) throws(Failure) -> QueryAnswer {
        let answer = try connection.get(target)
        guard answer.status == 200 else { throw ServiceProblem.failure(answer.status, answer.body) }
        return answer
    }

    /// The filters with `&` behind each.
    private var filters: String {
        plan.parameters.all.map { "\(QueryTarget.encode($0.name))=\(QueryTarget.encode($0.text))&" }.joined()
    }

    private func target(after place: String) -> String {
        "/events/live?\(filters)include=accepted\(plan.showsRejected ? ",rejected" : "")&format=sse&after=\(place)"
    }

    // MARK: What comes

    /// Shows what comes until the connection ends; true when nobody reads any more.
    private func follow(_ connection: LiveConnection, _ place: inout String) throws(Failure) -> Bool {
        while true {
            switch try connection.next() {
            case .unread: return true
            case .ended: return false
            case .events(let events):
                var lines: [UInt8] = []
                for event in events {
                    if let id = event.id { place = id }
                    if event.data.isEmpty { continue }
                    switch event.type {
                    case "message": lines.append(contentsOf: plan.text.line(event: event.data))
                    case "rejected": lines.append(contentsOf: plan.text.line(rejected: event.data))
                    default: tell(event)
                    }
                }
                try Output.out(lines)
            }
        }
    }

    private func tell(_ event: ServerSentEvent) {
        func number(_ name: String) -> UInt64 { JSONPick.number(name, in: event.data) ?? 0 }
        switch event.type {
        case "lagged":
            let ids = "events \(number("first")) to \(number("last"))"
            if let target = JSONPick.text("get", in: event.data) {
                Output.error("\(ids) were skipped: this was too slow; they are at http://\(address)\(target)")
            } else {
                Output.error("\(ids) are gone: retention has dropped them")
            }
        case "damage":
            Output.error(
                "events \(number("first")) to \(number("last")) may be missing here: the store is damaged there")
        case "reset":
            Output.error(
                "the newest event is \(number("newest")), and \(number("after")) was there before: this is another store, or it lost its newest events"
            )
        default: break
        }
    }

    /// True when nobody reads any more.
    private func pause(_ milliseconds: Int32) throws(Failure) -> Bool {
        try Failure.of("stdout") { () throws(SystemError) in
            try StandardStream.pauseWhileRead(STDOUT_FILENO, milliseconds: milliseconds)
        }
    }
}
