// `eye import`: a file of exported events, or of event lines, into a running service, in its order, acknowledged. What `eye send` does, with
// the documents of `eye export` and an account of how far it is.

import EyeClient
import EyeSystem
import EyeWire

/// `eye import`.
enum ImportCommand {
    static let command = Command(
        path: ["import"], summary: "Sends a file that 'eye export' wrote, or event lines, to a running service.",
        details: [
            "Each line is an event as 'eye export --format ndjson' writes it (its id and received_at are given anew), {…} or TOKEN {…}.",
            "The same file again, with the same token, goes on where an earlier run ended: what is stored already is counted as",
            "duplicate and not stored twice. The service remembers that until a file was not sent for 30 days. stdin is not",
            "recognised (see --client-id). Events with an event_id that the service has seen lately are duplicates, too.",
            "A service that is away, at the start or later, is waited for, a minute without progress at most; stderr says so. Not with --again",
            "and from stdin, and not where the data folder is missing or may not be opened. Lines that it had stored, but whose answers were",
            "lost, count as accepted.",
            "Ends with code 1 if any line was rejected; says which ones and why. unanswered=N, code 1 too: lines that were judged, are against",
            "the rules, and whose answers were lost with a connection (with --again and from stdin: whose outcome is not known).",
        ],
        operands: [Operand(name: "FILE", isOptional: true)],
        options: [
            CommandTable.data,
            Option(
                name: "tcp", placeholder: "HOST:PORT", kind: .address,
                help: "Sends by TCP instead of to the socket in the data folder."),
            Option(name: "unix", placeholder: "PATH", kind: .text, help: "Sends to this Unix socket."),
            CommandTable.tokenFile("the token for the events"), CommandTable.token(),
            Option(
                name: "client-id", placeholder: "ID", kind: .text,
                help: "What the file is recognised by. Without it its content."),
            Option(name: "again", kind: .flag, help: "Sends everything, whatever an earlier run has sent."),
        ],
        run: { invocation throws(Failure) in try run(invocation) })

    private static func run(_ invocation: Invocation) throws(Failure) -> Int32 {
        let address = try address(invocation)
        let token = try SendJob.token(invocation)
        guard !token.isEmpty else {
            throw Failure("an import needs a token: use --token-file or EYE_TOKEN", code: ExitCode.usage)
        }
        guard !(invocation.isSet("again") && invocation.isSet("client-id")) else {
            throw Failure("give one of --again and --client-id", code: ExitCode.usage)
        }
        let path = invocation.operands.first ?? "-"
        var delivery = Delivery.acknowledged
        if let id = invocation.text("client-id") {
            delivery = .exactlyOnce(clientID: id, fromOne: true)
        } else if !invocation.isSet("again"), let id = try contentID(path) {
            delivery = .exactlyOnce(clientID: id, fromOne: true)
        }
        let input = try InputFile(path)
        var options = SendOptions(token: token, delivery: delivery)
        options.client = "eye-import/\(EyeVersion.text)"
        var job = SendJob(
            input, to: address, options, EventLineReader(token: token, takesDocuments: true),
            progress: ProgressLine("importing", totalBytes: StandardStream.size(input.descriptor) ?? 0))
        do throws(Failure) {
            return try job.run()
        } catch {
            guard delivery != .acknowledged, job.hasSent else { throw error }
            throw Failure("\(error.message); the same command again goes on where this one ended", code: error.code)
        }
    }

    private static func address(_ invocation: Invocation) throws(Failure) -> ClientAddress {
        guard invocation.given.intersection(["tcp", "unix"]).count <= 1 else {
            throw Failure("give one of --tcp and --unix", code: ExitCode.usage)
        }
        if let path = invocation.text("unix") { return .unix(path) }
        guard invocation.given.contains("tcp") else { return .unix("\(invocation.text("data") ?? "")/ingest.sock") }
        guard let text = invocation.address("tcp") else {
            throw Failure("'off' is no address to send to: write HOST:PORT", code: ExitCode.usage)
        }
        return .tcp(text)
    }

    /// A name for a file by its content: another file, or this one changed anywhere, is another. Nil: it cannot be read twice.
    private static func contentID(_ path: String) throws(Failure) -> String? {
        guard path != "-" else { return nil }
        let file = try InputFile(path)
        guard let size = StandardStream.size(file.descriptor) else { return nil }
        var progress = ProgressLine("looking at it", totalBytes: size)
        var checksum: UInt32 = 0
        var total: Int64 = 0
        var chunk: [UInt8] = []
        let chunkBytes = 1 << 20
        while true {
            chunk.removeAll(keepingCapacity: true)
            let count = try Failure.of(path) { () throws(SystemError) in
                try StandardStream.read(file.descriptor, limit: chunkBytes, into: &chunk)
            }
            if count == 0 { break }
            // In bounds: the buffer is the array's own and lives for the call.
            checksum = unsafe chunk.withUnsafeBytes { unsafe Checksum.crc32c($0, continuing: checksum) }
            total += Int64(count)
            progress.show(total)
        }
        progress.end()
        return "import-\(total)-\(String(checksum, radix: 16))"
    }
}
