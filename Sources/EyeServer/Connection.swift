// One stream connection: what its peer has sent, what was judged, what waits to become durable, and what it is owed as
// answers. A plain record without I/O; the loop that owns it moves it along. An idle connection holds no buffer.
//
// The rule of silence (protocol.md): until the peer has sent a command it is sent nothing before its end of stream.

import EyeSystem
import EyeWire

/// The token that the last line of a connection carried: the next line most likely carries the same one.
struct RememberedToken {
    /// The token's 40 bytes as they stand in the line.
    var words: InlineArray<5, UInt64> = .init(repeating: 0)
    var id: UInt32 = 0
    var expires: Int64 = .max
    /// The version of the account book that this was found in; 0: nothing remembered.
    var version: UInt64 = 0
}

/// Verdicts of mode `each` that must wait for a durable record before them.
struct DeferredReply {
    /// To be sent once so many runs of the connection have completed.
    var afterRun: UInt64
    var bytes: [UInt8]
}

@safe
final class Connection {
    /// What the peer may still do.
    enum Phase {
        /// Lines are read and judged.
        case open
        /// Reading is on hold until everything before a HELLO is settled: then a new numbering may begin.
        case waitingForGreeting
        /// Reading is on hold until the appender has answered a HELLO.
        case waitingForClient
        /// Reading is on hold until everything before a SYNC is durable: answers come in the order of the commands.
        case waitingForSync
        /// Reading is on hold until an ERASE is answered.
        case waitingForErasure
        /// Reading is on hold until the peer has taken its answers.
        case waitingForReader
        /// What it has sent is judged when the others have had their turn, and there is a frame to put it into.
        case waitingForTurn
        /// The peer ended its side (or said QUIT); what it sent is becoming durable, then it gets its last answers.
        case ending
        /// Answers are being flushed; then the descriptor is closed.
        case flushing
        /// Everything is sent and our side is ended, but the peer may still be sending: closing now would make the kernel
        /// reset the connection, and the peer could lose our last answer. What it sends is thrown away.
        case lingering
        case closed

        /// Whether lines that the peer has sent are judged, now or later.
        var isJudging: Bool {
            switch self {
            case .open, .waitingForGreeting, .waitingForClient, .waitingForSync, .waitingForErasure, .waitingForReader,
                .waitingForTurn:
                true
            case .ending, .flushing, .lingering, .closed: false
            }
        }
    }

    let descriptor: Descriptor
    let transport: Transport
    let peer: SocketAddress
    let slot: Int32
    let generation: UInt32
    var phase = Phase.open
    var mode = Mode.silent
    /// Whether the peer has sent a command: then answers go out as they come.
    var talks = false
    /// Whether the peer has ended its side.
    var hasEnded = false
    /// The peer takes no answers any more: it has closed or reset the connection. What it sent before is read to its end.
    var isDeaf = false
    /// Its stream was cut off: what is unfinished at the end of it is no line.
    var wasReset = false
    /// When a lingering connection is closed at the latest (monotonic milliseconds).
    var lingerUntil: UInt64 = 0
    /// Whether the service ends the connection because it stops.
    var isCutOff = false
    var framer = LineFramer()
    /// Bytes received, of any kind.
    var bytes: UInt64 = 0

    /// Bytes of an unfinished line, and before it of whole ones that have to wait: `partialCount` of them, in `partial`.
    var partial: UnsafeMutableRawPointer?
    var partialCount = 0
    var partialCapacity = 0

    /// The number of the last judged event line; `seq` in HELLO sets where it starts. Changed only when no line with a number of before is
    /// under way.
    var line: UInt64 = 0
    var received: UInt64 = 0
    var accepted: UInt64 = 0
    var rejected: UInt64 = 0
    var duplicate: UInt64 = 0

    /// Runs begun and runs completed, counted from the start of the connection.
    var runsBegun: UInt64 = 0
    var runsCompleted: UInt64 = 0
    /// Every line up to this one is judged, and durable if it was accepted.
    var durableLine: UInt64 = 0
    var acknowledgedLine: UInt64 = 0
    private(set) var deferred: [DeferredReply] = []
    /// Bytes of them.
    private(set) var deferredBytes = 0

