// The core of every JSON reading here: strict RFC 8259 over bytes, positions in, positions out, no allocation, each byte
// looked at once. The event scanner and the cursors of `JSON` stand on it.
//
// Why its loads are in bounds. Guarded edge: every read compares with the count. Sentinel edge: the caller has seen that
// the text's last byte is `}`. Whoever has matched a byte other than `}` is not at the last byte, so the next one may be
// read without a comparison; only after a `}` (and in the strings, eight bytes at a time) the count is compared.

import CEyeScan

/// How a scanner knows where its text ends.
protocol TextEdge {
    /// Each read is compared with the count.
    static var isGuarded: Bool { get }
}
/// Any text.
enum GuardedEdge: TextEdge {
    @inline(__always) static var isGuarded: Bool { true }
}
/// A text of eight bytes or more whose last byte is `}`.
enum SentinelEdge: TextEdge {
    @inline(__always) static var isGuarded: Bool { false }
}

/// Strict JSON, by positions in one text. Thread-bound only by the memory it looks at.
@safe
struct JSONScanner<Edge: TextEdge> {
    /// The text; owned by the caller for as long as the scanner is used.
    let base: UnsafeRawPointer
    /// Its bytes.
    let count: Int

    /// For the sentinel edge the caller has checked the count and the last byte.
    @inline(__always)
    init(_ text: UnsafeRawBufferPointer) {
        // An empty buffer may have no address; then no read ever happens, and any address will do.
        unsafe base = text.baseAddress ?? UnsafeRawPointer(bitPattern: 8).unsafelyUnwrapped
        count = text.count
    }

    /// The byte at `i`, which is in bounds by the argument on top of this file; 0 at a guarded end.
    @inline(__always)
    func byte(_ i: Int) -> UInt8 {
        if Edge.isGuarded && i >= count { return 0 }
        return unsafe base.load(fromByteOffset: i, as: UInt8.self)
    }

    /// The byte at `i`, which the caller has compared with the count.
    @inline(__always)
    func byteInside(_ i: Int) -> UInt8 { unsafe base.load(fromByteOffset: i, as: UInt8.self) }

    /// The byte at `i`, 0 at or beyond the end.
    @inline(__always)
    func byteOrZero(_ i: Int) -> UInt8 {
        // In bounds: compared right here.
        i < count ? unsafe base.load(fromByteOffset: i, as: UInt8.self) : 0
    }

    /// The eight bytes from `i` on, the first one lowest. The caller has compared `i + 8` with the count.
    @inline(__always)
    func word(_ i: Int) -> UInt64 {
        unsafe UInt64(littleEndian: base.loadUnaligned(fromByteOffset: i, as: UInt64.self))
    }

    /// The four bytes from `i` on, the first one lowest. The caller has compared `i + 4` with the count.
    @inline(__always)
    func half(_ i: Int) -> UInt32 {
        unsafe UInt32(littleEndian: base.loadUnaligned(fromByteOffset: i, as: UInt32.self))
    }

    /// The two bytes from `i` on, the first one lowest. The caller has compared `i + 2` with the count.
    @inline(__always)
    func pair(_ i: Int) -> UInt16 {
        unsafe UInt16(littleEndian: base.loadUnaligned(fromByteOffset: i, as: UInt16.self))
    }

    /// As ``skipSpace(_:)`` where `i` may be the end.
    func skipSpaceGuarded(_ i: Int) -> Int { i < count ? skipSpace(i) : i }

    /// The first position from `i` on that is no white space.
    @inline(__always)
    func skipSpace(_ i: Int) -> Int {
        byte(i) > 0x20 ? i : skipSpaceSlowly(i)
    }

    @inline(never)
    private func skipSpaceSlowly(_ start: Int) -> Int {
        var i = start
        while true {
            switch byteOrZero(i) {
            case 0x20, 0x0A, 0x0D, 0x09: i &+= 1
            default: return i
            }
        }
    }

    // MARK: Strings

