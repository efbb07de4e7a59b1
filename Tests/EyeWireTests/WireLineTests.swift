import Testing

@testable import EyeWire

@Suite struct WireLineTests {
    static func split(_ text: String, isControl: Bool = false) -> LineKind {
        Array(text.utf8).withUnsafeBytes { WireLine.split($0, isControl: isControl) }
    }

    static let token = "0123456789abcdef0123456789abcdef01234567"

    @Test(arguments: [
        ("", LineKind.ignored), ("#", .ignored), ("# PING", .ignored), ("{}", .bare(json: 0..<2)),
        ("{", .bare(json: 0..<1)),
        ("PING", .command(.ping, argument: 4..<4)), ("ping", .command(.ping, argument: 4..<4)),
        ("PiNg x y", .command(.ping, argument: 5..<8)), ("PING ", .command(.ping, argument: 5..<5)),
        ("HELLO {}", .command(.hello, argument: 6..<8)), ("MODE acks", .command(.mode, argument: 5..<9)),
        ("SYNC", .command(.sync, argument: 4..<4)), ("CHECK t {}", .command(.check, argument: 6..<10)),
        ("STATS", .command(.stats, argument: 5..<5)), ("HELP", .command(.help, argument: 4..<4)),
        ("QUIT", .command(.quit, argument: 4..<4)), ("SESSION a b", .unknownCommand), ("METRICS", .unknownCommand),
        ("PINGS", .unknownCommand), ("abcdefgh", .unknownCommand), ("GET / HTTP/1.1", .wrongPort),
        ("OPTIONS * HTTP/1.1", .wrongPort), ("PRI * HTTP/2.0", .wrongPort), ("GET /", .unknownCommand),
        ("x HTTP/1.1", .wrongPort), ("HTTP/1.1", .event(token: 0..<8, json: 8..<8)),
        ("abcdefghi", .event(token: 0..<9, json: 9..<9)), ("a1 {}", .event(token: 0..<2, json: 3..<5)),
        ("PING\t", .event(token: 0..<5, json: 5..<5)), (" {}", .event(token: 0..<0, json: 1..<3)),
        ("t0k  {}", .event(token: 0..<3, json: 4..<7)), ("t0k ", .event(token: 0..<4 - 1, json: 4..<4)),
        ("\u{16}\u{3}\u{1}", .wrongPort), ("\u{16}", .event(token: 0..<1, json: 1..<1)),
        ("é {}", .event(token: 0..<2, json: 3..<5)),
    ])
    func shapes(_ text: String, _ kind: LineKind) {
        #expect(Self.split(text) == kind, "\(text)")
    }

    @Test func theControlSocketHasMoreVerbs() {
        #expect(Self.split("SESSION a b", isControl: true) == .command(.session, argument: 8..<11))
        #expect(Self.split("metrics", isControl: true) == .command(.metrics, argument: 7..<7))
        #expect(Self.split("USED 7", isControl: true) == .command(.used, argument: 5..<6))
        #expect(Self.split("REJECT {}", isControl: true) == .command(.reject, argument: 7..<9))
    }

    @Test func theUsualLine() {
        #expect(Self.split(Self.token + " {\"a\":1}") == .event(token: 0..<40, json: 41..<48))
        // Space at the 41st place, but it is a command, or an earlier space ends the token.
        let command = "PING 01234567890123456789012345678901234 {}xxxxxx"
        #expect(Self.split(command) == .command(.ping, argument: 5..<command.utf8.count))
        #expect(Self.split("0123456789 0123456789012345678901234567x {}xxxxxx") == .event(token: 0..<10, json: 11..<49))
        for place in 0..<40 {
            var text = Array((Self.token + " {\"a\":1}").utf8)
            text[place] = 0x20
            #expect(text.withUnsafeBytes { WireLine.split($0) } == .event(token: 0..<place, json: place + 1..<48))
        }
    }

    @Test func tls() {
        let hello: [UInt8] = [0x16, 0x03, 0x01]
        #expect(hello.withUnsafeBytes { WireLine.isTLS($0) })
        #expect(![0x16 as UInt8].withUnsafeBytes { WireLine.isTLS($0) })
        #expect(!Array("GET".utf8).withUnsafeBytes { WireLine.isTLS($0) })
    }
}

