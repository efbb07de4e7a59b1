// What peers are sent, and when. The rule of silence: a peer that has sent only event lines gets nothing until its end of
// stream; then, once everything is durable, its first errors and the +BYE line. One that has sent a command gets answers
// as they come. Sending never blocks: what does not fit waits, bounded; a peer that lets it wait too long is closed.

import EyeSystem
import EyeWire

extension IngestLoop {
    /// A command has come: the first one ends the silence, and any may name a mode. What was held back goes out when the
    /// mode leaves `silent`.
    func startTalking(_ connection: Connection, mode named: Mode? = nil) {
        let isFirst = !connection.talks
        connection.talks = true
        guard let mode = named ?? (isFirst ? .errors : nil) else { return }
        if connection.mode == .silent && mode != .silent { appendHeldErrors(connection) }
        connection.mode = mode
    }

    private func appendHeldErrors(_ connection: Connection) {
        connection.output += connection.errors
        if connection.errorsMore > 0 { Reply.appendMore(connection.errorsMore, to: &connection.output) }
        connection.errors = []
        connection.errorsHeld = 0
        connection.errorsMore = 0
    }

    /// Tells the peer that its line was refused, now, later or never, as its mode says.
    func answerError(
        _ connection: Connection, line number: UInt64, _ fault: Fault, _ line: UnsafeRawBufferPointer
    ) {
        switch connection.mode {
        case .silent:
            if connection.errorsHeld < WireLimits.heldErrorsMax {
                connection.errorsHeld += 1
                unsafe Reply.appendError(line: number, fault, in: line, to: &connection.errors)
            } else {
                connection.errorsMore += 1
            }
            return
        case .errors, .acks: unsafe Reply.appendError(line: number, fault, in: line, to: &connection.output)
        case .each:
            if connection.isSettled {
                unsafe Reply.appendError(line: number, fault, in: line, to: &connection.output)
            } else {
                var bytes: [UInt8] = []
                unsafe Reply.appendError(line: number, fault, in: line, to: &bytes)
                connection.deferReply(bytes)
            }
        }
        touch(connection)
    }

    /// What is durable now is acknowledged, if the peer asked for that.
    func acknowledge(_ connection: Connection) {
        if connection.isSettled { connection.durableLine = connection.line }
        if connection.mode == .acks, connection.durableLine > connection.acknowledgedLine {
            connection.acknowledgedLine = connection.durableLine
            Reply.appendAck(line: connection.durableLine, to: &connection.output)
        }
    }

    /// The end of the tick for a connection in which something happened: acknowledgements, the end, and sending.
    func answer(_ connection: Connection) {
        if connection.phase == .closed { return }
        acknowledge(connection)
        if connection.isSettled {
            switch connection.phase {
            case .ending: sayBye(connection)
            case .waitingForSync:
                Reply.appendSync(line: connection.line, to: &connection.output)
                resume(connection)
            case .waitingForGreeting: greet(connection)
            case .waitingForErasure: submitErasure(connection)
            case .open, .waitingForClient, .waitingForReader, .waitingForTurn, .flushing, .lingering, .closed: break
            }
        }
        flush(connection)
        if unreadBytes > unreadBytesMax { closeSlowReaders() }
    }

    /// Everything of this peer is settled and it will send no more.
    private func sayBye(_ connection: Connection) {
        connection.phase = .flushing
        if connection.isCutOff {
            // It did not ask for an end: a silent one is closed without a word.
            if connection.talks { Reply.appendError(line: 0, .draining, to: &connection.output) } else { return }
        } else {
            appendHeldErrors(connection)
        }
        Reply.appendBye(
            LineCounts(
                received: connection.received, accepted: connection.accepted, rejected: connection.rejected,
                duplicate: connection.duplicate), to: &connection.output)
    }

    /// Sends what waits, as far as it goes; closes a connection that is done. A peer that takes no answers any more may have sent lines
    /// before: they are judged, and its answers dropped.
    func flush(_ connection: Connection) {
        while connection.outputWaiting > 0, !connection.isDeaf {
            do throws(SystemError) {
                let sent = try Socket.send(
                    connection.descriptor.number, connection.output, from: connection.outputSent)
                guard case .bytes(let count) = sent else {
                    let isHeldUp =
                        connection.phase == .waitingForReader
                        || connection.outputWaiting > WireLimits.replyBacklogBytesMax
                    if connection.stuckSince == 0, isHeldUp { connection.stuckSince = monotonic }
                    break
                }
                connection.outputSent += count
                connection.stuckSince = 0
            } catch {
                guard error.isPeerGone else {
                    close(connection)
                    return
                }
                connection.isDeaf = true
                connection.wasReset = !error.isBrokenPipe
            }
        }
        if connection.isDeaf {
            connection.outputSent = connection.output.count
            connection.stuckSince = 0
        }
        if connection.outputWaiting > 0, connection.outputSent >= WireLimits.replyBacklogBytesMax {
            // A peer that always leaves a little unread must not make it grow.
            connection.output.removeFirst(connection.outputSent)
            connection.outputSent = 0
        }
        noteUnread(connection)
        if connection.outputWaiting == 0 {
            if connection.outputSent > 0 {
                let isSmall = connection.output.capacity <= IngestLimits.outputBytesKept
                connection.output.removeAll(keepingCapacity: isSmall)
            }
            connection.outputSent = 0
            if connection.phase == .flushing {
                part(connection)
                return
            }
            // Answers that wait for lines before them are looked at again when one of those is settled.
            if connection.phase == .waitingForReader, connection.deferredBytes <= WireLimits.replyBacklogBytesMax {
                resume(connection)
            }
        }
        watch(connection)
    }

    /// The last answer is sent: closes, at once if the peer has ended its side, else when it does.
    private func part(_ connection: Connection) {
        if connection.hasEnded || connection.isCutOff || connection.isDeaf {
            close(connection)
            return
        }
        connection.phase = .lingering
        connection.lingerUntil = monotonic + IngestLimits.lingerMilliseconds
        do throws(SystemError) {
            try Socket.shutdownWrites(connection.descriptor.number)
            watch(connection)
        } catch {
            close(connection)
        }
    }

    /// HTTP or TLS on this port: one answer that says so, and the end.
    func refusePort(_ connection: Connection) {
        counts.end(.wrongPort)
        Reply.appendError(line: 0, .wrongPort, to: &connection.output)
        connection.phase = .flushing
        touch(connection)
    }
}
