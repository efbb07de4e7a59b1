import EyeSystem
import EyeWire
import Foundation
import Glibc
import Testing

@testable import EyeServer

/// Lines of a peer that does not stay: what was received is judged and stored when its turn comes, and what cannot be is counted. The
/// disk holds the first line's commit until everything has happened.
@Suite struct GoneTests {
    private let disk = FillableDisk()
    private let ingest: RunningIngest
    /// Of the same loop: what it is answered comes after what the loop was told of before.
    private let other: TestClient

    init() throws {
        ingest = try RunningIngest(disk: disk, loops: 1)
        other = try ingest.connectUnix()
    }

    private func hold(_ isHeld: Bool) { disk.isHeld.store(isHeld, ordering: .relaxed) }

    /// Returns when the loop has looked at everything that was there before.
    private func waitForTheLoop() throws {
        for _ in 0..<2 {
            try other.send("PING\n")
            #expect(try other.readLine() == "+PONG")
        }
    }

    private func rejected(_ counts: Counts, _ reject: Reject) -> UInt64 { counts.rejected[Int(reject.rawValue)] }

    /// Makes room in the kernel for what is sent while nobody reads.
    private func widen(_ client: TestClient) {
        var bytes: Int32 = 212_992
        setsockopt(client.socket.number, SOL_SOCKET, SO_SNDBUF, &bytes, socklen_t(MemoryLayout<Int32>.size))
    }

    @Test(arguments: ["unix", "tcp"], ["SYNC", "HELLO"])
    func whatIsBehindACommandIsStoredThoughThePeerCloses(transport: String, command: String) throws {
        hold(true)
        defer { hold(false) }
        do {
            let client = transport == "unix" ? try ingest.connectUnix() : try ingest.connectTCP()
            let hello = #"HELLO {"proto":1,"token":"\#(ingest.token)","client_id":"gone"}"#
            try client.send("\(ingest.line())\n\(command == "SYNC" ? command : hello)\n")
            ingest.waitUntil("the first line is judged") { $0.lines == 1 }
            try client.send(String(repeating: ingest.line() + "\n", count: 200))
        }
        try waitForTheLoop()
        #expect(ingest.service.counts.lines == 1)
        hold(false)
        ingest.waitUntil("all are stored, and the connection is closed") {
            $0.accepted == 201 && $0.connectionsClosed == 1
        }
    }

    @Test func aResetCostsTheUnfinishedLineOnly() throws {
        hold(true)
        defer { hold(false) }
        do {
            let client = try ingest.connectTCP()
            try client.send("\(ingest.line())\nSYNC\n")
            ingest.waitUntil("the first line is judged") { $0.lines == 1 }
            try client.send(String(repeating: ingest.line() + "\n", count: 200) + "half a li")
            // All of it has reached the other side.
            var unsent: Int32 = 1
            while unsent > 0 { _ = ioctl(client.socket.number, UInt(TIOCOUTQ), &unsent) }
            Socket.resetWhenClosed(client.socket.number)
        }
        try waitForTheLoop()
        hold(false)
        ingest.waitUntil("all are stored, and the connection is closed") {
            $0.accepted == 201 && $0.connectionsClosed == 1
        }
        #expect(rejected(ingest.service.counts, .cutLine) == 1 && ingest.service.counts.lines == 202)
    }

    /// A newer connection of the same client ends the older one: its lines that wait are refused, not lost without a trace.
    @Test func whatWaitsOnAConnectionThatIsEndedIsCounted() throws {
        let hello = #"HELLO {"proto":1,"token":"\#(ingest.token)","client_id":"twice"}"# + "\n"
        let older = try ingest.connectUnix()
        try older.send(hello)
        #expect(try older.readLine()?.contains(#""last_seq":0"#) == true)
        hold(true)
        defer { hold(false) }
        let line = ingest.line() + "\n"
        try older.send("\(line)SYNC\n\(line)# no line\nPING\n\(line)\nhalf a li")
        ingest.waitUntil("the first line is judged") { $0.lines == 1 }
        let newer = try ingest.connectUnix()
        try newer.send(hello)
        ingest.waitUntil("the others are counted") { $0.lines == 4 }
        #expect(rejected(ingest.service.counts, .overloaded) == 2 && rejected(ingest.service.counts, .cutLine) == 1)
        hold(false)
        #expect(try newer.readLine()?.contains(#""last_seq":1"#) == true)
    }

    /// Answers of mode `each` that wait for a line before them are bounded like those that wait for their reader.
    @Test func answersThatWaitForALineAreBounded() throws {
        let client = try ingest.connectUnix()
        widen(client)
        try client.send("MODE each\n")
        #expect(try client.readLine() == "+OK each")
        hold(true)
        defer { hold(false) }
        try client.send(ingest.line() + "\n")
        ingest.waitUntil("the first line is judged") { $0.lines == 1 }
        let count = 4_000
        try client.send(String(repeating: "\(ingest.token) {}\n", count: count))
        try waitForTheLoop()
        let answerBytesMin = 32
        #expect(ingest.service.counts.lines <= 2 + UInt64(WireLimits.replyBacklogBytesMax / answerBytesMin))
        hold(false)
        #expect(try client.readLine() == "+OK 1 1")
        for line in 2...count + 1 { #expect(try client.readLine()?.hasPrefix("-ERR \(line) missing-field ") == true) }
    }

    /// A line without a token begins with its brace, by datagram as elsewhere.
    @Test func aBlankBeforeTheBraceIsAnEmptyToken() throws {
        let event = ingest.line()
        let bare = event.dropFirst(ingest.token.count + 1)
        let datagrams = try TestClient(ingest.service.udpAddress!, datagram: true)
        try datagrams.send("\(event)\n\(bare)\n \(bare)\n")
        ingest.waitUntil("three lines judged") { $0.lines == 3 && $0.accepted == 2 }
        #expect(rejected(ingest.service.counts, .badToken) == 1)
        let client = try ingest.connectTCP()
        try client.send("MODE errors\n \(bare)\n")
        #expect(try client.readLine() == "+OK errors")
        #expect(try client.readLine()?.hasPrefix("-ERR 1 bad-token ") == true)
    }
}
