// The vectors of Tests/Vectors/http: reading them, see the README there.

import Foundation
import Testing

/// One vector: the bytes of a client, and what must come of them.
struct Vector: CustomTestStringConvertible, Sendable {
    var name: String
    var bytes: [UInt8] = []
    var expected: [String] = []
    /// What a published suite takes for an answer, and what ours is.
    var taken: [String] = []
    var ours = ""

    var testDescription: String { name }

    static let marked = Array("GET /marked HTTP/1.1\r\nHost: a\r\n\r\n".utf8)

    /// Every vector of one file.
    static func load(_ file: String) -> [Vector] {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let path = folder.appending(path: "Vectors/http/\(file).txt")
        guard let text = try? String(contentsOf: path, encoding: .utf8) else { fatalError("no vectors at \(path)") }
        var vectors: [Vector] = []
        for line in text.split(separator: "\n") {
            if line.hasPrefix("#") { continue }
            if line.hasPrefix("== ") {
                vectors.append(Vector(name: String(line.dropFirst(3))))
            } else if line == ">> marked" {
                vectors[vectors.count - 1].bytes += marked
            } else if line.hasPrefix("> ") {
                vectors[vectors.count - 1].bytes += unescape(line.dropFirst(2))
            } else if line.hasPrefix("< ") {
                vectors[vectors.count - 1].expected.append(String(line.dropFirst(2)))
            } else if line.hasPrefix("? ") {
                vectors[vectors.count - 1].taken.append(String(line.dropFirst(2)))
            } else if line.hasPrefix("= ") {
                vectors[vectors.count - 1].ours = String(line.dropFirst(2))
            } else {
                fatalError("not a line of a vector: \(line)")
            }
        }
        return vectors
    }

    static func unescape(_ text: some StringProtocol) -> [UInt8] {
        var out: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "\\") else {
                out.append(byte)
                continue
            }
            switch rest.popFirst() {
            case UInt8(ascii: "r"): out.append(13)
            case UInt8(ascii: "n"): out.append(10)
            case UInt8(ascii: "t"): out.append(9)
            case UInt8(ascii: "0"): out.append(0)
            case UInt8(ascii: "\\"): out.append(UInt8(ascii: "\\"))
            case UInt8(ascii: "x"):
                out.append(UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)!)
                rest = rest.dropFirst(2)
            case UInt8(ascii: "{"):
                let end = rest.firstIndex(of: UInt8(ascii: "}"))!
                let star = rest[..<end].lastIndex(of: UInt8(ascii: "*"))!
                let count = Int(String(decoding: rest[(star + 1)..<end], as: UTF8.self))!
                for _ in 0..<count { out += rest[..<star] }
                rest = rest[(end + 1)...]
            default: fatalError("unknown escape in \(text)")
            }
        }
        return out
    }

    /// The same escapes for bytes, where they are needed.
    static func escape(_ bytes: some Sequence<UInt8>) -> String {
        var out = ""
        for byte in bytes {
            switch byte {
            case 13: out += "\\r"
            case 10: out += "\\n"
            case 9: out += "\\t"
            case 0: out += "\\0"
            case UInt8(ascii: "\\"): out += "\\\\"
            case 0x20..<0x7F: out.unicodeScalars.append(Unicode.Scalar(byte))
            default: out += "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return out
    }

    /// `expected` with repetitions written out, to compare with.
    var expectedEvents: [String] { expected.map { Vector.escape(Vector.unescape($0)) } }

    /// Ways to cut `count` bytes in pieces: whole, single bytes, and in two at every position (at every 997th when there
    /// are very many).
    static func cuts(_ count: Int) -> [[Int]] {
        let step = count > 2000 ? 997 : 1
        return [[], Array(1..<max(1, count))] + stride(from: 1, to: max(1, count), by: step).map { [$0] }
    }

    /// `bytes` in pieces that end at the given positions.
    static func pieces(_ bytes: [UInt8], _ cuts: [Int]) -> [[UInt8]] {
        var pieces: [[UInt8]] = []
        var start = 0
        for cut in cuts + [bytes.count] {
            pieces.append(Array(bytes[start..<cut]))
            start = cut
        }
        return pieces
    }
}
