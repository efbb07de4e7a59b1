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

    /// The bytes of `data`.
    @inlinable
    public var dataRange: Range<Int> { dataOffset..<dataOffset + dataCount }
}

/// Judges events.
public enum EventScanner {
    /// Judges the JSON object `bytes`; white space around it is allowed.
    /// - Parameter latest: the latest timestamp that is taken, microseconds since 1970: now + tolerance.
    public static func scan(_ bytes: UnsafeRawBufferPointer, latest: Int64) throws(Fault) -> EventFields {
        try unsafe scan(bytes, latest: latest, passing: 0)
    }

    /// As ``scan(_:latest:)``, but the first `passing` problems are passed over: the next one is thrown.
    @inline(__always)
    static func scan(
        _ bytes: UnsafeRawBufferPointer, latest: Int64, passing: Int
    ) throws(Fault) -> EventFields {
        let count = bytes.count
        guard count <= WireLimits.eventBytesMax else { throw Fault(.tooLong) }
        // In bounds: there are eight bytes, so there is a last one.
        if count >= 8, unsafe bytes[count &- 1] == 0x7D {
            var reading = unsafe EventReading(
                text: JSONScanner<SentinelEdge>(bytes), latest: latest, passing: passing)
            return try reading.read()
        }
        return try unsafe scanGuarded(bytes, latest: latest, passing: passing)
    }

    /// The same for a text that does not end in `}`: white space after it, or not JSON.
    @inline(never)
    private static func scanGuarded(
        _ bytes: UnsafeRawBufferPointer, latest: Int64, passing: Int
    ) throws(Fault) -> EventFields {
        var reading = unsafe EventReading(text: JSONScanner<GuardedEdge>(bytes), latest: latest, passing: passing)
        return try reading.read()
    }
}

/// One event being read.
private struct EventReading<Edge: TextEdge> {
    let text: JSONScanner<Edge>
    let latest: Int64
    /// Problems still to be passed over.
    var passing: Int
    /// The problem to tell.
    var problem: Fault?
    /// One bit for each member seen, by raw value.
    var seen: UInt8 = 0
    var session = UUID(high: 0, low: 0)
    var eventID = UUID(high: 0, low: 0)
    var timestamp: Int64 = 0
    var category = StringField(offset: 0, count: 0, escaped: false)
    var name = StringField(offset: 0, count: 0, escaped: false)
    var dataOffset = 0
    var dataCount = 0

    @inline(__always)
    init(text: JSONScanner<Edge>, latest: Int64, passing: Int) {
        self.text = text
        self.latest = latest
        self.passing = passing
    }

    @inline(__always)
    mutating func read() throws(Fault) -> EventFields {
        var i = text.skipSpace(0)
        guard text.byteOrZero(i) == 0x7B else { throw noObject(i) }
        i = text.skipSpace(i &+ 1)
        if text.byte(i) == 0x7D {
            i &+= 1
        } else {
            i = try readMembers(i)
        }
        let end = i
        if i < text.count {
            i = text.skipSpace(i)
            guard i == text.count else { throw Fault(.badJSON, at: i) }
        }
        if seen & 0x1F != 0x1F { noteMissing(at: end &- 1) }
        if let problem { throw problem }
        return EventFields(
            session: session, timestamp: timestamp, eventID: seen & 0x20 != 0 ? eventID : nil, category: category,
            name: name, dataOffset: dataOffset, dataCount: dataCount)
    }

    /// Reads the members from the first one's name at `start`; returns the position after the closing brace.
    @inline(__always)
    private mutating func readMembers(_ start: Int) throws(Fault) -> Int {
        var i = start
        while true {
            let key = i
            let member: Member
            (member, i) = try readKey(i)
            let bit = 1 &<< (member.rawValue & 7)
            if seen & bit != 0 || member == .none {
                note(Fault(member == .none ? .unknownField : .duplicateField, member, at: key))
                i = try text.valueEnd(i, level: 1)
            } else {
                seen |= bit
                switch member {
                case .data: i = try readData(i)
                case .category:
                    (i, category) = try readString(i, .category, scalarsMax: WireLimits.categoryScalarsMax)
                case .name: (i, name) = try readString(i, .name, scalarsMax: WireLimits.nameScalarsMax)
                case .timestamp: i = try readTimestamp(i)
                case .sessionID: (i, session) = try readUUID(i, .sessionID)
                default: (i, eventID) = try readUUID(i, .eventID)
                }
            }
            // A value may have ended in the last `}`, so the edge is compared here.
            var next = text.byteOrZero(i)
            if next <= 0x20 {
                i = text.skipSpace(i)
                next = text.byteOrZero(i)
            }
            i &+= 1
            if next == 0x2C {
                i = text.skipSpace(i)
                continue
            }
            guard next == 0x7D else { throw Fault(.badJSON, at: i &- 1) }
            return i
        }
    }

