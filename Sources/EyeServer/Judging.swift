// From bytes to verdicts: the lines of a window, one after the other. The straight path, an event with the token that the
// line before it had, allocates nothing, takes no lock and copies the payload once, into the open frame.

import EyeStore
import EyeSystem
import EyeWire

extension IngestLoop {
    /// Judges every whole line of `window`; returns how many bytes are done with. Stops early when the connection has to
    /// wait or ends.
    func judgeLines(_ connection: Connection, _ window: UnsafeRawBufferPointer) -> Int {
        var framer = connection.framer
        var turn = IngestLimits.turnLinesMax
        while connection.phase == .open {
            if turn == 0, framer.start < window.count {
                endTurn(connection)
                break
            }
            turn = max(0, turn - 1)
            let piece: LineFramer.Piece?
            // So near the highest number that it may be passed within the window each line is asked whether it has one.
            if connection.stalled == nil, isStraight(connection.token),
                connection.line < WireLimits.sequenceMax - UInt64(window.count)
            {
                piece = unsafe takeStraight(connection, window, &framer)
            } else {
                piece = unsafe framer.next(in: window)
            }
            guard let piece else { break }
            unsafe judgePiece(connection, piece, window)
            if connection.outputWaiting + connection.deferredBytes > WireLimits.replyBacklogBytesMax,
                connection.phase == .open, drainingSince == nil
            {
                connection.phase = .waitingForReader
            }
        }
        let done = framer.release()
        connection.framer = framer
        return done
    }

    /// Takes lines by the straight path as long as it takes them; returns the first other piece, unjudged; nil when the
    /// window holds no further line.
    private func takeStraight(
        _ connection: Connection, _ window: UnsafeRawBufferPointer, _ framer: inout LineFramer
    ) -> LineFramer.Piece? {
        var path = straightPath(connection.token)
        let clientSlot = connection.clientSlot
        let firstLine = connection.line + 1
        var other: LineFramer.Piece?
        while true {
            if !framer.isSkipping {
                // In bounds: where the framer's next line begins is at most the window's count.
                let rest = unsafe UnsafeRawBufferPointer(rebasing: window[framer.start...])
                let client = ClientLine(slot: clientSlot, sequence: firstLine + path.stored)
                if unsafe path.hasToken(rest), let bytes = unsafe path.storeLine(rest, client: client) {
                    framer.take(upTo: framer.start + bytes)
                    continue
                }
            }
            guard let piece = unsafe framer.next(in: window) else { break }
            other = piece
            guard case .line(let range) = piece else { break }
            // In bounds: the framer's range lies in the window it was shown, and the JSON behind the token in the line.
            let line = unsafe UnsafeRawBufferPointer(rebasing: window[range])
            guard unsafe path.hasToken(line) else { break }
            let text = unsafe UnsafeRawBufferPointer(rebasing: line[StraightPath.jsonOffset...])
            let client = ClientLine(slot: clientSlot, sequence: firstLine + path.stored)
            guard unsafe path.store(text, client: client) else { break }
            other = nil
        }
        if path.stored > 0 {
            connection.line += path.stored
            connection.received += path.stored
            counts.lines += path.stored
            note(
                connection, lines: firstLine...connection.line, firstRecord: path.firstRecord, slot: connection.slot,
                generation: connection.generation)
        }
        return other
    }

    /// The general path.
    private func judgePiece(_ connection: Connection, _ piece: LineFramer.Piece, _ window: UnsafeRawBufferPointer) {
        // In bounds: the framer's ranges lie in the window it was shown.
        switch piece {
        case .line(let range): unsafe judgeLine(connection, UnsafeRawBufferPointer(rebasing: window[range]))
        case .tooLong(let range):
            unsafe refuse(connection, Fault(.tooLong), UnsafeRawBufferPointer(rebasing: window[range]))
        }
    }

    /// Judges a last line that has no LF.
    func finishLine(_ connection: Connection, _ window: UnsafeRawBufferPointer) {
        guard connection.phase == .open, let piece = unsafe connection.framer.finish(in: window) else { return }
        unsafe judgePiece(connection, piece, window)
    }

    private func judgeLine(_ connection: Connection, _ line: UnsafeRawBufferPointer) {
        // In bounds: the comparison looks at 41 bytes, and there are more.
        if line.count > StraightPath.jsonOffset, connection.token.version == bookVersion,
            now < connection.token.expires, unsafe connection.token.isAtStart(of: line)
        {
            unsafe judgeEvent(connection, line, json: StraightPath.jsonOffset)
            return
        }
        switch unsafe WireLine.split(line, isControl: connection.isControl) {
        case .ignored: return
        case .event(let token, let json):
            if let reject = unsafe present(connection, UnsafeRawBufferPointer(rebasing: line[token])) {
                unsafe refuse(connection, Fault(reject), line)
            } else {
                unsafe judgeEvent(connection, line, json: json.lowerBound)
            }
        case .bare: unsafe refuse(connection, Fault(.badToken), line)
        case .command(let verb, let argument): unsafe command(connection, verb, argument, line)
        case .unknownCommand:
            startTalking(connection)
            Reply.appendError(line: 0, .unknownCommand, to: &connection.output)
        case .wrongPort: refusePort(connection)
        }
    }

