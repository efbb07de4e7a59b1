// kill -9 of the real process under load, again and again: no acknowledged event is lost, none is there twice with a
// client_id. Five times here; EYE_KILL_CYCLES=100 swift test --filter KillTests is the long way. A failure prints its seed,
// EYE_KILL_SEED plays the same moments again.

import EyeSystem
import Foundation
import Testing

/// A small generator, so that a seed says it all (SplitMix64).
private struct Seeded: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// A client that sends numbered events and believes what it is told. Lives as long as its connection.
private final class AckingClient {
    private let socket: Descriptor
    private var unread: [UInt8] = []
    private let prefix: String
    /// The number of the last line that was sent, and of the last that is durable.
    private(set) var sent: Int
    private(set) var acknowledged: Int

    /// Connects, and goes on behind what the server has; without a name behind `last`.
    init(_ address: String, token: String, name: String?, last: Int, category: String) throws {
        socket = try Socket.connect(try SocketAddress.resolve(address))
        prefix =
            #"\#(token) {"session_id":"e2085be5-9137-4e4e-80b5-f1ffddc25423","category":"\#(category)","name":"n","data":{"n":"#
        sent = last
        acknowledged = last
        let client = name.map { #","client_id":"\#($0)""# } ?? #","seq":\#(last + 1)"#
        try socket.sendAll(Array("HELLO {\"proto\":1,\"token\":\"\(token)\",\"mode\":\"acks\"\(client)}\n".utf8))
        let hello = try line()
        guard let match = hello.firstMatch(of: #/"last_seq":([0-9]+)/#), let stored = Int(match.1) else {
            throw UnexpectedAnswer(target: "HELLO", text: hello)
        }
        // What it has acknowledged it must know.
        #expect(stored >= last)
        sent = stored
        acknowledged = stored
    }

    private func line() throws -> String {
        while true {
            if let end = unread.firstIndex(of: 0x0A) {
                defer { unread.removeFirst(end + 1) }
                return String(decoding: unread[..<end], as: UTF8.self)
            }
            guard let more = try socket.readSome() else { throw WaitedInVain(what: "a line") }
            unread += more
        }
    }

    /// Sends further lines and takes the acks until `count` more are durable.
    func run(untilAcknowledged count: Int) throws {
        let goal = acknowledged + count
        while acknowledged < goal {
            try send()
            try take(try line())
        }
    }

    /// Sends further lines.
    func send() throws {
        let batch = 200
        // Not so many that both sides could wait for each other.
        if sent - acknowledged > 2000 { return }
        var text = ""
        for number in (sent + 1)...(sent + batch) {
            text += "\(prefix)\(number)},\"timestamp\":\"2021-01-01T00:00:00Z\"}\n"
        }
        try socket.sendAll(Array(text.utf8))
        sent += batch
    }

    private func take(_ line: String) throws {
        guard line.hasPrefix("+ACK "), let number = Int(line.dropFirst(5)) else {
            throw UnexpectedAnswer(target: "an event", text: line)
        }
        #expect(number > acknowledged && number <= sent)
        acknowledged = number
    }

    /// Takes what came before the end.
    func drain() {
        do {
            while true { try take(try line()) }
        } catch {}
    }
}

@Suite(.timeLimit(.minutes(10))) struct KillTests {
    static let cycles = ProcessInfo.processInfo.environment["EYE_KILL_CYCLES"].flatMap { Int($0) } ?? 5
    static let seed =
        ProcessInfo.processInfo.environment["EYE_KILL_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 0..<1 << 32)

    @Test func acknowledgedEventsSurvive() throws {
        var random = Seeded(state: Self.seed)
        let note = "EYE_KILL_SEED=\(Self.seed)"
        var eye = try ServedEye(nil, ["--segment-bytes", "1M"])
        let token = try eye.addToken("both", scope: "ingest,read")
        var (once, plain) = (0, 0)
        // Without a client_id: the numbers that were acknowledged.
        var promised = IndexSet()
        for _ in 0..<Self.cycles {
            let first = try AckingClient(eye.tcp, token: token, name: "client", last: once, category: "once")
            let second = try AckingClient(eye.tcp, token: token, name: nil, last: plain, category: "plain")
            let from = plain
            try first.run(untilAcknowledged: Int.random(in: 1...3000, using: &random))
            try second.run(untilAcknowledged: Int.random(in: 1...1000, using: &random))
            // There is always something under way when it dies.
            try first.send()
            try second.send()
            #expect(eye.end(SIGKILL) == 128 + SIGKILL)
            first.drain()
            second.drain()
            once = first.acknowledged
            promised.insert(integersIn: (from + 1)...second.acknowledged)
            plain = second.sent
            eye = try ServedEye(eye.folder, ["--segment-bytes", "1M"])
        }
        func numbers(_ category: String) throws -> [Int] {
            try eye.pages("/events/?order=id&limit=10000&category=\(category)", token: token).flatMap(\.array)
                .compactMap { ($0["data"] as? [String: Int])?["n"] }
        }
        // Exactly once, in order, at least as far as was acknowledged.
        let found = try numbers("once")
        #expect(found == Array(1..<(found.count + 1)) && found.count >= once, "\(note)")
        let plainFound = try numbers("plain")
        #expect(Set(plainFound).count == plainFound.count, "\(note)")
        #expect(promised.subtracting(IndexSet(plainFound)).isEmpty, "\(note)")
        #expect(eye.end(SIGTERM) == 0)
    }
}
