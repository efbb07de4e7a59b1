// The event: one strict pass over its JSON object that finds out whether it is valid and where its members are. Nothing
// is copied, nothing allocated. Called for every event line by the ingest loops, for every posted event by the HTTP loop.
//
// What is wrong with an object that is JSON at all is noted, not thrown, until its end is reached: so bad JSON (of which
// nothing can be said further) outranks everything, and otherwise the first problem of the text is the one that is told.

/// The bytes of a JSON string between its quotes, as they stand.
public struct StringField: Equatable, Sendable {
    /// Bytes from the start of the scanned text to the first one after the opening quote.
    public var offset: Int
    /// Bytes between the quotes.
    public var count: Int
    /// There are escapes among them: resolve with ``JSON/appendUnescaped(_:of:to:)``.
    public var escaped: Bool

    /// A field of `count` bytes at `offset`.
    @inlinable
    public init(offset: Int, count: Int, escaped: Bool) {
        self.offset = offset
        self.count = count
        self.escaped = escaped
    }

    /// The bytes between the quotes.
    @inlinable
    public var range: Range<Int> { offset..<offset + count }
}

/// A valid event: its members, positions counted from the start of the scanned text.
public struct EventFields: Equatable, Sendable {
    /// `session_id`.
    public var session: UUID
    /// `timestamp`, microseconds since 1970 UTC.
    public var timestamp: Int64
    /// `event_id`, if there is one.
    public var eventID: UUID?
    /// `category`, 1 to 50 scalars.
    public var category: StringField
    /// `name`, 1 to 150 scalars.
    public var name: StringField
    /// Where `data` begins, at its brace.
    public var dataOffset: Int
    /// Bytes of `data`, with both braces.
    public var dataCount: Int
    /// No part of the event: the day of the last timestamp, for the next event that is scanned into the same fields.
    var day = TimestampDay()

    /// Fields to scan into.
    public init() {
        session = UUID(high: 0, low: 0)
        timestamp = 0
        eventID = nil
        category = StringField(offset: 0, count: 0, escaped: false)
        name = StringField(offset: 0, count: 0, escaped: false)
        dataOffset = 0
        dataCount = 0
    }

    /// The bytes of `data`.
    @inlinable
    public var dataRange: Range<Int> { dataOffset..<dataOffset + dataCount }

    /// Whether both are the same event's.
    public static func == (a: EventFields, b: EventFields) -> Bool {
        a.session == b.session && a.timestamp == b.timestamp && a.eventID == b.eventID && a.category == b.category
            && a.name == b.name && a.dataOffset == b.dataOffset && a.dataCount == b.dataCount
    }
}

/// Judges events.
public enum EventScanner {
    /// Judges the JSON object `bytes`; white space around it is allowed.
    /// - Parameter latest: the latest timestamp that is taken, microseconds since 1970: now + tolerance.
    public static func scan(_ bytes: UnsafeRawBufferPointer, latest: Int64) throws(Fault) -> EventFields {
        var fields = EventFields()
        try unsafe scan(bytes, latest: latest, into: &fields)
        return fields
    }

    /// As ``scan(_:latest:)``, into fields of the caller's, whose content does not matter before, nor after a throw: the
    /// ingest loops keep one for all their lines.
    public static func scan(
        _ bytes: UnsafeRawBufferPointer, latest: Int64, into fields: inout EventFields
    ) throws(Fault) {
        let count = bytes.count
        if count <= WireLimits.eventBytesMax {
            let scanner = unsafe JSONScanner<GuardedEdge>(bytes)
            if scanner.usualEvent(latest: latest, into: &fields) == count { return }
        }
        try unsafe judge(bytes, latest: latest, into: &fields)
    }

    /// Scans the event line at the front of `window` without knowing where it ends: one of the usual shape shows that
    /// itself, and its line feed need not be looked for first.
    /// - Parameters:
    ///   - json: where the JSON object begins; what is before it, a token, has no line feed. Fields count from here.
    /// - Returns: bytes of the line with its terminator; nil if it is not of the usual shape, has a fault, is too long, or
    ///   its end is not in the window: then ``LineFramer/next(in:)`` and ``scan(_:latest:into:)`` have to say.
    public static func scanLine(
        _ window: UnsafeRawBufferPointer, from json: Int, latest: Int64, into fields: inout EventFields
    ) -> Int? {
        guard json >= 0, json < window.count, let base = window.baseAddress else { return nil }
        // In bounds: just compared.
        let scanner = unsafe JSONScanner<GuardedEdge>(
            UnsafeRawBufferPointer(start: base + json, count: window.count &- json))
        let end = scanner.usualEvent(latest: latest, into: &fields)
        guard end >= 0, end < scanner.count, end &+ json <= WireLimits.lineBytesMax else { return nil }
        let next = scanner.byteInside(end)
        if next == 0x0A { return json &+ end &+ 1 }
        return next == 0x0D && scanner.byte(end &+ 1) == 0x0A ? json &+ end &+ 2 : nil
    }

