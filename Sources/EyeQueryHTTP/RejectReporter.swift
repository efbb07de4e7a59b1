// Counts the events that the HTTP service refused, all of them, and tells the ingest side of some, so that `GET /errors/` shows them:
// samples, at most so many a second for each code. Used on the loop's thread. Losing a sample is no harm: the client has its answer.

import EyeStore
import EyeSystem
import EyeWire

/// Counts refusals, samples and reports them.
final class RejectReporter: VerdictTaker {
    private let channel: ControlChannel
    private let time: any TimeSource
    private let metrics: HTTPMetrics
    private var second: UInt64 = 0
    private var counts: [Reject: Int] = [:]

    init(_ channel: ControlChannel, time: any TimeSource, metrics: HTTPMetrics) {
        self.channel = channel
        self.time = time
        self.metrics = metrics
    }

    /// Counts an event that the ingest side could not be asked about, or did not answer: `no-ingest`.
    func countUnanswered() { metrics.count(rejected: .noIngest) }

    /// Counts a refused event and reports it.
    func report(_ reject: Reject, message: [UInt8], data: ArraySlice<UInt8>, peer: Peer, token: UInt32?) {
        metrics.count(rejected: reject)
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
