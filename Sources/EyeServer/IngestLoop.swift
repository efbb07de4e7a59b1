// One ingest loop: a thread with its own poller, connections, UDP socket and batches. It reads, judges and answers; it
// never waits for the disk. Lines go into the open batch; at the end of a tick the batch is submitted, unless the appender
// is behind, in which case it goes on filling. When every batch is under way the loop reads nothing until one comes back:
// the kernel then holds the clients.
//
// Everything here runs on the loop's thread, but for `post` and `takePulse`, which any thread may call. The parts: Judging.swift (lines),
// Verdicts.swift (what comes back from the appender), Commands.swift, Answers.swift (what peers are sent).

import EyeStore
import EyeSystem
import EyeWire
import Synchronization

/// What other threads ask of a loop.
enum LoopMessage: Sendable {
    /// A connection that was accepted for this loop.
    case adopt(number: Int32, peer: SocketAddress, transport: Transport)
    /// A newer connection of the same client has come: close the one at the place, then ask the appender for it.
    case replace(ConnectionPlace, by: ClientRequest)
    /// The answer to an ERASE of this connection.
    case erased(ConnectionPlace, [UInt8])
    /// Stop accepting and reading, settle everything, end.
    case drain
}

/// What all loops of a service share.
struct LoopContext: Sendable {
    let options: IngestOptions
    let queue: CommitQueue
    let appender: Appender
    let accounts: AccountsView
    let samples: SampleQueue
    let sampleBudget: SampleBudget
    let erasures: ErasureDesk
    let clients: ClientRegistry
    let tokenUse: TokenUseNotes
    let admission: Admission
    let time: any TimeSource
    let log: Log
    /// The text of METRICS.
    let metrics: @Sendable () -> [UInt8]
}

@safe
final class IngestLoop: @unchecked Sendable {
    let index: Int
    let context: LoopContext
    let wake: WakeSignal
    let published = PublishedCounts()
    /// How often it has turned: at least once in `sweepMilliseconds`, if nothing holds it.
    private let turnCount = Atomic<UInt64>(0)
    private let inbox = Mutex<[LoopMessage]>([])
    let poller: Poller

    var counts = Counts()
    /// Wall clock (microseconds) and monotonic clock (milliseconds) at the start of the tick.
    var now: Int64 = 0
    var monotonic: UInt64 = 0
    /// The accounts as of `bookVersion`.
    var book: AccountBook
    var bookVersion: UInt64
    /// When an unknown token may make this loop look at the accounts again.
    var nextUnknownLook: UInt64 = 0
    /// The disk was full a moment ago: lines are refused unwritten.
    var isShedding = false
    /// HELLOs that the appender has not answered yet.
    var pendingGreetings = 0
    var expectsAnswers: Bool { pendingGreetings > 0 }
    /// For members whose escapes must be resolved before they are stored.
    var scratch: [UInt8] = []

    /// All loops of the service, this one among them; set before the threads start.
    var loops: [IngestLoop] = []
    var listeners: [Listener] = []
    var datagrams: DatagramIntake?

    var connections: [Connection?] = []
    private var freeSlots: [Int32] = []
    private var nextGeneration: UInt32 = 1
    /// Bytes of unfinished lines of all connections.
    var partialBytes = 0
    /// Bytes of answers that clients have not read, and how many there may be.
    var unreadBytes = 0
    let unreadBytesMax: Int
    /// The most of both since free memory was given back.
    var heldPeak = 0
    /// What the poller last told; what is there from `nextEvent` on has not had its turn.
    private var events = 0
    private var nextEvent = 0
    /// Connections that wait for a frame.
    var postponed: [Connection] = []
    /// Connections that have more lines than a turn has, and wait for the next one.
    var turnOver: [Connection] = []
    /// Those of one of these two whose turn it is; empty but for that time, kept for its memory.
    var resuming: [Connection] = []
    private var dirty: [Connection] = []
    private var dirtyNow: [Connection] = []

    private let room: UnsafeMutableRawPointer
    /// Where reads go; the unfinished line of a connection is copied right before it.
    let readArea: UnsafeMutableRawPointer
    static let lineRoom = WireLimits.lineWindowBytesMin + 62

