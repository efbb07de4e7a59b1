// Which events a query wants, and how an event shows itself to it. Pure values.

/// A filter: every condition that is set must hold; an empty one lets everything through. `passes` is its definition; indexes only find
/// the same events faster.
public struct EventFilter: Sendable {
    public var categories = TextFilter()
    public var names = TextFilter()
    /// One of these sessions.
    public var sessions: [ID128] = []
    /// None of these.
    public var otherSessions: [ID128] = []
    /// One of these exact timestamps, µs since 1970 UTC.
    public var timestamps: [Int64] = []
    /// None of these.
    public var otherTimestamps: [Int64] = []
    /// Timestamps, both ends included.
    public var timestampRange: ClosedRange<Int64>?
    /// When received, both ends included.
    public var receivedRange: ClosedRange<Int64>?
    /// Values inside `data`, one for each path. Only for readers that were given a `DataReading`.
    public var data: [DataFilter] = []
    /// No event passes: conditions that contradict each other, such as a range that ends before it begins.
    public var isNone = false
    /// Only events with a higher id.
    public var idAbove: UInt64?
    /// Only events with a lower id.
    public var idBelow: UInt64?
    /// The order: by id, falling (true) or rising.
    public var newestFirst = true

    public init() {}

    /// Exactly one event.
    public static func id(_ id: UInt64) -> EventFilter {
        var filter = EventFilter()
        filter.idAbove = id == 0 ? nil : id - 1
        filter.idBelow = id == UInt64.max ? nil : id + 1
        return filter
    }

    /// How many members have a condition, ids and order aside.
    var conditionCount: Int {
        let conditions = [
            !categories.isEmpty, !names.isEmpty, !sessions.isEmpty, !otherSessions.isEmpty, !timestamps.isEmpty,
            !otherTimestamps.isEmpty, timestampRange != nil, receivedRange != nil, !data.isEmpty,
        ]
        return conditions.count { $0 }
    }

    /// Whether `record` passes, its id (which the cursor's range already keeps) aside.
    func passes(_ record: RecordView, _ reading: (any DataReading)?) -> Bool {
        if isNone { return false }
        if let range = timestampRange, !range.contains(record.timestamp) { return false }
        if let range = receivedRange, !range.contains(record.received) { return false }
        if !timestamps.isEmpty && !timestamps.contains(record.timestamp) { return false }
        if !otherTimestamps.isEmpty && otherTimestamps.contains(record.timestamp) { return false }
        if !sessions.isEmpty && !sessions.contains(record.session) { return false }
        if !otherSessions.isEmpty && otherSessions.contains(record.session) { return false }
        if unsafe !categories.isEmpty && !categories.passes(record.category) { return false }
        if unsafe !names.isEmpty && !names.passes(record.name) { return false }
        if data.isEmpty { return true }
        guard let reading else { preconditionFailure("a filter on data, and a reader that cannot look into data") }
        return data.allSatisfy { condition in
            unsafe reading.with(condition.path, of: record.data) { condition.passes($0) }
        }
    }
}

/// An event as a cursor shows it; valid only inside the closure it is given to.
@safe
public struct EventView: ~Copyable {
    let record: RecordView
    /// The event's id.
    public let id: UInt64

    init(_ record: RecordView, id: UInt64) {
        self.record = record
        self.id = id
    }

    /// When it was received, µs since 1970 UTC.
    public var received: Int64 { record.received }
    /// Its own time, µs since 1970 UTC.
    public var timestamp: Int64 { record.timestamp }
    public var session: ID128 { record.session }
    /// The id of the token it came with.
    public var token: UInt32 { record.token }
    public var eventID: ID128? { record.eventID }

    /// Bytes of category, name and data.
    public var categoryCount: Int { unsafe record.category.count }
    public var nameCount: Int { unsafe record.name.count }
    public var dataCount: Int { unsafe record.data.count }

    /// Appends the category's bytes.
    public func appendCategory(to out: inout [UInt8]) { unsafe out.append(contentsOf: record.category) }
    /// Appends the name's bytes.
    public func appendName(to out: inout [UInt8]) { unsafe out.append(contentsOf: record.name) }
    /// Appends the data, verbatim.
    public func appendData(to out: inout [UInt8]) { unsafe out.append(contentsOf: record.data) }

    /// The category's bytes.
    public func withCategory<R>(_ body: (Span<UInt8>) -> R) -> R {
        unsafe body(Span(_unsafeBytes: record.category))
    }
    /// The name's bytes.
    public func withName<R>(_ body: (Span<UInt8>) -> R) -> R {
        unsafe body(Span(_unsafeBytes: record.name))
    }
    /// The data, verbatim.
    public func withData<R>(_ body: (Span<UInt8>) -> R) -> R {
        unsafe body(Span(_unsafeBytes: record.data))
    }
}
