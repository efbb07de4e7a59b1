// Why a request is refused before any route sees it: the closed list of the protocol layer, each with its status and the
// RFC section that asks for it. Every one of them ends the connection: after a request that has two meanings nobody knows
// where the next one starts. Made by the parser and by HTTPConnection; turned into a body by the Responder.

/// A request that HTTP itself forbids, or that breaks a limit of `HTTPLimits`.
public enum RequestRefusal: UInt8, Error, CaseIterable, Sendable {
    /// RFC 9112 section 3: not `method SP target SP version`.
    case requestLine
    /// RFC 9112 section 2.2: a line that ends in LF without CR, or a CR without LF.
    case lineEnding
    /// RFC 9112 section 3.2: a target that is no origin-form, absolute-form or `*` for OPTIONS; RFC 3986 for its bytes.
    case target
    /// RFC 3986 section 2.1: a `%` without two digits; also an encoded NUL or control character, or no UTF-8 (RFC 3629).
    case percentEncoding
    /// RFC 9112 section 2.3: not `HTTP/` DIGIT `.` DIGIT.
    case versionSyntax
    /// RFC 9110 section 15.6.6: a major version other than 1.
    case version
    /// RFC 9110 sections 9.3.6, 9.3.8, 15.6.2: CONNECT, TRACE, or a method name longer than any.
    case method
    /// RFC 9112 section 3: a longer request line than we wish to parse.
    case requestLineTooLong
    /// RFC 9112 section 5.1: no colon, an empty name, a name that is no token, a blank before the colon.
    case fieldName
    /// RFC 9110 section 5.5: NUL, CR or another control character in a value.
    case fieldValue
    /// RFC 9112 section 5.2: a line that goes on in the next (obs-fold), or white space before the first field.
    case foldedLine
    /// RFC 6585 section 5: too many bytes or too many fields.
    case headersTooLarge
    /// RFC 9112 section 3.2: Host missing, repeated, or not one valid `host[:port]`.
    case host
    /// RFC 9112 section 3.2.2: an absolute-form target that names another host than Host does.
    case hostMismatch
    /// RFC 9110 section 8.6, RFC 9112 section 6.3: Content-Length repeated, or not one plain decimal number.
    case contentLength
    /// RFC 9112 section 6.1: Transfer-Encoding other than exactly `chunked`, repeated, or in HTTP/1.0.
    case transferEncoding
    /// RFC 9112 section 6.1: Content-Length and Transfer-Encoding together.
    case twoLengths
    /// RFC 9112 section 7.1: a chunk that is not `size [ext] CRLF data CRLF`.
    case chunk
    /// RFC 9112 section 7.1.1: chunk extensions longer than we wish to read.
    case chunkExtension
    /// RFC 9110 section 6.5.1: framing, routing or credentials in a trailer.
    case trailer
    /// RFC 9112 section 8: the client ended the connection inside a request.
    case incomplete
    /// RFC 9110 section 15.5.14: a larger body than the resource takes.
    case bodyTooLarge
    /// RFC 9110 section 10.1.1: an expectation other than `100-continue`.
    case expectation
    /// RFC 9110 section 15.5.9: head or body too slow.
    case timeout
    /// RFC 9110 section 15.6.4: no room for another connection.
    case full

    /// The status code.
    public var status: UInt16 {
        switch self {
        case .version: 505
        case .method: 501
        case .requestLineTooLong: 414
        case .headersTooLarge: 431
        case .bodyTooLarge: 413
        case .expectation: 417
        case .timeout: 408
        case .full: 503
        default: 400
        }
    }

    /// The `code` of the problem body.
    public var code: String {
        switch self {
        case .version: "unsupported-version"
        case .method: "not-implemented"
        case .requestLineTooLong: "uri-too-long"
        case .headersTooLarge: "headers-too-large"
        case .bodyTooLarge: "body-too-large"
        case .expectation: "expectation-failed"
        case .timeout: "timeout"
        case .full: "overloaded"
        default: "bad-request"
        }
    }

    /// What was wrong and what to do, one sentence each.
    public var text: String {
        switch self {
        case .requestLine: "The request line is not 'METHOD target HTTP/1.1' with single spaces."
        case .lineEnding: "A line must end in CR LF, and CR may stand nowhere else."
        case .target: "The request target is not valid: percent-encode every byte that a URI does not allow (RFC 3986)."
        case .percentEncoding:
            "The request target holds a percent-encoding that is broken, no UTF-8, or a control character."
        case .versionSyntax: "The request line must end in HTTP/1.1 or HTTP/1.0."
        case .version: "Only HTTP/1.1 and HTTP/1.0 are spoken here."
        case .method: "This method is not implemented here."
        case .requestLineTooLong: "The request line has more than \(HTTPLimits.requestLineBytesMax) bytes."
        case .fieldName: "A header line is not 'Name: value' with the colon right after the name."
        case .fieldValue: "A header value holds a control character."
        case .foldedLine: "A header must stand on one line: a line may not start with white space."
        case .headersTooLarge:
            "The header section has more than \(HTTPLimits.headerBytesMax) bytes or \(HTTPLimits.headerFieldsMax) fields."
        case .host: "Exactly one valid Host header is needed."
        case .hostMismatch: "The request target names another host than the Host header."
        case .contentLength: "Content-Length must be given once, as one decimal number."
        case .transferEncoding: "Transfer-Encoding must be exactly 'chunked', given once, in HTTP/1.1."
        case .twoLengths: "Content-Length and Transfer-Encoding may not stand together."
        case .chunk: "The chunked body is broken."
        case .chunkExtension: "The chunk extensions are too long."
        case .trailer: "A trailer may not hold framing, routing or credentials."
        case .incomplete: "The connection ended inside the request."
        case .bodyTooLarge: "The body is larger than this resource takes."
        case .expectation: "Only 'Expect: 100-continue' can be met."
        case .timeout: "The request took too long to arrive."
        case .full: "Too many connections; try again in a moment."
        }
    }
}
