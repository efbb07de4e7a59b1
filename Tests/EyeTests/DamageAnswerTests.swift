import Foundation
import Testing

/// A flipped bit in the log, seen from outside: answers that touch it say so, the ready page and the metrics name it, the rest is served.
@Suite(.timeLimit(.minutes(2))) struct DamageAnswerTests {
    @Test(arguments: [false, true]) func damageIsShown(whileRunning: Bool) throws {
        let folder = try TemporaryFolder()
        let token = try TestEvents.token(folder)
        let readToken = try TestEvents.readToken(folder)
        var served = try ServedStore(folder.path, ServedStore.both)
        #expect(try served.isReady())
        // One commit each, so that one of them is lost and no more.
        for number in 1...5 {
            #expect(
                try TestEvents.send(folder.path, token: token, TestEvents.lines(number...number, padding: 1_000)) == 0)
        }
        let whole = try served.get("/events/", token: readToken)
        #expect(whole.contains(#""n":3"#) && !whole.lowercased().contains("eye-incomplete: "))
        #expect(try served.get("/-/ready").contains(#""notes":[]"#))
        if !whileRunning { served.kill() }
        // Inside the third event.
        let path = "\(folder.path)/log/00000000000000000001.log"
        let bytes = try Data(contentsOf: URL(filePath: path))
        let place = try #require(bytes.range(of: Data(#""n":3,"pad":""#.utf8)))
        try flip(path, at: UInt64(place.upperBound + 500))
        if !whileRunning {
            served = try ServedStore(folder.path, ServedStore.both)
            #expect(try served.isReady())
            // The start has met it before any query did.
            let ready = try served.get("/-/ready")
            #expect(ready.hasPrefix("HTTP/1.1 200") && ready.contains("damage: the last start found 1 damaged place ("))
            let metrics = try served.get("/metrics")
            #expect(metrics.contains("\neye_store_damaged_ranges 1\n"), "\(metrics)")
        }
        let list = try served.get("/events/", token: readToken)
        #expect(
            list.hasPrefix("HTTP/1.1 200") && list.lowercased().contains("eye-incomplete: 3-3"), "\(list.prefix(600))")
        for number in [1, 2, 4, 5] { #expect(list.contains(#""n":\#(number),"#)) }
        #expect(!list.contains(#""n":3,"#))
        let one = try served.get("/event_detail/3", token: readToken)
        #expect(!one.hasPrefix("HTTP/1.1 200") && one.lowercased().contains("eye-incomplete: 3-3"), "\(one)")
        #expect(try served.get("/event_detail/4", token: readToken).hasPrefix("HTTP/1.1 200"))
        let ready = try served.get("/-/ready")
        #expect(ready.hasPrefix("HTTP/1.1 200"))
        #expect(ready.contains("damage: log/00000000000000000001.log, offset"), "\(ready)")
        #expect(try served.get("/metrics").contains("\neye_query_damaged_ranges 1\n"))
        // And life goes on, with new ids.
        #expect(try TestEvents.send(folder.path, token: token, TestEvents.lines(6...6)) == 0)
        #expect(try served.get("/event_detail/6", token: readToken).hasPrefix("HTTP/1.1 200"))
        #expect(served.stop() == 0)
    }

    /// Not one segment is left: every answer says what may be missing, and no command ends with 0.
    @Test func everyFileIsGone() throws {
        let folder = try TemporaryFolder()
        _ = try TestEvents.token(folder)
        let token = try TestEvents.readToken(folder)
        try TestEvents.write(folder.path, 1...10, padding: 1)
        let served = try ServedStore(folder.path, ["--only", "http", "--http", "127.0.0.1:0"])
        #expect(try served.isReady())
        #expect(try served.get("/events/?count=1", token: token).contains(#"{"count":10}"#))
        try FileManager.default.moveItem(atPath: "\(folder.path)/log", toPath: "\(folder.path)/away")
        for path in ["/events/?count=1", "/events/", "/stats/count", "/sessions/", "/event_detail/7"] {
            let answer = try served.get(path, token: token)
            let range = path == "/event_detail/7" ? "7-7" : "1-10"
            #expect(answer.lowercased().contains("eye-incomplete: \(range)"), "\(path): \(answer)")
        }
        let ready = try served.get("/-/ready")
        #expect(ready.contains("the segment is missing") && ready.contains("event ids 1-10 may be lost"), "\(ready)")
        #expect(try served.get("/metrics").contains("\neye_query_damaged_ranges 1\n"))
        #expect(served.stop() == 0)
        let file = "\(folder.path)/out.ndjson"
        for arguments in [["query"], ["query", "--count"], ["export", "-o", file], ["stats", "count"]] {
            let run = try CommandRun(arguments + ["--data", folder.path])
            #expect(run.code == 4 && run.error.contains("events 1 to 10 may be missing"), "\(arguments): \(run.error)")
        }
        let tail = try CommandRun(["tail", "--once", "--data", folder.path])
        #expect(tail.error.contains("events 1 to 10 may be missing"), "\(tail.error)")
    }

    /// A page of a session's timeline that ends before the damage: the numbers above it are of the whole session.
    @Test func aTimelineSaysWhatItsNumbersLack() throws {
        let folder = try TemporaryFolder()
        _ = try TestEvents.token(folder)
        let readToken = try TestEvents.readToken(folder)
        try TestEvents.write(folder.path, 1...2_500, padding: 1_000)
        let logs = try FileManager.default.contentsOfDirectory(atPath: "\(folder.path)/log").sorted()
        #expect(logs.count > 2)
        let path = "\(folder.path)/log/\(logs[1])"
        let bytes = try Data(contentsOf: URL(filePath: path))
        let place = try #require(bytes.range(of: Data(#""n":1500,"pad":""#.utf8)))
        try flip(path, at: UInt64(place.upperBound + 500))
        try FileManager.default.removeItem(atPath: "\(folder.path)/index")
        let served = try ServedStore(folder.path, ["--only", "http", "--http", "127.0.0.1:0"])
        #expect(try served.isReady())
        let one = try served.get("/sessions/00000000-0000-0001-0000-000000000001/?limit=1", token: readToken)
        #expect(one.contains(#""n":1,"#) && !one.contains(#""n":2,"#) && !one.contains(#""events":2500,"#))
        #expect(one.lowercased().contains("eye-incomplete: "), "\(one.prefix(600))")
        #expect(served.stop() == 0)
    }
}
