// Who a request says it is from: the token in its Authorization fields (RFC 9110 section 11.6.2). Pure. A secret read here
// goes into the token lookup and, for writes, to the ingest side; never into a log, an answer or a metric.

/// The credentials of a request.
enum Credentials: Equatable {
    case none
    case token([UInt8])
    /// What is wrong with them, for the answer's detail.
    case malformed(String)

    /// Reads every Authorization field. `Token` and `Bearer` are ours; others (curl's `--user` makes a Basic one) are
    /// ignored, since nobody here could check them.
    init(_ head: RequestHead) {
        var found: [UInt8]?
        for value in head.values("authorization") {
            let words = head.bytes[value].split(separator: .space)
            guard let scheme = words.first else { continue }
            let range = scheme.startIndex..<scheme.endIndex
            guard head.bytes.matches(range, "token") || head.bytes.matches(range, "bearer") else { continue }
            if words.count == 1 {
                self = .malformed("Invalid token header. No credentials provided.")
                return
            }
            if words.count > 2 {
                self = .malformed("Invalid token header. Token string should not contain spaces.")
                return
            }
            let token = Array(words[1])
            if let found, found != token {
                self = .malformed("Invalid token header. Two different tokens were sent.")
                return
            }
            found = token
        }
        self = if let found { .token(found) } else { .none }
    }
}
