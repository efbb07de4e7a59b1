// The two sides as processes of their own on one data folder, and how a process starts and ends: killed sides, a second
// writer, taken ports, signals, revoked tokens.

import EyeSystem
import Foundation
import Testing

private let event =
    #"{"session_id":"e2085be5-9137-4e4e-80b5-f1ffddc25423","category":"c","name":"n","data":{"a":1},"timestamp":"2021-01-01T00:00:00Z"}"#

@Suite(.timeLimit(.minutes(2))) struct TwoProcessTests {
    /// A query keeps files open for the next one. What the other process removes is let go of without one: the disk has its room back.
    @Test func filesThatAreGoneAreLetGoOf() throws {
        let ingest = try ServedEye(only: .ingest, ["--segment-bytes", "1M"])
        let http = try ServedEye(ingest.folder, only: .http)
        let token = try ingest.addToken("all", scope: "admin")
        let pad = String(repeating: "p", count: 900)
        let line = event.replacing(#"{"a":1}"#, with: #"{"a":1,"pad":"\#(pad)"}"#) + "\n"
        let lines = String(repeating: line, count: 1_500)
        #expect(try CommandRun(["send", "--tcp", ingest.tcp, "--token", token], input: lines).code == 0)
        let sealed = ingest.folder.path + "/sealed"
        func file() throws -> (name: String, inode: Int)? {
            guard
                let name = try FileManager.default.contentsOfDirectory(atPath: sealed).first(where: {
                    $0.hasSuffix(".seg")
                })
            else { return nil }
            let about = try FileManager.default.attributesOfItem(atPath: sealed + "/" + name)
            return (name, about[.systemFileNumber] as? Int ?? 0)
        }
        func openFiles() throws -> [String] {
            let links = "/proc/\(http.processID)/fd"
            // A descriptor may be closed meanwhile.
            return try FileManager.default.contentsOfDirectory(atPath: links).compactMap {
                try? FileManager.default.destinationOfSymbolicLink(atPath: links + "/" + $0)
            }
        }
        try wait("a sealed segment") { try FileManager.default.fileExists(atPath: sealed) && file() != nil }
        let before = try #require(try file())
        #expect(try http.call("GET", "/events/?count=1&data.a__gte=1", token: token).text.contains("1500"))
        #expect(try openFiles().contains { $0.hasSuffix(before.name) })
        #expect(try ingest.eye("erase", "event", "1", "--now").code == 0)
        try wait("the segment without the event") { try file().map { $0.inode != before.inode } ?? false }
        try wait("the old file to be closed") { try !openFiles().contains { $0.hasSuffix(".seg (deleted)") } }
    }

    @Test func eitherSideLivesWithoutTheOther() throws {
        let ingest = try ServedEye(only: .ingest)
        #expect(ingest.http.isEmpty)
        let http = try ServedEye(ingest.folder, only: .http)
        #expect(http.tcp.isEmpty && http.udp.isEmpty && !http.greeting.contains("ingest.sock"))
        let token = try ingest.addToken("both", scope: "ingest,read")
        func ready() throws -> HTTPAnswer { try http.call("GET", "/-/ready") }
        func ids() throws -> [Int] {
            try http.call("GET", "/events/", token: token).array.compactMap { $0["id"] as? Int }
        }
        try wait("the http process to be ready") { try ready().status == 200 }
        #expect(try http.call("POST", "/events/", token: token, event).status == 201)
        #expect(try http.call("POST", "/sessions/", token: token).status == 201)
        #expect(try ids() == [1])

        // The ingest process dies: writes are refused and say why, everything else goes on.
        #expect(ingest.end(SIGKILL) == 128 + SIGKILL)
        try wait("the missing ingest process to be noticed") { try ready().status == 503 }
        let reasons = try ready().object["reasons"] as? [String]
        #expect(reasons?.count == 1 && reasons?.first?.hasPrefix("no-ingest") == true)
        for target in ["/events/", "/sessions/"] {
            let refused = try http.call("POST", target, token: token, target == "/events/" ? event : "")
            #expect(refused.status == 503)
            #expect(refused.object["code"] as? String == "no-ingest")
            #expect(refused["retry-after"] != nil)
        }
        #expect(try ids() == [1])
        #expect(try http.call("GET", "/-/healthy").status == 200)

        // Another one takes its place, and nobody has to be told.
        let second = try ServedEye(ingest.folder, only: .ingest)
        try wait("the new ingest process to be noticed") { try ready().status == 200 }
        #expect(try http.call("POST", "/events/", token: token, event).status == 201)
        #expect(try ids() == [2, 1])

        // The HTTP process dies: ingest does not even notice.
        #expect(http.end(SIGKILL) == 128 + SIGKILL)
        #expect(try send(event, to: second, token: token) == "+BYE received=1 accepted=1 rejected=0 duplicate=0\n")
        let third = try ServedEye(ingest.folder, only: .http)
        let events = try third.call("GET", "/events/", token: token).array
        #expect(events.compactMap { $0["id"] as? Int } == [3, 2, 1])
        #expect(third.end(SIGTERM) == 0 && second.end(SIGTERM) == 0)
    }

    /// The HTTP process lives through what becomes of the files under it: a watermark made anew, a backup in the folder's place.
    @Test func theStoreUnderAReaderIsReplaced() throws {
        let ingest = try ServedEye(only: .ingest)
        let path = ingest.folder.path
        let http = try ServedEye(ingest.folder, only: .http)
        let token = try ingest.addToken("both", scope: "ingest,read")
        func post(_ name: String) throws {
            var status = 0
            let named = event.replacing("\"n\"", with: "\"\(name)\"")
            // Until the new ingest process is noticed.
            try wait("\(name) to be stored") {
                status = try http.call("POST", "/events/", token: token, named).status
                return status != 503
            }
            #expect(status == 201)
        }
        func names() throws -> [String] {
            try http.call("GET", "/events/", token: token).array.compactMap { $0["name"] as? String }
        }
        try post("a")
        let home = try TemporaryFolder()
        #expect(try ingest.eye("backup", "\(home.path)/backup").code == 0)
        try post("b")
        #expect(try names() == ["b", "a"])
        #expect(ingest.end(SIGTERM) == 0)
        try FileManager.default.removeItem(atPath: "\(path)/watermark")
        let second = try ServedEye(ingest.folder, only: .ingest)
        try post("c")
        try wait("c to be shown: \(try names())") { try names() == ["c", "b", "a"] }
        #expect(second.end(SIGTERM) == 0)
        try FileManager.default.moveItem(atPath: path, toPath: "\(home.path)/away")
        try FileManager.default.moveItem(atPath: "\(home.path)/backup", toPath: path)
        let third = try ServedEye(ingest.folder, only: .ingest)
        try post("d")
        try wait("d to be shown: \(try names())") { try names() == ["d", "a"] }
        #expect(third.end(SIGTERM) == 0 && http.end(SIGTERM) == 0)
    }

    /// Sends one line by TCP, half-closes and reads to the end.
    private func send(_ event: String, to eye: ServedEye, token: String) throws -> String {
        let socket = try Socket.connect(try SocketAddress.resolve(eye.tcp))
        try socket.sendAll(Array("\(token) \(event)\n".utf8))
        try Socket.shutdownWrites(socket.number)
        return String(decoding: try socket.readToEnd(), as: UTF8.self)
    }

    /// Every file below a folder with its bytes; sockets by name. Not the last use of tokens and the clock of retention: the running
    /// process writes them as time passes.
    private func content(_ folder: TemporaryFolder) throws -> [String: Data] {
        var found: [String: Data] = [:]
        for name in try FileManager.default.subpathsOfDirectory(atPath: folder.path)
        where !name.hasPrefix("token-use") && !name.hasPrefix("retention") {
            found[name] = FileManager.default.contents(atPath: "\(folder.path)/\(name)") ?? Data()
        }
        return found
    }

    @Test func aSecondOneTouchesNothing() throws {
        let eye = try ServedEye()
        #expect(try send(event, to: eye, token: eye.firstToken).hasPrefix("+BYE received=1 accepted=1"))
        // Made by the background work when it first comes to it.
        try wait("the folder of sealed segments") { try content(eye.folder)["sealed"] != nil }
        let before = try content(eye.folder)
        for side in [nil, ServedEye.Side.ingest] {
            let ended = try #require(throws: EndedEarly.self) { try ServedEye(eye.folder, only: side) }
            #expect(ended.code == 4)
            #expect(ended.error.hasPrefix("eye: ") && ended.error.filter { $0 == "\n" }.count == 1, "\(ended.error)")
        }
        let after = try content(eye.folder)
        #expect(after == before, "\(Set(after.keys).symmetricDifference(before.keys))")
        #expect(try send(event, to: eye, token: eye.firstToken).hasPrefix("+BYE received=1 accepted=1"))
    }

    /// A port that is taken ends a first start; what was shown of credentials is good at the next one.
    @Test(arguments: ["tcp", "udp", "http"]) func aTakenPort(door: String) throws {
        let other = try ServedEye()
        let taken = ["tcp": other.tcp, "udp": other.udp, "http": other.http][door] ?? ""
        let folder = try TemporaryFolder()
        let ended = try #require(throws: EndedEarly.self) { try ServedEye(folder, ["--\(door)", taken]) }
        #expect(ended.code == 3)
        #expect(ended.out.hasPrefix("First start.") && ended.out.filter { $0 == "\n" }.count == 3, "\(ended.out)")
        let last = ended.error.split(separator: "\n").last ?? ""
        #expect(last.hasPrefix("eye: ") && last.contains(taken) && last.contains("in use"), "\(ended.error)")
        let token = ServedEye.firstToken(ended.out)
        let password = ServedEye.firstPassword(ended.out)
        #expect(token.count == 40 && !password.isEmpty && !ended.error.contains(token), "\(ended.out)")
        let eye = try ServedEye(folder)
        #expect(eye.firstToken.isEmpty)
        #expect(try send(event, to: eye, token: token) == "+BYE received=1 accepted=1 rejected=0 duplicate=0\n")
        let login = try eye.call("POST", "/api-token-auth/", #"{"username":"admin","password":"\#(password)"}"#)
        #expect(login.status == 200)
    }

    /// What was received is stored, also what still lies in a socket, then the process ends by itself.
    @Test(arguments: [SIGTERM, SIGINT]) func aSignalDrains(signal: Int32) throws {
        let eye = try ServedEye(nil, ["--log-format", "json"])
        let token = try eye.addToken("both", scope: "ingest,read")
        let socket = try Socket.connect(try SocketAddress.resolve(eye.tcp))
        // It is being served once it has an answer.
        try socket.sendAll(Array("PING\n".utf8))
        var answer: [UInt8] = []
        while answer.last != 0x0A { answer += try socket.readSome() ?? [] }
        let count = 3000
        try socket.sendAll(Array(String(repeating: "\(token) \(event)\n", count: count).utf8))
        #expect(eye.end(signal) == 0)
        let told = String(decoding: try socket.readToEnd(), as: UTF8.self)
        #expect(told.hasSuffix("+BYE received=\(count) accepted=\(count) rejected=0 duplicate=0\n"), "\(told)")
        let log = try eye.errorOutput.split(separator: "\n")
        #expect(!log.isEmpty)
        for line in log {
            let entry = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            #expect(entry?["level"] is String && entry?["message"] is String && entry?["time"] is String, "\(line)")
        }
        let again = try ServedEye(eye.folder)
        let found = try again.pages("/events/?limit=10000", token: token).flatMap(\.array)
        #expect(found.count == count)
    }

    /// Both sides, each a process of its own, stop taking a token that was revoked: at a new call and on open connections.
    @Test func aRevokedTokenIsSeenByBoth() throws {
        let ingest = try ServedEye(only: .ingest)
        let http = try ServedEye(ingest.folder, only: .http)
        try wait("the http process to be ready") { try http.call("GET", "/-/ready").status == 200 }
        let token = try ingest.addToken("soon gone", scope: "ingest,read")
        let socket = try Socket.connect(try SocketAddress.resolve(ingest.tcp))
        var unread: [UInt8] = []
        func reply(_ line: String) throws -> String {
            try socket.sendAll(Array("\(line)\n".utf8))
            while true {
                if let end = unread.firstIndex(of: 0x0A) {
                    defer { unread.removeFirst(end + 1) }
                    return String(decoding: unread[..<end], as: UTF8.self)
                }
                guard let more = try socket.readSome() else { return "" }
                unread += more
            }
        }
        #expect(try reply("MODE each").hasPrefix("+OK"))
        #expect(try reply("\(token) \(event)").hasPrefix("+OK 1 1"))
        #expect(try http.call("POST", "/events/", token: token, event).status == 201)
        #expect(try ingest.eye("token", "revoke", "soon gone").code == 0)
        try wait("ingest to refuse it on the open connection") {
            try reply("\(token) \(event)").split(separator: " ").dropFirst(2).first == "bad-token"
        }
        try wait("http to refuse a read") { try http.call("GET", "/events/", token: token).status == 401 }
        try wait("http to refuse a write") { try http.call("POST", "/events/", token: token, event).status == 401 }
    }
}
