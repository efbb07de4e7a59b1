// What a cursor notes of damage before it looks at a segment's rows: what the segment's index knows of, and the ids that lie between its
// numbers and those of the segment looked at before: of segments without readable numbers, of missing ones, of the end of a log that is
// gone. Each is told with the file that it is about. Used by `EventCursor`; on its reader's thread.

import EyeSystem

/// The numbers between the segments that a cursor looks at.
struct CursorGaps {
    /// First event id of the segment looked at before (newest first), or the id after its last (oldest first); of one without numbers of
    /// its own, what was known before.
    private(set) var neighbour: UInt64?
    /// The segment that `neighbour` is of; nil: what is durable (newest first) or kept (oldest first).
    private var neighbourName: SegmentName?

    /// Notes what is damaged in segment `current`, which has `index`, and between it and the one before; behind it, too, if it is the `last`
    /// that is looked at oldest first.
    mutating func note(
        _ index: any SegmentIndex, at current: Int, of snapshot: Snapshot, newestFirst: Bool, last: Int,
        into damage: inout DamagedIDs
    ) throws(IndexFault) {
        let name = snapshot.segments[current]
        // A segment without any header or frame has no numbers of its own: first and next are 0. Its neighbours' tell.
        for gap in try index.allGaps() where index.nextEventID > 0 {
            damage.add(gap.firstEventID, gap.nextEventID)
            snapshot.reader.note(Corruption(gap, in: name))
        }
        if newestFirst {
            try falling(index, current, snapshot, &damage)
        } else {
            try rising(index, current, last, snapshot, &damage)
        }
    }

    private mutating func falling(
        _ index: any SegmentIndex, _ current: Int, _ snapshot: Snapshot, _ damage: inout DamagedIDs
    ) throws(IndexFault) {
        let segments = snapshot.segments
        var behind = current + 1
        if neighbour == nil {
            neighbour = try CursorGaps.number(behind: current, of: snapshot)
            neighbourName = behind < segments.count ? segments[behind] : nil
        } else {
            behind = neighbourName.map { place(of: $0, segments) ?? behind } ?? segments.count
        }
        if let neighbour, index.nextEventID > 0 {
            lose(index.nextEventID, neighbour, between: current, behind, index, current, snapshot, &damage)
        }
        let kept = snapshot.reader.firstKeptEventID
        if index.firstEventID > 0 {
            if current == 0 { lose(kept, index.firstEventID, between: nil, 0, index, current, snapshot, &damage) }
            (neighbour, neighbourName) = (index.firstEventID, segments[current])
        } else if current == 0 {
            lose(kept, neighbour ?? kept, between: nil, behind, index, current, snapshot, &damage)
        }
    }

    private mutating func rising(
        _ index: any SegmentIndex, _ current: Int, _ last: Int, _ snapshot: Snapshot, _ damage: inout DamagedIDs
    ) throws(IndexFault) {
        let segments = snapshot.segments
        // What retention has dropped meanwhile is not lost.
        let kept = snapshot.reader.firstKeptEventID
        if current == 0 || neighbour != nil { neighbour = max(neighbour ?? kept, kept) }
        var older = neighbourName.flatMap { place(of: $0, segments) ?? (current > 0 ? current - 1 : nil) }
        if let neighbour, index.firstEventID > 0 {
            lose(neighbour, index.firstEventID, between: older, current, index, current, snapshot, &damage)
        }
        if index.nextEventID > 0 {
            (neighbour, neighbourName) = (index.nextEventID, segments[current])
            older = current
        }
        if current == min(last, segments.count - 1), let neighbour,
            let end = try CursorGaps.number(behind: current, of: snapshot)
        {
            lose(neighbour, end, between: older, current + 1, index, current, snapshot, &damage)
        }
    }

    /// Where a segment is in the list; nil: it is there no more.
    private func place(of name: SegmentName, _ segments: [SegmentName]) -> Int? {
        segments.firstIndex { $0.first == name.first }
    }

    /// The first event id behind segment `index`, by the next one's header or the durable position; nil: not known.
    private static func number(behind index: Int, of snapshot: Snapshot) throws(IndexFault) -> UInt64? {
        if index == snapshot.segments.count - 1 { return snapshot.nextEventID }
        do throws(SystemError) {
            return try snapshot.firstEventID(index + 1)
        } catch {
            throw .system(error)
        }
    }

    /// Ids from `first` to below `next` lie between what segment `older` has (nil: what retention keeps) and what segment `newer` has (the
    /// number of segments: what is durable), and neither has them: segments between them that cannot be read do, a missing one, or the
    /// end of `older`. `index`: of segment `current`.
    private func lose(
        _ first: UInt64, _ next: UInt64, between older: Int?, _ newer: Int, _ index: any SegmentIndex, _ current: Int,
        _ snapshot: Snapshot, _ damage: inout DamagedIDs
    ) {
        let (segments, reader) = (snapshot.segments, snapshot.reader)
        let start = older.map { $0 + 1 } ?? 0
        let unread = segments[min(start, segments.count)..<max(start, min(newer, segments.count))]
        guard first < next || !unread.isEmpty else { return }
        damage.add(first, next)
        if !unread.isEmpty {
            for name in unread {
                reader.note(
                    Corruption(
                        name, name.isSealed ? .badSealedFile : .badFileHeader, first: first, next: max(first, next)))
            }
        } else if let older {
            if newer == segments.count, let last = segments[older].last {
                // Behind a sealed one there is always one of the log.
                reader.note(Corruption(.log(last + 1), first: first, next: next))
            } else if newer == segments.count {
                var end = Corruption(segments[older], .missingBytes, first: first, next: next)
                end.offset = index.coveredLogBytes
                reader.note(end)
            } else if let gone = MissingSegments.between(segments[older], segments[newer]) {
                reader.note(Corruption(gone, first: first, next: next))
            } else {
                reader.note(Corruption(segments[older], .missingBehind, first: first, next: next))
            }
        } else if newer < segments.count, segments[newer].first > 1 {
            let gone = SegmentName(first: 1, last: segments[newer].first - 1)
            reader.note(Corruption(gone, first: first, next: next))
        }
    }
}

extension SegmentIndex {
    /// How far an index over a log goes; 0 for others.
    fileprivate var coveredLogBytes: Int64 {
        (self as? IndexBuilder)?.coveredBytes ?? (self as? IndexFile)?.coveredBytes ?? 0
    }
}
