import Testing

@testable import EyeQueryHTTP

/// Plays pieces over a parser and writes down what came out, in the words of the vectors.
func play(_ pieces: [[UInt8]]) -> [String] {
    var parser = RequestParser()
    var events: [String] = []
    var head: RequestHead?
    var body: [UInt8] = []
    var refused = false
    for piece in pieces {
        var offset = 0
        reading: while true {
            switch parser.next(piece.span, at: &offset) {
            case .needsMore: break reading
            case .head(let whole):
                #expect(head == nil)
                head = whole
                body = []
            case .body(let range): body += piece[range]
            case .end:
                guard let whole = head else {
                    Issue.record("an end without a head")
                    return events
                }
                var text = "request \(whole.methodName) \(Vector.escape(whole.bytes[whole.path]))"
                if let query = whole.query { text += "?\(Vector.escape(whole.bytes[query]))" }
                if !body.isEmpty { text += " body=\(Vector.escape(body))" }
                if !whole.keepsAlive { text += " close" }
                events.append(text)
                head = nil
                if !whole.keepsAlive { return events }
            case .refused(let refusal):
                if !refused { events.append("refused \(refusal.status) \(refusal)") }
                refused = true
                break reading
            }
        }
    }
    if !refused && (head != nil || !parser.isBetweenRequests) {
        // An empty line after a request is nothing that a client waits for.
        if head != nil || parser.isInsideHead && pieces.joined().suffix(2) != [13, 10] || events.isEmpty {
            events.append("waiting")
        }
    }
    return events
}

@Suite struct RequestParserTests {
    @Test(arguments: Vector.load("requests") + Vector.load("refusals") + Vector.load("smuggling"))
    func vectors(_ vector: Vector) {
        let expected = vector.expectedEvents
        for cuts in Vector.cuts(vector.bytes.count) {
            let events = play(Vector.pieces(vector.bytes, cuts))
            if events != expected {
                #expect(events == expected, "cut at \(cuts.count > 1 ? "every byte" : "\(cuts)")")
                return
            }
        }
    }

    @Test func everyRefusalHasAVector() {
        let words = (Vector.load("refusals") + Vector.load("smuggling")).flatMap(\.expected)
        for refusal in RequestRefusal.allCases {
            switch refusal {
            // Of the connection and the service, not of the parser: HTTPConnectionTests and HTTPServiceTests.
            case .incomplete, .bodyTooLarge, .timeout, .full: continue
            default: #expect(words.contains("refused \(refusal.status) \(refusal)"), "no vector for \(refusal)")
            }
        }
    }

    @Test func thereAreEnoughSmugglingPairs() {
        let pairs = Vector.load("smuggling").filter {
            $0.bytes.suffix(Vector.marked.count).elementsEqual(Vector.marked)
        }
        #expect(pairs.count >= 60)
    }

    @Test func timeIsLinear() {
        // A head of many small pieces: quadratic work would take minutes here.
        var parser = RequestParser()
        let piece = Array("1\r\nx\r\n".utf8)
        let head = Array("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".utf8)
        var offset = 0
        while case .head = parser.next(head.span, at: &offset) {}
        var bytes = 0
        for _ in 0..<200_000 {
            offset = 0
            while case .body(let range) = parser.next(piece.span, at: &offset) { bytes += range.count }
        }
        #expect(bytes == 200_000)
    }
}
