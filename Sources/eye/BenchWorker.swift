// A thread of the load generator: an event loop over its share of the connections. Either every connection sends as fast as it
// is taken, or lines come due at even distances and are dealt to the connections in turn, whether or not those can write:
// what cannot be written stays owed, and its latency grows (see BenchConnection).

import EyeClient
import EyeSystem

/// Drives connections. Made on the main thread, then used by its own: `@unchecked Sendable` for that handing over.
final class BenchWorker: @unchecked Sendable {
    private let connections: [BenchConnection]
    private let progress: BenchProgress
    private let clock: BenchClock
    /// Nanoseconds between two lines of this worker; nil: no schedule.
    private let interval: Double?
    /// When no more lines come due.
    private let endNanoseconds: UInt64
    /// Lines of this worker in all.
    private let share: UInt64
    /// Owed lines that a connection may still begin when the time is over: HTTP one request.
    private let linesKept: UInt64
    private let poller: Poller
    private let timer: MonotonicTimer
    private var tally = BenchTally()
    private var watched: [Readiness]
    private var live: Int
    private var scheduled: UInt64 = 0
    private var nextConnection = 0
    /// Nothing more will be assigned.
    private var hasEnded = false
    /// Nothing more will be begun: the time is over, or somebody pressed Ctrl-C.
    private var isCut = false
    private var lastProgress: UInt64 = 0
    private var seen = (lines: UInt64(0), settled: UInt64(0))
    private var room = [UInt8](repeating: 0, count: 64 * 1024)

    private static let timerToken: UInt64 = .max
    /// How often a stop is looked for.
    private static let lookMilliseconds: Int32 = 100

    /// `part` of `parts` workers; `connections` are its own.
    init(
        _ connections: [BenchConnection], _ plan: BenchPlan, part: Int, of parts: Int, clock: BenchClock,
        progress: BenchProgress
    ) throws(SystemError) {
        self.connections = connections
        self.progress = progress
        self.clock = clock
        let portion = Double(connections.count) / Double(plan.connections)
        interval = plan.rate.map { 1e9 / ($0 * portion) }
        linesKept = plan.isHTTP ? UInt64(plan.linesPerPiece) : 0
        endNanoseconds = plan.seconds.map { UInt64($0 * 1e9) } ?? .max
        // By connections, like the rate: line k of all is due at k / rate.
        share =
            plan.count.map { count in
                connections.indices.reduce(0) { $0 + BenchPlan.share(count, part + $1 * parts, of: plan.connections) }
            } ?? .max
        poller = try Poller()
        timer = try MonotonicTimer()
        live = connections.count
        watched = Array(repeating: .readable, count: connections.count)
        try poller.add(timer.descriptor, .readable, token: BenchWorker.timerToken)
        for (index, connection) in connections.enumerated() {
            try poller.add(connection.socket.number, .readable, token: UInt64(index))
            if interval == nil {
                let own = plan.count.map { BenchPlan.share($0, part + index * parts, of: plan.connections) }
                connection.assign(own ?? .max, due: 0, step: 0)
                if own != nil { connection.end() }
            }
        }
    }

    /// The thread's body.
    func run() {
        do throws(SystemError) {
            if interval == nil {
                for index in connections.indices { turn(index) }
                if endNanoseconds != .max { try timer.arm(nanoseconds: endNanoseconds) }
            }
            while live > 0 {
                try step()
            }
        } catch {
            tally.note(failure: "\(error)")
        }
        publish()
        progress.finish(tally, at: clock.now)
    }

    private func step() throws(SystemError) {
        let now = clock.now
        let isStopping = progress.isStopping.load(ordering: .relaxed)
        if !hasEnded && !isStopping { try schedule(now) }
        if !isCut && (isStopping || now >= endNanoseconds) { cutAll() }
        let count = try poller.wait(timeoutMilliseconds: BenchWorker.lookMilliseconds)
        for place in 0..<count {
            let (token, readiness) = poller[place]
            if token == BenchWorker.timerToken {
                timer.clear()
                continue
            }
            let index = Int(token)
            if !readiness.isDisjoint(with: [.readable, .broken, .peerClosed]) { read(index) }
            turn(index)
        }
        publish()
        if now > lastProgress + BenchLimits.silenceNanoseconds && hasEnded {
            tally.note(failure: "no answer within \(BenchLimits.silenceNanoseconds / 1_000_000_000) s")
            tally.withoutBye += live
            live = 0
        }
    }

