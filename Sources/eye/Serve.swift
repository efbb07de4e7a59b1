// Runs the service: opens what was asked for, says where it listens, and ends it in order on SIGTERM or Ctrl-C. The seam
// between the command line and the rooms that serve. Runs on the main thread.

import EyeQueryHTTP
import EyeServer
import EyeStore
import EyeSystem
import EyeWire
import Glibc

/// Runs the service as `invocation` says until it is told to stop; returns the exit code.
func runServe(_ invocation: Invocation) -> Int32 {
    ResidentMemory.boundFree()
    let options = ServeCommand.options(invocation)
    let time = SystemTime()
    let log = Log(format: options.logFormat, time: time)
    do {
        try Serve.tellCrashPoint(log)
        let signals = try Signals([SIGINT, SIGTERM, SIGHUP])
        let manager = ServiceManager(Environment.all, log: log)
        _ = try OpenFiles.raiseLimit()
        let disk = RealDisk()
        let isReader = options.only == .http
        try Serve.prepareFolder(disk, options.data, sockets: isReader ? [] : Serve.sockets, mayBeMissing: isReader)
        if let warning = Serve.openPermissions(disk, options.data) { log.warning(warning) }
        let accounts = AccountFile(disk, folder: options.data, time: time)
        // Shown before anything else can end the start: they are made now, and never shown again.
        let first = manager.isThere ? nil : try Serve.firstAccounts(accounts, isReader: isReader)
        if first?.isBesideEvents ?? false { log.warning(Greeting.accountsWereMissing, ["file": accounts.path]) }
        let hasAccounts = try first != nil || !Serve.isMissing(disk, accounts.path)
        if !hasAccounts {
            guard isReader else { throw Failure(Serve.noAccounts(accounts, options.data), code: ExitCode.store) }
            log.warning("there are no accounts yet: every request is refused until there are", ["file": accounts.path])
        }
        // Everything is bound before anything is served: a port that is taken ends the start, not half of the service.
        let ingest = try Serve.openIngest(options, disk: disk, time: time, log: log)
        let http = try Serve.startHTTP(options, disk: disk, time: time, log: log)
        try ingest?.start()
        let greeting = Greeting(
            options, tcp: ingest?.tcpAddress, udp: ingest?.udpAddress, http: http?.address,
            status: http?.statusAddress, first: first, hasAccounts: hasAccounts,
            isWritable: disk.isWritable(options.data))
        if try !Output.show(Array(greeting.text.utf8)) { log.warning(greeting.unread) }
        manager.socket?.ready(greeting.status)
        ResidentMemory.releaseStart()
        var reload = Reload(invocation, log: log, http: http)
        Serve.waitForEnd(signals, manager, log, time, Pulse(ingest, http)) { reload.run() }
        manager.socket?.stopping("storing what was received")
        Serve.boundTheEnd(signals, log)
        // Requests that are being answered may still write.
        http?.stop()
        do throws(SystemError) {
            try ingest?.stop()
        } catch {
            throw Failure(
                error, "stopped, and what was acknowledged is stored; but the end of the log could not be noted")
        }
        log.info("stopped: every line that was received is stored")
        return ExitCode.success
    } catch {
        let failure = Serve.failure(error)
        for line in failure.lines { Output.error(line) }
        return failure.code
    }
}

/// The parts of `eye serve`.
enum Serve {
    /// Nobody shall wonder why a process dies that was told to.
    static func tellCrashPoint(_ log: Log) throws(Failure) {
        guard let value = Environment.all[CrashPoint.variable], !value.isEmpty else { return }
        guard let armed = CrashPoint.armedText else {
            let names = CrashPoint.allCases.map(\.rawValue).joined(separator: ", ")
            throw Failure(
                "\(CrashPoint.variable): '\(value)' is not NAME or NAME:N with one of \(names)", code: ExitCode.usage)
        }
        log.warning("for a test: this process will kill itself", ["at": armed])
    }

    /// The sockets that the ingest side makes in the data folder.
    static let sockets = [IngestService.ingestSocketName, IngestService.controlSocketName]

