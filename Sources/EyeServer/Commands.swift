// Commands: what a peer may ask beside sending events. Rare, so they may allocate. A command is judged when its turn comes
// among the lines; what it asks about lines before it waits until those are settled.

import EyeStore
import EyeSystem
import EyeWire

extension IngestLoop {
    /// Name and version, as HELLO tells them.
    static let serverName = "the-eye/\(EyeVersion.text)"

    func command(_ connection: Connection, _ verb: Verb, _ argument: Range<Int>, _ line: UnsafeRawBufferPointer) {
        touch(connection)
        do throws(Fault) {
            let command = try unsafe Command.parse(verb, argument: argument, of: line)
            let modeBefore = connection.mode
            switch command {
            case .mode(let mode): startTalking(connection, mode: mode)
            // Refused, it ends the first silence and leaves the mode: `greet` knows.
            case .hello: break
            default: startTalking(connection)
            }
            switch command {
            case .hello(let hello):
                connection.hello = hello
                if connection.isSettled { greet(connection) } else { connection.phase = .waitingForGreeting }
            case .mode(let mode):
                // What was asked for in this very mode is still owed.
                if modeBefore != .acks { connection.acknowledgedLine = connection.durableLine }
                Reply.appendOK(mode, to: &connection.output)
            // In bounds: the parser's ranges lie in the line.
            case .ping(let text):
                unsafe Reply.appendPong(UnsafeRawBufferPointer(rebasing: line[text]), to: &connection.output)
            case .sync:
                if connection.isSettled {
                    acknowledge(connection)
                    Reply.appendSync(line: connection.line, to: &connection.output)
                } else {
                    connection.phase = .waitingForSync
                }
            case .check(let token, let json): unsafe check(connection, token, json, line)
            case .stats: stats(connection)
            case .help: Reply.appendHelp(isControl: connection.isControl, to: &connection.output)
            case .quit: connection.phase = .ending
            case .session(let token, let session): unsafe openSession(connection, token, session, line)
            case .reject(let report): unsafe keep(connection, report, line)
            case .used(let tokenID): context.tokenUse.record(tokenID, at: now)
            case .metrics: appendMetrics(connection)
            case .erase(let token, let request): unsafe erase(connection, token, request, line)
            }
        } catch {
            startTalking(connection)
            var bytes: [UInt8] = []
            unsafe Reply.appendError(line: 0, error, in: line, to: &bytes)
            answerInTurn(connection, bytes)
        }
    }

    /// Control socket: who asks there takes answers in the order of what it sent, so this one waits for the lines before it. Elsewhere it is
    /// said at once.
    private func answerInTurn(_ connection: Connection, _ bytes: [UInt8]) {
        if connection.isSettled || !connection.isControl {
            connection.output += bytes
        } else {
            connection.deferReply(bytes)
        }
    }

    /// HELLO, now that everything before it is settled: what is owed for that goes out under the old numbers, before new ones begin.
    func greet(_ connection: Connection) {
        guard let hello = connection.hello else { return }
        acknowledge(connection)
        var token: UInt32 = 0
        if let secret = hello.token {
            let entry = unsafe secret.withUnsafeBytes { unsafe find($0) }
            guard let entry, entry.scopes.contains(.ingest) else {
                connection.hello = nil
                startTalking(connection)
                Reply.appendError(line: 0, entry == nil ? .badToken : .forbidden, to: &connection.output)
                resume(connection)
                return
            }
            token = entry.id
        }
        connection.helloToken = token
        // The next line's token is looked at anew: it must be HELLO's if there is a client.
        connection.token.version = 0
        leaveClient(connection)
        guard let name = hello.clientID else {
            let line = hello.sequence.map { $0 - 1 } ?? connection.line
            beginNumbering(connection, hello, after: line, lastSequence: line)
            return
        }
        let key = ClientKey(token: token, name: name)
        connection.client = key
        connection.phase = .waitingForClient
        pendingGreetings += 1
        let request = ClientRequest(
            loop: index, slot: connection.slot, generation: connection.generation, token: token, name: name)
        let older = context.clients.claim(key, place(of: connection))
        if let older, older.loop != index {
            loops[older.loop].post(.replace(older, by: request))
        } else {
            replace(older, by: request)
        }
    }

    private func leaveClient(_ connection: Connection) {
        guard let key = connection.client else { return }
        context.clients.release(key, place(of: connection))
        connection.client = nil
        connection.clientSlot = -1
        connection.stalled = nil
    }

    /// HELLO is granted: the next line has the number after `line`, and reading goes on.
    func beginNumbering(_ connection: Connection, _ hello: Hello, after line: UInt64, lastSequence: UInt64) {
        connection.hello = nil
        startTalking(connection, mode: hello.mode)
        connection.line = line
        connection.durableLine = line
        connection.acknowledgedLine = max(line, lastSequence)
        Reply.appendHello(
            server: IngestLoop.serverName, lastSequence: lastSequence, now: now, to: &connection.output)
        resume(connection)
    }

