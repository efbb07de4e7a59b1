// What all live streams share: one look at the store's files now and then, while there is a stream. New events are found by the watermark, so
// the ingest side may be another process. Streams that have something to say are woken; each reads with a cursor of its own. On the loop's
// thread.

import EyeStore
import EyeSystem

/// Looks for news on behalf of live streams.
final class LiveFeed: LoopSource {
    private struct Entry {
        weak var stream: LiveStream?
    }

    let time: any TimeSource
    /// A stream whose client let so many ids come without taking anything is too slow.
    let behindMax: UInt64
    private let store: EventSource
    private unowned let loop: HTTPLoop
    private var token: UInt64 = 0
    private var timer = LoopTimer()
    private var streams: [ObjectIdentifier: Entry] = [:]

    /// The store as it was at the last look.
    private(set) var snapshot: Snapshot?
    /// The id after the newest refused event, and the refused events that came between the last two looks, the first ones of them.
    private(set) var rejectedNext: UInt64 = 1
    private(set) var freshRejected: [RejectedSample] = []

    /// How often a stream was too slow, and how many ids were skipped because of that.
    private(set) var laggedCount: UInt64 = 0
    private(set) var skippedCount: UInt64 = 0

    init(
        loop: HTTPLoop, store: EventSource, time: any TimeSource, behindMax: UInt64 = HTTPLimits.liveBehindEventsMax
    ) {
        self.behindMax = behindMax
        self.loop = loop
        self.store = store
        self.time = time
        token = loop.add(self)
    }

    /// Streams now.
    var count: Int { streams.count }
    /// The newest event.
    var newest: UInt64 { snapshot?.lastEventID ?? 0 }
    /// All refused events that are kept.
    var rejected: RejectedReader { store.rejected }

    /// The answer to a request for a stream, or the problem that there is instead.
    func exchange(_ call: Call) throws(ProblemError) -> any Exchange {
        let query = try LiveQuery(call.parameters, call.head, now: time.nowMicroseconds())
        let stream = try open(query, wake: call.wake)
        let type = query.format == .sse ? "text/event-stream" : "application/x-ndjson"
        // nginx would collect the answer.
        let fields = [ResponseField("Content-Type", type), ResponseField("X-Accel-Buffering", "no")]
        return ImmediateExchange(Response(status: 200, fields: fields + AnswerFields.common, body: .stream(stream)))
    }

    /// A stream that begins with the store as it is now.
    func open(_ query: LiveQuery, wake: @escaping () -> Void) throws(ProblemError) -> LiveStream {
        guard streams.count < HTTPLimits.liveStreamsMax else {
            throw ProblemError(
                .unavailable("overloaded", "There are \(HTTPLimits.liveStreamsMax) live streams already."))
        }
        do throws(SystemError) {
            try look()
            if streams.isEmpty { try arm() }
        } catch {
            throw ProblemError(EventSource.problem(error))
        }
        let stream = LiveStream(query, of: self, wake: wake)
        streams[ObjectIdentifier(stream)] = Entry(stream: stream)
        return stream
    }

    /// A stream has ended.
    func remove(_ stream: LiveStream) { streams[ObjectIdentifier(stream)] = nil }

    /// A stream skips so many ids.
    func noteLagged(_ ids: ClosedRange<UInt64>) {
        laggedCount += 1
        skippedCount += UInt64(ids.count)
    }

    // MARK: Looking

    /// Looks at the store and wakes the streams that have something to say.
    func poll() {
        do throws(SystemError) {
            try look()
        } catch {
            // The next look may find it again; what streams still have to read tells them.
        }
        let now = time.monotonicNanoseconds()
        for entry in streams.values { entry.stream?.look(now: now) }
    }

    private func look() throws(SystemError) {
        snapshot = try store.snapshot()
        let next = try rejected.nextID()
        freshRejected.removeAll()
        guard next != rejectedNext else { return }
        if next > rejectedNext && streams.values.contains(where: { $0.stream?.showsRejected ?? false }) {
            try rejected.list(after: rejectedNext - 1) { sample in
                freshRejected.append(sample)
                return freshRejected.count < HTTPLimits.liveRejectedMax
            }
        }
        rejectedNext = next
    }

    private func arm() throws(SystemError) {
        try timer.arm(in: loop, token: token, nanoseconds: HTTPLimits.livePollMilliseconds * 1_000_000)
    }

    func ready(_ readiness: Readiness) {
        timer.clear()
        // Nobody listens: no look until somebody does.
        if streams.isEmpty { return }
        poll()
        rearm()
    }

    private func rearm() {
        do throws(SystemError) {
            try arm()
        } catch {
            // Setting a timer that is open cannot fail; if it did, the loop's tick would go on looking.
            timer = LoopTimer()
        }
    }

    func tick(now: UInt64) {
        guard !timer.isMade, !streams.isEmpty else { return }
        poll()
        rearm()
    }

    func endTurn() {}
}
