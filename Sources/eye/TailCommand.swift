// `eye tail`: the last events and then new ones as they become durable. With a token it asks the service, by its live stream; without one it reads the
// store's files itself, whether a service runs or not. Follows the event id, so that nothing is shown twice or left out.

import EyeQueryHTTP
import EyeStore
import EyeSystem
import EyeWire
import Glibc

/// `eye tail`.
enum TailCommand {
    private static let lastMax: Int64 = 10_000

    static let command = Command(
        path: ["tail"], summary: "Shows the last events and follows new ones.",
        details: QueryArguments.details + [
            "With a token of scope read (--token-file, EYE_TOKEN) it asks the service at --http. One that is away, at the start or later, is",
            "waited for, which stderr tells, and it goes on where it was; with --once it ends with code 1. Without a token, or with --data,",
            "it reads the data folder, and the service may run or not. Ends by Ctrl-C.",
        ],
        operands: [QueryArguments.operand],
        options: [
            CommandTable.data,
            CommandTable.http, CommandTable.tokenFile(), CommandTable.token(scope: "read"),
            Option(
                name: "last", short: "n", placeholder: "N", kind: .number(0...lastMax), fallback: "10",
                help: "Shows the last N events first."),
            Option(
                name: "category", placeholder: "TEXT", kind: .text, isRepeatable: true,
                help: "Only events of this category."),
            Option(
                name: "name", placeholder: "TEXT", kind: .text, isRepeatable: true, help: "Only events of this name."),
            Option(
                name: "session", placeholder: "UUID", kind: .text, isRepeatable: true,
                help: "Only events of this session."),
            Option(name: "rejected", kind: .flag, help: "Also shows samples of lines that are refused from now on."),
            Option(
                name: "format", placeholder: "FORMAT", kind: .choice(["json", "text"]),
                help: "json: one object a line; text: short lines. Without it text on a terminal, else json."),
            Option(name: "json", kind: .flag, help: "The same as --format json."),
            Option(name: "once", kind: .flag, help: "Ends after the last N instead of following."),
        ],
        run: { invocation throws(Failure) in
            let plan = try TailPlan(invocation)
            if let token = try service(invocation) {
                guard let address = invocation.address("http") else {
                    throw Failure("'off' is no address: write HOST:PORT", code: ExitCode.usage)
                }
                try TailService(plan, address: address, token: token).run()
            } else {
                try TailFolder(plan, StoreSource(invocation)).run()
            }
            return ExitCode.success
        })

    /// The token to ask the service with; nil: the folder is to be read.
    private static func service(_ invocation: Invocation) throws(Failure) -> String? {
        let wanted = invocation.given.intersection(["http", "token", "token-file"])
        if invocation.given.contains("data") {
            if let name = wanted.min() { throw Failure("give one of --data and --\(name)", code: ExitCode.usage) }
            return nil
        }
        let token = try SendJob.token(invocation)
        if !token.isEmpty { return String(decoding: token, as: UTF8.self) }
        if wanted.isEmpty { return nil }
        throw Failure("a token is needed: use --token-file or EYE_TOKEN", code: ExitCode.usage)
    }
}

/// What `eye tail` shall show, wherever it comes from.
struct TailPlan {
    /// The filters, as the service takes them.
    let parameters: QueryParameters
    /// The same, for the store; newest first.
    let filter: EventFilter
    let text: EventText
    /// How many events are shown first.
    let last: Int
    let isOnce: Bool
    let showsRejected: Bool

    init(_ invocation: Invocation) throws(Failure) {
        var parameters = try QueryArguments.parameters(invocation, options: [])
        for (option, name) in [("category", "category"), ("name", "name"), ("session", "session_id")] {
            for text in invocation.all(option) {
                if option == "session", UUID(parsing: Array(text.utf8).span) == nil {
                    throw Failure("--session: '\(text)' is not a UUID", code: ExitCode.usage)
                }
                parameters.add(name, text)
            }
        }
        self.parameters = parameters
        do throws(ProblemError) {
            filter = try FilterParameters.filter(parameters, now: SystemTime().nowMicroseconds())
        } catch {
            throw QueryArguments.failure(error.problem)
        }
        let isTerminal = Terminal.isTerminal(STDOUT_FILENO)
        let format = invocation.isSet("json") ? "json" : invocation.text("format")
        if invocation.isSet("json") && invocation.text("format") == "text" {
            throw Failure("give one of --json and --format text", code: ExitCode.usage)
        }
        text = EventText(
            isJSON: format.map { $0 == "json" } ?? !isTerminal, isTerminal: isTerminal,
            columns: Terminal.columns(STDOUT_FILENO))
        last = Int(invocation.number("last") ?? 0)
        isOnce = invocation.isSet("once")
        showsRejected = invocation.isSet("rejected")
    }

    /// What is said when the newest event is older than one that was shown.
    static func reset(newest: UInt64, after shown: UInt64) -> String {
        "the newest event is \(newest), and \(shown) was there before: this is another store, or it lost its newest events"
    }
}
