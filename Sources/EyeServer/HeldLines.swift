// Bytes that connections hold: unfinished lines and whole ones that have to wait, and answers that are not read. All of a loop's
// connections share a budget for each; when it is used up those that hold most pay, not whoever comes next. Invariant: a connection
// that is closed leaves no line uncounted. On the loop's thread.

import EyeSystem
import EyeWire

extension IngestLoop {
    /// More is held than may be: closes those that hold most, until `partialBytesFreed` are free. Of the two kinds, unfinished lines and
    /// whole ones that wait, the one that takes more pays: a flood of one never costs a client with a little of the other. The kind
    /// has half of the budget or more, spread over `connectionsMax` connections: who holds less than a KiB is never closed.
    func freePartialBytes() {
        let target = IngestLimits.partialBytesPerLoop - IngestLimits.partialBytesFreed
        var unfinished = 0
        for case let connection? in connections where connection.phase == .open {
            unfinished += connection.partialCount
        }
        let isUnfinished = unfinished >= partialBytes - unfinished
        closeLargest(freeing: partialBytes - target, .overloaded, refusing: .overloaded) { connection in
            (connection.phase == .open) == isUnfinished ? connection.partialCount : 0
        }
    }

    /// Brings the loop's account of unread answers up to date with what `connection` has of them. The control socket is not in it.
    func noteUnread(_ connection: Connection) {
        let bytes = connection.outputWaiting > 0 && !connection.isControl ? connection.output.count : 0
        if bytes == connection.unreadBytes { return }
        unreadBytes += bytes - connection.unreadBytes
        connection.unreadBytes = bytes
        noteHeld()
    }

    /// More answers are unread than may be: closes those that hold most of them.
    func closeSlowReaders() {
        let target = unreadBytesMax - unreadBytesMax / IngestLimits.unreadFreedPart
        closeLargest(freeing: unreadBytes - target, .slowReader, refusing: .slowReader) { $0.unreadBytes }
    }

    /// Closes connections, those that hold most first, until they hold `excess` bytes less. `bytes`: what one holds.
    private func closeLargest(
        freeing excess: Int, _ end: ConnectionEnd, refusing reject: Reject, _ bytes: (Connection) -> Int
    ) {
        func step(_ bytes: Int) -> Int { min(bytes / 1024, IngestLoop.heldKiBMax) }
        // Bytes by how much of them a connection holds, in KiB: cheaper than sorting, and fine enough.
        var sums = [Int](repeating: 0, count: IngestLoop.heldKiBMax + 1)
        for case let connection? in connections { sums[step(bytes(connection))] += bytes(connection) }
        var least = IngestLoop.heldKiBMax
        var left = excess
        while least > 0, sums[least] < left {
            left -= sums[least]
            least -= 1
        }
        for case let connection? in connections where bytes(connection) > 0 {
            let own = bytes(connection)
            if step(own) < least || step(own) == least && left <= 0 { continue }
            if step(own) == least { left -= own }
            counts.end(end)
            close(connection, refusing: reject)
        }
    }

    /// Keeps the most that was held since free memory was given back the last time.
    func noteHeld() { heldPeak = max(heldPeak, partialBytes + unreadBytes) }

    /// Gives free memory back to the kernel after much was let go of; at every sweep.
    func releaseHeld() {
        let held = partialBytes + unreadBytes
        if heldPeak - held < IngestLimits.releasedBytes { return }
        heldPeak = held
        ResidentMemory.releaseFree()
    }

    /// The most that a connection can hold: a read that begins behind an unfinished line, and has to wait.
    static let heldKiBMax = (lineRoom + IngestLimits.readBytes) / 1024

    /// The connection ends: whole event lines that wait are refused with `reject`, an unfinished line with `cut-line`. They are counted;
    /// nobody is there to be answered.
    func refuseHeld(_ connection: Connection, _ reject: Reject) {
        let held = connection.partialCount
        if held > 0, connection.phase.isJudging || connection.isCutOff {
            unsafe countHeld(connection, UnsafeRawBufferPointer(start: connection.partial!, count: held), reject)
        }
        partialBytes -= held
        connection.dropPartial()
    }

    private func countHeld(_ connection: Connection, _ window: UnsafeRawBufferPointer, _ reject: Reject) {
        var framer = connection.framer
        while let piece = unsafe framer.next(in: window) {
            guard case .line(let range) = piece else {
                noteLost(connection, .tooLong)
                continue
            }
            // In bounds: the framer's range lies in the window it was shown.
            let line = unsafe UnsafeRawBufferPointer(rebasing: window[range])
            switch unsafe WireLine.split(line, isControl: connection.isControl) {
            case .event, .bare: noteLost(connection, reject)
            // What follows would not have been read.
            case .command(.quit, _), .wrongPort: return
            case .command, .unknownCommand, .ignored: break
            }
        }
        if !framer.isSkipping, framer.start < window.count { noteLost(connection, .cutLine) }
    }

    private func noteLost(_ connection: Connection, _ reject: Reject) {
        connection.takeNumber()
        connection.received += 1
        connection.rejected += 1
        counts.lines += 1
        counts.reject(reject)
    }
}
