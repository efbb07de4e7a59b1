import EyeStore
import EyeSystem
import Foundation

/// An `eye serve` on a data folder, with what it said; killed at the end.
final class ServedStore {
    let folder: String
    private let talk: TemporaryFolder
    let process = Process()

    /// Starts it; `arguments` follow `serve --data DIR`. `isReadOnly`: in a mount namespace of its own, where the folder cannot be written.
    init(
        _ folder: String, _ arguments: [String] = ServedStore.ingestOnly, environment: [String: String] = [:],
        isReadOnly: Bool = false
    ) throws {
        self.folder = folder
        talk = try TemporaryFolder()
        let call = ["serve", "--data", folder, "--loops", "1"] + arguments
        if isReadOnly {
            process.executableURL = URL(filePath: "/usr/bin/unshare")
            let mount = #"mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$0" "$@""#
            process.arguments = ["-rm", "sh", "-c", mount, CommandRun.executable.path, folder] + call
        } else {
            process.executableURL = CommandRun.executable
            process.arguments = call
        }
        var variables = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("EYE_") }
        variables.merge(environment) { $1 }
        process.environment = variables
        for name in ["out", "err"] {
            try Data().write(to: URL(filePath: "\(talk.path)/\(name)"))
        }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: URL(filePath: "\(talk.path)/out"))
        process.standardError = try FileHandle(forWritingTo: URL(filePath: "\(talk.path)/err"))
        try process.run()
    }

    deinit { kill() }

    /// Whether `isReadOnly` works here.
    static let canMountReadOnly: Bool = {
        guard FileManager.default.isExecutableFile(atPath: "/usr/bin/unshare") else { return false }
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/unshare")
        process.arguments = ["-rm", "true"]
        process.standardError = FileHandle.nullDevice
        do { try process.run() } catch { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }()

    static let ingestOnly = ["--only", "ingest", "--tcp", "off", "--udp", "off", "--min-free-bytes", "0"]
    static let both = ["--tcp", "off", "--udp", "off", "--http", "127.0.0.1:0", "--min-free-bytes", "0"]

    /// What it said so far.
    var out: String { said("\(talk.path)/out") }
    var log: String { said("\(talk.path)/err") }

    /// Waits until it has said what it listens on; false: it ended before.
    func isReady() throws -> Bool {
        while true {
            if out.contains("The Eye") && out.hasSuffix("\n") { return true }
            if !process.isRunning { return false }
            usleep(5000)
        }
    }

    /// Waits for its end; the exit code, 128 + the signal's number after a signal.
    func wait() -> Int32 {
        process.waitUntilExit()
        return process.terminationReason == .exit ? process.terminationStatus : 128 + process.terminationStatus
    }

    /// SIGKILL: no time for anything.
    func kill() {
        guard process.isRunning else { return }
        Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// SIGTERM, and the exit code.
    func stop() -> Int32 {
        process.terminate()
        return wait()
    }

    /// Where HTTP is spoken, as it said.
    var httpPlace: String {
        get throws {
            guard let line = out.split(separator: "\n").first(where: { $0.contains("  queries  http://") }),
                let place = line.split(separator: "/").last(where: { $0.contains(":") })
            else { throw ServeFailure.notListening }
            return String(place)
        }
    }

    /// The whole answer to a GET, with its head and trailers.
    func get(_ path: String, token: String? = nil) throws -> String {
        let place = try httpPlace
        let socket = try Socket.connect(SocketAddress.resolve(place))
        let authorization = token.map { "Authorization: Token \($0)\r\n" } ?? ""
        let request = Array("GET \(path) HTTP/1.1\r\nHost: \(place)\r\n\(authorization)Connection: close\r\n\r\n".utf8)
        guard write(socket.number, request, request.count) == request.count else { throw ServeFailure.notListening }
        var answer: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let got = read(socket.number, &chunk, chunk.count)
            if got <= 0 { return String(decoding: answer, as: UTF8.self) }
            answer += chunk[..<got]
        }
    }
}

/// An `eye send` that runs beside the test.
final class RunningSender {
    let process = Process()
    private let talk: TemporaryFolder

