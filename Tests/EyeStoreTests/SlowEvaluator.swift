// An evaluator of queries that shares nothing with the engine: it reads the parameters as strings, `data` by a parser of its own, numbers by
// Foundation's decimals, and looks at every event.

import Foundation

@testable import EyeStore

/// What the evaluator knows of one value in `data`.
struct SlowValue {
    enum Kind { case string, number, other }
    var path: String
    var kind: Kind
    var text: String
    /// As it was sent.
    var raw: String
    var number: Decimal?
}

/// A JSON reader: every value of an object, containers too, in the order in which they begin.
struct SlowJSON {
    private let units: [Unicode.Scalar]
    private var at = 0
    private(set) var values: [SlowValue] = []

    static func values(of text: String) -> [SlowValue] {
        var reader = SlowJSON(units: Array(text.unicodeScalars))
        reader.object(path: nil)
        return reader.values
    }

    private init(units: [Unicode.Scalar]) { self.units = units }

    private mutating func space() { while " \t\r\n".unicodeScalars.contains(units[at]) { at += 1 } }

    private mutating func object(path: String?) {
        at += 1
        space()
        while units[at] != "}" {
            let name = string()
            space()
            at += 1  // :
            space()
            value(path: path.map { $0 + "." + name } ?? name)
            space()
            if units[at] == "," {
                at += 1
                space()
            }
        }
        at += 1
    }

    private mutating func value(path: String) {
        let start = at
        let place = values.count
        values.append(SlowValue(path: path, kind: .other, text: "", raw: ""))
        var text: String?
        switch units[at] {
        case "\"":
            text = string()
            values[place].kind = .string
        case "{": object(path: path)
        case "[":
            var depth = 0
            repeat {
                if units[at] == "\"" {
                    _ = string()
                    continue
                }
                if "[{".unicodeScalars.contains(units[at]) { depth += 1 }
                if "]}".unicodeScalars.contains(units[at]) { depth -= 1 }
                at += 1
            } while depth > 0
        default:
            if "-0123456789".unicodeScalars.contains(units[at]) { values[place].kind = .number }
            while !",}] \t\r\n".unicodeScalars.contains(units[at]) { at += 1 }
        }
        var raw = String.UnicodeScalarView()
        raw.append(contentsOf: units[start..<at])
        values[place].raw = String(raw)
        values[place].text = text ?? String(raw)
    }

    private mutating func string() -> String {
        let start = at
        at += 1
        var isEscaped = false
        while units[at] != "\"" {
            if units[at] == "\\" {
                isEscaped = true
                at += 1
            }
            at += 1
        }
        at += 1
        var token = String.UnicodeScalarView()
        token.append(contentsOf: units[start..<at])
        if !isEscaped {
            // By scalars: a quote and an accent after it are one character.
            var inside = String.UnicodeScalarView()
            inside.append(contentsOf: token.dropFirst().dropLast())
            return String(inside)
        }
        let array = try? JSONSerialization.jsonObject(with: Data("[\(String(token))]".utf8)) as? [String]
        return array?.first ?? "?"
    }
}

/// An event and what the evaluator has read of it.
struct SlowEvent {
    let event: TestEvent
    let values: [SlowValue]
    let session: String

    init(_ event: TestEvent) {
        self.event = event
        values = SlowJSON.values(of: event.data).map { value in
            var value = value
            if value.kind == .number { value.number = SlowCondition.number(value.text) }
            return value
        }
        session = SlowEvaluator.session(event.session)
    }

    /// The last value at a path.
    func value(_ path: String) -> SlowValue? { values.last { $0.path.utf8.elementsEqual(path.utf8) } }
}

/// Answers queries by looking at every event.
struct SlowEvaluator {
    typealias Parameter = (name: String, value: String)

    /// The events that pass, newest first or oldest first.
    static func answer(_ events: [SlowEvent], _ parameters: [Parameter]) -> [SlowEvent] {
        var names: [String] = []
        for parameter in parameters where !names.contains(where: { same($0, parameter.name) }) {
            names.append(parameter.name)
        }
        let conditions = names.map { name in
            SlowCondition(name, parameters.filter { same($0.name, name) }.map(\.value))
        }
        let passing = events.filter { event in conditions.allSatisfy { $0.passes(event) } }
        return parameters.contains { $0.name == "order" && $0.value == "id" } ? passing : passing.reversed()
    }

    static func same(_ a: String, _ b: String) -> Bool { a.utf8.elementsEqual(b.utf8) }

