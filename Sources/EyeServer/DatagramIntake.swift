// UDP: many datagrams a system call, one or more lines each, never an answer. What the kernel had to drop is read from the
// socket's own counter (SO_MEMINFO), so that datagrams sent = received + dropped, exactly.

import EyeStore
import EyeSystem
import EyeWire
import Glibc

/// A loop's UDP socket, its room for datagrams, and the tokens that were seen last.
final class DatagramIntake {
    private let socket: Descriptor
    let batch = DatagramBatch(slots: IngestLimits.datagramsPerRead)
    /// Remembered tokens, by a hash of their first bytes: many clients share one socket.
    var tokens: [RememberedToken]
    /// Where the token stands that was met last: the next datagram most likely carries the same one.
    var lastPlace = 0
    private var dropsSeen: UInt32 = 0
    private var hasWarned = false

    /// Remembered tokens, a power of two.
    static let tokensMax = 64

    var number: Int32 { socket.number }

    init(_ socket: consuming Descriptor) {
        self.socket = socket
        tokens = Array(repeating: RememberedToken(), count: DatagramIntake.tokensMax)
    }

    /// Adds what the kernel has dropped since the last look; its counter wraps at 2³².
    func lookAtDrops(_ counts: inout Counts, _ log: Log) {
        do throws(SystemError) {
            let drops = try Socket.drops(socket.number)
            counts.datagramsDropped += UInt64(drops &- dropsSeen)
            if drops != dropsSeen && !hasWarned {
                hasWarned = true
                log.warning(
                    "the kernel drops datagrams: the service is behind, or the receive buffer is small; see metrics")
            }
            dropsSeen = drops
        } catch {
            preconditionFailure("SO_MEMINFO of our own socket: \(error)")
        }
    }
}

extension IngestLoop {
    /// Takes what waits on the UDP socket, as far as there are batches for it: a datagram can fill a frame.
    func readDatagrams() {
        guard let intake = datagrams else { return }
        let received: Int
        do throws(SystemError) {
            received = try intake.batch.receive(intake.number, limit: framesAvailable - 1)
        } catch {
            // Errors of an earlier answer to nobody (ICMP); the socket lives.
            return
        }
        var path = straightPath(intake.tokens[intake.lastPlace])
        var isStraight = isStraight(intake.tokens[intake.lastPlace])
        for index in 0..<received {
            let bytes = unsafe intake.batch.bytes(index)
            counts.datagrams += 1
            counts.bytes += UInt64(bytes.count)
            guard let base = bytes.baseAddress else { continue }
            let isCut = intake.batch.isTruncated(index)
            var from = 0
            /// Where the token is remembered that a bare line inherits; -1: this datagram has shown none, or a bad one.
            var inherited = -1
            while from < bytes.count {
                // In bounds: `from` is below the count, and the search ends at it.
                let feed = unsafe memchr(base + from, 0x0A, bytes.count - from)
                let end = unsafe feed.map { unsafe UnsafeRawPointer($0) - base } ?? bytes.count
                // In bounds: `end` is behind `from` and at most the count.
                let last = unsafe end > from && bytes[end - 1] == 0x0D ? end - 1 : end
                let line = unsafe UnsafeRawBufferPointer(rebasing: bytes[from..<last])
                let isWhole = unsafe !isCut || feed != nil
                from = end + 1
                if isWhole, isStraight {
                    if unsafe path.hasToken(line) {
                        // In bounds: there is something behind the token.
                        let text = unsafe UnsafeRawBufferPointer(rebasing: line[StraightPath.jsonOffset...])
                        if unsafe path.store(text, client: .none) {
                            inherited = intake.lastPlace
                            continue
                        }
                    } else if inherited == intake.lastPlace, unsafe line.first == UInt8(ascii: "{"),
                        unsafe path.store(line, client: .none)
                    {
                        continue
                    }
                }
                settle(path)
                if isWhole {
                    unsafe judgeDatagramLine(line, intake, index, &inherited)
                } else {
                    unsafe refuseDatagram(Fault(.cutLine), line, intake, index, token: 0)
                }
                path = straightPath(intake.tokens[intake.lastPlace])
                isStraight = self.isStraight(intake.tokens[intake.lastPlace])
            }
        }
        settle(path)
    }

