// `format=ndjson` and `format=csv`: the whole result as a stream, made while the client takes it, at the memory of one buffer. What damage
// withheld stands in a trailer, or in the head of an answer that was whole at once. A store that fails on the way cuts the connection, so
// that no client takes a part for the whole. On the loop's thread.

import EyeStore
import EyeSystem

/// Writes the events of a cursor until they, or the wanted number, are all there.
final class EventStream: BodyProducer {
    private let cursor: EventCursor
    private let writer: EventWriter
    private var left: Int
    /// What was made before the answer's head was sent.
    private var start: [UInt8]

    init(_ cursor: EventCursor, _ writer: EventWriter, limit: Int?) {
        self.cursor = cursor
        self.writer = writer
        left = limit ?? Int.max
        start = []
        writer.appendHead(to: &start)
    }

    /// Does the first piece of work; the whole body if it is all of it.
    func begin() throws(SystemError) -> [UInt8]? {
        try step(into: &start, room: HTTPLimits.outputBytesMax) == .end ? start : nil
    }

    private func step(into out: inout [UInt8], room: Int) throws(SystemError) -> CursorState {
        let full = out.count + room
        let state = try cursor.step { event in
            writer.append(event, to: &out)
            left -= 1
            return left > 0 && out.count < full
        }
        return left == 0 ? .end : state
    }

    func produce(into out: inout [UInt8], room: Int) -> Production {
        if !start.isEmpty {
            // Itself no more than a buffer and an event.
            out.append(contentsOf: start)
            start = []
            return .more
        }
        do throws(SystemError) {
            return try step(into: &out, room: room) == .end ? .end : .more
        } catch {
            return .failed
        }
    }

    func trailers() -> [ResponseField] { incomplete }

    func cancel() { left = 0 }

    /// The field for ids that damage may have withheld so far.
    var incomplete: [ResponseField] { cursor.damage.hull.map { [PageExchange.incomplete($0)] } ?? [] }
}

/// An exchange that answers with a stream.
final class EventStreamExchange: ReadExchange {
    private let stream: EventStream
    private let fields: [ResponseField]

    init(_ stream: EventStream, _ format: EventQuery.Format) {
        self.stream = stream
        let type = format == .csv ? "text/csv; charset=utf-8; header=present" : "application/x-ndjson"
        fields = [ResponseField("Content-Type", type)] + AnswerFields.common
    }

    override func cancel() { stream.cancel() }

    override func proceed() -> Answer {
        do throws(SystemError) {
            if let whole = try stream.begin() {
                return .ready(Response(status: 200, fields: fields + stream.incomplete, body: .bytes(whole)))
            }
            let trailer = ResponseField("Trailer", PageExchange.incompleteName)
            return .ready(Response(status: 200, fields: fields + [trailer], body: .stream(stream)))
        } catch {
            return .ready(EventSource.problem(error).response)
        }
    }
}

/// An exchange that answers with the number of events that pass.
final class EventCountExchange: ReadExchange {
    private let cursor: EventCursor

    init(_ cursor: EventCursor) { self.cursor = cursor }

    override func proceed() -> Answer {
        do throws(SystemError) {
            guard try cursor.countStep() == .end else { return .working }
        } catch {
            return .ready(EventSource.problem(error).response)
        }
        let fields = AnswerFields.json + (cursor.damage.hull.map { [PageExchange.incomplete($0)] } ?? [])
        return .ready(
            Response(status: 200, fields: fields, body: .bytes(Array("{\"count\":\(cursor.count)}\n".utf8))))
    }
}
