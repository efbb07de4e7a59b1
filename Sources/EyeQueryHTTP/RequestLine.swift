// The first line of a request: method, target, version (RFC 9112 section 3). Pure; called by RequestParser with the whole
// line in `head.bytes`.

/// Parses request lines.
enum RequestLine {
    /// Judges `head.bytes[line]`, which has no CRLF, and fills the head's method, target and version.
    static func parse(_ line: Range<Int>, into head: inout RequestHead) throws(RequestRefusal) {
        let bytes = head.bytes
        // RFC 9112 section 3: single spaces, nothing before, nothing after.
        var methodEnd = line.lowerBound
        while methodEnd < line.upperBound && ByteClass.isToken(bytes[methodEnd]) { methodEnd += 1 }
        guard methodEnd > line.lowerBound, methodEnd < line.upperBound, bytes[methodEnd] == .space else {
            throw bytes[line].contains(.carriageReturn) ? .lineEnding : .requestLine
        }
        let targetStart = methodEnd + 1
        var targetEnd = targetStart
        while targetEnd < line.upperBound && bytes[targetEnd] != .space { targetEnd += 1 }
        let target = targetStart..<targetEnd
        if bytes[target].contains(.carriageReturn) { throw .lineEnding }
        guard !target.isEmpty, targetEnd < line.upperBound else { throw .requestLine }
        head.minorVersion = try version(bytes[(targetEnd + 1)..<line.upperBound])

        head.methodRange = line.lowerBound..<methodEnd
        head.method = try method(bytes[head.methodRange])
        try parseTarget(target, into: &head)
    }

    /// RFC 9112 section 2.3: `HTTP/` DIGIT `.` DIGIT, in capitals. A minor version above ours is spoken to as 1.1 (RFC
    /// 9110 section 2.5); another major one is 505.
    private static func version(_ text: ArraySlice<UInt8>) throws(RequestRefusal) -> UInt8 {
        let at = text.startIndex
        guard text.count == 8, text[at..<(at + 5)].elementsEqual("HTTP/".utf8), ByteClass.isDigit(text[at + 5]),
            text[at + 6] == UInt8(ascii: "."), ByteClass.isDigit(text[at + 7])
        else { throw text.contains(.carriageReturn) ? .lineEnding : .versionSyntax }
        if text[at + 5] != UInt8(ascii: "1") { throw .version }
        return min(text[at + 7] - 0x30, 1)
    }

    /// RFC 9110 section 9.1: names are case-sensitive. CONNECT would be a tunnel and TRACE shows a request's secrets to
    /// whoever gets the answer: neither is implemented for any resource (501).
    private static func method(_ name: ArraySlice<UInt8>) throws(RequestRefusal) -> Method {
        if name.count > HTTPLimits.methodBytesMax { throw .method }
        for method in Method.allCases where name.elementsEqual(method.rawValue.utf8) { return method }
        if name.elementsEqual("CONNECT".utf8) || name.elementsEqual("TRACE".utf8) { throw .method }
        return .other
    }

    /// RFC 9112 section 3.2: origin-form, absolute-form, or `*` for OPTIONS.
    private static func parseTarget(_ target: Range<Int>, into head: inout RequestHead) throws(RequestRefusal) {
        let bytes = head.bytes
        var start = target.lowerBound
        if bytes[start] == UInt8(ascii: "*") {
            // RFC 9112 section 3.2.4.
            guard target.count == 1, head.method == .options else { throw .target }
            head.path = target
            return
        }
        if bytes[start] != .slash {
            // RFC 9112 section 3.2.2: `http://authority[/path][?query]`.
            let schemes = ["http://", "https://"]
            guard
                let scheme = schemes.first(where: {
                    target.count > $0.utf8.count && bytes.matches(start..<(start + $0.utf8.count), $0)
                })
            else { throw .target }
            start += scheme.utf8.count
            var end = start
            while end < target.upperBound && bytes[end] != .slash && bytes[end] != UInt8(ascii: "?") { end += 1 }
            guard HostName.isValid(bytes[start..<end]) else { throw .target }
            head.authority = start..<end
            start = end
        }
        var pathEnd = start
        while pathEnd < target.upperBound && ByteClass.isPath(bytes[pathEnd]) { pathEnd += 1 }
        head.path = start..<pathEnd
        try PercentEncoding.check(bytes[head.path], allowsControls: false)
        guard pathEnd < target.upperBound else { return }
        // RFC 9112 section 3.2.1: what follows the path is a query; a fragment (`#`) never is sent.
        guard bytes[pathEnd] == UInt8(ascii: "?") else { throw .target }
        let query = (pathEnd + 1)..<target.upperBound
        guard bytes[query].allSatisfy(ByteClass.isQuery) else { throw .target }
        try PercentEncoding.check(bytes[query], allowsControls: true)
        head.query = query
    }
}