    /// The batch being filled.
    var open: Batch?
    private var free: [Batch] = []
    private var batchCount = 0
    var underWay = 0
    var collected: [Batch] = []
    var answers: [ClientAnswer] = []
    var drainingSince: UInt64?
    private var nextSweep: UInt64 = 0

    private static let wakeToken: UInt64 = .max
    private static let datagramToken: UInt64 = .max - 1
    private static let listenerToken: UInt64 = .max - 16
    private static let sweepMilliseconds: UInt64 = 1_000

    init(index: Int, wake: WakeSignal, context: LoopContext, datagrams: consuming Descriptor?) throws(SystemError) {
        self.index = index
        self.context = context
        self.wake = wake
        poller = try Poller()
        unsafe room = .allocate(byteCount: IngestLoop.lineRoom + IngestLimits.readBytes, alignment: 64)
        unsafe readArea = room + IngestLoop.lineRoom
        unreadBytesMax = context.options.unreadBytesMax / context.options.loops
        bookVersion = context.accounts.currentVersion
        book = context.accounts.current
        try poller.add(wake.descriptor, .readable, token: IngestLoop.wakeToken)
        if let socket = datagrams {
            let intake = DatagramIntake(socket)
            try poller.add(intake.number, .readable, token: IngestLoop.datagramToken)
            self.datagrams = intake
        }
    }

    deinit { unsafe room.deallocate() }

    /// Before the thread starts: this loop accepts on `listener` for all loops, in turn.
    func accept(on listener: Listener) throws(SystemError) {
        listeners.append(listener)
        try poller.add(listener.number, .readable, token: listenerToken(of: listener))
    }

    func listenerToken(of listener: Listener) -> UInt64 {
        IngestLoop.listenerToken + UInt64(listeners.firstIndex { $0 === listener } ?? 0)
    }

    /// Any thread.
    func post(_ message: LoopMessage) {
        inbox.withLock { $0.append(message) }
        wake.signal()
    }

    /// How often it has turned; wakes it, so that it turns once more if it can. Any thread.
    func takePulse() -> UInt64 {
        let count = turnCount.load(ordering: .relaxed)
        wake.signal()
        return count
    }

    // MARK: - The tick

    /// The thread's body: until it was told to drain and everything is settled.
    func run() {
        readClocks()
        while !isFinished {
            wait()
            turnCount.add(1, ordering: .relaxed)
            readClocks()
            lookAtAccounts()
            takeMessages()
            takeVerdicts()
            resumePostponed()
            resumeTurns()
            giveTurns()
            if monotonic >= nextSweep { sweep() }
            drainOn(isQuiet: events == 0 && turnOver.isEmpty && canRead)
            finishTick()
        }
        published.publish(counts)
    }

    private func wait() {
        let waitMilliseconds: Int32 = drainingSince == nil ? Int32(IngestLoop.sweepMilliseconds) : 5
        guard canRead else {
            counts.pauses += 1
            wake.sleep(timeoutMilliseconds: waitMilliseconds)
            return
        }
        // Who has not had a turn has it before the poller is asked again: it would begin with the same ones, and those behind them would
        // never be read while these have something to send.
        if nextEvent < events { return }
        nextEvent = 0
        do {
            events = try poller.wait(timeoutMilliseconds: turnOver.isEmpty ? waitMilliseconds : 0)
        } catch {
            preconditionFailure("epoll_wait on our own poller: \(error)")
        }
        // Before what it tells of is collected: a signal that comes later wakes the next turn.
        for index in 0..<events where poller[index].0 == IngestLoop.wakeToken { wake.clear() }
    }

    /// Those that the poller has told of have their turns, as far as they come to it now; the others in the next tick.
    private func giveTurns() {
        let end = turnsEnd()
        while nextEvent < events, canRead {
            let (token, readiness) = poller[nextEvent]
            nextEvent += 1
            dispatch(token, readiness)
            if nextEvent < events, isOver(end) {
                // Who wants to connect is not behind all of them.
                for listener in listeners { listener.acceptBetween(self) }
                return
            }
        }
    }

    /// When turns that begin now are over (monotonic nanoseconds).
    func turnsEnd() -> UInt64 { context.time.monotonicNanoseconds() + IngestLimits.turnsNanosecondsMax }
    func isOver(_ end: UInt64) -> Bool { context.time.monotonicNanoseconds() >= end }

