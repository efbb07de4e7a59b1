// Numbers as JSON writes them (RFC 8259 section 6), compared exactly, whatever their length: 1e3 equals 1000.0, and 0.1 is a tenth. Used by
// filters on `data`. Pure.

/// How a number's text is to be read: found once, whatever it is compared with then.
struct DecimalForm: Sendable, Equatable {
    /// -1, 0 or 1.
    let sign: Int
    /// The first digit that is not 0, and the end of the last one that is not; a point may stand between. Equal for 0.
    let first: Int
    let end: Int
    /// The value is 0.d₁d₂d₃… × 10 to this.
    let magnitude: Int

    /// The form of the number that `text` is; nil: it is none.
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
        // Zeros at the end are worth nothing, those before a point are in the magnitude.
        while end > first && (byte(end - 1) == 0x30 || byte(end - 1) == 0x2E) { end -= 1 }
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
}

/// A number in its text.
@safe
struct DecimalNumber {
    /// The token.
    private let text: UnsafeRawBufferPointer
    private let form: DecimalForm

    /// The number that `text` is; nil: it is none.
    init?(_ text: UnsafeRawBufferPointer) {
        guard let form = unsafe DecimalForm(text) else { return nil }
        unsafe self.init(text, form)
    }

    /// The number `text`, whose form is known.
    init(_ text: UnsafeRawBufferPointer, _ form: DecimalForm) {
        precondition(form.end <= text.count, "the form is not this text's")
        unsafe self.text = text
        self.form = form
    }

    /// Negative: less than `other`; 0: equal; positive: greater. Looks at no more digits than the shorter one has.
    func compared(to other: DecimalNumber) -> Int {
        let (mine, its) = (form, other.form)
        if mine.sign != its.sign { return mine.sign - its.sign }
        if mine.sign == 0 { return 0 }
        if mine.magnitude != its.magnitude { return mine.magnitude < its.magnitude ? -mine.sign : mine.sign }
        var (i, j) = (mine.first, its.first)
        while i < mine.end && j < its.end {
            let (a, b) = (digit(&i), other.digit(&j))
            if a != b { return a < b ? -mine.sign : mine.sign }
        }
        // The last digit is not 0: who has more of them is further from 0.
        if i < mine.end { return mine.sign }
        return j < its.end ? -mine.sign : 0
    }

    /// The digit at `i` or, if there is the point, behind it; moves on. The point is never the last.
    private func digit(_ i: inout Int) -> UInt8 {
        // In bounds: `i` is below the form's end, and that at most the text's count; a digit follows the point.
        if unsafe text[i] == 0x2E { i += 1 }
        defer { i += 1 }
        return unsafe text[i]
    }
}
