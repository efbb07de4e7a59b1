import EyeTestVectors
import Testing

@testable import EyeWire

@Suite struct JSONTests {
    struct Case: CustomTestStringConvertible, Sendable {
        var text: [UInt8]
        var code: String?
        var testDescription: String { String(decoding: text.prefix(60), as: UTF8.self) }
    }

    static let cases: [Case] = try! WireVectors.lines("json.tsv").map { line in
        let parts = line.split(separator: "\t", maxSplits: 2, omittingEmptySubsequences: false)
        return parts[0] == "y"
            ? Case(text: WireVectors.unescaped(line.dropFirst(2)), code: nil)
            : Case(text: WireVectors.unescaped(parts[2]), code: String(parts[1]))
    }

    /// The code of the fault that `text` has, nil if it is valid.
    static func verdict(_ text: [UInt8]) -> String? {
        // A heap buffer of exactly this size: a read beyond it is seen by the address sanitizer.
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: text.count, alignment: 1)
        defer { buffer.deallocate() }
        buffer.copyBytes(from: text)
        do throws(Fault) {
            try JSON.validate(UnsafeRawBufferPointer(buffer))
            return nil
        } catch {
            return "\(error.reject.code)"
        }
    }

    @Test func thereAreEnoughCases() {
        #expect(Self.cases.count >= 300)
    }

    @Test(arguments: cases)
    func strictness(_ example: Case) {
        #expect(Self.verdict(example.text) == example.code)
    }

    /// The same texts as the value of a member of `data`: the event scanner takes the same ones, by its own edge.
    @Test(arguments: cases.filter { $0.code != "too-deep" })
    func strictnessInsideAnEvent(_ example: Case) {
        // Texts that close brackets which are not theirs, or depend on being alone, are judged by the reference instead.
        let head = #"{"session_id":"e2085be5-9137-4e4e-80b5-f1ffddc25423","category":"c","name":"n","data":{"a":"#
        let tail = #"},"timestamp":"2021-01-01 09:15:27.243860"}"#
        let text = Array(head.utf8) + example.text + Array(tail.utf8)
        let verdict = Scan.verdict(text, latest: .max)
        #expect(verdict == Reference.verdict(text, latest: .max))
        if example.code == nil, example.text.filter({ $0 == 0x5B || $0 == 0x7B }).count < 60 {
            #expect(verdict == "ok")
        }
        if example.code == "bad-utf8" { #expect(verdict.hasPrefix("bad-utf8")) }
    }

    @Test(arguments: [1, 63, 64, 65, 100_000])
    func depth(_ levels: Int) {
        let code = levels <= 64 ? nil : "too-deep"
        #expect(Self.verdict([UInt8](repeating: 0x5B, count: levels) + [UInt8](repeating: 0x5D, count: levels)) == code)
        let objects = Array(String(repeating: #"{"a":"#, count: levels).utf8) + [0x31]
        #expect(Self.verdict(objects + [UInt8](repeating: 0x7D, count: levels)) == code)
        #expect(Self.verdict([UInt8](repeating: 0x5B, count: levels)) == code ?? "bad-json")
    }

    /// Strings of every length up to 40, with each kind of odd byte at every place: the vector and word paths agree with
    /// the rules at their edges.
    @Test func stringsAtEveryAlignment() {
        let oddities: [(bytes: [UInt8], code: String?)] = [
            ([0x22], "bad-json"), ([0x5C, 0x6E], nil), ([0x1F], "bad-json"), ([0x00], "bad-json"), ([0x20], nil),
            ([0x7F], nil), ([0xC3, 0xA9], nil), ([0x80], "bad-utf8"), ([0xDC], "bad-utf8"), ([0xFF], "bad-utf8"),
            ([0xF0, 0x9F, 0x98, 0x80], nil), ([0x5C, 0x22], nil), ([0x5C], "?"), ([0x21], nil), ([0x23], nil),
            ([0x5B], nil), ([0x5D], nil), ([0xA2], "bad-utf8"), ([0xA0], "bad-utf8"),
        ]
        for length in 0...40 {
            for place in 0...length {
                for oddity in oddities {
                    var text = [UInt8](repeating: 0x61, count: length)
                    text.insert(contentsOf: oddity.bytes, at: place)
                    let code = oddity.code == "?" ? "bad-json" : oddity.code
                    #expect(Self.verdict([0x22] + text + [0x22]) == code, "length \(length) place \(place) \(oddity)")
                }
            }
        }
    }

    @Test func cursorsWalkObjectsAndArrays() throws {
        let text = Array(#" { "a" : [1, "x", null, {"b":2}] , "\u0062" : -1.5e3, "c":true} "#.utf8)
        try text.withUnsafeBytes { bytes in
            var members = try JSON.Members(of: bytes, at: 1)
            var names: [String] = []
            while let member = try members.next() {
                var name: [UInt8] = []
                JSON.appendUnescaped(member.key, of: bytes, to: &name)
                names.append(String(decoding: name, as: UTF8.self))
                if names.last == "a" {
                    var elements = try JSON.Elements(of: bytes, at: member.value.range.lowerBound, level: 1)
                    var kinds: [JSON.Kind] = []
                    while let element = try elements.next() { kinds.append(element.kind) }
                    #expect(kinds == [.number, .string, .null, .object])
                    #expect(elements.offset == member.value.range.upperBound)
                }
            }
            #expect(names == ["a", "b", "c"])
            #expect(members.offset == text.count - 1)
        }
    }

    /// A walk by cursors takes exactly what validation takes.
    @Test(arguments: cases)
    func cursorsAreStrict(_ example: Case) {
        example.text.withUnsafeBytes { bytes in
            func walk(_ value: JSON.Value, _ level: Int) throws(Fault) {
                if value.kind == .object {
                    var members = try JSON.Members(of: bytes, at: value.range.lowerBound, level: level)
                    while let member = try members.next() { try walk(member.value, level + 1) }
                    #expect(members.offset == value.range.upperBound)
                } else if value.kind == .array {
                    var elements = try JSON.Elements(of: bytes, at: value.range.lowerBound, level: level)
                    while let element = try elements.next() { try walk(element, level + 1) }
                    #expect(elements.offset == value.range.upperBound)
                }
            }
            do throws(Fault) {
                try walk(try JSON.validate(bytes), 0)
                #expect(example.code == nil)
            } catch {
                #expect("\(error.reject.code)" == example.code)
            }
            // And straight, without validating first.
            if bytes.first == 0x5B {
                do throws(Fault) {
                    var elements = try JSON.Elements(of: bytes)
                    while try elements.next() != nil {}
                    if elements.offset == bytes.count { #expect(example.code == nil) }
                } catch {
                    #expect(example.code != nil)
                }
            }
        }
    }

    @Test func writing() {
        var out: [UInt8] = []
        JSON.appendString("a\"\\\n\r\t\u{1}\u{7f}é😀/", to: &out)
        #expect(String(decoding: out, as: UTF8.self) == #""a\"\\\n\r\t\u0001\u007fé😀/""#)
        #expect(Self.verdict(out) == nil)
        out = []
        JSON.appendString([0x61, 0xFF, 0xC3, 0x62, 0xED, 0xA0, 0x80].span, to: &out)
        #expect(String(decoding: out, as: UTF8.self) == "\"a\u{FFFD}\u{FFFD}b\u{FFFD}\u{FFFD}\u{FFFD}\"")
        out = []
        out.append(decimal: Int64.min)
        out.append(0x20)
        out.append(decimal: UInt64.max)
        out.append(0x20)
        out.append(decimal: 0)
        #expect(String(decoding: out, as: UTF8.self) == "-9223372036854775808 18446744073709551615 0")
    }

    @Test func whatIsShownIsHarmless() {
        let text = Array("a\u{1B}[31m\u{202E}b\u{9B}\u{FEFF}é".utf8) + [0xFF]
        var out: [UInt8] = []
        text.withUnsafeBytes { JSON.appendShown($0, scalarsMax: 64, to: &out) }
        #expect(String(decoding: out, as: UTF8.self) == "a\\u001b[31m\\u202eb\\u009b\\ufeffé\u{FFFD}")
        out = []
        text.withUnsafeBytes { JSON.appendShown($0, scalarsMax: 3, to: &out) }
        #expect(String(decoding: out, as: UTF8.self) == "a\\u001b[…")
    }

    @Test func oneLine() {
        let text = Array("{\r\n  \"a\":\n1}".utf8)
        var out: [UInt8] = []
        text.withUnsafeBytes { JSON.appendOneLine($0, to: &out) }
        #expect(String(decoding: out, as: UTF8.self) == "{    \"a\": 1}")
    }

    @Test func unescaping() {
        let text = Array(#"a\u00e9\ud83d\ude00\n\/é"#.utf8)
        var out: [UInt8] = []
        text.withUnsafeBytes {
            JSON.appendUnescaped(StringField(offset: 0, count: text.count, escaped: true), of: $0, to: &out)
        }
        #expect(String(decoding: out, as: UTF8.self) == "aé😀\n/é")
    }
}
