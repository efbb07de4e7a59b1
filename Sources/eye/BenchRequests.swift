// A connection to the HTTP service: one POST /events/ with NDJSON at a time. At a given rate lines gather while a request is
// under way, and the latency of a request counts from the moment its last line was due.

import EyeClient
import EyeSystem
import EyeWire

/// A connection that posts events.
final class BenchRequests: BenchConnection {
    private let head: [UInt8]
    private let linesPerRequest: UInt64
    private var output: [UInt8] = []
    private var outputOffset = 0
    private var input: [UInt8] = []
    /// Lines of the request under way; 0: none is.
    private var underWay: UInt64 = 0
    /// Bytes of an answer's head; a longer one is no answer of ours.
    private static let headBytesMax = 16 * 1024

    init(
        _ socket: consuming Descriptor, _ pool: LinePool, firstLine: Int, isScheduled: Bool, plan: BenchPlan,
        host: String,
        clock: BenchClock
    ) {
        linesPerRequest = UInt64(plan.linesPerPiece)
        head =
            Array("POST /events/ HTTP/1.1\r\nHost: \(host)\r\nAuthorization: Token ".utf8) + plan.token
            + Array("\r\nContent-Type: application/x-ndjson\r\nContent-Length: ".utf8)
        super.init(socket, pool, firstLine: firstLine, isScheduled: isScheduled, clock: clock)
    }

    override func write(_ tally: inout BenchTally) throws(SystemError) -> Bool {
        isBlocked = false
        if underWay == 0 {
            let owed = assigned - begun
            if owed >= linesPerRequest || (isEnded && owed > 0) {
                begin(min(owed, linesPerRequest))
            } else {
                if isEnded { isDone = true }
                return false
            }
        }
        guard outputOffset < output.count else { return false }
        guard case .bytes(let count) = try Socket.send(socket.number, output, from: outputOffset) else {
            isBlocked = true
            return false
        }
        outputOffset += count
        tally.bytes += UInt64(count)
        isBlocked = outputOffset < output.count
        if !isBlocked {
            tally.lines += underWay
            tally.pieces += 1
            tally.sendEnd = max(tally.sendEnd, clock.now)
        }
        return true
    }

    private func begin(_ lines: UInt64) {
        let last = pool.end(from: nextLine, limit: lines, bytesMax: .max / 2)
        let body = pool.starts[nextLine]..<pool.starts[last]
        underWay = UInt64(last - nextLine)
        begun += underWay
        nextLine = last == pool.count ? 0 : last
        output.removeAll(keepingCapacity: true)
        outputOffset = 0
        output.append(contentsOf: head)
        output.append(decimal: UInt64(body.count))
        output.append("\r\n\r\n")
        output.append(contentsOf: pool.bytes[body])
        if !isScheduled { mark(last: begun, due: Double(clock.now), step: 0) }
    }

    override func take(_ bytes: ArraySlice<UInt8>, _ tally: inout BenchTally) {
        if bytes.isEmpty { return fail("the server closed a connection", &tally) }
        input.append(contentsOf: bytes)
        guard let answer = HTTPAnswer(input) else {
            if input.count > BenchRequests.headBytesMax { fail("an answer without end", &tally) }
            return
        }
        guard underWay > 0, outputOffset == output.count else {
            // Early answers end a request that the server does not want; nothing is known of its lines.
            return fail("status \(answer.status) before the request was sent", &tally)
        }
        // An answer does not tell duplicates from lines that were stored now.
        let accepted = answer.number("\"accepted\":", in: input) ?? 0
        let rejected = answer.number("\"rejected\":", in: input) ?? (accepted == 0 ? underWay : 0)
        tally.add(
            LineCounts(received: underWay, accepted: accepted, rejected: rejected, duplicate: 0), of: underWay)
        if answer.status != 201 {
            let shown = 200
            tally.note(
                error: "status \(answer.status): \(String(decoding: input[answer.body].prefix(shown), as: UTF8.self))")
        }
        settleOnce(upTo: begun, now: clock.now, &tally)
        input.removeAll(keepingCapacity: true)
        underWay = 0
        // The next request, or the end, at the next turn.
        isBlocked = true
    }

    private func fail(_ text: String, _ tally: inout BenchTally) {
        isDone = true
        tally.withoutBye += 1
        tally.note(failure: text)
    }
}

/// The few things that a load generator reads from an answer of our own service.
struct HTTPAnswer {
    let status: Int
    /// Where the body lies; it is complete.
    let body: Range<Int>

    /// Nil while the answer is not complete, or cannot be read.
    init?(_ bytes: [UInt8]) {
        let end = Array("\r\n\r\n".utf8)
        guard let headEnd = HTTPAnswer.find(end, in: bytes[...]), headEnd > 12 else { return nil }
        let head = String(decoding: bytes[..<headEnd], as: UTF8.self)
        guard let status = Int(head.dropFirst(9).prefix(3)) else { return nil }
        var length = 0
        for line in head.split(separator: "\r\n") where line.lowercased().hasPrefix("content-length:") {
            length = Int(line.dropFirst(15).drop { $0 == " " }) ?? 0
        }
        guard length >= 0, bytes.count - headEnd - end.count >= length else { return nil }
        self.status = status
        body = headEnd + end.count..<headEnd + end.count + length
    }

    /// The whole number behind the first `label` in the body.
    func number(_ label: String, in bytes: [UInt8]) -> UInt64? {
        let label = Array(label.utf8)
        guard let place = HTTPAnswer.find(label, in: bytes[body]) else { return nil }
        let digits = bytes[(place + label.count)..<body.upperBound].prefix { $0 >= 0x30 && $0 <= 0x39 }
        return UInt64(String(decoding: digits, as: UTF8.self))
    }

    private static func find(_ needle: [UInt8], in bytes: ArraySlice<UInt8>) -> Int? {
        guard bytes.count >= needle.count else { return nil }
        return (bytes.startIndex...bytes.endIndex - needle.count).first {
            bytes[$0..<$0 + needle.count].elementsEqual(needle)
        }
    }
}
