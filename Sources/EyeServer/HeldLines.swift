// Bytes that connections hold: unfinished lines, and whole ones that have to wait. All of a loop's connections share one budget;
// when it is used up those that hold most pay, not whoever comes next. Invariant: a connection that is closed leaves no line
// uncounted. On the loop's thread.

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
        // Bytes by how much of them a connection holds, in KiB: cheaper than sorting, and fine enough.
        var bytes = [Int](repeating: 0, count: IngestLoop.heldKiBMax + 1)
        for case let connection? in connections where (connection.phase == .open) == isUnfinished {
            bytes[connection.heldKiB] += connection.partialCount
        }
        var least = IngestLoop.heldKiBMax
        var more = 0
        while least > 0, partialBytes - more - bytes[least] > target {
            more += bytes[least]
            least -= 1
        }
        for case let connection? in connections where (connection.phase == .open) == isUnfinished {
            if connection.heldKiB > least { overload(connection) }
        }
        for case let connection? in connections where (connection.phase == .open) == isUnfinished {
            if partialBytes <= target { return }
            if connection.heldKiB == least { overload(connection) }
        }
    }

    /// The most that a connection can hold: a read that begins behind an unfinished line, and has to wait.
    static let heldKiBMax = (lineRoom + IngestLimits.readBytes) / 1024

    private func overload(_ connection: Connection) {
        counts.end(.overloaded)
        close(connection)
    }

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
        connection.line += 1
        connection.received += 1
        connection.rejected += 1
        counts.lines += 1
        counts.reject(reject)
    }
}

extension Connection {
    /// What it holds, in KiB.
    fileprivate var heldKiB: Int { min(partialCount / 1024, IngestLoop.heldKiBMax) }
}
