// What is wrong with settings of `eye serve` that are right one by one: what no option's own kind can see. Everything is told at once, each
// fault with the place that the setting comes from. Used by `eye serve`, `eye serve --print-config` and `eye check-config`, and beside the
// faults of single values by the parser.

import EyeQueryHTTP
import EyeServer
import EyeSystem

/// The faults of one set of settings.
struct SettingsCheck {
    /// What is wrong, and the line of the file where; `.max`: elsewhere.
    typealias Fault = (line: Int, text: String)

    private let invocation: Invocation
    private let options: ServeOptions
    /// Settings that are wrong by themselves. They have their defaults here, and what depends on them is not judged.
    private let wrong: Set<String>
    /// Those of the file by its lines, then the others as they were found.
    private var faults: [Fault]

    /// Throws when `eye serve` would not start with these settings. `looksUp`: names of hosts are resolved.
    static func run(_ invocation: Invocation, looksUp: Bool) throws(Failure) {
        var check = SettingsCheck(invocation, wrong: [], [])
        check.checkAll(looksUp: looksUp)
        if !check.faults.isEmpty { throw Failure(check.error) }
    }

    /// Everything that is wrong with settings of which those in `wrong` are so by themselves, as `faults` tell. No name is looked up.
    static func error(_ invocation: Invocation, wrong: Set<String>, _ faults: [Fault]) -> UsageError {
        var check = SettingsCheck(invocation, wrong: wrong, faults)
        let isOfService = invocation.command.options.contains { $0.name == ConfigFile.option.name }
        if isOfService { check.checkAll(looksUp: false) }
        return check.error
    }

    private init(_ invocation: Invocation, wrong: Set<String>, _ faults: [Fault]) {
        self.invocation = invocation
        self.wrong = wrong
        self.faults = faults
        options = ServeCommand.options(invocation)
    }

    private var error: UsageError {
        // Stable: a line has as many as it has.
        let order = faults.indices.sorted { (faults[$0].line, $0) < (faults[$1].line, $1) }
        return UsageError(messages: order.map { faults[$0].text }, command: invocation.command.name)
    }

    private mutating func checkAll(looksUp: Bool) {
        checkData()
        checkOrigins()
        if wrong.isDisjoint(with: ["retain-bytes", "segment-bytes"]) { checkRetention() }
        if wrong.isDisjoint(with: ["only", "http"]) { checkListeners(looksUp: looksUp) }
    }

    /// Adds a fault of setting `name`.
    private mutating func add(_ name: String, _ problem: String) {
        switch invocation.origins[name] {
        case .file(let path, let line): faults.append((line, "\(path):\(line): \(name): \(problem)"))
        case .variable(let variable): faults.append((.max, "\(variable): \(problem)"))
        case .flag, .fallback, nil: faults.append((.max, "--\(name): \(problem)"))
        }
    }

    /// The sockets in the data folder have paths, which the kernel bounds.
    private mutating func checkData() {
        let names = [IngestService.ingestSocketName, IngestService.controlSocketName]
        let room = SocketAddress.pathBytesMax - 1 - (names.map(\.utf8.count).max() ?? 0)
        let bytes = options.data.utf8.count
        if bytes > room {
            add(
                "data",
                "a path of \(bytes) bytes leaves no room for the sockets in the folder: use one of at most \(room), or a link"
            )
        }
    }

    private mutating func checkOrigins() {
        for origin in options.corsOrigins where !HTTPOptions.isOrigin(origin) {
            add(
                "cors-origins",
                "'\(Visible.text(origin))' is no origin: write https://HOST or http://HOST:PORT, in lower case, without a path"
            )
        }
    }

    private mutating func checkRetention() {
        guard let bytes = options.retainBytes, bytes / ServeOptions.segmentsKeptMin < options.segmentBytes else {
            return
        }
        add(
            "retain-bytes",
            "'\(Quantity.size(bytes))' is not at least \(ServeOptions.segmentsKeptMin) times --segment-bytes, which is "
                + Quantity.size(options.segmentBytes))
    }

    private mutating func checkListeners(looksUp: Bool) {
        let (runsIngest, runsHTTP) = (options.only != .http, options.only != .ingest)
        if runsHTTP, options.http == nil {
            if options.only == .http { add("only", "'http' together with 'http = off' leaves nothing to serve") }
            if options.status != nil { add("status", "with 'http = off' there is no HTTP service to tell of") }
        }
        var taken: [(name: String, address: String, place: (host: String, port: String))] = []
        let listeners = [
            ("tcp", options.tcp, runsIngest), ("udp", options.udp, runsIngest), ("http", options.http, runsHTTP),
            ("status", options.status, runsHTTP && options.http != nil),
        ]
        for (name, address, isUsed) in listeners where !wrong.contains(name) {
            guard isUsed, let address, let place = place(name, address, looksUp: looksUp) else { continue }
            // UDP has ports of its own.
            if name == "udp" || place.port == "0" { continue }
            for other in taken where other.place.port == place.port && SettingsCheck.meet(other.place.host, place.host)
            {
                add(name, "'\(address)' is taken by '\(other.name) = \(other.address)' already")
                break
            }
            taken.append((name, address, place))
        }
    }

    /// Host and port of an address; nil: it cannot be found out, which is a fault then.
    private mutating func place(_ name: String, _ address: String, looksUp: Bool) -> (host: String, port: String)? {
        do throws(AddressError) {
            guard looksUp else { return try SocketAddress.split(address) }
            let found = try SocketAddress.resolve(address, datagram: name == "udp")
            return (found.host, "\(found.port)")
        } catch {
            add(name, error.description)
            return nil
        }
    }

    /// Whether two sockets on these hosts cannot have one port: they are the same, or one of them is every address, for `::` of IPv4 too. Where a name
    /// leads is not known here.
    private static func meet(_ one: String, _ other: String) -> Bool {
        if one == other || one == "::" || other == "::" { return true }
        let everyIPv4 = ["", "0.0.0.0"]
        func isIPv4(_ host: String) -> Bool {
            host.utf8.allSatisfy { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") || $0 == UInt8(ascii: ".") }
        }
        return (everyIPv4.contains(one) && isIPv4(other)) || (everyIPv4.contains(other) && isIPv4(one))
    }
}
