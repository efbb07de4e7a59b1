// The way from the HTTP service into the store: lines to the ingest side's DIR/control.sock and its verdicts, pipelined and
// strictly in order. Non-blocking, on the loop's thread. Invariant: every line taken gets exactly one verdict, `lost` if the
// connection ends first; at most `channelLinesMax` lines and `channelBytesMax` bytes wait.
//
// Connects when somebody wants to write (a Unix socket answers at once), so that an ingest side that comes back is found by
// the next request, and one that is away costs nothing.

import EyeSystem
import EyeWire

/// What the ingest side said to one line.
enum Verdict {
    /// Durable. The event's id; 0 for what is no event, or for a duplicate whose first one is no longer known.
    case stored(id: UInt64)
    /// Refused. `reject` is nil for a code that this binary does not know.
    case rejected(Reject?, code: String, text: String)
    /// The answer to METRICS.
    case metrics([UInt8])
    /// The answer to ERASE.
    case erased(ErasureCounts)
    /// No answer came: nothing is known about this line.
    case lost
}

/// Who waits for verdicts.
protocol VerdictTaker: AnyObject {
    /// The verdict of the line that was sent with `tag`.
    func take(_ verdict: Verdict, tag: Int)
    /// There is room again after `send` said no.
    func channelHasRoom()
}

/// A pipelined connection to the ingest side.
final class ControlChannel: LoopSource {
    /// What is asked: an answer of another kind is not this one's, and would give everybody behind it somebody else's.
    private enum Question {
        /// Our own MODE line.
        case mode
        /// Something to be stored, kept or erased.
        case line
        case metrics
    }

    private struct Waiting {
        var question: Question
        /// Nil for our own MODE line.
        var taker: (any VerdictTaker)?
        var tag: Int
        var since: UInt64
    }

    private let path: String
    private let patienceMilliseconds: UInt64
    private unowned let loop: HTTPLoop
    private let time: any TimeSource
    private var token: UInt64 = 0
    private var socket: ChannelSocket?
    private var nextTry: UInt64 = 0
    /// Called when the ingest side was found.
    var onUp: () -> Void = {}

    private var output: [UInt8] = []
    private var outputOffset = 0
    private var input: [UInt8] = []
    private var waiting: [Waiting] = []
    /// Where in `waiting` the oldest one is.
    private var oldest = 0
    /// Metrics lines still to come, and those that came.
    private var metricsLeft: UInt64 = 0
    private var metricsText: [UInt8] = []
    private var waitingForRoom: [any VerdictTaker] = []
    private let room = ReadRoom()

    /// `patienceMilliseconds`: how long a line may wait for its verdict.
    init(
        path: String, loop: HTTPLoop, time: any TimeSource,
        patienceMilliseconds: UInt64 = HTTPLimits.verdictMilliseconds
    ) {
        self.path = path
        self.patienceMilliseconds = patienceMilliseconds
        self.loop = loop
        self.time = time
        token = loop.add(self)
    }

    /// Lines sent and not yet answered.
    var waitingCount: Int { waiting.count - oldest }

    /// Whether the ingest side can be reached; tries to connect if it was not.
    func isUp() -> Bool {
        if socket != nil { return true }
        let now = time.monotonicNanoseconds()
        if now < nextTry { return false }
        nextTry = now + HTTPLimits.reconnectMilliseconds * 1_000_000
        do throws(SystemError) {
            let address: SocketAddress
            do throws(AddressError) {
                address = try SocketAddress.path(path)
            } catch {
                return false
            }
            let opened = ChannelSocket(try Socket.connect(address, nonBlocking: true))
            try loop.poller.add(opened.number, .readable, token: token)
            socket = opened
        } catch {
            return false
        }
        onUp()
        waiting.append(Waiting(question: .mode, taker: nil, tag: 0, since: now))
        output.append(text: "MODE each\n")
        return true
    }

    /// The ingest side is there again, as another channel has found out: the next line need not wait for the next try.
    func tryAgain() { nextTry = 0 }

    /// What became of a line that should be sent.
    enum Sending {
        /// Its verdict will come.
        case sent
        /// No room: `channelHasRoom` will be called.
        case full
        /// The ingest side is not there.
        case down
    }

    /// Sends one line, which ends in LF.
    func send(_ line: [UInt8], from taker: any VerdictTaker, tag: Int = 0) -> Sending {
        send(line, .line, from: taker, tag: tag)
    }

    /// Asks for the ingest side's metrics.
    func askMetrics(from taker: any VerdictTaker) -> Sending {
        send(ChannelLine.metrics, .metrics, from: taker, tag: 0)
    }

    private func send(_ line: [UInt8], _ question: Question, from taker: any VerdictTaker, tag: Int) -> Sending {
        guard isUp() else { return .down }
        if waitingCount >= HTTPLimits.channelLinesMax || output.count - outputOffset >= HTTPLimits.channelBytesMax {
            waitingForRoom.append(taker)
            return .full
        }
        waiting.append(Waiting(question: question, taker: taker, tag: tag, since: time.monotonicNanoseconds()))
        output.append(contentsOf: line)
        return .sent
    }

    /// Sends a line that nobody answers, if the ingest side is there and has room.
    func post(_ line: [UInt8]) {
        guard isUp(), output.count - outputOffset < HTTPLimits.channelBytesMax else { return }
        output.append(contentsOf: line)
    }

    /// Ends the connection.
    func close() {
        guard socket != nil else { return }
        socket = nil  // closes, which takes it out of the poller
        output = []
        outputOffset = 0
        input = []
        metricsLeft = 0
        metricsText = []
        let unanswered = waiting[oldest...]
        waiting = []
        oldest = 0
        let roomless = waitingForRoom
        waitingForRoom = []
        for one in unanswered { one.taker?.take(.lost, tag: one.tag) }
        for taker in roomless { taker.channelHasRoom() }
    }

