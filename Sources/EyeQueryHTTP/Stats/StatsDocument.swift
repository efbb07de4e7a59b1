// The answers of `/stats/…` as JSON: what the HTTP service sends and `eye stats --json` prints. Pure.

import EyeStore
import EyeWire

/// Writes answers.
package enum StatsDocument {
    /// Appends the object for an answer. `incomplete`: ids that damage may have withheld from it.
    package static func append(
        _ result: AnalysisResult, _ query: StatsQuery, incomplete: ClosedRange<UInt64>?, to out: inout [UInt8]
    ) {
        out.append(UInt8(ascii: "{"))
        switch query.kind {
        case .count: appendCount(result, query, to: &out)
        case .hits: appendHits(result, query, to: &out)
        case .top: appendTop(result, query, to: &out)
        case .uniq: appendUniq(result, query, to: &out)
        case .funnel: appendFunnel(result, query, to: &out)
        }
        if let incomplete {
            out.append(text: ",\"incomplete\":\"\(incomplete.lowerBound)-\(incomplete.upperBound)\"")
        }
        out.append(UInt8(ascii: "}"))
    }

    private static func appendCount(_ result: AnalysisResult, _ query: StatsQuery, to out: inout [UInt8]) {
        out.append(text: "\"count\":\(result.events)")
        guard !query.fields.isEmpty else { return }
        out.append(text: ",\"missing\":\(result.missing),\"groups\":")
        appendGroups(result, query, "count", to: &out)
    }

    private static func appendUniq(_ result: AnalysisResult, _ query: StatsQuery, to out: inout [UInt8]) {
        out.append(text: "\"sessions\":\(result.distinct),\"events\":\(result.events)")
        guard !query.fields.isEmpty else { return }
        out.append(text: ",\"missing\":\(result.missing),\"groups\":")
        appendGroups(result, query, "sessions", to: &out)
    }

    /// `[{"category":"a","count":1},…]`
    private static func appendGroups(
        _ result: AnalysisResult, _ query: StatsQuery, _ number: String, to out: inout [UInt8]
    ) {
        appendList(result.groups, to: &out) { group, out in
            for (name, value) in zip(query.fields, group.values) {
                JSONText.appendName(name, to: &out)
                append(value, to: &out)
            }
            // A member of data may have this name; ours is the last one, and counts.
            JSONText.appendName(number, to: &out)
            out.append(decimal: group.count)
        }
    }

    private static func appendTop(_ result: AnalysisResult, _ query: StatsQuery, to out: inout [UInt8]) {
        out.append(text: "\"field\":")
        JSONText.appendString(query.fields.first ?? "", to: &out)
        out.append(
            text: ",\"count\":\(result.events),\"missing\":\(result.missing),\"values\":\(result.distinct),\"top\":")
        appendList(result.groups, to: &out) { group, out in
            out.append(text: "\"value\":")
            append(group.values[0], to: &out)
            out.append(text: ",\"count\":\(group.count)")
        }
    }

    private static func appendHits(_ result: AnalysisResult, _ query: StatsQuery, to out: inout [UInt8]) {
        out.append(text: "\"step\":")
        JSONText.appendString(query.steps.first ?? "", to: &out)
        out.append(text: ",\"count\":\(result.events)")
        if !query.fields.isEmpty { out.append(text: ",\"missing\":\(result.missing)") }
        out.append(text: ",\"buckets\":")
        guard let histogram = result.histogram else { return out.append(text: "[]") }
        appendList(Array(histogram.counts.enumerated()), to: &out) { bucket, out in
            out.append(text: "\"start\":")
            JSONText.appendTime(histogram.start(bucket.offset), to: &out)
            out.append(text: ",\"count\":\(bucket.element)")
        }
        guard let name = query.fields.first else { return }
        out.append(text: ",\"series\":")
        appendList(histogram.series, to: &out) { series, out in
            JSONText.appendName(name, to: &out)
            append(series.value, to: &out)
            out.append(text: ",\"count\":\(series.total),\"counts\":[")
            for (index, count) in series.counts.enumerated() {
                if index > 0 { out.append(UInt8(ascii: ",")) }
                out.append(decimal: count)
            }
            out.append(UInt8(ascii: "]"))
        }
    }

    private static func appendFunnel(_ result: AnalysisResult, _ query: StatsQuery, to out: inout [UInt8]) {
        guard case .funnel(let funnel) = query.question, let found = result.funnel else { return }
        out.append(text: "\"mode\":\"\(funnel.mode == .strict ? "strict" : "ordered")\",\"window\":")
        if let window = query.window { JSONText.appendString(window, to: &out) } else { out.append(text: "null") }
        out.append(text: ",\"events\":\(result.events),\"steps\":")
        let steps = Array(zip(query.steps, found.steps).enumerated())
        appendList(steps, to: &out) { entry, out in
            let (name, step) = entry.element
            let before = entry.offset == 0 ? step.sessions : found.steps[entry.offset - 1].sessions
            out.append(text: "\"step\":")
            JSONText.appendString(name, to: &out)
            out.append(text: ",\"sessions\":\(step.sessions),\"dropped\":\(before - step.sessions)")
            out.append(text: ",\"of_previous\":")
            appendShare(step.sessions, before, to: &out)
            out.append(text: ",\"of_first\":")
            appendShare(step.sessions, found.steps[0].sessions, to: &out)
            out.append(text: ",\"median_seconds\":")
            appendSeconds(step.medianSincePrevious, to: &out)
            out.append(text: ",\"median_seconds_from_first\":")
            appendSeconds(step.medianSinceFirst, to: &out)
        }
    }

    // MARK: Pieces

    /// `[{…},{…}]`; `member` writes what is between the braces.
    private static func appendList<Element>(
        _ list: [Element], to out: inout [UInt8], _ member: (Element, inout [UInt8]) -> Void
    ) {
        out.append(UInt8(ascii: "["))
        for (index, element) in list.enumerated() {
            out.append(text: index == 0 ? "{" : ",{")
            member(element, &out)
            out.append(UInt8(ascii: "}"))
        }
        out.append(UInt8(ascii: "]"))
    }

    private static func append(_ value: AnalysisValue, to out: inout [UInt8]) {
        switch value {
        case .text(let text): JSONText.appendString(text, to: &out)
        case .session(let id): JSONText.appendUUID(high: id.high, low: id.low, to: &out)
        }
    }

    /// `part` of `whole`, four digits behind the point, rounded down so that only everything is 1; `null` of nothing.
    private static func appendShare(_ part: UInt64, _ whole: UInt64, to out: inout [UInt8]) {
        guard whole > 0 else { return out.append(text: "null") }
        let scale: UInt64 = 10_000
        appendFraction(part * scale / whole, scale: scale, to: &out)
    }

    /// Microseconds as seconds; `null` of nothing.
    package static func appendSeconds(_ microseconds: Int64?, to out: inout [UInt8]) {
        guard let microseconds else { return out.append(text: "null") }
        if microseconds < 0 { out.append(UInt8(ascii: "-")) }
        appendFraction(microseconds.magnitude, scale: 1_000_000, to: &out)
    }

    /// `number / scale` with a point, no zeros at the end.
    private static func appendFraction(_ number: UInt64, scale: UInt64, to out: inout [UInt8]) {
        out.append(decimal: number / scale)
        var rest = number % scale
        if rest == 0 { return }
        out.append(UInt8(ascii: "."))
        var unit = scale / 10
        while rest > 0 {
            out.append(UInt8(ascii: "0") + UInt8(rest / unit))
            rest %= unit
            unit /= 10
        }
    }
}
