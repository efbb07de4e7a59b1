// The HTTP service's own numbers in the Prometheus text format (version 0.0.4). Closed label sets: routes, methods, status
// codes; nothing that a client can make up. On the loop's thread.

/// Counters of the service.
final class HTTPMetrics {
    private var requests: [Route: UInt64] = [:]
    private var unknownPaths: UInt64 = 0
    private var statuses: [UInt16: UInt64] = [:]

    func count(_ route: Route?) {
        if let route { requests[route, default: 0] += 1 } else { unknownPaths += 1 }
    }

    func count(status: UInt16) { statuses[status, default: 0] += 1 }

    /// Appends every metric.
    func append(
        to out: inout [UInt8], loop: HTTPLoop, isIngestUp: Bool, failedLogins: UInt64, waitingWrites: Int,
        damage: (ranges: UInt64, bytes: UInt64)
    ) {
        HTTPMetrics.head("eye_http_requests_total", "counter", "Requests by route.", &out)
        for route in Route.allCases {
            out.append(text: "eye_http_requests_total{route=\"\(route.label)\"} \(requests[route] ?? 0)\n")
        }
        out.append(text: "eye_http_requests_total{route=\"unknown\"} \(unknownPaths)\n")
        HTTPMetrics.head("eye_http_responses_total", "counter", "Answers by status code.", &out)
        for (status, count) in statuses.sorted(by: { $0.key < $1.key }) {
            out.append(text: "eye_http_responses_total{status=\"\(status)\"} \(count)\n")
        }
        func one(_ name: String, _ type: String, _ help: String, _ value: UInt64) {
            HTTPMetrics.head(name, type, help, &out)
            out.append(text: "\(name) \(value)\n")
        }
        one("eye_http_connections", "gauge", "Connections now.", UInt64(loop.connectionCount))
        one("eye_http_connections_total", "counter", "Connections accepted.", loop.acceptedCount)
        one(
            "eye_http_connections_refused_total", "counter", "Connections answered 503 for lack of room.",
            loop.turnedAwayCount)
        one("eye_http_login_failures_total", "counter", "Logins with a wrong user name or password.", failedLogins)
        one(
            "eye_http_writes_waiting", "gauge", "Lines sent to the ingest side and not answered yet.",
            UInt64(waitingWrites))
        one("eye_query_damaged_ranges", "gauge", "Damaged places of the store that queries have met.", damage.ranges)
        one("eye_query_damaged_bytes", "gauge", "Bytes in damaged places that queries have met.", damage.bytes)
        one("eye_ingest_up", "gauge", "1 when the ingest side answers, 0 when it does not.", isIngestUp ? 1 : 0)
    }

    private static func head(_ name: String, _ type: String, _ help: String, _ out: inout [UInt8]) {
        out.append(text: "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n")
    }
}
