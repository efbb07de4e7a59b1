// The straight path of the event scanner: an event as the documents show it, and as our own client and most others write
// it: members in the documented order, no white space between them. A member's name is compared together with the
// punctuation around it, as two words. Called by `EventScanner` for every event line; says where the event ends, or that
// it is none of this kind (another order, white space, a fault): then `event` reads the text again and decides.
//
// It needs no end: the text may be a window with more lines behind. So a line feed must not pass for white space here.

import Glibc

extension JSONScanner<GuardedEdge> {
    /// Reads the event at the front of the text into `fields`, if it is a valid one of the usual shape, and returns where
    /// it ends; -1, with anything in `fields`, if it is not. No line feed is in it.
    ///
    /// Why its loads are in bounds: wherever a position comes out of a search, it is compared with the count, less the
    /// fewest bytes that a valid rest can have; the loads up to the next such comparison stay within those. The constants
    /// are texts as words, the first character lowest.
    @inline(__always)
    func usualEvent(latest: Int64, into fields: inout EventFields) -> Int {
        guard count >= 66 &+ Self.afterCategory,
            word(0) == 0x6F69_7373_6573_227B, word(7) == 0x223A_2264_695F_6E6F,  // {"session_id":"
            let session = unsafe UUID(at: base + 15),
            word(51) == 0x6765_7461_6322_2C22, word(57) == 0x223A_2279_726F_6765  // ","category":"
        else { return -1 }
        fields.session = session

        var i = usualString(65, WireLimits.categoryScalarsMax, into: &fields.category)
        guard i <= count &- Self.afterCategory,
            word(i) == 0x2265_6D61_6E22_2C22, pair(i &+ 8) == 0x223A  // ","name":"
        else { return -1 }

        i = usualString(i &+ 10, WireLimits.nameScalarsMax, into: &fields.name)
        guard i <= count &- Self.afterName,
            word(i) == 0x2261_7461_6422_2C22, pair(i &+ 8) == 0x7B3A  // ","data":{
        else { return -1 }

        fields.dataOffset = i &+ 9
        i = usualData(i &+ 10)
        fields.dataCount = i &- fields.dataOffset
        guard i <= count &- Self.afterData,
            word(i) == 0x7473_656D_6974_222C, word(i &+ 6) == 0x223A_2270_6D61_7473,  // ,"timestamp":"
            let timestamp = unsafe Timestamp.plain(at: base + (i &+ 14), &fields.day), timestamp <= latest
        else { return -1 }
        fields.timestamp = timestamp

        i &+= 40
        if byteInside(i) == 0x5A { i &+= 1 }
        guard i <= count &- 2 else { return -1 }
        let next = pair(i)
        if next == 0x7D22 {  // "}
            fields.eventID = nil
            return i &+ 2
        }
        guard i <= count &- Self.afterTimestamp, next == 0x2C22,
            // ","event_id":"
            word(i &+ 1) == 0x5F74_6E65_7665_222C, word(i &+ 6) == 0x223A_2264_695F_746E,
            let eventID = unsafe UUID(at: base + (i &+ 14)), pair(i &+ 50) == 0x7D22  // "}
        else { return -1 }
        fields.eventID = eventID
        return i &+ Self.afterTimestamp
    }

    /// The end of `data`, whose first member's name should be at `start`; a position beyond the text if it is not valid.
    @inline(__always)
    private func usualData(_ start: Int) -> Int {
        do throws(Fault) {
            let (i, isMember) = try usualMembers(start)
            if !isMember, byte(i) == 0x7D { return i &+ 1 }
            return try unusualData(i, isMember)
        } catch {
            return .max
        }
    }

    /// As ``usualData(_:)``, from where ``usualMembers(_:)`` has stopped.
    @inline(never)
    private func unusualData(_ start: Int, _ isMember: Bool) throws(Fault) -> Int {
        // White space may come, and a line feed is the end of the line. In bounds: `start` is at most the count.
        guard start < count else { return .max }
        let feed = unsafe memchr(base + start, 0x0A, count &- start)
        let end = unsafe feed.map { unsafe UnsafeRawPointer($0) - base } ?? count
        let line = unsafe JSONScanner(UnsafeRawBufferPointer(start: base, count: end))
        return try line.objectEnd(start, isMember: isMember, level: 1)
    }

    // The fewest bytes of a valid text from the end of a member's value on: a string's from its closing quote.

    /// `","event_id":"…"}`
    private static var afterTimestamp: Int { 14 &+ UUID.textBytes &+ 2 }
    /// `,"timestamp":"2021-01-01 09:15:27.243860"}`
    private static var afterData: Int { 14 &+ 26 &+ 2 }
    /// `","data":{"":0}` and the rest
    private static var afterName: Int { 15 &+ afterData }
    /// `","name":"x` and the rest
    private static var afterCategory: Int { 11 &+ afterName }

    /// The closing quote of the string whose first character is at `first`, if it has 1 to `scalarsMax` characters that
    /// are not all blank; a position beyond the text if not.
    @inline(__always)
    private func usualString(_ first: Int, _ scalarsMax: Int, into field: inout StringField) -> Int {
        var isOdd = false
        let end: Int
        do throws(Fault) { end = try closingQuote(first, isOdd: &isOdd) } catch { return .max }
        let bytes = end &- first
        field.offset = first
        field.count = bytes
        field.escaped = false
        // A first character that shows, no more bytes than characters allowed, no escape: nothing to count.
        if isOdd || UInt(bitPattern: bytes &- 1) >= UInt(bitPattern: scalarsMax) || byteInside(first) <= 0x20 {
            return counted(first, end, scalarsMax, into: &field)
        }
        return end
    }

    @inline(never)
    private func counted(_ first: Int, _ end: Int, _ scalarsMax: Int, into field: inout StringField) -> Int {
        let (scalars, escaped) = measure(first, end)
        field.escaped = escaped
        return scalars <= scalarsMax && !isBlank(first, end) ? end : .max
    }
}
