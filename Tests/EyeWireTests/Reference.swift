// A slow judge of events, written apart from the scanner: it builds a tree, then looks at it. No trick, no shared code. What
// it says ("ok …" with every field, or code, member and offset) the scanner must say as well.

import Foundation

enum Reference {
    struct Fault: Error {
        var code: String
        var member = ""
        var offset: Int
        init(_ code: String, _ member: String = "", _ offset: Int) {
            (self.code, self.member, self.offset) = (code, member, offset)
        }
    }

    indirect enum Tree {
        case object([(key: [UInt32], keyOffset: Int, value: Node)])
        case array([Node])
        case string([UInt32])
        case number
        case boolean
        case null

        var kind: String {
            switch self {
            case .object: "object"
            case .array: "array"
            case .string: "string"
            case .number: "number"
            case .boolean: "boolean"
            case .null: "null"
            }
        }
    }

    struct Node {
        var tree: Tree
        var start: Int
        var end: Int
    }

    /// Recursive descent over an array with 0 bytes... as its end is looked up by index, nil beyond it.
    struct Parser {
        let text: [UInt8]
        var at = 0

        var now: UInt8? { at < text.count ? text[at] : nil }

        mutating func space() { while let c = now, [0x20, 0x0A, 0x0D, 0x09].contains(c) { at += 1 } }

        mutating func value(_ depth: Int) throws -> Node {
            let start = at
            guard let c = now else { throw Fault("bad-json", "", at) }
            switch c {
            case UInt8(ascii: "{"):
                if depth == 64 { throw Fault("too-deep", "", at) }
                at += 1
                space()
                var members: [(key: [UInt32], keyOffset: Int, value: Node)] = []
                if now == UInt8(ascii: "}") {
                    at += 1
                } else {
                    while true {
                        let keyOffset = at
                        guard now == UInt8(ascii: "\"") else { throw Fault("bad-json", "", at) }
                        let key = try string()
                        space()
                        guard now == UInt8(ascii: ":") else { throw Fault("bad-json", "", at) }
                        at += 1
                        space()
                        members.append((key, keyOffset, try value(depth + 1)))
                        space()
                        let next = now
                        guard next == UInt8(ascii: ",") || next == UInt8(ascii: "}") else {
                            throw Fault("bad-json", "", at)
                        }
                        at += 1
                        if next == UInt8(ascii: "}") { break }
                        space()
                    }
                }
                return Node(tree: .object(members), start: start, end: at)
            case UInt8(ascii: "["):
                if depth == 64 { throw Fault("too-deep", "", at) }
                at += 1
                space()
                var elements: [Node] = []
                if now == UInt8(ascii: "]") {
                    at += 1
                } else {
                    while true {
                        elements.append(try value(depth + 1))
                        space()
                        let next = now
                        guard next == UInt8(ascii: ",") || next == UInt8(ascii: "]") else {
                            throw Fault("bad-json", "", at)
                        }
                        at += 1
                        if next == UInt8(ascii: "]") { break }
                        space()
                    }
                }
                return Node(tree: .array(elements), start: start, end: at)
            case UInt8(ascii: "\""): return Node(tree: .string(try string()), start: start, end: at)
            case UInt8(ascii: "-"), 0x30...0x39:
                try number()
                return Node(tree: .number, start: start, end: at)
            default:
                for (word, tree) in [("true", Tree.boolean), ("false", .boolean), ("null", .null)]
                where text[at...].starts(with: word.utf8) {
                    at += word.utf8.count
                    return Node(tree: tree, start: start, end: at)
                }
                throw Fault("bad-json", "", at)
            }
        }

        mutating func digits() throws {
            guard let c = now, c >= 0x30, c <= 0x39 else { throw Fault("bad-json", "", at) }
            while let c = now, c >= 0x30, c <= 0x39 { at += 1 }
        }

        mutating func number() throws {
            if now == UInt8(ascii: "-") { at += 1 }
            if now == UInt8(ascii: "0") { at += 1 } else { try digits() }
            if now == UInt8(ascii: ".") {
                at += 1
                try digits()
            }
            if now == UInt8(ascii: "e") || now == UInt8(ascii: "E") {
                at += 1
                if now == UInt8(ascii: "+") || now == UInt8(ascii: "-") { at += 1 }
                try digits()
            }
        }