    /// A session as its UUID.
    static func session(_ id: ID128) -> String {
        let hex = [id.high, id.low].map { String(String($0, radix: 16).reversed() + repeatElement("0", count: 16)) }
        let digits = hex.flatMap { Array($0.prefix(16).reversed()) }
        return [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { String(digits[$0]) }.joined(separator: "-")
    }

    /// A moment of whole seconds.
    static func time(_ microseconds: Int64) -> String {
        Date(timeIntervalSince1970: TimeInterval(microseconds / 1_000_000)).formatted(.iso8601)
    }
}

/// All values of one parameter.
private struct SlowCondition {
    private let field: String
    private let operation: String
    private let wanted: [String]
    private let moments: [Int64]
    private let numbers: [Decimal?]

    init(_ name: String, _ wanted: [String]) {
        let operators = ["ne", "prefix", "contains", "gte", "gt", "lte", "lt", "exists"]
        let last = name.components(separatedBy: "__").last ?? ""
        operation = name.hasSuffix("__" + last) && operators.contains(last) ? last : ""
        field = operation.isEmpty ? name : String(name.dropLast(operation.count + 2))
        self.wanted = wanted
        let isTime = ["timestamp", "since", "until"].contains(field)
        moments = isTime ? wanted.map(SlowCondition.moment) : []
        numbers = wanted.map(SlowCondition.number)
    }

    func passes(_ slow: SlowEvent) -> Bool {
        let event = slow.event
        switch field {
        case "category": return passes(event.category)
        case "name": return passes(event.name)
        case "session_id": return wanted.contains(slow.session) == (operation != "ne")
        case "timestamp":
            switch operation {
            case "": return moments.contains(event.timestamp)
            case "ne": return !moments.contains(event.timestamp)
            case "gte": return moments.allSatisfy { event.timestamp >= $0 }
            case "gt": return moments.allSatisfy { event.timestamp > $0 }
            case "lte": return moments.allSatisfy { event.timestamp <= $0 }
            default: return moments.allSatisfy { event.timestamp < $0 }
            }
        case "since": return moments.allSatisfy { event.timestamp >= $0 }
        case "until": return moments.allSatisfy { event.timestamp < $0 }
        case let path where path.hasPrefix("data."): return passes(slow.value(String(path.dropFirst(5))))
        default: return true
        }
    }

    private func passes(_ text: String) -> Bool {
        let utf8 = Array(text.utf8)
        switch operation {
        case "": return wanted.contains { SlowEvaluator.same(text, $0) }
        case "ne": return !wanted.contains { SlowEvaluator.same(text, $0) }
        case "prefix": return wanted.contains { utf8.starts(with: $0.utf8) }
        default:
            return wanted.contains { part in
                let count = part.utf8.count
                return utf8.count >= count
                    && (0...(utf8.count - count)).contains { utf8[$0..<($0 + count)].elementsEqual(part.utf8) }
            }
        }
    }

    private func passes(_ value: SlowValue?) -> Bool {
        if operation == "exists" { return wanted.allSatisfy { ($0 == "true") == (value != nil) } }
        guard let value else { return operation == "ne" }
        if ["", "ne", "prefix", "contains"].contains(operation) { return passes(value.text) }
        return zip(wanted, numbers).allSatisfy { bound, number in
            let order: Int
            if let number {
                guard value.kind == .number, let own = value.number else { return false }
                order = own < number ? -1 : own > number ? 1 : 0
            } else {
                guard value.kind != .number else { return false }
                let (a, b) = (Array(value.text.utf8), Array(bound.utf8))
                order = a == b ? 0 : a.lexicographicallyPrecedes(b) ? -1 : 1
            }
            return switch operation {
            case "gt": order > 0
            case "gte": order >= 0
            case "lt": order < 0
            default: order <= 0
            }
        }
    }

    /// A JSON number, in Foundation's decimals; nil: it is none.
    static func number(_ text: String) -> Decimal? {
        guard let first = text.utf8.first, first == 0x2D || (0x30...0x39).contains(first),
            text.wholeMatch(of: #/-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/#) != nil
        else { return nil }
        return Decimal(string: text, locale: Locale(identifier: "en_US_POSIX"))
    }

    /// `YYYY-MM-DDThh:mm:ssZ`, whole seconds.
    private static func moment(_ text: String) -> Int64 {
        Int64((try? Date(text, strategy: .iso8601))?.timeIntervalSince1970 ?? 0) * 1_000_000
    }
}
