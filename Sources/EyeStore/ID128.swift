// The two small values that every event carries beside its bytes. The store does not know UUIDs; it keeps 16 bytes.

/// 16 bytes that name something: a session, an event_id.
public struct ID128: Hashable, Comparable, Sendable {
    /// The first eight bytes as a big-endian number.
    public var high: UInt64
    /// The last eight bytes as a big-endian number.
    public var low: UInt64

    @inlinable
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    public static func < (left: ID128, right: ID128) -> Bool {
        left.high != right.high ? left.high < right.high : left.low < right.low
    }
}

/// What an event is found by, besides category and name.
public struct EventKey: Sendable {
    /// When it was received, µs since 1970 UTC.
    public var received: Int64
    /// When it happened, by its own account, µs since 1970 UTC.
    public var timestamp: Int64
    /// The session it belongs to.
    public var session: ID128
    /// The token that it came with.
    public var token: UInt32
    /// The client's name for it, for idempotent retries.
    public var eventID: ID128?

    @inlinable
    public init(received: Int64, timestamp: Int64, session: ID128, token: UInt32, eventID: ID128? = nil) {
        self.received = received
        self.timestamp = timestamp
        self.session = session
        self.token = token
        self.eventID = eventID
    }
}

/// A line of a client that wants exactly once: the client's slot (from `StoreWriter.openClient`) and the line's number.
public struct ClientLine: Sendable {
    /// The client's slot; negative: the line has no client.
    public var slot: Int32
    /// The line's number.
    public var sequence: UInt64

    @inlinable
    public init(slot: Int32, sequence: UInt64) {
        self.slot = slot
        self.sequence = sequence
    }

    /// No client.
    public static var none: ClientLine { @inlinable get { ClientLine(slot: -1, sequence: 0) } }
}
