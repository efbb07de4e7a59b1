import EyeStore
import EyeSystem
import EyeWire
import Foundation
import Glibc
import Synchronization
import Testing

@testable import EyeServer

/// Clients that send much of what costs them nothing: others have their turn, and memory stays bounded.
@Suite struct FloodTests {
    /// Makes room in the kernel for what is sent while nobody reads.
    private func widen(_ client: TestClient) {
        var bytes: Int32 = 212_992
        setsockopt(client.socket.number, SOL_SOCKET, SO_SNDBUF, &bytes, socklen_t(MemoryLayout<Int32>.size))
    }

    /// Two clients wait behind a SYNC; the first has sent more lines than a turn has, then an event, the other only an event. Though the
    /// first goes on first, and all of it is read at once, the other's event is stored before.
    @Test(arguments: ["", "# nothing", "{}"]) func aTurnIsBoundedInLines(line: String) throws {
        let disk = FillableDisk()
        let ingest = try RunningIngest(disk: disk, loops: 1)
        let clients = try (0..<2).map { _ in try ingest.connectUnix() }
        disk.isHeld.store(true, ordering: .relaxed)
        defer { disk.isHeld.store(false, ordering: .relaxed) }
        for (index, client) in clients.enumerated() {
            widen(client)
            try client.send("\(ingest.line())\nSYNC\n")
            ingest.waitUntil("it waits") { $0.lines == UInt64(index + 1) }
        }
        let count = 10 * IngestLimits.turnLinesMax
        try clients[0].send(
            "MODE silent\n" + String(repeating: line + "\n", count: count) + "MODE each\n\(ingest.line())\n")
        try clients[1].send("MODE each\n\(ingest.line())\n")
        disk.isHeld.store(false, ordering: .relaxed)
        let ids = try clients.map { client in
            while let answer = try client.readLine() {
                let words = answer.split(separator: " ")
                if words.count == 3, words[0] == "+OK" { return Int(words[2]) }
            }
            return nil
        }
        let (first, other) = (try #require(ids[0]), try #require(ids[1]))
        #expect(other < first)
    }

    /// Who has shown no valid token is read in small pieces; one who has in large ones.
    @Test func aStrangersTurnIsSmall() throws {
        let ingest = try RunningIngest(loops: 1)
        let client = try ingest.connectUnix()
        widen(client)
        let bytes = 50 * IngestLimits.strangerReadBytes
        let before = ingest.service.turns()[0]
        try client.send(String(repeating: "1\n", count: bytes / 2))
        ingest.waitUntil("all are refused") { $0.lines == UInt64(bytes / 2) }
        #expect(ingest.service.turns()[0] - before >= 50)
    }

    @Test func whatIsNoTokenByItsLooksIsNotLookedUp() {
        var random = SystemRandomNumberGenerator()
        func isPossible(_ text: String) -> Bool { Array(text.utf8).withUnsafeBytes { TokenSecret.isPossible($0) } }
        for _ in 0..<100 { #expect(isPossible(TokenSecret.make(using: &random))) }
        let digits = String(repeating: "0123456789", count: 4)
        for other in ["", "a1", String(digits.dropLast()), digits + "0"] { #expect(!isPossible(other)) }
        for byte in ["/", ":", "`", "g", "A", "\u{0}"] { #expect(!isPossible(digits.dropLast() + byte)) }
        for byte in ["0", "9", "a", "f"] { #expect(isPossible(digits.dropLast() + byte)) }
    }

    /// Each may leave 64 KiB of answers unread, but not all of them: those that are too many are closed, the others live.
    @Test func unreadAnswersOfAllClientsAreBounded() throws {
        let bound = 512 * 1024
        let ingest = try RunningIngest(loops: 1, unreadBytesMax: bound)
        let reader = try ingest.connectUnix()
        let count = 20
        let clients = try (0..<count).map { _ in
            let client = try ingest.connectUnix()
            widen(client)
            try client.send(String(repeating: "HELP\n", count: 1_000))
            return client
        }
        let fitting = bound / WireLimits.replyBacklogBytesMax
        // All at once would be those that are closed after half a minute, one by one.
        ingest.waitUntil("those that are too many are closed") {
            let ended = Int($0.ended[ConnectionEnd.slowReader.rawValue])
            return ended >= count - fitting && ended < count
        }
        try reader.send("PING\n")
        #expect(try reader.readLine() == "+PONG")
        withExtendedLifetime(clients) {}
    }

    /// The control socket has places of its own, and the log says once that clients are refused.
    @Test func clientsDoNotLockOutTheOperator() throws {
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        let reading = Descriptor(owning: ends[0])
        let writing = Descriptor(owning: ends[1])
        let ingest = try RunningIngest(log: writing.number)
        let admission = ingest.service.admission
        while admission.enter(.tcp) {}
        #expect(admission.connections == IngestLimits.connectionsMax)
        for _ in 0..<3 {
            // Closed without a word.
            #expect(try ingest.connectTCP().rest() == "")
        }
        let control = try ingest.connectUnix(IngestService.controlSocketName)
        try control.send("METRICS\n")
        #expect(try control.readLine()?.hasPrefix("+METRICS ") == true)
        try ingest.stop()
        var text = [UInt8](repeating: 0, count: 4096)
        let count = read(reading.number, &text, text.count)
        let lines = String(decoding: text[..<max(0, count)], as: UTF8.self).split(separator: "\n")
        let told = lines.filter { $0.contains("connections are refused") && $0.contains("listener=tcp") }
        #expect(told.count == 1)
        while admission.enter(.http) {}
        #expect(!admission.enter(.http) && admission.connections > IngestLimits.connectionsMax)
        admission.leave(.http)
        #expect(admission.enter(.http))
        _ = writing.number
    }

    /// So many a second of each code, whatever the number of loops.
    @Test func samplesAreBoundedOverAllLoops() {
        let budget = SampleBudget()
        let second: Int64 = 1_700_000_000_000_000
        let admitted = Atomic<Int>(0)
        DispatchQueue.concurrentPerform(iterations: 8) { _ in
            for _ in 0..<1_000 where budget.admits(.badJSON, now: second) { admitted.add(1, ordering: .relaxed) }
        }
        #expect(admitted.load(ordering: .relaxed) == IngestLimits.samplesPerSecond)
        func admits(_ reject: Reject, _ now: Int64) -> Int { (0..<100).count { _ in budget.admits(reject, now: now) } }
        #expect(admits(.badToken, second) == IngestLimits.samplesPerSecond)
        #expect(admits(.badJSON, second + 1_000_000) == IngestLimits.samplesPerSecond)
        // A loop whose tick began a moment before the second changed; and a clock that was set back.
        #expect(admits(.badJSON, second + 999_999) == 0)
        #expect(admits(.badJSON, second - 60_000_000) == IngestLimits.samplesPerSecond)
    }
}