        func hex(_ start: Int) -> UInt32? {
            guard start + 4 <= text.count else { return nil }
            let part = text[start..<start + 4]
            guard part.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit && $0 < 0x80 }) else { return nil }
            return UInt32(String(decoding: part, as: UTF8.self), radix: 16)
        }

        mutating func string() throws -> [UInt32] {
            at += 1
            var scalars: [UInt32] = []
            while true {
                guard let c = now else { throw Fault("bad-json", "", at) }
                if c == UInt8(ascii: "\"") {
                    at += 1
                    return scalars
                }
                if c < 0x20 { throw Fault("bad-json", "", at) }
                if c == UInt8(ascii: "\\") {
                    let simple: [UInt8: UInt32] = [
                        0x22: 0x22, 0x5C: 0x5C, 0x2F: 0x2F, 0x62: 8, 0x66: 12, 0x6E: 10, 0x72: 13, 0x74: 9,
                    ]
                    guard at + 1 < text.count else { throw Fault("bad-json", "", at) }
                    if let scalar = simple[text[at + 1]] {
                        scalars.append(scalar)
                        at += 2
                    } else if text[at + 1] == UInt8(ascii: "u"), let unit = hex(at + 2) {
                        if (0xD800..<0xDC00).contains(unit) {
                            guard at + 7 < text.count, text[at + 6] == UInt8(ascii: "\\"),
                                text[at + 7] == UInt8(ascii: "u"), let low = hex(at + 8),
                                (0xDC00..<0xE000).contains(low)
                            else { throw Fault("bad-json", "", at) }
                            scalars.append(0x10000 + (unit - 0xD800) * 0x400 + (low - 0xDC00))
                            at += 12
                        } else if (0xDC00..<0xE000).contains(unit) {
                            throw Fault("bad-json", "", at)
                        } else {
                            scalars.append(unit)
                            at += 6
                        }
                    } else {
                        throw Fault("bad-json", "", at)
                    }
                    continue
                }
                // One scalar: the shortest prefix that the standard library takes as UTF-8.
                var found = false
                for length in 1...4 where at + length <= text.count {
                    let bytes = Array(text[at..<at + length])
                    if let string = String(validating: bytes, as: UTF8.self), string.unicodeScalars.count == 1 {
                        scalars.append(string.unicodeScalars.first!.value)
                        at += length
                        found = true
                        break
                    }
                }
                if !found { throw Fault("bad-utf8", "", at) }
            }
        }
    }

    static func utf8(_ scalars: [UInt32]) -> [UInt8] {
        var string = String.UnicodeScalarView()
        for scalar in scalars { string.append(Unicode.Scalar(scalar)!) }
        return Array(String(string).utf8)
    }

    static func isBlank(_ scalars: [UInt32]) -> Bool {
        scalars.allSatisfy { Unicode.Scalar($0)!.properties.isWhitespace }
    }

    static func uuid(_ text: [UInt8]) -> String? {
        // (Foundation's own parser takes groups that are too short.)
        let groups = text.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        guard groups.map(\.count) == [8, 4, 4, 4, 12] else { return nil }
        guard groups.joined().allSatisfy({ "0123456789abcdefABCDEF".utf8.contains($0) }) else { return nil }
        return String(decoding: text, as: UTF8.self).lowercased()
    }

    /// Days before the first of January of a year, counted one year after the other.
    static let yearStarts: [Int64] = {
        var starts: [Int64] = []
        var day: Int64 = -719_528
        for year in 0...10_000 {
            starts.append(day)
            day += year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 366 : 365
        }
        return starts
    }()

    nonisolated(unsafe) static let shape =
        #/(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:([Zz])|([+-])(\d\d):(\d\d))?/#
        .asciiOnlyDigits().matchingSemantics(.unicodeScalar)

    static func timestamp(_ text: [UInt8]) -> Int64? {
        guard text.count <= 64, text.allSatisfy({ $0 < 0x80 }) else { return nil }
        guard let match = String(decoding: text, as: UTF8.self).wholeMatch(of: shape) else { return nil }
        let (year, month, day) = (Int(match.1)!, Int(match.2)!, Int(match.3)!)
        let (hour, minute, second) = (Int64(match.4)!, Int64(match.5)!, Int64(match.6)!)
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        guard (1...12).contains(month), day >= 1, day <= lengths[month - 1], hour < 24, minute < 60, second <= 60 else {
            return nil
        }
        var micros: Int64 = 0
        if let fraction = match.7 {
            let padded = fraction + "000000"
            micros = Int64(padded.prefix(6))!
            if fraction.count > 6, fraction.dropFirst(6).contains(where: { $0 != "0" }) { return nil }
        }
        var zone: Int64 = 0
        if let sign = match.9 {
            let (h, m) = (Int64(match.10!)!, Int64(match.11!)!)
            guard h < 24, m < 60 else { return nil }
            zone = (h * 3600 + m * 60) * (sign == "-" ? -1 : 1)
        }
        let days = yearStarts[year] + Int64(lengths[..<(month - 1)].reduce(0, +)) + Int64(day - 1)
        let seconds = days * 86_400 + hour * 3600 + minute * 60 + second - zone
        if second == 60 {
            // The first second of a month, UTC: the day after the last one of some month.
            guard seconds % 86_400 == 0 else { return nil }
            let first = seconds / 86_400
            guard let y = yearStarts.lastIndex(where: { $0 <= first }) else { return nil }
            let leap = y % 4 == 0 && (y % 100 != 0 || y % 400 == 0)
            var start = yearStarts[y]
            var isFirst = false
            for length in [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
                if start == first { isFirst = true }
                start += Int64(length)
            }
            guard isFirst else { return nil }
        }
        guard seconds >= yearStarts[0] * 86_400, seconds < yearStarts[10_000] * 86_400 else { return nil }
        return seconds * 1_000_000 + micros
    }

    /// Every problem of an event, or its fields.
    static func judge(_ text: [UInt8], latest: Int64) -> (problems: [Fault], fields: String) {
        if text.count > 65_536 { return ([Fault("too-long", "", 0)], "") }
        var parser = Parser(text: text)
        parser.space()
        let root: Node
        do {
            root = try parser.value(0)
            parser.space()
            if parser.at < text.count { throw Fault("bad-json", "", parser.at) }
        } catch {
            return ([error as! Fault], "")
        }
        guard case .object(let members) = root.tree else { return ([Fault("not-object", "", root.start)], "") }
        var problems: [Fault] = []
        var seen: [String: String] = [:]
        for (key, keyOffset, node) in members {
            let name = String(decoding: utf8(key), as: UTF8.self)
            let known = ["session_id", "category", "name", "data", "timestamp", "event_id"]
            // By bytes, not by canonical equivalence.
            guard let label = known.first(where: { Array($0.utf8) == utf8(key) }) else {
                problems.append(Fault("unknown-field", "", keyOffset))
                continue
            }
            _ = name
            if seen[label] != nil {
                problems.append(Fault("duplicate-field", label, keyOffset))
                continue
            }
            seen[label] = ""
            if label == "data" {
                guard case .object(let inner) = node.tree else {
                    problems.append(Fault("bad-type", "data", node.start))
                    continue
                }
                if inner.isEmpty { problems.append(Fault("empty-field", "data", node.start)) }
                seen[label] = "\(node.start)+\(node.end - node.start)"
                continue
            }
            guard case .string(let scalars) = node.tree else {
                problems.append(Fault("bad-type", label, node.start))
                continue
            }
            if isBlank(scalars) {
                problems.append(Fault("empty-field", label, node.start))
                continue
            }
            switch label {
            case "category", "name":
                if scalars.count > (label == "name" ? 150 : 50) {
                    problems.append(Fault("field-too-long", label, node.start))
                }
                seen[label] = String(decoding: utf8(scalars), as: UTF8.self)
            case "timestamp":
                if let value = timestamp(utf8(scalars)) {
                    if value > latest { problems.append(Fault("future-time", label, node.start)) }
                    seen[label] = "\(value)"
                } else {
                    problems.append(Fault("bad-time", label, node.start))
                }
            default:
                if let value = uuid(utf8(scalars)) {
                    seen[label] = value
                } else {
                    problems.append(Fault("bad-uuid", label, node.start))
                }
            }
        }
        for label in ["session_id", "category", "name", "data", "timestamp"] where seen[label] == nil {
            problems.append(Fault("missing-field", label, root.end - 1))
        }
        let fields = ["session_id", "category", "name", "data", "timestamp", "event_id"].map { seen[$0] ?? "-" }
        return (problems, fields.joined(separator: "|"))
    }

    /// `ok` with nothing else, or code, member and offset of the first problem.
    static func verdict(_ text: [UInt8], latest: Int64) -> String {
        let (problems, _) = judge(text, latest: latest)
        guard let first = problems.first else { return "ok" }
        return "\(first.code) \(first.member) \(first.offset)"
    }
}