    /// Judges an event as if it came, and stores nothing.
    private func check(
        _ connection: Connection, _ token: Range<Int>, _ json: Range<Int>, _ line: UnsafeRawBufferPointer
    ) {
        // In bounds: the parser's ranges lie in the line.
        let entry = unsafe find(UnsafeRawBufferPointer(rebasing: line[token]))
        guard let entry, entry.scopes.contains(.ingest) else {
            Reply.appendError(line: 0, entry == nil ? .badToken : .forbidden, to: &connection.output)
            return
        }
        do throws(Fault) {
            _ = try unsafe EventScanner.scan(
                UnsafeRawBufferPointer(rebasing: line[json]), latest: now + context.options.futureMicroseconds)
            Reply.appendOK(to: &connection.output)
        } catch {
            unsafe Reply.appendError(line: 0, error.shifted(by: json.lowerBound), in: line, to: &connection.output)
        }
    }

    private func stats(_ connection: Connection) {
        if connection.isSettled { connection.durableLine = connection.line }
        Reply.appendStats(
            LineCounts(
                received: connection.received, accepted: connection.accepted, rejected: connection.rejected,
                duplicate: connection.duplicate), bytes: connection.bytes, mode: connection.mode,
            line: connection.line, durable: connection.durableLine, to: &connection.output)
    }

    /// Control socket: the number of a command that is answered like an event line; nil, and the command refused, if none is left.
    private func nextNumber(_ connection: Connection, _ line: UnsafeRawBufferPointer) -> UInt64? {
        let number = connection.takeNumber()
        if number > 0 { return number }
        unsafe answerError(connection, line: 0, Fault(.overloaded, .sequence), line)
        return nil
    }

    /// Control socket: opens a session; answered like a line of mode `each`, with id 0.
    private func openSession(
        _ connection: Connection, _ token: Range<Int>, _ session: UUID, _ line: UnsafeRawBufferPointer
    ) {
        guard let number = unsafe nextNumber(connection, line) else { return }
        // In bounds: the parser's range lies in the line.
        let entry = unsafe find(UnsafeRawBufferPointer(rebasing: line[token]), looksAgain: true)
        guard let entry, entry.scopes.contains(.ingest) else {
            unsafe answerError(connection, line: number, Fault(entry == nil ? .badToken : .forbidden), line)
            return
        }
        if let reject = shedding() {
            unsafe answerError(connection, line: number, Fault(reject), line)
            return
        }
        let id = ID128(high: session.high, low: session.low)
        if !openBatch().frame.appendSession(id, received: now, token: entry.id) {
            submitOpen()
            let fits = openBatch().frame.appendSession(id, received: now, token: entry.id)
            precondition(fits, "an empty frame takes a session")
        }
        noteLast(connection, isEvent: false)
    }

    /// Control socket: erases. Only this connection waits for it.
    private func erase(
        _ connection: Connection, _ token: Range<Int>, _ request: ErasureRequest, _ line: UnsafeRawBufferPointer
    ) {
        guard let number = unsafe nextNumber(connection, line) else { return }
        // In bounds: the parser's range lies in the line.
        let secret = unsafe UnsafeRawBufferPointer(rebasing: line[token])
        var asker: UInt32 = 0
        // Whoever may open the socket may write the folder: "-" is the operator.
        if unsafe !(secret.count == 1 && secret[0] == UInt8(ascii: "-")) {
            let entry = unsafe find(secret, looksAgain: true)
            guard let entry, entry.scopes.contains(.admin) else {
                unsafe answerError(connection, line: number, Fault(entry == nil ? .badToken : .forbidden), line)
                return
            }
            asker = entry.id
        }
        connection.erasure = ErasureOrder(
            place: place(of: connection), line: number, request: request, token: asker)
        connection.phase = .waitingForErasure
    }

    /// What the connection sent before its ERASE is settled: so it is older than the tombstone.
    func submitErasure(_ connection: Connection) {
        guard let order = connection.erasure else { return }
        connection.erasure = nil
        guard let reject = context.erasures.submit(order) else { return }
        Reply.appendError(line: order.line, reject, to: &connection.output)
        resume(connection)
    }

    /// The erasing thread has answered: reading goes on.
    func answerErasure(_ place: ConnectionPlace, _ bytes: [UInt8]) {
        guard let connection = connection(slot: place.slot, place.generation) else { return }
        connection.output += bytes
        if connection.phase == .waitingForErasure { resume(connection) }
        touch(connection)
    }

    /// Control socket: keeps a refusal of the HTTP service among the errors, as far as samples are kept at all.
    private func keep(_ connection: Connection, _ report: RejectReport, _ line: UnsafeRawBufferPointer) {
        guard let number = unsafe nextNumber(connection, line) else { return }
        if context.sampleBudget.admits(report.reject, now: now) {
            context.samples.add(
                RejectedSample(
                    received: now, code: Array(report.reject.code.description.utf8), message: report.message,
                    transport: (Transport(label: report.transport.span) ?? .http).rawValue, source: report.source,
                    token: report.tokenID ?? 0, line: Array(report.data.prefix(WireLimits.sampleBytesMax))))
        }
        var bytes: [UInt8] = []
        Reply.appendOK(line: number, id: 0, to: &bytes)
        answerInTurn(connection, bytes)
    }

    private func appendMetrics(_ connection: Connection) {
        published.publish(counts)
        let text = context.metrics()
        var bytes: [UInt8] = []
        Reply.appendMetrics(lineCount: text.count { $0 == 0x0A }, to: &bytes)
        answerInTurn(connection, bytes + text)
    }
}
