import EyeTestVectors
import Foundation
import Testing

@testable import EyeWire

/// The protocol on paper: one connection whose commits happen at once and whose store is two dictionaries. It stands on the
/// framer, the splitter, the scanner, the commands and the replies, and does what protocol.md says with them.
final class ModelConnection {
    static let now: Int64 = 1_800_000_000_000_000

    let isControl: Bool
    var stream = FramerWindow()
    var out: [UInt8] = []
    var isClosed = false
    private var mode = Mode.silent
    private var held: [[UInt8]] = []
    private var heldMore: UInt64 = 0
    private var counts = LineCounts()
    private var bytes: UInt64 = 0
    private var line: UInt64 = 0
    private var acked: UInt64 = 0
    private var client: (token: [UInt8], id: [UInt8])?
    private var sequences: [[UInt8]: UInt64] = [:]
    private var eventIDs: [EyeWire.UUID: UInt64] = [:]
    private var lastID: UInt64 = 0

    init(isControl: Bool) { self.isControl = isControl }

    /// The window of a connection.
    struct FramerWindow {
        var framer = LineFramer()
        var window: [UInt8] = []
    }

    func receive(_ chunk: ArraySlice<UInt8>) {
        guard !isClosed else { return }
        if bytes < 2 {
            // What a connection begins with, TLS or not.
            let first = (stream.window + chunk).prefix(2)
            if bytes + UInt64(chunk.count) >= 2, Array(first).withUnsafeBytes({ WireLine.isTLS($0) }) {
                return refuse()
            }
        }
        bytes += UInt64(chunk.count)
        stream.window.append(contentsOf: chunk)
        while !isClosed, let piece = stream.window.withUnsafeBytes({ stream.framer.next(in: $0) }) { take(piece) }
        stream.window.removeFirst(stream.framer.release())
    }

    func halfClose() {
        guard !isClosed else { return }
        if let piece = stream.window.withUnsafeBytes({ stream.framer.finish(in: $0) }) { take(piece) }
        if !isClosed { bye() }
    }

    private func bye() {
        tellHeld()
        Reply.appendBye(counts, to: &out)
        isClosed = true
    }

    private func refuse() {
        Reply.appendError(line: 0, .wrongPort, to: &out)
        isClosed = true
    }

    private func take(_ piece: LineFramer.Piece) {
        switch piece {
        case .tooLong:
            countLine()
            reject(Fault(.tooLong), [])
        case .line(let range):
            let bytes = Array(stream.window[range])
            let kind = bytes.withUnsafeBytes { WireLine.split($0, isControl: isControl) }
            switch kind {
            case .ignored: break
            case .wrongPort: refuse()
            case .unknownCommand:
                speak()
                Reply.appendError(line: 0, .unknownCommand, to: &out)
            case .bare:
                countLine()
                reject(Fault(.badToken), bytes)
            case .event(let token, let json): judge(Array(bytes[token]), Array(bytes[json]))
            case .command(let verb, let argument):
                do throws(Fault) {
                    try run(
                        try bytes.span.withUnsafeBytes { (raw) throws(Fault) in
                            try Command.parse(verb, argument: argument, of: raw)
                        }, bytes)
                } catch {
                    speak()
                    bytes.withUnsafeBytes { Reply.appendError(line: 0, error, in: $0, to: &out) }
                }
            }
        }
    }

    private func countLine() {
        takeNumber()
        counts.received += 1
    }

    /// Of the line, or of the command that is answered like one; 0: there is none left.
    private var number: UInt64 = 0

    private func takeNumber() {
        number = line < WireLimits.sequenceMax ? line + 1 : 0
        line = max(line, number)
    }

    /// What is wrong with a token, if anything.
    private func fault(ofToken token: [UInt8]) -> Reject? {
        let name = Transcript.modelValues.first { Array($0.value.utf8) == token }?.key
        if name == nil || name == "BAD_TOKEN" { return .badToken }
        if name == "READ_TOKEN" { return .forbidden }
        if let client, client.token != token { return .forbidden }
        return nil
    }

