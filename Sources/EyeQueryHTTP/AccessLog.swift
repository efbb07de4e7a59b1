// The access log: a line in the operator's log for each answer, off unless asked for. What a client wrote is shown escaped and
// shortened; of the query, the body and the fields nothing is shown, because secrets and personal data may stand there. Written on
// the loop's thread, switched by any.

import EyeSystem
import Synchronization

/// Lines about requests.
final class AccessLog: Sendable {
    private let log: Log
    private let isOn: Atomic<Bool>

    /// Bytes of a path that are shown.
    private static let pathBytesMax = 512

    init(_ log: Log, isOn: Bool) {
        self.log = log
        self.isOn = Atomic(isOn)
    }

    func set(_ isOn: Bool) { self.isOn.store(isOn, ordering: .relaxed) }

    /// An answer's head was written. `head` is nil for what never became a request.
    func note(_ head: RequestHead?, from peer: Peer, status: UInt16, nanoseconds: UInt64) {
        guard isOn.load(ordering: .relaxed) else { return }
        var path = "-"
        if let head {
            let shown = head.bytes[head.path].prefix(AccessLog.pathBytesMax)
            path = String(decoding: shown, as: UTF8.self) + (shown.count < head.path.count ? "…" : "")
        }
        log.info(
            "request",
            [
                "peer": peer.host, "method": head?.methodName ?? "-", "path": path, "status": "\(status)",
                "milliseconds": "\(nanoseconds / 1_000_000)",
            ])
    }
}
