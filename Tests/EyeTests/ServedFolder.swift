import EyeStore
import EyeSystem
import Foundation

/// A data folder with a running `eye serve` on its Unix socket alone; killed at the end.
final class ServedFolder {
    let folder: TemporaryFolder
    let token: String
    private var process: Process?

    init() throws {
        folder = try TemporaryFolder()
        guard let first = try AccountFile(RealDisk(), folder: folder.path, time: SystemTime()).firstStart() else {
            throw ServeFailure.notListening
        }
        token = first.token
        try start()
    }

    deinit { kill() }

    var socketPath: String { "\(folder.path)/ingest.sock" }

    /// Starts the service and waits until it listens.
    func start() throws {
        let process = Process()
        process.executableURL = CommandRun.executable
        process.arguments = [
            "serve", "--data", folder.path, "--only", "ingest", "--tcp", "off", "--udp", "off", "--loops", "1",
        ]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        self.process = process
        let address = try SocketAddress.path(socketPath)
        let patience = ContinuousClock.now + .seconds(20)
        while process.isRunning && ContinuousClock.now < patience {
            if (try? Socket.connect(address)) != nil { return }
            usleep(5000)
        }
        throw ServeFailure.notListening
    }

    /// Bytes of the log's files.
    func logBytes() throws -> Int {
        let log = "\(folder.path)/log"
        return try FileManager.default.contentsOfDirectory(atPath: log).reduce(0) { sum, name in
            var about = stat()
            // A file may be renamed meanwhile.
            return stat("\(log)/\(name)", &about) == 0 ? sum + Int(about.st_size) : sum
        }
    }

    /// SIGKILL: no time for anything.
    func kill() {
        guard let process, process.isRunning else { return }
        Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        self.process = nil
    }
}

enum ServeFailure: Error { case notListening }