    private func judge(_ token: [UInt8], _ json: [UInt8]) {
        countLine()
        if let reject = fault(ofToken: token) { return self.reject(Fault(reject), json) }
        if number == 0 { return self.reject(Fault(.overloaded, .sequence), json) }
        do throws(Fault) {
            let fields = try json.span.withUnsafeBytes { (raw) throws(Fault) in
                try EventScanner.scan(raw, latest: Self.now + WireLimits.futureMicrosecondsDefault)
            }
            if let id = client?.id, line <= sequences[id, default: 0] {
                counts.duplicate += 1
                if mode == .each { Reply.appendOK(line: line, id: 0, to: &out) }
            } else if let eventID = fields.eventID, let id = eventIDs[eventID] {
                counts.duplicate += 1
                if mode == .each { Reply.appendOK(line: line, id: id, to: &out) }
            } else {
                counts.accepted += 1
                lastID += 1
                if let eventID = fields.eventID { eventIDs[eventID] = lastID }
                if mode == .each { Reply.appendOK(line: line, id: lastID, to: &out) }
            }
            advance()
        } catch {
            reject(error, json)
        }
    }

    private func advance() {
        if let id = client?.id { sequences[id] = max(sequences[id, default: 0], line) }
        if line > acked {
            acked = line
            if mode == .acks { Reply.appendAck(line: line, to: &out) }
        }
    }

    private func reject(_ fault: Fault, _ text: [UInt8]) {
        counts.rejected += 1
        var reply: [UInt8] = []
        text.withUnsafeBytes { Reply.appendError(line: number, fault, in: $0, to: &reply) }
        if mode != .silent {
            out += reply
        } else if held.count < WireLimits.heldErrorsMax {
            held.append(reply)
        } else {
            heldMore += 1
        }
        advance()
    }

    private func tellHeld() {
        for reply in held { out += reply }
        held = []
        if heldMore > 0 { Reply.appendMore(heldMore, to: &out) }
        heldMore = 0
    }

    private var hasSpoken = false

    /// A command came: the first silence ends, unless the command says otherwise.
    private func speak(_ named: Mode? = nil) {
        let next = named ?? (hasSpoken ? mode : .errors)
        hasSpoken = true
        mode = next
        if next != .silent { tellHeld() }
    }

    private func run(_ command: Command, _ bytes: [UInt8]) throws(Fault) {
        switch command {
        case .session, .reject, .erase:
            speak()
            takeNumber()
            if number == 0 {
                return bytes.withUnsafeBytes {
                    Reply.appendError(line: 0, Fault(.overloaded, .sequence), in: $0, to: &out)
                }
            }
        default: break
        }
        switch command {
        case .hello(let hello):
            if let token = hello.token {
                client = nil
                if let reject = fault(ofToken: token) { throw Fault(reject) }
            }
            speak(hello.mode)
            client = nil
            if let token = hello.token, let id = hello.clientID {
                client = (token, id)
                let last = sequences[id, default: 0]
                line = (hello.sequence ?? last + 1) - 1
                acked = last
                Reply.appendHello(server: "the-eye/test", lastSequence: last, now: Self.now, to: &out)
            } else {
                if let sequence = hello.sequence { line = sequence - 1 }
                acked = line
                Reply.appendHello(server: "the-eye/test", lastSequence: line, now: Self.now, to: &out)
            }
        case .mode(let mode):
            speak(mode)
            Reply.appendOK(mode, to: &out)
        case .ping(let range):
            speak()
            bytes.withUnsafeBytes { Reply.appendPong(UnsafeRawBufferPointer(rebasing: $0[range]), to: &out) }
        case .sync:
            speak()
            Reply.appendSync(line: line, to: &out)
        case .check(let token, let json):
            speak()
            if let reject = fault(ofToken: Array(bytes[token])) { throw Fault(reject) }
            let fault = Array(bytes[json]).withUnsafeBytes { raw -> Fault? in
                EventCheck.problems(raw, latest: Self.now + WireLimits.futureMicrosecondsDefault).first
            }
            if let fault { throw fault.shifted(by: json.lowerBound) }
            Reply.appendOK(to: &out)
        case .stats:
            speak()
            Reply.appendStats(counts, bytes: self.bytes, mode: mode, line: line, durable: line, to: &out)
        case .help:
            speak()
            Reply.appendHelp(isControl: isControl, to: &out)
        case .quit:
            speak()
            bye()
        case .session(let token, _):
            if let reject = fault(ofToken: Array(bytes[token])) {
                return Reply.appendError(line: line, reject, to: &out)
            }
            Reply.appendOK(line: line, id: 0, to: &out)
        case .reject:
            Reply.appendOK(line: line, id: 0, to: &out)
        case .used: speak()
        case .metrics:
            speak()
            Reply.appendMetrics(lineCount: 0, to: &out)
        case .erase(let token, _):
            if Array(bytes[token]) != Array("-".utf8) {
                // No token of the transcripts may erase.
                return Reply.appendError(line: line, fault(ofToken: Array(bytes[token])) ?? .forbidden, to: &out)
            }
            Reply.appendErased(line: line, ErasureCounts(), to: &out)
        }
    }
}

