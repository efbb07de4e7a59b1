// The straight path of ingest: ordinary event lines, one after the other, into one frame. A value that lives on the stack of
// the call that reads a socket, so that a line costs no reference count and no exclusivity check. What is not ordinary
// (another token, a fault, escapes in category or name, a full frame) it leaves alone; the general path then judges it.

import EyeStore
import EyeSystem
import EyeWire

struct StraightPath {
    private let frame: Frame
    private let token: RememberedToken
    private let latest: Int64
    private var key: EventKey
    private var fields = EventFields()
    /// Index in the frame of the first record that this path stores.
    let firstRecord: Int
    /// Events stored so far.
    private(set) var stored: UInt64 = 0

    /// Offset of the JSON in a line that begins with a token of ours.
    static let jsonOffset = TokenSecret.count + 1

    init(frame: Frame, token: RememberedToken, now: Int64, latest: Int64) {
        self.frame = frame
        self.token = token
        self.latest = latest
        firstRecord = frame.recordCount
        key = EventKey(received: now, timestamp: 0, session: ID128(high: 0, low: 0), token: token.id, eventID: nil)
    }

    /// Whether `line` begins with the token and a space, and has something behind them.
    @inline(__always)
    func hasToken(_ line: UnsafeRawBufferPointer) -> Bool {
        // In bounds: the comparison looks at 41 bytes, and there are more.
        unsafe line.count > StraightPath.jsonOffset && token.isAtStart(of: line)
    }

    /// Stores the event `text`, if it is an ordinary one and the frame has room.
    @inline(__always)
    mutating func store(_ text: UnsafeRawBufferPointer, client: ClientLine) -> Bool {
        do throws(Fault) {
            try unsafe EventScanner.scan(text, latest: latest, into: &fields)
        } catch {
            return false
        }
        return unsafe append(text, client)
    }

    /// The same for the line at the front of `window`, which begins with the token and may end anywhere: one of the usual
    /// shape is stored without its line feed being looked for first. Returns its bytes, the line feed included.
    @inline(__always)
    mutating func storeLine(_ window: UnsafeRawBufferPointer, client: ClientLine) -> Int? {
        guard
            let bytes = unsafe EventScanner.scanLine(
                window, from: StraightPath.jsonOffset, latest: latest, into: &fields)
        else { return nil }
        // In bounds: the caller has seen that there is something behind the token.
        let text = unsafe UnsafeRawBufferPointer(rebasing: window[StraightPath.jsonOffset...])
        return unsafe append(text, client) ? bytes : nil
    }

    @inline(__always)
    private mutating func append(_ text: UnsafeRawBufferPointer, _ client: ClientLine) -> Bool {
        if fields.category.escaped || fields.name.escaped { return false }
        key.timestamp = fields.timestamp
        key.session = ID128(high: fields.session.high, low: fields.session.low)
        key.eventID = fields.eventID.map { ID128(high: $0.high, low: $0.low) }
        // In bounds: the scanner's ranges lie in the text it was shown.
        let fits = unsafe frame.appendEvent(
            key, category: UnsafeRawBufferPointer(rebasing: text[fields.category.range]),
            name: UnsafeRawBufferPointer(rebasing: text[fields.name.range]),
            data: UnsafeRawBufferPointer(rebasing: text[fields.dataRange]), client: client)
        if fits { stored += 1 }
        return fits
    }
}

extension IngestLoop {
    /// Whether lines with this token may take the straight path now.
    func isStraight(_ token: RememberedToken) -> Bool {
        token.version == bookVersion && !isShedding && now < token.expires
    }

    /// A straight path into the open batch.
    func straightPath(_ token: RememberedToken) -> StraightPath {
        StraightPath(
            frame: openBatch().frame, token: token, now: now, latest: now + context.options.futureMicroseconds)
    }
}
