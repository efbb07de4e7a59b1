import EyeStore
import EyeSystem
import Foundation

/// Tests that take minutes at their full size are short unless EYE_LONG_TESTS=1. The long ones may be pointed at an optimised
/// build by EYE_TEST_EXECUTABLE, and append what they measured to the file EYE_REPORT.
enum LongTests {
    static let executable =
        ProcessInfo.processInfo.environment["EYE_TEST_EXECUTABLE"].map { URL(filePath: $0) } ?? CommandRun.executable

    static func report(_ line: String) {
        print(line)
        guard let path = ProcessInfo.processInfo.environment["EYE_REPORT"] else { return }
        if !FileManager.default.fileExists(atPath: path) {
            _ = FileManager.default.createFile(atPath: path, contents: nil)
        }
        guard let file = FileHandle(forWritingAtPath: path) else { return }
        file.seekToEndOfFile()
        file.write(Data("\(line)\n".utf8))
        file.closeFile()
    }
}

/// An `eye serve` process of its own with all ingest transports, and what the kernel says about it.
final class AbusedServer {
    let folder: TemporaryFolder
    let token: String
    let tcp: SocketAddress
    let udp: String
    let tcpText: String
    let process = Process()
    let began = ContinuousClock.now

    /// `openFiles`: RLIMIT_NOFILE of the process, soft and hard.
    init(openFiles: Int? = nil, loops: Int = 2) throws {
        folder = try TemporaryFolder()
        guard let first = try AccountFile(RealDisk(), folder: folder.path, time: SystemTime()).firstStart() else {
            throw ServeFailure.notListening
        }
        token = first.token
        let limit = openFiles.map { "ulimit -n \($0); " } ?? ""
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = [
            "-c", limit + "exec \"$@\"", "sh", LongTests.executable.path, "serve", "--data", folder.path, "--only",
            "ingest", "--tcp", "127.0.0.1:0", "--udp", "127.0.0.1:0", "--loops", "\(loops)",
        ]
        for name in ["out.txt", "err.txt"] {
            _ = FileManager.default.createFile(atPath: "\(folder.path)/\(name)", contents: nil)
        }
        process.standardOutput = FileHandle(forWritingAtPath: "\(folder.path)/out.txt")
        process.standardError = FileHandle(forWritingAtPath: "\(folder.path)/err.txt")
        try process.run()
        let patience = ContinuousClock.now + .seconds(20)
        while true {
            let greeting = try String(contentsOfFile: "\(folder.path)/out.txt", encoding: .utf8)
            if let match = greeting.firstMatch(of: #/TCP (\S+)  UDP (\S+)  /#) {
                tcpText = String(match.1)
                udp = String(match.2)
                tcp = try SocketAddress.resolve(tcpText)
                return
            }
            guard process.isRunning && ContinuousClock.now < patience else {
                print(try String(contentsOfFile: "\(folder.path)/err.txt", encoding: .utf8))
                throw ServeFailure.notListening
            }
            usleep(5000)
        }
    }

