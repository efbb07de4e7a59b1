import EyeStore
import EyeSystem
import EyeWire
import Foundation
import Testing

@testable import EyeServer

@Suite struct IngestServiceTests {
    /// Whoever waits for the answers one by one would take one of these for the event's.
    @Test func theControlSocketAnswersInOrder() throws {
        let ingest = try RunningIngest()
        let client = try ingest.connectUnix(IngestService.controlSocketName)
        try client.send("MODE each\n\(ingest.line())\nMETRICS\nREJECT {}\n\(ingest.line())\n")
        #expect(try client.readLine() == "+OK each")
        #expect(try client.readLine() == "+OK 1 1")
        let metrics = try #require(try client.readLine()?.split(separator: " "))
        #expect(metrics.first == "+METRICS")
        for _ in 0..<(Int(metrics.last ?? "") ?? 0) { _ = try client.readLine() }
        #expect(try client.readLine()?.hasPrefix("-ERR 0 ") == true)
        #expect(try client.readLine() == "+OK 2 2")
    }

    @Test func aLineByEachStreamTransportIsDurableAndCounted() throws {
        let ingest = try RunningIngest()
        for client in [try ingest.connectTCP(), try ingest.connectUnix()] {
            try client.send(ingest.line() + "\n")
            try client.endWrites()
            #expect(try client.rest() == "+BYE received=1 accepted=1 rejected=0 duplicate=0\n")
        }
        #expect(ingest.service.counts.accepted == 2)
    }

    @Test func aSilentClientIsToldItsFirstErrorsAtTheEndOnly() throws {
        let ingest = try RunningIngest()
        let client = try ingest.connectTCP()
        for _ in 0..<30 { try client.send("\(ingest.token) {}\n") }
        ingest.waitUntil("30 lines judged") { $0.lines == 30 }
        #expect(client.isSilent())
        try client.endWrites()
        let answers = try client.rest().split(separator: "\n")
        #expect(answers.count == WireLimits.heldErrorsMax + 2)
        #expect(answers.first?.hasPrefix("-ERR 1 missing-field ") == true)
        #expect(answers[WireLimits.heldErrorsMax] == "-ERR 0 more 10")
        #expect(answers.last == "+BYE received=30 accepted=0 rejected=30 duplicate=0")
    }

    /// The regression test of the rule of silence: one unread answer would make the kernel reset the connection.
    @Test(arguments: 0..<5) func aWriteOnlyClientThatClosesAtOnceLosesNothing(round: Int) throws {
        let ingest = try RunningIngest()
        let count = 2_000
        do {
            let client = try ingest.connectTCP()
            let bad = "\(ingest.token) {\"wrong\":\(round)}\n"
            try client.send(bad + (0..<count).map { ingest.line("n\($0)") + "\n" }.joined() + bad)
        }
        ingest.waitUntil("every line is judged and stored") { $0.accepted == UInt64(count) && $0.rejectedTotal == 2 }
    }

    @Test func tenThousandLinesInOneWriteKeepTheAccountingIdentity() throws {
        let ingest = try RunningIngest(loops: 3)
        let clients = try (0..<6).map { _ in try ingest.connectTCP() }
        for (index, client) in clients.enumerated() {
            try client.send(
                (0..<2_000).map { $0 % 7 == index ? "\(ingest.token) nonsense\n" : ingest.line() + "\r\n" }.joined())
            try client.endWrites()
        }
        for (index, client) in clients.enumerated() {
            let bad = (0..<2_000).count { $0 % 7 == index }
            let bye = try client.rest().split(separator: "\n").last
            #expect(bye == "+BYE received=2000 accepted=\(2_000 - bad) rejected=\(bad) duplicate=0")
        }
        let counts = ingest.service.counts
        #expect(counts.lines == 12_000)
        #expect(counts.lines == counts.accepted + counts.rejectedTotal + counts.duplicate)
    }

