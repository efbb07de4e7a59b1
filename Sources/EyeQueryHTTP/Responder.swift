// What HTTPConnection asks of whoever answers: The Eye's routes, or the echo of the conformance tests. All calls come on
// the connection's thread.

import EyeSystem

/// Who sent a request.
public final class Peer {
    private let address: SocketAddress?
    /// The numeric address, made when it is first asked for.
    public private(set) lazy var host = address?.host ?? "unknown"
    /// Whom it is counted with, see `SocketAddress.network`.
    var network: String { address?.network ?? "unknown" }

    public init(_ address: SocketAddress?) { self.address = address }
}

/// Whether an answer is known.
public enum Answer {
    /// Not yet; `wake` says when to ask again (or more of the body does).
    case later
    /// Not yet; ask again soon: a bounded piece of work was done.
    case working
    case ready(Response)
}

/// One request while it is being answered.
public protocol Exchange: AnyObject {
    /// A larger body is 413.
    var bodyBytesMax: Int { get }
    /// Its answer takes steps or much memory: once its request is whole it has its turn behind what is answered at once, and waits for room.
    var isLong: Bool { get }
    /// Whose memory its answer takes.
    var account: AnswerAccount { get }
    /// Whether `receive` may be called now. While it is false the client is held back.
    var wantsBody: Bool { get }
    /// Some bytes of the body.
    func receive(_ bytes: Span<UInt8>)
    /// The body is whole.
    func finishBody()
    /// Asked once after the head, and then after every event. Not asked again once it was `ready`.
    func answer() -> Answer
    /// The client went away before the answer was written.
    func cancel()
    /// The body breaks off: nothing more of it comes. True: there is something to say of what came before, which `answer` tells now or later;
    /// false: the refusal itself is the answer, and this is over.
    func breakOff(_ refusal: RequestRefusal) -> Bool
}

extension Exchange {
    public var isLong: Bool { false }
    public var account: AnswerAccount { .strangers }
    public func breakOff(_ refusal: RequestRefusal) -> Bool {
        cancel()
        return false
    }
}

/// Answers requests.
public protocol Responder: AnyObject {
    /// A head is whole. `wake` may be called on the same thread, any number of times, as long as the exchange lives.
    func exchange(_ head: RequestHead, from peer: Peer, wake: @escaping () -> Void) -> any Exchange
    /// The answer to what never becomes a request.
    func refusal(_ refusal: RequestRefusal) -> Response
    /// An answer as it goes out, with the fields that answers to this request have in common; nil: it never became a request.
    func completed(_ response: Response, for head: RequestHead?) -> Response
    /// An answer's head was written, so long after the request's head was read: for counters and the access log.
    func answered(_ head: RequestHead?, from peer: Peer, status: UInt16, nanoseconds: UInt64)
}

extension Responder {
    public func completed(_ response: Response, for head: RequestHead?) -> Response { response }
}

/// An exchange whose answer is known from the head alone.
public final class ImmediateExchange: Exchange {
    private let response: Response

    public init(_ response: Response) { self.response = response }

    public var bodyBytesMax: Int { HTTPLimits.bodyBytesMax }
    public var isLong: Bool {
        switch response.body {
        case .none: false
        case .bytes(let bytes): bytes.count > HTTPLimits.tightOutputBytesMax
        case .stream: true
        }
    }
    public var wantsBody: Bool { true }
    public func receive(_ bytes: Span<UInt8>) {}
    public func finishBody() {}
    public func answer() -> Answer { .ready(response) }
    public func cancel() {
        if case .stream(let producer) = response.body { producer.cancel() }
    }
}
