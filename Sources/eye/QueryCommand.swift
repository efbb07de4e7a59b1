// `eye query`: the events that pass a filter, as a table for people, or as JSON, NDJSON or CSV. Reads the data folder itself.

import EyeQueryHTTP
import EyeStore
import EyeSystem
import Glibc

/// `eye query`.
enum QueryCommand {
    /// Events that are shown when no limit is given.
    static let limitDefault = 100

    static let command = Command(
        path: ["query"], summary: "Shows the events that pass a filter, or how many there are.",
        details: QueryArguments.details + [
            "Reads the data folder; the service may run or not. A table on a terminal, else a line of JSON for each event.",
            "Ends with code 4 if damage may have withheld events.",
        ],
        operands: [QueryArguments.operand],
        options: [
            CommandTable.data,
            Option(name: "json", kind: .flag, help: "One JSON array; with --count one object."),
            Option(name: "ndjson", kind: .flag, help: "One JSON object a line."),
            Option(
                name: "csv", kind: .flag,
                help: "A table for spreadsheets (RFC 4180); texts that look like formulas begin with a '."),
            Option(name: "table", kind: .flag, help: "Aligned columns."),
            QueryArguments.fields,
            Option(
                name: "limit", short: "n", placeholder: "N", kind: .number(1...2_147_483_647), fallback: "100",
                help: "Shows at most N events."),
            Option(
                name: "order", placeholder: "ORDER", kind: .choice(["-id", "id"]), fallback: "-id",
                help: "-id: newest first; id: oldest first."),
            Option(name: "count", kind: .flag, help: "Shows only their number."),
        ],
        run: { invocation throws(Failure) in try QueryRun(invocation).run() })
}

/// One run of `eye query`.
private struct QueryRun {
    private enum Shape { case table, array, stream }

    private let query: EventQuery
    private let source: StoreSource
    private let shape: Shape
    private let isJSON: Bool
    private let limit: Int
    private let isTerminal = Terminal.isTerminal(STDOUT_FILENO)

    /// Rows of an aligned table, which is in memory as a whole.
    private static let tableRowsMax = 10_000

    init(_ invocation: Invocation) throws(Failure) {
        let shapes = ["json", "ndjson", "csv", "table"].filter { invocation.isSet($0) }
        guard shapes.count <= 1 else {
            throw Failure("give one of --json, --ndjson, --csv and --table", code: ExitCode.usage)
        }
        var parameters = try QueryArguments.parameters(invocation, options: ["fields"])
        // What was given as a word is not overruled by a default.
        if invocation.given.contains("order") || !parameters.has("order") {
            parameters.add("order", invocation.text("order") ?? "-id")
        }
        let isCount = invocation.isSet("count")
        if isCount { parameters.add("count", "1") }
        if let shape = shapes.first, shape == "ndjson" || shape == "csv" { parameters.add("format", shape) }
        if invocation.given.contains("limit"), let limit = invocation.text("limit") { parameters.add("limit", limit) }
        query = try QueryArguments.query(parameters)
        limit = query.limit ?? QueryCommand.limitDefault
        isJSON = invocation.isSet("json")
        let isStream = query.format != .json
        let isTable = invocation.isSet("table") || (shapes.isEmpty && !isStream && isTerminal)
        shape = isJSON ? .array : isTable ? .table : .stream
        guard shape != .table || limit <= QueryRun.tableRowsMax || query.isCount else {
            throw Failure(
                "--limit: a table has at most \(QueryRun.tableRowsMax) rows; use --ndjson or --csv",
                code: ExitCode.usage)
        }
        source = try StoreSource(invocation)
    }

    func run() throws(Failure) -> Int32 {
        let cursor = try source.snapshot().cursor(query.filter)
        let isWhole: Bool
        if query.isCount {
            isWhole = try source.count(cursor)
            try Output.out(isJSON ? "{\"count\":\(cursor.count)}\n" : "\(cursor.count)\n")
        } else {
            isWhole =
                switch shape {
                case .table: try showTable(cursor)
                case .array: try showArray(cursor)
                case .stream: try showStream(cursor)
                }
        }
        return isWhole ? ExitCode.success : ExitCode.store
    }

    private func showTable(_ cursor: EventCursor) throws(Failure) -> Bool {
        var table = EventTable(fields: query.fields, columns: isTerminal ? Terminal.columns(STDOUT_FILENO) : nil)
        var hasMore = false
        let isWhole = try source.read(cursor) { event in
            if table.count == limit {
                hasMore = true
                return false
            }
            table.add(event)
            return true
        }
        try Output.out(table.text)
        if hasMore { Output.error("There are more than these \(limit): see --limit.") }
        return isWhole
    }

    private func showArray(_ cursor: EventCursor) throws(Failure) -> Bool {
        let writer = EventWriter(.json, fields: query.fields)
        var out = Array("[".utf8)
        var count = 0
        let isWhole = try source.read(cursor) { event in
            if count > 0 { out.append(contentsOf: ",\n".utf8) }
            writer.append(event, isTerminal: isTerminal, to: &out)
            count += 1
            return count < limit
        } afterStep: { () throws(Failure) in
            try Output.out(out)
            out.removeAll(keepingCapacity: true)
        }
        try Output.out("]\n")
        return isWhole
    }

    private func showStream(_ cursor: EventCursor) throws(Failure) -> Bool {
        let writer = EventWriter(query.format == .json ? .ndjson : query.format, fields: query.fields)
        var out: [UInt8] = []
        writer.appendHead(to: &out)
        var count = 0
        return try source.read(cursor) { event in
            writer.append(event, isTerminal: isTerminal, to: &out)
            count += 1
            return count < limit
        } afterStep: { () throws(Failure) in
            try Output.out(out)
            out.removeAll(keepingCapacity: true)
        }
    }
}
