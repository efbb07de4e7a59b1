// Funnels: how far sessions come through steps. What a funnel is, and the walk of one session through it. Pure.

/// Steps that sessions may take one after another.
public struct Funnel: Sendable {
    /// What may lie between two steps.
    public enum Mode: Sendable, Equatable {
        /// Other events.
        case ordered
        /// Nothing: each step is the session's next event among those that pass the filter.
        case strict
    }

    /// Which events are a step; only the conditions on the event count, not order and ids.
    public var steps: [EventFilter]
    public var mode: Mode
    /// How long it may take from the first step to the last one reached, µs; nil: as long as it likes.
    public var window: Int64?

    public init(_ steps: [EventFilter], mode: Mode = .ordered, window: Int64? = nil) {
        precondition((1...AnalysisLimits.funnelStepsMax).contains(steps.count), "a funnel has a few steps")
        self.steps = steps
        self.mode = mode
        self.window = window
    }
}

/// How sessions came through a funnel.
public struct FunnelResult: Sendable, Equatable {
    /// One step.
    public struct Step: Sendable, Equatable {
        /// Sessions that came so far, or further.
        public var sessions: UInt64 = 0
        /// The middle one of the times since the step before, µs; of an even number the lower one of the two in the middle. Nil for the
        /// first step, and when nobody came.
        public var medianSincePrevious: Int64?
        /// The same since the first step.
        public var medianSinceFirst: Int64?
    }

    public var steps: [Step]
}

/// Walks sessions through a funnel. A session's events come in order of their timestamps, those with the same one in order of id. The
/// furthest step that it reaches within the window counts. Of several ways that reach it the one that arrives first counts; of those that arrive with
/// the same event the one that started last; and from its start it takes each step as soon as it can.
struct FunnelWalk {
    private let count: Int
    private let mode: Funnel.Mode
    private let window: Int64
    /// For each step the way that has come so far: where it started, and when it took each step.
    private var starts: [Int]
    private var times: [Int64]
    /// The best way so far: when it took each of its steps.
    private(set) var best: [Int64] = []
    private var place = 0

    init(_ funnel: Funnel) {
        count = funnel.steps.count
        mode = funnel.mode
        window = funnel.window ?? Int64.max
        starts = [Int](repeating: -1, count: count)
        times = [Int64](repeating: 0, count: count * count)
    }

    /// Another session begins.
    mutating func reset() {
        for step in 0..<count { starts[step] = -1 }
        best.removeAll(keepingCapacity: true)
        place = 0
    }

    /// The session's next event, which is all the steps that have a bit in `steps`.
    mutating func take(_ timestamp: Int64, _ steps: UInt8) {
        // From the last step down: an event is one step of a way.
        for step in stride(from: count - 1, through: 0, by: -1) {
            let isStep = steps >> UInt8(step) & 1 == 1
            if step == 0 {
                if isStep {
                    starts[0] = place
                    times[0] = timestamp
                    note(0)
                } else if mode == .strict {
                    starts[0] = -1
                }
                continue
            }
            let start = starts[step - 1]
            let isReached = isStep && start >= 0 && timestamp &- times[(step - 1) * count] <= window
            if isReached && start > starts[step] {
                starts[step] = start
                for earlier in 0..<step { times[step * count + earlier] = times[(step - 1) * count + earlier] }
                times[step * count + step] = timestamp
                note(step)
            } else if mode == .strict {
                starts[step] = -1
            }
        }
        place += 1
    }

    private mutating func note(_ step: Int) {
        guard step >= best.count else { return }
        best.removeAll(keepingCapacity: true)
        for earlier in 0...step { best.append(times[step * count + earlier]) }
    }
}
