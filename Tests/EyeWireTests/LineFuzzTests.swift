// Lines and JSON that nobody would send: the scanner says what the slow judge says, a walk reads what validation read, and a cut stream
// is the same lines.

import EyeTestVectors
import Testing

@testable import EyeWire

@Suite struct LineFuzzTests {
    private static let latest: Int64 = 1_800_000_000_000_000

    @Test func events() throws {
        let tokens = [
            "\"data\":", "\"name\":", "null", "{}", "[", "]", "\\u0000", "\\ud83d", "9999", "-", ",", "\"", "é", " ",
            String(repeating: "\0", count: 10), String(repeating: "\\u0000", count: 10), "1970-01-01",
        ]
        var fuzzing = Fuzzing(
            "line", seeds: EventScannerTests.samples.map { Array($0.utf8) }, dictionary: "utf8.dict", tokens: tokens)
        try fuzzing.run { input in
            let said = Scan.verdict(input, latest: Self.latest)
            let wanted = Reference.verdict(input, latest: Self.latest)
            if said != wanted { throw Disagreement("\(said) is not \(wanted)") }
            // Framing and splitting of the same bytes as a stream of lines.
            let kinds = Self.framed(input)
            return "\(said.prefix { $0 != " " }) \(kinds)"
        }
    }

    /// How many lines there are.
    private static func framed(_ input: [UInt8]) -> Int {
        input.withUnsafeBytes { bytes in
            var framer = LineFramer()
            var count = 0
            while let piece = framer.next(in: bytes) {
                if case .line(let range) = piece {
                    _ = WireLine.split(UnsafeRawBufferPointer(rebasing: bytes[range]), isControl: true)
                }
                count += 1
            }
            return count
        }
    }

    @Test func json() throws {
        let seeds = [
            "{\"a\":[1,2.5e-3,true,null,\"x\\u00e9\\n\"],\"b\":{}}", "[[],[[]]]", "\"\\ud83d\\ude00\"", "-0.0e+1",
            " 1 ",
        ]
        var fuzzing = Fuzzing("json", seeds: seeds.map { Array($0.utf8) }, dictionary: "json.dict")
        try fuzzing.run { input in
            try input.withUnsafeBytes { (text) throws -> String in
                do {
                    let value = try JSON.validate(text)
                    let depth = try Self.walk(text, value, level: 0)
                    return "\(value.kind) \(depth)"
                } catch let fault as Fault {
                    guard (0...text.count).contains(Int(fault.offset)) else { throw Disagreement("\(fault)") }
                    return "\(fault.reject)"
                }
            }
        }
    }

    /// Goes through everything that a valid text holds; how deep it is.
    private static func walk(_ text: UnsafeRawBufferPointer, _ value: JSON.Value, level: Int) throws -> Int {
        guard value.range.lowerBound >= 0, value.range.upperBound <= text.count else { throw Disagreement("\(value)") }
        var deepest = level
        do {
            switch value.kind {
            case .object:
                var members = try JSON.Members(of: text, at: value.range.lowerBound, level: level)
                while let member = try members.next() {
                    var name: [UInt8] = []
                    JSON.appendUnescaped(member.key, of: text, to: &name)
                    if String(validating: name, as: UTF8.self) == nil { throw Disagreement("a name that is no UTF-8") }
                    deepest = max(deepest, try walk(text, member.value, level: level + 1))
                }
            case .array:
                var elements = try JSON.Elements(of: text, at: value.range.lowerBound, level: level)
                while let element = try elements.next() {
                    deepest = max(deepest, try walk(text, element, level: level + 1))
                }
            case .string:
                var string: [UInt8] = []
                JSON.appendUnescaped(value.field, of: text, to: &string)
                if String(validating: string, as: UTF8.self) == nil { throw Disagreement("a string that is no UTF-8") }
            default: break
            }
        } catch let fault as Fault {
            throw Disagreement("valid as a whole, and \(fault) when walked")
        }
        return deepest
    }
}
