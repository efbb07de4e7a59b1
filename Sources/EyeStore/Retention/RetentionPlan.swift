// Which of the oldest segments are to go: by their bytes, by their age, and by what was decided before. Pure, any thread.

/// What retention knows of a segment.
struct RetainedSegment: Equatable {
    /// Bytes on the disk, with its index.
    var bytes: UInt64
    /// By its header; nil: that is damaged.
    var firstEventID: UInt64?
    /// When its newest event was received, µs since 1970 UTC; nil: it has none, or they cannot be asked yet.
    var newestReceived: Int64?
    /// Nil: nobody has counted them yet.
    var events: Int?
    /// It is soon to be sealed: what it will take is not known yet.
    var isWaiting = false
}

/// Retention over the segments of a store, oldest first; the last one is the active one, which never goes.
struct RetentionPlan {
    var segments: [RetainedSegment]

    var bytes: UInt64 { segments.reduce(0) { $0 + $1.bytes } }

    /// How many of the oldest have to go for the others to be at most `bytesMax` together. What waits to be sealed is left out of account, as
    /// long as no more than `waitingMax` bytes come on top by it.
    func excess(over bytesMax: UInt64, waitingMax: UInt64 = 0) -> Int {
        var all = bytes
        var settled = segments.reduce(0) { $0 + ($1.isWaiting ? 0 : $1.bytes) }
        var count = 0
        while settled > bytesMax || all > bytesMax + waitingMax, count + 1 < segments.count {
            all -= segments[count].bytes
            settled -= segments[count].isWaiting ? 0 : segments[count].bytes
            count += 1
        }
        return count
    }

    /// The events of the oldest segment: where nobody has counted them, the ids up to the next one's.
    var eventsOfOldest: Int {
        guard let oldest = segments.first else { return 0 }
        if let events = oldest.events { return events }
        guard segments.count > 1, let first = oldest.firstEventID, let next = segments[1].firstEventID else { return 0 }
        return Int(clamping: next - min(first, next))
    }

    /// How many of the oldest have no event that is younger than `age` (µs) by `clock`.
    ///
    /// The log's order is beyond doubt, the times in it are not. A segment whose newest event bears a time before `RetentionClock.earliest`,
    /// before that of an older segment (the wall clock had gone back) or after both `clock` and the `wall` clock (it was ahead then) is taken
    /// for as old as the segment behind it.
    func aged(_ age: Int64, by clock: RetentionClock, wall: Int64) -> Int {
        var through = max(clock.droppedThrough, RetentionClock.earliest)
        var count = 0
        for (index, segment) in segments.dropLast().enumerated() {
            guard let received = segment.newestReceived, received >= through, received <= max(clock.reached, wall)
            else {
                continue
            }
            guard received < clock.reached, clock.reached - received > age else { break }
            through = received
            count = index + 1
        }
        return count
    }

    /// When the newest event of the `count` oldest was received, as far as that is to be believed; nil: nothing is.
    func newestReceived(in count: Int, by clock: RetentionClock, wall: Int64) -> Int64? {
        segments.prefix(count).compactMap(\.newestReceived).filter { $0 <= max(clock.reached, wall) }.max()
    }

    /// The first event id that is kept when the `count` oldest go; nil: none can go. A segment whose header is damaged cannot be the first
    /// one: then it and what is before it stays.
    func firstKept(without count: Int) -> UInt64? {
        var count = min(count, segments.count - 1)
        while count > 0 {
            if let first = segments[count].firstEventID { return first }
            count -= 1
        }
        return nil
    }

    /// How many of the oldest have only events below `firstKept`.
    func count(below firstKept: UInt64) -> Int {
        if let exact = segments.firstIndex(where: { $0.firstEventID == firstKept }) { return exact }
        return segments.lastIndex { $0.firstEventID.map { $0 <= firstKept } ?? false } ?? 0
    }
}
