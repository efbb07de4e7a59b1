// One frame on its way through the pipeline, with the note of whose lines are in it. A batch is owned by one thread at a
// time: its loop while it fills, the appender while it is committed, its loop again for the verdicts; CommitQueue hands
// it over. Recycled, never freed while the service runs.

import EyeStore
import EyeWire

/// Consecutive lines of one connection whose records stand next to each other in one frame.
struct Run {
    /// The connection's place in its loop; `Run.datagrams` for UDP.
    var slot: Int32
    /// Distinguishes connections that had the same slot.
    var generation: UInt32
    /// Numbers of the first and last line with a record here. Rejected lines may lie between in mode silent only.
    var firstLine: UInt64
    var lastLine: UInt64
    /// Index in the frame of the first record, and how many.
    var firstRecord: Int32
    var records: Int32
    /// The connection's mode when they were judged.
    var mode = Mode.silent
    /// False for what the control socket stores beside events: it takes part in no count of lines.
    var isEvent = true

    /// The slot that stands for a loop's UDP socket.
    static let datagrams: Int32 = -1
}

/// A frame, its runs, and what became of it. `@unchecked Sendable`: one owner at a time, see above.
final class Batch: @unchecked Sendable {
    enum Outcome {
        case pending
        /// On disk.
        case durable
        /// The disk is full: nothing of it was stored.
        case refused
    }

    let frame = Frame()
    /// The loop that fills it.
    let loop: Int
    var runs: [Run] = []
    var outcome = Outcome.pending

    init(loop: Int) {
        self.loop = loop
        runs.reserveCapacity(64)
    }

    /// Empties it for the next use.
    func reset() {
        frame.reset()
        runs.removeAll(keepingCapacity: true)
        outcome = .pending
    }
}
