// One frame under construction: what an ingest loop fills and the appender writes. Its buffer is allocated once and has room for the
// header in front, so nothing is copied later. Invariant: the payload is always whole records. Used by one thread at a time: by a
// loop until it hands the frame over, by the appender until it gives it back. All state stands behind constant pointers, so that
// the per-event path has neither exclusivity checks nor reference counting.

import EyeSystem

/// What became of a record of a committed frame.
public struct RecordOutcome: Sendable, Equatable {
    /// Whether it was stored, and if not, why.
    public enum Fate: UInt8, Sendable {
        /// Durable.
        case stored
        /// Not stored: its event_id or client sequence was there before.
        case duplicate
        /// Not stored: an earlier line of this client was refused, so nothing of it is taken until its next HELLO.
        case stopped
    }
    /// The event's id; of a duplicate by event_id, the first one's; 0: none or unknown.
    public var id: UInt64
    /// What became of it.
    public var fate: Fate
}

/// The counters of a frame under construction.
@usableFromInline
struct FrameState {
    /// Offset in the buffer behind the last record.
    @usableFromInline var end = StoreLimits.headerBytes
    /// Offset in the buffer up to which records may go; room for client records is taken off it.
    @usableFromInline var limit = StoreLimits.headerBytes + StoreLimits.payloadBytesMax
    @usableFromInline var records: UInt32 = 0
    @usableFromInline var events: UInt32 = 0
    @usableFromInline var hasEventIDs = false
    /// Up to here `payloadCRC` covers the payload; 0: not sealed.
    @usableFromInline var sealedEnd = 0
    var payloadCRC: UInt32 = 0
    var hasMixed = false

    @usableFromInline init() {}
}

/// A client mark: record `record` (-1: none, the line was rejected) is line `sequence` of client `slot`.
struct FrameMark {
    var slot: Int32
    var record: Int32
    var sequence: UInt64
}

/// A frame under construction. Handed from an ingest loop to the appender and back; never used by two threads at once.
@safe
public final class Frame: @unchecked Sendable {
    @usableFromInline let base: UnsafeMutableRawPointer
    @usableFromInline let state: UnsafeMutablePointer<FrameState>

    // Slow path only: client marks, and what the appender found out.
    var marks: [FrameMark] = []
    private(set) var markedSlots: [Int32] = []
    /// Records that are not events, by index; ascending.
    private var others: [Int32] = []
    /// Whether it holds tombstones.
    var hasTombstones = false
    /// Set by the appender when not every record was stored.
    var outcomes: [RecordOutcome] = []

    /// The id of the first event that was stored from this frame; valid after a durable commit.
    public internal(set) var firstEventID: UInt64 = 0
    /// Events of this frame that were duplicates; valid after a durable commit.
    public internal(set) var duplicateCount = 0
    /// Events of this frame that were not taken because their client was stopped; valid after a durable commit.
    public internal(set) var stoppedCount = 0

    /// An empty frame: allocates 128 KiB.
    public init() {
        unsafe base = UnsafeMutableRawPointer.allocate(byteCount: StoreLimits.frameBytesMax, alignment: 64)
        unsafe state = UnsafeMutablePointer<FrameState>.allocate(capacity: 1)
        unsafe state.initialize(to: FrameState())
    }

    deinit {
        unsafe base.deallocate()
        unsafe state.deallocate()
    }

    /// Makes it empty again.
    public func reset() {
        unsafe state.pointee = FrameState()
        if !marks.isEmpty { marks.removeAll(keepingCapacity: true) }
        if !markedSlots.isEmpty { markedSlots.removeAll(keepingCapacity: true) }
        if !others.isEmpty { others.removeAll(keepingCapacity: true) }
        if !outcomes.isEmpty { outcomes.removeAll(keepingCapacity: true) }
        firstEventID = 0
        duplicateCount = 0
        stoppedCount = 0
        hasTombstones = false
    }

    /// Nothing to commit: no record and no client mark.
    public var isEmpty: Bool { recordCount == 0 && marks.isEmpty }
    /// Records appended.
    public var recordCount: Int { unsafe Int(state.pointee.records) }
    /// Events appended.
    public var eventCount: Int { unsafe Int(state.pointee.events) }
    /// Bytes of the frame as it would be written now.
    public var byteCount: Int { unsafe state.pointee.end + StoreLimits.trailerBytes }