    /// The high bit of the lowest marked byte is exact: the first one of `"`, `\`, below 0x20 or above 0x7F.
    @inline(__always)
    static func special(_ word: UInt64) -> UInt64 {
        // Exclusive or with 2 brings `"` to 0x20, next to the control characters, and changes places only among the
        // others; then what is at most 0x20 becomes negative. A byte above 0x7F is negative in one of the two terms at
        // least. Subtracting borrows into the next byte only above a byte that is marked anyway.
        let quoteOrControl = (word ^ 0x0202_0202_0202_0202) &- 0x2121_2121_2121_2121
        let backslash = (word ^ 0x5C5C_5C5C_5C5C_5C5C) &- 0x0101_0101_0101_0101
        return (quoteOrControl | backslash) & 0x8080_8080_8080_8080
    }

    /// Marks among the sixteen bytes from `i` on those that ``special(_:)`` marks; see ``offset(of:)``. The caller has
    /// compared `i + 16` with the count.
    @inline(__always)
    func special16(_ i: Int) -> eye_scan_mask { unsafe eye_scan_special16(base + i) }

    /// Where the first of the marks is; there is one.
    @inline(__always)
    static func offset(of marks: eye_scan_mask) -> Int {
        marks.trailingZeroBitCount &>> EYE_SCAN_SHIFT
    }

    /// The position of the closing quote of the string whose first character is at `start`.
    @inline(__always)
    func closingQuote(_ start: Int) throws(Fault) -> Int {
        var isOdd = false
        return try closingQuote(start, isOdd: &isOdd)
    }

    /// As ``closingQuote(_:)``; sets `isOdd` if the string may have escapes or characters beyond ASCII.
    @inline(__always)
    func closingQuote(_ start: Int, isOdd: inout Bool) throws(Fault) -> Int {
        var i = start
        while i <= count &- 16 {
            let marks = special16(i)
            if marks == 0 {
                i &+= 16
                continue
            }
            i &+= Self.offset(of: marks)
            // In bounds: fewer than sixteen bytes on.
            if byteInside(i) == 0x22 { return i }
            isOdd = true
            i = try skipOddity(i)
        }
        isOdd = true
        return try lastClosingQuote(i)
    }

    /// As ``closingQuote(_:)`` where fewer than sixteen bytes are left.
    @inline(never)
    private func lastClosingQuote(_ start: Int) throws(Fault) -> Int {
        var i = start
        while true {
            if i &+ 8 <= count {
                let marks = Self.special(word(i))
                if marks == 0 {
                    i &+= 8
                    continue
                }
                i &+= marks.trailingZeroBitCount &>> 3
            } else {
                while i < count, Self.isPlain(byteOrZero(i)) { i &+= 1 }
            }
            if byteOrZero(i) == 0x22 { return i }
            i = try skipOddity(i)
        }
    }

    /// A byte that stands for itself in a string.
    @inline(__always)
    private static func isPlain(_ byte: UInt8) -> Bool { byte >= 0x20 && byte < 0x80 && byte != 0x22 && byte != 0x5C }

    /// Skips an escape, or the characters beyond ASCII, at `start`; throws for anything that a string may not have.
    @inline(never)
    func skipOddity(_ start: Int) throws(Fault) -> Int {
        guard start < count else { throw Fault(.badJSON, at: count) }
        let first = byteOrZero(start)
        if first >= 0x80 {
            var i = start
            repeat {
                let length = sequenceLength(i)
                guard length > 0 else { throw Fault(.badUTF8, at: i) }
                i &+= length
            } while byteOrZero(i) >= 0x80
            return i
        }
        guard first == 0x5C else { throw Fault(.badJSON, at: start) }
        let length = escape(start).length
        guard length > 0 else { throw Fault(.badJSON, at: start) }
        return start &+ length
    }

