import EyeTestVectors
import Foundation
import Testing

@testable import EyeWire

@Suite struct TimestampTests {
    static let cases: [(text: [UInt8], value: Int64?)] = try! WireVectors.lines("timestamps.tsv").map { line in
        let parts = line.split(separator: "\t", maxSplits: 1, omittingEmptySubsequences: false)
        return (WireVectors.unescaped(parts[1]), Int64(parts[0]))
    }

    @Test(arguments: cases.indices)
    func vectors(_ index: Int) {
        let (text, value) = Self.cases[index]
        #expect(EyeWire.Timestamp.parse(text.span) == value, "\(String(decoding: text, as: UTF8.self))")
        #expect(Reference.timestamp(text) == value, "the reference: \(String(decoding: text, as: UTF8.self))")
    }

    /// json-schema's vectors, where they are at hand; two of their answers are not ours, by decision (protocol.md).
    @Test func jsonSchemaSuite() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let file = root.appendingPathComponent("../shared/data/rfc3339.json")
        guard let data = try? Data(contentsOf: file) else {
            print("skipped: \(file.path) is not there")
            return
        }
        let groups = try #require(try JSONSerialization.jsonObject(with: data) as? [[String: Any]])
        var count = 0
        for group in groups {
            for test in try #require(group["tests"] as? [[String: Any]]) {
                guard let text = test["data"] as? String else { continue }
                // Finer than microseconds: refused by decision.
                let expected = text.contains("999999999999999") ? false : test["valid"] as? Bool
                #expect((EyeWire.Timestamp.parse([UInt8](text.utf8).span) != nil) == expected, "\(text)")
                count += 1
            }
        }
        #expect(count > 20)
    }

    @Test func everyDayOfThreeCenturiesComesBack() {
        var day = EyeWire.Timestamp.parse([UInt8]("1850-01-01T00:00:00Z".utf8).span)! / 86_400_000_000
        var last = ""
        for _ in 0..<110_000 {
            var text: [UInt8] = []
            let value = day * 86_400_000_000 + 45_296_000_007
            EyeWire.Timestamp.append(value, to: &text)
            #expect(EyeWire.Timestamp.parse(text.span) == value)
            let string = String(decoding: text, as: UTF8.self)
            #expect(string > last)
            last = string
            day += 1
        }
    }

    @Test func randomMomentsComeBackInBothShapes() {
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<4_000 {
            let value = Int64.random(in: EyeWire.Timestamp.earliest...EyeWire.Timestamp.latest, using: &generator)
            var text: [UInt8] = []
            EyeWire.Timestamp.append(value, to: &text)
            #expect(text.count == 27)
            #expect(EyeWire.Timestamp.parse(text.span) == value)
            #expect(Reference.timestamp(text) == value)
            text.removeLast()
            text[10] = 0x20
            #expect(EyeWire.Timestamp.parse(text.span) == value)
        }
    }

    /// One byte of a good timestamp replaced by every other: straight path, careful path and reference agree.
    @Test func everyByteAtEveryPlace() {
        for sample in ["2021-01-28T09:15:27.243860Z", "2020-02-29 23:59:59.999999", "2016-12-31T23:59:60Z"] {
            for place in 0..<sample.utf8.count {
                for byte in 0...255 {
                    var text = Array(sample.utf8)
                    text[place] = UInt8(byte)
                    #expect(
                        EyeWire.Timestamp.parse(text.span) == Reference.timestamp(text),
                        "\(String(decoding: text, as: UTF8.self))")
                }
            }
        }
    }
}
