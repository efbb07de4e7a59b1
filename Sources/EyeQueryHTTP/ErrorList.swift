// GET /errors/ and GET /errors/N: samples of refused events, newest first. The samples are few megabytes at most and have no
// index: a step reads the segment it is in. On the loop's thread.

import EyeStore
import EyeSystem
import EyeWire

/// Refused events, newest first.
final class ErrorPage: PageSource {
    private let reader: RejectedReader
    private var before: UInt64?
    private static let rowsPerStep = 1000

    init(_ reader: RejectedReader, before: UInt64?) {
        self.reader = reader
        self.before = before
    }

    func step(_ row: (_ key: UInt64, _ write: (inout [UInt8]) -> Void) -> Bool) throws(SystemError) -> CursorState {
        var count = 0
        var wantsMore = true
        try reader.list(before: before) { sample in
            count += 1
            before = sample.id
            wantsMore = row(sample.id) { ErrorDocument.append(sample, to: &$0) }
            return wantsMore && count < ErrorPage.rowsPerStep
        }
        if !wantsMore { return .paused }
        return count < ErrorPage.rowsPerStep ? .end : .more
    }

    func behind(_ key: UInt64) -> any PageSource { ErrorPage(reader, before: key) }

    let damage: ClosedRange<UInt64>? = nil
}

/// A refused event as JSON.
enum ErrorDocument {
    /// Appends `{"id":…,"code":…,"message":…,"data":…,"created_at":…,"transport":…,"source":…,"token_id":…}`. `data` is
    /// what was sent, as a string (it may be anything), with its token masked and cut to 4 KiB.
    static func append(_ sample: RejectedSample, to out: inout [UInt8]) {
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
        out.append(UInt8(ascii: "}"))
    }
}

/// Starts lists of refused events.
enum ErrorList {
    static func exchange(_ call: Call, _ store: EventSource) throws(ProblemError) -> any Exchange {
        let (limit, before) = try PageParameters.read(call.parameters)
        return PageExchange(ErrorPage(store.rejected, before: before), limit: limit) {
            PageParameters.link(Route.errors, call.parameters, $0)
        }
    }
}

/// One refused event.
final class ErrorDetail: BodyCollector {
    private let store: EventSource
    private let id: UInt64

    init(_ call: Call, _ store: EventSource, id: UInt64) {
        self.store = store
        self.id = id
        super.init(call)
    }

    override func whole() {
        do throws(SystemError) {
            guard let sample = try store.rejected.find(id) else { return finish(Problem.notFound) }
            var document: [UInt8] = []
            ErrorDocument.append(sample, to: &document)
            document.append(.lineFeed)
            finish(Response(status: 200, fields: AnswerFields.json, body: .bytes(document)))
        } catch {
            finish(EventSource.problem(error))
        }
    }
}
