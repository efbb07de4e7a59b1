// An erasure on its way into the log: what was found, what came meanwhile, and the tombstones that say so. Between the moment a session's
// erasure begins and its last tombstone, the writer watches its commits for that session, so that nothing slips in between. Made by the
// erasing thread; `StoreWriter` touches it on the appender's thread only, while the erasing thread waits.

import EyeSystem

/// What the writer sees of a session while its erasure is prepared.
public final class ErasureWatch: @unchecked Sendable {
    // @unchecked: the appender's alone, but for the position, which never changes.
    let session: ID128
    /// Events below this id were durable and published when the watch began; later ones it has seen.
    public let nextEventID: UInt64
    var ids = IDSet()
    var sequences = IDSet()

    init(_ session: ID128, nextEventID: UInt64) {
        self.session = session
        self.nextEventID = nextEventID
    }

    /// Looks through a frame that was committed, whose first record has this sequence.
    func note(_ frame: Frame, firstSequence: UInt64) {
        var offset = 0
        var sequence = firstSequence
        var id = frame.firstEventID
        let payload = unsafe frame.payload
        while offset < payload.count, let record = unsafe RecordView.at(offset, of: payload) {
            offset += record.byteCount
            if record.kind == RecordKind.event {
                if record.session == session {
                    ids.insert(id)
                    sequences.insert(sequence)
                }
                id += 1
            } else if record.kind == RecordKind.session, record.session == session {
                sequences.insert(sequence)
            }
            sequence += 1
        }
    }
}

/// An erasure to be committed.
public final class ErasureJob: @unchecked Sendable {
    // @unchecked: handed from the erasing thread to the appender and back.
    private var ids: IDSet
    private var sequences: IDSet
    private let watch: ErasureWatch?
    private let isSession: Bool
    private let token: UInt32
    private let framesMax: Int
    /// What was committed so far; nil: nothing.
    public internal(set) var receipt: ErasureReceipt?
    /// Ids up to this one have their tombstones.
    private var doneID: UInt64 = 0

    /// - Parameters:
    ///   - found: what a search found in a snapshot that was taken after `watch` began.
    ///   - token: who erases; 0: the operator.
    ///   - framesMax: frames of one commit, two or more.
    public init(
        _ found: ErasureSearch, watch: ErasureWatch?, isSession: Bool, token: UInt32,
        framesMax: Int = StoreLimits.commitFramesMax
    ) {
        self.framesMax = framesMax
        ids = found.ids
        sequences = found.sequences
        self.watch = watch
        self.isSession = isSession
        self.token = token
    }

    /// Nothing is there to be erased. For the appender's thread, like `StoreWriter.erase`.
    public var isEmpty: Bool {
        guard ids.isEmpty && sequences.isEmpty else { return false }
        return watch.map { $0.ids.isEmpty && $0.sequences.isEmpty } ?? true
    }

    /// The tombstones of the next commit, and whether they are the last ones.
    func nextFrames(now: Int64) -> (frames: [Frame], isLast: Bool) {
        if let watch {
            ids.formUnion(watch.ids)
            sequences.formUnion(watch.sequences)
        }
        var frames: [Frame] = []
        let flags = isSession ? TombstoneFlag.session : 0
        var isFirst = receipt == nil
        func put(_ ranges: ArraySlice<ClosedRange<UInt64>>, _ kind: UInt8) {
            let frame = Frame()
            let more = isFirst ? 0 : TombstoneFlag.more
            let fits = frame.appendTombstone(ranges, flags: flags | more | kind, received: now, token: token)
            precondition(fits, "an empty frame takes a tombstone")
            frames.append(frame)
            isFirst = false
        }
        // One frame is kept for the sequences; there are as many as segments with records of the session, mostly.
        let rangesMax = (framesMax - 1) * StoreLimits.tombstoneRangesMax
        var part: [ClosedRange<UInt64>] = []
        var isLast = true
        ids.forEachRange { range in
            guard range.upperBound > doneID else { return true }
            isLast = part.count < rangesMax
            if isLast { part.append(max(range.lowerBound, doneID + 1)...range.upperBound) }
            return isLast
        }
        var rest = part[...]
        while !rest.isEmpty {
            put(rest.prefix(StoreLimits.tombstoneRangesMax), 0)
            rest = rest.dropFirst(StoreLimits.tombstoneRangesMax)
        }
        if isLast {
            var pairs: [ClosedRange<UInt64>] = []
            sequences.forEachRange { range in
                pairs.append(range)
                return pairs.count < StoreLimits.tombstoneRangesMax
            }
            if !pairs.isEmpty { put(pairs[...], TombstoneFlag.sequences) }
        }
        next = part.last?.upperBound ?? doneID
        return (frames, isLast)
    }
    private var next: UInt64 = 0

    /// The frames of `nextFrames` are durable; the first one's record has this sequence.
    func committed(_ frames: [Frame], firstSequence: UInt64, nextEventID: UInt64) {
        doneID = next
        var found = SegmentErasures()
        for (index, frame) in frames.enumerated() {
            guard let record = unsafe RecordView.at(0, of: frame.payload) else { continue }
            found.add(record, sequence: firstSequence + UInt64(index), nextEventID: nextEventID)
        }
        for one in found.receipts {
            if receipt == nil { receipt = one } else { receipt?.add(one) }
        }
    }
}

/// How a commit of tombstones ended.
public enum ErasureOutcome: Sendable {
    /// Durable, published, hidden from every read that begins now.
    case done
    /// A part of it is; commit the next one.
    case more
    /// The storage is full: this part was not taken.
    case refused
}
