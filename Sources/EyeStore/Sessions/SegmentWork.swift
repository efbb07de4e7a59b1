// Work on segments that may be interrupted: an index that turns out to be wrong is built anew, a segment that was sealed or dropped is looked for
// again, what is damaged is passed over and named, and the piece of work begins again. Used by the listings of sessions, on the reader's
// thread.

import EyeSystem

/// How a piece of work on a segment ended.
enum SegmentWork<Value> {
    /// The index is not ready yet, or had to be given up: try again.
    case later
    /// The segment is not where it was: list again.
    case gone
    /// The segment is damaged, and there is nothing that its index could be made from.
    case lost
    case done(Value)
}

extension Snapshot {
    /// Does `body` with the index of segment `segment`.
    func work<Value>(
        on segment: Int, _ body: (any SegmentIndex) throws(IndexFault) -> Value
    ) throws(SystemError) -> SegmentWork<Value> {
        let name = segments[segment]
        do throws(IndexFault) {
            let prepared: (any SegmentIndex)?
            do throws(SystemError) {
                prepared = try prepare(segment)
            } catch {
                throw .system(error)
            }
            guard let prepared else { return .later }
            if prepared is LostSegment { return .lost }
            return .done(try body(prepared))
        } catch {
            switch error {
            case .damaged:
                if name.isSealed { return .lost }
                reader.segment(name).distrustIndex()
                return .later
            case .system(let error):
                guard error.isMissing else { throw error }
                reader.noteMissing(name)
                return .gone
            }
        }
    }

    /// The ids that a damaged segment may hold, from the first to below the second.
    func idsOfLost(_ segment: Int) -> (first: UInt64, next: UInt64) {
        func known(_ body: () throws(SystemError) -> UInt64?) -> UInt64? {
            do throws(SystemError) { return try body() } catch { return nil }
        }
        var first = known { () throws(SystemError) in try reader.segment(segments[segment]).firstEventID() }
        if first == nil, segment > 0 {
            first = known { () throws(SystemError) in try reader.segment(segments[segment - 1]).nextEventID() }
        }
        var next = known { () throws(SystemError) in try reader.segment(segments[segment]).nextEventID() }
        if next == nil, segment + 1 < segments.count {
            next = known { () throws(SystemError) in try firstEventID(segment + 1) }
        }
        return (first ?? reader.firstKeptEventID, next ?? nextEventID ?? UInt64.max >> 1)
    }

    /// The ids of a missing segment just before segment `segment`; empty: there is none.
    func idsMissing(before segment: Int) -> Range<UInt64> { reader.idsMissing(before: segments[segment]) }

    /// How often in a row a segment may not be where the list says, before it is taken for gone.
    static let missesMax = 8
}