    @Test func eachAnswersInOrderWithTheIDs() throws {
        let ingest = try RunningIngest()
        let client = try ingest.connectTCP()
        try client.send("MODE each\n\(ingest.line())\n\(ingest.token) 5\n\(ingest.line())\nQUIT\n")
        #expect(try client.readLine() == "+OK each")
        #expect(try client.readLine() == "+OK 1 1")
        #expect(try client.readLine()?.hasPrefix("-ERR 2 not-object ") == true)
        #expect(try client.readLine() == "+OK 3 2")
        #expect(try client.readLine() == "+BYE received=3 accepted=2 rejected=1 duplicate=0")
        #expect(try client.readLine() == nil)
    }

    @Test func acksAreCumulativeAndReachTheLastLine() throws {
        let ingest = try RunningIngest()
        let client = try ingest.connectTCP()
        try client.send("MODE acks\n" + String(repeating: ingest.line() + "\n", count: 500))
        #expect(try client.readLine() == "+OK acks")
        var acknowledged = 0
        while acknowledged < 500 {
            let line = try #require(try client.readLine())
            let number = try #require(line.hasPrefix("+ACK ") ? Int(line.dropFirst(5)) : nil)
            #expect(number > acknowledged)
            acknowledged = number
        }
        #expect(acknowledged == 500)
    }

