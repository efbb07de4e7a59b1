// How the store looks into `data` without knowing JSON: whoever opens a reader gives it one of these (EyeQueryHTTP has the one for
// JSON). Used by filters on the reader's thread.

/// What a value of `data` is, as far as filters tell apart.
public enum DataKind: UInt8, Sendable {
    /// A string: its text has its escapes resolved.
    case string
    /// A number: its text is the token as it was sent.
    case number
    /// `true`, `false`, `null`, an array or an object: its text is the bytes as they were sent.
    case other
}

/// Where a value stands in an event's `data`.
public struct DataPlace: Sendable, Equatable {
    public var kind: DataKind
    /// Bytes of `data`: a string's between its quotes, else the whole value.
    public var range: Range<Int>
    /// A string that may have escapes: its text is not simply its bytes.
    public var isEscaped: Bool

    public init(kind: DataKind, range: Range<Int>, isEscaped: Bool) {
        self.kind = kind
        self.range = range
        self.isEscaped = isEscaped
    }
}

/// Looks into `data`. A path is the names of the members on the way to a value, escapes resolved, joined by dots: `a.b` is the member `b`
/// of the object `a`, or a member `a.b`. Of several values at one path the last one counts. Arrays are not entered.
public protocol DataReading: Sendable {
    /// The value at `path`; nil: there is none.
    func find(_ path: [UInt8], in data: UnsafeRawBufferPointer) -> DataPlace?
    /// Appends the text of the string at `place`, its escapes resolved.
    func appendText(of place: DataPlace, in data: UnsafeRawBufferPointer, to out: inout [UInt8])
}

/// A value of `data` with its text, as filters and statistics see it; valid only inside the closure it is given to.
@safe
struct DataValue {
    let kind: DataKind
    let text: UnsafeRawBufferPointer

    init(_ kind: DataKind, _ text: UnsafeRawBufferPointer) {
        self.kind = kind
        unsafe self.text = text
    }
}

extension DataReading {
    /// Gives `body` the value at `path` of `data`, nil if there is none.
    func with<Result>(_ path: [UInt8], of data: UnsafeRawBufferPointer, _ body: (DataValue?) -> Result) -> Result {
        guard let place = unsafe find(path, in: data) else { return body(nil) }
        if !place.isEscaped {
            // In bounds: `find` gives ranges of `data`; slice asserts it.
            return unsafe body(DataValue(place.kind, data.slice(place.range.lowerBound, place.range.count)))
        }
        var text: [UInt8] = []
        unsafe appendText(of: place, in: data, to: &text)
        return unsafe text.withUnsafeBytes { unsafe body(DataValue(place.kind, $0)) }
    }
}
