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
        if plan.isOnce {
            _ = try show(try Failure.ofService { () throws(ServiceAway) in try askLast() })
            return
        }
        guard let last = try reach({ () throws(ServiceAway) in try askLast() }) else { return }
        var place = try show(last)
        while let connection = try reach({ () throws(ServiceAway) in
            try LiveConnection(address, target(after: place), token: token)
        }) {
            if try follow(connection, &place) { return }
        }
    }

    /// Tries until the service is there; nil: nobody reads any more.
    private func reach<Found>(_ body: () throws(ServiceAway) -> Found) throws(Failure) -> Found? {
        var isAway = false
        while true {
            do throws(ServiceAway) {
                let found = try body()
                if isAway { Output.error("the service is back") }
                return found
            } catch {
                if let failure = error.failure { throw failure }
                if !isAway { Output.error("the service is away (\(error.cause)); waiting for it") }
                isAway = true
                if try pause(error.retryMilliseconds ?? TailService.retryMilliseconds) { return nil }
            }
        }
    }

    // MARK: What there is

    /// The last events, newest first, and the id of the newest event before which they are.
    private struct Last {
        var newest: UInt64
        var lines: [[UInt8]] = []
        /// `FIRST-LAST`: ids that damage may have withheld.
        var incomplete: String?
    }

    private func askLast() throws(ServiceAway) -> Last {
        let connection = try QueryConnection(address, token: token)
        let newest = JSONPick.number("id", in: try require("/events/?limit=1&fields=id", connection).body) ?? 0
        if plan.last == 0 { return Last(newest: newest) }
        let answer = try require("/events/?\(filters)format=ndjson&limit=\(plan.last)", connection)
        // What came since is the stream's.
        let lines = answer.body.split(separator: 0x0A).map(Array.init)
            .filter { plan.isOnce || JSONPick.number("id", in: $0) ?? 0 <= newest }
        return Last(newest: newest, lines: lines, incomplete: answer.incomplete)
    }

    /// Returns the place behind them.
    private func show(_ last: Last) throws(Failure) -> String {
        for line in last.lines.reversed() { try Output.out(plan.text.line(event: line)) }
        if let ids = last.incomplete?.split(separator: "-"), ids.count == 2 {
            Output.error("events \(ids[0]) to \(ids[1]) may be missing here: the store is damaged there")
        }
        return "\(last.newest)"
    }

    private func require(_ target: String, _ connection: QueryConnection) throws(ServiceAway) -> QueryAnswer {
        let answer = try connection.ask(target)
        guard answer.status == 200 else {
            throw ServiceProblem.away(answer.status, answer.body, retrySeconds: answer.retrySeconds)
        }
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
            Output.error(TailPlan.reset(newest: number("newest"), after: number("after")))
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
