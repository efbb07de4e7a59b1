// What comes back from the appender: batches that are durable (or were refused), and answers to HELLO. Each run of a batch
// is settled with the connection it came from, if that still exists; the loop's counts are settled in any case.

import EyeStore
import EyeWire

extension IngestLoop {
    /// Takes what the appender has finished.
    func takeVerdicts() {
        if underWay == 0 && !expectsAnswers { return }
        context.queue.collect(loop: index, &collected, &answers)
        for batch in collected {
            for run in batch.runs { settle(run, batch) }
            recycle(batch)
        }
        for answer in answers { greet(answer) }
    }

    private func settle(_ run: Run, _ batch: Batch) {
        let records = UInt64(run.records)
        var duplicates: UInt64 = 0
        var refused: UInt64 = 0
        switch batch.outcome {
        case .pending: preconditionFailure("the appender gave a batch back undecided")
        case .refused: refused = records
        case .durable:
            if batch.frame.duplicateCount > 0 || batch.frame.stoppedCount > 0 {
                for record in run.firstRecord..<run.firstRecord + run.records {
                    switch batch.frame.outcome(ofRecord: Int(record)).fate {
                    case .stored: break
                    case .duplicate: duplicates += 1
                    case .stopped: refused += 1
                    }
                }
            }
        }
        if run.isEvent {
            counts.accepted += records - duplicates - refused
            counts.duplicate += duplicates
            counts.reject(.storageFull, refused)
        }
        guard let connection = connection(slot: run.slot, run.generation) else { return }
        connection.runsCompleted += 1
        if run.isEvent {
            connection.accepted += records - duplicates - refused
            connection.duplicate += duplicates
            connection.rejected += refused
        }
        // As it was when they were judged: a run of mode silent may have refused lines between, whatever the mode is now.
        if run.mode == .each {
            answerEach(connection, run, batch)
        } else if refused > 0 {
            answerRefused(connection, run, batch, count: refused)
        }
        connection.releaseReplies()
        if refused > 0 && connection.clientSlot >= 0 { connection.stalled = .storageFull }
        connection.durableLine = max(connection.durableLine, run.lastLine)
        touch(connection)
    }

    /// Mode `each`: one answer a line, in the order of the lines.
    private func answerEach(_ connection: Connection, _ run: Run, _ batch: Batch) {
        for index in 0..<run.records {
            let line = run.firstLine + UInt64(index)
            if batch.outcome == .refused {
                Reply.appendError(line: line, .storageFull, to: &connection.output)
                continue
            }
            let outcome = batch.frame.outcome(ofRecord: Int(run.firstRecord + index))
            if outcome.fate == .stopped {
                Reply.appendError(line: line, .storageFull, to: &connection.output)
            } else {
                Reply.appendOK(line: line, id: outcome.id, to: &connection.output)
            }
        }
    }

    /// The other modes: an error for each refused line. In mode silent the run may hold lines that were refused before;
    /// its first line then stands for all.
    private func answerRefused(_ connection: Connection, _ run: Run, _ batch: Batch, count: UInt64) {
        let fault = Fault(.storageFull)
        let nothing = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
        if run.mode == .silent {
            unsafe answerError(connection, line: run.firstLine, fault, nothing)
            connection.errorsMore += count - 1
            return
        }
        for index in 0..<run.records {
            let isRefused =
                batch.outcome == .refused
                || batch.frame.outcome(ofRecord: Int(run.firstRecord + index)).fate == .stopped
            if isRefused { unsafe answerError(connection, line: run.firstLine + UInt64(index), fault, nothing) }
        }
    }

    /// The appender has looked a client up: HELLO can be answered, and reading goes on.
    private func greet(_ answer: ClientAnswer) {
        pendingGreetings -= 1
        let request = answer.request
        guard let connection = connection(slot: request.slot, request.generation), let hello = connection.hello else {
            return
        }
        guard let opened = answer.opened else {
            connection.hello = nil
            startTalking(connection)
            Reply.appendError(line: 0, .overloaded, to: &connection.output)
            // Lines of a client that nobody remembers would be stored twice when it sends them again.
            connection.stalled = .overloaded
            resume(connection)
            return
        }
        connection.clientSlot = opened.slot
        connection.stalled = nil
        beginNumbering(
            connection, hello, after: hello.sequence.map { $0 - 1 } ?? opened.lastSequence,
            lastSequence: opened.lastSequence)
        touch(connection)
    }
}