    deinit {
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// Stops the process in its tracks, or lets it go on.
    func signal(_ number: Int32) { kill(process.processIdentifier, number) }

    /// Stops it, and waits until every thread of it stands still.
    func pause() throws {
        signal(SIGSTOP)
        let tasks = "/proc/\(process.processIdentifier)/task"
        while try FileManager.default.contentsOfDirectory(atPath: tasks).contains(where: {
            try !String(contentsOfFile: "\(tasks)/\($0)/stat", encoding: .utf8).contains(") T ")
        }) { usleep(1_000) }
    }

    private func proc(_ name: String) throws -> String {
        try String(contentsOfFile: "/proc/\(process.processIdentifier)/\(name)", encoding: .utf8)
    }

    /// Resident memory in KiB.
    func residentKiB() throws -> Int {
        Int(try proc("status").firstMatch(of: #/VmRSS:\s+(\d+) kB/#)?.1 ?? "") ?? 0
    }

    /// Ticks (hundredths of a second) of processor time so far.
    func ticks() throws -> Int {
        // Behind the name in parentheses: state is field 3, utime 14, stime 15.
        let fields = try proc("stat").split(separator: ")").last!.split(separator: " ")
        return Int(fields[11])! + Int(fields[12])!
    }

    func logLines() throws -> Int {
        try Data(contentsOf: URL(filePath: "\(folder.path)/err.txt")).count { $0 == 0x0A }
    }

    /// Log lines that ten a second allow since the start.
    var logLinesAllowed: Int { 10 * Int((ContinuousClock.now - began).components.seconds + 1) }

    /// METRICS of the control socket, by name with labels.
    func metrics() throws -> [String: UInt64] {
        let client = try connectUnix("control.sock")
        try client.send("METRICS\n")
        let head = try client.readLine()
        var values: [String: UInt64] = [:]
        for _ in 0..<(Int(head.split(separator: " ").last ?? "") ?? 0) {
            let words = try client.readLine().split(separator: " ")
            if words.count == 2, let value = UInt64(words[1]) { values[String(words[0])] = value }
        }
        return values
    }

    /// `eye bench … --json` against this server.
    func bench(_ arguments: [String]) throws -> [String: Any] {
        let process = Process()
        process.executableURL = LongTests.executable
        process.arguments = ["bench", "--json"] + arguments
        process.environment = ["EYE_TOKEN": token]
        let out = "\(folder.path)/bench-\(UUID().uuidString)"
        _ = FileManager.default.createFile(atPath: out, contents: nil)
        process.standardOutput = FileHandle(forWritingAtPath: out)
        try process.run()
        process.waitUntilExit()
        let object = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: out)))
        return object as? [String: Any] ?? [:]
    }

    func line(_ number: Int = 1) -> String {
        #"\#(token) {"session_id":"e2085be5-9137-4e4e-80b5-f1ffddc25423","category":"c","name":"n","data":{"n":\#(number)},"timestamp":"2021-01-01T00:00:00Z"}"#
            + "\n"
    }

    func connect() throws -> AbuseClient { try AbuseClient(tcp) }
    func connectUnix(_ name: String = "ingest.sock") throws -> AbuseClient {
        try AbuseClient(SocketAddress.path("\(folder.path)/\(name)"))
    }
}

/// A blocking socket that gives up after some seconds instead of hanging.
final class AbuseClient {
    struct Silence: Error {}
    let socket: Descriptor
    private var unread: [UInt8] = []

    init(_ address: SocketAddress) throws {
        socket = try Socket.connect(address)
        if !address.isUnix { try Socket.tune(socket.number) }
        var limit = timeval(tv_sec: 60, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(socket.number, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
    }

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) throws {
        var from = 0
        while from < bytes.count {
            guard case .bytes(let count) = try Socket.send(socket.number, bytes, from: from) else { throw Silence() }
            from += count
        }
    }

    /// Sends what goes without waiting; false when nothing went.
    func sendSome(_ bytes: [UInt8]) -> Bool {
        Glibc.send(socket.number, bytes, bytes.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)) > 0
    }

    func readLine() throws -> String {
        while true {
            if let end = unread.firstIndex(of: 0x0A) {
                defer { unread.removeFirst(end + 1) }
                return String(decoding: unread[..<end], as: UTF8.self)
            }
            try receive()
        }
    }

    func read(_ count: Int) throws -> [UInt8] {
        while unread.count < count { try receive() }
        defer { unread.removeFirst(count) }
        return Array(unread[..<count])
    }

    /// Reads the `+OK n id` of a line; its id.
    func storedID() throws -> UInt64 {
        let words = try readLine().split(separator: " ")
        guard words.count == 3, words[0] == "+OK", let id = UInt64(words[2]) else { throw Silence() }
        return id
    }

    private func receive() throws {
        var room = [UInt8](repeating: 0, count: 65_536)
        guard case .bytes(let count) = try Socket.receive(socket.number, into: &room) else { throw Silence() }
        unread += room[..<count]
    }
}

/// A client as it should be: asks for acks, sends a line, waits until it is durable.
final class HealthyClient {
    private let client: AbuseClient
    private let server: AbusedServer
    private var sent = 0

    init(_ server: AbusedServer) throws {
        self.server = server
        client = try server.connect()
        try client.send("MODE acks\n")
        guard try client.readLine() == "+OK acks" else { throw AbuseClient.Silence() }
    }

    /// Throws if an acknowledgement does not come.
    func go(_ lines: Int) throws {
        for _ in 0..<lines {
            sent += 1
            try client.send(server.line(sent))
            guard try client.readLine() == "+ACK \(sent)" else { throw AbuseClient.Silence() }
        }
    }
}
