// The fields that say where a request ends, whom it is for and whether the connection lives on: Host, Content-Length,
// Transfer-Encoding, Connection, Expect. Judged together, once the header section is whole. Pure; called by RequestParser.
// Everything here that could be read in two ways is refused: request smuggling lives on such readings.

/// Judges the framing fields of a head.
enum RequestFraming {
    /// Fills `framing`, `keepsAlive` and `expectsContinue`, or refuses.
    static func judge(_ head: inout RequestHead) throws(RequestRefusal) {
        var host: Range<Int>?
        var length: Range<Int>?
        var coding: Range<Int>?
        var closes = false
        var keeps = false
        for field in head.fields {
            switch field.name.count {
            case 4 where head.bytes.matches(field.name, "host"):
                // RFC 9112 section 3.2: more than one Host line, even the same one, is 400.
                if host != nil { throw .host }
                host = field.value
            case 14 where head.bytes.matches(field.name, "content-length"):
                // RFC 9110 section 8.6 would let equal ones through; two lengths are two meanings.
                if length != nil { throw .contentLength }
                length = field.value
            case 17 where head.bytes.matches(field.name, "transfer-encoding"):
                if coding != nil { throw .transferEncoding }
                coding = field.value
            case 10 where head.bytes.matches(field.name, "connection"):
                // RFC 9110 section 7.6.1.
                closes = closes || FieldLine.list(head.bytes, field.value, holds: "close")
                keeps = keeps || FieldLine.list(head.bytes, field.value, holds: "keep-alive")
            case 6 where head.bytes.matches(field.name, "expect"):
                // RFC 9110 section 10.1.1: ignored in HTTP/1.0.
                if head.minorVersion == 0 { continue }
                guard head.bytes.matches(field.value, "100-continue") else { throw .expectation }
                head.expectsContinue = true
            // CGI and its heirs read `_` as `-`: some server before or behind us may take these for framing.
            case 14 where head.bytes.matches(field.name, "content_length"): throw .contentLength
            case 17 where head.bytes.matches(field.name, "transfer_encoding"): throw .transferEncoding
            default: continue
            }
        }
        try judgeHost(head, host)
        head.framing = try judgeBody(head, length: length, coding: coding)
        // RFC 9112 section 9.3.
        head.keepsAlive = !closes && (head.minorVersion == 1 || keeps)
    }

    private static func judgeHost(_ head: RequestHead, _ host: Range<Int>?) throws(RequestRefusal) {
        guard let host else {
            // RFC 9112 section 3.2; HTTP/1.0 clients need not send it.
            if head.minorVersion == 1 { throw .host }
            return
        }
        guard HostName.isValid(head.bytes[host]) else { throw .host }
        // RFC 9112 section 3.2.2 lets the target win; we refuse the contradiction.
        if let authority = head.authority, !HostName.areEqual(head.bytes[authority], head.bytes[host]) {
            throw .hostMismatch
        }
    }

    private static func judgeBody(
        _ head: RequestHead, length: Range<Int>?, coding: Range<Int>?
    ) throws(RequestRefusal) -> BodyFraming {
        if let coding {
            // RFC 9112 section 6.1: both together are an attack or an accident.
            if length != nil { throw .twoLengths }
            // RFC 9112 section 6.1: HTTP/1.0 has no transfer codings; section 7: names in any case of letters.
            guard head.minorVersion == 1, head.bytes.matches(coding, "chunked") else { throw .transferEncoding }
            return .chunked
        }
        guard let length else { return .none }
        // RFC 9110 section 8.6: 1*DIGIT. A leading zero is octal to some; 18 digits cannot overflow.
        let digits = head.bytes[length]
        let digitsMax = 18
        guard !digits.isEmpty, digits.count <= digitsMax, digits.allSatisfy(ByteClass.isDigit),
            digits.count == 1 || digits.first != UInt8(ascii: "0")
        else { throw .contentLength }
        let value = digits.reduce(UInt64(0)) { $0 * 10 + UInt64($1 - 0x30) }
        return value == 0 ? .none : .length(value)
    }
}
