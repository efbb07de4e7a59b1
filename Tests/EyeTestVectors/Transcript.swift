// Transcripts of the line protocol: the data files that the model and the real server are both held against.

import Foundation
import Testing

/// One transcript of Tests/Vectors/wire: its steps, placeholders of `C:` resolved.
public struct Transcript: CustomTestStringConvertible, Sendable {
    public enum Step: Sendable {
        case send([UInt8])
        case expect(String)
        case quiet
        case halfClose
        case end
    }

    /// What placeholders stand for in the model of the protocol; a player over a real server has tokens of its own.
    public static let modelValues: [String: String] = [
        "TOKEN": "0123456789abcdef0123456789abcdef01234567", "OTHER_TOKEN": "1123456789abcdef0123456789abcdef01234567",
        "READ_TOKEN": "2123456789abcdef0123456789abcdef01234567",
        "BAD_TOKEN": "3123456789abcdef0123456789abcdef01234567", "UUID": "6ba7b810-9dad-41d1-80b4-00c04fd430c8",
        "UNIQUE": "client1", "FUTURE": "2027-01-15T09:00:00.000000Z",
    ]

    public let name: String
    public private(set) var isControl = false
    public private(set) var steps: [Step] = []
    public var testDescription: String { name }

    /// Every file's name, sorted.
    public static let names: [String] = try! FileManager.default.contentsOfDirectory(atPath: WireVectors.folder.path)
        .sorted().filter { $0.hasSuffix(".txt") }

    /// Every transcript, for the model.
    public static let all: [Transcript] = names.map { try! Transcript($0, modelValues) }

    public init(_ name: String, _ values: [String: String]) throws {
        self.name = name
        for line in try WireVectors.lines(name) {
            if line == "listener: control" {
                isControl = true
            } else if line.hasPrefix("C: ") {
                steps.append(.send(WireVectors.unescaped(Self.resolved(line.dropFirst(3), values))))
            } else if line.hasPrefix("S: ") {
                steps.append(.expect(Self.resolved(line.dropFirst(3), values)))
            } else {
                let steps: [String: Step] = ["Q:": .quiet, "F:": .halfClose, "E:": .end]
                self.steps.append(try #require(steps[line], "\(name): \(line)"))
            }
        }
    }

    private static func resolved(_ text: Substring, _ values: [String: String]) -> String {
        var text = String(text)
        for (name, value) in values { text = text.replacingOccurrences(of: "{\(name)}", with: value) }
        return text.replacing(#/\{FILL:(\d+)\}/#) { String(repeating: "x", count: Int($0.1)!) }
    }

    /// `line` is what `pattern` says.
    public static func matches(_ line: String, _ pattern: String) -> Bool {
        var expression = "^"
        var rest = Substring(String(decoding: WireVectors.unescaped(pattern), as: UTF8.self))
        let wild = ["{ID}": "[0-9]+", "{TIME}": "[0-9-]{10}T[0-9:.]{15}Z", "{WORD}": "[^\"]*", "{ANY}": ".*"]
        while !rest.isEmpty {
            if let (key, value) = wild.first(where: { rest.hasPrefix($0.key) }) {
                expression += value
                rest = rest.dropFirst(key.count)
            } else {
                expression += NSRegularExpression.escapedPattern(for: String(rest.removeFirst()))
            }
        }
        return line.range(of: expression + "$", options: .regularExpression) != nil
    }
}