    /// Makes the data folder, unless it is there; whatever is in the way of the store's files ends the start. `mayBeMissing`: who only
    /// reads waits for one that it may not make.
    static func prepareFolder(
        _ disk: RealDisk, _ folder: String, sockets: [String] = [], mayBeMissing: Bool = false
    ) throws(Failure) {
        do throws(SystemError) {
            try disk.makeDirectory(folder)
        } catch {
            guard mayBeMissing, error.isUnwritable || error.isMissing else {
                throw Failure(unusable: "the data folder '\(folder)' cannot be used", error)
            }
        }
        try Failure.ofStore { () throws(StoreOpenError) in try DataFolder.check(disk, folder, sockets: sockets) }
    }

    /// What others may open of the data folder, in one line; nil: nothing. It stays as it is: somebody may have meant it.
    static func openPermissions(_ disk: RealDisk, _ folder: String) -> String? {
        let namedMax = 3
        let open = DataFolder.openToOthers(disk, folder, sockets: sockets)
        if open.isEmpty { return nil }
        let rest = open.count > namedMax ? " and \(open.count - namedMax) more" : ""
        let places = open.prefix(namedMax).joined(separator: ", ") + rest
        return "the group or others may open \(places): events and password hashes are in there; close it with: "
            + "chmod -R go= \(Greeting.quoted(folder))"
    }

    /// Makes the first accounts where there are none, and shows them. Nil: there are some, or who only reads may not make them.
    static func firstAccounts(_ accounts: AccountFile, isReader: Bool) throws(Failure) -> FirstCredentials? {
        var isShown = false
        do throws(AccountError) {
            return try accounts.firstStart { first throws(SystemError) in
                try Output.secret(Greeting.credentials(first).map { $0 + "\n" }.joined())
                isShown = true
            }
        } catch {
            if isShown { throw Failure(error, but: Greeting.credentialsWereNotKept) }
            switch error {
            case .noFolder where isReader: return nil
            case .system(let cause, _) where isReader && cause.isUnwritable: return nil
            default: throw Failure(error)
            }
        }
    }

    /// Why a service manager's start ends: a journal would keep the first secrets.
    static func noAccounts(_ accounts: AccountFile, _ folder: String) -> String {
        let make = "make the first ones with 'eye init --data \(folder)', whose output no journal keeps"
        return accounts.isBesideEvents
            ? "no accounts in '\(folder)', though the store has events: put a backup of \(accounts.path) in its place, or \(make)"
            : "no accounts in '\(folder)': \(make)"
    }

    static func isMissing(_ disk: RealDisk, _ path: String) throws(Failure) -> Bool {
        do throws(SystemError) {
            _ = try disk.stamp(path)
            return false
        } catch {
            if error.isMissing { return true }
            throw Failure(error, path)
        }
    }

    static func openIngest(_ options: ServeOptions, disk: RealDisk, time: SystemTime, log: Log) throws -> IngestService?
    {
        if options.only == .http { return nil }
        var ingest = IngestOptions(
            folder: options.data, tcp: try resolve(options.tcp), udp: try resolve(options.udp, datagram: true))
        ingest.loops = options.loops > 0 ? options.loops : min(IngestLimits.loopsMax, Processors.count)
        ingest.futureMicroseconds = options.maxFutureMicroseconds
        var store = StoreOptions()
        store.segmentBytes = options.segmentBytes
        store.minFreeBytes = UInt64(options.minFreeBytes)
        store.retainMicroseconds = options.retainMicroseconds
        store.retainBytes = options.retainBytes.map { UInt64($0) }
        store.decomposer = EventDataReading()
        let service = try IngestService(ingest, store: store, disk: disk, time: time, log: log) { error in
            if error.isStale {
                log.error(
                    "the data folder, or the log in it, was moved, replaced or removed while eye ran: nothing more is acknowledged; stopping",
                    ["data": options.data])
            } else {
                log.error(
                    "the disk failed: nothing that was not acknowledged is promised; stopping", ["error": "\(error)"])
            }
            _exit(ExitCode.inputOutput)
        }
        report(service.recovery, log)
        for place in service.sampleDamage {
            log.warning("damage among the samples of refused lines; no event is touched", ["place": place])
        }
        return service
    }

