// What a bench has found, for people and for machines. Every number that is shown stands in both.

import EyeClient
import EyeWire

/// The outcome of a bench.
struct BenchReport {
    let plan: BenchPlan
    let tally: BenchTally
    /// What the load generator itself has used.
    let processorNanoseconds: UInt64

    /// From the start until everything was answered (UDP: sent).
    private var seconds: Double { max(Double(tally.end), 1) / 1e9 }
    private var linesPerSecond: Double { Double(tally.lines) / seconds }

    /// Every line sent, judged, and stored now or before, which a duplicate is (or, by UDP, sent without trouble).
    var isClean: Bool {
        guard tally.failures.isEmpty else { return false }
        return plan.isDatagram ? tally.refusedDatagrams == 0 : (tally.isExact && tally.judged.rejected == 0)
    }

    private static let shares: [(name: String, label: String, share: Double)] = [
        ("p50", "p50", 0.5), ("p90", "p90", 0.9), ("p99", "p99", 0.99), ("p999", "p99.9", 0.999),
    ]

    // MARK: For people

    var text: String {
        let plural = plan.connections == 1 ? "" : "s"
        var text =
            "\(plan.targetText), \(BenchText.grouped(UInt64(plan.connections))) connection\(plural), "
            + "\(BenchText.fixed(seconds, 2)) s\n"
        text += row(
            "sent",
            "\(BenchText.grouped(tally.lines)) lines, \(BenchText.bytes(tally.bytes)), "
                + "\(BenchText.grouped(UInt64(linesPerSecond))) lines/s")
        if let rate = plan.rate {
            let asked = "\(BenchText.grouped(UInt64(rate))) lines/s asked for"
            text += row("rate", isRateKept ? "\(asked): kept" : "\(asked): not reached\(overdue)")
        }
        if plan.isDatagram {
            text += row("datagrams", BenchText.grouped(tally.pieces))
            text += row(
                "judged",
                "unknown: UDP answers nothing. The server's metrics know: eye_ingest_datagrams_total +")
            text += row("", "eye_ingest_datagrams_dropped_total grow by the datagrams sent (GET /metrics)")
            if tally.refusedDatagrams > 0 {
                text += row("refused", "\(tally.refusedDatagrams) sends: nobody listens there")
            }
        } else {
            let judged = tally.judged
            let stored =
                plan.isHTTP
                ? "accepted-or-duplicate=\(judged.accepted) rejected=\(judged.rejected)"
                : "accepted=\(judged.accepted) rejected=\(judged.rejected) duplicate=\(judged.duplicate)"
            text += row("judged", "received=\(judged.received) \(stored)\(verdict)")
        }
        if plan.isHTTP { text += row("requests", BenchText.grouped(tally.pieces)) }
        if tally.latency.count > 0 {
            text += row(plan.isHTTP ? "answer after" : "durable after", spans(tally.latency))
            text += row("", since)
        }
        if tally.untimed > 0 {
            text += row("", "\(BenchText.grouped(tally.untimed)) refused lines are not in it: they never are durable")
        }
        if tally.disk.count > 0 {
            let ratio = Double(tally.latency.percentile(0.5)) / Double(max(1, tally.disk.percentile(0.5)))
            text += row("disk alone", spans(tally.disk))
            text += row("", "write and fdatasync of the same bytes; p50 durable : disk = \(BenchText.fixed(ratio, 2))")
        }
        let perMillion = Double(processorNanoseconds) / 1e3 / Double(max(1, tally.lines))
        text += row("own CPU", "\(BenchText.fixed(perMillion, 2)) s per million lines")
        for error in tally.errors { text += row("refused", Visible.text(error)) }
        for failure in tally.failures { text += row("failed", Visible.text(failure)) }
        return text
    }

    private var verdict: String {
        if tally.isExact { return ": exact" }
        if tally.withoutBye > 0 { return ": \(tally.withoutBye) connections ended without a last word" }
        return ": \(tally.lines) were sent"
    }

    /// Whether lines were sent when they were due. A short run may be late by a few turns of the threads.
    private var isRateKept: Bool {
        guard let rate = plan.rate else { return true }
        let toleratedSeconds = 0.1
        return tally.overdue == 0 && Double(tally.sendEnd) / 1e9 <= Double(tally.lines) / rate * 1.01 + toleratedSeconds
    }

    private var overdue: String {
        tally.overdue == 0 ? "" : ", \(BenchText.grouped(tally.overdue)) lines that were due were not sent"
    }

    private var since: String {
        if plan.isHTTP {
            let from = plan.rate == nil ? "its start" : "the moment its last line was due, sent late or not"
            return "of each request, a refused one too, from \(from)"
        }
        return plan.rate == nil
            ? "from the moment each line was handed to the kernel"
            : "from the moment each line was due, sent late or not"
    }

    private func row(_ title: String, _ value: String) -> String {
        let width = 15
        return "  \(title)\(String(repeating: " ", count: max(1, width - title.utf8.count)))\(value)\n"
    }

