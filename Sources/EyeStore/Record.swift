// The records inside a frame's payload: where their fields stand, and the walk over them that checks every length before it is
// used. Used by recovery, by readers and by the appender when it takes duplicates out; pure, any thread.

/// Kinds of records, as on disk.
enum RecordKind {
    static let event = Record.eventKind
    static let session: UInt8 = 2
    static let tombstone: UInt8 = 3
    static let client: UInt8 = 4
    static let rejected: UInt8 = 5
    static let retention: UInt8 = 6
}

/// Offsets of fields in a record, see docs/format.md.
@usableFromInline
enum Record {
    /// Bytes that all records begin with.
    static let headBytes = 24
    static let sessionBytes = 40
    // Computed, so that the inlined hot path sees numbers and not accessors.
    @inlinable static var eventBytes: Int { 48 }
    @inlinable static var eventWithIDBytes: Int { 64 }
    static let clientBytes = 32
    static let retentionBytes = 32
    @inlinable static var hasEventID: UInt8 { 1 }
    @inlinable static var eventKind: UInt8 { 1 }
}

/// One record (its lengths were checked by `at`), in bytes that outlive it only until the buffer is read into again.
@safe
struct RecordView {
    /// The whole record.
    let bytes: UnsafeRawBufferPointer
    var byteCount: Int { unsafe bytes.count }

    var kind: UInt8 { unsafe bytes[4] }
    var flags: UInt8 { unsafe bytes[5] }
    var a: Int { unsafe Int(bytes.u16(6)) }
    var b: Int { unsafe Int(bytes.u16(8)) }
    var c: Int { unsafe Int(bytes.u16(10)) }
    var token: UInt32 { unsafe bytes.u32(12) }
    var received: Int64 { unsafe bytes.i64(16) }

    // Event.
    var timestamp: Int64 { unsafe bytes.i64(24) }
    var hasEventID: Bool { flags & Record.hasEventID != 0 }
    var eventID: ID128? { hasEventID ? unsafe bytes.id128(48) : nil }
    private var textOffset: Int { hasEventID ? Record.eventWithIDBytes : Record.eventBytes }
    var category: UnsafeRawBufferPointer { unsafe bytes.slice(textOffset, a) }
    var name: UnsafeRawBufferPointer { unsafe bytes.slice(textOffset + a, b) }
    var data: UnsafeRawBufferPointer {
        let start = textOffset + a + b
        return unsafe bytes.slice(start, bytes.count - start)
    }
    /// Of an event or of a session opened.
    var session: ID128 { unsafe bytes.id128(kind == RecordKind.event ? 32 : 24) }

    // Client sequence.
    var clientSequence: UInt64 { unsafe bytes.u64(24) }
    var clientName: UnsafeRawBufferPointer { unsafe bytes.slice(32, bytes.count - 32) }

    // Retention.
    var firstKeptEventID: UInt64 { unsafe bytes.u64(24) }

    // Rejected sample.
    var code: UnsafeRawBufferPointer { unsafe bytes.slice(24, a) }
    var message: UnsafeRawBufferPointer { unsafe bytes.slice(24 + a, b) }
    var source: UnsafeRawBufferPointer { unsafe bytes.slice(24 + a + b, c) }
    var line: UnsafeRawBufferPointer {
        let start = 24 + a + b + c
        return unsafe bytes.slice(start, bytes.count - start)
    }

    /// The record at `offset` of a payload; nil when it does not fit or its lengths contradict each other.
    @inline(__always)
    static func at(_ offset: Int, of payload: UnsafeRawBufferPointer) -> RecordView? {
        guard payload.count - offset >= Record.headBytes else { return nil }
        let length = unsafe Int(payload.u32(offset))
        guard length >= Record.headBytes, length <= payload.count - offset else { return nil }
        let record = unsafe RecordView(bytes: payload.slice(offset, length))
        switch record.kind {
        case RecordKind.event:
            guard length >= record.textOffset, record.a + record.b <= length - record.textOffset else { return nil }
        case RecordKind.session:
            guard length >= Record.sessionBytes else { return nil }
        case RecordKind.client:
            guard length > Record.clientBytes, length <= Record.clientBytes + StoreLimits.clientNameBytesMax else {
                return nil
            }
        case RecordKind.rejected:
            guard record.a + record.b + record.c <= length - Record.headBytes else { return nil }
        case RecordKind.retention:
            guard length >= Record.retentionBytes else { return nil }
        case RecordKind.tombstone:
            guard (length - Record.headBytes) % 16 == 0 else { return nil }
        default: break
        }
        return record
    }

    /// Whether the records of `payload` fill it exactly and are as many as the header says.
    static func fill(_ payload: UnsafeRawBufferPointer, header: FrameHeader) -> Bool {
        var offset = 0
        var records: UInt32 = 0
        var events: UInt32 = 0
        while offset < payload.count {
            guard let record = unsafe RecordView.at(offset, of: payload) else { return false }
            offset += record.byteCount
            records += 1
            if record.kind == RecordKind.event { events += 1 }
        }
        return records == header.records && events == header.events
    }
}
