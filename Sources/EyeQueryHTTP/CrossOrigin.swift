// Which web pages may use the service from a browser: those of the configured origins (Fetch standard, section 3.3; RFC 6454). Pure. Others
// get no CORS field, so their browser keeps the answer from them; that keeps no secret from anybody but browsers, tokens do.

/// The configured origins.
struct CrossOrigin {
    private let origins: [[UInt8]]

    /// `origins`: such as `https://app.example.com`, see `isOrigin`.
    init(_ origins: [String]) { self.origins = origins.map { Array($0.utf8) } }

    /// Whether `text` is one origin as browsers send it: `scheme://host[:port]` in lower case, nothing behind it. `*` and `null` are none.
    static func isOrigin(_ text: String) -> Bool {
        for scheme in ["https://", "http://"] where text.hasPrefix(scheme) {
            let host = Array(text.utf8.dropFirst(scheme.utf8.count))
            return HostName.isValid(host[...])
                && host.allSatisfy { ByteClass.lower($0) == $0 && $0 != UInt8(ascii: "*") }
        }
        return false
    }

    /// Where a request stands.
    enum Standing: Equatable {
        /// Of no web page, or of one of our own host.
        case plain
        /// Of a page of a configured origin.
        case welcome([UInt8])
        case stranger
    }

    func standing(of head: RequestHead) -> Standing {
        let values = head.values("origin")
        guard let first = values.first else { return .plain }
        let origin = Array(head.bytes[first])
        if values.count > 1 { return .stranger }
        if origins.contains(origin) { return .welcome(origin) }
        // A proxy's TLS ends before us, so the scheme is not known here.
        guard let host = head.value("host"), let start = origin.firstRange(of: Array("://".utf8))?.upperBound else {
            return .stranger
        }
        return HostName.areEqual(origin[start...], host) ? .plain : .stranger
    }

    /// The fields that an answer to this request has besides its own.
    func fields(for head: RequestHead) -> [ResponseField] {
        if origins.isEmpty { return [] }
        // RFC 9110 section 12.5.5: caches must not give one origin's answer to another.
        let vary = ResponseField("Vary", "Origin")
        guard case .welcome(let origin) = standing(of: head) else { return [vary] }
        return [
            vary, ResponseField("Access-Control-Allow-Origin", String(decoding: origin, as: UTF8.self)),
            ResponseField("Access-Control-Expose-Headers", "Link, Retry-After, Eye-Incomplete"),
        ]
    }

    /// The fields that the answer to OPTIONS has besides those: what a page may send to a resource with these methods. Cached, so
    /// that not every call is two.
    func preflight(_ head: RequestHead, allow: String) -> [ResponseField] {
        guard case .welcome = standing(of: head), head.value("access-control-request-method") != nil else { return [] }
        return [
            ResponseField("Access-Control-Allow-Methods", allow),
            ResponseField("Access-Control-Allow-Headers", "Authorization, Content-Type, Last-Event-ID"),
            ResponseField("Access-Control-Max-Age", "\(HTTPLimits.preflightSeconds)"),
        ]
    }
}