    /// Looks up a token that the connection did not have a line ago; nil if it may write events.
    func present(_ connection: Connection, _ token: UnsafeRawBufferPointer) -> Reject? {
        guard let entry = unsafe find(token, looksAgain: connection.isControl) else { return .badToken }
        guard entry.scopes.contains(.ingest) else { return .forbidden }
        if connection.client != nil && entry.id != connection.helloToken { return .forbidden }
        unsafe connection.token.remember(token, entry, version: bookVersion)
        return nil
    }

    /// The usable token with this secret. Before it is called unknown the accounts file is looked at, for it may have been
    /// made a moment ago: always if `looksAgain` (the HTTP service may know it already, from a login), else now and then.
    func find(_ token: UnsafeRawBufferPointer, looksAgain: Bool = false) -> TokenEntry? {
        // Nearly all that is sent instead of a token is none by its looks: the search would cost a hash.
        guard unsafe TokenSecret.isPossible(token) else { return nil }
        var found = unsafe book.token(matching: token, now: now)
        if found == nil, looksAgain || monotonic >= nextUnknownLook {
            nextUnknownLook = monotonic + IngestLimits.unknownTokenLookMilliseconds
            context.accounts.look()
            lookAtAccounts()
            found = unsafe book.token(matching: token, now: now)
        }
        guard let entry = found else { return nil }
        context.tokenUse.record(entry.id, at: now)
        return entry
    }

    /// Judges the event whose JSON begins at offset `json`; its token is the connection's remembered one.
    private func judgeEvent(_ connection: Connection, _ line: UnsafeRawBufferPointer, json: Int) {
        if !connection.hasNumber {
            unsafe refuse(connection, Fault(.overloaded, .sequence), line)
            return
        }
        if let stalled = connection.stalled ?? shedding() {
            unsafe refuse(connection, Fault(stalled), line)
            return
        }
        // In bounds: the offset of the JSON is at most the line's count.
        let text = unsafe UnsafeRawBufferPointer(rebasing: line[json...])
        do throws(Fault) {
            let fields = try unsafe EventScanner.scan(text, latest: now + context.options.futureMicroseconds)
            connection.takeNumber()
            connection.received += 1
            counts.lines += 1
            let client = ClientLine(slot: connection.clientSlot, sequence: connection.line)
            unsafe store(fields, of: text, token: connection.token.id, client: client)
            noteLast(connection)
        } catch {
            unsafe refuse(connection, error.shifted(by: json), line)
        }
    }

    /// `storage-full` while the disk was found full a moment ago.
    func shedding() -> Reject? { isShedding ? .storageFull : nil }

    /// Puts an event into the open batch.
    func store(_ fields: EventFields, of text: UnsafeRawBufferPointer, token: UInt32, client: ClientLine) {
        let key = EventKey(
            received: now, timestamp: fields.timestamp,
            session: ID128(high: fields.session.high, low: fields.session.low), token: token,
            eventID: fields.eventID.map { ID128(high: $0.high, low: $0.low) })
        // In bounds: the scanner's ranges lie in the text it was shown.
        let data = unsafe UnsafeRawBufferPointer(rebasing: text[fields.dataRange])
        if fields.category.escaped || fields.name.escaped {
            scratch.removeAll(keepingCapacity: true)
            unsafe JSON.appendUnescaped(fields.category, of: text, to: &scratch)
            let split = scratch.count
            unsafe JSON.appendUnescaped(fields.name, of: text, to: &scratch)
            unsafe scratch.withUnsafeBytes { bytes in
                unsafe append(
                    key, UnsafeRawBufferPointer(rebasing: bytes[..<split]),
                    UnsafeRawBufferPointer(rebasing: bytes[split...]), data, client)
            }
        } else {
            unsafe append(
                key, UnsafeRawBufferPointer(rebasing: text[fields.category.range]),
                UnsafeRawBufferPointer(rebasing: text[fields.name.range]), data, client)
        }
    }

    private func append(
        _ key: EventKey, _ category: UnsafeRawBufferPointer, _ name: UnsafeRawBufferPointer,
        _ data: UnsafeRawBufferPointer, _ client: ClientLine
    ) {
        if unsafe openBatch().frame.appendEvent(key, category: category, name: name, data: data, client: client) {
            return
        }
        submitOpen()
        let fits = unsafe openBatch().frame.appendEvent(key, category: category, name: name, data: data, client: client)
        precondition(fits, "an empty frame takes every event of a legal line")
    }

