// Numbers as JSON writes them (RFC 8259 section 6), compared exactly, whatever their length: 1e3 equals 1000.0, and 0.1 is a tenth. Used by
// filters on `data`. Pure.

/// A number in its text.
@safe
struct DecimalNumber {
    /// The token.
    private let text: UnsafeRawBufferPointer
    /// -1, 0 or 1.
    let sign: Int
    /// The first digit that is not 0, and the end of the digits; a point may stand between.
    private let first: Int
    private let end: Int
    /// The value is 0.d₁d₂d₃… × 10 to this.
    private let magnitude: Int

    /// The number that `text` is; nil: it is none.
    init?(_ text: UnsafeRawBufferPointer) {
        func byte(_ i: Int) -> UInt8 { i < text.count ? unsafe text[i] : 0 }
        func digitsEnd(_ start: Int) -> Int {
            var i = start
            while byte(i) &- 0x30 < 10 { i += 1 }
            return i
        }
        let start = byte(0) == 0x2D ? 1 : 0
        let wholeEnd = digitsEnd(start)
        guard wholeEnd > start, byte(start) != 0x30 || wholeEnd == start + 1 else { return nil }
        var end = wholeEnd
        if byte(end) == 0x2E {
            end = digitsEnd(wholeEnd + 1)
            guard end > wholeEnd + 1 else { return nil }
        }
        var exponent = 0
        var after = end
        if byte(after) | 0x20 == 0x65 {
            let isNegative = byte(after + 1) == 0x2D
            let from = isNegative || byte(after + 1) == 0x2B ? after + 2 : after + 1
            after = digitsEnd(from)
            guard after > from else { return nil }
            for i in from..<after {
                // Beyond this everything is as large, or as small, as it needs to be.
                exponent = min(exponent * 10 + Int(byte(i) &- 0x30), 1 << 40)
            }
            if isNegative { exponent = -exponent }
        }
        guard after == text.count else { return nil }
        var first = start
        while first < end && (byte(first) == 0x30 || byte(first) == 0x2E) { first += 1 }
        unsafe self.text = text
        self.first = first
        self.end = end
        if first == end {
            sign = 0
            magnitude = 0
        } else {
            sign = start == 1 ? -1 : 1
            // Digits before the point count up, zeros behind it count down.
            magnitude = exponent + (first < wholeEnd ? wholeEnd - first : wholeEnd + 1 - first)
        }
    }

    /// Negative: less than `other`; 0: equal; positive: greater.
    func compared(to other: DecimalNumber) -> Int {
        if sign != other.sign { return sign - other.sign }
        if sign == 0 { return 0 }
        if magnitude != other.magnitude { return magnitude < other.magnitude ? -sign : sign }
        var (i, j) = (first, other.first)
        while true {
            let (a, b) = (digit(&i), other.digit(&j))
            if a != b { return Int(a) < Int(b) ? -sign : sign }
            if i >= end && j >= other.end { return 0 }
        }
    }

    /// The digit at `i`, 0 behind the last one; moves on.
    private func digit(_ i: inout Int) -> UInt8 {
        // In bounds: `end` is at most the text's count.
        if i < end && (unsafe text[i] == 0x2E) { i += 1 }
        guard i < end else { return 0 }
        defer { i += 1 }
        return unsafe text[i] &- 0x30
    }
}
