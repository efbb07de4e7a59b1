// Reason phrases of the status codes that this service sends (RFC 9110 section 15, RFC 6585).

/// Status codes by name.
enum HTTPStatus {
    /// The registered phrase; empty for a code that we never send.
    static func phrase(_ status: UInt16) -> String {
        switch status {
        case 200: "OK"
        case 201: "Created"
        case 204: "No Content"
        case 207: "Multi-Status"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 408: "Request Timeout"
        case 413: "Content Too Large"
        case 414: "URI Too Long"
        case 415: "Unsupported Media Type"
        case 417: "Expectation Failed"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 503: "Service Unavailable"
        case 505: "HTTP Version Not Supported"
        case 507: "Insufficient Storage"
        default: ""
        }
    }

    /// Whether an answer with this status never has a body (RFC 9112 section 6.3, rule 1).
    static func isBodiless(_ status: UInt16) -> Bool { status == 204 || status == 304 || status < 200 }
}