    // MARK: The loop's side

    func ready(_ readiness: Readiness) {
        guard socket != nil else { return }
        if readiness.contains(.readable) {
            read()
            flush()
        } else if !readiness.isDisjoint(with: .broken) {
            close()
        } else if readiness.contains(.writable) {
            flush()
        }
    }

    /// Everything that was written in a turn of the loop goes out together.
    func endTurn() {
        if outputOffset < output.count { flush() }
    }

    func tick(now: UInt64) {
        guard oldest < waiting.count else { return }
        let since = waiting[oldest].since
        if now > since && (now - since) / 1_000_000 >= patienceMilliseconds { close() }
    }

    private func flush() {
        while let socket, outputOffset < output.count {
            do throws(SystemError) {
                switch try socket.send(output, from: outputOffset) {
                case .bytes(let count): outputOffset += count
                case .wouldBlock, .end:
                    try socket.watch([.readable, .writable], loop.poller, token)
                    return
                }
            } catch {
                close()
                return
            }
        }
        output.removeAll(keepingCapacity: output.capacity <= HTTPLimits.readBytesMax)
        outputOffset = 0
        do throws(SystemError) {
            try socket?.watch(.readable, loop.poller, token)
        } catch {
            close()
        }
    }

    private func read() {
        guard let socket else { return }
        do throws(SystemError) {
            switch try unsafe Socket.receive(socket.number, into: room.buffer) {
            // In bounds: recv(2) filled `count` bytes of the room.
            case .bytes(let count): unsafe input.append(contentsOf: room.buffer[..<count])
            case .wouldBlock: return
            case .end:
                close()
                return
            }
        } catch {
            close()
            return
        }
        let bytes = input
        var start = 0
        // A taker may write, and writing may end this connection or begin another one.
        while self.socket === socket, let end = bytes[start...].firstIndex(of: .lineFeed) {
            takeLine(bytes[start..<end])
            start = end + 1
        }
        guard self.socket === socket else { return }
        input = start == bytes.count ? [] : Array(bytes[start...])
        if input.count > HTTPLimits.metricsBytesMax { close() }
        makeRoom()
    }

    private func takeLine(_ line: ArraySlice<UInt8>) {
        if metricsLeft > 0 {
            metricsText.append(contentsOf: line)
            metricsText.append(.lineFeed)
            metricsLeft -= 1
            if metricsLeft == 0 { settle(.metrics(metricsText), .metrics) }
            if metricsText.count > HTTPLimits.metricsBytesMax { close() }
            return
        }
        let bytes = Array(line)
        // In bounds: the buffer is the array's own and lives for the call.
        let reply = unsafe bytes.withUnsafeBytes { unsafe ReplyLine.parse($0) }
        switch reply {
        case .stored(_, let id): settle(.stored(id: id), .line)
        case .mode: settle(.stored(id: 0), .mode)
        case .erased(_, let counts): settle(.erased(counts), .line)
        case .metrics(let count):
            metricsText = []
            metricsLeft = count
            if count == 0 { settle(.metrics([]), .metrics) }
        case .error(_, let reject, let code, let text):
            // About the connection: it ends now, and with it everything unanswered.
            if reject?.fate == .close { return close() }
            settle(
                .rejected(
                    reject, code: String(decoding: bytes[code], as: UTF8.self),
                    text: String(decoding: bytes[text], as: UTF8.self)), .line)
        case .ok, .hello, .ack, .sync, .pong, .bye, .more, .stats, .help, nil:
            // Not our protocol: whose verdict comes next is unknown.
            close()
        }
    }

    /// Hands a verdict to the oldest line, which must have asked for such a one.
    private func settle(_ verdict: Verdict, _ question: Question) {
        guard oldest < waiting.count, waiting[oldest].question == question else { return close() }
        let one = waiting[oldest]
        waiting[oldest].taker = nil
        oldest += 1
        if oldest == waiting.count {
            waiting.removeAll(keepingCapacity: true)
            oldest = 0
        } else if oldest >= HTTPLimits.channelLinesMax {
            waiting.removeFirst(oldest)
            oldest = 0
        }
        metricsText = []
        one.taker?.take(verdict, tag: one.tag)
    }

    private func makeRoom() {
        guard !waitingForRoom.isEmpty, waitingCount < HTTPLimits.channelLinesMax / 2 else { return }
        let takers = waitingForRoom
        waitingForRoom = []
        for taker in takers { taker.channelHasRoom() }
    }
}

/// The channel's socket and what the poller watches it for.
final class ChannelSocket {
    private let descriptor: Descriptor
    private var wanted: Readiness = .readable

    init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }

    var number: Int32 { descriptor.number }

    func send(_ bytes: [UInt8], from offset: Int) throws(SystemError) -> Transfer {
        var failure: SystemError?
        // In bounds: the caller's offset is below the count.
        let transfer = unsafe bytes.withUnsafeBytes { buffer in
            do throws(SystemError) {
                return unsafe try Socket.send(number, UnsafeRawBufferPointer(rebasing: buffer[offset...]))
            } catch {
                failure = error
                return .wouldBlock
            }
        }
        if let failure { throw failure }
        return transfer
    }

    func watch(_ readiness: Readiness, _ poller: Poller, _ token: UInt64) throws(SystemError) {
        if readiness == wanted { return }
        try poller.change(number, readiness, token: token)
        wanted = readiness
    }
}
