// What the store says of one session, and where it stands in the list of sessions. Pure values.

/// A session as of the moment of a list.
public struct SessionSummary: Sendable, Equatable {
    public var id: ID128
    /// When its first record was received, µs since 1970 UTC.
    public var created: Int64 = 0
    /// Its events.
    public var events: UInt64 = 0
    /// Its event with the highest id; 0: it has none.
    public var lastEventID: UInt64 = 0
    /// The timestamp of that event, µs since 1970 UTC.
    public var lastTimestamp: Int64 = 0
    /// The sequence of its first record; 0: there is none.
    var firstSequence: UInt64 = 0
    /// Whether any record names it.
    public var isKnown: Bool { firstSequence > 0 }

    public init(id: ID128) { self.id = id }
}

/// A place in the list of sessions, which falls from entry to entry: by the last event, or, for a session without any, by where it was opened.
public struct SessionPlace: Sendable, Equatable, Comparable {
    /// Twice an event id, and one more for the event itself: what was opened before that event has the even number.
    public var position: UInt64
    /// Tells sessions apart that were opened between the same two events: the sequence of the record.
    public var tie: UInt64

    public init(position: UInt64, tie: UInt64) {
        self.position = position
        self.tie = tie
    }

    /// Behind every place.
    public static let top = SessionPlace(position: UInt64.max, tie: UInt64.max)

    /// The place of an event.
    static func event(_ id: UInt64) -> SessionPlace { SessionPlace(position: id << 1 | 1, tie: 0) }

    public static func < (left: SessionPlace, right: SessionPlace) -> Bool {
        left.position != right.position ? left.position < right.position : left.tie < right.tie
    }
}
