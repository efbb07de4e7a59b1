// Runs one bench: builds the lines, connects, starts the threads, shows how far they are, and adds up what they found. On the
// main thread; nothing is measured before every connection stands.

import EyeClient
import EyeSystem
import EyeWire
import Glibc
import Synchronization

/// One run of `eye bench`.
struct BenchRun {
    private let plan: BenchPlan
    private let pool: LinePool
    private static let connectMilliseconds: Int32 = 10_000
    private static let lookMilliseconds: Int32 = 250

    init(_ plan: BenchPlan) throws(Failure) {
        self.plan = plan
        pool = try BenchLines.pool(plan)
    }

    /// Returns the exit code.
    func run() throws(Failure) -> Int32 {
        let signals = try Failure.of("signals") { () throws(SystemError) in try Signals([SIGINT, SIGTERM]) }
        let progress = BenchProgress()
        let sockets = try connect()
        let processorBefore = Processors.usedNanoseconds
        let clock = BenchClock()
        let threads = try Failure.of("threads") { () throws(SystemError) in
            try start(sockets, clock: clock, progress: progress)
        }
        let shows = Terminal.isTerminal(STDERR_FILENO)
        var line = BenchProgressLine()
        while progress.finished.load(ordering: .acquiring) < threads.count {
            if signals.next(timeoutMilliseconds: BenchRun.wait(clock)) != nil {
                // The second time at once.
                if progress.isStopping.exchange(true, ordering: .relaxed) { exit(ExitCode.failure) }
            }
            if shows { try line.show(plan, progress, clock) }
        }
        for thread in threads { thread.join() }
        if shows { try line.clear() }
        let report = BenchReport(
            plan: plan, tally: progress.tally,
            processorNanoseconds: Processors.usedNanoseconds - processorBefore)
        try Output.out(plan.json ? report.json : report.text)
        return report.isClean ? ExitCode.success : ExitCode.failure
    }

    /// A short run ends when it ends, not at the next long look.
    private static func wait(_ clock: BenchClock) -> Int32 {
        let short: UInt64 = 1_000_000_000
        return clock.now < short ? 1 : lookMilliseconds
    }

    // MARK: Connections

    /// A connected socket on its way to a thread.
    private final class Link {
        var socket: Descriptor?
        init(_ socket: consuming Descriptor) { self.socket = consume socket }

        func take() -> Descriptor {
            guard let socket = socket.take() else { preconditionFailure("taken twice") }
            return socket
        }
    }

    private func connect() throws(Failure) -> [Link] {
        let address: ClientAddress
        switch plan.target {
        case .ingest(let ingest): address = ingest
        case .http(let text): address = .tcp(text)
        }
        var links: [Link] = []
        for number in 0..<plan.connections {
            do throws(SendError) {
                links.append(Link(try address.connect(timeoutMilliseconds: BenchRun.connectMilliseconds)))
            } catch {
                throw Failure(number == 0 ? error.description : "connection \(number + 1): \(error.description)")
            }
        }
        return links
    }

    // MARK: Threads

    private func start(_ links: [Link], clock: BenchClock, progress: BenchProgress) throws(SystemError) -> [Thread] {
        if plan.oneByOne && !plan.isHTTP {
            let probe = try plan.diskFolder.map { folder throws(SystemError) in try DiskProbe(folder) }
            let work = BenchOneByOne(links[0].take(), probe, pool, plan, clock: clock, progress: progress)
            return [try Thread.start(name: "bench") { work.run() }]
        }
        let parts = min(plan.connections, Processors.count)
        if plan.isDatagram {
            var work: [BenchDatagrams] = []
            for part in 0..<parts {
                var ports: [BenchDatagrams.Port] = []
                for place in stride(from: part, to: links.count, by: parts) {
                    let socket = links[place].take()
                    try Socket.makeBlocking(socket.number)
                    ports.append(BenchDatagrams.Port(socket))
                }
                work.append(BenchDatagrams(ports, pool, plan, part: part, of: parts, clock: clock, progress: progress))
            }
            return try work.map { work throws(SystemError) in try Thread.start(name: "bench") { work.run() } }
        }
        var work: [BenchWorker] = []
        for part in 0..<parts {
            var own: [BenchConnection] = []
            for place in stride(from: part, to: links.count, by: parts) {
                own.append(try connection(links[place].take(), place, clock))
            }
            work.append(try BenchWorker(own, plan, part: part, of: parts, clock: clock, progress: progress))
        }
        return try work.map { work throws(SystemError) in try Thread.start(name: "bench") { work.run() } }
    }

