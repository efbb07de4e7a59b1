// What an analysis adds up, over one pass or several. `Analysis` makes the passes and asks a tally after each what is left; a tally knows
// which part of its values, or which round, comes next. One analysis; one thread.

/// Why an analysis is not done.
public enum AnalysisRefusal: Error, Equatable, Sendable {
    /// More groups, or series of a histogram, than one answer has.
    case tooManyGroups(max: Int)
    /// More buckets than one answer has; the events are as old and as new as that.
    case tooManyBuckets(UInt64, oldest: Int64, newest: Int64)
    /// More buckets of all series together than one answer has.
    case tooManyCells(UInt64)
    /// Values that do not fit into the room of one analysis, in whatever parts.
    case tooManyValues
    /// Other analyses have taken the room.
    case crowded
}

/// How a piece of work on a whole segment came out.
enum WholeState {
    case more
    case done
    /// It cannot be done this way; nothing was taken.
    case columns
}

/// Adds up what a pass shows.
protocol Tally: EventVisitor {
    /// Bytes of memory, about.
    var cost: Int { get }
    /// Set when there will be no answer.
    var refusal: AnalysisRefusal? { get }
    /// How much of the whole work lies before this pass, and how much is this pass: both from 0 to 1.
    var span: (before: Double, share: Double) { get }
    /// The pass has shown everything: does a bounded piece of what is left to do for it. True: there is more.
    func finishPass() -> Bool
    /// The pass is finished. True: another one is needed, and this is ready for it.
    func endPass() -> Bool
    /// The pass is given up for lack of room when `progress` of it (0 to 1) was done. True: this is ready to begin it again with fewer
    /// values at a time.
    func narrow(_ progress: Double) -> Bool
    func result() -> AnalysisResult
}

extension Tally {
    func finishPass() -> Bool { false }

    /// What to keep of a part of which `progress` was enough to fill the room.
    static func keptShare(_ progress: Double) -> Double { min(0.7, max(0.02, progress * 0.7)) }
}