    @Test func commandsAfterSyncAreAnsweredAfterIt() throws {
        let ingest = try RunningIngest()
        let client = try ingest.connectUnix()
        try client.send("\(ingest.line())\nSYNC\nPING a\nSYNC\nPING b\n")
        for answer in ["+SYNC 1", "+PONG a", "+SYNC 1", "+PONG b"] { #expect(try client.readLine() == answer) }
    }

    @Test func aClientsLinesAreStoredOnceAcrossConnections() throws {
        let ingest = try RunningIngest()
        let hello = #"HELLO {"proto":1,"token":"\#(ingest.token)","client_id":"till-7","seq":1,"mode":"acks"}"#
        let first = try ingest.connectTCP()
        try first.send("\(hello)\n\(ingest.line("a"))\n\(ingest.line("b"))\nSYNC\n")
        #expect(try first.readLine()?.contains(#""last_seq":0"#) == true)
        while let line = try first.readLine(), line != "+SYNC 2" { #expect(line.hasPrefix("+ACK ")) }
        // The same client again, while the first connection is open: that one is closed, and nothing is stored twice.
        let second = try ingest.connectTCP()
        try second.send("\(hello)\n\(ingest.line("a"))\n\(ingest.line("b"))\n\(ingest.line("c"))\nQUIT\n")
        #expect(try second.readLine()?.contains(#""last_seq":2"#) == true)
        #expect(try first.readLine() == nil)
        #expect(try second.rest().hasSuffix("+BYE received=3 accepted=1 rejected=0 duplicate=2\n"))
    }

    /// HELLO for a client that is live on another loop, while lines from before it are committed, wait for the appender, and are in no
    /// batch that it has been given yet: all are told with their own numbers, and before the answer.
    @Test(arguments: ["acks", "each"]) func linesBeforeAHelloKeepTheirNumbers(mode: String) throws {
        let disk = FillableDisk()
        let ingest = try RunningIngest(disk: disk)
        // Dealt to the two loops in turn.
        let clients = try (0..<4).map { _ in try ingest.connectTCP() }
        let hello = #"HELLO {"proto":1,"token":"\#(ingest.token)","client_id":"till","seq":1}"#
        try clients[0].send(hello + "\n")
        #expect(try clients[0].readLine()?.hasPrefix("+HELLO ") == true)
        try clients[1].send("MODE \(mode)\n")
        #expect(try clients[1].readLine() == "+OK \(mode)")
        disk.isHeld.store(true, ordering: .relaxed)
        defer { disk.isHeld.store(false, ordering: .relaxed) }
        for count in 1...3 {
            try clients[1].send(ingest.line() + "\n")
            ingest.waitUntil("line \(count) is judged") { $0.lines == UInt64(count) }
        }
        try clients[1].send(hello + "\n")
        // Behind it: its own loop has seen it, then the other one what that has asked of it.
        for client in [clients[3], clients[2]] {
            for _ in 0..<2 {
                try client.send("PING\n")
                #expect(try client.readLine() == "+PONG")
            }
        }
        disk.isHeld.store(false, ordering: .relaxed)
        var before: [String] = []
        while let answer = try clients[1].readLine() {
            if answer.hasPrefix("+HELLO ") { break }
            before.append(answer)
        }
        if mode == "each" {
            #expect(before == ["+OK 1 1", "+OK 2 2", "+OK 3 3"])
        } else {
            #expect(before.last == "+ACK 3")
        }
        try clients[1].send(ingest.line() + "\n")
        #expect(try clients[1].readLine() == (mode == "each" ? "+OK 1 4" : "+ACK 1"))
        #expect(try clients[0].readLine() == nil)
    }

    /// By itself it turns once a second: three hundred times would take longer than the test may.
    @Test(.timeLimit(.minutes(4))) func anIdleLoopTurnsWhenItIsLookedAt() throws {
        let ingest = try RunningIngest()
        for _ in 0..<300 {
            let before = ingest.service.turns()
            while zip(ingest.service.turns(), before).contains(where: ==) { sched_yield() }
        }
    }

    @Test func aRetryWithItsEventIDGetsTheFirstID() throws {
        let ingest = try RunningIngest()
        let client = try ingest.connectTCP()
        let line = ingest.line(eventID: "0b0a1b1c-0000-4000-8000-000000000001")
        try client.send("MODE each\n\(ingest.line())\n\(line)\n\(line)\n\(line)\n")
        #expect(try client.readLine() == "+OK each")
        for answer in ["+OK 1 1", "+OK 2 2", "+OK 3 2", "+OK 4 2"] { #expect(try client.readLine() == answer) }
    }

    @Test func datagramsOfSeveralLinesInheritTheTokenAndAreNeverAnswered() throws {
        let ingest = try RunningIngest()
        let client = try TestClient(ingest.service.udpAddress!, datagram: true)
        let bare = String(ingest.line().drop { $0 != "{" })
        try client.send("\(ingest.line())\n\(bare)\n# comment\n\n\(bare)")
        try client.send(bare)
        try client.send("PING\n")
        ingest.waitUntil("three stored, two refused") { $0.accepted == 3 && $0.rejectedTotal == 2 && $0.datagrams == 3 }
        #expect(ingest.service.counts.rejected[Int(Reject.badToken.rawValue)] == 1)
        #expect(ingest.service.counts.rejected[Int(Reject.unknownCommand.rawValue)] == 1)
        #expect(client.isSilent())
    }

    @Test func anOverlongLineIsRefusedOnceAndTheConnectionLives() throws {
        let ingest = try RunningIngest()
        let client = try ingest.connectTCP()
        try client.send(String(repeating: "x", count: 3_000_000) + "\n" + ingest.line() + "\n")
        try client.endWrites()
        let answers = try client.rest().split(separator: "\n")
        #expect(answers.first?.hasPrefix("-ERR 1 too-long ") == true)
        #expect(answers.last == "+BYE received=2 accepted=1 rejected=1 duplicate=0")
    }

    @Test func theLargestEventIsStored() throws {
        let ingest = try RunningIngest()
        let client = try ingest.connectTCP()
        let fill = String(repeating: "y", count: WireLimits.lineBytesMax - ingest.line(data: #"{"a":""}"#).utf8.count)
        for _ in 0..<20 { try client.send(ingest.line(data: #"{"a":"\#(fill)"}"#) + "\r\n") }
        try client.endWrites()
        #expect(try client.rest() == "+BYE received=20 accepted=20 rejected=0 duplicate=0\n")
    }

    @Test func httpAndTLSOnTheLinePortAreToldSo() throws {
        let ingest = try RunningIngest()
        for bytes in [Array("GET / HTTP/1.1\r\nHost: x\r\n\r\n".utf8), [0x16, 3, 1, 2, 0, 1, 0]] {
            let client = try ingest.connectTCP()
            try client.send(bytes)
            #expect(try client.readLine()?.hasPrefix("-ERR 0 wrong-port ") == true)
        }
    }

    @Test func aRevokedTokenIsRefusedOnAnOpenConnection() throws {
        let ingest = try RunningIngest()
        let accounts = AccountFile(RealDisk(), folder: ingest.folder, time: SystemTime())
        let (entry, secret) = try accounts.addToken(named: "soon gone", scopes: .ingest)
        let line = ingest.line().replacingOccurrences(of: ingest.token, with: secret)
        let client = try ingest.connectTCP()
        try client.send("MODE each\n")
        #expect(try client.readLine() == "+OK each")
        // The service looks at the file every half second.
        var answer = ""
        repeat {
            try client.send(line + "\n")
            answer = try client.readLine() ?? "closed"
        } while answer.contains("bad-token")
        #expect(answer.hasPrefix("+OK "))
        _ = try accounts.revokeToken("\(entry.id)")
        repeat {
            try client.send(line + "\n")
            answer = try client.readLine() ?? "closed"
        } while answer.hasPrefix("+OK ")
        #expect(answer.contains(" bad-token "))
    }

    @Test func stoppingStoresEveryCompleteLineThatIsInTheSockets() throws {
        let ingest = try RunningIngest()
        let clients = try (0..<4).map { _ in try ingest.connectTCP() }
        for client in clients {
            try client.send("PING\n")
            #expect(try client.readLine() == "+PONG")
        }
        for client in clients { try client.send(String(repeating: ingest.line() + "\n", count: 300) + "half a li") }
        try ingest.stop()
        #expect(ingest.service.counts.accepted == 1_200)
        for client in clients {
            #expect(try client.readLine()?.hasPrefix("-ERR 0 draining ") == true)
            #expect(try client.readLine() == "+BYE received=300 accepted=300 rejected=0 duplicate=0")
        }
    }

    @Test func aSecondWriterOnTheFolderIsRefused() throws {
        let ingest = try RunningIngest()
        #expect(throws: IngestStartError.self) { _ = try RunningIngest(folder: ingest.folder) }
        let client = try ingest.connectUnix()
        try client.send("PING\n")
        #expect(try client.readLine() == "+PONG")
    }

    @Test func idleConnectionsAreClosedWithoutAWord() throws {
        let ingest = try RunningIngest(idleMilliseconds: 1)
        let client = try ingest.connectTCP()
        #expect(try client.rest() == "")
        ingest.waitUntil("counted") { $0.ended[ConnectionEnd.idle.rawValue] == 1 && $0.rejectedTotal == 0 }
    }

    @Test func whatAClientDoesNotReadIsBounded() throws {
        let ingest = try RunningIngest()
        let client = try ingest.connectTCP()
        try client.send("MODE each\n")
        let chunk = Array(String(repeating: "\(ingest.token) {}\n", count: 2_000).utf8)
        // Writes until the server does not read any more: its answers to us are full.
        var sent = 0
        let fd = client.socket.number
        while sent < 400 << 20 {
            var wanted = pollfd(fd: fd, events: Int16(POLLOUT), revents: 0)
            if poll(&wanted, 1, 500) == 0 { break }
            sent += max(0, send(fd, chunk, chunk.count, Int32(MSG_DONTWAIT)))
        }
        #expect(sent < 400 << 20)
        // Another client is served meanwhile.
        let other = try ingest.connectTCP()
        try other.send("PING\n")
        #expect(try other.readLine() == "+PONG")
    }
}
