// What a pass over events does with them, a segment at a time and in order of id: from what the index knows of the segment as a whole, from
// its columns, or from the records. Called by `EventCursor.visitStep`.

/// How a segment is to be shown.
enum VisitWay {
    /// As a whole, by `takeWhole`.
    case whole
    /// Row groups, by `take(rows:…)`.
    case columns
    /// Records, by `take(record:…)`.
    case records
}

/// Takes events.
protocol EventVisitor: AnyObject {
    /// A segment begins, or goes on after an interruption: what was taken from it before stays taken.
    func begin(_ plan: SegmentPlan) throws(IndexFault) -> VisitWay
    /// Does a bounded piece of work on the segment as a whole; how much, about nanoseconds. Until it is `done` nothing is taken.
    func takeWhole(_ plan: SegmentPlan) throws(IndexFault) -> (state: WholeState, work: Int)
    /// Whether the columns have what it wants of a group; false: it is shown the group's records.
    func takesRows(ofGroup group: Int, _ plan: SegmentPlan) throws(IndexFault) -> Bool
    /// Takes matching rows of a group, in rising order: all of them, or, if it throws, none. Returns the work, about nanoseconds.
    func take(_ rows: [UInt32], group: Int, _ plan: SegmentPlan) throws(IndexFault) -> Int
    /// Takes a matching event.
    func take(_ record: RecordView, id: UInt64)
    /// It looks for values in the data of records.
    var looksIntoData: Bool { get }
    /// Nothing more can be taken: the pass is over.
    var isFull: Bool { get }
}
