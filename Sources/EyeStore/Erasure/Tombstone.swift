// Tombstones as records (kind 3, docs/format.md): what they hide, and what they say to whoever asks for a receipt. They name numbers, never
// a personal value. Invariant: a tombstone hides only what stands before it in the log. Pure, any thread.

/// Flags of a tombstone.
enum TombstoneFlag {
    /// Its pairs are sequences of records by which a session came to be, not event ids.
    static let sequences: UInt8 = 1
    /// It goes on with the erasure of the tombstone before it.
    static let more: UInt8 = 2
    /// A whole session was asked for.
    static let session: UInt8 = 4
}

/// What is known of an erasure once it is done. Names no personal value.
public struct ErasureReceipt: Sendable, Equatable {
    /// The sequence of its first record: its name.
    public var id: UInt64
    /// When, µs since 1970 UTC.
    public var erased: Int64
    /// By which token; 0: by the operator.
    public var token: UInt32
    /// A session was erased, not one event.
    public var isSession: Bool
    /// How many events.
    public var events: UInt64
    /// From the first of them to the last; nil: none (a session without events).
    public var hull: ClosedRange<UInt64>?
    /// It goes on with the erasure before it.
    var isMore = false

    public init(
        id: UInt64, erased: Int64, token: UInt32, isSession: Bool, events: UInt64, hull: ClosedRange<UInt64>?
    ) {
        self.id = id
        self.erased = erased
        self.token = token
        self.isSession = isSession
        self.events = events
        self.hull = hull
    }

    /// Adds a tombstone of the same erasure.
    mutating func add(_ more: ErasureReceipt) {
        events += more.events
        guard let other = more.hull else { return }
        hull =
            hull.map {
                min($0.lowerBound, other.lowerBound)...max($0.upperBound, other.upperBound)
            } ?? other
    }
}

/// The tombstones of one segment.
struct SegmentErasures: Sendable {
    /// What is erased by them: event ids, and sequences of records by which sessions came to be.
    private(set) var ids: [ClosedRange<UInt64>] = []
    private(set) var sequences: [ClosedRange<UInt64>] = []
    /// One for each tombstone.
    private(set) var receipts: [ErasureReceipt] = []

    init() {}

    init(ids: [ClosedRange<UInt64>], sequences: [ClosedRange<UInt64>], receipts: [ErasureReceipt]) {
        self.ids = ids
        self.sequences = sequences
        self.receipts = receipts
    }

    /// Tombstones that hide something.
    var count: Int { receipts.count }

    /// Takes in a tombstone, the record with this sequence, behind which the next event has this id. False: it hides nothing.
    @discardableResult
    mutating func add(_ record: RecordView, sequence: UInt64, nextEventID: UInt64) -> Bool {
        let isOfSequences = record.flags & TombstoneFlag.sequences != 0
        var receipt = ErasureReceipt(
            id: sequence, erased: record.received, token: record.token,
            isSession: record.flags & TombstoneFlag.session != 0, events: 0, hull: nil)
        receipt.isMore = record.flags & TombstoneFlag.more != 0
        var hides = false
        record.forEachPair(below: isOfSequences ? sequence : nextEventID) { range in
            hides = true
            if isOfSequences {
                sequences.append(range)
            } else {
                ids.append(range)
                let more = ErasureReceipt(
                    id: 0, erased: 0, token: 0, isSession: false, events: range.upperBound - range.lowerBound + 1,
                    hull: range)
                receipt.add(more)
            }
        }
        if hides { receipts.append(receipt) }
        return hides
    }

    /// Bytes of memory, about.
    var cost: Int {
        (ids.count + sequences.count) * 16 + receipts.count * MemoryLayout<ErasureReceipt>.stride
    }

    /// How many tombstones of a frame's payload hide something.
    static func count(in payload: UnsafeRawBufferPointer, firstSequence: UInt64, firstEventID: UInt64) -> UInt32 {
        var found = SegmentErasures()
        var offset = 0
        var sequence = firstSequence
        var id = firstEventID
        while offset < payload.count, let record = unsafe RecordView.at(offset, of: payload) {
            offset += record.byteCount
            switch record.kind {
            case RecordKind.event: id += 1
            case RecordKind.tombstone: found.add(record, sequence: sequence, nextEventID: id)
            default: break
            }
            sequence += 1
        }
        return UInt32(found.count)
    }
}

extension RecordView {
    /// Pairs of a tombstone, cut to what is below `end`; those that contradict themselves are passed over.
    func forEachPair(below end: UInt64, _ body: (ClosedRange<UInt64>) -> Void) {
        var offset = Record.headBytes
        while byteCount - offset >= 16 {
            let (first, last) = unsafe (bytes.u64(offset), bytes.u64(offset + 8))
            offset += 16
            guard first <= last, first < end, first > 0 else { continue }
            body(first...min(last, end - 1))
        }
    }
}

extension Frame {
    /// Appends a tombstone. False: it does not fit, use the next frame; an empty one takes `StoreLimits.tombstoneRangesMax` ranges.
    func appendTombstone(
        _ ranges: ArraySlice<ClosedRange<UInt64>>, flags: UInt8, received: Int64, token: UInt32
    ) -> Bool {
        let length = Record.headBytes + 16 * ranges.count
        guard
            let record = unsafe begin(
                kind: RecordKind.tombstone, flags: flags, length: length, token: token, received: received)
        else { return false }
        var offset = Record.headBytes
        for range in ranges {
            unsafe record.put(range.lowerBound, offset)
            unsafe record.put(range.upperBound, offset + 8)
            offset += 16
        }
        hasTombstones = true
        return true
    }

    /// Appends a tombstone over ranges of event ids. False: it does not fit, use the next frame.
    public func appendTombstone(_ ranges: [ClosedRange<UInt64>], received: Int64, token: UInt32) -> Bool {
        appendTombstone(ranges[...], flags: 0, received: received, token: token)
    }
}