@Suite struct ReplyTests {
    static func parse(_ text: String) -> ReplyLine? { Array(text.utf8).withUnsafeBytes { ReplyLine.parse($0) } }

    static func written(_ body: (inout [UInt8]) -> Void) -> String {
        var out: [UInt8] = []
        body(&out)
        #expect(out.last == 0x0A)
        return String(decoding: out.dropLast(), as: UTF8.self)
    }

    /// What the server writes the client reads.
    @Test func thereAndBack() {
        var greeting = ReplyLine.Greeting()
        (greeting.proto, greeting.lineBytesMax, greeting.datagramBytesMax, greeting.lastSequence) = (
            1, 65_536, 65_507, 1000
        )
        #expect(
            Self.parse(Self.written { Reply.appendHello(server: "the-eye/1.0", lastSequence: 1000, now: 0, to: &$0) })
                == .hello(greeting))
        #expect(Self.parse(Self.written { Reply.appendOK(to: &$0) }) == .ok)
        for mode in Mode.allCases { #expect(Self.parse(Self.written { Reply.appendOK(mode, to: &$0) }) == .mode(mode)) }
        #expect(Self.parse(Self.written { Reply.appendOK(line: 7, id: .max, to: &$0) }) == .stored(line: 7, id: .max))
        #expect(Self.parse(Self.written { Reply.appendAck(line: 9, to: &$0) }) == .ack(9))
        #expect(Self.parse(Self.written { Reply.appendSync(line: 0, to: &$0) }) == .sync(0))
        #expect(Self.parse(Self.written { Reply.appendMetrics(lineCount: 3, to: &$0) }) == .metrics(lineCount: 3))
        let erased = ErasureCounts(id: 9, events: 3, firstEventID: 4, lastEventID: 40, samples: 2, erased: 1_700_000)
        #expect(Self.parse(Self.written { Reply.appendErased(line: 5, erased, to: &$0) }) == .erased(line: 5, erased))
        #expect(Self.parse("+ERASED 5 id=9 events=3") == nil)
        #expect(Self.parse(Self.written { Reply.appendMore(5, to: &$0) }) == .more(5))
        let counts = LineCounts(received: 10, accepted: 7, rejected: 2, duplicate: 1)
        #expect(Self.parse(Self.written { Reply.appendBye(counts, to: &$0) }) == .bye(counts))
        let pong = Array("a b".utf8)
        #expect(
            Self.parse(Self.written { out in pong.withUnsafeBytes { Reply.appendPong($0, to: &out) } }) == .pong(6..<9))
        #expect(Self.parse("+PONG") == .pong(5..<5))
        for reject in Reject.allCases {
            let text = Self.written { Reply.appendError(line: 3, reject, to: &$0) }
            guard case .error(3, reject, _, let range) = Self.parse(text) else {
                Issue.record("\(text)")
                continue
            }
            #expect(!range.isEmpty)
            #expect(text.utf8.allSatisfy { $0 >= 0x20 })
        }
        let stats = Self.written { Reply.appendStats(counts, bytes: 5, mode: .each, line: 4, durable: 3, to: &$0) }
        guard case .stats(let range) = Self.parse(stats) else {
            Issue.record("\(stats)")
            return
        }
        #expect(JSONTests.verdict(Array(Array(stats.utf8)[range])) == nil)
    }

    @Test(arguments: [
        "", "OK", "+", "+OKAY", "+OK loud", "+OK 1", "+OK 1 2 3", "+OK 1 x", "+ACK", "+ACK x", "+ACK 1 2", "+ACK -1",
        "+ACK 18446744073709551616", "+BYE", "+BYE received=1", "+BYE received=1 accepted=1 rejected=0 duplicate=0 x=1",
        "-ERR",
        "-ERR x y", "-ERR 1", "+HELLO", "+HELLO {", "+HELLO []", "+hello {}", " +OK",
    ])
    func whatIsNoReply(_ text: String) {
        #expect(Self.parse(text) == nil)
    }

    @Test func unknownThingsOfLaterServers() {
        #expect(
            Self.parse(#"+HELLO {"proto":1,"new":{"a":[1]},"last_seq":5}"#).map {
                if case .hello(let greeting) = $0 { greeting.lastSequence == 5 } else { false }
            } == true)
        #expect(Self.parse("-ERR 4 brand-new what it is") == .error(line: 4, reject: nil, code: 7..<16, text: 17..<27))
    }
}
