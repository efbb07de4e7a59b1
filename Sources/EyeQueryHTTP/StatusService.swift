// /-/healthy, /-/ready and /metrics on an address and a loop of their own: answered while queries keep the other loop busy, and for
// supervisors that shall not reach the rest. Shares nothing with the query loop but its counters, and says when that does not turn.

import EyeStore
import EyeSystem

/// Runs the status service.
enum StatusService {
    /// The loop's thread: everything below belongs to it alone.
    static func run(
        _ loop: HTTPLoop, beside queries: HTTPLoop, _ metrics: HTTPMetrics, _ options: HTTPOptions, _ disk: any Disk,
        _ time: any TimeSource, _ log: Log
    ) {
        let path = "\(options.folder)/\(HTTPOptions.controlSocketName)"
        let channel = ControlChannel(
            path: path, loop: loop, time: time, patienceMilliseconds: HTTPLimits.ingestAnswerMilliseconds)
        let file = AccountFile(disk, folder: options.folder, time: time)
        let responder = StatusResponder(
            channel: channel, accounts: AccountWatch(file, channel: channel, time: time, log: log),
            store: EventSource(disk, folder: options.folder, limits: options.reader), metrics: metrics,
            queries: LoopWatch(queries, time))
        do throws(SystemError) {
            try loop.run(responder)
        } catch {
            log.error("the status service has ended", ["cause": error.description])
        }
        channel.close()
    }
}

/// Whether another thread's loop turns: it is woken by each look, so it must have turned by the next one.
final class LoopWatch {
    private let loop: HTTPLoop
    private let time: any TimeSource
    private var turns: UInt64
    private var since: UInt64

    init(_ loop: HTTPLoop, _ time: any TimeSource) {
        self.loop = loop
        self.time = time
        turns = loop.takePulse()
        since = time.monotonicNanoseconds()
    }

    /// How long it has not turned, once that is too long.
    func stuckMilliseconds() -> UInt64? {
        let now = time.monotonicNanoseconds()
        let count = loop.takePulse()
        if count != turns {
            turns = count
            since = now
            return nil
        }
        let milliseconds = (now - since) / 1_000_000
        return milliseconds >= HTTPLimits.stuckMilliseconds ? milliseconds : nil
    }
}

/// Answers the three routes and nothing else.
private final class StatusResponder: Responder {
    private let channel: ControlChannel
    private let accounts: AccountWatch
    private let store: EventSource
    private let metrics: HTTPMetrics
    private let queries: LoopWatch
    private let budget = BodyBudget(HTTPLimits.strangerBodiesBytesMax)

    init(
        channel: ControlChannel, accounts: AccountWatch, store: EventSource, metrics: HTTPMetrics, queries: LoopWatch
    ) {
        self.channel = channel
        self.accounts = accounts
        self.store = store
        self.metrics = metrics
        self.queries = queries
    }

    func exchange(_ head: RequestHead, from peer: Peer, wake: @escaping () -> Void) -> any Exchange {
        guard let route = Route.find(head.bytes[head.path])?.route, [.healthy, .ready, .metrics].contains(route) else {
            return ImmediateExchange(Problem.notFound.response)
        }
        if head.method == .options {
            let fields = [ResponseField("Allow", route.allow)] + AnswerFields.common
            return ImmediateExchange(Response(status: 204, fields: fields))
        }
        guard head.method == .get || head.method == .head else {
            var problem = Problem(405, "method-not-allowed", "Method \"\(head.methodName)\" not allowed.")
            problem.fields = [ResponseField("Allow", route.allow)]
            return ImmediateExchange(problem.response)
        }
        let call = Call(
            head: head, route: route, parameters: QueryParameters(), peer: peer, budget: budget, wake: wake)
        switch route {
        case .ready: return ReadyExchange(call, channel: channel) { [unowned self] in self.ready($0) }
        case .metrics:
            return MetricsExchange(call, channel: channel) { [unowned self] isIngestUp in
                var out: [UInt8] = []
                self.metrics.append(to: &out, isIngestUp: isIngestUp)
                return out
            }
        default: return ImmediateExchange(StatusEndpoints.healthy())
        }
    }

    private func ready(_ ingest: ReadyExchange.Ingest) -> Response {
        let stuck = queries.stuckMilliseconds().map { "queries: the query loop has not turned for \($0) ms" }
        return StatusEndpoints.ready(ingest, accounts, store, more: stuck.map { [$0] } ?? [])
    }

    func refusal(_ refusal: RequestRefusal) -> Response { Problem(refusal).response }

    func answered(_ head: RequestHead?, from peer: Peer, status: UInt16, nanoseconds: UInt64) {}
}