    private func spans(_ histogram: LatencyHistogram) -> String {
        let parts = BenchReport.shares.map { "\($0.label) \(BenchText.span(histogram.percentile($0.share)))" }
        return (parts + ["max \(BenchText.span(histogram.max))"]).joined(separator: "  ")
    }

    // MARK: For machines

    var json: String {
        var out: [UInt8] = Array("{\"target\":".utf8)
        JSON.appendString(plan.targetText, to: &out)
        func member(_ name: String, _ value: String) { out += Array(",\"\(name)\":\(value)".utf8) }
        member("connections", "\(plan.connections)")
        member("rate", plan.rate.map { BenchText.fixed($0, 3) } ?? "null")
        if plan.rate != nil {
            member("rate_kept", isRateKept ? "true" : "false")
            member("overdue", "\(tally.overdue)")
        }
        member("seconds", BenchText.fixed(seconds, 6))
        member("send_seconds", BenchText.fixed(Double(tally.sendEnd) / 1e9, 6))
        member("lines", "\(tally.lines)")
        member("bytes", "\(tally.bytes)")
        member("lines_per_second", BenchText.fixed(linesPerSecond, 1))
        member("cpu_seconds", BenchText.fixed(Double(processorNanoseconds) / 1e9, 3))
        if plan.isDatagram {
            member("datagrams", "\(tally.pieces)")
            member("refused_sends", "\(tally.refusedDatagrams)")
        } else {
            if plan.isHTTP { member("requests", "\(tally.pieces)") }
            member("received", "\(tally.judged.received)")
            member(plan.isHTTP ? "accepted_or_duplicate" : "accepted", "\(tally.judged.accepted)")
            member("rejected", "\(tally.judged.rejected)")
            if !plan.isHTTP { member("duplicate", "\(tally.judged.duplicate)") }
            member("without_bye", "\(tally.withoutBye)")
            member("exact", tally.isExact ? "true" : "false")
        }
        if tally.latency.count > 0 {
            member("latency_of", plan.isHTTP ? "\"requests\"" : "\"lines\"")
            member("latency_us", BenchReport.spansJSON(tally.latency))
        }
        if tally.disk.count > 0 { member("disk_us", BenchReport.spansJSON(tally.disk)) }
        for (name, texts) in [("errors", tally.errors), ("failures", tally.failures)] {
            out += Array(",\"\(name)\":[".utf8)
            for (index, text) in texts.enumerated() {
                if index > 0 { out.append(UInt8(ascii: ",")) }
                JSON.appendString(text, to: &out)
            }
            out.append(UInt8(ascii: "]"))
        }
        return String(decoding: out, as: UTF8.self) + "}\n"
    }

    /// Percentiles in microseconds, as a JSON object.
    static func spansJSON(_ histogram: LatencyHistogram) -> String {
        func micros(_ nanoseconds: UInt64) -> String { BenchText.fixed(Double(nanoseconds) / 1e3, 1) }
        let parts = BenchReport.shares.map { "\"\($0.name)\":\(micros(histogram.percentile($0.share)))" }
        return "{\"count\":\(histogram.count),\"mean\":\(BenchText.fixed(histogram.mean / 1e3, 1)),"
            + "\"min\":\(micros(histogram.min)),\(parts.joined(separator: ",")),\"max\":\(micros(histogram.max))}"
    }
}

/// Numbers as the bench shows them, without a locale.
enum BenchText {
    /// `1,234,567`.
    static func grouped(_ value: UInt64) -> String {
        var text = ""
        for (place, digit) in String(value).reversed().enumerated() {
            if place > 0 && place % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return String(text.reversed())
    }

    /// With so many digits behind the point.
    static func fixed(_ value: Double, _ digits: Int) -> String {
        var scale: UInt64 = 1
        for _ in 0..<digits { scale *= 10 }
        let number = UInt64((max(0, value) * Double(scale)).rounded())
        if digits == 0 { return "\(number)" }
        let fraction = String(number % scale)
        return "\(number / scale).\(String(repeating: "0", count: digits - fraction.utf8.count))\(fraction)"
    }

    /// `850 us`, `1.20 ms`, `2.50 s`.
    static func span(_ nanoseconds: UInt64) -> String {
        let value = Double(nanoseconds)
        if value < 1e6 { return "\(fixed(value / 1e3, 0)) us" }
        return value < 1e9 ? "\(fixed(value / 1e6, 2)) ms" : "\(fixed(value / 1e9, 2)) s"
    }

    /// `1.16 GB`.
    static func bytes(_ count: UInt64) -> String {
        let value = Double(count)
        if value < 1e6 { return "\(fixed(value / 1e3, 1)) kB" }
        return value < 1e9 ? "\(fixed(value / 1e6, 1)) MB" : "\(fixed(value / 1e9, 2)) GB"
    }
}
