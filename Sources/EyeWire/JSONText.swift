// What a JSON string says, as opposed to how it is written: its scalars one by one, with escapes resolved. The careful
// counterpart of the scanner's straight path; it looks only at strings that the scanner has found well-formed.

extension JSONScanner {
    /// The scalar at `i` in a well-formed string, and the bytes it takes there.
    func scalar(_ i: Int) -> (value: UInt32, length: Int) {
        let first = byteOrZero(i)
        if first == 0x5C {
            let escape = escape(i)
            return (escape.scalar, max(escape.length, 1))
        }
        if first < 0x80 { return (UInt32(first), 1) }
        func tail(_ offset: Int) -> UInt32 { UInt32(byteOrZero(i &+ offset) & 0x3F) }
        if first < 0xE0 { return (UInt32(first & 0x1F) << 6 | tail(1), 2) }
        if first < 0xF0 { return (UInt32(first & 0x0F) << 12 | tail(1) << 6 | tail(2), 3) }
        return (UInt32(first & 0x07) << 18 | tail(1) << 12 | tail(2) << 6 | tail(3), 4)
    }

    /// How many scalars the string `first..<end` has, and whether some are escaped.
    func measure(_ first: Int, _ end: Int) -> (scalars: Int, escaped: Bool) {
        var i = first
        var scalars = 0
        var escaped = false
        while i < end {
            if byteOrZero(i) == 0x5C { escaped = true }
            i += scalar(i).length
            scalars += 1
        }
        return (scalars, escaped)
    }

    /// The string `first..<end` is empty or has nothing but white space (Unicode's `White_Space`).
    func isBlank(_ first: Int, _ end: Int) -> Bool {
        var i = first
        while i < end {
            let (value, length) = scalar(i)
            switch value {
            case 0x09...0x0D, 0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: break
            default: return false
            }
            i += length
        }
        return true
    }

    /// The string `first..<end`, its escapes resolved, is `literal` (of ASCII).
    func string(_ first: Int, _ end: Int, equals literal: StaticString) -> Bool {
        guard end - first >= literal.utf8CodeUnitCount else { return false }
        return literal.withUTF8Buffer { expected in
            var i = first
            for index in expected.indices {
                guard i < end else { return false }
                let (value, length) = scalar(i)
                // In bounds: `index` is one of the buffer's own.
                guard unsafe value == UInt32(expected[index]) else { return false }
                i += length
            }
            return i == end
        }
    }

    /// Calls `body` with the string `first..<end`, its escapes resolved; nil, without calling it, for a string of more
    /// than `bytesMax` (at most 256) bytes then. Nothing is allocated on the heap.
    func withShortString<Result>(
        _ first: Int, _ end: Int, bytesMax: Int, _ body: (UnsafeRawBufferPointer) -> Result?
    ) -> Result? {
        if !measureHasEscape(first, end) {
            guard end - first <= bytesMax else { return nil }
            // In bounds: `first..<end` lies between the quotes that the scanner has found.
            return unsafe body(UnsafeRawBufferPointer(start: base + first, count: end - first))
        }
        return unsafe withUnsafeTemporaryAllocation(byteCount: bytesMax + 4, alignment: 8) { room -> Result? in
            var count = 0
            var i = first
            while i < end {
                // In bounds: at most four bytes are stored, and there is room for `bytesMax` and four.
                guard count <= bytesMax else { return nil }
                let (value, length) = scalar(i)
                count += unsafe UTF8Encoding.store(value, in: room, at: count)
                i += length
            }
            guard count <= bytesMax else { return nil }
            return unsafe body(UnsafeRawBufferPointer(rebasing: room[..<count]))
        }
    }

    private func measureHasEscape(_ first: Int, _ end: Int) -> Bool {
        for i in first..<end where byteOrZero(i) == 0x5C { return true }
        return false
    }
}

/// UTF-8 of single scalars.
enum UTF8Encoding {
    /// Stores the one to four bytes of `scalar` at `offset`; returns how many. The caller has room for four.
    static func store(_ scalar: UInt32, in room: UnsafeMutableRawBufferPointer, at offset: Int) -> Int {
        var count = 0
        each(scalar) { byte in
            // In bounds: at most four bytes from `offset` on, which the caller owns.
            unsafe room[offset + count] = byte
            count += 1
        }
        return count
    }

    /// Appends the one to four bytes of `scalar`.
    static func append(_ scalar: UInt32, to out: inout [UInt8]) { each(scalar) { out.append($0) } }

    @inline(__always)
    private static func each(_ scalar: UInt32, _ body: (UInt8) -> Void) {
        func low(_ shift: UInt32) -> UInt8 { UInt8(truncatingIfNeeded: scalar >> shift) & 0x3F | 0x80 }
        if scalar < 0x80 { return body(UInt8(truncatingIfNeeded: scalar)) }
        if scalar < 0x800 {
            body(UInt8(truncatingIfNeeded: scalar >> 6) | 0xC0)
        } else {
            if scalar < 0x10000 {
                body(UInt8(truncatingIfNeeded: scalar >> 12) | 0xE0)
            } else {
                body(UInt8(truncatingIfNeeded: scalar >> 18) | 0xF0)
                body(low(12))
            }
            body(low(6))
        }
        body(low(0))
    }
}
