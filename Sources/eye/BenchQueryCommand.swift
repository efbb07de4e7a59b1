// The option table of `eye bench query`.

import EyeClient
import EyeSystem

/// `eye bench query`.
enum BenchQueryCommand {
    static let command = Command(
        path: ["bench", "query"], summary: "Times the documented queries against a running service.",
        details: [
            "Asks each query many times over one keep-alive connection and prints the time that a client sees. Ids, sessions and",
            "hours are taken from events of the store. With --fill it first sends so many different events, which are",
            "really stored: use a data folder of its own, and let the service seal them before you measure. The histogram's step is",
            "an hour, or longer when the store's time has more hours than are answered. A query that is refused is shown",
            "with its reason, and the command ends with code 1.",
        ],
        options: [
            CommandTable.http, CommandTable.tokenFile(), CommandTable.token(scope: "read (and ingest, for --fill)"),
            Option(
                name: "repeat", placeholder: "N", kind: .number(1...1_000_000), fallback: "200",
                help: "How often each query is asked."),
            Option(
                name: "scans", placeholder: "N", kind: .number(1...1_000_000), fallback: "3",
                help: "How often everything is scanned."),
            Option(
                name: "name", placeholder: "NAME", kind: .text, fallback: "rare event",
                help: "A name that few events have; left out when none has it."),
            Option(
                name: "field", placeholder: "FIELD", kind: .text, fallback: "data.path",
                help: "Whose most frequent values are looked for in all events."),
            Option(
                name: "fill", placeholder: "N", kind: .number(1...1_000_000_000),
                help: "Sends so many different events and ends."),
            Option(
                name: "tcp", placeholder: "HOST:PORT", kind: .address, environment: "EYE_TCP",
                fallback: "127.0.0.1:8127", help: "Where --fill sends to."),
            Option(
                name: "seed", placeholder: "N", kind: .number(0...Int64.max), fallback: "1",
                help: "Other events and other choices; the same for the same number."),
            Option(name: "json", kind: .flag, help: "The result as one JSON object."),
        ],
        run: { invocation throws(Failure) in
            let token = try SendJob.token(invocation)
            if token.isEmpty { throw Failure("a token is needed: use --token-file or EYE_TOKEN", code: ExitCode.usage) }
            let seed = UInt64(invocation.number("seed") ?? 1)
            if let count = invocation.number("fill") {
                guard let address = invocation.address("tcp") else { throw off }
                try BenchFill(address: .tcp(address), token: token, count: UInt64(count), seed: seed).run()
                return ExitCode.success
            }
            guard let address = invocation.address("http") else { throw off }
            var bench = try BenchQuery(
                BenchQueryPlan(
                    address: address, token: String(decoding: token, as: UTF8.self),
                    repeats: Int(invocation.number("repeat") ?? 1), scans: Int(invocation.number("scans") ?? 1),
                    rareName: invocation.text("name") ?? "", field: invocation.text("field") ?? "", seed: seed,
                    json: invocation.isSet("json")))
            return try bench.run()
        })

    private static let off = Failure("'off' is no address: write HOST:PORT", code: ExitCode.usage)
}
