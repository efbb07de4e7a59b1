// Lets go of files of segments that are gone. A reader keeps files open for the next query; what sealing, erasure or retention has removed
// takes room on the disk until it closes them. A query does that by itself; between two queries this does. On the loop's thread.

import EyeSystem

/// A look at the store once in a while, from the first query on.
final class StoreLook: LoopSource {
    private let store: EventSource
    private unowned let loop: HTTPLoop
    private var token: UInt64 = 0
    private var timer = LoopTimer()
    private var isArmed = false

    init(loop: HTTPLoop, store: EventSource) {
        self.loop = loop
        self.store = store
        token = loop.add(self)
    }

    func ready(_ readiness: Readiness) {
        timer.clear()
        isArmed = false
        store.letGo()
    }

    func endTurn() {
        guard store.isUsed, !isArmed else { return }
        do throws(SystemError) {
            try timer.arm(in: loop, token: token, nanoseconds: HTTPLimits.storeLookMilliseconds * 1_000_000)
            isArmed = true
        } catch {
            // No descriptor for it now: the next turn tries again.
        }
    }

    func tick(now: UInt64) {}
}
