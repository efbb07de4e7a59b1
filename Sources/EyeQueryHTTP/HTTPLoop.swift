// One event loop: a listener, its connections, and whatever else wants to be woken on the same thread (the control channel,
// the hasher's results). Moves bytes between sockets and HTTPConnection, in turns of bounded work so that nobody waits long
// for anybody. Used by HTTPService, and by the echo server of the conformance tests with another Responder.
//
// Invariant: a connection is in `turns` at most once; a descriptor's wishes in the poller are those of its connection.

import EyeStore
import EyeSystem
import Glibc
import Synchronization

/// Something besides connections that lives on the loop's thread.
public protocol LoopSource: AnyObject {
    /// Its descriptor is ready.
    func ready(_ readiness: Readiness)
    /// Called every `HTTPLimits.tickMilliseconds` or so while the loop has anything to do. Nanoseconds.
    func tick(now: UInt64)
    /// A turn of the loop is over: whatever was written in it can go out together.
    func endTurn()
}

/// The loop. Made on one thread, then used by the thread that calls `run`; only `stop` may be called from any.
public final class HTTPLoop: @unchecked Sendable {
    // @unchecked: everything but `stopping`, `turnCount` and `wake` belongs to the thread in `run`; the start of that thread orders
    // what `init` did before it.
    private static let listenerToken: UInt64 = 0
    private static let wakeToken: UInt64 = 1
    private static let sourceTokens: UInt64 = 2
    private static let firstClientToken: UInt64 = 1 << 32

    private let listener: Descriptor
    /// Where it listens, with the port that the kernel chose if 0 was asked for.
    public let address: SocketAddress
    /// For sources: add and change descriptors with the token that `add` returned.
    public let poller: Poller
    private let time: any TimeSource
    private let log: Log?
    private let connectionsMax: Int
    private let date = HTTPDate()
    private let wake: WakeSignal
    private let stopping = Atomic<Bool>(false)
    private let turnCount = Atomic<UInt64>(0)

    private var sources: [any LoopSource] = []
    private var clients: [UInt64: HTTPClient] = [:]
    private var nextToken = HTTPLoop.firstClientToken
    private var turns: [HTTPClient] = []
    private var woken: [HTTPClient] = []
    private var acceptRestsUntil: UInt64?
    /// The log has it, once in a life.
    private var hasWarned = false
    private var lastTick: UInt64 = 0
    private let room = ReadRoom()
    /// The memory of all answers.
    let answers = AnswerBudget()

    /// Called on the loop's thread after somebody signalled `waker`.
    public var onWake: (() -> Void)?
    /// Called on the loop's thread at the end of each turn.
    var onTurn: (() -> Void)?
    /// Connections now.
    public var connectionCount: Int { clients.count }
    /// Connections ever, and those that found no room.
    public private(set) var acceptedCount: UInt64 = 0
    public private(set) var turnedAwayCount: UInt64 = 0

    /// Binds and listens.
    public init(
        address: SocketAddress, connectionsMax: Int = HTTPLimits.connectionsMax, time: any TimeSource, log: Log? = nil
    ) throws(SystemError) {
        listener = try Socket.listen(address, backlog: HTTPLimits.backlog)
        self.address = try Socket.localAddress(listener.number)
        poller = try Poller()
        wake = try WakeSignal()
        self.connectionsMax = connectionsMax
        self.time = time
        self.log = log
        try poller.add(listener.number, .readable, token: HTTPLoop.listenerToken)
        try poller.add(wake.descriptor, .readable, token: HTTPLoop.wakeToken)
    }

    /// Wakes the loop, from any thread.
    public var waker: WakeSignal { wake }

    /// How often the loop has turned; wakes it, so that it turns once more if it can. Any thread.
    func takePulse() -> UInt64 {
        let count = turnCount.load(ordering: .relaxed)
        wake.signal()
        return count
    }

    /// Takes a source in; returns its token for the poller.
    public func add(_ source: any LoopSource) -> UInt64 {
        sources.append(source)
        return HTTPLoop.sourceTokens + UInt64(sources.count - 1)
    }

