import EyeSystem
import EyeTestVectors
import Foundation
import Synchronization
import Testing

/// A thread that misbehaves until it is stopped.
private final class Abuse: Sendable {
    private let isStopping = Atomic<Bool>(false)
    private let isDone = Atomic<Bool>(false)
    private let failure = Mutex<String?>(nil)
    /// Things done so far: lines, bytes, whatever is counted.
    let count = Atomic<Int>(0)

    /// `body` is called again and again; it returns how much it has done.
    init(_ body: @escaping @Sendable () throws -> Int) {
        Foundation.Thread.detachNewThread { [self] in
            do {
                while !isStopping.load(ordering: .relaxed) { count.add(try body(), ordering: .relaxed) }
            } catch {
                failure.withLock { $0 = "\(error)" }
            }
            isDone.store(true, ordering: .releasing)
        }
    }

    /// Waits until so much was done, or until it failed.
    func wait(_ wanted: Int) {
        while count.load(ordering: .relaxed) < wanted && !isDone.load(ordering: .acquiring) { usleep(1000) }
    }

    func stop() {
        isStopping.store(true, ordering: .relaxed)
        while !isDone.load(ordering: .acquiring) { usleep(1000) }
        failure.withLock { if let text = $0 { Issue.record("the abuse itself failed: \(text)") } }
    }
}

/// Clients held by an abuse's thread. One thread at a time.
private final class Clients: @unchecked Sendable {
    var all: [AbuseClient] = []
    var next = 0
}