@Suite struct TranscriptTests {
    @Test func thereAreEnough() {
        #expect(Transcript.all.count >= 25)
    }

    /// Every code that a line can cause is in some transcript.
    @Test func everyCodeOfALineIsPlayed() {
        let told = Transcript.all.flatMap(\.steps).compactMap { step -> String? in
            if case .expect(let line) = step, line.hasPrefix("-ERR ") { return String(line.split(separator: " ")[2]) }
            return nil
        }
        for reject in Reject.allCases where reject.fate == .drop && reject != .cutLine {
            #expect(told.contains("\(reject.code)"), "\(reject.code)")
        }
    }

    /// Step by step, each `C:` as a whole: answers come exactly where the transcript has them.
    @Test(arguments: Transcript.all)
    func stepByStep(_ transcript: Transcript) {
        let connection = ModelConnection(isControl: transcript.isControl)
        var lines: [String] = []
        for step in transcript.steps {
            lines += connection.out.split(separator: 0x0A, omittingEmptySubsequences: false).dropLast()
                .map { String(decoding: $0, as: UTF8.self) }
            connection.out = []
            switch step {
            case .send(let bytes):
                #expect(lines.isEmpty, "said too early")
                connection.receive(bytes[...])
            case .halfClose:
                #expect(lines.isEmpty, "said before the half-close")
                connection.halfClose()
            case .quiet: #expect(lines.isEmpty)
            case .end: #expect(lines.isEmpty && connection.isClosed)
            case .expect(let pattern):
                guard !lines.isEmpty else {
                    Issue.record("nothing was said; wanted: \(pattern)")
                    return
                }
                let line = lines.removeFirst()
                #expect(Transcript.matches(line, pattern), "\(line)\n  wanted: \(pattern)")
            }
        }
        #expect(connection.out.isEmpty)
    }

    /// All bytes in pieces, however cut: the same answers, all told.
    @Test(arguments: Transcript.all)
    func cutAnywhere(_ transcript: Transcript) {
        var stream: [UInt8] = []
        var expected: [String] = []
        var isHalfClosed = false
        for step in transcript.steps {
            if case .send(let bytes) = step { stream += bytes }
            if case .expect(let line) = step { expected.append(line) }
            if case .halfClose = step { isHalfClosed = true }
        }
        // What the bytes in one piece were answered, once that is known to be right.
        var whole: [UInt8]?
        func play(_ cuts: [Int]) {
            let connection = ModelConnection(isControl: transcript.isControl)
            var start = 0
            for cut in cuts + [stream.count] {
                connection.receive(stream[start..<cut])
                start = cut
            }
            if isHalfClosed { connection.halfClose() }
            if let whole, connection.out == whole { return }
            let lines = connection.out.split(separator: 0x0A).map { String(decoding: $0, as: UTF8.self) }
            let isSame = lines.count == expected.count && zip(lines, expected).allSatisfy { Transcript.matches($0, $1) }
            if !isSame { Issue.record("cut at \(cuts.prefix(3)): \(lines)") }
            if isSame && cuts.isEmpty { whole = connection.out }
        }
        play([])
        if stream.count < 20_000 {
            play(Array(1..<max(stream.count, 1)))
            // At every position; in long transcripts at as many as fit the time.
            let plays = TestSize.pick(4_000, long: 20_000)
            for cut in stride(from: 1, to: stream.count, by: max(1, stream.count * expected.count / plays)) {
                play([cut])
            }
        } else {
            for cut in stride(from: 1, to: stream.count, by: 20_011) { play([cut]) }
            play(Array(stride(from: 1, to: stream.count, by: 1000)))
        }
    }
}
