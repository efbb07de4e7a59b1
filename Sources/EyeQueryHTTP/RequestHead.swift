// A parsed request head: one array of bytes and ranges in it. Made by RequestParser, read by everybody else. Invariant:
// every range lies inside `bytes`, field names are lower case, the framing fields were judged already.

/// A method that the service knows by name, or another token.
public enum Method: String, Sendable, CaseIterable {
    case get = "GET"
    case head = "HEAD"
    case post = "POST"
    case put = "PUT"
    case patch = "PATCH"
    case delete = "DELETE"
    case options = "OPTIONS"
    /// Any other token, see `RequestHead.methodName`.
    case other = ""
}

/// How the body's end is found (RFC 9112 section 6.3).
public enum BodyFraming: Equatable, Sendable {
    case none
    /// So many bytes, more than none.
    case length(UInt64)
    case chunked
}

/// Request line and header fields.
public struct RequestHead: Sendable {
    /// One header field: ranges of `bytes`, the name in lower case, the value without blanks at its ends.
    public struct Field: Sendable {
        public var name: Range<Int>
        public var value: Range<Int>
    }

    /// The lines of the head, one after the other, without their CRLFs.
    public internal(set) var bytes: [UInt8] = []
    public internal(set) var method = Method.other
    /// The method's token in `bytes`.
    var methodRange = 0..<0
    /// The path as sent, percent-encoded, beginning with `/`; `*` for `OPTIONS *`.
    public internal(set) var path = 0..<0
    /// The query as sent, without its `?`; nil when there is no `?`.
    public internal(set) var query: Range<Int>?
    /// Host and port of an absolute-form target.
    var authority: Range<Int>?
    /// The digit after `HTTP/1.`
    public internal(set) var minorVersion: UInt8 = 1
    public internal(set) var fields: [Field] = []
    public internal(set) var framing = BodyFraming.none
    /// The connection may serve another request after this one (RFC 9112 section 9.3).
    public internal(set) var keepsAlive = true
    /// The client waits for `100 Continue` before it sends the body (RFC 9110 section 10.1.1).
    public internal(set) var expectsContinue = false

    init() {}

    /// It changes nothing (RFC 9110 section 9.2.1).
    var isSafe: Bool { method == .get || method == .head }

    /// The method's token, such as `PATCH`.
    public var methodName: String { String(decoding: bytes[methodRange], as: UTF8.self) }

    /// The ranges of the values of every field called `name` (lower case), in order.
    public func values(_ name: String) -> [Range<Int>] {
        fields.filter { bytes.matches($0.name, name) }.map(\.value)
    }

    /// The first value of the field called `name` (lower case).
    public func value(_ name: String) -> ArraySlice<UInt8>? {
        for field in fields where bytes.matches(field.name, name) { return bytes[field.value] }
        return nil
    }
}
