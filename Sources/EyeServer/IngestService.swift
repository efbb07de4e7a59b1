// The ingest side as a whole: opens the store for writing, listens, starts the threads, and ends them in order: loops read
// what is in their sockets and settle, the appender makes it durable, the store is closed. Made, started and stopped by the
// main thread.

import EyeStore
import EyeSystem
import EyeWire
import Glibc
import Synchronization

/// Why the service did not start.
public enum IngestStartError: Error, Sendable, CustomStringConvertible {
    /// The data folder is locked, newer, or unusable: exit code 4.
    case store(StoreOpenError)
    /// The accounts cannot be read: exit code 4.
    case accounts(AccountError)
    /// An address cannot be bound: exit code 3.
    case bind(address: String, String)
    /// The kernel refused something else: exit code 1.
    case system(SystemError)

    public var description: String {
        switch self {
        case .store(let error): "\(error)"
        case .accounts(let error): "\(error)"
        case .bind(let address, let why):
            "cannot listen on \(address): \(why); is another eye running? choose another address or stop it"
        case .system(let error): "\(error)"
        }
    }
}

/// The running ingest side.
public final class IngestService {
    /// Names of the Unix sockets in the data folder.
    public static let ingestSocketName = "ingest.sock"
    public static let controlSocketName = "control.sock"

    /// Where TCP and UDP listen, with the ports that the kernel chose; nil for not at all.
    public let tcpAddress: SocketAddress?
    public let udpAddress: SocketAddress?
    public let recovery: RecoveryReport
    /// What the start found damaged among the samples of refused lines, in words.
    public let sampleDamage: [String]

    let admission: Admission
    private let writer: StoreWriter
    private let queue: CommitQueue
    private let appender: Appender
    private let loops: [IngestLoop]
    private let housekeeping: Housekeeping
    private let erasures: ErasureDesk
    private let options: IngestOptions
    private let log: Log
    private var loopThreads: [Thread] = []
    private var appenderThread: Thread?
    private var erasingThread: Thread?
    private var otherThreads: [Thread] = []

    /// Opens the store and binds every socket; nothing is read before `start`.
    /// - Parameter fatal: called on the appender thread when the disk has failed for good; must end the process.
    public init(
        _ options: IngestOptions, store storeOptions: StoreOptions, disk: any Disk, time: any TimeSource, log: Log,
        fatal: @escaping @Sendable (SystemError) -> Never
    ) throws(IngestStartError) {
        precondition((1...IngestLimits.loopsMax).contains(options.loops))
        self.options = options
        self.log = log
        do throws(StoreOpenError) {
            writer = try StoreWriter.open(disk, folder: options.folder, options: storeOptions, time: time)
        } catch {
            throw .store(error)
        }
        recovery = writer.recovery
        let accounts: AccountsView
        do throws(AccountError) {
            accounts = try AccountsView(AccountFile(disk, folder: options.folder, time: time), log: log)
        } catch {
            throw .accounts(error)
        }
        do {
            let wakes = try (0..<options.loops).map { _ in try WakeSignal() }
            queue = try CommitQueue(loopWakes: wakes)
            appender = Appender(writer: writer, queue: queue, time: time, log: log, fatal: fatal)
            let samples = try SampleQueue()
            let tokenUse = TokenUseNotes()
            admission = Admission()
            let metrics = MetricsSource()
            let rejected = try IngestService.openRejected(options, storeOptions, disk, time)
            sampleDamage = rejected.damage
            housekeeping = try Housekeeping(
                disk: disk, options: options, writer: writer, accounts: accounts,
                samples: samples, tokenUse: tokenUse, rejected: rejected, time: time, log: log)
            erasures = try ErasureDesk(
                disk: disk, folder: options.folder, queue: queue, housekeeping: housekeeping, time: time, log: log)
            let context = LoopContext(
                options: options, queue: queue, appender: appender, accounts: accounts, samples: samples,
                sampleBudget: SampleBudget(), erasures: erasures, clients: ClientRegistry(), tokenUse: tokenUse,
                admission: admission, time: time,
                log: log,
                metrics: { metrics.text() })
            udpAddress = try IngestService.tryDatagrams(options)
            var made: [IngestLoop] = []
            for (index, wake) in wakes.enumerated() {
                if let udpAddress {
                    let socket = try Socket.bindDatagram(
                        udpAddress, sharePort: true, receiveBytes: IngestLimits.datagramBufferBytes)
                    if index == 0 { try IngestService.tellBuffer(socket.number, log) }
                    made.append(try IngestLoop(index: index, wake: wake, context: context, datagrams: socket))
                } else {
                    made.append(try IngestLoop(index: index, wake: wake, context: context, datagrams: nil))
                }
            }
            loops = made
            for loop in loops { loop.loops = loops }
            erasures.loops = loops
            metrics.set(
                loops: loops, queue: queue, appender: appender, admission: admission, samples: samples,
                housekeeping: housekeeping, recovery: recovery, damagedSamples: sampleDamage.count)
            tcpAddress = try IngestService.listenTCP(options, loops)
            try IngestService.listenPaths(options, loops)
        } catch let error as SystemError {
            throw .system(error)
        } catch let error as IngestStartError {
            throw error
        } catch {
            preconditionFailure("every error above is one of these: \(error)")
        }
    }

