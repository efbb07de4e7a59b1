// Samples of refused lines, for the errors view: at most so many a second and code, bounded, handed from the loops to the
// housekeeping thread, which writes them to the rejected log. Refusals are counted elsewhere, all of them.

import EyeStore
import EyeSystem
import EyeWire
import Synchronization

/// How many refusals of each code may be sampled in a second, over all loops. Any thread, without a lock: a loop reads one word for a
/// refused line, and writes it only for one that is sampled.
final class SampleBudget: Sendable {
    /// For each code the second that was counted last, and in the lowest byte its samples.
    private let used = InlineArray<64, Atomic<Int64>> { _ in Atomic(0) }
    private static let countBits: Int64 = 8
    private static let countMask: Int64 = 1 << countBits - 1

    /// Whether a refusal at `microseconds` since 1970 is sampled, which then counts.
    func admits(_ reject: Reject, now microseconds: Int64) -> Bool {
        let now = microseconds / 1_000_000
        let index = Int(reject.rawValue)
        var seen = used[index].load(ordering: .relaxed)
        while true {
            // A loop whose tick began a moment later may be in the next second already: that is the one that counts.
            let second = seen >> SampleBudget.countBits
            let isCounted = second == now || second == now + 1
            if isCounted, seen & SampleBudget.countMask >= IngestLimits.samplesPerSecond { return false }
            let next = isCounted ? seen + 1 : now << SampleBudget.countBits + 1
            let (isOurs, current) = used[index].compareExchange(expected: seen, desired: next, ordering: .relaxed)
            if isOurs { return true }
            seen = current
        }
    }
}

/// Samples on their way to the rejected log.
final class SampleQueue: Sendable {
    private let waiting = Mutex<[RejectedSample]>([])
    private let overflow = Atomic<UInt64>(0)
    let wake: WakeSignal

    init() throws(SystemError) { wake = try WakeSignal() }

    /// Loop: keeps `sample` unless too many wait already.
    func add(_ sample: RejectedSample) {
        let isFirst = waiting.withLock { waiting in
            guard waiting.count < IngestLimits.samplesWaitingMax else {
                overflow.add(1, ordering: .relaxed)
                return false
            }
            waiting.append(sample)
            return waiting.count == 1
        }
        if isFirst { wake.signal() }
    }

    /// Samples that found no room.
    var overflowed: UInt64 { overflow.load(ordering: .relaxed) }

    /// Housekeeping: takes all.
    func take() -> [RejectedSample] {
        waiting.withLock { waiting in
            let all = waiting
            waiting = []
            return all
        }
    }
}
