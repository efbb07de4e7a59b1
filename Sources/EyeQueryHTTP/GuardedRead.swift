// A read that goes on only as long as its token may be used: a list, a whole result, a statistic. Revoked or expired meanwhile, it is
// answered 401, or cut where its body had begun. Asked before every step; one that waits is woken by a tick of the loop. What was made of an answer
// and not yet sent goes by `Response.mayGoOn`.
// On the loop's thread.

import EyeSystem

/// The reads under way.
final class ReadGuard: LoopSource {
    private struct Entry {
        weak var read: GuardedRead?
    }

    private var reads: [ObjectIdentifier: Entry] = [:]
    /// Whether the token of this id may still be used.
    let isUsable: (_ token: UInt32) -> Bool

    init(isUsable: @escaping (_ token: UInt32) -> Bool) { self.isUsable = isUsable }

    /// Reads under way.
    var count: Int { reads.count }

    fileprivate func add(_ read: GuardedRead) { reads[ObjectIdentifier(read)] = Entry(read: read) }
    fileprivate func remove(_ read: GuardedRead) { reads[ObjectIdentifier(read)] = nil }

    func ready(_ readiness: Readiness) {}
    func tick(now: UInt64) {
        for entry in reads.values {
            if let read = entry.read, !isUsable(read.token) { read.wake() }
        }
    }
    func endTurn() {}
}

/// An exchange, and then the producer of its answer's body, for one token.
final class GuardedRead: Exchange, BodyProducer {
    private let inner: any Exchange
    private var producer: (any BodyProducer)?
    private let watch: ReadGuard
    fileprivate let token: UInt32
    let account: AnswerAccount
    fileprivate let wake: () -> Void

    init(
        _ inner: any Exchange, token: UInt32, account: AnswerAccount = .strangers, watch: ReadGuard,
        wake: @escaping () -> Void
    ) {
        self.inner = inner
        self.token = token
        self.account = account
        self.watch = watch
        self.wake = wake
        watch.add(self)
    }

    deinit { watch.remove(self) }

    var bodyBytesMax: Int { inner.bodyBytesMax }
    var isLong: Bool { inner.isLong }
    var wantsBody: Bool { inner.wantsBody }
    func receive(_ bytes: Span<UInt8>) { inner.receive(bytes) }
    func finishBody() { inner.finishBody() }

    func answer() -> Answer {
        guard watch.isUsable(token) else {
            inner.cancel()
            return .ready(Problem.unauthorized("Invalid token.").response)
        }
        let answer = inner.answer()
        guard case .ready(var response) = answer else { return answer }
        response.mayGoOn = { [watch, token] in watch.isUsable(token) }
        if case .stream(let producer) = response.body {
            self.producer = producer
            response.body = .stream(self)
        }
        return .ready(response)
    }

    func produce(into out: inout [UInt8], room: Int) -> Production {
        guard let producer else { return .failed }
        if watch.isUsable(token) { return producer.produce(into: &out, room: room) }
        producer.cancel()
        self.producer = nil
        return .failed
    }

    func trailers() -> [ResponseField] { producer?.trailers() ?? [] }

    var isEndless: Bool { producer?.isEndless ?? false }
    func finish() { producer?.finish() }

    func cancel() {
        if let producer { producer.cancel() } else { inner.cancel() }
    }
}
