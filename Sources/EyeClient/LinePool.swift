// Event lines that stand ready to be sent, one after the other in one piece of memory, so that a load generator does nothing
// but write. Sent round and round. Immutable once built: any number of threads read it.

import EyeWire

/// Prebuilt lines, each with its LF.
public struct LinePool: Sendable {
    /// Every line, in order.
    public private(set) var bytes: [UInt8] = []
    /// Where line i begins; the last entry is the end of the last line.
    public private(set) var starts: [Int] = [0]

    /// Synthetic lines that are built: more than the caches of a processor hold, so that sending is not unduly easy.
    public static let syntheticLines = 65_536

    public init() {}

    /// Lines in the pool.
    public var count: Int { starts.count - 1 }

    /// The mean length of a line with its LF.
    public var meanBytes: Double { count == 0 ? 0 : Double(bytes.count) / Double(count) }

    /// Adds a line: `TOKEN {json}`, or the JSON alone if there is no token.
    public mutating func add(token: [UInt8], json: ArraySlice<UInt8>) {
        if !token.isEmpty {
            bytes.append(contentsOf: token)
            bytes.append(0x20)
        }
        bytes.append(contentsOf: json)
        bytes.append(0x0A)
        starts.append(bytes.count)
    }

    /// Adds a line that is complete but for its LF.
    public mutating func add(line: ArraySlice<UInt8>) { add(token: [], json: line) }

    /// Lines of `SyntheticEvents`. `tokenEvery`: the token stands before every so many-th line only; the lines between
    /// inherit it, as they may in a datagram.
    public static func synthetic(count: Int = syntheticLines, seed: UInt64, token: [UInt8], tokenEvery: Int = 1)
        -> LinePool
    {
        let events = SyntheticEvents(seed: seed)
        var pool = LinePool()
        pool.bytes.reserveCapacity(count * (token.count + 256))
        pool.starts.reserveCapacity(count + 1)
        for index in 0..<count {
            if !token.isEmpty && index % tokenEvery == 0 {
                pool.bytes.append(contentsOf: token)
                pool.bytes.append(0x20)
            }
            events.append(UInt64(index), to: &pool.bytes)
            pool.bytes.append(0x0A)
            pool.starts.append(pool.bytes.count)
        }
        return pool
    }

    /// The index behind the last of the lines from `first` on that end within `bytesMax` bytes: at most `limit` lines,
    /// at least one, never beyond the pool's end.
    public func end(from first: Int, limit: UInt64, bytesMax: Int) -> Int {
        let last = first + Int(min(UInt64(count - first), limit))
        let reach = starts[first] + bytesMax
        // Lines differ little: begin where lines of mean length would end, then correct.
        var end = min(last, first + max(1, Int(Double(bytesMax) / max(1, meanBytes))))
        while end > first + 1 && starts[end] > reach { end -= 1 }
        while end < last && starts[end + 1] <= reach { end += 1 }
        return max(end, first + 1)
    }
}
