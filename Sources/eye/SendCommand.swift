// `eye send`: events from a file or stdin to a running service, with a report on every line that was not taken.

import EyeClient
import EyeSystem
import EyeWire

/// `eye send`.
enum SendCommand {
    static let command = Command(
        path: ["send"], summary: "Sends events from a file or stdin.",
        details: [
            "Each line is an event {…}, to which the token is added, or TOKEN {…}. Empty lines and # comments are skipped.",
            "Ends with code 1 if any line was rejected; says which ones and why. unanswered=N, code 1 too: the answers to N lines were lost with",
            "the connection. With --client-id what was stored all the same is found again and counted as accepted; what is left was judged, and",
            "is against the rules.",
        ],
        operands: [Operand(name: "FILE", isOptional: true)],
        options: [
            Option(
                name: "tcp", placeholder: "HOST:PORT", kind: .address, environment: "EYE_TCP",
                fallback: "127.0.0.1:8127",
                help: "Sends by TCP."),
            Option(
                name: "udp", placeholder: "HOST:PORT", kind: .address,
                help: "Sends by UDP, which answers nothing: what is lost or rejected stays unknown here."),
            Option(name: "unix", placeholder: "PATH", kind: .text, help: "Sends to a Unix socket, DIR/ingest.sock."),
            CommandTable.tokenFile("the token for lines without one"), CommandTable.token(),
            Option(
                name: "client-id", placeholder: "ID", kind: .text,
                help:
                    "Exactly once: reconnects and sends again what was not answered; a later run with the same ID and "
                    + "the same lines goes on where this one ended. A service that is away, at the start or later, is waited for, a "
                    + "minute without progress at most; stderr says so."),
            Option(name: "silent", kind: .flag, help: "Asks for no acks; the server's last words are the report."),
            Option(
                name: "rate", placeholder: "N", kind: .number(1...10_000_000),
                help: "Sends at most N lines a second; for UDP, which has no other brake."),
        ],
        run: { invocation throws(Failure) in
            var job = try SendJob(invocation)
            return try job.run()
        })
}

/// One run of `eye send`.
struct SendJob {
    private let input: InputFile
    private let sender: EventSender
    private var reader: EventLineReader
    private var refused: [LineError] = []
    private var refusedCount: UInt64 = 0
    private let linesPerSecond: UInt64?
    private let isDatagram: Bool
    private let isExactlyOnce: Bool
    private var progress: ProgressLine?

    /// Rejected lines that are shown one by one.
    private static let shownErrorsMax = 1_000

    init(_ invocation: Invocation) throws(Failure) {
        let address = try SendJob.address(invocation)
        let token = try SendJob.token(invocation)
        var delivery = Delivery.acknowledged
        if invocation.isSet("silent") || address.isDatagram { delivery = .silent }
        if let clientID = invocation.text("client-id") {
            guard delivery != .silent else {
                throw Failure("--client-id needs answers: not with --silent or --udp", code: ExitCode.usage)
            }
            guard !token.isEmpty else {
                throw Failure("--client-id needs a token: use --token-file or EYE_TOKEN", code: ExitCode.usage)
            }
            delivery = .exactlyOnce(clientID: clientID, fromOne: true)
        }
        var options = SendOptions(token: token, delivery: delivery)
        options.client = "eye-send/\(EyeVersion.text)"
        sender = EventSender(address, options)
        isExactlyOnce = invocation.isSet("client-id")
        reader = EventLineReader(token: token)
        linesPerSecond = invocation.number("rate").map { UInt64($0) }
        isDatagram = address.isDatagram
        input = try InputFile(invocation.operands.first ?? "-")
        tellWaiting(options)
    }

    /// Sends `input` by a sender that was made elsewhere, and shows how far it is.
    init(
        _ input: InputFile, to address: ClientAddress, _ options: SendOptions, _ reader: EventLineReader,
        progress: ProgressLine
    ) {
        isExactlyOnce = options.delivery != .acknowledged
        self.input = input
        sender = EventSender(address, options)
        self.reader = reader
        self.progress = progress
        linesPerSecond = nil
        isDatagram = false
        tellWaiting(options)
    }

    /// A service that is away is waited for, and nobody shall wonder at the silence.
    private func tellWaiting(_ options: SendOptions) {
        let progress = progress
        sender.onWait = { reason in
            progress?.end()
            guard let reason else { return Output.error("the service takes events again; going on") }
            let seconds = options.retryMilliseconds / 1000
            Output.error("waiting for the service, \(seconds) s without progress at most: \(reason)")
        }
    }

