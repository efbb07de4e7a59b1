// `eye tail`: the last events and then new ones as they become durable, straight from the store's files; whether a service
// runs or not. Follows the event id, so that nothing is shown twice or left out.

import EyeStore
import EyeSystem
import EyeWire
import Glibc

/// `eye tail`.
enum TailCommand {
    private static let lastMax: Int64 = 10_000

    static let command = Command(
        path: ["tail"], summary: "Shows the last events and follows new ones.",
        details: ["Reads the data folder; the service may run or not. Ends by Ctrl-C."],
        options: [
            CommandTable.data,
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
            Option(
                name: "format", placeholder: "FORMAT", kind: .choice(["json", "text"]),
                help: "json: one object a line; text: short lines. Without it text on a terminal, else json."),
            Option(name: "once", kind: .flag, help: "Ends after the last N instead of following."),
        ],
        run: { invocation throws(Failure) in
            let tail = try Tail(invocation)
            try tail.run()
            return ExitCode.success
        })
}

/// One run of `eye tail`.
struct Tail {
    private let source: StoreSource
    private let filter: EventFilter
    private let text: EventText
    private let last: Int
    private let isOnce: Bool

    /// How often the store is looked at for new events.
    private static let lookMilliseconds: Int32 = 100

    init(_ invocation: Invocation) throws(Failure) {
        var filter = EventFilter()
        filter.categories.equal = invocation.all("category").map { Array($0.utf8) }
        filter.names.equal = invocation.all("name").map { Array($0.utf8) }
        for text in invocation.all("session") {
            let bytes = Array(text.utf8)
            guard let session = UUID(parsing: bytes.span) else {
                throw Failure("--session: '\(text)' is not a UUID", code: ExitCode.usage)
            }
            filter.sessions.append(ID128(high: session.high, low: session.low))
        }
        self.filter = filter
        let isTerminal = Terminal.isTerminal(STDOUT_FILENO)
        text = EventText(
            isJSON: invocation.text("format").map { $0 == "json" } ?? !isTerminal, isTerminal: isTerminal,
            columns: Terminal.columns(STDOUT_FILENO))
        last = Int(invocation.number("last") ?? 0)
        isOnce = invocation.isSet("once")
        source = try StoreSource(invocation)
    }

    /// Shows the last events, then follows until nobody reads any more.
    func run() throws(Failure) {
        var shown = try showLast()
        while !isOnce {
            let isAlone = try Failure.of("stdout") { () throws(SystemError) in
                try StandardStream.pauseWhileRead(STDOUT_FILENO, milliseconds: Tail.lookMilliseconds)
            }
            if isAlone { return }
            shown = try showNew(after: shown)
        }
    }

    /// Returns the highest id there is.
    private func showLast() throws(Failure) -> UInt64 {
        let snapshot = try source.snapshot()
        guard last > 0 else { return snapshot.lastEventID }
        let (text, last) = (text, last)
        var lines: [[UInt8]] = []
        _ = try source.read(snapshot.cursor(filter)) { event in
            lines.append(text.line(event))
            return lines.count < last
        }
        for line in lines.reversed() { try Output.out(line) }
        return snapshot.lastEventID
    }

    private func showNew(after id: UInt64) throws(Failure) -> UInt64 {
        let snapshot = try source.snapshot()
        guard snapshot.lastEventID > id else { return id }
        var filter = filter
        filter.idAbove = id
        filter.newestFirst = false
        let text = text
        // Written out once for each step of the cursor: few calls, and bounded.
        var lines: [UInt8] = []
        let cursor = snapshot.cursor(filter)
        _ = try source.read(cursor) { event in
            lines.append(contentsOf: text.line(event))
            return true
        } afterStep: { () throws(Failure) in
            try Output.out(lines)
            lines.removeAll(keepingCapacity: true)
        }
        return snapshot.lastEventID
    }
}
