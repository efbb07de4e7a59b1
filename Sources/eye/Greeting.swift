// What a person reads when the service has started: where it listens, the first credentials, and lines to paste. Every line
// shown here is run by a test.

import EyeServer
import EyeStore
import EyeSystem
import EyeWire

/// The text that `eye serve` prints once it listens.
struct Greeting {
    private let options: ServeOptions
    private let tcp: SocketAddress?
    private let udp: SocketAddress?
    private let http: SocketAddress?
    private let statusPlace: SocketAddress?
    private let first: FirstCredentials?
    private let hasAccounts: Bool
    /// Whether tokens can be made here.
    private let isWritable: Bool

    init(
        _ options: ServeOptions, tcp: SocketAddress?, udp: SocketAddress?, http: SocketAddress?,
        status: SocketAddress?, first: FirstCredentials?, hasAccounts: Bool, isWritable: Bool
    ) {
        self.options = options
        self.tcp = tcp
        self.udp = udp
        self.http = http
        statusPlace = status
        self.first = first
        self.hasAccounts = hasAccounts
        self.isWritable = isWritable
    }

    private static let event =
        #"{"session_id":"e2085be5-9137-4e4e-80b5-f1ffddc25423","category":"page interaction","name":"cta click","#
        + #""data":{"path":"/","element":"chat bubble"},"timestamp":"2021-01-01 09:15:27.243860"}"#

    var text: String {
        // First credentials stand above it.
        var lines = first == nil ? [] : [""]
        lines.append("The Eye \(EyeVersion.text), data in \(options.data)")
        var doors: [String] = []
        if let tcp { doors.append("TCP \(tcp)") }
        if let udp { doors.append("UDP \(udp)") }
        if options.only != .http { doors.append("Unix \(options.data)/\(IngestService.ingestSocketName)") }
        if !doors.isEmpty { lines.append("  events   " + doors.joined(separator: "  ")) }
        if let http { lines.append("  queries  http://\(http)/") }
        if let statusPlace { lines.append("  status   http://\(statusPlace)/-/ready") }
        if options.only != .http { lines.append("  keeps    " + kept) }
        lines += [""] + examples
        return lines.joined(separator: "\n") + "\n"
    }

    /// What is said when nobody reads stdout any more. The first credentials stood above it, and count as shown.
    var unread: String {
        let credentials =
            first == nil
            ? ""
            : "; if the password and the token above it were not seen, make others: eye user passwd, eye token add"
        return "nobody reads stdout: the greeting was not shown\(credentials)"
    }

    /// One line for a service manager.
    var status: String {
        let places = [tcp.map { "TCP \($0)" }, udp.map { "UDP \($0)" }, http.map { "HTTP \($0)" }].compactMap { $0 }
        return (["serving"] + places).joined(separator: " ")
    }

    /// For how long, in words.
    private var kept: String {
        var limits: [String] = []
        if let age = options.retainMicroseconds { limits.append("\(Quantity.span(age)) of events") }
        if let bytes = options.retainBytes { limits.append("\(Quantity.size(bytes)) of segments") }
        return limits.isEmpty ? "every event" : limits.joined(separator: ", at most ") + "; older segments are dropped"
    }

    /// What is said when a start had to make credentials for a store that is not new.
    static let accountsWereMissing =
        "the accounts file was missing beside a store with events: a new administrator and a new token were made, the users and tokens "
        + "of before are gone; if that was not meant, stop eye and put a backup of the file in its place"

    /// What is said when they were shown and then not written for sure.
    static let credentialsWereNotKept =
        "do not rely on the password and the token above: start again, and if that shows others, they are the ones"

    /// The credentials that a first start makes.
    static func credentials(_ first: FirstCredentials) -> [String] {
        [
            first.isBesideEvents
                ? "New credentials, because the accounts file was missing beside a store with events. Shown this once, kept only as hashes:"
                : "First start. Shown this once, kept only as hashes:",
            "  \(first.userName) password  \(first.password)", "  ingest token    \(first.token)",
        ]
    }

    private var examples: [String] {
        guard isWritable else { return readOnlyExamples }
        var lines: [String] = []
        let token = first?.token ?? "$TOKEN"
        if let tcp {
            lines.append("  printf '%s \(Greeting.event)\\n' \(token) | nc -N \(tcp.host) \(tcp.port)")
        }
        if let http {
            // Double quotes: `$TOKEN` is the shell's to fill in.
            lines.append("  curl -s http://\(http)/events/ -H \"Authorization: Token \(token)\" -d '\(Greeting.event)'")
            let password = first?.password ?? "PASSWORD"
            lines += [
                "  READ=$(curl -s http://\(http)/api-token-auth/ -d "
                    + "'{\"username\":\"admin\",\"password\":\"\(password)\"}' | grep -oE '[0-9a-f]{40}')",
                "  curl -s http://\(http)/events/ -H \"Authorization: Token $READ\"",
            ]
        }
        if first == nil {
            let data = "--data \(Greeting.quoted(options.data))"
            let add = "\(Greeting.quoted(program)) token add NAME --scope ingest \(data)"
            lines.insert(contentsOf: ["Try it, with a token of your own:", "  TOKEN=$(\(add))"], at: 0)
            if !hasAccounts {
                // Without accounts no token can be added.
                lines.insert(
                    contentsOf: [
                        "There are no accounts yet. This makes the first ones, and shows their password and token once:",
                        "  \(Greeting.quoted(program)) init \(data)",
                    ], at: 0)
            }
        } else if !lines.isEmpty {
            lines.insert("Try it:", at: 0)
        }
        return lines
    }

    /// Where nothing can be written nobody can log in either.
    private var readOnlyExamples: [String] {
        guard let http else { return [] }
        return [
            "This process may not write in \(options.data): no token can be made here, nor by logging in. With one that was made before:",
            "  curl -s http://\(http)/events/ -H \"Authorization: Token $READ\"",
        ]
    }

    /// How this program was called: `swift run` puts it in no PATH.
    private var program: String { CommandLine.arguments.first ?? "eye" }

    /// `text` as one word of the shell.
    static func quoted(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "/"), UInt8(ascii: "."), UInt8(ascii: "-"),
                UInt8(ascii: "_"):
                true
            default: false
            }
        }
        if isPlain && !text.isEmpty { return text }
        return "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}
