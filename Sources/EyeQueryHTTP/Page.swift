// One page of a list, whatever it lists: made in bounded steps, its Link known before its head is sent, and never wholly in
// memory. Up to `pageBufferBytesMax` of it are kept while the rest is only counted; that rest is then made anew, from the same
// snapshot, while the client takes it. On the loop's thread.

import EyeStore
import EyeSystem

/// What a page is made of.
protocol PageSource: AnyObject {
    /// Does a bounded piece of work: shows rows to `row`, with their keys and a way to write them, until it returns false.
    func step(_ row: (_ key: UInt64, _ write: (inout [UInt8]) -> Void) -> Bool) throws(SystemError) -> CursorState
    /// The same list behind `key`.
    func behind(_ key: UInt64) -> any PageSource
    /// Ids that damage may have withheld from it.
    var damage: ClosedRange<UInt64>? { get }
}

/// An exchange that answers with a page.
final class PageExchange: ReadExchange {
    private let source: any PageSource
    private let limit: Int
    /// The Link to the page behind a key.
    private let link: (_ last: UInt64) -> ResponseField

    private var buffer: [UInt8]
    /// What stands behind the last row.
    private let tail: [UInt8]
    private var count = 0
    private var last: UInt64 = 0
    private var written = 0
    private var lastWritten: UInt64 = 0
    private var hasMore = false

    /// `around`: what stands before the first row and behind the last one.
    init(
        _ source: any PageSource, limit: Int,
        around: (head: [UInt8], tail: [UInt8]) = (Array("[".utf8), Array("]\n".utf8)),
        link: @escaping (_ last: UInt64) -> ResponseField
    ) {
        self.source = source
        self.limit = limit
        self.link = link
        buffer = around.head
        tail = around.tail
    }

    override func proceed() -> Answer {
        do throws(SystemError) {
            let state = try source.step { key, write in
                if count == limit {
                    hasMore = true
                    return false
                }
                count += 1
                last = key
                if buffer.count < HTTPLimits.pageBufferBytesMax && written == count - 1 {
                    if written > 0 { buffer.append(UInt8(ascii: ",")) }
                    write(&buffer)
                    written += 1
                    lastWritten = key
                }
                return true
            }
            if case .more = state { return .working }
        } catch {
            return .ready(EventSource.problem(error).response)
        }
        var fields = AnswerFields.json
        if hasMore { fields.append(link(last)) }
        if let hull = source.damage { fields.append(PageExchange.incomplete(hull)) }
        if written == count {
            buffer.append(contentsOf: tail)
            return .ready(Response(status: 200, fields: fields, body: .bytes(buffer)))
        }
        let rest = PageRest(buffer, source.behind(lastWritten), count: count - written, tail: tail)
        fields.append(ResponseField("Trailer", PageExchange.incompleteName))
        return .ready(Response(status: 200, fields: fields, body: .stream(rest)))
    }

    static let incompleteName = "Eye-Incomplete"

    /// Damage may have withheld these ids from the answer.
    static func incomplete(_ ids: ClosedRange<UInt64>) -> ResponseField {
        ResponseField(incompleteName, "\(ids.lowerBound)-\(ids.upperBound)")
    }
}

/// The body of a page that is larger than its buffer.
final class PageRest: BodyProducer {
    private var start: [UInt8]
    private let source: any PageSource
    private var left: Int
    private let tail: [UInt8]

    init(_ start: [UInt8], _ source: any PageSource, count: Int, tail: [UInt8]) {
        self.tail = tail
        self.start = start
        self.source = source
        left = count
    }

    func produce(into out: inout [UInt8], room: Int) -> Production {
        if !start.isEmpty {
            // Itself no more than a buffer and a row.
            out.append(contentsOf: start)
            start = []
            return .more
        }
        let limit = out.count + room
        var isFull = false
        do throws(SystemError) {
            let state = try source.step { _, write in
                if left == 0 { return false }
                out.append(UInt8(ascii: ","))
                write(&out)
                left -= 1
                isFull = out.count >= limit
                return !isFull && left > 0
            }
            if left > 0 {
                if case .more = state { return .more }
                if isFull { return .more }
            }
        } catch {
            return .failed
        }
        out.append(contentsOf: tail)
        return .end
    }

    func trailers() -> [ResponseField] { source.damage.map { [PageExchange.incomplete($0)] } ?? [] }

    func cancel() { left = 0 }
}