    /// Whether any line was given to the service.
    var hasSent: Bool { sender.report.sent > 0 }

    /// Sends everything and reports; returns the exit code.
    mutating func run() throws(Failure) -> Int32 {
        var failure: Failure?
        do throws(SendError) {
            failure = try sendAll()
            _ = try sender.finish()
        } catch {
            failure = Failure(error.description)
        }
        progress?.end()
        showErrors()
        if failure == nil || sender.report.sent + refusedCount > 0 { try Output.out(summary) }
        if let failure { throw failure }
        let isClean = refusedCount == 0 && sender.report.rejected == 0 && sender.report.unseen == 0
        return isClean ? ExitCode.success : ExitCode.failure
    }

    /// Returns why reading ended early, if it did; what was read before is sent.
    private mutating func sendAll() throws(SendError) -> Failure? {
        var lines = LineInput(input, lineBytesMax: reader.inputLineBytesMax)
        let start = SystemTime().monotonicNanoseconds()
        while true {
            let line: LineInput.Line
            do throws(SystemError) {
                guard let next = try lines.next() else { return nil }
                line = next
                progress?.show(lines.bytes)
            } catch {
                return Failure(error, input.name)
            }
            switch reader.take(line, number: lines.number) {
            case .ignore: continue
            case .refuse(let error):
                refusedCount += 1
                if refused.count < SendJob.shownErrorsMax { refused.append(error) }
            case .send(let bytes):
                try sender.send(line: bytes)
                if let linesPerSecond { try slowDown(linesPerSecond, since: start) }
            }
        }
    }

    private func slowDown(_ linesPerSecond: UInt64, since start: UInt64) throws(SendError) {
        let due = start + reader.sent * 1_000_000_000 / linesPerSecond
        let now = SystemTime().monotonicNanoseconds()
        let pauseNanosecondsMin: UInt64 = 2_000_000
        guard due > now + pauseNanosecondsMin else { return }
        try sender.flush()
        StandardStream.pause(milliseconds: Int(min((due - now) / 1_000_000, 1_000)))
    }

    private func showErrors() {
        let report = sender.report
        let answered = report.errors.map { error in
            LineError(line: reader.inputNumber(of: error.line), code: error.code, text: error.text)
        }
        let all = (refused + answered).sorted { $0.line < $1.line }
        for error in all { Output.error("line \(error.line): \(error.code): \(error.text)") }
        let hidden = report.unlistedErrors + refusedCount - UInt64(refused.count)
        if hidden > 0 { Output.error("\(hidden) further lines were rejected") }
        if report.unseen > 0 {
            Output.error(
                isExactlyOnce
                    ? "\(report.unseen) lines were judged, but their answers were lost with a connection; they seem to be against the rules: "
                        + "see GET /errors/"
                    : "the answers to \(report.unseen) lines were lost with the connection: whether they were stored is not known"
            )
        }
    }

    private var summary: String {
        let report = sender.report
        let lines = report.sent + refusedCount
        if isDatagram { return "lines=\(lines) sent=\(report.sent) rejected=\(refusedCount) (UDP answers nothing)\n" }
        let unseen = report.unseen > 0 ? " unanswered=\(report.unseen)" : ""
        return "lines=\(lines) accepted=\(report.accepted) rejected=\(report.rejected + refusedCount) "
            + "duplicate=\(report.duplicate)\(unseen)\n"
    }

    private static func address(_ invocation: Invocation) throws(Failure) -> ClientAddress {
        guard invocation.given.intersection(["tcp", "udp", "unix"]).count <= 1 else {
            throw Failure("give one of --tcp, --udp and --unix", code: ExitCode.usage)
        }
        if let path = invocation.text("unix") { return .unix(path) }
        if let text = invocation.address("udp") { return .udp(text) }
        guard let text = invocation.address("tcp"), !invocation.given.contains("udp") else {
            throw Failure("'off' is no address to send to: write HOST:PORT", code: ExitCode.usage)
        }
        return .tcp(text)
    }

    /// The token of `--token-file`, `--token` or the variable; empty: none.
    static func token(_ invocation: Invocation) throws(Failure) -> [UInt8] {
        if let path = invocation.text("token-file") {
            guard !invocation.given.contains("token") else {
                throw Failure("give one of --token and --token-file", code: ExitCode.usage)
            }
            return try SecretFile.line(path, what: "token")
        }
        return Array((invocation.text("token") ?? "").utf8)
    }
}