    /// Lets `run` finish what is being answered and return. Any thread.
    public func stop() {
        stopping.store(true, ordering: .releasing)
        wake.signal()
    }

    /// Serves until `stop`. Throws when the kernel takes the poller away: nothing can be done without it.
    public func run(_ responder: any Responder) throws(SystemError) {
        var drainDeadline: UInt64?
        while true {
            let count = try poller.wait(timeoutMilliseconds: timeout(isDraining: drainDeadline != nil))
            turnCount.add(1, ordering: .relaxed)
            let now = time.monotonicNanoseconds()
            for index in 0..<count {
                let (token, readiness) = poller[index]
                switch token {
                case HTTPLoop.listenerToken: accept(responder, now)
                case HTTPLoop.wakeToken:
                    wake.clear()
                    onWake?()
                case HTTPLoop.firstClientToken...:
                    if let client = clients[token] { serve(client, readiness, now) }
                default: sources[Int(token - HTTPLoop.sourceTokens)].ready(readiness)
                }
            }
            takeTurns(now)
            if now - lastTick >= HTTPLimits.tickMilliseconds * 1_000_000 { tick(now) }
            for source in sources { source.endTurn() }
            onTurn?()

            if let drainDeadline {
                if clients.isEmpty { return }
                if now >= drainDeadline {
                    for client in clients.values { drop(client) }
                    return
                }
            } else if stopping.load(ordering: .acquiring) {
                drainDeadline = now + HTTPLimits.drainMilliseconds * 1_000_000
                try poller.remove(listener.number)
                for client in Array(clients.values) {
                    if client.connection.isIdle {
                        drop(client)
                    } else {
                        client.connection.drain()
                        flush(client, now)
                    }
                }
                if clients.isEmpty { return }
            }
        }
    }

    private func timeout(isDraining: Bool) -> Int32 {
        if !turns.isEmpty || !woken.isEmpty { return 0 }
        // Nothing to watch over: sleep until something happens.
        if clients.isEmpty && acceptRestsUntil == nil && !isDraining && !answers.isWorthReleasing { return -1 }
        return Int32(HTTPLimits.tickMilliseconds / (isDraining ? 10 : 1))
    }

    // MARK: Connections

    private func accept(_ responder: any Responder, _ now: UInt64) {
        for _ in 0..<HTTPLimits.acceptsATurnMax {
            do throws(SystemError) {
                let bound = try OpenFiles.bound(reserving: StoreLimits.reservedDescriptors)
                guard try OpenFiles.hasRoom(below: bound, like: listener.number) else {
                    rest(now, "the last \(StoreLimits.reservedDescriptors) descriptors are kept for the store's files")
                    return
                }
                guard let (number, peer) = try Socket.accept(listener.number) else { return }
                let descriptor = Descriptor(owning: number)
                // Another thread has just taken the last one for clients.
                if Int(number) >= bound { continue }
                acceptedCount += 1
                let hasRoom = clients.count < connectionsMax || evict(now)
                if !hasRoom {
                    turnedAwayCount += 1
                    // A few more are told so; beyond them there is nothing but to hang up.
                    if clients.count >= connectionsMax + HTTPLoop.turnedAwayMax { continue }
                }
                if !peer.isUnix {
                    try Socket.tune(number)
                    Socket.limitUnsent(number, bytes: HTTPLimits.unsentBytesMax)
                }
                let connection = HTTPConnection(
                    responder: responder, date: date, peer: Peer(peer), budget: answers, now: now)
                let client = HTTPClient(descriptor, token: nextToken, connection: connection)
                nextToken += 1
                try poller.add(number, .readable, token: client.token)
                client.wanted = .readable
                clients[client.token] = client
                connection.onWake = { [weak self, weak client] in
                    if let self, let client { self.wake(client) }
                }
                if !hasRoom {
                    connection.turnAway(.full, now: now, wallMicroseconds: time.nowMicroseconds())
                    flush(client, now)
                }
            } catch {
                // No descriptor or no memory is left: connections that are there go on, new ones wait in the kernel.
                rest(now, error.description)
                return
            }
        }
    }