    /// Appends an event: the only copy of its payload. False: it does not fit, use the next frame (an empty frame takes every
    /// event whose line is within 65,536 bytes). Category and name have at most 65,535 bytes each.
    @inlinable
    public func appendEvent(
        _ key: EventKey, category: UnsafeRawBufferPointer, name: UnsafeRawBufferPointer, data: UnsafeRawBufferPointer,
        client: ClientLine = .none
    ) -> Bool {
        let fixed = key.eventID == nil ? Record.eventBytes : Record.eventWithIDBytes
        let length = fixed + category.count + name.count + data.count
        let end = unsafe state.pointee.end
        // In bounds: everything below is written within `length` bytes from `end`, and they end before `limit`.
        guard unsafe length <= state.pointee.limit - end, category.count <= 0xFFFF, name.count <= 0xFFFF else {
            return false
        }
        if client.slot >= 0, !mark(client, record: true, bytes: length) { return false }
        let record = unsafe base + end
        unsafe record.put(UInt32(truncatingIfNeeded: length), 0)
        unsafe record.put(
            UInt32(Record.eventKind) | (key.eventID == nil ? 0 : UInt32(Record.hasEventID) << 8)
                | UInt32(truncatingIfNeeded: category.count) << 16, 4)
        unsafe record.put(UInt32(truncatingIfNeeded: name.count), 8)
        unsafe record.put(key.token, 12)
        unsafe record.put(key.received, 16)
        unsafe record.put(key.timestamp, 24)
        unsafe record.put(key.session, 32)
        if let id = key.eventID {
            unsafe record.put(id, 48)
            unsafe state.pointee.hasEventIDs = true
        }
        var place = unsafe record + fixed
        if let from = category.baseAddress { unsafe place.copyMemory(from: from, byteCount: category.count) }
        unsafe place += category.count
        if let from = name.baseAddress { unsafe place.copyMemory(from: from, byteCount: name.count) }
        unsafe place += name.count
        if let from = data.baseAddress { unsafe place.copyMemory(from: from, byteCount: data.count) }
        unsafe state.pointee.end = end + length
        unsafe state.pointee.records &+= 1
        unsafe state.pointee.events &+= 1
        return true
    }

    /// Appends "session opened". False: it does not fit, use the next frame.
    public func appendSession(_ id: ID128, received: Int64, token: UInt32) -> Bool {
        guard
            let record = unsafe begin(
                kind: RecordKind.session, flags: 0, length: Record.sessionBytes, token: token, received: received)
        else { return false }
        unsafe record.put(id, 24)
        return true
    }

    /// Says that line `client.sequence` was judged and rejected: it takes part in the client's sequence without a record. False: no
    /// room, use the next frame.
    public func noteRejected(_ client: ClientLine) -> Bool {
        if client.slot < 0 { return true }
        // Lines rejected one after the other need only the last mark.
        if let last = marks.last, last.slot == client.slot, last.record < 0, client.sequence > last.sequence {
            marks[marks.count - 1].sequence = client.sequence
            return true
        }
        return mark(client, record: false, bytes: 0)
    }

    /// Computes the payload's checksum now, so that the appender does not have to. Called by the loop before it hands over.
    public func seal() {
        let from = unsafe max(state.pointee.sealedEnd, StoreLimits.headerBytes)
        let end = unsafe state.pointee.end
        let fresh = unsafe UnsafeRawBufferPointer(start: base + from, count: end - from)
        let before = unsafe state.pointee.sealedEnd == 0 ? 0 : state.pointee.payloadCRC
        unsafe state.pointee.payloadCRC = Checksum.crc32c(fresh, continuing: before)
        unsafe state.pointee.sealedEnd = end
    }

    /// What became of the record that was appended as number `index` (from 0); valid after a durable commit, until `reset`.
    public func outcome(ofRecord index: Int) -> RecordOutcome {
        if !outcomes.isEmpty { return outcomes[index] }
        if others.isEmpty { return RecordOutcome(id: firstEventID + UInt64(index), fate: .stored) }
        var before = 0
        for other in others {
            if other == Int32(index) { return RecordOutcome(id: 0, fate: .stored) }
            if other > Int32(index) { break }
            before += 1
        }
        return RecordOutcome(id: firstEventID + UInt64(index - before), fate: .stored)
    }

    func addSlot(_ slot: Int32) { markedSlots.append(slot) }
    func noteOther(_ index: Int32) { others.append(index) }
}

