import EyeTestVectors
import Foundation
import Testing

@testable import EyeWire

/// protocol.md and the code say the same: limits, codes with their classes, verbs, and every transcript shown there.
@Suite struct ProtocolTests {
    static let document = try! String(
        contentsOf: WireVectors.folder.appendingPathComponent("../../../protocol.md").standardizedFileURL,
        encoding: .utf8)

    /// The cells of the table rows of one section.
    static func rows(_ section: String) -> [[String]] {
        let body = document.components(separatedBy: "\n## ").first { $0.hasPrefix(section) } ?? ""
        return body.split(separator: "\n").filter { $0.hasPrefix("|") }.dropFirst(2).map { row in
            row.split(separator: "|").map { $0.trimmingCharacters(in: CharacterSet(charactersIn: " `")) }
        }
    }

    @Test func limits() throws {
        // Every constant of the file, by its own text: a limit without a row is a failure too.
        let source = try String(
            contentsOf: WireVectors.folder.appendingPathComponent("../../../Sources/EyeWire/WireLimits.swift")
                .standardizedFileURL, encoding: .utf8)
        var constants: [String: String] = [:]
        for match in source.matches(of: #/public static let (\w+)(?:: \w+)? = ([0-9_]+)$/#.anchorsMatchLineEndings()) {
            constants[String(match.1)] = String(match.2.replacing("_", with: ""))
        }
        #expect(constants.count >= 22)
        let rows = Self.rows("12.")
        #expect(Set(rows.map { $0[1] }) == Set(constants.keys))
        for row in rows { #expect(constants[row[1]] == row[2], "\(row)") }
    }

    @Test func codes() {
        let rows = Self.rows("8.")
        #expect(rows.map { $0[0] } == Reject.allCases.map { "\($0.code)" })
        #expect(rows.map { $0[1] } == Reject.allCases.map(\.fate.rawValue))
    }

    @Test func verbs() {
        for verb in Verb.allCases where !verb.isControl { #expect(Self.document.contains("\n### \(verb.word)\n")) }
        for verb in Verb.allCases where verb.isControl {
            #expect(Self.rows("9.").contains { $0[0].hasPrefix("\(verb.word)") })
        }
    }

    /// The transcripts in the text, played one after the other, each on what its section has left of the connection.
    @Test func transcriptsInTheText() {
        let blocks = Self.document.components(separatedBy: "```\n").filter { $0.hasPrefix("C: ") }
        #expect(blocks.count >= 10)
        var connection = ModelConnection(isControl: false)
        for block in blocks {
            let lines = block.split(separator: "\n").map(String.init)
            // A connection of its own where the text begins one.
            if lines[0].contains("MODE each") || lines[0].contains("HELLO {") || lines.contains("C: (half-close)") {
                connection = ModelConnection(isControl: block.contains("SESSION"))
            }
            connection.out = []
            var expected: [String] = []
            for line in lines {
                if line == "C: (half-close)" {
                    connection.halfClose()
                } else if line.hasPrefix("C: ") {
                    connection.receive(Array((line.dropFirst(3) + "\n").utf8)[...])
                } else {
                    expected.append(String(line.dropFirst(3)))
                }
            }
            let told = String(decoding: connection.out, as: UTF8.self).split(separator: "\n").map(String.init)
            // What differs from one server to the next: its name, its clock, ids, bytes.
            func plain(_ line: String) -> String {
                line.replacing(#/"server":"[^"]*"/#, with: "server").replacing(#/"now":"[^"]*"/#, with: "now")
                    .replacing(#/"bytes":[0-9]+/#, with: "bytes").replacing(#/^\+OK (\d+) [1-9]\d*$/#) {
                        "+OK \($0.1) id"
                    }
            }
            #expect(told.map(plain) == expected.map(plain))
        }
    }
}
