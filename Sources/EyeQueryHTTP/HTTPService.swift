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
    /// Where health, readiness and metrics are answered on a loop of their own; nil: only with everything else.
    public var status: SocketAddress?
    public var connectionsMax = HTTPLimits.connectionsMax
    /// An event's timestamp may be this much later than now.
    public var futureMicroseconds: Int64 = 5_000_000
    /// Origins whose web pages may use the service, such as `https://app.example.com`; see `isOrigin`.
    public var origins: [String] = []
    /// A log line for each request.
    public var hasAccessLog = false
    /// What the store's reader may keep.
    public var reader = ReaderLimits()

    public init(folder: String, address: SocketAddress) {
        reader.folderLookNanoseconds = HTTPLimits.folderLookMilliseconds * 1_000_000
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
        var status: (loop: HTTPLoop, thread: Thread)?
    }

    private let options: HTTPOptions
    private let disk: any Disk
    private let time: any TimeSource
    private let log: Log
    private let accessLog: AccessLog
    private let running = Mutex<Running?>(nil)

    public init(_ options: HTTPOptions, disk: any Disk, time: any TimeSource, log: Log) {
        self.options = options
        self.disk = disk
        self.time = time
        self.log = log
        accessLog = AccessLog(log, isOn: options.hasAccessLog)
    }

    /// Where it listens, once started.
    public var address: SocketAddress? { running.withLock { $0?.loop.address } }

    /// Where the status service listens, if there is one and it is started.
    public var statusAddress: SocketAddress? { running.withLock { $0?.status?.loop.address } }

    /// Whether requests are logged from now on. Any thread.
    public func setAccessLog(_ isOn: Bool) { accessLog.set(isOn) }

    /// How often each loop has turned; wakes them, so that they turn once more. Any thread.
    public func turns() -> [UInt64] {
        running.withLock { running in
            guard let running else { return [] }
            return [running.loop.takePulse()] + (running.status.map { [$0.loop.takePulse()] } ?? [])
        }
    }

    /// Binds and starts to serve. Throws when the address is taken (EADDRINUSE, EACCES, …) or the system has no room.
    public func start() throws(SystemError) {
        let loop = try HTTPLoop(
            address: options.address, connectionsMax: options.connectionsMax, time: time, log: log)
        let metrics = HTTPMetrics()
        // Bound before anything is served, like everything else.
        var statusLoop: HTTPLoop?
        if let address = options.status {
            statusLoop = try HTTPLoop(
                address: address, connectionsMax: HTTPLimits.statusConnectionsMax, time: time, log: log)
        }
        let file = AccountFile(disk, folder: options.folder, time: time)
        let hasher = try PasswordHasher(accounts: file, done: loop.waker)
        try hasher.start()
        let (options, disk, time, log, accessLog) = (options, disk, time, log, accessLog)
        let thread = try Thread.start(name: "eye-http") {
            HTTPService.run(loop, file, hasher, options, disk, time, log, accessLog, metrics)
        }
        var made = Running(loop: loop, thread: thread, hasher: hasher)
        if let statusLoop {
            let thread = try Thread.start(name: "eye-status") {
                StatusService.run(statusLoop, beside: loop, metrics, options, disk, time, log)
            }
            made.status = (statusLoop, thread)
        }
        running.withLock { [made] in $0 = made }
    }

    /// Stops accepting, finishes what is being answered (at most `HTTPLimits.drainMilliseconds`), and returns.
    public func stop() {
        guard let running = running.withLock({ $0.take() }) else { return }
        running.loop.stop()
        running.thread.join()
        running.status?.loop.stop()
        running.status?.thread.join()
        running.hasher.stop()
    }

    /// The loop's thread: everything below belongs to it alone.
    private static func run(
        _ loop: HTTPLoop, _ file: AccountFile, _ hasher: PasswordHasher, _ options: HTTPOptions, _ disk: any Disk,
        _ time: any TimeSource, _ log: Log, _ accessLog: AccessLog,
        _ metrics: HTTPMetrics
    ) {
        let path = "\(options.folder)/\(HTTPOptions.controlSocketName)"
        let channel = ControlChannel(path: path, loop: loop, time: time)
        // On a way of its own: what the ingest side is like is also told while lines wait for its disk.
        let asking = ControlChannel(
            path: path, loop: loop, time: time, patienceMilliseconds: HTTPLimits.ingestAnswerMilliseconds)
        let erasures = ControlChannel(
            path: path, loop: loop, time: time, patienceMilliseconds: HTTPLimits.erasureMilliseconds)
        asking.onUp = { [unowned channel, unowned erasures] in
            channel.tryAgain()
            erasures.tryAgain()
        }
        let accounts = AccountWatch(file, channel: channel, time: time, log: log)
        let logins = LoginDesk(hasher, accounts: accounts, time: time, log: log)
        let store = EventSource(disk, folder: options.folder, limits: options.reader)
        let writes = WriteDesk(
            channel: channel, erasures: erasures, rejects: RejectReporter(channel, time: time, metrics: metrics),
            store: store, time: time,
            futureMicroseconds: options.futureMicroseconds)
        let responder = EyeResponder(
            loop: loop, accounts: accounts, logins: logins, writes: writes, channel: channel, asking: asking,
            store: store,
            metrics: metrics, accessLog: accessLog, origins: options.origins, time: time)
        // The loop keeps it.
        _ = StoreLook(loop: loop, store: store)
        loop.onWake = { logins.settle() }
        if options.status != nil { loop.onTurn = { responder.publishGauges() } }
        do throws(SystemError) {
            try loop.run(responder)
        } catch {
            log.error("the HTTP service has ended", ["cause": error.description])
        }
        channel.close()
        asking.close()
        erasures.close()
        loop.onWake = nil
        loop.onTurn = nil
    }
}
