// Tells the ingest side which events the HTTP service refused, so that `GET /errors/` shows them: samples, at most so many
// a second for each code. Used on the loop's thread. Losing one is no harm: the client has its answer.

import EyeStore
import EyeSystem
import EyeWire

/// Samples refusals and reports them.
final class RejectReporter: VerdictTaker {
    private let channel: ControlChannel
    private let time: any TimeSource
    private var second: UInt64 = 0
    private var counts: [Reject: Int] = [:]
    /// Refusals by code since the start, sampled or not.
    private(set) var totals: [Reject: UInt64] = [:]

    init(_ channel: ControlChannel, time: any TimeSource) {
        self.channel = channel
        self.time = time
    }

    /// Reports a refused event.
    func report(_ reject: Reject, message: [UInt8], data: ArraySlice<UInt8>, peer: Peer, token: UInt32?) {
        totals[reject, default: 0] += 1
        let now = time.monotonicNanoseconds() / 1_000_000_000
        if now != second {
            second = now
            counts.removeAll(keepingCapacity: true)
        }
        if counts[reject, default: 0] >= HTTPLimits.rejectSamplesPerSecond { return }
        counts[reject, default: 0] += 1
        let line = ChannelLine.reject(
            reject, message: SecretMask.masked(message[...]), data: SecretMask.masked(data)[...], source: peer.host,
            token: token)
        _ = channel.send(line, from: self)
    }

    func take(_ verdict: Verdict, tag: Int) {}
    func channelHasRoom() {}
}
