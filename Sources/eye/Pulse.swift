// The watchdog's two questions: does every loop still turn, and is it time to say so. Asked by `Serve.waitForEnd` on the main thread.

import EyeQueryHTTP
import EyeServer

/// Whether every loop of the service still turns.
struct Pulse {
    private let ingest: IngestService?
    private let http: HTTPService?
    private var seen: [UInt64] = []

    init(_ ingest: IngestService?, _ http: HTTPService?) {
        self.ingest = ingest
        self.http = http
    }

    /// True when each loop has turned since the last call, which has woken those that had nothing to do.
    @discardableResult mutating func take() -> Bool {
        let turns = (ingest?.turns() ?? []) + (http?.turns() ?? [])
        let isBeating = zip(turns, seen).allSatisfy { $0 != $1 }
        seen = turns
        return isBeating
    }
}

/// When to say that all is well: at fixed moments, whatever else happens between them.
struct Beat {
    private let period: UInt64
    /// Monotonic nanoseconds.
    private var due: UInt64

    init(every milliseconds: Int32, from now: UInt64) {
        period = UInt64(milliseconds) * 1_000_000
        due = now + period
    }

    /// How long there is nothing to say, rounded up.
    func waitMilliseconds(at now: UInt64) -> Int32 {
        now >= due ? 0 : Int32(clamping: (due - now + 999_999) / 1_000_000)
    }

    /// True once for each moment; those that were missed altogether are left out.
    mutating func isDue(at now: UInt64) -> Bool {
        guard now >= due else { return false }
        due = max(due + period, now)
        return true
    }
}
