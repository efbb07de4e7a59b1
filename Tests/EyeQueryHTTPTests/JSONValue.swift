// JSON as a value of its own, and as much of JSON Schema as openapi.json uses.

import Foundation

/// A JSON value.
indirect enum JSONValue: Decodable, Equatable {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([JSONValue].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }

    init(_ bytes: [UInt8]) throws { self = try JSONDecoder().decode(JSONValue.self, from: Data(bytes)) }

    subscript(_ name: String) -> JSONValue? {
        if case .object(let members) = self { return members[name] }
        return nil
    }
    var members: [String: JSONValue] { if case .object(let members) = self { members } else { [:] } }
    var elements: [JSONValue] { if case .array(let elements) = self { elements } else { [] } }
    var text: String? { if case .string(let text) = self { text } else { nil } }
    var number: Double? { if case .number(let number) = self { number } else { nil } }
}

/// Checks values by the schemas of one document.
struct SchemaCheck {
    let document: JSONValue

    /// What `$ref` leads to, or the value itself.
    func resolve(_ value: JSONValue) -> JSONValue {
        guard let target = value["$ref"]?.text, target.hasPrefix("#/") else { return value }
        var found: JSONValue? = document
        for part in target.dropFirst(2).split(separator: "/") { found = found?[String(part)] }
        return found.map(resolve) ?? .null
    }

    /// What is wrong with a value, with its path; empty when it is as the schema says.
    func faults(_ value: JSONValue, _ schema: JSONValue, at path: String = "$") -> [String] {
        let schema = resolve(schema)
        guard case .object(let rules) = schema else { return ["\(path): no schema"] }
        var faults: [String] = []
        for (rule, wanted) in rules {
            switch rule {
            case "type":
                let types = wanted.text.map { [$0] } ?? wanted.elements.compactMap(\.text)
                if !types.contains(where: { Self.isOf($0, value) }) { faults.append("\(path): not \(types)") }
            case "enum": if !wanted.elements.contains(value) { faults.append("\(path): not in \(wanted.elements)") }
            case "anyOf":
                let tries = wanted.elements.map { self.faults(value, $0, at: path) }
                if !tries.contains(where: \.isEmpty) { faults += tries.first ?? [] }
            case "required":
                for name in wanted.elements.compactMap(\.text) where !value.members.isEmpty || value == .object([:]) {
                    if value[name] == nil { faults.append("\(path): \(name) is missing") }
                }
            case "properties":
                for (name, member) in value.members {
                    if let schema = wanted[name] { faults += self.faults(member, schema, at: "\(path).\(name)") }
                }
            case "additionalProperties":
                for name in value.members.keys
                where wanted == .bool(false) && rules["properties"]?[name] == nil && rules["patternProperties"] == nil {
                    faults.append("\(path): \(name) is not known")
                }
            case "items":
                for (index, element) in value.elements.enumerated() {
                    faults += self.faults(element, wanted, at: "\(path)[\(index)]")
                }
            case "minimum":
                if let number = value.number, number < wanted.number ?? 0 { faults.append("\(path): small") }
            case "maximum":
                if let number = value.number, number > wanted.number ?? 0 { faults.append("\(path): large") }
            case "minItems": if Double(value.elements.count) < wanted.number ?? 0 { faults.append("\(path): few") }
            case "pattern":
                if let text = value.text, let pattern = try? Regex(wanted.text ?? ""), !text.contains(pattern) {
                    faults.append("\(path): not \(wanted)")
                }
            case "format": if let text = value.text { faults += Self.format(text, wanted.text ?? "", path) }
            default: break
            }
        }
        return faults
    }

    private static func isOf(_ type: String, _ value: JSONValue) -> Bool {
        switch (type, value) {
        case ("null", .null), ("boolean", .bool), ("number", .number), ("string", .string), ("array", .array),
            ("object", .object):
            true
        case ("integer", .number(let number)): number == number.rounded()
        default: false
        }
    }

    private static func format(_ text: String, _ format: String, _ path: String) -> [String] {
        switch format {
        case "uuid": UUID(uuidString: text) == nil ? ["\(path): no uuid"] : []
        case "date-time":
            text.wholeMatch(of: #/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z/#) == nil ? ["\(path): no date-time"] : []
        default: []
        }
    }
}
