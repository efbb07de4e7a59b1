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
    private let asking: ControlChannel
    private let store: EventSource
    private let metrics: HTTPMetrics
    private let accessLog: AccessLog
    private let time: any TimeSource
    private let budget = BodyBudget(HTTPLimits.bodiesBytesMax)
    private let strangersBudget = BodyBudget(HTTPLimits.strangerBodiesBytesMax)
    private let room = AnalysisRoom()
    private let reads: ReadGuard
    private let errors: ErrorDesk
    private let live: LiveFeed
    private let crossOrigin: CrossOrigin
    private unowned let loop: HTTPLoop

    init(
        loop: HTTPLoop, accounts: AccountWatch, logins: LoginDesk, writes: WriteDesk, channel: ControlChannel,
        asking: ControlChannel,
        store: EventSource, metrics: HTTPMetrics, accessLog: AccessLog, origins: [String], time: any TimeSource
    ) {
        self.loop = loop
        self.accounts = accounts
        self.logins = logins
        self.writes = writes
        self.channel = channel
        self.asking = asking
        self.store = store
        self.metrics = metrics
        self.accessLog = accessLog
        self.time = time
        crossOrigin = CrossOrigin(origins)
        reads = ReadGuard(isUsable: accounts.isUsable)
        errors = ErrorDesk(reader: store.rejected, futureMicroseconds: writes.futureMicroseconds) { name in
            accounts.book?.tokens.filter { $0.name.utf8.elementsEqual(name.utf8) }.map(\.id) ?? []
        }
        live = LiveFeed(loop: loop, store: store, time: time)
        _ = loop.add(reads)
    }

    func exchange(_ head: RequestHead, from peer: Peer, wake: @escaping () -> Void) -> any Exchange {
        let path = head.bytes[head.path]
        if path.elementsEqual("*".utf8) { return options(head, "GET, HEAD, POST, OPTIONS") }
        guard let found = Route.find(path) else {
            metrics.count(nil)
            return refuse(Problem.notFound)
        }
        let route = found.route
        metrics.count(route)
        if head.method == .options { return options(head, route.allow) }
        guard let access = route.methods.first(where: { $0.method == head.method })?.access else {
            var problem = Problem(405, "method-not-allowed", "Method \"\(head.methodName)\" not allowed.")
            problem.fields = [ResponseField("Allow", route.allow)]
            return refuse(problem)
        }
        var caller: Caller?
        let isBeacon =
            route == .events && head.method == .post && MediaType(head) == .plain
            && head.values("authorization").isEmpty
        if case .scope(let scope) = access, !isBeacon {
            switch authenticate(head, for: scope) {
            case .success(let found): caller = found
            case .failure(let error): return refuse(error.problem)
            }
        }
        do throws(QueryParameters.Fault) {
            let parameters = try head.query.map { (range) throws(QueryParameters.Fault) in
                try QueryParameters(parsing: head.bytes[range])
            }
            if let parameters, route.hasPages, !PageLink.fits(head, parameters) {
                let most = HTTPLimits.requestLineBytesMax
                return refuse(
                    Problem(
                        414, "uri-too-long",
                        "With its parameters percent-encoded, as in the Link to the next page, this request line has more than \(most) bytes."
                    ))
            }
            let call = Call(
                head: head, route: route, id: found.id, session: found.session,
                parameters: parameters ?? QueryParameters(), peer: peer, caller: caller,
                budget: caller == nil ? strangersBudget : budget, wake: wake)
            return isBeacon ? beacon(call) : endpoint(call)
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

    func completed(_ response: Response, for head: RequestHead?) -> Response {
        guard let head else { return response }
        var response = response
        response.fields += crossOrigin.fields(for: head)
        return response
    }

    func answered(_ head: RequestHead?, from peer: Peer, status: UInt16, nanoseconds: UInt64) {
        metrics.count(status: status)
        accessLog.note(head, from: peer, status: status, nanoseconds: nanoseconds)
    }

    private func refuse(_ problem: Problem) -> any Exchange { ImmediateExchange(problem.response) }

    private func options(_ head: RequestHead, _ allow: String) -> any Exchange {
        let fields = [ResponseField("Allow", allow)] + crossOrigin.preflight(head, allow: allow)
        return ImmediateExchange(Response(status: 204, fields: fields + AnswerFields.common))
    }

    private func authenticate(_ head: RequestHead, for scope: Scopes) -> Result<Caller, ProblemError> {
        switch Credentials(head) {
        case .none:
            return .failure(ProblemError(.unauthorized("Authentication credentials were not provided.")))
        case .malformed(let detail): return .failure(ProblemError(.unauthorized(detail)))
        case .token(let secret): return authenticate(secret, for: scope)
        }
    }

    private func authenticate(_ secret: [UInt8], for scope: Scopes) -> Result<Caller, ProblemError> {
        guard let token = accounts.token(secret) else {
            return .failure(ProblemError(.unauthorized("Invalid token.")))
        }
        guard token.scopes.isSuperset(of: scope) else {
            return .failure(
                ProblemError(
                    Problem(
                        403, "forbidden",
                        "You do not have permission to perform this action: the token needs the scope \(scope.description)."
                    )))
        }
        return .success(Caller(secret: secret, token: token))
    }

    /// An event of a page that is being left. A browser asks nobody before it sends one, so the origin is looked at here.
    private func beacon(_ call: Call) -> any Exchange {
        if let unknown = call.parameters.firstUnknown([]) {
            return refuse(Problem.unknownParameter(unknown, known: []))
        }
        if crossOrigin.standing(of: call.head) == .stranger {
            return refuse(Problem(403, "forbidden", "Pages of this origin may not write here."))
        }
        return BeaconPosting(call, desk: writes) { [unowned self] in self.authenticate($0, for: .ingest) }
    }

    /// The endpoint for a call that passed everything above.
    private func endpoint(_ call: Call) -> any Exchange {
        let isRead = call.head.method == .get || call.head.method == .head
        if call.head.method == .delete {
            return checked { () throws(ProblemError) in try ErasureExchange(call, self.writes) }
        }
        switch call.route {
        // Supervisors and people may add whatever they like to these.
        case .index: return ImmediateExchange(StatusEndpoints.index())
        case .openAPI: return ImmediateExchange(StatusEndpoints.openAPI())
        case .healthy: return ImmediateExchange(StatusEndpoints.healthy())
        case .ready: return ReadyExchange(call, channel: asking) { [unowned self] in self.ready($0) }
        case .metrics: return MetricsExchange(call, channel: asking) { [unowned self] in self.metricsText($0) }
        case .events where isRead:
            return read(call) { () throws(ProblemError) in try EventList.exchange(call, self.store, self.time) }
        case .live:
            return read(call) { () throws(ProblemError) in try self.live.exchange(call) }
        case .sessions where isRead:
            return read(call) { () throws(ProblemError) in try SessionList.exchange(call, self.store, self.time) }
        case .sessionDetail:
            guard let session = call.session else { break }
            return read(call) { () throws(ProblemError) in
                try SessionTimeline(session, call, self.store, self.time)
            }
        case .statsCount, .statsHits, .statsTop, .statsUniq, .statsFunnel:
            guard let kind = call.route.stats else { break }
            return read(call) { () throws(ProblemError) in
                try StatsExchange(kind, call, self.store, self.room, self.time)
            }
        case .errors:
            return read(call) { () throws(ProblemError) in
                try self.errors.list(call, now: self.time.nowMicroseconds())
            }
        case .errorSummary:
            return read(call) { () throws(ProblemError) in
                try self.errors.summary(call, now: self.time.nowMicroseconds())
            }
        case .erasures:
            return read(call) { () throws(ProblemError) in try ErasureList.exchange(call, self.store) }
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
            case .lines:
                return EventStreamPosting(call, caller: caller, desk: writes) { [accounts] in
                    accounts.isUsable(caller.token.id)
                }
            case .json, .form, .plain, .unstated: return EventPosting(call, caller: caller, desk: writes)
            }
        case .eventDetail: return EventDetail(call, store, id: call.id ?? 0)
        case .errorDetail: return ErrorDetail(call, errors, id: call.id ?? 0)
        default: break
        }
        preconditionFailure("a route without an endpoint")
    }

    /// What may take long: it ends with its token.
    private func read(_ call: Call, _ make: () throws(ProblemError) -> any Exchange) -> any Exchange {
        let exchange = checked(make)
        guard let token = call.caller?.token else { return exchange }
        return GuardedRead(
            exchange, token: token.id, account: AnswerAccount(token), watch: reads, wake: call.wake)
    }

    private func checked(_ make: () throws(ProblemError) -> any Exchange) -> any Exchange {
        do throws(ProblemError) {
            return try make()
        } catch {
            return refuse(error.problem)
        }
    }

    private func ready(_ ingest: ReadyExchange.Ingest) -> Response {
        StatusEndpoints.ready(ingest, accounts, store)
    }

    private func metricsText(_ isIngestUp: Bool) -> [UInt8] {
        publishGauges()
        var out: [UInt8] = []
        metrics.append(to: &out, isIngestUp: isIngestUp)
        return out
    }

    /// For the status service, which reads them on another thread.
    func publishGauges() {
        let damage = store.damageTotals
        metrics.publish(
            HTTPMetrics.Gauges(
                connections: UInt64(loop.connectionCount), accepted: loop.acceptedCount,
                turnedAway: loop.turnedAwayCount, answerBytes: UInt64(loop.answers.used),
                waitingAnswers: UInt64(loop.answers.waitingCount), failedLogins: logins.failures,
                waitingWrites: UInt64(channel.waitingCount), damagedRanges: damage.ranges, damagedBytes: damage.bytes,
                liveStreams: UInt64(live.count), lagged: live.laggedCount, skippedEvents: live.skippedCount))
    }
}