    /// The member named at `start`, and where its value begins.
    @inline(__always)
    private func readKey(_ start: Int) throws(Fault) -> (Member, Int) {
        // Straight: a quote, a known name, a quote, a colon; the longest is 14 bytes. The names are compared as words,
        // the first character lowest.
        if start &+ 16 <= text.count, text.byte(start) == 0x22 {
            let word = text.word(start &+ 1)
            let rest = text.word(start &+ 8) &>> 8
            if word == 0x7972_6F67_6574_6163, rest & 0xFFFF == 0x3A22 {  // category":
                return (.category, text.skipSpace(start &+ 11))
            }
            if word & 0xFFFF_FFFF_FFFF == 0x3A22_656D_616E {  // name":
                return (.name, text.skipSpace(start &+ 7))
            }
            if word & 0xFFFF_FFFF_FFFF == 0x3A22_6174_6164 {  // data":
                return (.data, text.skipSpace(start &+ 7))
            }
            if word == 0x5F6E_6F69_7373_6573, rest & 0xFFFF_FFFF == 0x3A22_6469 {  // session_id":
                return (.sessionID, text.skipSpace(start &+ 13))
            }
            if word == 0x6D61_7473_656D_6974, rest & 0xFF_FFFF == 0x3A_2270 {  // timestamp":
                return (.timestamp, text.skipSpace(start &+ 12))
            }
            if word == 0x6469_5F74_6E65_7665, rest & 0xFFFF == 0x3A22 {  // event_id":
                return (.eventID, text.skipSpace(start &+ 11))
            }
        }
        return try readOddKey(start)
    }

    /// As ``readKey(_:)``, for a name with white space after it or escapes in it, or an unknown one.
    @inline(never)
    private func readOddKey(_ start: Int) throws(Fault) -> (Member, Int) {
        let value = try text.memberValue(start)
        let end = try text.closingQuote(start &+ 1)
        for raw in 0..<Member.none.rawValue {
            if let member = Member(rawValue: raw), text.string(start &+ 1, end, equals: member.label) {
                return (member, value)
            }
        }
        return (.none, value)
    }

    /// The string member at `start`, of at most `scalarsMax` scalars; returns the position after it.
    @inline(__always)
    private mutating func readString(
        _ start: Int, _ member: Member, scalarsMax: Int
    ) throws(Fault) -> (Int, StringField) {
        var field = StringField(offset: start, count: 0, escaped: false)
        guard text.byte(start) == 0x22 else { return (try noteType(member, start), field) }
        let first = start &+ 1
        var isOdd = false
        let end = try text.closingQuote(first, isOdd: &isOdd)
        field.offset = first
        field.count = end &- first
        // A first character that shows, no more bytes than characters allowed, no escape: nothing to count.
        if isOdd || UInt(bitPattern: field.count &- 1) >= UInt(bitPattern: scalarsMax) || text.byte(first) <= 0x20 {
            field.escaped = noteString(member, first, end, scalarsMax: scalarsMax)
        }
        return (end &+ 1, field)
    }

    /// The UUID member at `start`; returns the position after it.
    @inline(__always)
    private mutating func readUUID(_ start: Int, _ member: Member) throws(Fault) -> (Int, UUID) {
        // In bounds: the closing quote's position, 37 bytes on, is compared with the count.
        if start &+ 38 <= text.count, text.byte(start) == 0x22, text.byte(start &+ 37) == 0x22,
            let value = unsafe UUID(at: text.base + (start &+ 1))
        {
            return (start &+ 38, value)
        }
        return try readOddUUID(start, member)
    }

