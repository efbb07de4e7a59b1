// The head of an answer of our own HTTP service, and where its body ends. Used by the commands that ask it. Pure.

/// The head of an answer of our own service.
struct AnswerHead {
    let status: Int
    /// Where the body begins.
    let bodyStart: Int
    /// Path and query of `Link: <…>; rel="next"`.
    let next: String?
    /// `Retry-After`.
    let retrySeconds: Int?
    /// `Eye-Incomplete`, of an answer that was whole when its head was sent.
    private let incomplete: String?
    private let length: Int?

    /// Nil while it is not whole.
    init?(_ bytes: [UInt8]) throws(Failure) {
        guard let end = AnswerHead.find("\r\n\r\n", in: bytes, from: 0) else { return nil }
        let lines = String(decoding: bytes[..<end], as: UTF8.self).split(separator: "\r\n")
        guard let first = lines.first, let status = Int(first.dropFirst(9).prefix(3)) else {
            throw Failure("that is no HTTP service")
        }
        var length: Int?
        var next: String?
        var retrySeconds: Int?
        var incomplete: String?
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let value = line[line.index(after: colon)...].drop { $0 == " " }
            switch line[..<colon].lowercased() {
            case "content-length": length = Int(value)
            case "retry-after": retrySeconds = Int(value)
            case "eye-incomplete": incomplete = String(value)
            case "link":
                if let from = value.firstIndex(of: "<"), let to = value.firstIndex(of: ">"), from < to {
                    next = String(value[value.index(after: from)..<to])
                }
            default: break
            }
        }
        self.status = status
        bodyStart = end + 4
        self.next = next
        self.retrySeconds = retrySeconds
        self.incomplete = incomplete
        self.length = length
    }

    /// The body; nil while it is not whole. Without a length it is chunked (RFC 9112 section 7.1).
    func body(of bytes: [UInt8]) -> [UInt8]? {
        if let length {
            return bytes.count >= bodyStart + length ? Array(bytes[bodyStart..<bodyStart + length]) : nil
        }
        var body: [UInt8] = []
        var place = bodyStart
        while let lineEnd = AnswerHead.find("\r\n", in: bytes, from: place) {
            let digits = bytes[place..<lineEnd].prefix { $0 != UInt8(ascii: ";") }
            guard let size = Int(String(decoding: digits, as: UTF8.self), radix: 16), size >= 0 else { return nil }
            if size == 0 { return AnswerHead.find("\r\n\r\n", in: bytes, from: place) == nil ? nil : body }
            guard bytes.count >= lineEnd + 2 + size + 2 else { return nil }
            body.append(contentsOf: bytes[(lineEnd + 2)..<(lineEnd + 2 + size)])
            place = lineEnd + 2 + size + 2
        }
        return nil
    }

    /// `Eye-Incomplete` of a whole answer: in its head, or behind its last chunk (RFC 9112 section 7.1.2).
    func incomplete(of bytes: [UInt8]) -> String? {
        if let incomplete { return incomplete }
        let trailersBytesMax = 200
        let name = "Eye-Incomplete: "
        let lines = String(decoding: bytes[bodyStart...].suffix(trailersBytesMax), as: UTF8.self)
            .split(separator: "\r\n")
        return length == nil ? lines.last { $0.hasPrefix(name) }.map { String($0.dropFirst(name.count)) } : nil
    }

    private static func find(_ text: StaticString, in bytes: [UInt8], from start: Int) -> Int? {
        let count = text.utf8CodeUnitCount
        guard bytes.count - start >= count else { return nil }
        return (start...bytes.count - count).first { place in
            (0..<count).allSatisfy { unsafe bytes[place + $0] == text.utf8Start[$0] }
        }
    }
}
