// `eye export`: every event that passes a filter, as NDJSON (which `eye import` reads) or CSV, to stdout or a file; in constant memory.
// Reads the data folder itself.

import EyeQueryHTTP
import EyeStore
import EyeSystem
import Glibc

/// `eye export`.
enum ExportCommand {
    static let command = Command(
        path: ["export"], summary: "Writes all events that pass a filter as NDJSON or CSV.",
        details: QueryArguments.details + [
            "Exports what was durable when it began; the service may run or not. 'eye import' reads the NDJSON again.",
            "A file is written under the name FILE.part and gets its own when it is whole.",
            "Ends with code 4 if damage may have withheld events.",
        ],
        operands: [QueryArguments.operand],
        options: [
            CommandTable.data,
            Option(
                name: "output", short: "o", placeholder: "FILE", kind: .text, help: "Writes FILE instead of stdout."),
            Option(
                name: "format", placeholder: "FORMAT", kind: .choice(["ndjson", "csv"]),
                help:
                    "ndjson: one object a line, everything as it is; csv: for spreadsheets, texts that look like formulas "
                    + "begin with a '. Without it csv if FILE ends in .csv, else ndjson."),
            QueryArguments.fields,
            Option(
                name: "order", placeholder: "ORDER", kind: .choice(["id", "-id"]), fallback: "id",
                help: "id: oldest first; -id: newest first."),
            Option(name: "limit", placeholder: "N", kind: .number(1...2_147_483_647), help: "Writes at most N events."),
        ],
        run: { invocation throws(Failure) in try ExportRun(invocation).run() })
}

/// One run of `eye export`.
private struct ExportRun {
    private let query: EventQuery
    private let source: StoreSource
    private let path: String?

    init(_ invocation: Invocation) throws(Failure) {
        path = invocation.text("output")
        var parameters = try QueryArguments.parameters(invocation, options: ["fields", "limit"])
        if invocation.given.contains("order") || !parameters.has("order") {
            parameters.add("order", invocation.text("order") ?? "id")
        }
        if let format = invocation.text("format") {
            parameters.add("format", format)
        } else if !parameters.has("format") {
            parameters.add("format", path?.hasSuffix(".csv") ?? false ? "csv" : "ndjson")
        }
        query = try QueryArguments.query(parameters)
        guard query.format != .json, !query.isCount else {
            throw Failure("an export is ndjson or csv; 'eye query' shows and counts", code: ExitCode.usage)
        }
        source = try StoreSource(invocation)
    }

    func run() throws(Failure) -> Int32 {
        let snapshot = try source.snapshot()
        let cursor = snapshot.cursor(query.filter)
        let file = try path.map { (path) throws(Failure) in try OutputFile(path) }
        let isTerminal = file?.isTerminal ?? Terminal.isTerminal(STDOUT_FILENO)
        let writer = EventWriter(query.format, fields: query.fields)
        let limit = query.limit ?? Int.max
        let total = cursor.idsLeft
        // Between the events on a terminal there would be no reading either.
        let isSeen = path != nil || !isTerminal
        var progress = ProgressLine("exporting", total: Int64(clamping: total), of: .events)
        var out: [UInt8] = []
        var count = 0
        writer.appendHead(to: &out)
        let isWhole = try source.read(cursor) { event in
            writer.append(event, isTerminal: isTerminal, to: &out)
            count += 1
            return count < limit
        } afterStep: { () throws(Failure) in
            if let file { try file.write(out) } else { try Output.out(out) }
            out.removeAll(keepingCapacity: true)
            if isSeen { progress.show(Int64(clamping: total - min(total, cursor.idsLeft))) }
        }
        try file?.finish()
        if isSeen { progress.end() }
        if let path { try Output.out("\(path): \(count) events\n") }
        return isWhole ? ExitCode.success : ExitCode.store
    }
}

/// A file that a command writes: under another name until it is whole. What is no plain file (`/dev/null`, a pipe) is written as it is.
final class OutputFile {
    private let path: String
    private let temporary: String?
    private let descriptor: Descriptor

    init(_ path: String) throws(Failure) {
        self.path = path
        temporary = StandardStream.isNoPlainFile(path) ? nil : path + ".part"
        let name = temporary ?? path
        let flags = temporary == nil ? O_WRONLY : O_WRONLY | O_CREAT | O_TRUNC
        descriptor = try Failure.of(name) { () throws(SystemError) in try Descriptor.open(name, flags: flags) }
    }

    /// Whether it is a terminal.
    var isTerminal: Bool { Terminal.isTerminal(descriptor.number) }

    /// Appends bytes.
    func write(_ bytes: [UInt8]) throws(Failure) {
        let isRead = try Failure.of(path) { () throws(SystemError) in
            try StandardStream.write(descriptor.number, bytes)
        }
        if !isRead { throw Failure("\(path): nobody reads it any more") }
    }

    /// Nothing more comes: it is synced and gets its name.
    func finish() throws(Failure) {
        guard let temporary else { return }
        try Failure.of(path) { () throws(SystemError) in
            try StandardStream.synchronize(descriptor.number)
            try RealDisk().rename(temporary, to: path)
        }
    }
}
