// The Eye's answers: route → method → who calls → parameters → endpoint. On the loop's thread. Invariant: no endpoint runs
// for a caller without its scope, and nothing about a resource is told to one.

import EyeStore
import EyeSystem

/// Everything that the endpoints stand on.
final class EyeResponder: Responder {
    private let accounts: AccountWatch
    private let logins: LoginDesk
    private let writes: WriteDesk
    private let channel: ControlChannel
    private let store: EventSource
    private let metrics: HTTPMetrics
    private let time: any TimeSource
    private let budget = BodyBudget()
    private let room = AnalysisRoom()
    private unowned let loop: HTTPLoop

    init(
        loop: HTTPLoop, accounts: AccountWatch, logins: LoginDesk, writes: WriteDesk, channel: ControlChannel,
        store: EventSource, metrics: HTTPMetrics, time: any TimeSource
    ) {
        self.loop = loop
        self.accounts = accounts
        self.logins = logins
        self.writes = writes
        self.channel = channel
        self.store = store
        self.metrics = metrics
        self.time = time
    }

    func exchange(_ head: RequestHead, from peer: Peer, wake: @escaping () -> Void) -> any Exchange {
        let path = head.bytes[head.path]
        if path.elementsEqual("*".utf8) { return ImmediateExchange(EyeResponder.options("GET, HEAD, POST, OPTIONS")) }
        guard let found = Route.find(path) else {
            metrics.count(nil)
            return refuse(Problem.notFound)
        }
        let route = found.route
        metrics.count(route)
        if head.method == .options { return ImmediateExchange(EyeResponder.options(route.allow)) }
        guard let access = route.methods.first(where: { $0.method == head.method })?.access else {
            var problem = Problem(405, "method-not-allowed", "Method \"\(head.methodName)\" not allowed.")
            problem.fields = [ResponseField("Allow", route.allow)]
            return refuse(problem)
        }
        var caller: Caller?
        if case .scope(let scope) = access {
            switch authenticate(head) {
            case .success(let found):
                guard found.token.scopes.isSuperset(of: scope) else {
                    return refuse(
                        Problem(
                            403, "forbidden",
                            "You do not have permission to perform this action: the token needs the scope \(scope.description)."
                        ))
                }
                caller = found
            case .failure(let error): return refuse(error.problem)
            }
        }
        do throws(QueryParameters.Fault) {
            let parameters = try head.query.map { (range) throws(QueryParameters.Fault) in
                try QueryParameters(parsing: head.bytes[range])
            }
            let call = Call(
                head: head, route: route, id: found.id, session: found.session,
                parameters: parameters ?? QueryParameters(), peer: peer, caller: caller, budget: budget, wake: wake)
            return endpoint(call)
        } catch {
            let detail =
                switch error {
                case .encoding: "The query string is not percent-encoded UTF-8."
                case .tooMany: "The query string has more than \(HTTPLimits.parametersMax) parameters."
                }
            return refuse(Problem(400, "bad-request", detail))
        }
    }

    func refusal(_ refusal: RequestRefusal) -> Response { Problem(refusal).response }

    func answered(_ head: RequestHead?, status: UInt16) { metrics.count(status: status) }

    private func refuse(_ problem: Problem) -> any Exchange { ImmediateExchange(problem.response) }

    private static func options(_ allow: String) -> Response {
        Response(status: 204, fields: [ResponseField("Allow", allow)] + AnswerFields.common)
    }

    private func authenticate(_ head: RequestHead) -> Result<Caller, ProblemError> {
        switch Credentials(head) {
        case .none:
            return .failure(ProblemError(.unauthorized("Authentication credentials were not provided.")))
        case .malformed(let detail): return .failure(ProblemError(.unauthorized(detail)))
        case .token(let secret):
            guard let token = accounts.token(secret) else {
                return .failure(ProblemError(.unauthorized("Invalid token.")))
            }
            return .success(Caller(secret: secret, token: token))
        }
    }

    /// The endpoint for a call that passed everything above.
    private func endpoint(_ call: Call) -> any Exchange {
        let isRead = call.head.method == .get || call.head.method == .head
        if call.head.method == .delete {
            return list { () throws(ProblemError) in try ErasureExchange(call, self.writes) }
        }
        switch call.route {
        // Supervisors and people may add whatever they like to these.
        case .index: return ImmediateExchange(StatusEndpoints.index())
        case .healthy: return ImmediateExchange(StatusEndpoints.healthy())
        case .ready: return ReadyExchange(call, channel: channel) { [unowned self] in self.ready($0) }
        case .metrics: return MetricsExchange(call, channel: channel) { [unowned self] in self.metricsText($0) }
        case .events where isRead:
            return list { () throws(ProblemError) in try EventList.exchange(call, self.store, self.time) }
        case .sessions where isRead:
            return list { () throws(ProblemError) in try SessionList.exchange(call, self.store, self.time) }
        case .sessionDetail:
            guard let session = call.session else { break }
            return list { () throws(ProblemError) in
                try SessionTimeline(session, call, self.store, self.time)
            }
        case .statsCount, .statsHits, .statsTop, .statsUniq, .statsFunnel:
            guard let kind = call.route.stats else { break }
            return list { () throws(ProblemError) in
                try StatsExchange(kind, call, self.store, self.room, self.time)
            }
        case .errors: return list { () throws(ProblemError) in try ErrorList.exchange(call, self.store) }
        case .erasures: return list { () throws(ProblemError) in try ErasureList.exchange(call, self.store) }
        case .login, .sessions, .events, .eventDetail, .errorDetail: break
        }
        if let unknown = call.parameters.firstUnknown([]) {
            return refuse(Problem.unknownParameter(unknown, known: []))
        }
        switch call.route {
        case .login: return LoginExchange(call, desk: logins)
        case .sessions:
            guard let caller = call.caller else { break }
            return SessionPosting(call, caller: caller, desk: writes)
        case .events:
            guard let caller = call.caller else { break }
            switch MediaType(call.head) {
            case .other: return refuse(Problem.unsupportedType)
            case .lines: return EventStreamPosting(call, caller: caller, desk: writes)
            case .json, .form, .unstated: return EventPosting(call, caller: caller, desk: writes)
            }
        case .eventDetail: return EventDetail(call, store, id: call.id ?? 0)
        case .errorDetail: return ErrorDetail(call, store, id: call.id ?? 0)
        default: break
        }
        preconditionFailure("a route without an endpoint")
    }

    private func list(_ make: () throws(ProblemError) -> any Exchange) -> any Exchange {
        do throws(ProblemError) {
            return try make()
        } catch {
            return refuse(error.problem)
        }
    }

    private func ready(_ ingest: ReadyExchange.Ingest) -> Response {
        var reasons: [String] = []
        if !ingest.isUp { reasons.append("no-ingest: the ingest service does not answer; events cannot be written") }
        accounts.refresh()
        if accounts.book == nil { reasons.append("no-accounts: the account file cannot be read; nobody can log in") }
        if let cause = store.cause() { reasons.append("no-store: \(cause)") }
        return StatusEndpoints.ready(reasons: reasons, notes: ingest.notes + store.damageNotes())
    }

    private func metricsText(_ isIngestUp: Bool) -> [UInt8] {
        var out: [UInt8] = []
        metrics.append(
            to: &out, loop: loop, isIngestUp: isIngestUp, failedLogins: logins.failures,
            waitingWrites: channel.waitingCount, damage: store.damageTotals)
        return out
    }
}