    /// Says what the start had to repair or to leave.
    private static func report(_ recovery: RecoveryReport, _ log: Log) {
        if let torn = recovery.torn {
            log.warning(
                "the log ended in an unfinished write: it was cut, a copy was kept",
                ["bytes": "\(torn.bytes)", "copy": torn.path])
        }
        if recovery.rewrittenEvents > 0 {
            log.info(
                "the last commit was not known to be synced: written anew", ["events": "\(recovery.rewrittenEvents)"])
        }
        for corruption in recovery.damage {
            log.error("damage in the store: nothing was cut, everything else is served", ["place": "\(corruption)"])
        }
        if !recovery.damage.isEmpty {
            log.warning(
                "with it may be forgotten what clients had numbered (client_id) or named (event_id): what they send again may be stored twice"
            )
        }
        for segment in recovery.unusableSegments {
            log.error("a log file has no usable header and was left alone", ["segment": "\(segment)"])
        }
        if !recovery.isWindowComplete {
            log.warning(
                "not every event_id of the window could be read again: a retry of an old one may be stored twice")
        }
    }

    static func resolve(_ address: String?, datagram: Bool = false) throws(Failure) -> SocketAddress? {
        guard let address else { return nil }
        do throws(AddressError) {
            return try SocketAddress.resolve(address, datagram: datagram)
        } catch {
            throw Failure("\(error)", code: ExitCode.usage)
        }
    }

    static func startHTTP(_ options: ServeOptions, disk: RealDisk, time: SystemTime, log: Log) throws -> HTTPService? {
        if options.only == .ingest { return nil }
        guard let address = try resolve(options.http) else { return nil }
        var http = HTTPOptions(folder: options.data, address: address)
        http.futureMicroseconds = options.maxFutureMicroseconds
        http.origins = options.corsOrigins
        http.status = try resolve(options.status)
        http.hasAccessLog = options.hasAccessLog
        let service = HTTPService(http, disk: disk, time: time, log: log)
        do throws(SystemError) {
            try service.start()
        } catch {
            let places = ["HTTP \(address)"] + (http.status.map { ["status \($0)"] } ?? [])
            throw IngestStartError.bind(address: places.joined(separator: " or "), SystemError.text(error.errno))
        }
        return service
    }

    /// What to say and how to exit when the start failed.
    static func failure(_ error: any Error) -> Failure {
        switch error {
        case let failure as Failure: return failure
        case let error as SystemError: return Failure(error, "cannot start")
        case let error as IngestStartError:
            switch error {
            case .store(let cause): return Failure(cause)
            case .accounts(let cause): return Failure(cause)
            case .bind: return Failure("\(error)", code: ExitCode.cannotBind)
            case .system(let cause): return Failure(cause, "cannot start")
            }
        default: return Failure("\(error)")
        }
    }

    /// Waits for a signal that ends the service. Meanwhile: SIGHUP, and the watchdog of the service manager.
    static func waitForEnd(
        _ signals: Signals, _ manager: ServiceManager, _ log: Log, _ time: SystemTime, _ pulse: Pulse,
        reload: () -> Void
    ) {
        var pulse = pulse
        pulse.take()
        var beat = manager.pulseMilliseconds.map { Beat(every: $0, from: time.monotonicNanoseconds()) }
        while true {
            switch signals.next(timeoutMilliseconds: beat?.waitMilliseconds(at: time.monotonicNanoseconds()) ?? -1) {
            case SIGHUP:
                manager.socket?.reloading(monotonicNanoseconds: time.monotonicNanoseconds())
                reload()
                manager.socket?.ready("serving")
            case nil: break
            default:
                log.info("stopping: storing what was received")
                return
            }
            // Behind a signal too: any number of them must not keep the manager waiting.
            guard beat?.isDue(at: time.monotonicNanoseconds()) ?? false else { continue }
            if pulse.take() {
                manager.socket?.alive()
            } else {
                log.error("a loop of the service does not turn; the service manager's watchdog is not fed")
            }
        }
    }

    /// From now on a second signal ends the process at once, and so does a disk that does not answer in time. What was
    /// acknowledged is safe either way.
    static func boundTheEnd(_ signals: Signals, _ log: Log) {
        do throws(SystemError) {
            let box = SignalBox(signals)
            _ = try Thread.start(name: "eye-end") {
                let again = box.signals.next(timeoutMilliseconds: Int32(IngestLimits.drainMilliseconds))
                log.error(
                    again == nil
                        ? "the disk did not answer in time: ended without it; what was acknowledged is stored"
                        : "second signal: ended at once; what was acknowledged is stored")
                _exit(ExitCode.failure)
            }
        } catch {
            log.warning("cannot watch over the end", ["error": "\(error)"])
        }
    }

    /// The main thread gives its signals to the watching one, and does not touch them again.
    private final class SignalBox: @unchecked Sendable {
        let signals: Signals
        init(_ signals: Signals) { self.signals = signals }
    }
}