    /// Connection `place` begins at its own place of the pool.
    private func connection(
        _ socket: consuming Descriptor, _ place: Int, _ clock: BenchClock
    ) throws(SystemError) -> BenchConnection {
        let first = pool.count * place / plan.connections
        if case .http(let host) = plan.target {
            return BenchRequests(
                socket, pool, firstLine: first, isScheduled: plan.rate != nil, plan: plan, host: host, clock: clock)
        }
        let stream = BenchStream(
            socket, pool, firstLine: first, isScheduled: plan.rate != nil, readsAcks: plan.measuresAcks, clock: clock)
        try stream.open()
        return stream
    }
}

/// The lines of a bench.
enum BenchLines {
    /// From the file, or made up. `{…}` gets the token; a line that begins with another one is sent as it is. A command is
    /// refused: data must never command the server.
    static func pool(_ plan: BenchPlan) throws(Failure) -> LinePool {
        let token = plan.isHTTP ? [] : plan.token
        let tokenEvery = plan.isDatagram ? plan.linesPerPiece : 1
        guard let path = plan.file else {
            let count = LinePool.syntheticLines / tokenEvery * tokenEvery
            return LinePool.synthetic(count: count, seed: plan.seed, token: token, tokenEvery: tokenEvery)
        }
        var pool = LinePool()
        var input = LineInput(try InputFile(path))
        while let line = try Failure.of(path, { () throws(SystemError) in try input.next() }) {
            guard case .bytes(let bytes) = line else { throw Failure("\(path), line \(input.number): too long") }
            let kind = unsafe Array(bytes).span.withUnsafeBytes { unsafe WireLine.split($0) }
            switch kind {
            case .ignored: continue
            case .bare: pool.add(token: pool.count % tokenEvery == 0 ? token : [], json: bytes)
            case .event:
                if plan.isHTTP { throw Failure("\(path), line \(input.number): not a JSON object") }
                pool.add(line: bytes)
            case .command, .unknownCommand, .wrongPort:
                throw Failure("\(path), line \(input.number): neither {json} nor TOKEN {json}")
            }
        }
        if pool.count == 0 { throw Failure("\(path): no lines to send") }
        return pool
    }
}

/// The line on the terminal while it runs.
struct BenchProgressLine {
    private var last: (sent: UInt64, nanoseconds: UInt64) = (0, 0)
    private var isShown = false
    private static let everyNanoseconds: UInt64 = 250_000_000

    mutating func show(_ plan: BenchPlan, _ progress: BenchProgress, _ clock: BenchClock) throws(Failure) {
        let now = clock.now
        guard now >= last.nanoseconds + BenchProgressLine.everyNanoseconds else { return }
        let sent = progress.sent.load(ordering: .relaxed)
        let speed = Double(sent - last.sent) * 1e9 / Double(now - last.nanoseconds)
        last = (sent, now)
        var text = "\(BenchText.fixed(Double(now) / 1e9, 1)) s  \(BenchText.grouped(sent)) lines"
        if let count = plan.count, count > 0 { text += " (\(sent * 100 / count) %)" }
        text += "  \(BenchText.grouped(UInt64(speed))) lines/s"
        let settled = progress.settled.load(ordering: .relaxed)
        if plan.measuresAcks && !plan.isHTTP {
            text += "  \(BenchText.grouped(sent - min(sent, settled))) not yet durable"
        }
        if progress.isStopping.load(ordering: .relaxed) { text += "  stopping" }
        isShown = true
        try write("\r\u{1B}[K\(text.prefix((Terminal.columns(STDERR_FILENO) ?? 80) - 1))")
    }

    func clear() throws(Failure) { if isShown { try write("\r\u{1B}[K") } }

    private func write(_ text: String) throws(Failure) {
        _ = try Failure.of("stderr") { () throws(SystemError) in
            try StandardStream.write(STDERR_FILENO, Array(text.utf8))
        }
    }
}