    func readClocks() {
        now = context.time.nowMicroseconds()
        let nanoseconds = context.time.monotonicNanoseconds()
        monotonic = nanoseconds / 1_000_000
        isShedding = context.appender.isShedding(atNanoseconds: nanoseconds)
    }

    func lookAtAccounts() {
        let version = context.accounts.currentVersion
        if version == bookVersion { return }
        bookVersion = version
        book = context.accounts.current
    }

    private func dispatch(_ token: UInt64, _ readiness: Readiness) {
        switch token {
        case IngestLoop.wakeToken: break
        case IngestLoop.datagramToken: readDatagrams()
        case IngestLoop.listenerToken...:
            let index = Int(token - IngestLoop.listenerToken)
            // A drain, told of in the same tick, has closed them.
            if index < listeners.count { listeners[index].accept(self) }
        default:
            guard let connection = connection(slot: Int32(truncatingIfNeeded: token), UInt32(token >> 32)) else {
                return
            }
            let isBroken = !readiness.isDisjoint(with: .broken)
            // Sending says whether a broken connection takes answers still.
            if isBroken || readiness.contains(.writable) { flush(connection) }
            if isBroken || readiness.contains(.readable) { read(connection, isBroken: isBroken) }
        }
    }

    private func finishTick() {
        // Before the answers: who has read +BYE finds its lines counted.
        if !dirty.isEmpty { published.publish(counts) }
        // An answer may let a connection go on, and give it something to do again.
        while !dirty.isEmpty {
            swap(&dirty, &dirtyNow)
            for connection in dirtyNow {
                connection.isDirty = false
                answer(connection)
            }
            dirtyNow.removeAll(keepingCapacity: true)
        }
        if let batch = open, !batch.frame.isEmpty, underWay == 0 || !context.queue.isAppenderBehind { submitOpen() }
        published.publish(counts)
    }

    /// Puts `connection` on the list of those that are looked after at the end of the tick.
    func touch(_ connection: Connection) {
        if connection.isDirty { return }
        connection.isDirty = true
        dirty.append(connection)
    }

    // MARK: - Batches

    /// Batches that may still be begun.
    var framesAvailable: Int { free.count + IngestLimits.framesPerLoop - batchCount }
    var canRead: Bool { framesAvailable >= IngestLimits.framesPerRead }

    /// The batch being filled; begins one if there is none. Reads are only made while there is one to begin.
    func openBatch() -> Batch {
        if let batch = open { return batch }
        let batch: Batch
        if let recycled = free.popLast() {
            batch = recycled
        } else {
            precondition(batchCount < IngestLimits.framesPerLoop, "a read was made without room for it")
            batch = Batch(loop: index)
            batchCount += 1
        }
        open = batch
        return batch
    }

    /// Gives the open batch to the appender.
    func submitOpen() {
        guard let batch = open else { return }
        open = nil
        batch.frame.seal()
        underWay += 1
        context.queue.submit(batch)
    }

    /// Takes a batch back after its verdicts were read.
    func recycle(_ batch: Batch) {
        batch.reset()
        free.append(batch)
        underWay -= 1
    }

    // MARK: - Connections

    /// The connection that has this slot now, if it is still the one of this generation.
    func connection(slot: Int32, _ generation: UInt32) -> Connection? {
        guard slot >= 0, Int(slot) < connections.count, let found = connections[Int(slot)],
            found.generation == generation
        else { return nil }
        return found
    }

    func place(of connection: Connection) -> ConnectionPlace {
        ConnectionPlace(loop: index, slot: connection.slot, generation: connection.generation)
    }

    func adopt(_ number: Int32, _ peer: SocketAddress, _ transport: Transport) {
        let descriptor = Descriptor(owning: number)
        let slot = freeSlots.popLast() ?? Int32(connections.count)
        let connection = Connection(
            descriptor, transport: transport, peer: peer, slot: slot, generation: nextGeneration, now: monotonic)
        nextGeneration &+= 1
        if Int(slot) == connections.count {
            connections.append(connection)
        } else {
            connections[Int(slot)] = connection
        }
        counts.connectionsOpened += 1
        do throws(SystemError) {
            if transport == .tcp { try Socket.tune(number) }
            try Socket.limitSending(number, bytes: IngestLimits.answerBufferBytes)
            try poller.add(number, .readable, token: token(of: connection))
        } catch {
            close(connection)
        }
    }