    /// Bytes of the UTF-8 sequence of two to four bytes at `i` (RFC 3629 section 4); 0 if it is none.
    func sequenceLength(_ i: Int) -> Int {
        let first = byteOrZero(i)
        let second = byteOrZero(i &+ 1)
        func follows(_ offset: Int) -> Bool { byteOrZero(i &+ offset) & 0xC0 == 0x80 }
        switch first {
        case 0xC2...0xDF: return follows(1) ? 2 : 0
        case 0xE0: return second >= 0xA0 && follows(1) && follows(2) ? 3 : 0
        case 0xED: return second <= 0x9F && follows(1) && follows(2) ? 3 : 0
        case 0xE1...0xEF: return follows(1) && follows(2) ? 3 : 0
        case 0xF0: return second >= 0x90 && follows(1) && follows(2) && follows(3) ? 4 : 0
        case 0xF4: return second <= 0x8F && follows(1) && follows(2) && follows(3) ? 4 : 0
        case 0xF1...0xF3: return follows(1) && follows(2) && follows(3) ? 4 : 0
        default: return 0
        }
    }

    /// The scalar that the escape at `i` stands for, and the escape's bytes; length 0 if it is none (a lone surrogate
    /// is none).
    func escape(_ i: Int) -> (scalar: UInt32, length: Int) {
        switch byteOrZero(i &+ 1) {
        case 0x22: return (0x22, 2)
        case 0x5C: return (0x5C, 2)
        case 0x2F: return (0x2F, 2)
        case 0x62: return (0x08, 2)
        case 0x66: return (0x0C, 2)
        case 0x6E: return (0x0A, 2)
        case 0x72: return (0x0D, 2)
        case 0x74: return (0x09, 2)
        case 0x75:
            guard let unit = hex4(i &+ 2) else { return (0, 0) }
            if unit & 0xF800 != 0xD800 { return (unit, 6) }
            guard unit < 0xDC00, byteOrZero(i &+ 6) == 0x5C, byteOrZero(i &+ 7) == 0x75, let low = hex4(i &+ 8),
                low & 0xFC00 == 0xDC00
            else { return (0, 0) }
            return (0x10000 &+ ((unit & 0x3FF) << 10 | low & 0x3FF), 12)
        default: return (0, 0)
        }
    }

    /// The value of four hex digits at `i`; nil if there are not four.
    private func hex4(_ i: Int) -> UInt32? {
        var value: UInt32 = 0
        for offset in 0..<4 {
            let digit = byteOrZero(i &+ offset)
            switch digit {
            case 0x30...0x39: value = value << 4 | UInt32(digit &- 0x30)
            case 0x41...0x46: value = value << 4 | UInt32(digit &- 0x37)
            case 0x61...0x66: value = value << 4 | UInt32(digit &- 0x57)
            default: return nil
            }
        }
        return value
    }

    // MARK: Values

    /// The kind of the value that begins at `i`, by its first byte; nil if none begins so.
    func kind(_ i: Int) -> JSON.Kind? {
        switch byteOrZero(i) {
        case 0x7B: .object
        case 0x5B: .array
        case 0x22: .string
        case 0x2D, 0x30...0x39: .number
        case 0x74, 0x66: .boolean
        case 0x6E: .null
        default: nil
        }
    }

    /// The end of the number at `start` (RFC 8259 section 6).
    @inline(__always)
    func numberEnd(_ start: Int) throws(Fault) -> Int {
        var i = start
        if byte(i) == 0x2D { i &+= 1 }
        let first = byte(i)
        i &+= 1
        if first &- 0x31 < 9 {
            while byte(i) &- 0x30 < 10 { i &+= 1 }
        } else if first != 0x30 {
            throw Fault(.badJSON, at: i &- 1)
        }
        // The usual number ends here: `.`, `E` and `e` are what else may follow.
        let next = byte(i)
        if next == 0x2E || next | 0x20 == 0x65 { return try fractionEnd(i) }
        return i
    }

    /// The end of a number whose `.` or `e` is at `start`.
    @inline(never)
    private func fractionEnd(_ start: Int) throws(Fault) -> Int {
        var i = start
        if byte(i) == 0x2E {
            i &+= 1
            guard byte(i) &- 0x30 < 10 else { throw Fault(.badJSON, at: i) }
            while byte(i) &- 0x30 < 10 { i &+= 1 }
        }
        if byte(i) | 0x20 == 0x65 {
            i &+= 1
            if byte(i) == 0x2B || byte(i) == 0x2D { i &+= 1 }
            guard byte(i) &- 0x30 < 10 else { throw Fault(.badJSON, at: i) }
            while byte(i) &- 0x30 < 10 { i &+= 1 }
        }
        return i
    }