    /// Sends `lines` to the Unix socket of `folder`, exactly once, through whatever happens to the service.
    init(_ folder: String, token: String, client: String, lines: [String], rate: Int) throws {
        talk = try TemporaryFolder()
        try Data(lines.map { $0 + "\n" }.joined().utf8).write(to: URL(filePath: "\(talk.path)/lines"))
        try Data().write(to: URL(filePath: "\(talk.path)/err"))
        process.executableURL = CommandRun.executable
        process.arguments = [
            "send", "--unix", "\(folder)/ingest.sock", "--client-id", client, "--rate", "\(rate)", "\(talk.path)/lines",
        ]
        var variables = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("EYE_") }
        variables["EYE_TOKEN"] = token
        process.environment = variables
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = try FileHandle(forWritingTo: URL(filePath: "\(talk.path)/err"))
        try process.run()
    }

    deinit {
        if process.isRunning {
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }
    }

    var error: String { said("\(talk.path)/err") }

    /// What it said, but for the words about a service that is away.
    var complaints: [Substring] {
        error.split(separator: "\n").filter {
            !$0.contains("waiting for the service") && !$0.contains("the service takes events again")
        }
    }

    func wait() -> Int32 {
        process.waitUntilExit()
        return process.terminationStatus
    }
}

/// What the tests send and read.
enum TestEvents {
    /// Events with the numbers in `range`, each with about `padding` bytes more.
    static func lines(_ range: ClosedRange<Int>, padding: Int = 0) -> [String] {
        let pad = String(repeating: "x", count: padding)
        return range.map {
            #"{"session_id":"e2085be5-9137-4e4e-80b5-f1ffddc25423","category":"c","name":"n","data":{"n":\#($0),"pad":"\#(pad)"},"timestamp":"2021-01-01T00:00:00Z"}"#
        }
    }

    /// Ids and numbers of all events of a folder (at most 10,000), oldest first, straight from its files.
    static func stored(_ folder: String) throws -> [(id: Int, number: Int)] {
        let run = try CommandRun(["tail", "--once", "-n", "10000", "--format", "json", "--data", folder])
        guard run.code == 0 else { throw ServeFailure.notListening }
        return try run.out.split(separator: "\n").map { line in
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            return (object?["id"] as? Int ?? 0, (object?["data"] as? [String: Any])?["n"] as? Int ?? 0)
        }
    }

    /// A fresh folder's first ingest token.
    static func token(_ folder: TemporaryFolder) throws -> String {
        guard let first = try AccountFile(RealDisk(), folder: folder.path, time: SystemTime()).firstStart() else {
            throw ServeFailure.notListening
        }
        return first.token
    }

    /// Another token, for reading.
    static func readToken(_ folder: TemporaryFolder) throws -> String {
        try AccountFile(RealDisk(), folder: folder.path, time: SystemTime()).addToken(named: "r", scopes: .read).secret
    }

    /// Writes the events `numbers` without a service, in segments of a megabyte that get an index and stay in the log.
    static func write(_ folder: String, _ numbers: ClosedRange<Int>, padding: Int) throws {
        var options = StoreOptions()
        options.segmentBytes = 1 << 20
        options.minFreeBytes = 0
        options.seals = false
        let writer = try StoreWriter.open(RealDisk(), folder: folder, options: options)
        let pad = String(repeating: "x", count: padding)
        for number in numbers {
            let key = EventKey(received: 1, timestamp: 1, session: ID128(high: 1, low: 1), token: 1, eventID: nil)
            let (text, data) = (Array("c".utf8), Array(#"{"n":\#(number),"pad":"\#(pad)"}"#.utf8))
            let frame = Frame()
            let isTaken = text.withUnsafeBytes { text in
                data.withUnsafeBytes { frame.appendEvent(key, category: text, name: text, data: $0) }
            }
            guard isTaken, try writer.commit([frame]) == .durable else { throw ServeFailure.notListening }
        }
        while try writer.maintain() {}
        try writer.close()
    }

    /// Sends `lines` and expects all of them to be stored.
    static func send(_ folder: String, token: String, _ lines: [String]) throws -> Int32 {
        try CommandRun(
            ["send", "--unix", "\(folder)/ingest.sock"], input: lines.map { $0 + "\n" }.joined(),
            environment: ["EYE_TOKEN": token]
        ).code
    }
}

/// The content of a file that a process writes to.
private func said(_ path: String) -> String {
    String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
}
