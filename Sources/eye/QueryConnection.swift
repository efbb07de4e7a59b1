// A keep-alive connection to the HTTP service that asks one GET after the other and waits for each answer: what a person with a
// browser or a script feels. Used by `eye bench query` and `eye tail`; one thread.

import EyeSystem
import Glibc

/// An answer to a GET.
struct QueryAnswer {
    let status: Int
    let body: [UInt8]
    /// Path and query of `Link: <…>; rel="next"`.
    let next: String?
    /// `FIRST-LAST` of `Eye-Incomplete`: ids that damage may have withheld.
    let incomplete: String?
    /// `Retry-After`.
    let retrySeconds: Int?
}

/// One connection.
final class QueryConnection {
    private let socket: Descriptor
    private let fields: String
    private var input: [UInt8] = []
    private var room = [UInt8](repeating: 0, count: 64 * 1024)
    /// A service that is silent for so long is given up.
    private static let silenceMilliseconds: Int32 = 120_000

    /// Connects to `HOST:PORT`.
    init(_ address: String, token: String) throws(ServiceAway) {
        let resolved: SocketAddress
        do throws(AddressError) { resolved = try SocketAddress.resolve(address) } catch {
            throw ServiceAway(cause: "\(error)", failure: Failure("\(error)", code: ExitCode.usage))
        }
        do throws(SystemError) {
            socket = try Socket.connect(resolved)
            try Socket.tune(socket.number)
        } catch { throw ServiceAway(cause: "\(address): \(error)") }
        fields = " HTTP/1.1\r\nHost: \(address)\r\nAuthorization: Token \(token)\r\n\r\n"
    }

    /// Asks for `target` and waits for the whole answer.
    func ask(_ target: String) throws(ServiceAway) -> QueryAnswer {
        let request = Array("GET \(target)\(fields)".utf8)
        do throws(SystemError) {
            var sent = 0
            while sent < request.count {
                guard case .bytes(let count) = try Socket.send(socket.number, request, from: sent) else { continue }
                sent += count
            }
        } catch { throw QueryConnection.away(error) }
        input.removeAll(keepingCapacity: true)
        var head: AnswerHead?
        while true {
            do throws(Failure) {
                if head == nil { head = try AnswerHead(input) }
            } catch {
                throw ServiceAway(cause: error.message, failure: error)
            }
            if let head, let body = head.body(of: input) {
                return QueryAnswer(
                    status: head.status, body: body, next: head.next, incomplete: head.incomplete(of: input),
                    retrySeconds: head.retrySeconds)
            }
            try receive()
        }
    }

    /// As `ask`; a service that is away is a failure.
    func get(_ target: String) throws(Failure) -> QueryAnswer {
        try Failure.ofService { () throws(ServiceAway) in try ask(target) }
    }

    /// As `get`, and anything but 200 is a failure that shows what the service said.
    func require(_ target: String) throws(Failure) -> QueryAnswer {
        let answer = try get(target)
        guard answer.status == 200 else {
            let shown = 300
            throw Failure(
                "GET \(target): \(answer.status) \(String(decoding: answer.body.prefix(shown), as: UTF8.self))")
        }
        return answer
    }

    private func receive() throws(ServiceAway) {
        let transfer: Transfer
        do throws(SystemError) {
            let ready = try SocketWait.poll(
                socket.number, forWriting: false, timeoutMilliseconds: QueryConnection.silenceMilliseconds)
            guard ready != nil else { throw SystemError(errno: ETIMEDOUT, call: "recv") }
            transfer = try Socket.receive(socket.number, into: &room)
        } catch { throw QueryConnection.away(error) }
        switch transfer {
        case .bytes(let count): input.append(contentsOf: room[..<count])
        case .wouldBlock: break
        case .end: throw ServiceAway(cause: "the HTTP service closed the connection")
        }
    }

    private static func away(_ error: SystemError) -> ServiceAway { ServiceAway(cause: "the HTTP service: \(error)") }
}