    /// The end of `true`, `false`, `null` or a number at `start`; throws if none of them is there.
    @inline(__always)
    func scalarEnd(_ start: Int) throws(Fault) -> Int {
        let first = byte(start)
        if first &- 0x30 < 10 || first == 0x2D { return try numberEnd(start) }
        return try literalEnd(start)
    }

    @inline(never)
    private func literalEnd(_ start: Int) throws(Fault) -> Int {
        if start &+ 4 <= count {
            let four = half(start)
            if four == 0x6575_7274 || four == 0x6C6C_756E { return start &+ 4 }  // true, null
            if four == 0x736C_6166, byteOrZero(start &+ 4) == 0x65 { return start &+ 5 }  // false
        }
        throw Fault(.badJSON, at: start)
    }

    /// The end of the value at `start`. `level` is how many brackets are open around it.
    @inline(__always)
    func valueEnd(_ start: Int, level: Int) throws(Fault) -> Int {
        let first = byte(start)
        if first == 0x22 { return try closingQuote(start &+ 1) &+ 1 }
        if first == 0x7B || first == 0x5B { return try containerEnd(start, level: level) }
        return try scalarEnd(start)
    }

    /// As ``valueEnd(_:level:)``, nil where that throws.
    func valueEnd(probing start: Int) -> Int? {
        do { return try valueEnd(start, level: 0) } catch { return nil }
    }

    /// The end of the object or array at `start`, with `level` brackets open around it.
    func containerEnd(_ start: Int, level: Int) throws(Fault) -> Int {
        level == 0 ? try outermostEnd(start) : try containerEnd(start, level: level, open: 1)
    }

    /// The end of the object with `level` brackets open around it, of which ``usualMembers(_:)`` has stopped at `start`.
    @inline(never)
    func objectEnd(_ start: Int, isMember: Bool, level: Int) throws(Fault) -> Int {
        var i = start
        if !isMember {
            i = skipSpaceGuarded(i)
            let next = byteOrZero(i)
            if next == 0x7D { return i &+ 1 }
            guard next == 0x2C else { throw Fault(.badJSON, at: i) }
            i = skipSpace(i &+ 1)
        }
        return try containerEnd(try memberValue(i), level: level, open: 3)
    }

    /// The end of the outermost of the brackets in `open`, at one of whose values `start` is.
    private func containerEnd(_ start: Int, level: Int, open outer: UInt64) throws(Fault) -> Int {
        // One bit for each open bracket, the innermost lowest: 1 is an object. Above them all a 1 as the floor: with
        // `level` at least 1, the deepest nesting just fits in, and `open` is 1 when the last bracket is closed.
        var open = outer
        let full: UInt64 = 1 &<< UInt64(truncatingIfNeeded: WireLimits.nestingMax &- level)
        var i = start
        values: while true {
            let first = byte(i)
            var isKey = false
            if first == 0x22 {
                i = try closingQuote(i &+ 1) &+ 1
            } else if first == 0x7B {
                guard open < full else { throw Fault(.tooDeep, at: i) }
                open = open &<< 1 | 1
                i = skipSpace(i &+ 1)
                isKey = byte(i) != 0x7D
            } else if first == 0x5B {
                guard open < full else { throw Fault(.tooDeep, at: i) }
                open = open &<< 1
                i = skipSpace(i &+ 1)
                if byte(i) != 0x5D { continue values }
            } else {
                i = try scalarEnd(i)
            }
            while true {
                if isKey {
                    // A member's name should be at `i`.
                    var isValue = false
                    (i, isValue) = try usualMembers(i)
                    if isValue {
                        i = try memberValue(i)
                        continue values
                    }
                    isKey = false
                }
                // After a value, or before the bracket that closes an empty container.
                let next = byteOrZero(i)
                if next == 0x2C {
                    i = skipSpace(i &+ 1)
                    if open & 1 == 0 { continue values }
                    isKey = true
                } else if next == (open & 1 != 0 ? 0x7D : 0x5D) {
                    i &+= 1
                    open = open &>> 1
                    if open == 1 { return i }
                } else {
                    let after = skipSpaceGuarded(i)
                    guard after > i else { throw Fault(.badJSON, at: i) }
                    i = after
                }
            }
        }
    }

