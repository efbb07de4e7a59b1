// How much one step of a query does before others get their turn: reckoned by what its pieces cost on a machine of today, and held to the clock
// besides, for disks, machines and builds on which they cost more. Part of cursors; on their reader's thread.

import EyeSystem

/// The work of one step.
struct StepBudget {
    private let time: any TimeSource
    /// Work left, about nanoseconds.
    private var left = 0
    /// The clock is looked at again when no more than this is left.
    private var nextLook = 0
    private var end: UInt64 = 0

    init(_ time: any TimeSource) { self.time = time }

    /// A step begins.
    mutating func begin() {
        left = StoreLimits.workPerStep
        nextLook = left - StoreLimits.workPerLook
        end = time.monotonicNanoseconds() + StoreLimits.stepNanosecondsMax
    }

    /// A piece of work was done that costs about so many nanoseconds.
    @inline(__always)
    mutating func spend(_ work: Int) {
        left -= work
        if left <= nextLook { look() }
    }

    /// The step is over.
    var isSpent: Bool { left <= 0 }

    private mutating func look() {
        nextLook = left - StoreLimits.workPerLook
        if time.monotonicNanoseconds() >= end { left = 0 }
    }
}

/// What pieces of work cost, about nanoseconds.
enum StepCost {
    /// To write an event out, besides its bytes.
    static let shown = 400
    /// To put an event of a sealed segment together, besides its bytes.
    static let sealedEvent = 1_500
    /// To turn to events whose ids follow each other.
    static let run = 2_000
    /// To turn to a segment that is open, and to open one.
    static let segment = 4_000
    static let opening = 60_000

    /// To compare an event with a filter, or to add it up; `intoData`: by values of its data.
    @inline(__always)
    static func event(_ record: RecordView, intoData: Bool) -> Int { 100 + (intoData ? 2 * record.byteCount : 0) }
}