    private func token(of connection: Connection) -> UInt64 {
        UInt64(connection.generation) << 32 | UInt64(UInt32(bitPattern: connection.slot))
    }

    /// Asks the poller for what the connection now needs.
    func watch(_ connection: Connection) {
        var wanted: Readiness = []
        if connection.phase == .open || connection.phase == .lingering { wanted.insert(.readable) }
        if connection.outputWaiting > 0 { wanted.insert(.writable) }
        if wanted == connection.watched || connection.phase == .closed { return }
        let number = connection.descriptor.number
        do throws(SystemError) {
            if connection.watched != nil {
                try poller.change(number, wanted, token: token(of: connection))
            } else if !wanted.isEmpty {
                try poller.add(number, wanted, token: token(of: connection))
            } else {
                return
            }
            connection.watched = wanted
        } catch {
            close(connection)
        }
    }

    /// The peer is gone, and the connection has to wait: the poller, which would tell of it without end, is not asked until there is
    /// something to do again.
    func unwatch(_ connection: Connection) {
        if connection.watched == nil || connection.outputWaiting > 0 { return }
        connection.watched = nil
        do throws(SystemError) {
            try poller.remove(connection.descriptor.number)
        } catch {
            close(connection)
        }
    }

    /// Ends a connection at once. Its lines that are under way are still stored and counted; those that have not been judged are refused
    /// with `reject`, unheard.
    func close(_ connection: Connection, refusing reject: Reject = .overloaded) {
        if connection.phase == .closed { return }
        refuseHeld(connection, reject)
        connection.phase = .closed
        if let client = connection.client { context.clients.release(client, place(of: connection)) }
        // The descriptor is closed when the last reference goes; nothing may report it to us before that.
        do throws(SystemError) {
            try poller.remove(connection.descriptor.number)
        } catch {
            // It was never watched: the kernel had no room for that.
        }
        unreadBytes -= connection.unreadBytes
        connection.unreadBytes = 0
        connections[Int(connection.slot)] = nil
        freeSlots.append(connection.slot)
        counts.connectionsClosed += 1
        context.admission.leave(connection.transport)
    }

    // MARK: - Messages, time and the end

    private func takeMessages() {
        let messages = inbox.withLock { inbox in
            if inbox.isEmpty { return [LoopMessage]() }
            let all = inbox
            inbox.removeAll()
            return all
        }
        for message in messages {
            switch message {
            case .adopt(let number, let peer, let transport): adopt(number, peer, transport)
            case .replace(let place, let request): replace(place, by: request)
            case .erased(let place, let bytes): answerErasure(place, bytes)
            case .drain: drain()
            }
        }
    }

    /// Closes the older connection of a client, if there is one, and asks for the newer one behind everything that was
    /// sent before.
    func replace(_ older: ConnectionPlace?, by request: ClientRequest) {
        if let older, let connection = connection(slot: older.slot, older.generation) { close(connection) }
        submitOpen()
        context.queue.submit(request)
    }

    private func sweep() {
        nextSweep = monotonic + IngestLoop.sweepMilliseconds
        datagrams?.lookAtDrops(&counts, context.log)
        let idle = context.options.idleMilliseconds
        for case let connection? in connections {
            if connection.stuckSince != 0, monotonic > connection.stuckSince + IngestLimits.slowReaderMilliseconds {
                counts.end(.slowReader)
                close(connection, refusing: .slowReader)
            } else if connection.phase == .lingering {
                if monotonic > connection.lingerUntil { close(connection) }
            } else if connection.token.id != 0, monotonic < connection.lastHeard + IngestLoop.sweepMilliseconds {
                context.tokenUse.record(connection.token.id, at: now)
            } else if idle > 0, !connection.isControl, monotonic > connection.lastHeard + idle,
                connection.isSettled
            {
                counts.end(.idle)
                close(connection)
            }
        }
        releaseHeld()
        for listener in listeners { listener.resume(self) }
    }
}
