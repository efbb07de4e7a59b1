// A whole `eye serve` as a process on free ports: both sides, or one of them. What it greets with is read, as a person would;
// stdout and stderr are files, so nothing can fill up. Killed when its owner goes.

import Foundation
import Testing

/// A running `eye serve`.
final class ServedEye {
    /// The data folder; several processes may serve one.
    let folder: TemporaryFolder
    /// Everything that the greeting says.
    private(set) var greeting = ""
    private let process = Process()
    private let output: TemporaryFolder

    enum Side: String { case ingest, http }

    /// Starts it and waits for its greeting. `extra` comes last, so it may say other addresses.
    init(
        _ folder: TemporaryFolder? = nil, only side: Side? = nil, _ extra: [String] = [],
        executable: URL = CommandRun.executable
    ) throws {
        self.folder = try folder ?? TemporaryFolder()
        output = try TemporaryFolder()
        process.executableURL = executable
        process.arguments =
            [
                "serve", "--data", self.folder.path, "--tcp", "127.0.0.1:0", "--udp", "127.0.0.1:0", "--http",
                "127.0.0.1:0", "--loops", "2",
            ] + (side.map { ["--only", $0.rawValue] } ?? []) + extra
        process.environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("EYE_") }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try output.write("out")
        process.standardError = try output.write("err")
        try process.run()
        // Behind the first credentials it is written at once, so what ends with a line feed is whole.
        try wait("the greeting of eye serve; stderr: \(try output.read("err"))") {
            greeting = try output.read("out")
            return greeting.contains("The Eye ") && greeting.hasSuffix("\n") || !process.isRunning
        }
        if !process.isRunning {
            process.waitUntilExit()
            throw EndedEarly(
                code: process.terminationStatus, out: try output.read("out"), error: try output.read("err"))
        }
    }

    deinit { end(SIGKILL) }

    /// What it said on stderr so far.
    var errorOutput: String { get throws { try output.read("err") } }
    /// Its process id.
    var processID: Int32 { process.processIdentifier }
    /// Whether it runs.
    var isRunning: Bool { process.isRunning }

    /// Sends a signal and waits for the end; the exit code, or 128 + signal.
    @discardableResult func end(_ signal: Int32) -> Int32 {
        if process.isRunning { kill(process.processIdentifier, signal) }
        process.waitUntilExit()
        return process.terminationReason == .exit ? process.terminationStatus : 128 + process.terminationStatus
    }

    /// SIGHUP: read the settings again.
    func hangUp() { kill(process.processIdentifier, SIGHUP) }

    // MARK: What the greeting says

    /// `HOST:PORT` behind a word of the greeting.
    private func address(_ word: String) -> String {
        guard let range = greeting.range(of: word) else { return "" }
        return String(greeting[range.upperBound...].prefix { $0.isNumber || $0 == "." || $0 == ":" })
    }
    var tcp: String { address(" TCP ") }
    var udp: String { address(" UDP ") }
    var http: String { address(" http://") }
    var status: String { address("status   http://") }
    var tcpPort: String { String(tcp.split(separator: ":").last ?? "") }
    var udpPort: String { String(udp.split(separator: ":").last ?? "") }
    /// The token that the first start shows.
    var firstToken: String { ServedEye.firstToken(greeting) }
    /// The password that the first start shows.
    var firstPassword: String { ServedEye.firstPassword(greeting) }

    static func firstToken(_ text: String) -> String { lastWord(text, of: "ingest token") }
    static func firstPassword(_ text: String) -> String { lastWord(text, of: "admin password") }
    private static func lastWord(_ text: String, of start: String) -> String {
        let line = text.split(separator: "\n").first { $0.contains(start) } ?? ""
        return String(line.split(separator: " ").last ?? "")
    }

    // MARK: Accounts

    /// Runs `eye` on this folder.
    func eye(_ arguments: String..., input: String = "") throws -> CommandRun {
        try CommandRun(arguments + ["--data", folder.path], input: input)
    }

    /// Makes a token by `eye token add`.
    func addToken(_ name: String, scope: String) throws -> String {
        let run = try eye("token", "add", name, "--scope", scope)
        #expect(run.code == 0, "\(run.error)")
        return String(run.out.dropLast())
    }

    // MARK: HTTP

    /// One HTTP call on a connection of its own.
    func call(
        _ method: String, _ target: String, token: String? = nil, type: String? = "application/json",
        headers: [String] = [], _ body: String = ""
    ) throws -> HTTPAnswer {
        try call(method, target, token: token, type: type, headers: headers, body: Array(body.utf8))
    }

    func call(
        _ method: String, _ target: String, token: String? = nil, type: String? = "application/json",
        headers: [String] = [], body: [UInt8]
    ) throws -> HTTPAnswer {
        var fields = headers
        if let token { fields.append("Authorization: Token \(token)") }
        if let type, !body.isEmpty { fields.append("Content-Type: \(type)") }
        return try HTTPAnswer(of: method, target, at: http, fields: fields, body: body)
    }

    /// All pages of a list.
    func pages(_ target: String, token: String) throws -> [HTTPAnswer] {
        var found: [HTTPAnswer] = []
        var next: String? = target
        while let page = next {
            let answer = try call("GET", page, token: token)
            guard answer.status == 200 else { throw UnexpectedAnswer(target: page, text: answer.text) }
            found.append(answer)
            next = answer.next
        }
        return found
    }

    /// A number of `GET /metrics`.
    func metric(_ name: String) throws -> Int {
        let line = try call("GET", "/metrics").text.split(separator: "\n").first { $0.hasPrefix("\(name) ") }
        return Int(line?.split(separator: " ").last ?? "") ?? -1
    }
}

/// It ended instead of serving.
struct EndedEarly: Error {
    var code: Int32
    var out: String
    var error: String
}

/// An answer that the test cannot go on with.
struct UnexpectedAnswer: Error {
    var target: String
    var text: String
}

/// Waited in vain.
struct WaitedInVain: Error { var what: String }

/// Waits until `condition` holds; gives up after half a minute.
func wait(_ what: @autoclosure () throws -> String, _ condition: () throws -> Bool) throws {
    let patience = ContinuousClock.now + .seconds(30)
    while try !condition() {
        if ContinuousClock.now > patience { throw WaitedInVain(what: try what()) }
        usleep(3000)
    }
}

extension TemporaryFolder {
    /// A new file to write to.
    func write(_ name: String) throws -> FileHandle {
        try Data().write(to: URL(filePath: "\(path)/\(name)"))
        return try FileHandle(forWritingTo: URL(filePath: "\(path)/\(name)"))
    }

    /// A file's text.
    func read(_ name: String) throws -> String {
        String(decoding: try Data(contentsOf: URL(filePath: "\(path)/\(name)")), as: UTF8.self)
    }
}