    /// Deals out the lines that are due, and sets the timer for the next ones.
    private func schedule(_ now: UInt64) throws(SystemError) {
        guard let interval else { return }
        var reached = UInt64(Double(now) / interval) + 1
        if endNanoseconds != .max { reached = min(reached, UInt64((Double(endNanoseconds) / interval).rounded(.up))) }
        var fresh = min(reached, share) - min(scheduled, share)
        let piece = max(1, fresh / UInt64(connections.count))
        while fresh > 0 && live > 0 {
            let index = nextConnection
            nextConnection = (nextConnection + 1) % connections.count
            if connections[index].isDone { continue }
            let count = min(piece, fresh)
            fresh -= count
            scheduled += count
            connections[index].assign(count, due: Double(scheduled - 1) * interval, step: interval)
            turn(index)
        }
        if scheduled >= share || now >= endNanoseconds { return endAll() }
        let due = UInt64(Double(scheduled) * interval)
        let wait = due > now ? due - now : 1
        try timer.arm(
            nanoseconds: UInt64(interval) < BenchLimits.tickNanoseconds ? max(wait, BenchLimits.tickNanoseconds) : wait)
    }

    private func endAll() {
        hasEnded = true
        for index in connections.indices where !connections[index].isDone {
            connections[index].end()
            turn(index)
        }
    }

    /// Ends the sending, whatever is still owed: a rate that is more than can be sent must not make a bench longer than asked for.
    private func cutAll() {
        isCut = true
        hasEnded = true
        for index in connections.indices where !connections[index].isDone {
            // At a rate that is kept, lines that have gathered while a request was under way are no debt.
            let lost = connections[index].cut(keeping: interval == nil ? 0 : linesKept)
            if interval != nil { tally.overdue += lost }
            turn(index)
        }
    }

    /// Writes what the connection owes and asks the poller for what it needs next.
    private func turn(_ index: Int) {
        let connection = connections[index]
        if connection.isDone { return leave(index) }
        do throws(SystemError) {
            if try connection.write(&tally) { lastProgress = clock.now }
        } catch {
            connection.isDone = true
            tally.withoutBye += 1
            tally.note(failure: "\(error)")
        }
        if connection.isDone { return leave(index) }
        let wanted: Readiness = connection.isBlocked ? [.readable, .writable] : .readable
        if wanted == watched[index] { return }
        watched[index] = wanted
        do throws(SystemError) {
            try poller.change(connection.socket.number, wanted, token: UInt64(index))
        } catch {
            preconditionFailure("epoll_ctl on our own descriptor: \(error)")
        }
    }

    private func read(_ index: Int) {
        let connection = connections[index]
        if connection.isDone { return }
        do throws(SystemError) {
            let transfer = try Socket.receive(connection.socket.number, into: &room)
            lastProgress = clock.now
            switch transfer {
            case .bytes(let count): connection.take(room[..<count], &tally)
            case .end: connection.take([], &tally)
            case .wouldBlock: break
            }
        } catch {
            connection.isDone = true
            tally.withoutBye += 1
            tally.note(failure: "\(error)")
        }
    }

    private func leave(_ index: Int) {
        if watched[index] == [] { return }
        watched[index] = []
        live -= 1
        do throws(SystemError) {
            try poller.remove(connections[index].socket.number)
        } catch {
            preconditionFailure("epoll_ctl on our own descriptor: \(error)")
        }
    }

    private func publish() {
        let settled = tally.latency.count + tally.untimed
        if tally.lines != seen.lines { progress.sent.add(tally.lines - seen.lines, ordering: .relaxed) }
        if settled != seen.settled { progress.settled.add(settled - seen.settled, ordering: .relaxed) }
        seen = (tally.lines, settled)
    }
}
