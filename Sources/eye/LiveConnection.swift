// A connection to the HTTP service with one live stream on it. It asks as HTTP/1.0: then the body is what comes until the end, without chunks. Used by
// `eye tail`; one thread.

import EyeQueryHTTP
import EyeSystem
import Glibc

/// Why there is no stream.
struct ServiceAway: Error {
    var cause: String
    /// Another try is in vain.
    var failure: Failure?
    /// How long the service asks to wait.
    var retryMilliseconds: Int32?
}

extension Failure {
    /// Runs `body`; a service that is away is a failure.
    static func ofService<Result>(_ body: () throws(ServiceAway) -> Result) throws(Failure) -> Result {
        do throws(ServiceAway) {
            return try body()
        } catch {
            throw error.failure ?? Failure(error.cause)
        }
    }
}

/// What the service says when it does not answer with 200.
enum ServiceProblem {
    /// The same as the end of a try: another one is in vain, unless the fault is the service's (5xx), or a proxy's before it.
    static func away(_ status: Int, _ body: [UInt8], retrySeconds: Int?) -> ServiceAway {
        let failure = failure(status, body)
        guard (500...599).contains(status) else { return ServiceAway(cause: failure.message, failure: failure) }
        return ServiceAway(
            cause: failure.message, retryMilliseconds: retrySeconds.map { Int32(min(max($0, 1), 60)) * 1000 })
    }

    /// The problem in a body (RFC 9457), as a failure.
    static func failure(_ status: Int, _ body: [UInt8]) -> Failure {
        let detail = text("detail", body) ?? ""
        return Failure("the service says \(status)\(detail.isEmpty ? "" : ": \(detail)")")
    }

    private static func text(_ name: String, _ body: [UInt8]) -> String? {
        // In bounds: the buffer is the array's own and lives for the call.
        unsafe body.withUnsafeBytes { bytes in
            guard let place = unsafe EventDataReading().find(Array(name.utf8), in: bytes) else { return nil }
            var text: [UInt8] = []
            unsafe EventDataReading().appendText(of: place, in: bytes, to: &text)
            return String(decoding: text, as: UTF8.self)
        }
    }
}

/// One live stream.
final class LiveConnection {
    /// What `next` came upon.
    enum Step {
        case events([ServerSentEvent])
        /// The service has ended it, or is gone.
        case ended
        /// Nobody reads our stdout any more.
        case unread
    }

    private let socket: Descriptor
    private var reader = ServerSentEvents()
    private var room = [UInt8](repeating: 0, count: 64 * 1024)
    /// Events that came with the head.
    private var first: [ServerSentEvent] = []

    /// The service is taken for gone after so long without a comment.
    private static let silenceMilliseconds: Int32 = 45_000
    /// An answer's head, and a problem.
    private static let headBytesMax = 64 * 1024

    /// Connects to `HOST:PORT`, asks for `target` and waits for the head of the answer.
    init(_ address: String, _ target: String, token: String) throws(ServiceAway) {
        let resolved: SocketAddress
        do throws(AddressError) { resolved = try SocketAddress.resolve(address) } catch {
            throw ServiceAway(cause: "\(error)")
        }
        do throws(SystemError) {
            socket = try Socket.connect(resolved)
            try Socket.tune(socket.number)
            let request = Array(
                "GET \(target) HTTP/1.0\r\nHost: \(address)\r\nAuthorization: Token \(token)\r\n\r\n".utf8)
            var sent = 0
            while sent < request.count {
                guard case .bytes(let count) = try Socket.send(socket.number, request, from: sent) else { continue }
                sent += count
            }
        } catch {
            throw ServiceAway(cause: "\(error)")
        }
        try readHead()
    }

    private func readHead() throws(ServiceAway) {
        var input: [UInt8] = []
        var head: AnswerHead?
        while true {
            do throws(Failure) {
                if head == nil { head = try AnswerHead(input) }
            } catch {
                throw ServiceAway(cause: error.message, failure: error)
            }
            if let head, head.status == 200 {
                first = reader.take(input[head.bodyStart...])
                return
            }
            let isWhole: Bool
            do throws(SystemError) {
                isWhole = try !receive(into: &input)
            } catch {
                throw ServiceAway(cause: "\(error)")
            }
            guard isWhole || input.count > LiveConnection.headBytesMax else { continue }
            guard let head else { throw ServiceAway(cause: "it closed the connection") }
            throw ServiceProblem.away(head.status, head.body(of: input) ?? [], retrySeconds: head.retrySeconds)
        }
    }

    /// Waits for what comes next.
    func next() throws(Failure) -> Step {
        if !first.isEmpty {
            defer { first = [] }
            return .events(first)
        }
        let wait = try Failure.of("stdout") { () throws(SystemError) in
            try SocketWait.poll(
                socket.number, whileRead: STDOUT_FILENO, timeoutMilliseconds: LiveConnection.silenceMilliseconds)
        }
        switch wait {
        case .unread: return .unread
        case .nothing: return .ended
        case .readable: break
        }
        do throws(SystemError) {
            switch try Socket.receive(socket.number, into: &room) {
            case .bytes(let count): return .events(reader.take(room[..<count]))
            case .wouldBlock: return .events([])
            case .end: return .ended
            }
        } catch {
            // Reset: the service is gone, and the next try will say so.
            return .ended
        }
    }

    /// Appends what comes; false at the end.
    private func receive(into input: inout [UInt8]) throws(SystemError) -> Bool {
        let ready = try SocketWait.poll(
            socket.number, forWriting: false, timeoutMilliseconds: LiveConnection.silenceMilliseconds)
        guard ready != nil else { throw SystemError(errno: ETIMEDOUT, call: "recv") }
        guard case .bytes(let count) = try Socket.receive(socket.number, into: &room) else { return false }
        input.append(contentsOf: room[..<count])
        return true
    }
}