    var token = RememberedToken()
    /// HELLO's token and client, when it named one.
    var helloToken: UInt32 = 0
    var client: ClientKey?
    var clientSlot: Int32 = -1
    /// After a refusal that may be retried: what every later line of this client gets until a new HELLO.
    var stalled: Reject?
    /// An ERASE that waits until everything before it is settled.
    var erasure: ErasureOrder?
    /// A HELLO that waits until everything before it is settled, then for the appender.
    var hello: Hello?

    /// The first errors of a silent peer, as reply lines, and how many more there were.
    var errors: [UInt8] = []
    var errorsHeld = 0
    var errorsMore: UInt64 = 0

    var output: [UInt8] = []
    var outputSent = 0
    /// What of its answers is in its loop's account of unread ones.
    var unreadBytes = 0
    /// When the peer stopped taking its answers (monotonic milliseconds); 0: it takes them.
    var stuckSince: UInt64 = 0
    var lastHeard: UInt64
    /// What the poller watches; nil: nothing, not even the connection's end.
    var watched: Readiness? = .readable
    /// Whether the connection stands in its loop's list of those with something to do at the end of the tick.
    var isDirty = false

    init(
        _ descriptor: consuming Descriptor, transport: Transport, peer: SocketAddress, slot: Int32, generation: UInt32,
        now: UInt64
    ) {
        self.descriptor = descriptor
        self.transport = transport
        self.peer = peer
        self.slot = slot
        self.generation = generation
        lastHeard = now
        if transport == .http {
            mode = .errors
            talks = true
        }
    }

    deinit { unsafe partial?.deallocate() }

    var outputWaiting: Int { output.count - outputSent }
    var isControl: Bool { transport == .http }
    /// Whether the peer has shown no valid token yet.
    var isStranger: Bool { token.id == 0 && helloToken == 0 && !isControl }

    /// Whether every accepted line is durable (or was refused): nothing of it is in a batch.
    var isSettled: Bool { runsBegun == runsCompleted }

    /// Whether there is a number for another line.
    var hasNumber: Bool { line < WireLimits.sequenceMax }

    /// The number of the next line; 0 when the highest one was taken.
    @discardableResult func takeNumber() -> UInt64 {
        if !hasNumber { return 0 }
        line += 1
        return line
    }

    /// Keeps `count` bytes at `bytes` as the start of the next line.
    func keepPartial(_ bytes: UnsafeRawPointer, count: Int) {
        let firstBytes = 512
        // What a longer line has left is given back: it is not in the loop's account of what is held.
        if count > partialCapacity || partialCapacity / 4 > max(count, firstBytes) {
            var capacity = firstBytes
            while capacity < count { capacity *= 2 }
            unsafe partial?.deallocate()
            unsafe partial = .allocate(byteCount: capacity, alignment: 8)
            partialCapacity = capacity
        }
        // In bounds: the capacity was made to hold `count`.
        if count > 0 { unsafe partial!.copyMemory(from: bytes, byteCount: count) }
        partialCount = count
    }

    /// Whether an answer waits for the run that was begun last: what comes now is behind it.
    var hasReplyBehindRun: Bool { deferred.last?.afterRun == runsBegun }

    /// Keeps an answer of mode `each` until the lines before it are settled.
    func deferReply(_ bytes: [UInt8]) {
        deferredBytes += bytes.count
        if let last = deferred.last, last.afterRun == runsBegun {
            deferred[deferred.count - 1].bytes += bytes
        } else {
            deferred.append(DeferredReply(afterRun: runsBegun, bytes: bytes))
        }
    }

    /// Moves the answers that need not wait any longer to the others.
    func releaseReplies() {
        let count = deferred.prefix { $0.afterRun <= runsCompleted }.count
        if count == 0 { return }
        for next in deferred[..<count] {
            output += next.bytes
            deferredBytes -= next.bytes.count
        }
        deferred.removeFirst(count)
    }

    /// Gives the buffer of an unfinished line back when there is none.
    func dropPartial() {
        unsafe partial?.deallocate()
        unsafe partial = nil
        partialCapacity = 0
        partialCount = 0
    }
}