/// What peers can do to the ingest port without being stopped by it. In each case a healthy client's acknowledgements keep
/// coming. Short here; with EYE_LONG_TESTS=1 at full size and with the healthy client's p99 by `eye bench`, in turn without and
/// with the abuse (reported, not judged: the machine may be shared).
@Suite(.serialized, .timeLimit(.minutes(20))) struct AbuseTests {
    private static let isLong = TestSize.isLong

    /// `abuse` begins and returns how it is ended.
    private func compare(
        _ name: String, _ server: AbusedServer, _ abuse: () throws -> (() throws -> Void)
    ) throws {
        guard AbuseTests.isLong else {
            let healthy = try HealthyClient(server)
            try healthy.go(5)
            let end = try abuse()
            try healthy.go(30)
            try end()
            try healthy.go(5)
            return
        }
        let p99 = {
            let result = try server.bench(["--tcp", server.tcpText, "--acks", "-r", "1000", "-s", "5"])
            #expect(result["exact"] as? Bool == true)
            return (result["latency_us"] as? [String: Any])?["p99"] as? Double ?? 0
        }
        var pairs: [(quiet: Double, abused: Double)] = []
        for _ in 0..<3 {
            let quiet = try p99()
            let end = try abuse()
            pairs.append((quiet, try p99()))
            try end()
        }
        pairs.sort { $0.abused / $0.quiet < $1.abused / $1.quiet }
        let shown = pairs.map { String(format: "%.1f/%.1f ms", $0.quiet / 1e3, $0.abused / 1e3) }
        LongTests.report(
            "\(name): p99 quiet/abused \(shown.joined(separator: ", ")); median ratio "
                + String(format: "%.2f", pairs[1].abused / pairs[1].quiet)
                + "; RSS \(try server.residentKiB()) KiB; log \(try server.logLines()) lines of \(server.logLinesAllowed) allowed"
        )
    }

    @Test func tenThousandConnections() throws {
        let count = AbuseTests.isLong ? 10_000 : 1_000
        guard try OpenFiles.raiseLimit() >= count + 200 else {
            print("skipped: RLIMIT_NOFILE's hard limit does not allow \(count) connections")
            return
        }
        let server = try AbusedServer()
        let before = try server.residentKiB()
        try compare("\(count) idle connections", server) {
            let clients = Clients()
            for _ in 0..<count { clients.all.append(try server.connect()) }
            // Accepted, too, not only in the backlog.
            while try server.metrics()["eye_ingest_connections"] ?? 0 < count { usleep(1000) }
            if AbuseTests.isLong {
                LongTests.report("  RSS at \(count) connections: \(try server.residentKiB()) KiB, before \(before)")
            }
            #expect(try server.residentKiB() < 100 * 1024)
            return {
                clients.all = []
                while try server.metrics()["eye_ingest_connections"] ?? 0 > 100 { usleep(1000) }
            }
        }
    }

    /// Out of descriptors: who is in goes on, who waits is let in later, nothing spins meanwhile, and the store has what it needs: a new
    /// segment can be begun, the old one indexed and sealed.
    @Test func outOfDescriptors() throws {
        let limit = 96
        let server = try AbusedServer(openFiles: limit)
        let healthy = try HealthyClient(server)
        try healthy.go(3)
        let control = try server.connectUnix("control.sock")
        let clients = Clients()
        for _ in 0..<limit * 2 { clients.all.append(try server.connect()) }
        while try server.logLines() == 0
            || !(try String(contentsOfFile: "\(server.folder.path)/err.txt", encoding: .utf8)).contains("ulimit -n")
        {
            usleep(1000)
        }
        try healthy.go(20)
        // Processor time in ticks of 10 ms over three seconds: spinning would take 300.
        let (ticks, start) = (try server.ticks(), ContinuousClock.now)
        while ContinuousClock.now < start + .seconds(3) { usleep(10_000) }
        let used = try server.ticks() - ticks
        LongTests.report("EMFILE: \(used) ticks of CPU in 3 s, log \(try server.logLines()) lines")
        #expect(used < 60)
        try healthy.go(20)
        try control.send("ERASE - EVENT 1 NOW\n")
        #expect(try control.readLine().hasPrefix("+ERASED 1 "))
        let first = "\(server.folder.path)/log/00000000000000000001.log"
        let patience = ContinuousClock.now + .seconds(30)
        while server.process.isRunning, FileManager.default.fileExists(atPath: first), ContinuousClock.now < patience {
            usleep(1000)
        }
        #expect(!FileManager.default.fileExists(atPath: first))
        try healthy.go(20)
        #expect(try server.logLines() <= server.logLinesAllowed)
        clients.all = []
        try HealthyClient(server).go(3)
    }

    /// Bytes without LF from many: whoever holds most of them goes, not whoever comes next with a little.
    @Test func unfinishedLines() throws {
        guard try OpenFiles.raiseLimit() >= 1_600 else {
            print("skipped: RLIMIT_NOFILE's hard limit does not allow 1,400 connections")
            return
        }
        let server = try AbusedServer(loops: 1)
        let piece = [UInt8](repeating: 0x61, count: 62_000)
        let line = server.line().replacing(
            "{\"n\":", with: "{\"pad\":\"\(String(repeating: "x", count: 4_000))\",\"n\":")
        let bystanders = Clients()
        try compare("80 MB without LF", server) {
            let clients = Clients()
            let flood = { (count: Int) in
                for _ in 0..<count {
                    clients.all.append(try server.connect())
                    try clients.all[clients.all.count - 1].send(piece)
                }
            }
            // More than `partialBytesPerLoop`.
            try flood(1_100)
            for _ in 0..<40 {
                let client = try server.connect()
                try client.send("MODE acks\n\(line.prefix(2_000))")
                bystanders.all.append(client)
            }
            try flood(200)
            return { clients.all = [] }
        }
        for client in bystanders.all {
            try client.send(String(line.dropFirst(2_000)))
            #expect(try client.readLine() == "+OK acks")
            #expect(try client.readLine() == "+ACK 1")
        }
        let metrics = try server.metrics()
        let ended = metrics["eye_ingest_connections_ended_total{code=\"overloaded\"}"] ?? 0
        #expect(ended > 100 && ended < 700)
        #expect(metrics["eye_ingest_rejected_total{code=\"cut-line\"}"] ?? 0 >= ended)
        #expect(try server.residentKiB() < 160 * 1024)
    }

    @Test func slowSenders() throws {
        let count = AbuseTests.isLong ? 1_000 : 200
        guard try OpenFiles.raiseLimit() >= count + 200 else {
            print("skipped: RLIMIT_NOFILE's hard limit does not allow \(count) connections")
            return
        }
        let server = try AbusedServer()
        let line = Array(server.line().utf8)
        try compare("\(count) clients that send a byte at a time", server) {
            let clients = Clients()
            for _ in 0..<count { clients.all.append(try server.connect()) }
            let abuse = Abuse {
                // A byte each; the whole round takes about ten seconds when long.
                for client in clients.all {
                    _ = client.sendSome([line[clients.next % line.count]])
                    if AbuseTests.isLong { usleep(10_000) }
                    if clients.all.isEmpty { break }
                }
                clients.next += 1
                return 1
            }
            return {
                abuse.stop()
                clients.all = []
            }
        }
    }

    /// Clients that ask for an answer to each line and read none: they are read no more, and cost a bounded memory.
    @Test func answersNobodyReads() throws {
        let count = AbuseTests.isLong ? 100 : 4
        let server = try AbusedServer()
        let lines = Array(String(repeating: server.line(), count: 200).utf8)
        let before = try server.residentKiB()
        try compare("\(count) clients that never read", server) {
            let clients = Clients()
            for _ in 0..<count {
                let client = try server.connect()
                // No room for answers in the kernel either: it is their not reading that counts here, not what they send before.
                var room: Int32 = 4096
                setsockopt(client.socket.number, SOL_SOCKET, SO_RCVBUF, &room, socklen_t(MemoryLayout<Int32>.size))
                try client.send("MODE each\n")
                clients.all.append(client)
            }
            let abuse = Abuse {
                // Whole lines do not matter: what is cut is rejected, and answered too.
                var sent = 0
                for client in clients.all { sent += client.sendSome(lines) ? 1 : 0 }
                if sent == 0 { usleep(10_000) }
                return sent == 0 ? 1 : 0
            }
            // Until all of them are stuck, and what they sent before is judged.
            var (judged, before): (UInt64, UInt64) = (1, 0)
            while judged != before {
                before = judged
                let rounds = abuse.count.load(ordering: .relaxed)
                abuse.wait(rounds + 20)
                judged = try server.metrics()["eye_ingest_lines_total"] ?? 0
            }
            return {
                abuse.stop()
                clients.all = []
            }
        }
        // Each may let 64 KiB of answers and a read's worth of them wait.
        #expect(try server.residentKiB() - before < 64 * 1024 + count * 512)
    }

    /// Everybody has a turn before anybody has the next one, though one turn each takes more frames than a loop has.
    @Test func turnsAreFair() throws {
        let server = try AbusedServer(loops: 1)
        let event = server.line().replacing(
            "{\"n\":", with: "{\"pad\":\"\(String(repeating: "x", count: 62_000))\",\"n\":")
        // More than is read in one turn.
        let count = 5
        let lines = Array(("MODE each\n" + String(repeating: event, count: count)).utf8)
        let clients = Clients()
        // What all have sent is there when it goes on.
        try server.pause()
        for _ in 0..<60 {
            let client = try server.connectUnix()
            var room: Int32 = 212_992
            setsockopt(client.socket.number, SOL_SOCKET, SO_SNDBUF, &room, socklen_t(MemoryLayout<Int32>.size))
            try client.send(lines)
            clients.all.append(client)
        }
        server.signal(SIGCONT)
        var (firsts, lasts): ([UInt64], [UInt64]) = ([], [])
        for client in clients.all {
            #expect(try client.readLine() == "+OK each")
            let ids = try (1...count).map { _ in try client.storedID() }
            firsts.append(ids[0])
            lasts.append(ids[count - 1])
        }
        #expect(firsts.max()! < lasts.min()!)
    }

    /// Many small connections that all wait for the same commit: together they need more frames than a loop has. Who has waited longest
    /// goes on first.
    @Test func manyWaitAtOnce() throws {
        let server = try AbusedServer(loops: 1)
        let healthy = try HealthyClient(server)
        let clients = Clients()
        for _ in 0..<300 { clients.all.append(try server.connect()) }
        // What all have sent is there when it goes on.
        try server.pause()
        for (number, client) in clients.all.enumerated() {
            let hello =
                "HELLO {\"proto\":1,\"mode\":\"each\",\"client_id\":\"c\(number)\",\"token\":\"\(server.token)\"}\n"
            try client.send(
                "MODE each\n" + server.line() + "SYNC\n" + server.line() + hello + server.line() + "SYNC\n")
        }
        server.signal(SIGCONT)
        var behind: [UInt64] = []
        for client in clients.all {
            while try client.readLine() != "+SYNC 1" {}
            behind.append(try client.storedID())
            while try client.readLine() != "+SYNC 1" {}
        }
        #expect(behind == behind.sorted())
        try healthy.go(20)
    }

    @Test(arguments: ["malformed", "wrong token", "no JSON at all"])
    func floods(kind: String) throws {
        let total = AbuseTests.isLong ? 1_000_000 : 20_000
        let server = try AbusedServer()
        var line = server.line()
        switch kind {
        case "malformed": line = line.replacing("\"data\":", with: "\"data\"=")
        case "wrong token": line = line.replacing(server.token, with: String(repeating: "0", count: 40))
        default: line = "\(server.token) \u{1}\u{2}\u{3}\n"
        }
        let lines = Array(String(repeating: line, count: 100).utf8)
        var growth = 0
        try compare("\(total) lines, \(kind)", server) {
            let client = Clients()
            client.all = [try server.connect()]
            let abuse = Abuse {
                try client.all[0].send(lines)
                return 100
            }
            abuse.wait(total / 10)
            let early = try server.residentKiB()
            return {
                abuse.wait(total)
                growth = try server.residentKiB() - early
                abuse.stop()
            }
        }
        LongTests.report("  \(kind): RSS grew by \(growth) KiB")
        #expect(growth < 8 * 1024)
        #expect(try server.logLines() <= server.logLinesAllowed)
    }

    /// A line without end: refused once, skipped, and the connection lives.
    @Test func endlessLine() throws {
        let megabytes = AbuseTests.isLong ? 100 : 8
        let server = try AbusedServer()
        let before = try server.residentKiB()
        let piece = [UInt8](repeating: 0x61, count: 1 << 20)
        try compare("a line of \(megabytes) MB", server) {
            let client = Clients()
            client.all = [try server.connect()]
            try client.all[0].send("MODE acks\n")
            let abuse = Abuse {
                try client.all[0].send(piece)
                return 1
            }
            return {
                abuse.wait(megabytes)
                abuse.stop()
                try client.all[0].send("\n" + server.line())
                #expect(try client.all[0].readLine() == "+OK acks")
                #expect(try client.all[0].readLine().hasPrefix("-ERR 1 too-long "))
                // The first line may have been acknowledged as judged on its own.
                var ack = try client.all[0].readLine()
                if ack == "+ACK 1" { ack = try client.all[0].readLine() }
                #expect(ack == "+ACK 2")
            }
        }
        #expect(try server.residentKiB() - before < 32 * 1024)
    }
}
