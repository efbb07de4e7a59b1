// Times the documented queries against a running service, one after the other over one keep-alive connection, as a client sees
// them. What is asked for (ids, sessions, hours) is taken from events of the store itself, by a seeded choice, so that
// any store can be measured. On the main thread.

import EyeClient
import EyeQueryHTTP
import EyeSystem
import EyeWire

/// What `eye bench query` shall do.
struct BenchQueryPlan {
    var address: String
    var token: String
    /// How often each query is asked; scans of everything `scans` times.
    var repeats: Int
    var scans: Int
    /// A name that few events have.
    var rareName: String
    /// The field of the scan, `data.path`.
    var field: String
    var seed: UInt64
    var json: Bool
}

/// One row of the table.
private struct QueryTiming {
    let title: String
    let example: String
    var times = LatencyHistogram()
    /// Bytes of the last answer.
    var bytes = 0
    /// What the service said instead of an answer.
    var refusal: (status: Int, text: String)?
}

/// A row of numbers that is the same for the same seed.
private final class SeededChoice {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    func next() -> UInt64 {
        state = SyntheticEvents.mix(state)
        return state >> 1
    }
}

/// A bench of queries.
struct BenchQuery {
    private let plan: BenchQueryPlan
    private let connection: QueryConnection
    private let time = SystemTime()
    private let choice: SeededChoice
    private var rows: [QueryTiming] = []
    private var events: UInt64 = 0

    private static let hourMicroseconds: Int64 = 3_600_000_000
    /// The page that is asked for by its cursor, and how many events a page has.
    private static let deepPage = 1_000
    private static let pageRows = 100

    init(_ plan: BenchQueryPlan) throws(Failure) {
        self.plan = plan
        connection = try Failure.ofService { () throws(ServiceAway) in
            try QueryConnection(plan.address, token: plan.token)
        }
        choice = SeededChoice(plan.seed)
    }

    /// Returns the exit code.
    mutating func run() throws(Failure) -> Int32 {
        let newest = try connection.require("/events/?limit=1")
        guard let last = JSONPick.number("id", in: newest.body), last > 0 else {
            throw Failure("there are no events: send some, or use --fill N")
        }
        events = JSONPick.number("count", in: try connection.require("/events/?count=1").body) ?? last
        let samples = try sample(last)
        let choice = choice
        // What every other figure has in it: the two programs waking each other.
        try measure("round trip, /-/healthy", plan.repeats) { _ in "/-/healthy" }
        try measure("event by id", plan.repeats) { _ in "/event_detail/\(1 + choice.next() % last)" }
        try measure("a session, first 100", plan.repeats) {
            "/events/?session_id=\(samples[$0 % samples.count].session)"
        }
        try measure("a category within an hour, first 100", plan.repeats) {
            let event = samples[$0 % samples.count]
            return "/events/?category=\(event.category)&since=\(event.hour.from)&until=\(event.hour.to)"
        }
        let rare = "/events/?name=\(QueryTarget.encode(plan.rareName))"
        if JSONPick.number("count", in: try connection.require("\(rare)&count=1").body) ?? 0 > 0 {
            try measure("a rare name, first 100", plan.repeats) { _ in rare }
        }
        try measure("a name that no event has", plan.repeats) { "/events/?name=no%20such%20name%20\($0)" }
        try measure("an exact timestamp", plan.repeats) {
            "/events/?timestamp=\(samples[$0 % samples.count].timestamp)"
        }
        try measure("newest 100", plan.repeats) { _ in "/events/" }
        if let deep = try walk() {
            try measure("page \(BenchQuery.deepPage) by its cursor", plan.repeats) { _ in deep }
        }
        try measure("count by category", plan.repeats) { _ in "/stats/count?by=category" }
        try measure("count by name", plan.repeats) { _ in "/stats/count?by=name" }
        let step = try histogramStep()
        try measure("histogram of everything, step \(step)", plan.repeats) { _ in "/stats/hits?step=\(step)" }
        let scan =
            "/stats/top?field=\(QueryTarget.encode(plan.field))&limit=10&timeout=\(BenchQuery.scanTimeout)"
        try measure("top 10 of \(plan.field) over everything", plan.scans) { _ in scan }
        try Output.out(plan.json ? json : text)
        return rows.contains { $0.refusal != nil } ? ExitCode.failure : ExitCode.success
    }

    private static let scanTimeout = "60s"

    // MARK: What is asked for

    private struct Sample {
        let session: String
        let category: String
        let timestamp: String
        let hour: (from: String, to: String)
    }

    /// Some events of the store, whose ids are chosen by the seed.
    private func sample(_ last: UInt64) throws(Failure) -> [Sample] {
        var samples: [Sample] = []
        for _ in 0..<max(plan.repeats, 1) {
            let answer = try connection.get("/event_detail/\(1 + choice.next() % last)")
            // Ids may be missing: erased, or gone by retention.
            guard answer.status == 200, let session = JSONPick.text("session_id", in: answer.body),
                let category = JSONPick.text("category", in: answer.body),
                let when = JSONPick.text("timestamp", in: answer.body),
                let moment = Timestamp.parse(Array(when.utf8).span)
            else { continue }
            let half = BenchQuery.hourMicroseconds / 2
            samples.append(
                Sample(
                    session: session, category: QueryTarget.encode(category),
                    timestamp: QueryTarget.encode(when),
                    hour: (BenchQuery.text(moment - half), BenchQuery.text(moment + half))))
        }
        if samples.isEmpty { throw Failure("none of the events that were looked for is there") }
        return samples
    }

