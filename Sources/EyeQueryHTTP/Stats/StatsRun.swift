// An analysis on its way to an answer, with its deadline: what the HTTP service steps through on its loop, and `eye stats` on its terminal.
// One thread.

import EyeStore
import EyeSystem

/// A request for statistics under way.
package final class StatsRun {
    /// What a step came to.
    package enum State {
        case more
        /// The answer, or the problem that is there instead of it.
        case done(Result<AnalysisResult, ProblemError>)
    }

    package let query: StatsQuery
    private let analysis: Analysis
    private let time: any TimeSource
    /// Monotonic nanoseconds; nil: it may take as long as it likes.
    private let deadline: UInt64?

    /// `isTimed` false: the limit of the query is not looked at.
    package init(
        _ query: StatsQuery, _ snapshot: Snapshot, room: AnalysisRoom, time: any TimeSource, isTimed: Bool = true
    ) {
        self.query = query
        self.time = time
        analysis = Analysis(snapshot, query.filter, query.question, room: room)
        deadline = isTimed ? time.monotonicNanoseconds() + query.timeoutMilliseconds * 1_000_000 : nil
    }

    /// From 0 to 1.
    package var progress: Double { analysis.progress }

    /// Ids that damage may have withheld so far.
    package var damage: ClosedRange<UInt64>? { analysis.damage.hull }

    /// Does a bounded piece of work.
    package func step() throws(SystemError) -> State {
        switch try analysis.step() {
        case .done: return .done(.success(analysis.result()))
        case .refused(let refusal): return .done(.failure(ProblemError(StatsRun.problem(refusal))))
        case .more:
            guard let deadline, time.monotonicNanoseconds() >= deadline else { return .more }
            return .done(.failure(ProblemError(timeout)))
        }
    }

    private var timeout: Problem {
        let percent = Int(progress * 100)
        let seconds = query.timeoutMilliseconds / 1000
        return Problem(
            503, "query-timeout",
            "The answer was not ready after \(seconds) s (\(percent) % done). Narrow the filter, such as by since, or give timeout, up to \(HTTPLimits.statsMillisecondsMax / 1000)s."
        )
    }

    /// What a refusal is to a client.
    private static func problem(_ refusal: AnalysisRefusal) -> Problem {
        switch refusal {
        case .tooManyGroups(let max):
            return Problem(
                400, "too-many-values",
                "There are more than \(max) groups. Narrow the filter, leave a field out of by, or ask /stats/top for the most frequent values."
            )
        case .tooManyBuckets(let count, let oldest, let newest):
            var range: [UInt8] = []
            JSONText.appendTime(oldest, to: &range)
            range.append(text: " to ")
            JSONText.appendTime(newest, to: &range)
            let shown = String(decoding: range.filter { $0 != UInt8(ascii: "\"") }, as: UTF8.self)
            return Problem(
                400, "too-many-buckets",
                "From \(shown) there are \(count) buckets; at most \(AnalysisLimits.bucketsMax) are shown. Choose a longer step, or narrow the time by since and until."
            )
        case .tooManyCells(let count):
            return Problem(
                400, "too-many-values",
                "There are \(count) numbers or more, for each value and bucket; at most \(AnalysisLimits.cellsMax) are shown. Choose a longer step, narrow the filter, or leave by out."
            )
        case .tooManyValues:
            return Problem(
                400, "too-many-values",
                "There are more different values than can be kept apart in \(AnalysisLimits.tableBytesMax >> 20) MiB, even in \(AnalysisLimits.passesMax) passes. Narrow the filter."
            )
        case .crowded:
            return Problem.unavailable("overloaded", "Other statistics take all the memory there is for them.")
        }
    }
}
