// A timer of a source of a loop. On the loop's thread.

import EyeSystem

/// A timer that is made, and watched by its loop, when it is armed first: who never needs it has no descriptor for it.
struct LoopTimer {
    private var timer: MonotonicTimer?
    /// It was armed once.
    var isMade: Bool { timer != nil }

    /// Goes off once, after `nanoseconds`; its source, `token`, is told. Throws when there is no descriptor for it.
    mutating func arm(in loop: HTTPLoop, token: UInt64, nanoseconds: UInt64) throws(SystemError) {
        let made: MonotonicTimer
        if let timer {
            made = timer
        } else {
            made = try MonotonicTimer()
            try loop.poller.add(made.descriptor, .readable, token: token)
            timer = made
        }
        try made.arm(nanoseconds: nanoseconds)
    }

    /// It has gone off.
    func clear() { timer?.clear() }
}
