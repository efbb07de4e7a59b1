// A keep-alive connection to the HTTP service that asks one GET after the other and waits for each answer: what a person with a
// browser or a script feels. Used by `eye bench query`; one thread.

import EyeSystem
import Glibc

/// An answer to a GET.
struct QueryAnswer {
    let status: Int
    let body: [UInt8]
    /// Path and query of `Link: <…>; rel="next"`.
    let next: String?
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
    init(_ address: String, token: String) throws(Failure) {
        let resolved: SocketAddress
        do throws(AddressError) { resolved = try SocketAddress.resolve(address) } catch {
            throw Failure("\(error)", code: ExitCode.usage)
        }
        do throws(SystemError) {
            socket = try Socket.connect(resolved)
            try Socket.tune(socket.number)
        } catch { throw Failure("\(address): \(error)") }
        fields = " HTTP/1.1\r\nHost: \(address)\r\nAuthorization: Token \(token)\r\n\r\n"
    }

    /// Asks for `target` and waits for the whole answer.
    func get(_ target: String) throws(Failure) -> QueryAnswer {
        let request = Array("GET \(target)\(fields)".utf8)
        try Failure.of("the HTTP service") { () throws(SystemError) in
            var sent = 0
            while sent < request.count {
                guard case .bytes(let count) = try Socket.send(socket.number, request, from: sent) else { continue }
                sent += count
            }
        }
        input.removeAll(keepingCapacity: true)
        var head: Head?
        while true {
            if head == nil { head = try Head(input) }
            if let head, let body = head.body(of: input) {
                return QueryAnswer(status: head.status, body: body, next: head.next)
            }
            try receive()
        }
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

    private func receive() throws(Failure) {
        var transfer = Transfer.wouldBlock
        try Failure.of("the HTTP service") { () throws(SystemError) in
            let ready = try SocketWait.poll(
                socket.number, forWriting: false, timeoutMilliseconds: QueryConnection.silenceMilliseconds)
            guard ready != nil else { throw SystemError(errno: ETIMEDOUT, call: "recv") }
            transfer = try Socket.receive(socket.number, into: &room)
        }
        switch transfer {
        case .bytes(let count): input.append(contentsOf: room[..<count])
        case .wouldBlock: break
        case .end: throw Failure("the HTTP service closed the connection")
        }
    }

    /// The head of an answer of our own service.
    private struct Head {
        let status: Int
        let bodyStart: Int
        let next: String?
        private let length: Int?

        /// Nil while it is not whole.
        init?(_ bytes: [UInt8]) throws(Failure) {
            guard let end = Head.find("\r\n\r\n", in: bytes, from: 0) else { return nil }
            let lines = String(decoding: bytes[..<end], as: UTF8.self).split(separator: "\r\n")
            guard let first = lines.first, let status = Int(first.dropFirst(9).prefix(3)) else {
                throw Failure("that is no HTTP service")
            }
            var length: Int?
            var next: String?
            for line in lines.dropFirst() {
                guard let colon = line.firstIndex(of: ":") else { continue }
                let value = line[line.index(after: colon)...].drop { $0 == " " }
                switch line[..<colon].lowercased() {
                case "content-length": length = Int(value)
                case "link":
                    if let from = value.firstIndex(of: "<"), let to = value.firstIndex(of: ">"), from < to {
                        next = String(value[value.index(after: from)..<to])
                    }
                default: break
                }
            }
            self.status = status
            bodyStart = end + 4
            self.next = next
            self.length = length
        }

        /// The body; nil while it is not whole. Without a length it is chunked (RFC 9112 section 7.1).
        func body(of bytes: [UInt8]) -> [UInt8]? {
            if let length {
                return bytes.count >= bodyStart + length ? Array(bytes[bodyStart..<bodyStart + length]) : nil
            }
            var body: [UInt8] = []
            var place = bodyStart
            while let lineEnd = Head.find("\r\n", in: bytes, from: place) {
                let digits = bytes[place..<lineEnd].prefix { $0 != UInt8(ascii: ";") }
                guard let size = Int(String(decoding: digits, as: UTF8.self), radix: 16), size >= 0 else { return nil }
                if size == 0 { return Head.find("\r\n\r\n", in: bytes, from: place) == nil ? nil : body }
                guard bytes.count >= lineEnd + 2 + size + 2 else { return nil }
                body.append(contentsOf: bytes[(lineEnd + 2)..<(lineEnd + 2 + size)])
                place = lineEnd + 2 + size + 2
            }
            return nil
        }

        private static func find(_ text: StaticString, in bytes: [UInt8], from start: Int) -> Int? {
            let count = text.utf8CodeUnitCount
            guard bytes.count - start >= count else { return nil }
            return (start...bytes.count - count).first { place in
                (0..<count).allSatisfy { unsafe bytes[place + $0] == text.utf8Start[$0] }
            }
        }
    }
}