    /// Counts and notes what a straight path has stored.
    private func settle(_ path: StraightPath) {
        if path.stored == 0 { return }
        counts.lines += path.stored
        note(nil, lines: 0...0, firstRecord: path.firstRecord, slot: Run.datagrams, generation: 0)
    }

    private func judgeDatagramLine(
        _ line: UnsafeRawBufferPointer, _ intake: DatagramIntake, _ index: Int, _ inherited: inout Int
    ) {
        let json: Int
        switch unsafe WireLine.split(line) {
        case .ignored: return
        case .command, .unknownCommand:
            unsafe refuseDatagram(Fault(.unknownCommand), line, intake, index, token: 0)
            return
        case .wrongPort:
            unsafe refuseDatagram(Fault(.wrongPort), line, intake, index, token: 0)
            return
        case .bare: json = 0
        case .event(let token, let range):
            json = range.lowerBound
            // In bounds: the splitter's range lies in the line.
            let result = unsafe recall(UnsafeRawBufferPointer(rebasing: line[token]), intake)
            switch result {
            case .success(let place):
                inherited = place
                intake.lastPlace = place
            case .failure(let reject):
                inherited = -1
                unsafe refuseDatagram(Fault(reject), line, intake, index, token: 0)
                return
            }
        }
        guard inherited >= 0 else {
            unsafe refuseDatagram(Fault(.badToken), line, intake, index, token: 0)
            return
        }
        let token = intake.tokens[inherited].id
        if let reject = shedding() {
            unsafe refuseDatagram(Fault(reject), line, intake, index, token: token)
            return
        }
        let text = unsafe UnsafeRawBufferPointer(rebasing: line[json...])
        do throws(Fault) {
            let fields = try unsafe EventScanner.scan(text, latest: now + context.options.futureMicroseconds)
            counts.lines += 1
            unsafe store(fields, of: text, token: token, client: .none)
            note(
                nil, lines: 0...0, firstRecord: openBatch().frame.recordCount - 1, slot: Run.datagrams, generation: 0)
        } catch {
            unsafe refuseDatagram(error.shifted(by: json), line, intake, index, token: token)
        }
    }

    /// Where `token` is remembered; looks it up if it is not.
    private func recall(_ token: UnsafeRawBufferPointer, _ intake: DatagramIntake) -> Result<Int, Reject> {
        guard token.count == TokenSecret.count else { return .failure(.badToken) }
        // In bounds: the token has 40 bytes. Its first eight are random digits: any mixing spreads them.
        let head = unsafe token.loadUnaligned(fromByteOffset: 0, as: UInt64.self)
        let place = Int(truncatingIfNeeded: (head &* 0x9E37_79B9_7F4A_7C15) >> 58)
        if intake.tokens[place].version == bookVersion, unsafe intake.tokens[place].isEqual(to: token),
            now < intake.tokens[place].expires
        {
            return .success(place)
        }
        guard let entry = unsafe find(token) else { return .failure(.badToken) }
        guard entry.scopes.contains(.ingest) else { return .failure(.forbidden) }
        unsafe intake.tokens[place].remember(token, entry, version: bookVersion)
        return .success(place)
    }

    private func refuseDatagram(
        _ fault: Fault, _ line: UnsafeRawBufferPointer, _ intake: DatagramIntake, _ index: Int, token: UInt32
    ) {
        counts.lines += 1
        counts.reject(fault.reject)
        if context.sampleBudget.admits(fault.reject, now: now) {
            unsafe sample(fault, line, .udp, intake.batch.source(index), token: token)
        }
    }
}
