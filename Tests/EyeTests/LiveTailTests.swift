// `GET /events/live` and `eye tail` with whole processes: killed and started anew, followed by clients that want every event once.

import EyeSystem
import Foundation
import Testing

/// An `eye tail` that runs beside the test, its stdout a pipe, its stderr a file.
private final class RunningTail {
    let process = Process()
    private let out = Pipe()
    private let talk: TemporaryFolder
    private var read = Data()

    init(_ arguments: [String], environment: [String: String] = [:]) throws {
        talk = try TemporaryFolder()
        // Who runs the tests may ignore Ctrl-C, and that is passed on.
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["--default-signal=INT", CommandRun.executable.path, "tail"] + arguments
        var variables = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("EYE_") }
        variables.merge(environment) { $1 }
        process.environment = variables
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = out
        process.standardError = try talk.write("err")
        try process.run()
        try out.fileHandleForWriting.close()
    }

    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
    }

    var error: String { get throws { try talk.read("err") } }

    /// The first `count` lines, once they are there.
    func lines(_ count: Int) -> [String] {
        while read.count(where: { $0 == 0x0A }) < count {
            let more = out.fileHandleForReading.availableData
            if more.isEmpty { break }
            read.append(more)
        }
        return String(decoding: read, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    /// There is something to read.
    var hasOutput: Bool {
        var wanted = pollfd(fd: out.fileHandleForReading.fileDescriptor, events: Int16(POLLIN), revents: 0)
        return poll(&wanted, 1, 0) > 0
    }

    func stopReading() throws { try out.fileHandleForReading.close() }
}

/// A raw reader of a live stream.
private final class LiveReader {
    private let socket: Descriptor
    private(set) var text = ""

    init(_ eye: ServedEye, _ target: String, token: String, lastID: String? = nil) throws {
        socket = try Socket.connect(try SocketAddress.resolve(eye.http))
        var request = "GET \(target) HTTP/1.0\r\nAuthorization: Token \(token)\r\n"
        if let lastID { request += "Last-Event-ID: \(lastID)\r\n" }
        try socket.sendAll(Array("\(request)\r\n".utf8))
    }

    /// Reads until there are so many ids, or the stream ends.
    func ids(_ count: Int) throws -> [Int] {
        while found.count < count {
            // A server that is killed resets it.
            guard let more = try? socket.readSome() else { break }
            text += String(decoding: more, as: UTF8.self)
        }
        return found
    }

    private var found: [Int] {
        let whole = text.range(of: "\n\n", options: .backwards).map { text[..<$0.upperBound] } ?? ""
        return whole.matches(of: #/id: (\d+)\ndata: \{"id":(\d+),/#).compactMap { $0.1 == $0.2 ? Int($0.1) : nil }
    }
}

@Suite(.timeLimit(.minutes(2))) struct LiveTailTests {
    private func send(_ eye: ServedEye, _ token: String, _ numbers: ClosedRange<Int>) throws {
        #expect(try TestEvents.send(eye.folder.path, token: token, TestEvents.lines(numbers)) == 0)
    }

    private func numbers(_ lines: [String]) throws -> [Int] {
        try lines.map { line in
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            return try #require(object?["id"] as? Int)
        }
    }

    /// Both sides, each a process of its own, are killed and started anew: nothing is missed and nothing comes twice.
    @Test func resumesAfterAKill() throws {
        var ingest = try ServedEye(only: .ingest, ["--segment-bytes", "1M"])
        let folder = ingest.folder
        let token = try ingest.addToken("both", scope: "ingest,read")
        var http = try ServedEye(folder, only: .http)
        let port = http.http
        let tail = try RunningTail(["-n", "3", "--http", port, "--json"], environment: ["EYE_TOKEN": token])
        let reader = try LiveReader(http, "/events/live?after=0", token: token)
        try wait("both to listen") { try http.metric("eye_http_live_streams") == 2 }
        try send(ingest, token, 1...50)
        #expect(try reader.ids(50) == Array(1...50))
        _ = tail.lines(50)

        #expect(http.end(SIGKILL) == 128 + SIGKILL)
        #expect(ingest.end(SIGKILL) == 128 + SIGKILL)
        let before = try #require(try reader.ids(51).last)
        try wait("tail to notice") { try tail.error.contains("the service is away") }
        ingest = try ServedEye(folder, only: .ingest)
        try send(ingest, token, 51...150)
        http = try ServedEye(folder, only: .http, ["--http", port])
        let again = try LiveReader(http, "/events/live", token: token, lastID: "\(before)")
        try send(ingest, token, 151...200)
        #expect(try again.ids(150) == Array(51...200))
        #expect(try numbers(tail.lines(200)) == Array(1...200))
        #expect(try tail.error.hasSuffix("the service is back\n"))
        // Its reader goes, and it goes, without a word.
        try tail.stopReading()
        try send(ingest, token, 201...201)
        tail.process.waitUntilExit()
        #expect(tail.process.terminationReason == .exit && tail.process.terminationStatus == 0)

        // SIGTERM is not held up by streams.
        #expect(http.end(SIGTERM) == 0)
        #expect(ingest.end(SIGTERM) == 0)
    }

    @Test func tailAsksTheService() throws {
        let eye = try ServedEye()
        let token = try eye.addToken("both", scope: "ingest,read")
        try send(eye, token, 1...20)
        func once(_ arguments: String...) throws -> [String] {
            let run = try CommandRun(
                ["tail", "--once", "--http", eye.http] + arguments, environment: ["EYE_TOKEN": token])
            #expect(run.code == 0 && run.error.isEmpty, "\(run.error)")
            return run.out.split(separator: "\n").map(String.init)
        }
        #expect(try numbers(once()) == Array(11...20))
        #expect(try numbers(once("-n", "2", "data.n__lt=10")) == [8, 9])
        #expect(try numbers(once("--category", "none")) == [])
        #expect(
            try once("-n", "1", "--format", "text")
                == [#"2021-01-01T00:00:00.000000Z #20 e2085be5 c / n {"n":20,"pad":""}"#])

        let tail = try RunningTail(
            ["-n", "1", "--http", eye.http, "--format", "text", "--rejected", "data.n__gte=20"],
            environment: ["EYE_TOKEN": token])
        try wait("it to listen") { try eye.metric("eye_http_live_streams") == 1 }
        let refused = try CommandRun(
            ["send", "--tcp", eye.tcp], input: "{\"category\":\"\\u001b\"}\n", environment: ["EYE_TOKEN": token])
        #expect(refused.code == 1)
        let said = tail.lines(2)
        #expect(said.first?.hasPrefix("2021-01-01T00:00:00.000000Z #20 ") == true)
        #expect(said.last?.contains(" rejected #1 missing-field tcp 127.0.0.1:") == true, "\(said)")
        #expect(!said.joined().contains(token))
        try send(eye, token, 19...21)
        #expect(tail.lines(4).suffix(2).map { $0.split(separator: " ")[1] } == ["#22", "#23"])
        // Ctrl-C.
        kill(tail.process.processIdentifier, SIGINT)
        tail.process.waitUntilExit()
        #expect(tail.process.terminationReason == .uncaughtSignal && tail.process.terminationStatus == SIGINT)
        #expect(try tail.error.isEmpty)

        // The folder shows the same.
        let folder = try RunningTail(["-n", "0", "--data", eye.folder.path, "--rejected"])
        try wait("it to look") {
            _ = try CommandRun(["send", "--tcp", eye.tcp], input: "{}\n", environment: ["EYE_TOKEN": token])
            return folder.hasOutput
        }
        #expect(folder.lines(1).first?.hasPrefix("{\"rejected\":{\"id\":") == true)
    }

    /// A service that is away at the start is waited for like one that goes away later.
    @Test func waitsForTheFirstAnswer() throws {
        let folder = try TemporaryFolder()
        let token = try TestEvents.token(folder)
        let reading = try TestEvents.readToken(folder)
        // A port that was free a moment ago.
        let port = try ServedEye(folder, only: .http).http
        let tail = try RunningTail(["--http", port, "--json"], environment: ["EYE_TOKEN": reading])
        try wait("tail to notice") { try tail.error.contains("waiting for it") }
        #expect(try tail.error.hasPrefix("the service is away (\(port): connect: "))
        let eye = try ServedEye(folder, ["--http", port])
        try send(eye, token, 1...3)
        #expect(try numbers(tail.lines(3)) == [1, 2, 3])
        #expect(try tail.error.hasSuffix("the service is back\n"))
    }

    @Test func damageIsToldByTail() throws {
        let folder = try TemporaryFolder()
        try TestEvents.write(folder.path, 1...9, padding: 100)
        let path = "\(folder.path)/log/00000000000000000001.log"
        let bytes = try Data(contentsOf: URL(filePath: path))
        let place = try #require(bytes.range(of: Data(#""n":5,"pad":""#.utf8)))
        try flip(path, at: UInt64(place.upperBound + 50))
        let eye = try ServedEye(folder, only: .http)
        let token = try eye.addToken("r", scope: "read")
        let run = try CommandRun(["tail", "--once", "--http", eye.http], environment: ["EYE_TOKEN": token])
        #expect(try numbers(run.out.split(separator: "\n").map(String.init)) == [1, 2, 3, 4, 6, 7, 8, 9])
        #expect(run.error == "events 5 to 5 may be missing here: the store is damaged there\n")
        let live = try LiveReader(eye, "/events/live?after=0&limit=8", token: token)
        #expect(try live.ids(8) == [1, 2, 3, 4, 6, 7, 8, 9])
        #expect(live.text.contains("event: damage\ndata: {\"first\":5,\"last\":5}\n\n"))
    }

    @Test func whatItCannot() throws {
        let eye = try ServedEye()
        func fails(_ code: Int32, _ says: String, _ arguments: [String], token: String? = nil) throws {
            let run = try CommandRun(["tail"] + arguments, environment: token.map { ["EYE_TOKEN": $0] } ?? [:])
            #expect(run.code == code && run.error.contains(says) && run.out.isEmpty, "\(run.error)")
        }
        try fails(1, "the service says 403: You do not have permission", ["--http", eye.http], token: eye.firstToken)
        try fails(1, "the service says 401: Invalid token.", ["--http", eye.http], token: "wrong")
        try fails(1, "127.0.0.1:1: ", ["--http", "127.0.0.1:1", "--once"], token: "wrong")
        try fails(2, "a token is needed", ["--http", eye.http])
        try fails(2, "give one of --data and --http", ["--http", eye.http, "--data", eye.folder.path])
        try fails(2, "did you mean category?", ["--data", eye.folder.path, "categorie=a"])
        try fails(2, "'a' is no filter", ["--data", eye.folder.path, "a"])
        try fails(2, "give one of --json and --format text", ["--data", eye.folder.path, "--json", "--format", "text"])
    }
}
