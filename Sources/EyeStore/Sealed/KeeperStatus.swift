// What the keeper of closed segments says of its work: for metrics, readiness and `eye serve`'s log. Pure value.

/// What the background work on closed segments has done, and what is left.
public struct KeeperStatus: Sendable, Equatable {
    /// Sealed segments, their bytes and their events.
    public internal(set) var sealedSegments = 0
    public internal(set) var sealedBytes: UInt64 = 0
    public internal(set) var sealedEvents: UInt64 = 0
    /// Closed segments that are still in the log.
    public internal(set) var waitingSegments = 0
    /// How many of them are damaged: they stay as they are.
    public internal(set) var damagedSegments = 0
    /// Segments that were sealed, and attempts that failed, since the start.
    public internal(set) var sealings: UInt64 = 0
    public internal(set) var failures: UInt64 = 0
    /// Sealed segments that were written anew without erased events, since the start.
    public internal(set) var rewritings: UInt64 = 0
    /// Closed segments whose tombstones hide what is still on the disk.
    public internal(set) var erasingSegments = 0
    /// Tombstones in the active segment: what they hide leaves the disk when that was closed.
    public internal(set) var activeTombstones = 0
    /// Why the last attempt failed; nil: it did not.
    public internal(set) var lastError: String?
    /// Why erased events cannot leave the disk, though they are hidden; nil: they can.
    public internal(set) var obstruction: String?
    /// What retention has done.
    public internal(set) var retention = RetentionStatus()
}
