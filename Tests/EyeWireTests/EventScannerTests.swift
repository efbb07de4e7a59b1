import EyeTestVectors
import Foundation
import Testing

@testable import EyeWire

/// The scanner's answers in the words of the reference.
enum Scan {
    static func verdict(_ text: [UInt8], latest: Int64) -> String {
        let (problem, _) = judge(text, latest: latest)
        return problem ?? "ok"
    }

    static func words(_ fault: Fault) -> String { "\(fault.reject.code) \(fault.member.label) \(fault.offset)" }

    /// The first problem, or nil and the fields.
    static func judge(_ text: [UInt8], latest: Int64) -> (problem: String?, fields: String) {
        GuardedBytes.with(text) { bytes in
            do throws(Fault) {
                return (nil, words(try EventScanner.scan(bytes, latest: latest), of: bytes))
            } catch {
                return (words(error), "")
            }
        }
    }

    static func words(_ fields: EventFields, of bytes: UnsafeRawBufferPointer) -> String {
        func string(_ field: StringField) -> String {
            var out: [UInt8] = []
            JSON.appendUnescaped(field, of: bytes, to: &out)
            return String(decoding: out, as: UTF8.self)
        }
        let parts = [
            fields.session.description, string(fields.category), string(fields.name),
            "\(fields.dataOffset)+\(fields.dataCount)", "\(fields.timestamp)", fields.eventID?.description ?? "-",
        ]
        return parts.joined(separator: "|")
    }

    static func problems(_ text: [UInt8], latest: Int64) -> [String] {
        GuardedBytes.with(text) { EventCheck.problems($0, latest: latest).map(words) }
    }
}

@Suite struct EventScannerTests {
    static let latest: Int64 = 1_800_000_000_000_000
    static let original =
        #"{"session_id":"e2085be5-9137-4e4e-80b5-f1ffddc25423","category":"page interaction","name":"cta click","#
        + #""data":{"host":"www.consumeraffairs.com","path":"/","element":"chat bubble"},"#
        + #""timestamp":"2021-01-01 09:15:27.243860"}"#

    static let samples: [String] = [
        original,
        #" { "timestamp" : "2021-01-01T09:15:27.243860Z" , "data" : { "a" : [ 1 , -2.5e3 , true , null , { } , [ ] ] } , "#
            + #""name" : "n\u00e9\"\\" , "category" : "café" , "session_id" : "E2085BE5-9137-4E4E-80B5-F1FFDDC25423" , "#
            + #""event_id" : "00000000-0000-4000-8000-000000000001" } "#,
        #"{"data":{"🙂":"日本語\ud83d\ude00"},"timestamp":"2016-12-31T23:59:60Z","session_id":"#
            + #""00000000-0000-0000-0000-000000000000","name":"x","category":"y"}"#,
        #"{"event_id":"ffffffff-ffff-ffff-ffff-ffffffffffff","d\u0061ta":{"":{"":{"":[[[[]]]]}}},"c\u0061tegory":"\u0041","#
            + #""timestamp":"2021-01-01T09:15:27+01:00","name":"\/","session_id":"e2085be5-9137-4e4e-80b5-f1ffddc2542\u0033"}"#,
    ]

    @Test func theDocumentedEventIsRead() throws {
        let text = [UInt8](Self.original.utf8)
        let fields = try text.withUnsafeBytes { try EventScanner.scan($0, latest: Self.latest) }
        #expect(fields.session.description == "e2085be5-9137-4e4e-80b5-f1ffddc25423")
        #expect(String(decoding: text[fields.category.range], as: UTF8.self) == "page interaction")
        #expect(String(decoding: text[fields.name.range], as: UTF8.self) == "cta click")
        #expect(!fields.category.escaped && !fields.name.escaped)
        #expect(
            String(decoding: text[fields.dataRange], as: UTF8.self)
                == #"{"host":"www.consumeraffairs.com","path":"/","element":"chat bubble"}"#)
        #expect(fields.eventID == nil)
        var stamp: [UInt8] = []
        Timestamp.append(fields.timestamp, to: &stamp)
        #expect(String(decoding: stamp, as: UTF8.self) == "2021-01-01T09:15:27.243860Z")
    }