    /// Judges what is not of the usual shape (and would judge that as well: the tests compare).
    @inline(never)
    static func judge(
        _ bytes: UnsafeRawBufferPointer, latest: Int64, into fields: inout EventFields
    ) throws(Fault) {
        var problems = Problems(passing: 0)
        let count = bytes.count
        // In bounds: there are eight bytes, so there is a last one.
        if count &- 8 <= WireLimits.eventBytesMax &- 8, count >= 8, unsafe bytes[count &- 1] == 0x7D {
            return try unsafe JSONScanner<SentinelEdge>(bytes).event(latest: latest, &problems, into: &fields)
        }
        try unsafe scan(bytes, latest: latest, &problems, into: &fields)
    }

    /// The same for any text (white space after it, or not JSON), and after some problems have been passed over.
    @inline(never)
    static func scan(
        _ bytes: UnsafeRawBufferPointer, latest: Int64, _ problems: inout Problems, into fields: inout EventFields
    ) throws(Fault) {
        guard bytes.count <= WireLimits.eventBytesMax else { throw Fault(.tooLong) }
        try unsafe JSONScanner<GuardedEdge>(bytes).event(latest: latest, &problems, into: &fields)
    }
}

/// The problems of one event, noted while its text is read on. Touched only when there is one.
struct Problems {
    /// How many are to be passed over before one is kept.
    var passing: Int
    /// There is a problem to tell.
    var isKept = false
    /// The problem to tell.
    var fault = Fault(.badJSON)

    init(passing: Int) { self.passing = passing }

    /// Notes a problem.
    @inline(never)
    mutating func note(_ fault: Fault) {
        if passing > 0 {
            passing -= 1
        } else if !isKept {
            isKept = true
            self.fault = fault
        }
    }
}

extension JSONScanner {
    /// The event that the text is. What is wrong with single members is noted in `problems`, and the one it keeps thrown
    /// in the end; what is no JSON object is thrown at once.
    @inline(__always)
    fileprivate func event(
        latest: Int64, _ problems: inout Problems, into fields: inout EventFields
    ) throws(Fault) {
        // One bit for each member seen, by raw value.
        var seen: UInt8 = 0
        var i = skipSpace(0)
        guard byteOrZero(i) == 0x7B else { throw noObject(i) }
        i = skipSpace(i &+ 1)
        if byte(i) == 0x7D {
            i &+= 1
        } else {
            while true {
                let key = i
                let member: Member
                (member, i) = try memberKey(i)
                let bit: UInt8 = 1 &<< (member.rawValue & 7)
                if seen & bit != 0 || member == .none {
                    i = try strangeMember(key, member, i, &problems)
                } else {
                    seen |= bit
                    switch member {
                    case .data:
                        fields.dataOffset = i
                        i = try data(i, &problems)
                        fields.dataCount = i &- fields.dataOffset
                    case .category:
                        i = try string(i, .category, WireLimits.categoryScalarsMax, &problems, into: &fields.category)
                    case .name:
                        i = try string(i, .name, WireLimits.nameScalarsMax, &problems, into: &fields.name)
                    case .timestamp: i = try time(i, latest, &problems, into: &fields.timestamp)
                    case .sessionID: i = try uuid(i, .sessionID, &problems, into: &fields.session)
                    default:
                        var eventID = UUID(high: 0, low: 0)
                        i = try uuid(i, .eventID, &problems, into: &eventID)
                        fields.eventID = eventID
                    }
                }
                // The usual case, with a byte in front of the next member that is no white space.
                if i &+ 2 <= count, pair(i) == 0x222C {  // ,"
                    i &+= 1
                    continue
                }
                // A value may have ended in the last `}`, so the edge is compared here.
                var next = byteOrZero(i)
                if next <= 0x20 {
                    i = skipSpaceGuarded(i)
                    next = byteOrZero(i)
                }
                i &+= 1
                if next == 0x2C {
                    i = skipSpace(i)
                    continue
                }
                guard next == 0x7D else { throw Fault(.badJSON, at: i &- 1) }
                break
            }
        }
        if i != count {
            let rest = skipSpace(i)
            guard rest == count else { throw Fault(.badJSON, at: rest) }
        }
        if seen & 0x1F != 0x1F { noteMissing(seen, at: i &- 1, &problems) }
        if problems.isKept { throw problems.fault }
        if seen & 0x20 == 0 { fields.eventID = nil }
    }

