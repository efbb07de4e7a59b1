import EyeClient
import EyeSystem
import EyeTestVectors
import Foundation
import Testing

/// Clients of the HTTP service that are slow on purpose: with their header section, with a body, with taking an answer. A healthy client
/// is answered all the while. Short here; with EYE_LONG_TESTS=1 a thousand of them, and the healthy client's p99 in turn without and with
/// them (reported, not judged: the machine may be shared).
@Suite(.serialized, .timeLimit(.minutes(10))) struct SlowClientTests {
    enum Kind: String, CaseIterable { case head, body, reading }

    /// A client that keeps its connection.
    private final class Caller {
        let client: AbuseClient
        let request: [UInt8]

        init(_ address: SocketAddress, token: String) throws {
            client = try AbuseClient(address)
            request = Array("GET /event_detail/1 HTTP/1.1\r\nHost: x\r\nAuthorization: Token \(token)\r\n\r\n".utf8)
        }

        /// One call; its time in nanoseconds.
        func call() throws -> UInt64 {
            let start = DispatchTime.now().uptimeNanoseconds
            try client.send(request)
            #expect(try client.readLine().hasPrefix("HTTP/1.1 200 "))
            var length = 0
            while true {
                let line = try client.readLine()
                if line == "\r" { break }
                if let value = line.lowercased().firstMatch(of: #/^content-length: (\d+)/#)?.1 { length = Int(value)! }
            }
            #expect(try client.read(length).first == UInt8(ascii: "{"))
            return DispatchTime.now().uptimeNanoseconds - start
        }

        /// p99 of five seconds at 500 calls a second, in milliseconds.
        func p99() throws -> Double {
            var times = LatencyHistogram()
            for _ in 0..<2_500 {
                let time = try call()
                times.record(time)
                if time < 2_000_000 { usleep(UInt32((2_000_000 - time) / 1_000)) }
            }
            return Double(times.percentile(0.99)) / 1e6
        }
    }

    /// Slow clients, each a connection, that go a byte further a second; who is closed comes again.
    private final class SlowClients: @unchecked Sendable {
        private let start: () throws -> AbuseClient
        private let goOn: (AbuseClient) -> Bool
        private var all: [AbuseClient] = []
        private let stopping = DispatchSemaphore(value: 0)
        private let stopped = DispatchSemaphore(value: 0)

        init(
            _ count: Int, start: @escaping () throws -> AbuseClient, goOn: @escaping (AbuseClient) -> Bool
        ) throws {
            self.start = start
            self.goOn = goOn
            for _ in 0..<count { all.append(try start()) }
            Foundation.Thread.detachNewThread { self.run() }
        }

        private func run() {
            while stopping.wait(timeout: .now() + 1) == .timedOut {
                for index in all.indices where !goOn(all[index]) {
                    do { all[index] = try start() } catch { Issue.record("a slow client: \(error)") }
                }
            }
            stopped.signal()
        }

        func stop() {
            stopping.signal()
            stopped.wait()
        }
    }

    @Test(arguments: Kind.allCases) func others(_ kind: Kind) throws {
        let count = TestSize.pick(64, long: 1_000)
        guard try OpenFiles.raiseLimit() >= 2 * count + 200 else {
            print("skipped: RLIMIT_NOFILE's hard limit does not allow \(count) connections")
            return
        }
        let eye = try ServedEye(executable: LongTests.executable)
        let address = try SocketAddress.resolve(eye.http)
        let token = try eye.addToken("slow", scope: "ingest,read")
        let filler = String(repeating: "x", count: 2_000)
        let lines = (0..<TestSize.pick(300, long: 2_000)).map {
            #"{"session_id":"e2085be5-9137-4e4e-80b5-f1ffddc25423","category":"c","name":"n","data":{"n":\#($0),"x":"\#(filler)"},"timestamp":"2021-01-01T00:00:00Z"}"#
        }
        let stored = try eye.call(
            "POST", "/events/", token: token, type: "application/x-ndjson", lines.joined(separator: "\n"))
        #expect(stored.status == 201)
        let caller = try Caller(address, token: token)
        for _ in 0..<5 { _ = try caller.call() }

        func begin() throws -> SlowClients {
            try SlowClients(count) {
                let client = try AbuseClient(address)
                switch kind {
                case .head: try client.send("GET /events/ HTTP/1.1\r\nHost: x\r\nX-Slow: ")
                case .body:
                    try client.send(
                        "POST /events/ HTTP/1.1\r\nHost: x\r\nAuthorization: Token \(token)\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{"
                    )
                case .reading:
                    // No room for the answer in this kernel either.
                    var room: Int32 = 4096
                    setsockopt(client.socket.number, SOL_SOCKET, SO_RCVBUF, &room, socklen_t(MemoryLayout<Int32>.size))
                    try client.send(
                        "GET /events/?format=ndjson HTTP/1.1\r\nHost: x\r\nAuthorization: Token \(token)\r\n\r\n")
                }
                return client
            } goOn: { client in
                if kind != .reading { return client.sendSome([UInt8(ascii: " ")]) }
                var byte: UInt8 = 0
                return recv(client.socket.number, &byte, 1, Int32(MSG_DONTWAIT)) == 1
            }
        }

        guard TestSize.isLong else {
            let slow = try begin()
            for _ in 0..<50 { _ = try caller.call() }
            slow.stop()
            return
        }
        var pairs: [(quiet: Double, slow: Double)] = []
        for _ in 0..<3 {
            let quiet = try caller.p99()
            let slow = try begin()
            pairs.append((quiet, try caller.p99()))
            slow.stop()
        }
        pairs.sort { $0.slow / $0.quiet < $1.slow / $1.quiet }
        let shown = pairs.map { String(format: "%.2f/%.2f ms", $0.quiet, $0.slow) }.joined(separator: ", ")
        LongTests.report(
            "\(count) clients slow with \(kind.rawValue): p99 quiet/slow \(shown); median ratio "
                + String(format: "%.2f", pairs[1].slow / pairs[1].quiet))
    }
}