    private static func text(_ moment: Int64) -> String {
        var bytes: [UInt8] = []
        Timestamp.append(moment, to: &bytes)
        return QueryTarget.encode(String(decoding: bytes, as: UTF8.self))
    }

    /// The target of the deep page, by the links of the pages before it; nil: there are not so many.
    private func walk() throws(Failure) -> String? {
        var target = "/events/?limit=\(BenchQuery.pageRows)"
        for _ in 1..<BenchQuery.deepPage {
            guard let next = try connection.require(target).next else { return nil }
            target = next
        }
        return target
    }

    /// An hour, or the shortest of some longer steps with which all of the store's time has no more buckets than are answered.
    private func histogramStep() throws(Failure) -> String {
        for step in BenchQuery.steps.dropLast() {
            let answer = try connection.get("/stats/hits?step=\(step)")
            if JSONPick.text("code", in: answer.body) != "too-many-buckets" { return step }
        }
        return BenchQuery.steps[BenchQuery.steps.count - 1]
    }

    /// The last one fits the years 0000 to 9999.
    private static let steps = ["1h", "6h", "1d", "1w", "60w"]

    // MARK: Measuring

    private mutating func measure(
        _ title: String, _ count: Int, _ target: (Int) -> String
    ) throws(Failure) {
        var row = QueryTiming(title: title, example: target(0))
        // Warm: once before the clock.
        for index in -1..<count {
            let asked = target(max(index, 0))
            let began = time.monotonicNanoseconds()
            let answer = try connection.get(asked)
            let nanoseconds = time.monotonicNanoseconds() - began
            guard answer.status == 200 || answer.status == 404 else {
                let shown = 200
                let text = String(decoding: answer.body.prefix(shown), as: UTF8.self)
                row.refusal = (answer.status, JSONPick.text("detail", in: answer.body) ?? text)
                break
            }
            row.bytes = answer.body.count
            if index >= 0 { row.times.record(nanoseconds) }
        }
        rows.append(row)
    }

    private var text: String {
        var table = TextTable(["query", "p50", "p99", "max", "answer"])
        for row in rows where row.refusal == nil {
            table.add([
                row.title, BenchText.span(row.times.percentile(0.5)), BenchText.span(row.times.percentile(0.99)),
                BenchText.span(row.times.max), BenchText.bytes(UInt64(row.bytes)),
            ])
        }
        var text = "\(BenchText.grouped(events)) events, \(plan.repeats) of each over one connection\n\n\(table.text)"
        for row in rows {
            guard let refusal = row.refusal else { continue }
            text += "\n\(row.title): refused, \(refusal.status): \(Visible.text(refusal.text))\n"
        }
        return text
    }

    private var json: String {
        var out = Array("{\"events\":\(events),\"queries\":[".utf8)
        for (index, row) in rows.enumerated() {
            if index > 0 { out.append(UInt8(ascii: ",")) }
            out += Array("{\"query\":".utf8)
            JSON.appendString(row.title, to: &out)
            out += Array(",\"example\":".utf8)
            JSON.appendString(row.example, to: &out)
            if let refusal = row.refusal {
                out += Array(",\"status\":\(refusal.status),\"refused\":".utf8)
                JSON.appendString(refusal.text, to: &out)
                out.append(UInt8(ascii: "}"))
            } else {
                out += Array(",\"bytes\":\(row.bytes),\"latency_us\":\(BenchReport.spansJSON(row.times))}".utf8)
            }
        }
        return String(decoding: out, as: UTF8.self) + "]}\n"
    }
}

/// Picks members out of answers of our own service, which writes no white space between them.
enum JSONPick {
    /// The number of the first member `name`.
    static func number(_ name: String, in body: [UInt8]) -> UInt64? {
        guard let rest = rest("\"\(name)\":", in: body) else { return nil }
        return UInt64(String(decoding: rest.prefix { $0 >= 0x30 && $0 <= 0x39 }, as: UTF8.self))
    }

    /// The text of the first member `name`; nil too when it has escapes.
    static func text(_ name: String, in body: [UInt8]) -> String? {
        guard let rest = rest("\"\(name)\":\"", in: body), let end = rest.firstIndex(of: UInt8(ascii: "\"")),
            !rest[..<end].contains(UInt8(ascii: "\\"))
        else { return nil }
        return String(decoding: rest[..<end], as: UTF8.self)
    }

    private static func rest(_ label: String, in body: [UInt8]) -> ArraySlice<UInt8>? {
        let label = Array(label.utf8)
        guard body.count >= label.count else { return nil }
        for start in 0...(body.count - label.count) where body[start..<(start + label.count)].elementsEqual(label) {
            return body[(start + label.count)...]
        }
        return nil
    }
}

/// Values in the targets of requests.
enum QueryTarget {
    /// `text` as a value of a query string.
    static func encode(_ text: String) -> String {
        var out: [UInt8] = []
        PercentEncoding.append(text.utf8, to: &out)
        return String(decoding: out, as: UTF8.self)
    }
}
