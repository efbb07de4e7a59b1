// The HTTP service's own numbers in the Prometheus text format (version 0.0.4). Closed label sets: routes, methods, status
// codes; nothing that a client can make up. Counted on the loop's thread; read by that of the status service too, which must not
// wait for queries.

import EyeWire
import Synchronization

/// Counters and gauges of the service.
final class HTTPMetrics: Sendable {
    /// What the loop knows, as of the end of its last turn.
    struct Gauges: Sendable {
        var connections: UInt64 = 0
        var accepted: UInt64 = 0
        var turnedAway: UInt64 = 0
        var answerBytes: UInt64 = 0
        var waitingAnswers: UInt64 = 0
        var failedLogins: UInt64 = 0
        var waitingWrites: UInt64 = 0
        var damagedRanges: UInt64 = 0
        var damagedBytes: UInt64 = 0
        var liveStreams: UInt64 = 0
        var lagged: UInt64 = 0
        var skippedEvents: UInt64 = 0
    }

    private struct Numbers {
        var requests: [Route: UInt64] = [:]
        var unknownPaths: UInt64 = 0
        var statuses: [UInt16: UInt64] = [:]
        var rejected: [Reject: UInt64] = [:]
        var gauges = Gauges()
    }

    private let numbers = Mutex(Numbers())

    func count(_ route: Route?) {
        numbers.withLock { numbers in
            if let route { numbers.requests[route, default: 0] += 1 } else { numbers.unknownPaths += 1 }
        }
    }

    func count(status: UInt16) { numbers.withLock { $0.statuses[status, default: 0] += 1 } }

    /// An event was refused, other than by the ingest side, which counts its own.
    func count(rejected: Reject) { numbers.withLock { $0.rejected[rejected, default: 0] += 1 } }

    /// The loop's gauges as they are now.
    func publish(_ gauges: Gauges) { numbers.withLock { $0.gauges = gauges } }

    /// Appends every metric.
    func append(to out: inout [UInt8], isIngestUp: Bool) {
        let (requests, unknownPaths, statuses, rejected, gauges) = numbers.withLock {
            ($0.requests, $0.unknownPaths, $0.statuses, $0.rejected, $0.gauges)
        }
        HTTPMetrics.head("eye_http_requests_total", "counter", "Requests by route.", &out)
        for route in Route.allCases {
            out.append(text: "eye_http_requests_total{route=\"\(route.label)\"} \(requests[route] ?? 0)\n")
        }
        out.append(text: "eye_http_requests_total{route=\"unknown\"} \(unknownPaths)\n")
        HTTPMetrics.head("eye_http_responses_total", "counter", "Answers by status code.", &out)
        for (status, count) in statuses.sorted(by: { $0.key < $1.key }) {
            out.append(text: "eye_http_responses_total{status=\"\(status)\"} \(count)\n")
        }
        HTTPMetrics.head(
            "eye_http_events_rejected_total", "counter",
            "Events refused before the ingest side saw them, by code; no-ingest: it was not there, or has not answered.",
            &out)
        for reject in Reject.allCases where reject.fate == .drop || reject == .noIngest {
            out.append(text: "eye_http_events_rejected_total{code=\"\(reject.code)\"} \(rejected[reject] ?? 0)\n")
        }
        func one(_ name: String, _ type: String, _ help: String, _ value: UInt64) {
            HTTPMetrics.head(name, type, help, &out)
            out.append(text: "\(name) \(value)\n")
        }
        one(
            "eye_http_connections", "gauge", "Connections now, with those that are being told of no room.",
            gauges.connections)
        one("eye_http_connections_total", "counter", "Connections accepted.", gauges.accepted)
        one(
            "eye_http_connections_refused_total", "counter", "Connections refused for lack of room.",
            gauges.turnedAway)
        one(
            "eye_http_answer_bytes", "gauge", "Memory of answers that are being made or not yet taken.",
            gauges.answerBytes)
        one("eye_http_answers_waiting", "gauge", "Answers that wait for some of it.", gauges.waitingAnswers)
        one(
            "eye_http_login_failures_total", "counter", "Logins with a wrong user name or password.",
            gauges.failedLogins)
        one(
            "eye_http_writes_waiting", "gauge", "Lines sent to the ingest side and not answered yet.",
            gauges.waitingWrites)
        one("eye_http_live_streams", "gauge", "Live streams now.", gauges.liveStreams)
        one("eye_http_live_lagged_total", "counter", "Times that a live stream was too slow.", gauges.lagged)
        one(
            "eye_http_live_skipped_events_total", "counter", "Event ids that live streams skipped because of that.",
            gauges.skippedEvents)
        one(
            "eye_query_damaged_ranges", "gauge",
            "Damaged places of the store that queries have met, and places where segments are missing.",
            gauges.damagedRanges)
        one(
            "eye_query_damaged_bytes", "gauge",
            "Bytes in damaged places that queries have met; missing segments and sealed blocks whose place is not known count as 0.",
            gauges.damagedBytes)
        one("eye_ingest_up", "gauge", "1 when the ingest side answers, 0 when it does not.", isIngestUp ? 1 : 0)
    }

    private static func head(_ name: String, _ type: String, _ help: String, _ out: inout [UInt8]) {
        out.append(text: "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n")
    }
}
