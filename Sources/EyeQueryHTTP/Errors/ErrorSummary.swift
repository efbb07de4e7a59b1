// GET /errors/summary: of the samples of refused events that are kept, how many there are of each code, transport and token, and which of
// each code was the last. In steps over a few megabytes; nothing is kept but the counts. On the loop's thread.

import EyeStore
import EyeSystem
import EyeWire

/// Counts refused events.
final class ErrorSummary: ReadExchange {
    private struct Code {
        var name: [UInt8]
        var count = 0
        /// Newest first: the first one met is the last one refused.
        var last: RejectedSample
    }

    private let reader: RejectedReader
    private let query: ErrorQuery
    private var before: UInt64?
    private var codes: [Code] = []
    private var transports: [UInt8: Int] = [:]
    private var tokens: [UInt32: Int] = [:]
    private var count = 0
    private var first: Int64?

    /// A step reads the segment it is in again, so it is not small.
    private static let rowsPerStep = 10_000
    /// Tokens that are listed: those with the most refusals.
    static let tokensMax = 100

    init(_ reader: RejectedReader, _ query: ErrorQuery) {
        self.reader = reader
        self.query = query
    }

    override func proceed() -> Answer {
        do throws(SystemError) {
            var rows = 0
            try reader.list(before: before) { sample in
                rows += 1
                before = sample.id
                if query.matches(sample) { take(sample) }
                return rows < ErrorSummary.rowsPerStep
            }
            if rows == ErrorSummary.rowsPerStep { return .working }
        } catch {
            return .ready(EventSource.problem(error).response)
        }
        return .ready(Response(status: 200, fields: AnswerFields.json, body: .bytes(document)))
    }

    private func take(_ sample: RejectedSample) {
        count += 1
        first = sample.received
        transports[sample.transport, default: 0] += 1
        tokens[sample.token, default: 0] += 1
        if let index = codes.firstIndex(where: { $0.name == sample.code }) {
            codes[index].count += 1
        } else {
            codes.append(Code(name: sample.code, count: 1, last: sample))
        }
    }

    /// `{"samples":…,"since":…,"codes":[{"code":…,"samples":…,"last_id":…,"last_at":…,"message":…}],"transports":[…],"tokens":[…]}`, largest
    /// first.
    private var document: [UInt8] {
        var out = Array("{\"samples\":\(count),\"since\":".utf8)
        if let first { JSONText.appendTime(first, to: &out) } else { out.append(text: "null") }
        out.append(text: ",\"codes\":[")
        for (index, code) in codes.sorted(by: { ($1.count, $1.last.id) < ($0.count, $0.last.id) }).enumerated() {
            out.append(text: index == 0 ? "{\"code\":" : ",{\"code\":")
            JSONText.appendString(code.name, to: &out)
            out.append(text: ",\"samples\":\(code.count),\"last_id\":\(code.last.id),\"last_at\":")
            JSONText.appendTime(code.last.received, to: &out)
            JSONText.appendName("message", to: &out)
            JSONText.appendString(code.last.message, to: &out)
            out.append(UInt8(ascii: "}"))
        }
        out.append(text: "],\"transports\":[")
        for (index, one) in transports.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }).enumerated() {
            let label = Transport(rawValue: one.key).map { "\($0.label)" } ?? "unknown"
            out.append(text: "\(index == 0 ? "" : ","){\"transport\":\"\(label)\",\"samples\":\(one.value)}")
        }
        out.append(text: "],\"tokens\":[")
        let most = tokens.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(ErrorSummary.tokensMax)
        for (index, one) in most.enumerated() {
            let id = one.key == 0 ? "null" : "\(one.key)"
            out.append(text: "\(index == 0 ? "" : ","){\"token_id\":\(id),\"samples\":\(one.value)}")
        }
        out.append(text: "]}\n")
        return out
    }
}
