// Bytes from stream sockets into lines. A read goes into the loop's one buffer, right behind the unfinished line of the
// connection; what is unfinished afterwards is kept with the connection, so that an idle one holds no buffer. A connection
// that must wait (for a HELLO's answer, a SYNC, a reader of its answers) keeps its unjudged bytes the same way.

import EyeSystem
import EyeWire

extension IngestLoop {
    /// The poller has told of `connection`. `isBroken`: its peer is gone, which the poller says again and again.
    func read(_ connection: Connection, isBroken: Bool) {
        switch connection.phase {
        case .open: readOn(connection)
        case .lingering: readAfterEnd(connection)
        case .waitingForGreeting, .waitingForClient, .waitingForSync, .waitingForErasure, .waitingForReader,
            .waitingForTurn, .ending, .flushing:
            // What it has sent is read when its turn comes: nothing is thrown away.
            if isBroken { unwatch(connection) }
        case .closed: break
        }
    }

    private func readOn(_ connection: Connection) {
        let held = connection.partialCount
        // In bounds: an unfinished line is never longer than `lineRoom` while the connection is read.
        let start = unsafe readArea - held
        if held > 0 { unsafe start.copyMemory(from: connection.partial!, byteCount: held) }
        do throws(SystemError) {
            let bytes = connection.isStranger ? IngestLimits.strangerReadBytes : IngestLimits.readBytes
            let area = unsafe UnsafeMutableRawBufferPointer(start: readArea, count: bytes)
            switch try unsafe Socket.receive(connection.descriptor.number, into: area) {
            case .wouldBlock: return
            case .bytes(let count):
                counts.bytes += UInt64(count)
                connection.bytes += UInt64(count)
                connection.lastHeard = monotonic
                partialBytes -= held
                connection.partialCount = 0
                let window = unsafe UnsafeRawBufferPointer(start: start, count: held + count)
                unsafe judge(connection, window)
            case .end:
                endOfStream(connection)
            }
        } catch {
            // A reset: what the peer had not finished is lost to it and to us, and counted.
            close(connection)
        }
        if connection.phase != .closed { touch(connection) }
    }

    /// Judges the lines of `window` and keeps what is left.
    func judge(_ connection: Connection, _ window: UnsafeRawBufferPointer) {
        if connection.line == 0, !connection.talks, connection.received == 0, unsafe WireLine.isTLS(window) {
            refusePort(connection)
            return
        }
        let done = unsafe judgeLines(connection, window)
        let rest = window.count - done
        // Behind QUIT nothing is read.
        guard rest > 0, connection.phase.isJudging else {
            connection.dropPartial()
            return
        }
        // In bounds: `done` is at most the window's count.
        unsafe connection.keepPartial(window.baseAddress! + done, count: rest)
        partialBytes += rest
        noteHeld()
        if partialBytes > IngestLimits.partialBytesPerLoop { freePartialBytes() }
    }

    /// Goes on with lines that had to wait; when there is a frame to put them into.
    func resume(_ connection: Connection) {
        switch connection.phase {
        case .waitingForGreeting, .waitingForClient, .waitingForSync, .waitingForErasure, .waitingForReader,
            .waitingForTurn:
            guard canRead else {
                connection.phase = .waitingForTurn
                postponed.append(connection)
                return
            }
            connection.phase = .open
        case .open, .ending, .flushing, .lingering, .closed: return
        }
        let held = connection.partialCount
        if held > 0 {
            // The buffer is taken out while its lines are judged: what is left goes into a new one.
            let buffer = unsafe connection.partial!
            unsafe connection.partial = nil
            connection.partialCapacity = 0
            connection.partialCount = 0
            partialBytes -= held
            unsafe judge(connection, UnsafeRawBufferPointer(start: buffer, count: held))
            unsafe buffer.deallocate()
        }
        if connection.phase != .closed { touch(connection) }
    }

    /// Its turn is over, and there is more of it: goes on when the others have had theirs.
    func endTurn(_ connection: Connection) {
        connection.phase = .waitingForTurn
        turnOver.append(connection)
    }

    /// Goes on with those that waited for a frame.
    func resumePostponed() {
        if postponed.isEmpty || !canRead { return }
        swap(&postponed, &resuming)
        // Who has to wait again is put down again.
        for connection in resuming { resume(connection) }
        resuming.removeAll(keepingCapacity: true)
    }

    /// Goes on with those whose turn was over, as far as they come to it now.
    func resumeTurns() {
        if turnOver.isEmpty || !canRead { return }
        swap(&turnOver, &resuming)
        let end = turnsEnd()
        var reached = 0
        // Whose next turn is over too is put down again, behind those that were not reached.
        repeat {
            resume(resuming[reached])
            reached += 1
        } while reached < resuming.count && !isOver(end)
        turnOver.insert(contentsOf: resuming[reached...], at: 0)
        resuming.removeAll(keepingCapacity: true)
    }

    /// The peer ended its side: a last line without LF counts, then everything settles.
    private func endOfStream(_ connection: Connection) {
        if connection.wasReset {
            close(connection)
            return
        }
        let held = connection.partialCount
        if held > 0 {
            unsafe finishLine(connection, UnsafeRawBufferPointer(start: connection.partial!, count: held))
            partialBytes -= connection.partialCount
            connection.dropPartial()
        }
        connection.hasEnded = true
        if connection.phase == .open { connection.phase = .ending }
    }

    /// After the last answer nothing is judged; the peer may only go away.
    private func readAfterEnd(_ connection: Connection) {
        let area = unsafe UnsafeMutableRawBufferPointer(start: readArea, count: IngestLimits.readBytes)
        do throws(SystemError) {
            let transfer = try unsafe Socket.receive(connection.descriptor.number, into: area)
            if case .bytes(let count) = transfer { counts.bytes += UInt64(count) }
            if transfer == .end { close(connection) }
        } catch {
            close(connection)
        }
    }
}
