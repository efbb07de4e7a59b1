// The HTTP service as a whole: binds in `start`, then one thread for the loop and one for the hasher. Runs beside the ingest
// side in one process or alone, and knows nothing of it but the data folder. `start` and `stop` from any thread.

import EyeStore
import EyeSystem
import Synchronization

/// Where and how the service runs.
public struct HTTPOptions: Sendable {
    /// The data folder.
    public var folder: String
    /// Where to listen; port 0: any free one.
    public var address: SocketAddress
    public var connectionsMax = HTTPLimits.connectionsMax
    /// An event's timestamp may be this much later than now.
    public var futureMicroseconds: Int64 = 5_000_000
    /// Origins whose web pages may use the service, such as `https://app.example.com`; see `isOrigin`.
    public var origins: [String] = []
    /// Bytes of store index blocks kept in memory.
    public var reader = ReaderLimits()

    public init(folder: String, address: SocketAddress) {
        self.folder = folder
        self.address = address
    }

    /// Whether `text` is one origin: `scheme://host[:port]` in lower case.
    public static func isOrigin(_ text: String) -> Bool { CrossOrigin.isOrigin(text) }

    /// The ingest side's socket in the data folder.
    public static let controlSocketName = "control.sock"
}

/// The query service.
public final class HTTPService: Sendable {
    private struct Running {
        var loop: HTTPLoop
        var thread: Thread
        var hasher: PasswordHasher
    }

    private let options: HTTPOptions
    private let disk: any Disk
    private let time: any TimeSource
    private let log: Log
    private let running = Mutex<Running?>(nil)

    public init(_ options: HTTPOptions, disk: any Disk, time: any TimeSource, log: Log) {
        self.options = options
        self.disk = disk
        self.time = time
        self.log = log
    }

    /// Where it listens, once started.
    public var address: SocketAddress? { running.withLock { $0?.loop.address } }

    /// Binds and starts to serve. Throws when the address is taken (EADDRINUSE, EACCES, …) or the system has no room.
    public func start() throws(SystemError) {
        let loop = try HTTPLoop(
            address: options.address, connectionsMax: options.connectionsMax, time: time, log: log)
        let file = AccountFile(disk, folder: options.folder, time: time)
        let hasher = try PasswordHasher(accounts: file, done: loop.waker)
        try hasher.start()
        let (options, disk, time, log) = (options, disk, time, log)
        let thread = try Thread.start(name: "eye-http") {
            HTTPService.run(loop, file, hasher, options, disk, time, log)
        }
        running.withLock { $0 = Running(loop: loop, thread: thread, hasher: hasher) }
    }

    /// Stops accepting, finishes what is being answered (at most `HTTPLimits.drainMilliseconds`), and returns.
    public func stop() {
        guard let running = running.withLock({ $0.take() }) else { return }
        running.loop.stop()
        running.thread.join()
        running.hasher.stop()
    }

    /// The loop's thread: everything below belongs to it alone.
    private static func run(
        _ loop: HTTPLoop, _ file: AccountFile, _ hasher: PasswordHasher, _ options: HTTPOptions, _ disk: any Disk,
        _ time: any TimeSource, _ log: Log
    ) {
        let path = "\(options.folder)/\(HTTPOptions.controlSocketName)"
        let channel = ControlChannel(path: path, loop: loop, time: time)
        let erasures = ControlChannel(
            path: path, loop: loop, time: time, patienceMilliseconds: HTTPLimits.erasureMilliseconds)
        let accounts = AccountWatch(file, channel: channel, time: time, log: log)
        let logins = LoginDesk(hasher, accounts: accounts, time: time, log: log)
        let store = EventSource(disk, folder: options.folder, limits: options.reader)
        let writes = WriteDesk(
            channel: channel, erasures: erasures, rejects: RejectReporter(channel, time: time), store: store,
            time: time,
            futureMicroseconds: options.futureMicroseconds)
        let responder = EyeResponder(
            loop: loop, accounts: accounts, logins: logins, writes: writes, channel: channel, store: store,
            metrics: HTTPMetrics(), origins: options.origins, time: time)
        loop.onWake = { logins.settle() }
        do throws(SystemError) {
            try loop.run(responder)
        } catch {
            log.error("the HTTP service has ended", ["cause": error.description])
        }
        channel.close()
        erasures.close()
        loop.onWake = nil
    }
}