    private func rest(_ now: UInt64, _ cause: String) {
        acceptRestsUntil = now + HTTPLimits.acceptRestMilliseconds * 1_000_000
        listen(to: [])
        if hasWarned { return }
        hasWarned = true
        log?.warning(
            "HTTP cannot accept connections for now; raise the limit of open files (ulimit -n)", ["cause": cause])
    }

    private func listen(to wanted: Readiness) {
        do throws(SystemError) {
            try poller.change(listener.number, wanted, token: HTTPLoop.listenerToken)
        } catch {
            // It was added in `init` and is open: only a lack of kernel memory is left. The next tick tries again.
            log?.warning("HTTP listener is not watched", ["cause": error.description])
        }
    }

    /// Connections beyond the limit that are told so at a time.
    private static let turnedAwayMax = 64

    /// Closes one connection that is between requests, to make room for a new one.
    private func evict(_ now: UInt64) -> Bool {
        guard
            let idle = clients.values.first(where: { $0.connection.isEvictable(now: now) && $0.lingersUntil == nil })
        else { return false }
        drop(idle)
        return true
    }

    /// There is news for a client: what is done at once with it is done before anybody's next step.
    private func wake(_ client: HTTPClient) {
        if client.isWoken || client.isGone { return }
        client.isWoken = true
        woken.append(client)
    }

    private func queue(_ client: HTTPClient) {
        if client.isQueued || client.isGone { return }
        client.isQueued = true
        turns.append(client)
    }

    /// One turn for everybody who has work; those for whom there is no time are first next time.
    private func takeTurns(_ now: UInt64) {
        if !woken.isEmpty {
            let current = woken
            woken.removeAll(keepingCapacity: true)
            for client in current {
                client.isWoken = false
                if !client.isGone { advance(client, now, maySteps: false) }
            }
        }
        if turns.isEmpty { return }
        let current = turns
        turns.removeAll(keepingCapacity: true)
        for (place, client) in current.enumerated() {
            client.isQueued = false
            if client.isGone { continue }
            advance(client, now, maySteps: true)
            if time.monotonicNanoseconds() >= now + HTTPLimits.turnsMilliseconds * 1_000_000 {
                turns.insert(contentsOf: current[(place + 1)...], at: 0)
                return
            }
        }
    }

    private func serve(_ client: HTTPClient, _ readiness: Readiness, _ now: UInt64) {
        if readiness.contains(.readable) {
            if client.lingersUntil != nil {
                discard(client)
                return
            }
            if client.connection.wantsInput && !read(client, now) { return }
        } else if !readiness.isDisjoint(with: .broken) {
            drop(client)
            return
        }
        if readiness.contains(.peerClosed) { client.connection.noteHalfClose(now: now) }
        if client.connection.pendingOutput > 0 && !send(client) { return }
        // Many may be ready at a time: steps of queries have their turn when all of them were looked at, so that what is quickly answered, as
        // health is, waits for none of them.
        advance(client, now, maySteps: false)
    }

    private func advance(_ client: HTTPClient, _ now: UInt64, maySteps: Bool) {
        client.connection.advance(now: now, wallMicroseconds: time.nowMicroseconds(), maySteps: maySteps)
        flush(client, now, isTurnNext: !maySteps)
    }

    /// One read into the shared room. False when the client is gone.
    private func read(_ client: HTTPClient, _ now: UInt64) -> Bool {
        do throws(SystemError) {
            switch try unsafe Socket.receive(client.descriptor.number, into: room.buffer) {
            case .bytes(let count):
                // In bounds: recv(2) filled `count` bytes of the room.
                unsafe client.connection.receive(UnsafeRawBufferPointer(rebasing: room.buffer[..<count]), now: now)
            case .wouldBlock: break
            case .end: client.connection.endInput(now: now)
            }
            return true
        } catch {
            drop(client)
            return false
        }
    }

    /// Sends what the socket takes. False when the client is gone.
    private func send(_ client: HTTPClient) -> Bool {
        let connection = client.connection
        while connection.pendingOutput > 0 {
            do throws(SystemError) {
                switch try connection.sendOutput(to: client.descriptor.number) {
                case .bytes(let count): connection.didSend(count)
                case .wouldBlock, .end: return true
                }
            } catch {
                drop(client)
                return false
            }
        }
        return true
    }

