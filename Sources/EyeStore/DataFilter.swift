// What a query wants of one value inside `data`. Pure values. An event without the value passes only what does not ask for one:
// `unequal` and `exists == false`.

/// Conditions on the value at a path of `data`, all of which must hold.
public struct DataFilter: Sendable {
    /// See `DataReading`.
    public var path: [UInt8]
    /// On the value's text.
    public var text = TextFilter()
    /// All of these.
    public var bounds: [DataBound] = []
    /// Whether there must be a value (any, `null` too), or must be none.
    public var exists: Bool?

    public init(path: [UInt8]) { self.path = path }

    /// Whether a value passes; nil: there is none.
    func passes(_ value: DataValue?) -> Bool {
        guard let value else { return exists != true && !text.needsText && bounds.isEmpty }
        if exists == false { return false }
        return unsafe text.passes(value.text) && bounds.allSatisfy { $0.passes(value) }
    }
}

/// A bound of a value: numbers are compared with numbers, exactly; any other text by its bytes with any value that is no number.
public struct DataBound: Sendable {
    /// On which side the value must lie.
    public enum Side: Sendable { case below, atMost, atLeast, above }

    public let side: Side
    public let text: [UInt8]
    /// Nil: `text` is no JSON number.
    private let form: DecimalForm?

    public init(_ side: Side, _ text: [UInt8]) {
        self.side = side
        self.text = text
        form = unsafe text.withUnsafeBytes { unsafe DecimalForm($0) }
    }

    func passes(_ value: DataValue) -> Bool {
        guard (form != nil) == (value.kind == .number) else { return false }
        let order = unsafe text.withUnsafeBytes { bound in
            guard let form else { return unsafe DataBound.compareBytes(value.text, bound) }
            // It is a number: its kind says so.
            guard let number = unsafe DecimalNumber(value.text) else { return 0 }
            return unsafe number.compared(to: DecimalNumber(bound, form))
        }
        return switch side {
        case .below: order < 0
        case .atMost: order <= 0
        case .atLeast: order >= 0
        case .above: order > 0
        }
    }

    private static func compareBytes(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Int {
        for index in 0..<min(a.count, b.count) {
            // In bounds: below both counts.
            let (x, y) = unsafe (a[index], b[index])
            if x != y { return x < y ? -1 : 1 }
        }
        return a.count - b.count
    }
}