extension Frame {
    /// Room for a record that is not an event, with its head written; nil: it does not fit.
    func begin(kind: UInt8, flags: UInt8, length: Int, token: UInt32, received: Int64) -> UnsafeMutableRawPointer? {
        let end = unsafe state.pointee.end
        guard unsafe length <= state.pointee.limit - end else { return nil }
        // In bounds: the record ends before `limit`.
        let record = unsafe base + end
        unsafe record.put(UInt32(length), 0)
        unsafe record.put(UInt32(kind) | UInt32(flags) << 8, 4)
        unsafe record.put(UInt32(0), 8)
        unsafe record.put(token, 12)
        unsafe record.put(received, 16)
        noteOther(Int32(recordCount))
        unsafe state.pointee.end = end + length
        unsafe state.pointee.records += 1
        unsafe state.pointee.hasMixed = true
        return unsafe record
    }

    /// Marks the next record (or none) as a client's line, and keeps room for the client's own record.
    @usableFromInline
    func mark(_ client: ClientLine, record: Bool, bytes: Int) -> Bool {
        guard marks.count < StoreLimits.marksPerFrameMax else { return false }
        if markedSlots.last != client.slot, !markedSlots.contains(client.slot) {
            let room = Record.clientBytes + StoreLimits.clientNameBytesMax
            guard markedSlots.count < StoreLimits.clientsPerFrameMax,
                unsafe bytes + room <= state.pointee.limit - state.pointee.end
            else { return false }
            addSlot(client.slot)
            unsafe state.pointee.limit -= room
        }
        marks.append(
            FrameMark(slot: client.slot, record: record ? Int32(recordCount) : -1, sequence: client.sequence))
        return true
    }

    /// The payload as it stands.
    var payload: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(
            start: base + StoreLimits.headerBytes, count: state.pointee.end - StoreLimits.headerBytes)
    }

    var hasEventIDs: Bool { unsafe state.pointee.hasEventIDs }

    /// Takes out the records whose index is not kept and counts anew. Slow path: the payload is sealed again later.
    func keepRecords(_ keep: (Int) -> Bool) {
        var from = StoreLimits.headerBytes
        var to = StoreLimits.headerBytes
        let end = unsafe state.pointee.end
        var index = 0
        var kept: UInt32 = 0
        var events: UInt32 = 0
        while from < end {
            guard let record = unsafe RecordView.at(from - StoreLimits.headerBytes, of: payload) else {
                preconditionFailure("a frame under construction holds whole records")
            }
            let length = record.byteCount
            let isEvent = record.kind == RecordKind.event
            if keep(index) {
                // In bounds: `to` never overtakes `from`, and both stay below `end`.
                if to != from { unsafe (base + to).copyMemory(from: base + from, byteCount: length) }
                to += length
                kept += 1
                if isEvent { events += 1 }
            }
            from += length
            index += 1
        }
        unsafe state.pointee.end = to
        unsafe state.pointee.records = kept
        unsafe state.pointee.events = events
        unsafe state.pointee.sealedEnd = 0
    }

    /// Appends a client's sequence, in the room that `mark` kept for it.
    func appendClient(token: UInt32, name: [UInt8], sequence: UInt64, received: Int64) {
        unsafe state.pointee.limit = StoreLimits.headerBytes + StoreLimits.payloadBytesMax
        let client = ClientTable.Client(token: token, name: name, sequence: sequence, lastSeen: received)
        precondition(appendKept(client), "room was kept for it")
    }

    /// Completes header and trailer; returns the whole frame's bytes and its CRC.
    func complete(_ header: inout FrameHeader) -> (bytes: UnsafeRawBufferPointer, crc: UInt32) {
        let state = unsafe self.state.pointee
        if state.sealedEnd != state.end { seal() }
        header.payloadBytes = state.end - StoreLimits.headerBytes
        header.records = state.records
        header.events = state.events
        if state.hasMixed { header.flags |= FrameFlag.mixed }
        if state.hasEventIDs { header.flags |= FrameFlag.eventIDs }
        header.headerCRC = unsafe header.write(to: base)
        let crc = unsafe FrameHeader.seal(payloadCRC: self.state.pointee.payloadCRC, headerCRC: header.headerCRC)
        // In bounds: `limit` leaves room for the trailer.
        unsafe base.put(crc, state.end)
        return unsafe (UnsafeRawBufferPointer(start: base, count: state.end + StoreLimits.trailerBytes), crc)
    }
}
