import EyeStore
import EyeSystem
import EyeWire
import Foundation
import Testing

@testable import EyeServer

/// ERASE over the control socket, on a running service.
@Suite struct ErasureDeskTests {
    static let session = "e2085be5-9137-4e4e-80b5-f1ffddc25423"
    static let id = ID128(high: 0xe208_5be5_9137_4e4e, low: 0x80b5_f1ff_ddc2_5423)

    /// The numbers of a `+ERASED`.
    static func counts(_ line: String?) throws -> ErasureCounts {
        let bytes = Array(try #require(line).utf8)
        guard case .erased(_, let counts) = bytes.withUnsafeBytes({ ReplyLine.parse($0) }) else {
            Issue.record("no +ERASED: \(line ?? "")")
            return ErasureCounts()
        }
        return counts
    }

    static func visible(_ folder: String, above: UInt64? = nil, upTo last: UInt64? = nil) throws -> UInt64 {
        var filter = EventFilter()
        filter.sessions = [id]
        filter.idAbove = above
        filter.idBelow = last.map { $0 + 1 }
        let cursor = try StoreReader(RealDisk(), folder: folder).snapshot().cursor(filter)
        while try cursor.countStep() != .end {}
        return cursor.count
    }

    @Test func eventsAndSessionsGoOnceAndAreCountedBefore() throws {
        let ingest = try RunningIngest()
        let accounts = AccountFile(RealDisk(), folder: ingest.folder, time: SystemTime())
        let admin = try accounts.addToken(named: "boss", scopes: .admin).secret
        let client = try ingest.connectUnix(IngestService.controlSocketName)
        try client.send("MODE each\n" + String(repeating: ingest.line() + "\n", count: 10))
        for _ in 0..<11 { _ = try client.readLine() }
        try client.send("ERASE \(admin) SESSION \(Self.session) DRY\n")
        var counts = try Self.counts(client.readLine())
        #expect(counts.id == 0 && counts.events == 10 && counts.firstEventID == 1 && counts.lastEventID == 10)
        #expect(try Self.visible(ingest.folder) == 10)
        try client.send("ERASE \(admin) EVENT 4\n")
        counts = try Self.counts(client.readLine())
        #expect(counts.events == 1 && counts.firstEventID == 4 && counts.lastEventID == 4 && counts.id == 11)
        #expect(counts.erased > 1_700_000_000_000_000)
        try client.send("ERASE \(admin) EVENT 4\n")
        #expect(try Self.counts(client.readLine()) == ErasureCounts())
        #expect(try Self.visible(ingest.folder) == 9)
        // The order of the answers is that of the lines, also where an erasure stands between events.
        try client.send("\(ingest.line())\nERASE - SESSION \(Self.session)\n\(ingest.line())\n")
        #expect(try client.readLine() == "+OK 14 11")
        counts = try Self.counts(client.readLine())
        #expect(counts.events == 10 && counts.firstEventID == 1 && counts.lastEventID == 11)
        #expect(try client.readLine() == "+OK 16 12")
        #expect(try Self.visible(ingest.folder) == 1)
        try client.send("ERASE \(ingest.token) EVENT 12\n")
        #expect(try client.readLine()?.hasPrefix("-ERR 17 forbidden ") == true)
        #expect(try Self.visible(ingest.folder) == 1)
    }

    /// When it is answered, what sealing and erasure remove is not held on the disk by a file that is still open.
    @Test func sealedFilesAreClosedWhenTheWorkIsOver() throws {
        let ingest = try RunningIngest(segmentBytes: 1 << 20)
        let client = try ingest.connectUnix(IngestService.controlSocketName)
        try client.send("MODE errors\n" + String(repeating: ingest.line() + "\n", count: 20_000) + "SYNC\n")
        _ = try client.readLine()
        #expect(try client.readLine()?.hasPrefix("+SYNC") == true)
        func files(_ part: String) -> [String] {
            (try? FileManager.default.contentsOfDirectory(atPath: "\(ingest.folder)/\(part)")) ?? []
        }
        func areOpen() -> Bool {
            (0..<1024).contains {
                let name = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")
                return name?.contains("\(ingest.folder)/sealed/") ?? false
            }
        }
        ingest.waitUntil("everything sealed") { _ in files("log").count == 1 && !files("sealed").isEmpty && !areOpen() }
        try client.send("ERASE - EVENT 4\n")
        #expect(try Self.counts(client.readLine()).events == 1)
        #expect(!areOpen())
    }

    /// What comes while a session is erased is hidden if it is older than the tombstone, and shown if it is newer.
    @Test func nothingSlipsInBetween() throws {
        let ingest = try RunningIngest(segmentBytes: 1 << 20)
        let sender = try ingest.connectTCP()
        let control = try ingest.connectUnix(IngestService.controlSocketName)
        let lines = (0..<200).map { _ in ingest.line() + "\n" }.joined()
        var erased: UInt64 = 0
        var last: UInt64 = 0
        try sender.send("MODE errors\n")
        #expect(try sender.readLine() == "+OK errors")
        let rounds = 40
        for round in 1...rounds {
            try sender.send(lines)
            try control.send("ERASE - SESSION \(Self.session)\n")
            try sender.send(lines)
            let counts = try Self.counts(control.readLine())
            if counts.id > 0 {
                erased += counts.events
                last = counts.lastEventID
            }
            // Everything up to the tombstone is gone, before and after the rest has come.
            #expect(try Self.visible(ingest.folder, upTo: last) == 0, "round \(round)")
        }
        try sender.send("QUIT\n")
        let total = UInt64(rounds * 400)
        #expect(try sender.readLine() == "+BYE received=\(total) accepted=\(total) rejected=0 duplicate=0")
        #expect(try Self.visible(ingest.folder) == total - erased)
        #expect(try Self.visible(ingest.folder, above: last) == total - erased)
    }

    /// Samples of refused lines that name the session are emptied with it, or alone when there is nothing else.
    @Test func refusedLinesThatNameTheSessionAreEmptied() throws {
        let ingest = try RunningIngest()
        let client = try ingest.connectUnix(IngestService.controlSocketName)
        try client.send("MODE each\n")
        for _ in 0..<3 { try client.send("\(ingest.token) {\"session_id\":\"\(Self.session.uppercased())\"}\n") }
        for _ in 0..<4 { _ = try client.readLine() }
        try client.send("ERASE - SESSION \(Self.session)\n")
        let counts = try Self.counts(client.readLine())
        #expect(counts.id == 0 && counts.events == 0 && counts.samples == 3 && counts.erased > 0)
        var lines: [String] = []
        try RejectedReader(RealDisk(), folder: ingest.folder).list {
            lines.append(String(decoding: $0.line + $0.message, as: UTF8.self))
            return true
        }
        #expect(lines == ["erased", "erased", "erased"])
        try client.send("ERASE - SESSION \(Self.session)\n")
        #expect(try Self.counts(client.readLine()) == ErasureCounts())
    }

    @Test func aStopAnswersWhatWaits() throws {
        let ingest = try RunningIngest()
        let client = try ingest.connectUnix(IngestService.controlSocketName)
        try client.send((1...20).map { "ERASE - EVENT \($0)\n" }.joined())
        #expect(try client.readLine() != nil)
        try ingest.stop()
        let rest = try client.rest().split(separator: "\n")
        #expect(rest.last?.hasPrefix("+BYE ") == true)
    }
}
