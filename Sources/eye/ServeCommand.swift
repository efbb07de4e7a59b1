// The option table of `eye serve` and the way from it to `ServeOptions`. What serving is stands in Serve.swift.

import EyeServer
import EyeSystem

/// `eye serve`.
enum ServeCommand {
    static let command = Command(
        path: ["serve"],
        summary: "Runs the service: ingest over TCP, UDP and Unix socket, queries over HTTP.",
        details: [
            "The first start makes the data folder, the first administrator and the first token, and shows both once.",
            "Ctrl-C or SIGTERM stores every complete line that was received, then ends. SIGHUP reads the file again.",
            "A flag goes before its variable, a variable before the configuration file, the file before the default.",
        ],
        options: [
            ConfigFile.option,
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
                name: "cors-origins", placeholder: "ORIGIN,…", kind: .text, environment: "EYE_CORS_ORIGINS",
                help: "Whose web pages may use the HTTP service, such as https://app.example.com; none by itself."),
            Option(
                name: "status", placeholder: "HOST:PORT", kind: .address, environment: "EYE_STATUS", fallback: "off",
                help: "Where /-/healthy, /-/ready and /metrics have a thread of their own; 'off' for nowhere."),
            Option(
                name: "only", placeholder: "SIDE", kind: .choice(ServeOptions.Side.allCases.map(\.rawValue)),
                environment: "EYE_ONLY",
                help: "Runs only one side in this process; the other may run as a process of its own."),
            Option(
                name: "loops", placeholder: "N", kind: .number(0...Int64(IngestLimits.loopsMax)),
                environment: "EYE_LOOPS", fallback: "0",
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
                help: "Drops the oldest segments while all, sealed, take more; at least 4 times --segment-bytes."),
            Option(
                name: "log-format", placeholder: "FORMAT", kind: .choice(Log.Format.allCases.map(\.rawValue)),
                environment: "EYE_LOG_FORMAT", fallback: "text", isReloadable: true,
                help: "How log lines on stderr look."),
            Option(
                name: "access-log", kind: .flag, environment: "EYE_ACCESS_LOG", isReloadable: true,
                help: "One log line for each HTTP request: address, method, path without query, status, milliseconds."),
            printConfig,
        ],
        run: { invocation throws(Failure) in
            let isPrinted = invocation.isSet(printConfig.name)
            try SettingsCheck.run(invocation, looksUp: !isPrinted)
            if isPrinted {
                try Output.out(SettingsText.text(invocation))
                return ExitCode.success
            }
            return runServe(invocation)
        })

    private static let printConfig = Option(
        name: "print-config", kind: .flag, isCommandLineOnly: true,
        help: "Shows each setting and where it comes from, and starts nothing.")

    /// What `eye check-config` takes: everything but --print-config.
    static var settings: [Option] { command.options.filter { $0.name != printConfig.name } }

    /// The checked values.
    static func options(_ invocation: Invocation) -> ServeOptions {
        ServeOptions(
            data: invocation.text("data") ?? "", tcp: invocation.address("tcp"), udp: invocation.address("udp"),
            http: invocation.address("http"),
            corsOrigins: (invocation.text("cors-origins") ?? "").split(separator: ",").map(String.init),
            status: invocation.address("status"),
            only: invocation.text("only").flatMap { ServeOptions.Side(rawValue: $0) },
            loops: Int(invocation.number("loops") ?? 0),
            maxFutureMicroseconds: invocation.duration("max-future") ?? 0,
            segmentBytes: invocation.bytes("segment-bytes") ?? 0, minFreeBytes: invocation.bytes("min-free-bytes") ?? 0,
            retainMicroseconds: invocation.duration("retain-age"), retainBytes: invocation.bytes("retain-bytes"),
            logFormat: invocation.text("log-format").flatMap { Log.Format(rawValue: $0) } ?? .text,
            hasAccessLog: invocation.isSet("access-log"))
    }
}
