// How time is cut into buckets, and numbers for the buckets that events fall into. Pure values; one analysis, one thread.

/// Buckets of equal length, counted from 1970-01-01T00:00:00Z; of whole weeks from the Monday before it.
public struct TimeStep: Sendable, Equatable {
    private static let second: Int64 = 1_000_000
    private static let hour = 3600 * second
    private static let week = 168 * hour

    /// The length of a bucket, µs.
    public let microseconds: Int64
    /// Where bucket 0 begins.
    private let origin: Int64

    /// Buckets of `microseconds`, which is more than 0.
    public init(microseconds: Int64) {
        precondition(microseconds > 0, "time goes on")
        self.microseconds = microseconds
        // 1970-01-01 was a Thursday.
        origin = microseconds % TimeStep.week == 0 ? -72 * TimeStep.hour : 0
    }

    /// The bucket that `timestamp` falls into.
    func bucket(_ timestamp: Int64) -> Int64 {
        let from = timestamp &- origin
        let quotient = from / microseconds
        return from % microseconds < 0 ? quotient - 1 : quotient
    }

    /// Where a bucket begins.
    func start(_ bucket: Int64) -> Int64 { bucket &* microseconds &+ origin }

    /// Hours never lie across its buckets.
    var isWholeHours: Bool { microseconds % TimeStep.hour == 0 }

    /// Where an hour begins.
    static func start(ofHour number: Int64) -> Int64 { number * hour }
}

/// Numbers for buckets.
struct BucketTable {
    let step: TimeStep
    private(set) var buckets: [Int64] = []
    private var numbers: [Int64: UInt32] = [:]
    // The bucket that was met last.
    private var low = Int64.max
    private var high = Int64.min
    private var last: UInt32 = 0

    init(_ step: TimeStep) { self.step = step }

    var count: Int { buckets.count }

    /// The number of the bucket that `timestamp` falls into.
    @inline(__always)
    mutating func number(of timestamp: Int64) -> UInt32 {
        if timestamp >= low && timestamp < high { return last }
        return look(timestamp)
    }

    private mutating func look(_ timestamp: Int64) -> UInt32 {
        let bucket = step.bucket(timestamp)
        low = step.start(bucket)
        high = low &+ step.microseconds
        if let known = numbers[bucket] {
            last = known
        } else {
            last = UInt32(buckets.count)
            numbers[bucket] = last
            buckets.append(bucket)
        }
        return last
    }

    /// The numbers of the buckets of `rows`, whose timestamps stand in `view`, the block of the group that begins with row `start`.
    mutating func numbers(of rows: [UInt32], _ start: Int, _ view: UnsafeRawBufferPointer, into out: inout [UInt32]) {
        for row in rows {
            // In bounds: a block has a place for each row of its group.
            out.append(number(of: unsafe view.i64((Int(row) - start) * 8)))
        }
    }

    /// Bytes of memory, about.
    var cost: Int { buckets.count * 64 }
}
