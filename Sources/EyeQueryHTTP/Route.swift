// The one table of paths: what exists, which methods it takes, which scope each needs. Every path is known with and without
// its final slash. Pure; called by EyeResponder for every request, by tests and by whoever documents the routes.

import EyeStore
import EyeWire

/// A resource of the service.
public enum Route: String, CaseIterable, Sendable {
    case index = "/"
    case login = "/api-token-auth/"
    case sessions = "/sessions/"
    case sessionDetail = "/sessions/{session_id}/"
    case events = "/events/"
    case live = "/events/live"
    case eventDetail = "/event_detail/{id}"
    case errors = "/errors/"
    case errorSummary = "/errors/summary"
    case errorDetail = "/errors/{id}"
    case statsCount = "/stats/count"
    case statsHits = "/stats/hits"
    case statsTop = "/stats/top"
    case statsUniq = "/stats/uniq"
    case statsFunnel = "/stats/funnel"
    case erasures = "/erasures/"
    case healthy = "/-/healthy"
    case ready = "/-/ready"
    case metrics = "/metrics"
    case openAPI = "/openapi.json"

    /// What a method needs.
    public enum Access: Equatable, Sendable {
        case everybody
        case scope(Scopes)
    }

    /// The methods of this resource besides OPTIONS, which every resource has. HEAD goes wherever GET goes.
    public var methods: [(method: Method, access: Access)] {
        switch self {
        case .index, .healthy, .ready, .metrics, .openAPI: [(.get, .everybody), (.head, .everybody)]
        case .login: [(.post, .everybody)]
        case .sessions, .events: [(.get, .scope(.read)), (.head, .scope(.read)), (.post, .scope(.ingest))]
        case .eventDetail, .sessionDetail:
            [(.get, .scope(.read)), (.head, .scope(.read)), (.delete, .scope(.admin))]
        case .live, .errors, .errorSummary, .errorDetail, .statsCount, .statsHits, .statsTop, .statsUniq, .statsFunnel:
            [(.get, .scope(.read)), (.head, .scope(.read))]
        case .erasures: [(.get, .scope(.admin)), (.head, .scope(.admin))]
        }
    }

    /// The value of the Allow field (RFC 9110 section 10.2.1).
    public var allow: String { (methods.map(\.method.rawValue) + ["OPTIONS"]).joined(separator: ", ") }

    /// The short name in metrics.
    var label: String {
        switch self {
        case .index: "index"
        case .login: "login"
        case .sessions: "sessions"
        case .sessionDetail: "session_detail"
        case .events: "events"
        case .live: "events_live"
        case .eventDetail: "event_detail"
        case .errors: "errors"
        case .errorSummary: "error_summary"
        case .errorDetail: "error_detail"
        case .statsCount: "stats_count"
        case .statsHits: "stats_hits"
        case .statsTop: "stats_top"
        case .statsUniq: "stats_uniq"
        case .statsFunnel: "stats_funnel"
        case .erasures: "erasures"
        case .healthy: "healthy"
        case .ready: "ready"
        case .metrics: "metrics"
        case .openAPI: "openapi"
        }
    }

    /// Whether its answers link to others of the same parameters.
    var hasPages: Bool {
        switch self {
        case .sessions, .sessionDetail, .events, .live, .errors, .erasures: true
        default: false
        }
    }

    /// What is asked of the resource, if it is a statistic.
    var stats: StatsQuery.Kind? {
        switch self {
        case .statsCount: .count
        case .statsHits: .hits
        case .statsTop: .top
        case .statsUniq: .uniq
        case .statsFunnel: .funnel
        default: nil
        }
    }

    /// A resource that a path names.
    public struct Found: Equatable {
        public var route: Route
        /// The number in the path.
        public var id: UInt64?
        /// The session in the path.
        public var session: ID128?

        init(_ route: Route, id: UInt64? = nil, session: ID128? = nil) {
            self.route = route
            self.id = id
            self.session = session
        }
    }

    /// The resource at a path as it was sent, and what is in it. Segments are split before they are decoded, so that an
    /// encoded slash stays data; `.` and `..` are names like any other.
    public static func find(_ path: ArraySlice<UInt8>) -> Found? {
        if path.isEmpty { return Found(.index) }
        guard path.first == .slash else { return nil }
        var segments = path.dropFirst().split(separator: .slash, omittingEmptySubsequences: false)
        if segments.last?.isEmpty ?? false { segments.removeLast() }
        var names: [String] = []
        for segment in segments {
            guard let name = PercentEncoding.decode(segment, plusIsSpace: false) else { return nil }
            names.append(String(decoding: name, as: UTF8.self))
        }
        switch names.count {
        case 0: return Found(.index)
        case 1:
            switch names[0] {
            case "api-token-auth": return Found(.login)
            case "sessions": return Found(.sessions)
            case "events": return Found(.events)
            case "errors": return Found(.errors)
            case "erasures": return Found(.erasures)
            case "metrics": return Found(.metrics)
            case "openapi.json": return Found(.openAPI)
            default: return nil
            }
        case 2:
            switch (names[0], names[1]) {
            case ("-", "healthy"): return Found(.healthy)
            case ("-", "ready"): return Found(.ready)
            case ("event_detail", let text): return number(text).map { Found(.eventDetail, id: $0) }
            case ("events", "live"): return Found(.live)
            case ("errors", "summary"): return Found(.errorSummary)
            case ("errors", let text): return number(text).map { Found(.errorDetail, id: $0) }
            case ("sessions", let text): return session(text).map { Found(.sessionDetail, session: $0) }
            case ("stats", let text): return StatsQuery.Kind(rawValue: text).map { Found(stats($0)) }
            default: return nil
            }
        default: return nil
        }
    }

    private static func stats(_ kind: StatsQuery.Kind) -> Route {
        switch kind {
        case .count: .statsCount
        case .hits: .statsHits
        case .top: .statsTop
        case .uniq: .statsUniq
        case .funnel: .statsFunnel
        }
    }

    private static func session(_ text: String) -> ID128? {
        let bytes = Array(text.utf8)
        return UUID(parsing: bytes.span).map { ID128(high: $0.high, low: $0.low) }
    }

    /// Decimal digits only, no sign, in range.
    private static func number(_ text: String) -> UInt64? {
        let digitsMax = 20
        guard !text.isEmpty, text.utf8.count <= digitsMax, text.utf8.allSatisfy(ByteClass.isDigit) else { return nil }
        return UInt64(text)
    }
}
