// A listening socket: accepts and deals connections to the loops in turn. Lives in the first loop. When no descriptor is left for
// clients (the last ones are the store's) it pauses for a moment instead of spinning: established connections go on, new ones wait
// in the kernel.

import EyeStore
import EyeSystem
import EyeWire
import Glibc
import Synchronization

/// How many connections there may be, over all loops.
final class Admission: Sendable {
    /// Of clients, and of the control socket.
    private let clients = Atomic<Int>(0)
    private let control = Atomic<Int>(0)
    private let refused = Atomic<UInt64>(0)

    /// Whether there is room for one more, which then counts.
    func enter(_ transport: Transport) -> Bool {
        let isIn =
            transport == .http
            ? Admission.enter(control, IngestLimits.controlConnectionsMax)
            : Admission.enter(clients, IngestLimits.connectionsMax)
        if !isIn { refused.add(1, ordering: .relaxed) }
        return isIn
    }

    private static func enter(_ open: borrowing Atomic<Int>, _ most: Int) -> Bool {
        if open.add(1, ordering: .relaxed).newValue <= most { return true }
        open.subtract(1, ordering: .relaxed)
        return false
    }

    /// One was not taken, for want of a descriptor.
    func turnAway() { refused.add(1, ordering: .relaxed) }

    func leave(_ transport: Transport) {
        if transport == .http {
            control.subtract(1, ordering: .relaxed)
        } else {
            clients.subtract(1, ordering: .relaxed)
        }
    }

    var connections: Int { clients.load(ordering: .relaxed) + control.load(ordering: .relaxed) }
    /// Connections closed unheard because there were too many, or no descriptor for one more.
    var refusals: UInt64 { refused.load(ordering: .relaxed) }
}

/// A listening socket of the first loop.
final class Listener: @unchecked Sendable {
    private let socket: Descriptor
    private let transport: Transport
    private let loops: [IngestLoop]
    private var next = 0
    private var pausedUntil: UInt64 = 0
    private var isWatched = true
    private var hasWarned = false
    private var nextRefusalLog: UInt64 = 0

    var number: Int32 { socket.number }

    init(_ socket: consuming Descriptor, _ transport: Transport, dealingTo loops: [IngestLoop]) {
        self.socket = socket
        self.transport = transport
        self.loops = loops
    }

    /// Takes the connections that wait; `onlyHere`: for the first loop itself, at the end.
    func accept(_ loop: IngestLoop, onlyHere: Bool = false) {
        // At the end all that wait; else the poller tells again of those that are left.
        var turns = onlyHere ? Int.max : IngestLimits.acceptsATurnMax
        while turns > 0 {
            turns -= 1
            do throws(SystemError) {
                // The control socket is the operator's: nobody else can open it.
                let isBounded = transport != .http
                let bound = try OpenFiles.bound(reserving: StoreLimits.reservedDescriptors)
                if isBounded, try !OpenFiles.hasRoom(below: bound, like: socket.number) {
                    pause(
                        loop, "the last \(StoreLimits.reservedDescriptors) descriptors are kept for the store's files")
                    return
                }
                guard let (number, peer) = try Socket.accept(socket.number) else { return }
                if isBounded, Int(number) >= bound {
                    // Another thread has just taken the last one.
                    _ = Descriptor(owning: number)
                    loop.context.admission.turnAway()
                    continue
                }
                guard loop.context.admission.enter(transport) else {
                    _ = Descriptor(owning: number)
                    tellRefused(loop)
                    continue
                }
                if onlyHere {
                    loop.adopt(number, peer, transport)
                    continue
                }
                loops[next].post(.adopt(number: number, peer: peer, transport: transport))
                next = (next + 1) % loops.count
            } catch {
                pause(loop, "\(error)")
                return
            }
        }
    }

    /// The same while those that are there have their turns.
    func acceptBetween(_ loop: IngestLoop) {
        if isWatched { accept(loop) }
    }

    /// There are too many: says so now and then.
    private func tellRefused(_ loop: IngestLoop) {
        if loop.monotonic < nextRefusalLog { return }
        nextRefusalLog = loop.monotonic + IngestLimits.refusalLogMilliseconds
        let admission = loop.context.admission
        loop.context.log.warning(
            "connections are refused: as many are open as may be",
            [
                "listener": transport.label.description, "open": "\(admission.connections)",
                "refused": "\(admission.refusals)",
            ])
    }

    private func pause(_ loop: IngestLoop, _ cause: String) {
        if !hasWarned {
            loop.context.log.warning(
                "cannot accept connections for now; raise the limit of open files (ulimit -n)", ["error": cause])
            hasWarned = true
        }
        pausedUntil = loop.monotonic + IngestLimits.acceptPauseMilliseconds
        watch(loop, [])
        isWatched = false
    }

    /// At every sweep: accepts again after a pause.
    func resume(_ loop: IngestLoop) {
        if isWatched || loop.monotonic < pausedUntil { return }
        isWatched = true
        watch(loop, .readable)
    }

    func close(_ loop: IngestLoop) {
        do throws(SystemError) {
            try loop.poller.remove(socket.number)
        } catch {
            preconditionFailure("epoll_ctl on our own listener: \(error)")
        }
    }

    private func watch(_ loop: IngestLoop, _ wanted: Readiness) {
        do throws(SystemError) {
            try loop.poller.remove(socket.number)
            try loop.poller.add(socket.number, wanted, token: loop.listenerToken(of: self))
        } catch {
            preconditionFailure("epoll_ctl on our own listener: \(error)")
        }
    }
}
