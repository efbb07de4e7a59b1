// What a live stream says, as Server-Sent Events (WHATWG HTML standard, section 9.2) or as lines of JSON. Pure. Invariant: nothing of an event
// can end its line early: JSON strings hold no raw control characters, and what is white space between them is written as a space.

import EyeStore
import EyeWire

/// Writes one live stream.
struct LiveWriter {
    let format: LiveQuery.Format
    private let events: EventWriter

    init(_ format: LiveQuery.Format, fields: [EventField]?) {
        self.format = format
        events = EventWriter(.json, fields: fields)
    }

    /// Appends what a stream begins with: when to come back, and from where if nothing comes before.
    func appendOpening(_ place: LivePlace, to out: inout [UInt8]) {
        guard format == .sse else { return }
        out.append(text: "retry: \(HTTPLimits.liveRetryMilliseconds)\n")
        appendID(place, to: &out)
        out.append(.lineFeed)
    }

    /// Appends an event: `id: 7`, `data: {…}`; or the object alone.
    func append(_ event: borrowing EventView, _ place: LivePlace, to out: inout [UInt8]) {
        if format == .sse {
            appendID(place, to: &out)
            out.append(text: "data: ")
        }
        let start = out.count
        events.append(event, to: &out)
        endData(from: start, to: &out)
    }

    /// Appends something else than an event: `event: lagged`, `data: {…}`; or `{"lagged":{…}}`. `place`: where the stream is with it.
    func append(
        _ name: String, _ place: LivePlace? = nil, to out: inout [UInt8], _ write: (inout [UInt8]) -> Void
    ) {
        if format == .sse {
            if let place { appendID(place, to: &out) }
            out.append(text: "event: \(name)\ndata: ")
        } else {
            out.append(text: "{\"\(name)\":")
        }
        let start = out.count
        write(&out)
        if format == .ndjson { out.append(UInt8(ascii: "}")) }
        endData(from: start, to: &out)
    }

    /// Appends what keeps proxies from hanging up: a comment, and where the stream is; or an empty line.
    func appendComment(_ place: LivePlace, to out: inout [UInt8]) {
        if format == .sse {
            out.append(text: ": \n")
            appendID(place, to: &out)
        }
        out.append(.lineFeed)
    }

    private func appendID(_ place: LivePlace, to out: inout [UInt8]) {
        out.append(text: "id: ")
        place.append(to: &out)
        out.append(.lineFeed)
    }

    private func endData(from start: Int, to out: inout [UInt8]) {
        if format == .sse {
            for index in start..<out.count where out[index] == .carriageReturn || out[index] == .lineFeed {
                out[index] = .space
            }
            out.append(.lineFeed)
        }
        out.append(.lineFeed)
    }
}
