// An answer: status, fields, body; and how its head goes into bytes. Made by responders, written by HTTPConnection, which
// alone adds Date, Connection and the framing fields. Invariant: names and values given here hold no CR, LF or NUL.

import EyeWire

/// One header field of an answer.
public struct ResponseField: Sendable {
    public var name: String
    public var value: String

    public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// What one pull of a producer came to.
public enum Production: Sendable {
    /// There is more: pull again when there is room.
    case more
    /// Nothing now; the exchange's `wake` says when.
    case later
    case end
    /// The body cannot be finished: the connection ends, so that the client sees it cut.
    case failed
}

/// A body that is made while the client takes it. Used on the loop's thread.
public protocol BodyProducer: AnyObject {
    /// Appends about `room` bytes, doing a bounded amount of work (one item more than `room` is fine).
    func produce(into out: inout [UInt8], room: Int) -> Production
    /// Fields sent after the body, known at its end (RFC 9110 section 6.5).
    func trailers() -> [ResponseField]
    /// The client went away, or the body will never be pulled (HEAD).
    func cancel()
    /// The body ends only when it is told to: it goes on as long as its client and the service do.
    var isEndless: Bool { get }
    /// Tells an endless body to end: the next `produce` does.
    func finish()
}

extension BodyProducer {
    public func trailers() -> [ResponseField] { [] }
    public var isEndless: Bool { false }
    public func finish() {}
}

/// The body of an answer.
public enum ResponseBody {
    case none
    case bytes([UInt8])
    case stream(any BodyProducer)
}

/// An answer.
public struct Response {
    public var status: UInt16
    public var fields: [ResponseField]
    public var body: ResponseBody
    /// End the connection after this answer.
    public var closes = false
    /// Asked until all of it was sent: when it is false, what is left is not sent, and the connection is reset.
    public var mayGoOn: (() -> Bool)?

    public init(status: UInt16, fields: [ResponseField] = [], body: ResponseBody = .none) {
        self.status = status
        self.fields = fields
        self.body = body
    }

    /// How the body's end is told to the client.
    enum Framing {
        case none
        case length(Int)
        case chunked
        /// By the end of the connection: for streams to HTTP/1.0 clients (RFC 9112 section 6.3, rule 8).
        case close
    }

    /// Appends the status line and all fields.
    func appendHead(
        to out: inout [UInt8], framing: Framing, date: [UInt8], connection: ConnectionField
    ) {
        // RFC 9110 section 2.5: our own version, whatever the client's.
        out.append(text: "HTTP/1.1 ")
        out.append(decimal: status)
        out.append(.space)
        out.append(text: HTTPStatus.phrase(status))
        out.append(text: "\r\nDate: ")
        out.append(contentsOf: date)
        for field in fields {
            out.append(text: "\r\n")
            out.append(text: field.name)
            out.append(text: ": ")
            out.append(text: field.value)
        }
        switch framing {
        case .none, .close: break
        case .length(let count):
            out.append(text: "\r\nContent-Length: ")
            out.append(decimal: count)
        case .chunked: out.append(text: "\r\nTransfer-Encoding: chunked")
        }
        switch connection {
        case .silent: break
        case .close: out.append(text: "\r\nConnection: close")
        case .keepAlive: out.append(text: "\r\nConnection: keep-alive")
        }
        out.append(text: "\r\n\r\n")
    }

    /// The Connection field of an answer.
    enum ConnectionField { case silent, close, keepAlive }
}
