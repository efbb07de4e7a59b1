// What sealing must be told about the inside of an event's `data`: to the store it is bytes. Whoever opens the store passes it in (the `eye`
// command gives it EyeQueryHTTP's `EventDataReading`). Only types of the standard library cross here.

/// Takes `data` apart into leaves: values that are no objects, or empty ones, under the names that `DataReading` finds them by. What is
/// between the leaves is the shape. Any bytes may come.
public protocol DataDecomposer: Sendable {
    /// The leaves of `data` in the order of the text, as pairs (offset, bytes) in `places`; returns how many. -1: it is no object, its
    /// objects are nested more than `depthMax` deep, or it has more leaves than `places` has room for.
    func leaves(
        of data: UnsafeRawBufferPointer, depthMax: Int, places: UnsafeMutableBufferPointer<UInt32>
    ) -> Int

    /// Whether the leaves of `data` stand in just this text: the first `literals[0]` bytes of `text`, a leaf, the next `literals[1]` bytes,
    /// a leaf, and so on. If so, their places are in `places`, which has room for them. Sealing asks this of the shapes it met last.
    func follows(
        _ text: UnsafeRawBufferPointer, _ literals: UnsafeBufferPointer<UInt32>, _ data: UnsafeRawBufferPointer,
        places: UnsafeMutableBufferPointer<UInt32>
    ) -> Bool

    /// The names of these leaves, whether each is hidden (a later value has its name, so that `DataReading` does not find it), and the
    /// names of the objects that are not empty; nil as for -1 above.
    func paths(
        of data: UnsafeRawBufferPointer, depthMax: Int
    ) -> (leaves: [[UInt8]], isHidden: [Bool], objects: [[UInt8]])?
}

/// Keeps `data` in one piece: for stores that nobody told what is inside.
public struct WholeData: DataDecomposer {
    public init() {}

    public func leaves(
        of data: UnsafeRawBufferPointer, depthMax: Int, places: UnsafeMutableBufferPointer<UInt32>
    ) -> Int { -1 }

    public func follows(
        _ text: UnsafeRawBufferPointer, _ literals: UnsafeBufferPointer<UInt32>, _ data: UnsafeRawBufferPointer,
        places: UnsafeMutableBufferPointer<UInt32>
    ) -> Bool { false }

    public func paths(
        of data: UnsafeRawBufferPointer, depthMax: Int
    ) -> (leaves: [[UInt8]], isHidden: [Bool], objects: [[UInt8]])? { nil }
}
