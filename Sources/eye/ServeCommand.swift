// The option table of `eye serve` and the way from it to `ServeOptions`. What serving is stands in Serve.swift.

import EyeSystem

/// `eye serve`.
enum ServeCommand {
    static let command = Command(
        path: ["serve"],
        summary: "Runs the service: ingest over TCP, UDP and Unix socket, queries over HTTP.",
        details: [
            "The first start makes the data folder, the first administrator and the first token, and shows both once.",
            "Ctrl-C or SIGTERM stores every complete line that was received, then ends.",
        ],
        options: [
            CommandTable.data,
            Option(
                name: "tcp", placeholder: "HOST:PORT", kind: .address, environment: "EYE_TCP",
                fallback: "127.0.0.1:8127",
                help: "Where event lines come in by TCP; 'off' for nowhere."),
            Option(
                name: "udp", placeholder: "HOST:PORT", kind: .address, environment: "EYE_UDP",
                fallback: "127.0.0.1:8127",
                help: "Where event lines come in by UDP; 'off' for nowhere."),
            Option(
                name: "http", placeholder: "HOST:PORT", kind: .address, environment: "EYE_HTTP",
                fallback: "127.0.0.1:8000",
                help: "Where the HTTP service listens; 'off' for nowhere."),
            Option(
                name: "only", placeholder: "SIDE", kind: .choice(ServeOptions.Side.allCases.map(\.rawValue)),
                environment: "EYE_ONLY",
                help: "Runs only one side in this process; the other may run as a process of its own."),
            Option(
                name: "loops", placeholder: "N", kind: .number(0...64), environment: "EYE_LOOPS", fallback: "0",
                help: "Ingest loops; 0 means one for each processor."),
            Option(
                name: "max-future", placeholder: "SPAN", kind: .duration(0...86_400_000_000),
                environment: "EYE_MAX_FUTURE",
                fallback: "5s", help: "How far in the future an event's timestamp may lie."),
            Option(
                name: "segment-bytes", placeholder: "BYTES", kind: .bytes((1 << 20)...(1 << 32)),
                environment: "EYE_SEGMENT_BYTES", fallback: "128M", help: "Size at which a log segment is closed."),
            Option(
                name: "min-free-bytes", placeholder: "BYTES", kind: .bytes(0...(1 << 50)),
                environment: "EYE_MIN_FREE_BYTES", fallback: "64M",
                help: "Ingest answers 'storage-full' while fewer bytes are free on the disk."),
            Option(
                name: "retain-age", placeholder: "SPAN", kind: .duration(3_600_000_000...3_153_600_000_000_000),
                environment: "EYE_RETAIN_AGE",
                help: "Drops segments whose newest event was received longer ago; everything is kept without it."),
            Option(
                name: "retain-bytes", placeholder: "BYTES", kind: .bytes((1 << 20)...(1 << 50)),
                environment: "EYE_RETAIN_BYTES",
                help: "Drops the oldest segments while all take more; at least four times --segment-bytes."),
            Option(
                name: "log-format", placeholder: "FORMAT", kind: .choice(Log.Format.allCases.map(\.rawValue)),
                environment: "EYE_LOG_FORMAT", fallback: "text", help: "How log lines on stderr look."),
        ],
        run: { invocation throws(Failure) in
            let chosen = options(invocation)
            if let bytes = chosen.retainBytes, bytes / ServeOptions.segmentsKeptMin < chosen.segmentBytes {
                throw Failure(
                    "--retain-bytes must be at least \(ServeOptions.segmentsKeptMin) times --segment-bytes, which is "
                        + "\(chosen.segmentBytes) (see 'eye serve --help')", code: ExitCode.usage)
            }
            return runServe(chosen)
        })

    /// The checked values.
    static func options(_ invocation: Invocation) -> ServeOptions {
        ServeOptions(
            data: invocation.text("data") ?? "", tcp: invocation.address("tcp"), udp: invocation.address("udp"),
            http: invocation.address("http"), only: invocation.text("only").flatMap { ServeOptions.Side(rawValue: $0) },
            loops: Int(invocation.number("loops") ?? 0),
            maxFutureMicroseconds: invocation.duration("max-future") ?? 0,
            segmentBytes: invocation.bytes("segment-bytes") ?? 0, minFreeBytes: invocation.bytes("min-free-bytes") ?? 0,
            retainMicroseconds: invocation.duration("retain-age"), retainBytes: invocation.bytes("retain-bytes"),
            logFormat: invocation.text("log-format").flatMap { Log.Format(rawValue: $0) } ?? .text)
    }
}
