// What events are grouped by, and the values that come out. Pure values.

/// Something of an event that has a value.
public enum AnalysisField: Sendable, Equatable {
    case category
    case name
    case session
    /// The value at a path of `data`, see `DataReading`: its text. Not every event has one.
    case data([UInt8])
}

/// A value of a field.
public enum AnalysisValue: Sendable, Hashable, Comparable {
    case text([UInt8])
    case session(ID128)

    /// By bytes.
    public static func < (left: AnalysisValue, right: AnalysisValue) -> Bool {
        switch (left, right) {
        case (.text(let a), .text(let b)): a.lexicographicallyPrecedes(b)
        case (.session(let a), .session(let b)): a < b
        case (.text, .session): true
        case (.session, .text): false
        }
    }

    /// Bytes of memory, about.
    var cost: Int {
        switch self {
        case .text(let text): text.count + 48
        case .session: 32
        }
    }
}

/// A group of events and its number.
public struct AnalysisGroup: Sendable, Equatable {
    /// A value for each field.
    public var values: [AnalysisValue]
    public var count: UInt64

    public init(_ values: [AnalysisValue], _ count: UInt64) {
        self.values = values
        self.count = count
    }

    /// Bytes of memory, about.
    var cost: Int { values.reduce(48) { $0 + $1.cost } }

    /// Whether it stands before `other`: more first, then by values.
    func precedes(_ other: AnalysisGroup) -> Bool {
        if count != other.count { return count > other.count }
        return values.lexicographicallyPrecedes(other.values)
    }
}