    /// Notes whose records were just put into the open batch: those of `lines`, from index `firstRecord` on. Of the
    /// general path it is one record at a time, of datagrams none has a line.
    func note(
        _ connection: Connection?, lines: ClosedRange<UInt64>, firstRecord: Int, slot: Int32, generation: UInt32,
        isEvent: Bool = true
    ) {
        let batch = openBatch()
        let records = Int32(batch.frame.recordCount - firstRecord)
        let last = batch.runs.count - 1
        let mode = connection?.mode ?? .silent
        if last >= 0, batch.runs[last].slot == slot, batch.runs[last].generation == generation,
            batch.runs[last].isEvent == isEvent, batch.runs[last].mode == mode,
            mode == .silent || batch.runs[last].lastLine + 1 == lines.lowerBound,
            mode != .each || !(connection?.hasReplyBehindRun ?? false)
        {
            batch.runs[last].lastLine = lines.upperBound
            batch.runs[last].records += records
        } else {
            batch.runs.append(
                Run(
                    slot: slot, generation: generation, firstLine: lines.lowerBound, lastLine: lines.upperBound,
                    firstRecord: Int32(firstRecord), records: records, mode: mode, isEvent: isEvent))
            connection?.runsBegun += 1
        }
    }

    /// Notes one record of a stream connection, the last one in the open batch.
    func noteLast(_ connection: Connection, isEvent: Bool = true) {
        note(
            connection, lines: connection.line...connection.line, firstRecord: openBatch().frame.recordCount - 1,
            slot: connection.slot, generation: connection.generation, isEvent: isEvent)
    }

    /// Refuses an event line: counts it, answers it if the peer listens, keeps a sample.
    func refuse(_ connection: Connection, _ fault: Fault, _ line: UnsafeRawBufferPointer) {
        let number = connection.takeNumber()
        connection.received += 1
        connection.rejected += 1
        counts.lines += 1
        counts.reject(fault.reject)
        if connection.clientSlot >= 0 {
            if fault.reject.fate == .retry {
                connection.stalled = fault.reject
            } else if connection.stalled == nil, number > 0 {
                noteRejected(ClientLine(slot: connection.clientSlot, sequence: number))
            }
        }
        unsafe answerError(connection, line: number, fault, line)
        if context.sampleBudget.admits(fault.reject, now: now) {
            unsafe sample(fault, line, connection.transport, connection.peer, token: connection.token.id)
        }
    }

    /// A client's line that was refused for good advances its sequence, in the same commit as its neighbours.
    private func noteRejected(_ client: ClientLine) {
        if openBatch().frame.noteRejected(client) { return }
        submitOpen()
        let fits = openBatch().frame.noteRejected(client)
        precondition(fits, "an empty frame takes a client's mark")
    }

    /// Keeps a sample of a refused line for the errors view.
    func sample(
        _ fault: Fault, _ line: UnsafeRawBufferPointer, _ transport: Transport, _ peer: SocketAddress, token: UInt32
    ) {
        var message: [UInt8] = []
        unsafe fault.appendText(to: &message, in: line)
        let isUnknown = fault.reject == .badToken
        context.samples.add(
            RejectedSample(
                received: now, code: Array(fault.reject.code.description.utf8),
                message: SecretMask.masked(message[...]),
                transport: transport.rawValue, source: Array(peer.description.utf8), token: isUnknown ? 0 : token,
                line: isUnknown ? [] : unsafe SampleText.masked(line)))
    }
}

extension RememberedToken {
    /// Whether `line` begins with this token and a space. `line` has at least 41 bytes.
    @inline(__always)
    func isAtStart(of line: UnsafeRawBufferPointer) -> Bool {
        unsafe isEqual(to: line) && line[40] == 0x20
    }

    /// Whether the first 40 bytes at `token` are this token's.
    @inline(__always)
    func isEqual(to token: UnsafeRawBufferPointer) -> Bool {
        // In bounds: the caller has seen that there are 40 bytes.
        var difference: UInt64 = 0
        for word in 0..<5 {
            difference |= unsafe token.loadUnaligned(fromByteOffset: word * 8, as: UInt64.self) ^ words[word]
        }
        return difference == 0
    }

    /// Remembers `entry` for lines that begin with `token`, which is its secret.
    mutating func remember(_ token: UnsafeRawBufferPointer, _ entry: TokenEntry, version: UInt64) {
        id = entry.id
        expires = entry.expires ?? .max
        self.version = version
        // In bounds: a secret has 40 bytes.
        for word in 0..<5 { words[word] = unsafe token.loadUnaligned(fromByteOffset: word * 8, as: UInt64.self) }
    }
}
