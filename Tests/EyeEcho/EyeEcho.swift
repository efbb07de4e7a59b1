// `eye-echo --port N`: an HTTP server that answers every method and path with 200 and the body it got. It is what the
// conformance suites are run against (Tests/Checks/http-conformance.sh, EchoTests), and has nothing of its own between the
// socket and the answer: loop, connection and parser are those of the service. Port 0: any free one; it is the first word
// on stdout's only line.

import EyeQueryHTTP
import EyeSystem
import Glibc

/// The command.
@main
enum EyeEcho {
    static func main() {
        let arguments = CommandLine.arguments.dropFirst()
        guard arguments.count == 2, arguments.first == "--port", let port = UInt16(arguments.last ?? "") else {
            end("usage: eye-echo --port N", code: 2)
        }
        do {
            let loop = try HTTPLoop(address: try SocketAddress.resolve("127.0.0.1:\(port)"), time: SystemTime())
            print("\(loop.address.port) is where eye-echo listens, on 127.0.0.1")
            fflush(nil)
            try loop.run(EchoResponder())
        } catch {
            end("eye-echo: \(error)", code: 1)
        }
    }

    private static func end(_ text: String, code: Int32) -> Never {
        print(text)
        exit(code)
    }
}

/// Answers with what came.
final class EchoResponder: Responder {
    func exchange(_ head: RequestHead, from peer: Peer, wake: @escaping () -> Void) -> any Exchange { EchoExchange() }

    func refusal(_ refusal: RequestRefusal) -> Response {
        Response(
            status: refusal.status, fields: [ResponseField("Content-Type", "text/plain; charset=utf-8")],
            body: .bytes(Array("\(refusal.text)\n".utf8)))
    }

    func answered(_ head: RequestHead?, from peer: Peer, status: UInt16, nanoseconds: UInt64) {}
}

/// One request: its body is its answer.
final class EchoExchange: Exchange {
    private var body: [UInt8] = []
    private var isWhole = false

    /// A suite announces a gigabyte and sends none of it: it is waited for, as a body of the right size would be.
    let bodyBytesMax = 1 << 30
    var wantsBody: Bool { !isWhole }
    func receive(_ bytes: Span<UInt8>) { for index in bytes.indices { body.append(bytes[index]) } }
    func finishBody() { isWhole = true }
    func answer() -> Answer {
        guard isWhole else { return .later }
        let fields = [ResponseField("Content-Type", "application/octet-stream")]
        return .ready(Response(status: 200, fields: fields, body: .bytes(body)))
    }
    func cancel() {}
}