    @inline(never)
    private mutating func readOddUUID(_ start: Int, _ member: Member) throws(Fault) -> (Int, UUID) {
        let none = UUID(high: 0, low: 0)
        guard text.byte(start) == 0x22 else { return (try noteType(member, start), none) }
        let end = try text.closingQuote(start &+ 1)
        let value = unsafe text.withShortString(start &+ 1, end, bytesMax: UUID.textBytes) { bytes in
            // In bounds: the count is compared first.
            unsafe bytes.count == UUID.textBytes ? UUID(at: bytes.baseAddress.unsafelyUnwrapped) : nil
        }
        if value == nil { note(Fault(text.isBlank(start &+ 1, end) ? .emptyField : .badUUID, member, at: start)) }
        return (end &+ 1, value ?? none)
    }

    /// The timestamp at `start`; returns the position after it.
    @inline(__always)
    private mutating func readTimestamp(_ start: Int) throws(Fault) -> Int {
        // The usual shapes: 26 characters without a zone, or 27 with Z. In bounds: compared with the count.
        if start &+ 29 <= text.count, text.byte(start) == 0x22 {
            let last = text.byte(start &+ 27)
            let hasZone = last == 0x5A
            if hasZone && text.byte(start &+ 28) == 0x22 || last == 0x22,
                let value = unsafe Timestamp.plain(at: text.base + (start &+ 1))
            {
                timestamp = value
                if value > latest { note(Fault(.futureTime, .timestamp, at: start)) }
                return start &+ (hasZone ? 29 : 28)
            }
        }
        return try readOddTimestamp(start)
    }

    @inline(never)
    private mutating func readOddTimestamp(_ start: Int) throws(Fault) -> Int {
        guard text.byte(start) == 0x22 else { return try noteType(.timestamp, start) }
        let end = try text.closingQuote(start &+ 1)
        let value = unsafe text.withShortString(start &+ 1, end, bytesMax: WireLimits.timestampBytesMax) { bytes in
            unsafe Timestamp.parse(bytes)
        }
        if let value {
            timestamp = value
            if value > latest { note(Fault(.futureTime, .timestamp, at: start)) }
        } else {
            note(Fault(text.isBlank(start &+ 1, end) ? .emptyField : .badTime, .timestamp, at: start))
        }
        return end &+ 1
    }

    /// The object `data` at `start`; returns the position after it.
    @inline(__always)
    private mutating func readData(_ start: Int) throws(Fault) -> Int {
        guard text.byte(start) == 0x7B else { return try noteType(.data, start) }
        let end = try text.containerEnd(start, level: 1)
        dataOffset = start
        dataCount = end &- start
        if text.skipSpace(start &+ 1) == end &- 1 { note(Fault(.emptyField, .data, at: start)) }
        return end
    }

    // MARK: Problems

    /// Keeps the problem that is to be told: the first one after those to be passed over.
    @inline(never)
    private mutating func note(_ fault: Fault) {
        if passing > 0 {
            passing -= 1
        } else if problem == nil {
            problem = fault
        }
    }

    /// The value at `start` is of the wrong type; returns the position after it.
    @inline(never)
    private mutating func noteType(_ member: Member, _ start: Int) throws(Fault) -> Int {
        let end = try text.valueEnd(start, level: 1)
        note(Fault(.badType, member, at: start, found: text.kind(start)))
        return end
    }

    /// Judges a string that may be blank or too long; returns whether it has escapes.
    @inline(never)
    private mutating func noteString(_ member: Member, _ first: Int, _ end: Int, scalarsMax: Int) -> Bool {
        let (scalars, escaped) = text.measure(first, end)
        if text.isBlank(first, end) {
            note(Fault(.emptyField, member, at: first &- 1))
        } else if scalars > scalarsMax {
            note(Fault(.fieldTooLong, member, at: first &- 1))
        }
        return escaped
    }

    /// Members that every event has and this one has not; `offset` is the closing brace.
    @inline(never)
    private mutating func noteMissing(at offset: Int) {
        for raw in 0..<Member.eventID.rawValue where seen & (1 << raw) == 0 {
            note(Fault(.missingField, Member(rawValue: raw) ?? .none, at: offset))
        }
    }

    /// What is wrong with a text that does not begin with a brace at `start`.
    @inline(never)
    private func noObject(_ start: Int) -> Fault {
        do throws(Fault) {
            let guarded = unsafe JSONScanner<GuardedEdge>(UnsafeRawBufferPointer(start: text.base, count: text.count))
            let end = guarded.skipSpace(try guarded.valueEnd(start, level: 0))
            return end == text.count ? Fault(.notObject, at: start) : Fault(.badJSON, at: end)
        } catch {
            return error
        }
    }
}
