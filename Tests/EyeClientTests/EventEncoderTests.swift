import EyeWire
import Foundation
import Testing

@testable import EyeClient

private let session = EyeWire.UUID(high: 0xE208_5BE5_9137_4E4E, low: 0x80B5_F1FF_DDC2_5423)

/// What the server's scanner reads from an encoded line.
private func decode(_ line: [UInt8], token: String) throws -> (
    fields: EventFields, category: [UInt8], name: [UInt8], data: [UInt8]
) {
    #expect(line.starts(with: Array("\(token) {".utf8)))
    #expect(line.last == 0x0A)
    #expect(line.filter { $0 == 0x0A || $0 == 0x0D }.count == 1)
    let object = Array(line.dropFirst(token.utf8.count + 1).dropLast())
    return try object.withUnsafeBytes { bytes in
        let fields = try EventScanner.scan(bytes, latest: Int64.max)
        var (category, name): ([UInt8], [UInt8]) = ([], [])
        JSON.appendUnescaped(fields.category, of: bytes, to: &category)
        JSON.appendUnescaped(fields.name, of: bytes, to: &name)
        return (fields, category, name, Array(bytes[fields.dataRange]))
    }
}

@Suite struct EventEncoderTests {
    @Test func theDocumentedEvent() throws {
        let event = OutgoingEvent(
            session: session, category: "page interaction", name: "cta click",
            data: Array(#"{"host":"www.consumeraffairs.com","path":"/"}"#.utf8), timestamp: 1_609_492_527_243_860)
        var line: [UInt8] = []
        try EventEncoder.append(event, token: Array("tok".utf8), to: &line)
        let expected =
            #"tok {"session_id":"e2085be5-9137-4e4e-80b5-f1ffddc25423","category":"page interaction","name":"cta click","data":{"host":"www.consumeraffairs.com","path":"/"},"timestamp":"2021-01-01T09:15:27.243860Z"}"#
            + "\n"
        #expect(String(decoding: line, as: UTF8.self) == expected)
    }

    static let naughty: [String] = {
        let own = [
            "\"", "\\", "\u{0}", "\u{1}\u{1F}\u{7F}", "a\r\nb", "\u{2028}\u{FEFF}", "é", "e\u{301}", "👩‍👩‍👧", "</script>",
            "\u{10FFFF}",
        ]
        let file = URL(filePath: #filePath).appending(path: "../../../../shared/data/naughty_strings.json")
        guard let data = try? Data(contentsOf: file) else { return own }
        return own + ((try? JSONDecoder().decode([String].self, from: data)) ?? [])
    }()

    @Test func everyStringComesBack() throws {
        var count = 0
        for text in EventEncoderTests.naughty {
            let category = String(String.UnicodeScalarView(text.unicodeScalars.prefix(50)))
            let name = String(String.UnicodeScalarView(text.unicodeScalars.prefix(150)))
            guard !category.isEmpty else { continue }
            var data = Array("{\"value\":".utf8)
            JSON.appendString(text, to: &data)
            data.append(UInt8(ascii: "}"))
            let eventID = EyeWire.UUID(high: 1, low: UInt64(count))
            let event = OutgoingEvent(
                session: session, category: category, name: name, data: data, timestamp: 1, eventID: eventID)
            var line: [UInt8] = []
            try EventEncoder.append(event, token: Array("tok".utf8), to: &line)
            let read = try decode(line, token: "tok")
            #expect(read.category == Array(category.utf8))
            #expect(read.name == Array(name.utf8))
            #expect(read.data == data)
            #expect(read.fields.session == session && read.fields.eventID == eventID && read.fields.timestamp == 1)
            count += 1
        }
        #expect(count >= 11)
    }

    @Test func badEventsAppendNothing() {
        let good = OutgoingEvent(
            session: session, category: "c", name: "n", data: Array(#"{"a":1}"#.utf8), timestamp: 0)
        func fault(_ change: (inout OutgoingEvent) -> Void) -> Reject? {
            var event = good
            change(&event)
            var line = Array("before".utf8)
            do {
                try EventEncoder.append(event, token: Array("t".utf8), to: &line)
                return nil
            } catch {
                #expect(line == Array("before".utf8))
                return error.reject
            }
        }
        #expect(fault { _ in } == nil)
        #expect(fault { $0.category = "" } == .emptyField)
        #expect(fault { $0.category = String(repeating: "é", count: 51) } == .fieldTooLong)
        #expect(fault { $0.name = String(repeating: "é", count: 151) } == .fieldTooLong)
        #expect(fault { $0.data = Array("{}".utf8) } == .emptyField)
        #expect(fault { $0.data = Array("[1]".utf8) } == .badType)
        #expect(fault { $0.data = Array(#"{"a":1},"name":"other""#.utf8) } != nil)
        #expect(fault { $0.data = Array(#"{"a":"\#(String(repeating: "x", count: 65_536))"}"#.utf8) } == .tooLong)
    }

    @Test func lineBreaksInDataBecomeSpaces() throws {
        let event = OutgoingEvent(
            session: session, category: "c", name: "n", data: Array("{\r\n \"a\":\n1}".utf8), timestamp: 0)
        var line: [UInt8] = []
        try EventEncoder.append(event, token: Array("t".utf8), to: &line)
        #expect(try decode(line, token: "t").data == Array("{   \"a\": 1}".utf8))
    }
}

@Suite struct SendWindowTests {
    @Test func numbersAndRewinds() {
        var window = SendWindow(settled: 10)
        #expect(window.append(Array("a".utf8)) == 11)
        #expect(window.append(Array("bb".utf8)) == 12)
        #expect(Array(window.takeUnwritten()) == Array("a\nbb\n".utf8))
        #expect(window.unwrittenCount == 0)
        #expect(window.append(Array("c".utf8)) == 13)
        #expect(window.settle(upTo: 11) == 1)
        #expect(window.settle(upTo: 11) == 0)
        #expect(Array(window.takeUnwritten()) == Array("c\n".utf8))
        window.rewind()
        #expect(Array(window.takeUnwritten()) == Array("bb\nc\n".utf8))
        #expect(window.settle(upTo: 99) == 2)
        #expect(window.count == 0 && window.last == 13 && window.settled == 13)
        window.skip()
        #expect(window.append(Array("d".utf8)) == 15)
        #expect(Array(window.takeUnwritten()) == Array("d\n".utf8))
    }

    /// Against a plain model, at random with a fixed seed.
    @Test func likeAModel() {
        var random = SplitMix(state: 7)
        var window = SendWindow(settled: 0)
        var lines: [(number: UInt64, text: [UInt8])] = []
        var (next, unwritten): (UInt64, UInt64) = (1, 1)
        for _ in 0..<5000 {
            switch random.next() % 4 {
            case 0, 1:
                let text = Array("line \(random.next() % 100_000)".utf8)
                #expect(window.append(text) == next)
                lines.append((next, text))
                next += 1
            case 2:
                let number = (lines.first?.number ?? next) + random.next() % 8
                #expect(window.settle(upTo: number) == UInt64(lines.count { $0.number <= number }))
                lines.removeAll { $0.number <= number }
                unwritten = max(unwritten, lines.first?.number ?? next)
            default:
                if random.next() % 8 == 0 {
                    window.rewind()
                    unwritten = lines.first?.number ?? next
                }
                let expected: [UInt8] = lines.filter { $0.number >= unwritten }.flatMap { $0.text + [UInt8(0x0A)] }
                #expect(Array(window.takeUnwritten()) == expected)
                unwritten = next
            }
            #expect(window.count == lines.count && window.last == next - 1)
        }
    }
}

/// A generator with a seed, so that a failure comes again.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

@Suite struct DatagramPackerTests {
    @Test func packsAndInherits() {
        var packer = DatagramPacker()
        #expect(packer.take() == nil)
        #expect(packer.add(Array("tok {1}".utf8)[...]) == nil)
        #expect(packer.add(Array("tok {2}".utf8)[...]) == nil)
        #expect(packer.add(Array("other {3}".utf8)[...]) == nil)
        #expect(packer.add(Array("tok {4}".utf8)[...]) == nil)
        let long = Array("tok {\(String(repeating: "x", count: 1425))}".utf8)
        #expect(long.count == 1431)
        #expect(packer.add(long[...]) == Array("tok {1}\n{2}\nother {3}\ntok {4}".utf8))
        // Too long for the advice: alone.
        let longer = long + Array(repeating: 0x20, count: 2000)
        #expect(packer.add(longer[...]) == long)
        #expect(packer.add(Array("tok {5}".utf8)[...]) == longer)
        #expect(packer.take() == Array("tok {5}".utf8))
        #expect(packer.take() == nil)
    }

    @Test func neverLongerThanAdvised() {
        var packer = DatagramPacker()
        var seen = 0
        for number in 0..<1000 {
            let line = Array("tok {\"n\":\(number)}".utf8)
            if let full = packer.add(line[...]) {
                #expect(full.count <= 1432 && full.count > 1400)
                #expect(full.starts(with: Array("tok {".utf8)))
                seen += full.split(separator: 0x0A).count
            }
        }
        seen += packer.take()?.split(separator: 0x0A).count ?? 0
        #expect(seen == 1000)
    }
}
