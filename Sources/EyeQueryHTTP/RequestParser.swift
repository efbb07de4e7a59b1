// Bytes of a connection → request heads, bodies and their ends (RFC 9112). Pure: no socket, no clock, no allocation beyond
// the head. Resumable: the same bytes give the same events however they are cut. Invariant: one meaning or a refusal, and
// after a refusal nothing more. Called by HTTPConnection on the loop's thread, and by tests.

/// The state between two pieces of input.
public struct RequestParser {
    /// What `next` found.
    public enum Event {
        /// The input is used up.
        case needsMore
        /// A head is whole; its body, if it has one, follows.
        case head(RequestHead)
        /// Body bytes at this range of the input.
        case body(Range<Int>)
        /// The request is whole; the next one may follow.
        case end
        case refused(RequestRefusal)
    }

    private enum State {
        case requestLine
        case fields
        case length(UInt64)
        case chunked
        /// The head is out and has no body: the next event is `end`.
        case ending
        case refused(RequestRefusal)
    }

    private var state = State.requestLine
    private var head = RequestHead()
    /// Where in `head.bytes` the line under construction begins.
    private var lineStart = 0
    private var emptyLines = 0
    private var fieldBytes = 0
    private var chunks = ChunkedBody()

    public init() {}

    /// No byte of a next request has been taken.
    public var isBetweenRequests: Bool {
        if case .requestLine = state { return head.bytes.isEmpty && emptyLines == 0 }
        return false
    }

    /// A head has begun and is not whole.
    public var isInsideHead: Bool {
        switch state {
        case .requestLine: !head.bytes.isEmpty || emptyLines > 0
        case .fields: true
        default: false
        }
    }

    /// The next event in `input` from `offset` on, which is moved past what was taken. Call until `needsMore`.
    public mutating func next(_ input: Span<UInt8>, at offset: inout Int) -> Event {
        do throws(RequestRefusal) {
            return try step(input, &offset)
        } catch {
            state = .refused(error)
            return .refused(error)
        }
    }

    private mutating func step(_ input: Span<UInt8>, _ offset: inout Int) throws(RequestRefusal) -> Event {
        while true {
            switch state {
            case .requestLine:
                guard try takeRequestLine(input, &offset) else { return .needsMore }
                state = .fields
            case .fields:
                let room = HTTPLimits.headerBytesMax - fieldBytes
                guard try takeLine(input, &offset, most: room, tooLong: .headersTooLarge) else { return .needsMore }
                let line = lineStart..<head.bytes.count
                if line.isEmpty { return .head(try finishHead()) }
                fieldBytes += line.count + 2
                if head.fields.count == HTTPLimits.headerFieldsMax { throw .headersTooLarge }
                head.fields.append(try FieldLine.parse(&head.bytes, line))
                lineStart = head.bytes.count
            case .ending:
                state = .requestLine
                return .end
            case .length(let left):
                if offset == input.count { return .needsMore }
                let count = Int(min(left, UInt64(input.count - offset)))
                let range = offset..<(offset + count)
                offset += count
                state = left == UInt64(count) ? .ending : .length(left - UInt64(count))
                return .body(range)
            case .chunked:
                switch try chunks.next(input, at: &offset) {
                case .needsMore: return .needsMore
                case .data(let range): return .body(range)
                case .end: state = .ending
                }
            case .refused(let refusal):
                throw refusal
            }
        }
    }

    private mutating func takeRequestLine(_ input: Span<UInt8>, _ offset: inout Int) throws(RequestRefusal) -> Bool {
        while true {
            guard offset < input.count else { return false }
            if head.bytes.isEmpty {
                // Garbage is known by its first byte; its client need not wait for a timeout.
                let first = input[offset]
                if first == .lineFeed { throw .lineEnding }
                if first != .carriageReturn && !ByteClass.isToken(first) { throw .requestLine }
            }
            let isWhole: Bool
            do throws(RequestRefusal) {
                isWhole = try takeLine(
                    input, &offset, most: HTTPLimits.requestLineBytesMax, tooLong: .requestLineTooLong)
            } catch {
                // RFC 9112 section 3: 414 is for a target that is too long; this line did not come to its target.
                let hasMethod = head.bytes.prefix(HTTPLimits.methodBytesMax + 1).contains(.space)
                throw error == .requestLineTooLong && !hasMethod ? .requestLine : error
            }
            guard isWhole else { return false }
            if head.bytes.isEmpty {
                // RFC 9112 section 2.2: an empty line before the request line is ignored.
                emptyLines += 1
                if emptyLines > HTTPLimits.leadingEmptyLinesMax { throw .requestLine }
                continue
            }
            try RequestLine.parse(0..<head.bytes.count, into: &head)
            lineStart = head.bytes.count
            return true
        }
    }

    /// Appends to `head.bytes` up to and without CRLF; true when the line is whole. RFC 9112 section 2.2 lets a recipient
    /// take a bare LF for a line's end; we refuse it, since others do not.
    private mutating func takeLine(
        _ input: Span<UInt8>, _ offset: inout Int, most: Int, tooLong: RequestRefusal
    ) throws(RequestRefusal) -> Bool {
        while offset < input.count {
            let byte = input[offset]
            if byte == .lineFeed {
                offset += 1
                guard head.bytes.count > lineStart, head.bytes[head.bytes.count - 1] == .carriageReturn else {
                    throw .lineEnding
                }
                head.bytes.removeLast()
                if head.bytes.count - lineStart > most { throw tooLong }
                return true
            }
            head.bytes.append(byte)
            offset += 1
            // One more than `most` may be the CR.
            if head.bytes.count - lineStart > most + 1 { throw tooLong }
        }
        return false
    }

    /// Judges the framing fields and hands the head out.
    private mutating func finishHead() throws(RequestRefusal) -> RequestHead {
        try RequestFraming.judge(&head)
        let whole = head
        head = RequestHead()
        lineStart = 0
        emptyLines = 0
        fieldBytes = 0
        switch whole.framing {
        case .none: state = .ending
        case .length(let count): state = .length(count)
        case .chunked:
            chunks = ChunkedBody()
            state = .chunked
        }
        return whole
    }
}
