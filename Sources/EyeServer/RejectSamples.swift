// Samples of refused lines, for the errors view: at most so many a second and code, bounded, handed from the loops to the
// housekeeping thread, which writes them to the rejected log. Refusals are counted elsewhere, all of them.

import EyeStore
import EyeSystem
import EyeWire
import Synchronization

/// A loop's budget: decides, without a lock, whether a refusal shall be sampled.
struct SampleBudget {
    private var second: Int64 = 0
    private var used: InlineArray<64, UInt8> = .init(repeating: 0)
    private let perSecond: UInt8

    /// The loops share IngestLimits.samplesPerSecond evenly.
    init(loops: Int) { perSecond = UInt8(max(1, IngestLimits.samplesPerSecond / loops)) }

    mutating func admits(_ reject: Reject, now microseconds: Int64) -> Bool {
        let now = microseconds / 1_000_000
        if now != second {
            second = now
            used = .init(repeating: 0)
        }
        let index = Int(reject.rawValue)
        if used[index] >= perSecond { return false }
        used[index] += 1
        return true
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