    /// Sends, ends or keeps watching. `isTurnNext`: if it has work that is done at once, and then is the time to say what is to be watched.
    private func flush(_ client: HTTPClient, _ now: UInt64, isTurnNext: Bool = false) {
        guard send(client) else { return }
        let connection = client.connection
        if connection.isClosing && connection.pendingOutput == 0 {
            if connection.isBroken {
                Socket.resetWhenClosed(client.descriptor.number)
                drop(client)
                return
            }
            if client.lingersUntil == nil { linger(client, now) }
            return
        }
        if connection.wantsTurn {
            queue(client)
            if isTurnNext { return }
        }
        var wanted: Readiness = []
        if connection.wantsInput {
            wanted.insert(.readable)
        } else if connection.watchesHalfClose {
            wanted.insert(.peerClosed)
        }
        if connection.pendingOutput > 0 { wanted.insert(.writable) }
        watch(client, wanted)
    }

    private func watch(_ client: HTTPClient, _ wanted: Readiness) {
        if wanted == client.wanted { return }
        do throws(SystemError) {
            try poller.change(client.descriptor.number, wanted, token: client.token)
            client.wanted = wanted
        } catch {
            drop(client)
        }
    }

    /// Everything was said. A close(2) with unread input would reset the connection and take the answer away from the client
    /// (RFC 9112 section 9.6): end our side, and read on for a moment.
    private func linger(_ client: HTTPClient, _ now: UInt64) {
        if client.connection.hasInputEnded {
            drop(client)
            return
        }
        client.lingersUntil = now + HTTPLimits.lingerMilliseconds * 1_000_000
        do throws(SystemError) {
            try Socket.shutdownWrites(client.descriptor.number)
        } catch {
            drop(client)
            return
        }
        watch(client, .readable)
    }

    private func discard(_ client: HTTPClient) {
        do throws(SystemError) {
            if try unsafe Socket.receive(client.descriptor.number, into: room.buffer) == .end { drop(client) }
        } catch {
            drop(client)
        }
    }

    private func drop(_ client: HTTPClient) {
        guard !client.isGone else { return }
        client.isGone = true
        // At the end of the service, or of our patience: what was sent of an answer must not be taken for the whole.
        if client.connection.isMidAnswer { Socket.resetWhenClosed(client.descriptor.number) }
        client.connection.abort()
        // Closing takes it out of the poller.
        clients[client.token] = nil
    }

    private func tick(_ now: UInt64) {
        lastTick = now
        if let rest = acceptRestsUntil, now >= rest {
            acceptRestsUntil = nil
            if !stopping.load(ordering: .relaxed) {
                listen(to: .readable)
            }
        }
        let wall = time.nowMicroseconds()
        for client in Array(clients.values) {
            if let until = client.lingersUntil {
                if now >= until { drop(client) }
            } else if client.connection.isExpired(now: now, wallMicroseconds: wall) {
                drop(client)
            } else {
                flush(client, now)
            }
        }
        for source in sources { source.tick(now: now) }
        if answers.isWorthReleasing {
            answers.noteRelease()
            ResidentMemory.releaseFree()
        }
    }
}

/// A connection with its socket.
final class HTTPClient {
    let descriptor: Descriptor
    let token: UInt64
    let connection: HTTPConnection
    var wanted: Readiness = []
    var isQueued = false
    var isWoken = false
    var isGone = false
    /// Everything was sent; until this moment input is read and thrown away.
    var lingersUntil: UInt64?

    init(_ descriptor: consuming Descriptor, token: UInt64, connection: HTTPConnection) {
        self.descriptor = descriptor
        self.token = token
        self.connection = connection
    }
}

/// The loop's one buffer for reads.
@safe final class ReadRoom {
    let buffer: UnsafeMutableRawBufferPointer

    init() { unsafe buffer = .allocate(byteCount: HTTPLimits.readBytesMax, alignment: 16) }
    deinit { unsafe buffer.deallocate() }
}
