// The store of a data folder, as commands read it: straight from its files, whether a service runs or not. Main thread.

import EyeQueryHTTP
import EyeStore
import EyeSystem

/// A data folder that is read.
struct StoreSource {
    private let folder: String
    private let reader: StoreReader
    private let rejected: RejectedReader

    /// The folder of `--data`; fails when there is none, or no store in it.
    init(_ invocation: Invocation) throws(Failure) {
        folder = invocation.text("data") ?? ""
        let disk = RealDisk()
        try StoreFolder.require(disk, folder)
        reader = StoreReader(disk, folder: folder, data: EventDataReading())
        rejected = RejectedReader(disk, folder: folder)
    }

    /// The id of the newest refused line; 0: there is none.
    func lastRejectedID() throws(Failure) -> UInt64 {
        try Failure.of(folder) { () throws(SystemError) in try rejected.nextID() - 1 }
    }

    /// Shows refused lines with ids above `id`, oldest first.
    func rejected(after id: UInt64, _ body: (RejectedSample) -> Void) throws(Failure) {
        try Failure.of(folder) { () throws(SystemError) in
            try rejected.list(after: id) { sample in
                body(sample)
                return true
            }
        }
    }

    /// The store as it is durable now.
    func snapshot() throws(Failure) -> Snapshot {
        try Failure.of(folder) { () throws(SystemError) in try reader.snapshot() }
    }

    /// Runs the cursor to its end, or until `body` returns false; says on stderr what damage withheld. False if there was any.
    func read(
        _ cursor: EventCursor, _ body: (borrowing EventView) -> Bool,
        afterStep: () throws(Failure) -> Void = {}
    ) throws(Failure) -> Bool {
        try run(cursor, afterStep: afterStep) { () throws(SystemError) in try cursor.step(body) }
    }

    /// Counts what the cursor finds, as above.
    func count(_ cursor: EventCursor) throws(Failure) -> Bool {
        try run(cursor) { () throws(SystemError) in try cursor.countStep() }
    }

    /// Runs statistics to their end; nil: `afterStep` has said that nobody wants them any more. What damage withheld is said on stderr.
    func run(_ run: StatsRun, afterStep: (Double) -> Bool) throws(Failure) -> AnalysisResult? {
        while true {
            let state = try Failure.of(folder) { () throws(SystemError) in try run.step() }
            guard case .done(let result) = state else {
                if !afterStep(run.progress) { return nil }
                continue
            }
            if let range = run.damage {
                Output.error(
                    "events \(range.lowerBound) to \(range.upperBound) may be missing here: the store is damaged there")
            }
            do throws(ProblemError) {
                return try result.get()
            } catch {
                throw Failure(error.problem.detail ?? error.problem.code)
            }
        }
    }

    private func run(
        _ cursor: EventCursor, afterStep: () throws(Failure) -> Void = {},
        step: () throws(SystemError) -> CursorState
    ) throws(Failure) -> Bool {
        var state = CursorState.more
        while state == .more {
            state = try Failure.of(folder, step)
            try afterStep()
        }
        for range in cursor.damage.ranges {
            Output.error(
                "events \(range.lowerBound) to \(range.upperBound) may be missing here: the store is damaged there")
        }
        return cursor.damage.isEmpty
    }
}
