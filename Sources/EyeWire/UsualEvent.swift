// The straight path of the event scanner: an event as the documents show it, and as our own client and most others write
// it: members in the documented order, no white space between them. A member's name is compared together with the
// punctuation around it, as two words. Called by `EventScanner.scan` for every event line; says yes or no, and after a no
// (another order, white space, a fault of any kind) `event` reads the text again and decides.

extension JSONScanner<SentinelEdge> {
    /// Reads the event into `fields` if it is a valid one of the usual shape; false, with anything in `fields`, if not.
    ///
    /// Why its loads are in bounds: wherever a position comes out of a search, it is compared with the count, less the
    /// fewest bytes that a valid rest can have; the loads up to the next such comparison stay within those. The constants
    /// are texts as words, the first character lowest.
    @inline(__always)
    func usualEvent(latest: Int64, into fields: inout EventFields) -> Bool {
        guard count >= 66 &+ Self.afterCategory,
            word(0) == 0x6F69_7373_6573_227B, word(7) == 0x223A_2264_695F_6E6F,  // {"session_id":"
            let session = unsafe UUID(at: base + 15),
            word(51) == 0x6765_7461_6322_2C22, word(57) == 0x223A_2279_726F_6765  // ","category":"
        else { return false }
        fields.session = session

        var i = usualString(65, WireLimits.categoryScalarsMax, into: &fields.category)
        guard i <= count &- Self.afterCategory,
            word(i) == 0x2265_6D61_6E22_2C22, pair(i &+ 8) == 0x223A  // ","name":"
        else { return false }

        i = usualString(i &+ 10, WireLimits.nameScalarsMax, into: &fields.name)
        guard i <= count &- Self.afterName,
            word(i) == 0x2261_7461_6422_2C22, pair(i &+ 8) == 0x7B3A  // ","data":{
        else { return false }

        fields.dataOffset = i &+ 9
        do throws(Fault) {
            var isMember = true
            (i, isMember) = try usualMembers(i &+ 10)
            // In bounds: where a member or a value may begin or a value has ended, the text has not.
            if isMember || byte(i) != 0x7D {
                i = try objectEnd(i, isMember: isMember, level: 1)
            } else {
                i &+= 1
            }
        } catch {
            return false
        }
        fields.dataCount = i &- fields.dataOffset
        guard i <= count &- Self.afterData,
            word(i) == 0x7473_656D_6974_222C, word(i &+ 6) == 0x223A_2270_6D61_7473,  // ,"timestamp":"
            let timestamp = unsafe Timestamp.plain(at: base + (i &+ 14)), timestamp <= latest
        else { return false }
        fields.timestamp = timestamp

        i &+= 40
        if byte(i) == 0x5A { i &+= 1 }
        if i &+ 2 == count {
            fields.eventID = nil
            return pair(i) == 0x7D22  // "}
        }
        guard i &+ Self.afterTimestamp == count,
            // ","event_id":"
            byte(i) == 0x22, word(i &+ 1) == 0x5F74_6E65_7665_222C, word(i &+ 6) == 0x223A_2264_695F_746E,
            let eventID = unsafe UUID(at: base + (i &+ 14)), pair(i &+ 50) == 0x7D22  // "}
        else { return false }
        fields.eventID = eventID
        return true
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
        if isOdd || UInt(bitPattern: bytes &- 1) >= UInt(bitPattern: scalarsMax) || byte(first) <= 0x20 {
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
