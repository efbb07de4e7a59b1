// The end of a loop: listeners close, what is already in the sockets is read and judged by the ordinary ticks, and when a
// tick finds nothing more (or the time is up) the connections are ended; when all is settled the thread ends. What is not
// durable by then was never acknowledged. The first loop is told first: it passes the word on behind the last connections
// that it has dealt, so that none is forgotten.

import EyeSystem
import EyeWire

extension IngestLoop {
    /// Whether the thread may end.
    var isFinished: Bool {
        guard let since = drainingSince else { return false }
        if open?.frame.isEmpty == false || underWay > 0 { return false }
        if monotonic > since + 2 * IngestLimits.drainReadMilliseconds { return true }
        return connections.allSatisfy { connection in
            guard let connection else { return true }
            return connection.phase == .lingering
        }
    }

    /// Accepts no more, and reads on until the sockets are empty.
    func drain() {
        if drainingSince != nil { return }
        drainingSince = monotonic
        for listener in listeners {
            listener.accept(self, onlyHere: true)
            listener.close(self)
        }
        listeners.removeAll()
        if index == 0 { for loop in loops.dropFirst() { loop.post(.drain) } }
        // Nobody waits for a reader any more: what it has sent is judged.
        for case let connection? in connections where connection.phase == .waitingForReader { resume(connection) }
    }

    /// After each tick of a draining loop. `isQuiet`: the poller had nothing to tell.
    func drainOn(isQuiet: Bool) {
        guard let since = drainingSince else { return }
        guard isQuiet || monotonic > since + IngestLimits.drainReadMilliseconds else { return }
        datagrams?.lookAtDrops(&counts, context.log)
        for case let connection? in connections where connection.phase == .open {
            connection.isCutOff = true
            connection.phase = .ending
            touch(connection)
        }
    }
}
