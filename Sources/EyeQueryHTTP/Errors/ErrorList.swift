// GET /errors/ and GET /errors/N: samples of refused events, newest first. The samples are few megabytes at most and have no
// index: a step reads the segment it is in. On the loop's thread.

import EyeStore
import EyeSystem
import EyeWire

/// Refused events, newest first.
final class ErrorPage: PageSource {
    private let reader: RejectedReader
    private let query: ErrorQuery
    private var before: UInt64?
    private static let rowsPerStep = 1000

    init(_ reader: RejectedReader, _ query: ErrorQuery, before: UInt64?) {
        self.reader = reader
        self.query = query
        self.before = before
    }

    func step(_ row: (_ key: UInt64, _ write: (inout [UInt8]) -> Void) -> Bool) throws(SystemError) -> CursorState {
        var count = 0
        var wantsMore = true
        try reader.list(before: before) { sample in
            count += 1
            before = sample.id
            if query.matches(sample) { wantsMore = row(sample.id) { ErrorDocument.append(sample, to: &$0) } }
            return wantsMore && count < ErrorPage.rowsPerStep
        }
        if !wantsMore { return .paused }
        return count < ErrorPage.rowsPerStep ? .end : .more
    }

    func behind(_ key: UInt64) -> any PageSource { ErrorPage(reader, query, before: key) }

    let damage: ClosedRange<UInt64>? = nil
}

/// A refused event as JSON.
package enum ErrorDocument {
    /// Appends `{"id":…,"code":…,"message":…,"data":…,"created_at":…,"transport":…,"source":…,"token_id":…}`. `data` is
    /// what was sent, as a string (it may be anything), with its token masked and cut to 4 KiB.
    package static func append(_ sample: RejectedSample, to out: inout [UInt8]) {
        appendMembers(sample, to: &out)
        out.append(UInt8(ascii: "}"))
    }

    /// The same with `fault`: where in `data` the fault lies, null where that cannot be told.
    static func append(_ sample: RejectedSample, _ place: FaultPlace?, to out: inout [UInt8]) {
        appendMembers(sample, to: &out)
        JSONText.appendName("fault", to: &out)
        if let place { place.append(to: &out) } else { out.append(text: "null") }
        out.append(UInt8(ascii: "}"))
    }

    private static func appendMembers(_ sample: RejectedSample, to out: inout [UInt8]) {
        out.append(text: "{\"id\":")
        out.append(decimal: sample.id)
        for (name, text) in [("code", sample.code), ("message", sample.message), ("data", sample.line)] {
            JSONText.appendName(name, to: &out)
            JSONText.appendString(text, to: &out)
        }
        out.append(text: ",\"created_at\":")
        JSONText.appendTime(sample.received, to: &out)
        out.append(text: ",\"transport\":\"")
        out.append(Transport(rawValue: sample.transport)?.label ?? "unknown")
        out.append(text: "\",\"source\":")
        JSONText.appendString(sample.source, to: &out)
        out.append(text: ",\"token_id\":")
        if sample.token == 0 { out.append(text: "null") } else { out.append(decimal: sample.token) }
    }
}

/// What the errors view stands on.
struct ErrorDesk {
    let reader: RejectedReader
    /// An event's timestamp may be this much later than its reception.
    let futureMicroseconds: Int64
    /// The ids of the tokens of a name.
    let tokenIDs: (_ name: String) -> [UInt32]

    /// A list of refused events.
    func list(_ call: Call, now: Int64) throws(ProblemError) -> any Exchange {
        let query = try ErrorQuery(call.parameters, now: now, isList: true, tokenIDs: tokenIDs)
        return PageExchange(ErrorPage(reader, query, before: query.before), limit: query.limit) {
            query.link(call.parameters, $0)
        }
    }

    /// How many there are of each kind.
    func summary(_ call: Call, now: Int64) throws(ProblemError) -> any Exchange {
        ErrorSummary(reader, try ErrorQuery(call.parameters, now: now, isList: false, tokenIDs: tokenIDs))
    }
}

/// One refused event.
final class ErrorDetail: BodyCollector {
    private let desk: ErrorDesk
    private let id: UInt64

    init(_ call: Call, _ desk: ErrorDesk, id: UInt64) {
        self.desk = desk
        self.id = id
        super.init(call)
    }

    override func whole() {
        do throws(SystemError) {
            guard let sample = try desk.reader.find(id) else { return finish(Problem.notFound) }
            var document: [UInt8] = []
            let place = FaultPlace(in: sample, latest: sample.received + desk.futureMicroseconds)
            ErrorDocument.append(sample, place, to: &document)
            document.append(.lineFeed)
            finish(Response(status: 200, fields: AnswerFields.json, body: .bytes(document)))
        } catch {
            finish(EventSource.problem(error))
        }
    }
}
