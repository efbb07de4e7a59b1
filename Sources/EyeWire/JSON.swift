// Strict JSON (RFC 8259) for everybody: validation, cursors over objects and arrays, and what their values say. Reads a
// buffer of the caller's, allocates nothing but what is appended to the caller's output. No trailing comma, no comment, no
// leading zero, no lone surrogate, valid UTF-8, at most 64 levels. Any thread.

/// Reading JSON.
public enum JSON {
    /// What a value is.
    public enum Kind: UInt8, Sendable {
        case object, array, string, number, boolean, null
    }

    /// A value's place in its text.
    public struct Value: Equatable, Sendable {
        /// What it is.
        public var kind: Kind
        /// Its bytes, a string's with both quotes, a container's with both brackets.
        public var range: Range<Int>

        /// A string's bytes between its quotes.
        public var field: StringField {
            StringField(offset: range.lowerBound + 1, count: range.count - 2, escaped: true)
        }
    }

    /// A member of an object.
    public struct ObjectMember: Equatable, Sendable {
        /// The name, between its quotes.
        public var key: StringField
        /// The value.
        public var value: Value
    }

    /// Throws unless `text` is one JSON value with nothing but white space around it; returns the value's place.
    @discardableResult
    public static func validate(_ text: UnsafeRawBufferPointer) throws(Fault) -> Value {
        let scanner = unsafe JSONScanner<GuardedEdge>(text)
        let start = scanner.skipSpace(0)
        let end = try scanner.valueEnd(start, level: 0)
        let rest = scanner.skipSpace(end)
        guard rest == text.count, let kind = scanner.kind(start) else { throw Fault(.badJSON, at: rest) }
        return Value(kind: kind, range: start..<end)
    }

    /// Walks the members of one object, in their order; strict, so that a walk to the end is a validation too (of the
    /// object; what follows it is the caller's). Names are not compared with each other.
    @safe
    public struct Members {
        private let scanner: JSONScanner<GuardedEdge>
        /// Where the next look goes: after the object once ``next()`` has returned nil.
        public private(set) var offset: Int
        private let level: Int
        private var isFirst = true
        private var isDone = false

        /// Members of the object of `text` at `offset` (its brace), with `level` brackets open around it. `text` must
        /// outlive the cursor.
        public init(of text: UnsafeRawBufferPointer, at offset: Int = 0, level: Int = 0) throws(Fault) {
            unsafe scanner = JSONScanner(text)
            guard scanner.byteOrZero(offset) == 0x7B else { throw Fault(.notObject, at: offset) }
            guard level < WireLimits.nestingMax else { throw Fault(.tooDeep, at: offset) }
            self.level = level + 1
            self.offset = scanner.skipSpace(offset + 1)
        }

        /// The next member, nil after the last one.
        public mutating func next() throws(Fault) -> ObjectMember? {
            if isDone { return nil }
            if scanner.byte(offset) == 0x7D {
                offset += 1
                isDone = true
                return nil
            }
            if !isFirst {
                guard scanner.byte(offset) == 0x2C else { throw Fault(.badJSON, at: offset) }
                offset = scanner.skipSpace(offset + 1)
            }
            isFirst = false
            let key = offset
            let start = try scanner.memberValue(key)
            var isOdd = false
            let quote = try scanner.closingQuote(key + 1, isOdd: &isOdd)
            let end = try scanner.valueEnd(start, level: level)
            offset = scanner.skipSpace(end)
            return ObjectMember(
                key: StringField(offset: key + 1, count: quote - key - 1, escaped: isOdd),
                value: Value(kind: scanner.kind(start) ?? .null, range: start..<end))
        }
    }

    /// Walks the elements of one array, as ``Members`` does with an object.
    @safe
    public struct Elements {
        private let scanner: JSONScanner<GuardedEdge>
        /// Where the next look goes: after the array once ``next()`` has returned nil.
        public private(set) var offset: Int
        private let level: Int
        private var isFirst = true
        private var isDone = false

        /// Elements of the array of `text` at `offset` (its bracket), with `level` brackets open around it. `text` must
        /// outlive the cursor.
        public init(of text: UnsafeRawBufferPointer, at offset: Int = 0, level: Int = 0) throws(Fault) {
            unsafe scanner = JSONScanner(text)
            guard scanner.byteOrZero(offset) == 0x5B else { throw Fault(.badType, at: offset) }
            guard level < WireLimits.nestingMax else { throw Fault(.tooDeep, at: offset) }
            self.level = level + 1
            self.offset = scanner.skipSpace(offset + 1)
        }

        /// The next element, nil after the last one.
        public mutating func next() throws(Fault) -> Value? {
            if isDone { return nil }
            if scanner.byte(offset) == 0x5D {
                offset += 1
                isDone = true
                return nil
            }
            if !isFirst {
                guard scanner.byte(offset) == 0x2C else { throw Fault(.badJSON, at: offset) }
                offset = scanner.skipSpace(offset + 1)
            }
            isFirst = false
            let start = offset
            let end = try scanner.valueEnd(start, level: level)
            offset = scanner.skipSpace(end)
            return Value(kind: scanner.kind(start) ?? .null, range: start..<end)
        }
    }

    // MARK: What values say

    /// Appends what the string `field` of `text` says: its escapes resolved, UTF-8.
    public static func appendUnescaped(_ field: StringField, of text: UnsafeRawBufferPointer, to out: inout [UInt8]) {
        precondition(field.offset >= 0 && field.count >= 0 && field.offset + field.count <= text.count)
        // In bounds: just compared.
        if !field.escaped { return unsafe out.append(contentsOf: UnsafeRawBufferPointer(rebasing: text[field.range])) }
        let scanner = unsafe JSONScanner<GuardedEdge>(text)
        var i = field.offset
        let end = field.offset + field.count
        while i < end {
            let byte = scanner.byte(i)
            if byte != 0x5C {
                out.append(byte)
                i += 1
            } else {
                let (value, length) = scanner.scalar(i)
                UTF8Encoding.append(value, to: &out)
                i += length
            }
        }
    }

    /// What the string `field` of `text` says equals `literal` (of ASCII).
    public static func string(
        _ field: StringField, of text: UnsafeRawBufferPointer, equals literal: StaticString
    ) -> Bool {
        unsafe JSONScanner<GuardedEdge>(text).string(field.offset, field.offset + field.count, equals: literal)
    }

    /// The number at `range` of `text` as a whole number of 0 or more; nil if it is none, has a fraction or an exponent,
    /// or does not fit.
    public static func unsigned(_ range: Range<Int>, of text: UnsafeRawBufferPointer) -> UInt64? {
        precondition(range.lowerBound >= 0 && range.upperBound <= text.count)
        guard !range.isEmpty else { return nil }
        var value: UInt64 = 0
        for index in range {
            // In bounds: the range was just compared.
            let digit = unsafe text[index] &- 0x30
            guard digit < 10 else { return nil }
            let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = tens.addingReportingOverflow(UInt64(digit))
            guard !overflow, !carry else { return nil }
            value = sum
        }
        return value
    }
}