    private static func openRejected(
        _ options: IngestOptions, _ store: StoreOptions, _ disk: any Disk, _ time: any TimeSource
    ) throws -> RejectedLog {
        do throws(StoreOpenError) {
            return try RejectedLog.open(
                disk, folder: options.folder, bytesMax: options.rejectedBytes, options: store, time: time)
        } catch {
            throw IngestStartError.store(error)
        }
    }

    // MARK: - Sockets

    /// Binds UDP once without sharing the port, so that a second process is noticed; returns the address to share.
    private static func tryDatagrams(_ options: IngestOptions) throws -> SocketAddress? {
        guard let wanted = options.udp else { return nil }
        do throws(SystemError) {
            let trial = try Socket.bindDatagram(wanted, sharePort: false, receiveBytes: 0)
            return try Socket.localAddress(trial.number)
        } catch {
            throw IngestStartError.bind(address: "UDP \(wanted)", SystemError.text(error.errno))
        }
    }

    /// Tells what was asked for and what the kernel granted, whose limit an operator can raise.
    private static func tellBuffer(_ socket: Int32, _ log: Log) throws(SystemError) {
        // The kernel tells twice of what it grants (socket(7)).
        let granted = try Socket.receiveBuffer(socket) / 2
        let asked = Int(IngestLimits.datagramBufferBytes)
        let hint =
            granted < asked
            ? " is smaller than asked for; raise it with: sysctl -w net.core.rmem_max=\(asked)" : ""
        log.info("UDP receive buffer\(hint)", ["asked": "\(asked)", "granted": "\(granted)"])
    }

    private static func listenTCP(_ options: IngestOptions, _ loops: [IngestLoop]) throws -> SocketAddress? {
        guard let wanted = options.tcp else { return nil }
        do throws(SystemError) {
            let socket = try Socket.listen(wanted, backlog: IngestLimits.backlog)
            let bound = try Socket.localAddress(socket.number)
            try loops[0].accept(on: Listener(socket, .tcp, dealingTo: loops))
            return bound
        } catch {
            throw IngestStartError.bind(address: "TCP \(wanted)", SystemError.text(error.errno))
        }
    }

    private static func listenPaths(_ options: IngestOptions, _ loops: [IngestLoop]) throws {
        for (name, transport) in [(ingestSocketName, Transport.unix), (controlSocketName, Transport.http)] {
            let path = "\(options.folder)/\(name)"
            do throws(SocketError) {
                let socket = try Socket.listen(path: path, backlog: IngestLimits.backlog)
                try accept(on: socket, transport, loops)
            } catch {
                throw IngestStartError.bind(address: path, "\(error)")
            }
        }
    }

    private static func accept(on socket: consuming Descriptor, _ transport: Transport, _ loops: [IngestLoop])
        throws(SocketError)
    {
        do throws(SystemError) {
            try loops[0].accept(on: Listener(socket, transport, dealingTo: loops))
        } catch {
            throw .system(error)
        }
    }

    // MARK: - Running

    /// Starts the threads.
    public func start() throws(SystemError) {
        appenderThread = try Thread.start(name: "eye-appender") { [appender] in appender.run() }
        for loop in loops {
            loopThreads.append(try Thread.start(name: "eye-ingest-\(loop.index)") { loop.run() })
        }
        otherThreads.append(try Thread.start(name: "eye-housekeep") { [housekeeping] in housekeeping.run() })
        erasingThread = try Thread.start(name: "eye-erase") { [erasures] in erasures.run() }
        otherThreads.append(try Thread.start(name: "eye-segments") { [housekeeping] in housekeeping.runSegments() })
    }

    /// Stops: every complete line that was received is judged and durable when this returns. The caller bounds the time,
    /// see `IngestLimits.drainMilliseconds`.
    public func stop() throws(SystemError) {
        erasures.stop()
        loops[0].post(.drain)
        for thread in loopThreads { thread.join() }
        erasingThread?.join()
        queue.close()
        appenderThread?.join()
        housekeeping.stop()
        for thread in otherThreads { thread.join() }
        for name in [IngestService.ingestSocketName, IngestService.controlSocketName] {
            unsafe _ = unlink("\(options.folder)/\(name)")
        }
        try writer.close()
    }

    /// How often each loop has turned; wakes them, so that they turn once more. Any thread.
    public func turns() -> [UInt64] { loops.map { $0.takePulse() } }

    /// Everything counted since the start, over all loops.
    var counts: Counts {
        var total = Counts()
        for loop in loops { total.add(loop.published.value) }
        return total
    }
}