    /// The member named at `start`, and where its value begins.
    @inline(__always)
    private func memberKey(_ start: Int) throws(Fault) -> (Member, Int) {
        // Straight: a quote, a known name, a quote, a colon; the longest is 14 bytes. The names are compared as words,
        // the first character lowest. In bounds: 16 bytes are counted first.
        if start &+ 16 <= count, byte(start) == 0x22 {
            let word = word(start &+ 1)
            let rest = self.word(start &+ 8) &>> 8
            if word == 0x7972_6F67_6574_6163, rest & 0xFFFF == 0x3A22 {  // category":
                return (.category, skipSpace(start &+ 11))
            }
            if word & 0xFFFF_FFFF_FFFF == 0x3A22_656D_616E {  // name":
                return (.name, skipSpace(start &+ 7))
            }
            if word & 0xFFFF_FFFF_FFFF == 0x3A22_6174_6164 {  // data":
                return (.data, skipSpace(start &+ 7))
            }
            if word == 0x5F6E_6F69_7373_6573, rest & 0xFFFF_FFFF == 0x3A22_6469 {  // session_id":
                return (.sessionID, skipSpace(start &+ 13))
            }
            if word == 0x6D61_7473_656D_6974, rest & 0xFF_FFFF == 0x3A_2270 {  // timestamp":
                return (.timestamp, skipSpace(start &+ 12))
            }
            if word == 0x6469_5F74_6E65_7665, rest & 0xFFFF == 0x3A22 {  // event_id":
                return (.eventID, skipSpace(start &+ 11))
            }
        }
        return try oddKey(start)
    }

    /// As ``memberKey(_:)``, for a name with white space after it or escapes in it, or an unknown one.
    @inline(never)
    private func oddKey(_ start: Int) throws(Fault) -> (Member, Int) {
        let value = try memberValue(start)
        let end = try closingQuote(start &+ 1)
        for raw in 0..<Member.none.rawValue {
            if let member = Member(rawValue: raw), string(start &+ 1, end, equals: member.label) {
                return (member, value)
            }
        }
        return (.none, value)
    }

    /// The string member at `start`, of at most `scalarsMax` scalars; returns the position after it. (Not inlined: the loop
    /// over the members keeps its registers.)
    @inline(never)
    private func string(
        _ start: Int, _ member: Member, _ scalarsMax: Int, _ problems: inout Problems, into field: inout StringField
    ) throws(Fault) -> Int {
        guard byte(start) == 0x22 else { return try wrongType(start, member, &problems) }
        let first = start &+ 1
        var isOdd = false
        let end = try closingQuote(first, isOdd: &isOdd)
        let bytes = end &- first
        field.offset = first
        field.count = bytes
        field.escaped = false
        // A first character that shows, no more bytes than characters allowed, no escape: nothing to count.
        if isOdd || UInt(bitPattern: bytes &- 1) >= UInt(bitPattern: scalarsMax) || byte(first) <= 0x20 {
            field.escaped = judge(first, end, member, scalarsMax, &problems)
        }
        return end &+ 1
    }

    /// The UUID member at `start`, and the position after it.
    @inline(__always)
    private func uuid(
        _ start: Int, _ member: Member, _ problems: inout Problems, into uuid: inout UUID
    ) throws(Fault) -> Int {
        // In bounds: the closing quote's position, 37 bytes on, is compared with the count.
        if start &+ 38 <= count, byte(start) == 0x22, byte(start &+ 37) == 0x22,
            let value = unsafe UUID(at: base + (start &+ 1))
        {
            uuid = value
            return start &+ 38
        }
        return try oddUUID(start, member, &problems, into: &uuid)
    }

    @inline(never)
    private func oddUUID(
        _ start: Int, _ member: Member, _ problems: inout Problems, into uuid: inout UUID
    ) throws(Fault) -> Int {
        guard byte(start) == 0x22 else { return try wrongType(start, member, &problems) }
        let end = try closingQuote(start &+ 1)
        let value = unsafe withShortString(start &+ 1, end, bytesMax: UUID.textBytes) { bytes in
            // In bounds: the count is compared first.
            unsafe bytes.count == UUID.textBytes ? UUID(at: bytes.baseAddress.unsafelyUnwrapped) : nil
        }
        if let value {
            uuid = value
        } else {
            problems.note(Fault(isBlank(start &+ 1, end) ? .emptyField : .badUUID, member, at: start))
        }
        return end &+ 1
    }

