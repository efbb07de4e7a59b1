// The chunked transfer coding, decoded (RFC 9112 section 7.1). Pure and resumable at any byte; called by RequestParser.
// Invariant: one reading of the bytes, or a refusal. CR LF only, sizes of plain hexadecimal digits, extensions by the
// grammar and bounded, trailers by the rules of header fields and then dropped (RFC 9110 section 6.5.1).

/// The state between two calls.
struct ChunkedBody {
    private enum State { case size, data, dataEnd, trailer }

    private var state = State.size
    /// Data bytes of the current chunk that are still to come.
    private var left: UInt64 = 0
    private var line: [UInt8] = []
    private var extensionBytes = 0
    private var trailerBytes = 0
    private var trailerFields = 0

    /// What one step found.
    enum Event {
        case needsMore
        /// Data at this range of the input.
        case data(Range<Int>)
        case end
    }

    /// Takes bytes of `input` from `offset` on, which it moves.
    mutating func next(_ input: Span<UInt8>, at offset: inout Int) throws(RequestRefusal) -> Event {
        while offset < input.count {
            switch state {
            case .size:
                guard try takeLine(input, &offset, most: HTTPLimits.chunkLineBytesMax, tooLong: .chunkExtension) else {
                    return .needsMore
                }
                left = try parseSize()
                state = left == 0 ? .trailer : .data
                line.removeAll(keepingCapacity: true)
            case .data:
                let count = Int(min(left, UInt64(input.count - offset)))
                let range = offset..<(offset + count)
                offset += count
                left -= UInt64(count)
                if left == 0 { state = .dataEnd }
                return .data(range)
            case .dataEnd:
                // The CRLF after the data, byte by byte: no other byte may stand here.
                guard input[offset] == (line.isEmpty ? .carriageReturn : .lineFeed) else { throw .chunk }
                offset += 1
                if line.isEmpty {
                    line.append(.carriageReturn)
                } else {
                    line.removeAll(keepingCapacity: true)
                    state = .size
                }
            case .trailer:
                let room = HTTPLimits.headerBytesMax - trailerBytes
                guard try takeLine(input, &offset, most: room, tooLong: .headersTooLarge) else { return .needsMore }
                if line.isEmpty { return .end }
                trailerBytes += line.count + 2
                trailerFields += 1
                if trailerFields > HTTPLimits.headerFieldsMax { throw .headersTooLarge }
                try checkTrailer()
                line.removeAll(keepingCapacity: true)
            }
        }
        return .needsMore
    }

    /// Collects into `line` up to and without CRLF; true when it is whole.
    private mutating func takeLine(
        _ input: Span<UInt8>, _ offset: inout Int, most: Int, tooLong: RequestRefusal
    ) throws(RequestRefusal) -> Bool {
        while offset < input.count {
            let byte = input[offset]
            offset += 1
            if byte == .lineFeed {
                guard line.last == .carriageReturn else { throw .chunk }
                line.removeLast()
                return true
            }
            // RFC 9112 section 2.2: a bare CR is no part of a line.
            if line.last == .carriageReturn { throw .chunk }
            line.append(byte)
            if line.count > most + 1 || (line.count > most && byte != .carriageReturn) { throw tooLong }
        }
        return false
    }

    /// `chunk-size [chunk-ext]`: 1*HEXDIG *( BWS ";" BWS token [ BWS "=" BWS ( token / quoted-string ) ] )
    private mutating func parseSize() throws(RequestRefusal) -> UInt64 {
        var size: UInt64 = 0
        var at = 0
        while at < line.count, let digit = ByteClass.hexValue(line[at]) {
            // RFC 9112 section 7.1: large numbers are to be expected; this many digits cannot overflow.
            if at == HTTPLimits.chunkSizeDigitsMax { throw .chunk }
            size = size << 4 | UInt64(digit)
            at += 1
        }
        if at == 0 { throw .chunk }
        extensionBytes += line.count - at
        if extensionBytes > HTTPLimits.chunkExtensionBytesMax { throw .chunkExtension }
        while at < line.count {
            skipBlanks(&at)
            guard at < line.count, line[at] == UInt8(ascii: ";") else { throw .chunk }
            at += 1
            skipBlanks(&at)
            try takeToken(&at)
            var mark = at
            skipBlanks(&mark)
            guard mark < line.count, line[mark] == UInt8(ascii: "=") else { continue }
            at = mark + 1
            skipBlanks(&at)
            if at < line.count && line[at] == UInt8(ascii: "\"") {
                try takeQuoted(&at)
            } else {
                try takeToken(&at)
            }
        }
        return size
    }

    private func skipBlanks(_ at: inout Int) {
        while at < line.count && ByteClass.isBlank(line[at]) { at += 1 }
    }

    private func takeToken(_ at: inout Int) throws(RequestRefusal) {
        let start = at
        while at < line.count && ByteClass.isToken(line[at]) { at += 1 }
        if at == start { throw .chunk }
    }

    /// quoted-string, RFC 9110 section 5.6.4.
    private func takeQuoted(_ at: inout Int) throws(RequestRefusal) {
        at += 1
        while at < line.count {
            let byte = line[at]
            at += 1
            if byte == UInt8(ascii: "\"") { return }
            guard ByteClass.isFieldValue(byte) else { throw .chunk }
            if byte == UInt8(ascii: "\\") {
                guard at < line.count, ByteClass.isFieldValue(line[at]) else { throw .chunk }
                at += 1
            }
        }
        throw .chunk
    }

    private func checkTrailer() throws(RequestRefusal) {
        var bytes = line
        let field = try FieldLine.parse(&bytes, 0..<bytes.count)
        for name in ChunkedBody.trailersRefused where bytes.matches(field.name, name) { throw .trailer }
    }

    /// RFC 9110 section 6.5.1: fields that frame, route or authorise a request decide before the body is read.
    static let trailersRefused = [
        "transfer-encoding", "content-length", "host", "authorization", "content-type", "content-encoding",
        "content-range", "trailer", "connection", "expect", "te", "upgrade", "cookie",
    ]
}
