// `eye stats count|hits|top|uniq|funnel`: statistics about the events that pass a filter, drawn for people, or as JSON. Reads the data folder
// itself, with the parameters and the engine of `GET /stats/…`. Ctrl-C ends it between two steps.

import EyeQueryHTTP
import EyeStore
import EyeSystem
import Glibc

/// `eye stats`.
enum StatsCommand {
    static let all = StatsQuery.Kind.allCases.map { command($0) }

    private static func command(_ kind: StatsQuery.Kind) -> Command {
        Command(
            path: ["stats", kind.rawValue], summary: summary(kind),
            details: QueryArguments.details + [
                "The options can be given as KEY=VALUE too. Reads the data folder; the service may run or not.",
                "Ends with code 4 if damage may have withheld events.",
            ],
            operands: [QueryArguments.operand],
            options: [CommandTable.data] + options(kind) + [
                Option(name: "json", kind: .flag, help: "One JSON object, that of GET /stats/\(kind.rawValue).")
            ],
            run: { invocation throws(Failure) in try StatsCommandRun(kind, invocation).run() })
    }

    private static func summary(_ kind: StatsQuery.Kind) -> String {
        switch kind {
        case .count: "Counts events, by fields if wanted."
        case .hits: "Draws how many events there were over time."
        case .top: "Shows the most frequent values of a field."
        case .uniq: "Counts different sessions, by fields if wanted."
        case .funnel: "Follows sessions through steps."
        }
    }

    /// The options that are parameters: their names are the same.
    static func options(_ kind: StatsQuery.Kind) -> [Option] {
        let by = Option(
            name: "by", placeholder: "FIELD", kind: .text, isRepeatable: true,
            help: "For each value of category, name, session_id or data.PATH.")
        switch kind {
        case .count, .uniq: return [by]
        case .hits:
            return [
                Option(
                    name: "step", placeholder: "SPAN", kind: .text,
                    help: "The length of a bucket, such as 10s, 5m, 1h, 1d, 1w; 1h if none is given."), by,
            ]
        case .top:
            return [
                Option(
                    name: "field", placeholder: "FIELD", kind: .text, help: "category, name, session_id or data.PATH."),
                Option(
                    name: "limit", short: "n", placeholder: "N", kind: .text,
                    help: "How many values; 10 if none is given."),
            ]
        case .funnel:
            return [
                Option(
                    name: "step", placeholder: "FILTERS", kind: .text, isRepeatable: true,
                    help: "A step, such as 'name:page view' or 'category:commerce;data.plan:pro'; 2 to 8 of them."),
                Option(
                    name: "mode", placeholder: "MODE", kind: .text,
                    help: "ordered: other events may lie between two steps (the default); strict: none may."),
                Option(
                    name: "window", placeholder: "SPAN", kind: .text,
                    help: "How long the way may take, such as 1h; without it as long as it likes."),
            ]
        }
    }
}

/// One run of `eye stats`.
private struct StatsCommandRun {
    private let query: StatsQuery
    private let isTimed: Bool
    private let isJSON: Bool
    private let source: StoreSource

    init(_ kind: StatsQuery.Kind, _ invocation: Invocation) throws(Failure) {
        var parameters = try QueryArguments.parameters(invocation, options: [])
        for option in StatsCommand.options(kind) {
            for value in invocation.all(option.name) { parameters.add(option.name, value) }
        }
        isTimed = parameters.has("timeout")
        do throws(ProblemError) {
            query = try StatsQuery(kind, parameters, now: SystemTime().nowMicroseconds())
        } catch {
            throw QueryArguments.failure(error.problem)
        }
        isJSON = invocation.isSet("json")
        source = try StoreSource(invocation)
    }

    func run() throws(Failure) -> Int32 {
        let interrupts = try Failure.of("signals") { () throws(SystemError) in try Signals([SIGINT]) }
        let snapshot = try source.snapshot()
        let run = StatsRun(query, snapshot, room: AnalysisRoom(), time: SystemTime(), isTimed: isTimed)
        let total = Double(snapshot.lastEventID)
        var progress = ProgressLine("counting", total: Int64(clamping: snapshot.lastEventID), of: .events)
        defer { progress.end() }
        let result = try source.run(run) { share in
            progress.show(Int64(share * total))
            return interrupts.next(timeoutMilliseconds: 0) == nil
        }
        guard let result else { return ExitCode.interrupted }
        progress.end()
        if isJSON {
            var out: [UInt8] = []
            StatsDocument.append(result, query, incomplete: run.damage, to: &out)
            if Terminal.isTerminal(STDOUT_FILENO) { out = EventText.harmless(out, asJSON: true) }
            try Output.out(out + [0x0A])
        } else {
            try Output.out(StatsText(query, columns: Terminal.columns(STDOUT_FILENO)).text(result))
        }
        return run.damage == nil ? ExitCode.success : ExitCode.store
    }
}
