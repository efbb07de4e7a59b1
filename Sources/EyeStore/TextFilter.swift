// What a query wants of one text: an event's category, its name, or a value of its data. Pure values; texts are compared by bytes.

import Glibc

/// Conditions on a text. AND between the four, OR inside `equal`, `prefixes` and `parts`; `unequal` is none of them. Empty: everything.
public struct TextFilter: Sendable, Equatable {
    /// It is one of these.
    public var equal: [[UInt8]] = []
    /// It is none of these.
    public var unequal: [[UInt8]] = []
    /// It begins with one of these.
    public var prefixes: [[UInt8]] = []
    /// It contains one of these.
    public var parts: [[UInt8]] = []

    public init() {}

    /// One of these texts.
    public init(equal: [[UInt8]]) { self.equal = equal }

    /// Lets everything through.
    public var isEmpty: Bool { equal.isEmpty && unequal.isEmpty && isWhole }
    /// Only whole texts are compared: no dictionary needs to be gone through.
    var isWhole: Bool { prefixes.isEmpty && parts.isEmpty }
    /// Some text must be there: what has none does not pass.
    var needsText: Bool { !equal.isEmpty || !isWhole }

    /// Whether `text` passes.
    func passes(_ text: UnsafeRawBufferPointer) -> Bool {
        unsafe isAmong(equal, text, orEmpty: true) && !isAmong(unequal, text, orEmpty: false)
            && (prefixes.isEmpty || prefixes.contains { unsafe TextFilter.begins(text, with: $0) })
            && (parts.isEmpty || parts.contains { unsafe TextFilter.contains(text, $0) })
    }

    private func isAmong(_ texts: [[UInt8]], _ text: UnsafeRawBufferPointer, orEmpty: Bool) -> Bool {
        if texts.isEmpty { return orEmpty }
        for wanted in texts {
            let isSame = unsafe wanted.withUnsafeBytes { unsafe $0.equals(text) }
            if isSame { return true }
        }
        return false
    }

    private static func begins(_ text: UnsafeRawBufferPointer, with prefix: [UInt8]) -> Bool {
        guard text.count >= prefix.count else { return false }
        return unsafe prefix.withUnsafeBytes { unsafe $0.equals(text.slice(0, prefix.count)) }
    }

    private static func contains(_ text: UnsafeRawBufferPointer, _ part: [UInt8]) -> Bool {
        guard let first = part.first else { return true }
        guard let base = text.baseAddress, text.count >= part.count else { return false }
        return unsafe part.withUnsafeBytes { wanted in
            var offset = 0
            // In bounds: a place is looked for only where the whole part still fits behind it.
            while offset + wanted.count <= text.count {
                let room = text.count - wanted.count + 1 - offset
                guard let place = unsafe memchr(base + offset, Int32(first), room) else { return false }
                offset = unsafe base.distance(to: UnsafeRawPointer(place))
                if unsafe text.slice(offset, wanted.count).equals(wanted) { return true }
                offset += 1
            }
            return false
        }
    }
}

extension TextFilter: ExpressibleByArrayLiteral {
    /// One of these texts.
    public init(arrayLiteral texts: [UInt8]...) { equal = texts }
}