    /// Reads on from the member whose name should be at `start` as long as members are of the usual shape: a name of
    /// fewer than sixteen plain characters, no white space, a string or a whole number. Returns where it stopped: at a
    /// member, or (`isMember` false) after a value.
    @inline(__always)
    func usualMembers(_ start: Int) throws(Fault) -> (Int, isMember: Bool) {
        var i = start
        // In bounds: a member that begins 48 bytes before the end. Its name's end is at most 16 bytes on, four bytes are
        // looked at there, and sixteen from the third one on: at most 36.
        while i <= count &- 48, byteInside(i) == 0x22 {
            let nameMarks = special16(i &+ 1)
            guard nameMarks != 0 else { break }
            let nameEnd = i &+ 1 &+ Self.offset(of: nameMarks)
            let colon = half(nameEnd)
            if colon & 0xFF_FFFF == 0x22_3A22 {  // ":"
                var end = nameEnd &+ 3
                var marks = special16(end)
                while marks == 0, end <= count &- 36 {
                    end &+= 16
                    marks = special16(end)
                }
                end &+= marks == 0 ? 16 : Self.offset(of: marks)
                // In bounds: at most 16 bytes on, of the 20 just seen.
                if half(end) & 0xFF_FFFF != 0x22_2C22 {  // ","
                    return (try closingQuote(end) &+ 1, false)
                }
                i = end &+ 2
            } else if colon & 0xFFFF == 0x3A22, colon &>> 16 & 0xFF &- 0x31 < 9 {  // ": and 1...9
                let digits = word(nameEnd &+ 2) ^ 0x3030_3030_3030_3030
                let others = ((digits &+ 0x7676_7676_7676_7676) | digits) & 0x8080_8080_8080_8080
                guard others != 0 else { break }
                let end = nameEnd &+ 2 &+ others.trailingZeroBitCount &>> 3
                if pair(end) != 0x222C {  // ,"
                    if byteInside(end) == 0x2C || byteInside(end) == 0x7D { return (end, false) }
                    break
                }
                i = end &+ 1
            } else {
                break
            }
        }
        return (i, true)
    }

    /// As ``containerEnd(_:level:)`` for a container around which none is open.
    @inline(never)
    private func outermostEnd(_ start: Int) throws(Fault) -> Int {
        let isObject = byteOrZero(start) == 0x7B
        let close: UInt8 = isObject ? 0x7D : 0x5D
        var i = skipSpace(start &+ 1)
        if byteOrZero(i) == close { return i &+ 1 }
        while true {
            if isObject { i = try memberValue(i) }
            i = skipSpaceGuarded(try valueEnd(i, level: 1))
            let next = byteOrZero(i)
            if next == close { return i &+ 1 }
            guard next == 0x2C else { throw Fault(.badJSON, at: i) }
            i = skipSpace(i &+ 1)
        }
    }

    /// The value's position of the member whose name should be at `start`.
    @inline(__always)
    func memberValue(_ start: Int) throws(Fault) -> Int {
        guard byte(start) == 0x22 else { throw Fault(.badJSON, at: start) }
        return try colon(try closingQuote(start &+ 1) &+ 1)
    }

    /// The value's position after the colon that should be at `start`, right after a name.
    @inline(__always)
    private func colon(_ start: Int) throws(Fault) -> Int {
        var i = start
        if byte(i) != 0x3A {
            i = skipSpace(i)
            guard byte(i) == 0x3A else { throw Fault(.badJSON, at: i) }
        }
        return skipSpace(i &+ 1)
    }
}