    /// The timestamp at `start`, and the position after it.
    @inline(__always)
    private func time(
        _ start: Int, _ latest: Int64, _ problems: inout Problems, into time: inout Int64
    ) throws(Fault) -> Int {
        // The usual shapes: 26 characters without a zone, or 27 with Z. In bounds: compared with the count.
        if start &+ 29 <= count, byte(start) == 0x22 {
            let last = byte(start &+ 27)
            let hasZone = last == 0x5A
            if hasZone && byte(start &+ 28) == 0x22 || last == 0x22,
                let value = unsafe Timestamp.plain(at: base + (start &+ 1))
            {
                time = value
                if value > latest { problems.note(Fault(.futureTime, .timestamp, at: start)) }
                return start &+ (hasZone ? 29 : 28)
            }
        }
        return try oddTime(start, latest, &problems, into: &time)
    }

    @inline(never)
    private func oddTime(
        _ start: Int, _ latest: Int64, _ problems: inout Problems, into time: inout Int64
    ) throws(Fault) -> Int {
        guard byte(start) == 0x22 else { return try wrongType(start, .timestamp, &problems) }
        let end = try closingQuote(start &+ 1)
        let value = unsafe withShortString(start &+ 1, end, bytesMax: WireLimits.timestampBytesMax) { bytes in
            unsafe Timestamp.parse(bytes)
        }
        if let value {
            time = value
            if value > latest { problems.note(Fault(.futureTime, .timestamp, at: start)) }
        } else {
            problems.note(Fault(isBlank(start &+ 1, end) ? .emptyField : .badTime, .timestamp, at: start))
        }
        return end &+ 1
    }

    /// The position after the object `data` at `start`.
    @inline(__always)
    private func data(_ start: Int, _ problems: inout Problems) throws(Fault) -> Int {
        guard byte(start) == 0x7B else { return try wrongType(start, .data, &problems) }
        let end = try containerEnd(start, level: 1)
        if skipSpace(start &+ 1) == end &- 1 { problems.note(Fault(.emptyField, .data, at: start)) }
        return end
    }

    // MARK: Problems

    /// A member that nobody knows, or that was there before: its value is only skipped.
    @inline(never)
    private func strangeMember(
        _ key: Int, _ member: Member, _ start: Int, _ problems: inout Problems
    ) throws(Fault) -> Int {
        problems.note(Fault(member == .none ? .unknownField : .duplicateField, member, at: key))
        return try valueEnd(start, level: 1)
    }

    /// The value at `start` is of the wrong type; returns the position after it.
    @inline(never)
    private func wrongType(_ start: Int, _ member: Member, _ problems: inout Problems) throws(Fault) -> Int {
        problems.note(Fault(.badType, member, at: start, found: kind(start)))
        return try valueEnd(start, level: 1)
    }

    /// Judges a string that may be blank or too long; returns whether it has escapes.
    @inline(never)
    private func judge(
        _ first: Int, _ end: Int, _ member: Member, _ scalarsMax: Int, _ problems: inout Problems
    ) -> Bool {
        let (scalars, escaped) = measure(first, end)
        if isBlank(first, end) {
            problems.note(Fault(.emptyField, member, at: first &- 1))
        } else if scalars > scalarsMax {
            problems.note(Fault(.fieldTooLong, member, at: first &- 1))
        }
        return escaped
    }

    /// Members that every event has and this one has not; `offset` is the closing brace.
    @inline(never)
    private func noteMissing(_ seen: UInt8, at offset: Int, _ problems: inout Problems) {
        for raw in 0..<Member.eventID.rawValue where seen & (1 << raw) == 0 {
            problems.note(Fault(.missingField, Member(rawValue: raw) ?? .none, at: offset))
        }
    }

    /// What is wrong with a text that does not begin with a brace at `start`.
    @inline(never)
    private func noObject(_ start: Int) -> Fault {
        do throws(Fault) {
            let guarded = unsafe JSONScanner<GuardedEdge>(UnsafeRawBufferPointer(start: base, count: count))
            let end = guarded.skipSpace(try guarded.valueEnd(start, level: 0))
            return end == count ? Fault(.notObject, at: start) : Fault(.badJSON, at: end)
        } catch {
            return error
        }
    }
}
