// The option table of `eye bench`, and the way from it to a `BenchPlan`.

import EyeClient
import EyeSystem

/// `eye bench`.
enum BenchCommand {
    static let command = Command(
        path: ["bench"], summary: "Measures a running service: throughput, and how long until lines are durable.",
        details: [
            "Sends event lines as fast as they are taken, or at --rate, and ends with an exact account: every line that was",
            "sent is accepted, rejected or a duplicate. The events are really stored: use a data folder of its own.",
            "HTTP answers do not tell accepted lines from duplicates: there they are one number.",
            "With --rate, latencies count from the moment a line was due, so that a stall is charged for every line it",
            "delays, and a rate that was not reached is told. Refused lines have no latency: they never are durable. Of HTTP",
            "the latencies are those of requests, refused ones too, each from its start or from when its last line was due.",
            "Percentiles are at most 0.8 % too high. Ctrl-C ends the sending; the account is still made.",
            "Ends with code 0 when every line was accepted or a duplicate, which is no loss, else with code 1 (UDP: unless",
            "somebody listens).",
        ],
        options: [
            Option(
                name: "tcp", placeholder: "HOST:PORT", kind: .address, environment: "EYE_TCP",
                fallback: "127.0.0.1:8127", help: "Sends by TCP."),
            Option(
                name: "udp", placeholder: "HOST:PORT", kind: .address,
                help: "Sends by UDP, which answers nothing: the account is in the server's metrics."),
            Option(name: "unix", placeholder: "PATH", kind: .text, help: "Sends to a Unix socket, DIR/ingest.sock."),
            Option(
                name: "http", placeholder: "HOST:PORT", kind: .address,
                help: "Posts NDJSON to the HTTP service."),
            CommandTable.tokenFile(), CommandTable.token(),
            Option(
                name: "connections", short: "c", placeholder: "N", kind: .number(1...BenchLimits.connectionsMax),
                fallback: "1", help: "Connections (UDP: sockets), served by one thread for each processor."),
            Option(
                name: "count", short: "n", placeholder: "N", kind: .number(1...1_000_000_000_000),
                help: "Lines in all. With neither --count nor --seconds it takes 10 seconds."),
            Option(
                name: "seconds", short: "s", placeholder: "N", kind: .number(1...1_000_000),
                help: "Sends for so long, whatever --rate still owes; with --count whichever comes first."),
            Option(
                name: "rate", short: "r", placeholder: "N", kind: .number(1...1_000_000_000),
                help: "Lines a second over all connections; without it as fast as they are taken."),
            Option(
                name: "acks", kind: .flag,
                help: "Asks for acknowledgements (MODE acks): measures how long each line takes to be durable."),
            Option(
                name: "one-by-one", kind: .flag,
                help: "One connection, one line at a time, the next one when the last is durable."),
            Option(
                name: "compare-disk", placeholder: "DIR", kind: .text,
                help:
                    "With --one-by-one: after each acknowledgement also times a write and an fdatasync in DIR, which should "
                    + "be on the data folder's disk."),
            Option(
                name: "file", placeholder: "FILE", kind: .text,
                help: "Sends the lines of FILE (NDJSON) round and round, unchecked; without it synthetic events."),
            Option(
                name: "seed", placeholder: "N", kind: .number(0...Int64.max), fallback: "1",
                help: "Other synthetic events; the same for the same number."),
            Option(
                name: "lines-per-datagram", placeholder: "N", kind: .number(1...64), fallback: "1",
                help: "UDP: lines in a datagram; the first one's token serves all."),
            Option(
                name: "lines-per-request", placeholder: "N", kind: .number(1...100_000), fallback: "100",
                help: "HTTP: lines in a request."),
            Option(name: "json", kind: .flag, help: "The result as one JSON object."),
        ],
        run: { invocation throws(Failure) in
            let plan = try plan(invocation)
            _ = try Failure.of("the limit of open files") { () throws(SystemError) in try OpenFiles.raiseLimit() }
            return try BenchRun(plan).run()
        })

    /// The checked plan.
    static func plan(_ invocation: Invocation) throws(Failure) -> BenchPlan {
        let target = try target(invocation)
        var plan = BenchPlan(
            target: target, token: try SendJob.token(invocation),
            connections: Int(invocation.number("connections") ?? 1),
            count: invocation.number("count").map { UInt64($0) },
            seconds: invocation.number("seconds").map { Double($0) },
            rate: invocation.number("rate").map { Double($0) }, linesPerPiece: 1,
            measuresAcks: invocation.isSet("acks") || invocation.isSet("one-by-one"),
            oneByOne: invocation.isSet("one-by-one"), diskFolder: invocation.text("compare-disk"),
            seed: UInt64(invocation.number("seed") ?? 1), file: invocation.text("file"), json: invocation.isSet("json"))
        if plan.count == nil && plan.seconds == nil { plan.seconds = BenchLimits.secondsDefault }
        if plan.isHTTP { plan.measuresAcks = true }
        if plan.isDatagram { plan.linesPerPiece = Int(invocation.number("lines-per-datagram") ?? 1) }
        if plan.isHTTP && !plan.oneByOne { plan.linesPerPiece = Int(invocation.number("lines-per-request") ?? 1) }
        func require(_ holds: Bool, _ message: String) throws(Failure) {
            if !holds { throw Failure(message, code: ExitCode.usage) }
        }
        try require(
            !plan.token.isEmpty || (plan.file != nil && !plan.isHTTP),
            "a token is needed: use --token-file or EYE_TOKEN")
        try require(!plan.isDatagram || !plan.measuresAcks, "UDP answers nothing: not with --acks or --one-by-one")
        try require(!plan.oneByOne || plan.connections == 1, "--one-by-one is one connection")
        try require(plan.diskFolder == nil || (plan.oneByOne && !plan.isHTTP), "--compare-disk goes with --one-by-one")
        try require(
            plan.isDatagram || !invocation.given.contains("lines-per-datagram"), "--lines-per-datagram goes with --udp")
        try require(
            plan.isHTTP || !invocation.given.contains("lines-per-request"), "--lines-per-request goes with --http")
        return plan
    }

    private static func target(_ invocation: Invocation) throws(Failure) -> BenchPlan.Target {
        guard invocation.given.intersection(["tcp", "udp", "unix", "http"]).count <= 1 else {
            throw Failure("give one of --tcp, --udp, --unix and --http", code: ExitCode.usage)
        }
        for (name, make) in [
            ("udp", { BenchPlan.Target.ingest(.udp($0)) }), ("http", { BenchPlan.Target.http($0) }),
            ("tcp", { BenchPlan.Target.ingest(.tcp($0)) }),
        ] as [(String, (String) -> BenchPlan.Target)] {
            if name == "tcp", let path = invocation.text("unix") { return .ingest(.unix(path)) }
            if let text = invocation.address(name) { return make(text) }
            if invocation.given.contains(name) { break }
        }
        throw Failure("'off' is no address to send to: write HOST:PORT", code: ExitCode.usage)
    }
}