    @Test func namesAndCodesAsOnTheWire() {
        #expect(
            Member.allCases.prefix(6).map { "\($0.label)" }
                == ["session_id", "category", "name", "data", "timestamp", "event_id"])
        for reject in Reject.allCases {
            #expect([UInt8]("\(reject.code)".utf8).span.withUnsafeBufferPointer { Reject(code: $0.span) } == reject)
        }
    }

    /// Fields left by the line before are never seen.
    @Test func fieldsMayBeUsedAgain() throws {
        var fields = EventFields()
        for sample in Self.samples + Self.samples.reversed() {
            let text = [UInt8](sample.utf8)
            try text.withUnsafeBytes { try EventScanner.scan($0, latest: Self.latest, into: &fields) }
            let fresh = try text.withUnsafeBytes { try EventScanner.scan($0, latest: Self.latest) }
            #expect(fields == fresh)
        }
    }

    /// Scanner, check and reference agree on one text.
    static func compare(_ text: [UInt8], _ note: @autoclosure () -> String = "") {
        let (problems, fields) = Reference.judge(text, latest: latest)
        let words = problems.map { "\($0.code) \($0.member) \($0.offset)" }
        let scanned = Scan.judge(text, latest: latest)
        let shown = String(decoding: text.prefix(400), as: UTF8.self)
        UsualEventTests.compare(text, note())
        #expect(scanned.problem == words.first, "\(note()) \(shown)")
        if words.isEmpty {
            #expect(scanned.fields == fields, "\(note()) \(shown)")
            #expect(Scan.problems(text, latest: latest) == [], "\(note()) \(shown)")
        } else {
            #expect(Scan.problems(text, latest: latest) == Array(words.prefix(32)), "\(note()) \(shown)")
        }
    }

    @Test(arguments: samples.indices)
    func everyPrefixAndEverySuffix(_ index: Int) {
        let text = [UInt8](Self.samples[index].utf8)
        for count in 0...text.count {
            Self.compare(Array(text[..<count]))
            Self.compare(Array(text[count...]))
        }
    }

    @Test(arguments: samples.indices)
    func everyByteReplaced(_ index: Int) {
        let text = [UInt8](Self.samples[index].utf8)
        for place in stride(from: index, to: text.count, by: TestSize.pick(5, long: 1)) {
            for byte: UInt8 in [
                0x00, 0x09, 0x1F, 0x20, 0x22, 0x2C, 0x30, 0x3A, 0x5B, 0x5C, 0x5D, 0x7B, 0x7D, 0x7F, 0x80, 0xC3, 0xFF,
            ] {
                var changed = text
                changed[place] = byte
                Self.compare(changed)
            }
        }
    }

    /// Random edits of good events: bytes, pieces of JSON, moved and doubled ranges. The seed is in the message.
    @Test(arguments: 1...TestSize.pick(4, long: 8))
    func mutations(_ seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        let pieces: [[UInt8]] =
            [
                "null", "true", "[]", "{}", "\"\"", "\" \"", ",", ":", "{", "}", "[", "]", "\"", "\\", "\\u0020",
                "\\ud800",
                "\\udc00", "1e5", "-", "01", "\"name\":\"x\",", "\"data\":{\"a\":1},", "\"x\":1,", "é", "\u{3000}", "😀",
                "\n", "  ",
                "\"category\":5,", "\"timestamp\":null,", "9999", "\"event_id\":\"\",", "0", "Z", "+01:00",
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            ].map { Array($0.utf8) } + [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xE2, 0x82]]
        for round in 0..<1500 {
            var text = [UInt8](Self.samples.randomElement(using: &generator)!.utf8)
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let place = Int.random(in: 0...text.count, using: &generator)
                let length = min(Int.random(in: 0...12, using: &generator), text.count - place)
                switch Int.random(in: 0...5, using: &generator) {
                case 0: text.removeSubrange(place..<place + length)
                case 1: text.insert(contentsOf: pieces.randomElement(using: &generator)!, at: place)
                case 2: text.replaceSubrange(place..<place + length, with: pieces.randomElement(using: &generator)!)
                case 3:
                    text.insert(
                        contentsOf: Array(text[place..<place + length]),
                        at: Int.random(in: 0...text.count, using: &generator))
                case 4: if place < text.count { text[place] = UInt8.random(in: 0...255, using: &generator) }
                default: if place < text.count { text[place] ^= 1 << UInt8.random(in: 0...7, using: &generator) }
                }
            }
            Self.compare(text, "seed \(seed) round \(round)")
        }
    }

    @Test func limitsOfLengthAndDepth() {
        func event(category: String = "c", name: String = "n", data: String = #"{"a":1}"#, tail: String = "") -> [UInt8]
        {
            Array(
                (#"{"session_id":"e2085be5-9137-4e4e-80b5-f1ffddc25423","category":"\#(category)","name":"\#(name)","#
                    + #""data":\#(data),"timestamp":"2021-01-01 09:15:27.243860"}\#(tail)"#).utf8)
        }
        for unit in ["a", "é", "日", "😀", "\\u0041", "\\ud83d\\ude00", "\\n", "e\u{301}"] {
            for count in [1, 24, 25, 26, 49, 50, 51, 74, 75, 76, 149, 150, 151, 300] {
                Self.compare(event(category: String(repeating: unit, count: count)))
                Self.compare(event(name: String(repeating: unit, count: count)))
            }
        }
        for depth in [1, 61, 62, 63, 64, 65, 1000] {
            Self.compare(
                event(
                    data: #"{"a":"# + String(repeating: "[", count: depth) + String(repeating: "]", count: depth) + "}")
            )
            Self.compare(
                event(data: String(repeating: #"{"a":"#, count: depth) + "1" + String(repeating: "}", count: depth)))
            Self.compare(event(data: #"{"a":"# + String(repeating: "[", count: depth)))
        }
        let base = event().count
        for total in [65_535, 65_536, 65_537] {
            Self.compare(event(data: #"{"a":1}"# + String(repeating: " ", count: total - base)))
            Self.compare(event(tail: String(repeating: " ", count: total - base)))
        }
        for blank in [
            "", " ", "\\t", "\u{A0}", "\u{2003}", "\\u3000", "\u{200B}", "\u{FEFF}", "\u{1680}", "\\u0085", "\\u0000",
            " a", "a ",
        ] {
            Self.compare(event(category: blank))
            Self.compare(event(name: blank))
        }
    }

    @Test func manyProblemsAreToldAtOnce() {
        let text = Array(
            #"{"session_id":"abc","category":"","name":5,"data":{},"timestamp":"2999-01-01T00:00:00Z","x":1}"#.utf8)
        let told = text.withUnsafeBytes { bytes in
            EventCheck.problems(bytes, latest: Self.latest).map { fault in
                var out: [UInt8] = []
                fault.appendText(to: &out, in: bytes)
                return String(decoding: out, as: UTF8.self)
            }
        }
        #expect(
            told == [
                "session_id: “abc” is not a valid UUID.", "category: This field may not be blank.",
                "name: Not a valid string.", "data: The data can't be empty.",
                "timestamp: The timestamp can't be greater than now.", "x: This field is unknown.",
            ])
        let unknown = "{" + (0..<100).map { "\"x\($0)\":1" }.joined(separator: ",") + "}"
        #expect(Scan.problems(Array(unknown.utf8), latest: 0).count == 32)
    }

    /// The real events, where they are at hand: all good, and the reference reads the same fields.
    @Test func webVisits() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let file = root.appendingPathComponent("../shared/data/web_visits.ndjson")
        guard let data = try? Data(contentsOf: file) else {
            print("skipped: \(file.path) is not there")
            return
        }
        for (index, line) in data.split(separator: 0x0A).enumerated() where index % 20 == 0 {
            Self.compare(Array(line))
        }
        for line in data.split(separator: 0x0A) { #expect(Scan.verdict(Array(line), latest: Self.latest) == "ok") }
    }
}
