// openapi.json and the router say the same, both ways; its examples are called, and the answers are as its schemas say.

import EyeStore
import EyeWire
import Foundation
import Testing

@testable import EyeQueryHTTP

@Suite struct OpenAPITests {
    /// One operation of the document.
    private struct Operation {
        var method: String
        var path: String
        var value: JSONValue
        /// Resolved, those of the path too.
        var parameters: [JSONValue]
    }

    private static let schemas: SchemaCheck = {
        guard case .bytes(let bytes) = StatusEndpoints.openAPI().body, let document = try? JSONValue(bytes) else {
            fatalError("openapi.json is no JSON")
        }
        return SchemaCheck(document: document)
    }()

    private static let operations: [Operation] = {
        var found: [Operation] = []
        for (path, item) in schemas.document["paths"]?.members ?? [:] {
            let shared = item["parameters"]?.elements ?? []
            for (method, value) in item.members where method != "parameters" {
                let parameters = (shared + (value["parameters"]?.elements ?? [])).map(schemas.resolve)
                found.append(Operation(method: method, path: path, value: value, parameters: parameters))
            }
        }
        return found.sorted { ($0.path, $0.method) < ($1.path, $1.method) }
    }()

    /// Every `$ref` below a value.
    private static func references(_ value: JSONValue) -> [String] {
        switch value {
        case .array(let elements): elements.flatMap(references)
        case .object(let members):
            (members["$ref"]?.text.map { [$0] } ?? []) + members.values.flatMap(references)
        default: []
        }
    }

    @Test func theDocumentIsWhole() {
        let document = Self.schemas.document
        #expect(document["openapi"]?.text == "3.1.0")
        let references = Set(Self.references(document))
        for reference in references {
            #expect(Self.schemas.resolve(.object(["$ref": .string(reference)])) != .null, "\(reference)")
        }
        // Nothing is defined in vain.
        for (kind, definitions) in document["components"]?.members ?? [:] where kind != "securitySchemes" {
            for name in definitions.members.keys { #expect(references.contains("#/components/\(kind)/\(name)")) }
        }
        let ids = Self.operations.compactMap { $0.value["operationId"]?.text }
        #expect(ids.count == Self.operations.count && Set(ids).count == ids.count)
    }

    @Test func routesMethodsAndScopes() {
        var coded: Set<String> = []
        for route in Route.allCases {
            for (method, access) in route.methods where method != .head {
                let scope = if case .scope(let scopes) = access { scopes.description } else { "–" }
                coded.insert("\(method.rawValue.lowercased()) \(route.rawValue) \(scope)")
            }
        }
        var written: Set<String> = []
        for operation in Self.operations {
            var schemes = operation.value["security"]?.elements ?? []
            // A beacon brings its token in its body.
            let takesBeacons = operation.method == "post" && operation.path == Route.events.rawValue
            #expect(schemes.contains { $0.members.isEmpty } == takesBeacons, "\(operation.path)")
            schemes.removeAll { $0.members.isEmpty }
            let scopes = Set(schemes.flatMap(\.members.values).flatMap(\.elements).compactMap(\.text))
            #expect(scopes.count <= 1 && (scopes.isEmpty || schemes.count == 2))
            written.insert("\(operation.method) \(operation.path) \(scopes.first ?? "–")")
            // What every such operation can answer.
            let statuses = Set(operation.value["responses"]?.members.keys.map { $0 } ?? [])
            #expect(statuses.contains("default"))
            #expect(statuses.isSuperset(of: ["401", "403"]) == !scopes.isEmpty, "\(operation.path)")
        }
        #expect(written == coded)
    }

    @Test func parameters() {
        let data = FilterParameters.known + ["data"]
        for operation in Self.operations {
            let query = operation.parameters.filter { $0["in"]?.text == "query" }.compactMap { $0["name"]?.text }
            let path = operation.parameters.filter { $0["in"]?.text == "path" }.compactMap { $0["name"]?.text }
            #expect(path == operation.path.matches(of: #/\{(\w+)\}/#).map { String($0.1) })
            let route = Route(rawValue: operation.path)
            let known: [String]
            switch (operation.method, route) {
            case ("get", .events): known = EventQuery.known + ["data"]
            case ("get", .live): known = data + LiveQuery.others
            case ("get", .sessions): known = data + SessionQuery.others
            case ("get", .sessionDetail): known = TimelineQuery.known + ["data"]
            case ("delete", _): known = ErasureExchange.known
            case ("get", .erasures): known = PageParameters.known
            case ("get", .errors): known = ErrorQuery.known
            case ("get", .errorSummary): known = ErrorQuery.filters
            default: known = route?.stats.map { data + $0.others } ?? []
            }
            #expect(query.sorted() == known.sorted(), "\(operation.method) \(operation.path)")
        }
        let codes = Self.schemas.document["components"]?["parameters"]?["code"]?["schema"]?["items"]?["enum"]
        #expect(codes?.elements.compactMap(\.text) == Reject.allCases.map { "\($0.code)" })
        let limit = Self.schemas.document["components"]?["parameters"]?["limit"]?["schema"]
        #expect(limit?["maximum"]?.number == Double(HTTPLimits.pageMax))
        #expect(limit?["default"]?.number == Double(HTTPLimits.pageDefault))
    }

    // MARK: Live answers

    /// The target with every parameter that has an example.
    private static func target(_ operation: Operation) -> String {
        var path = operation.path
        var query: [String] = []
        func encoded(_ value: JSONValue) -> String {
            let text = value.text ?? value.number.map { "\(Int($0))" } ?? ""
            var out: [UInt8] = []
            PercentEncoding.append(text.utf8, to: &out)
            return String(decoding: out, as: UTF8.self)
        }
        for parameter in operation.parameters {
            guard let name = parameter["name"]?.text, let example = parameter["example"] else { continue }
            if parameter["in"]?.text == "path" {
                path = path.replacing("{\(name)}", with: encoded(example))
            } else if name == "data" {
                for (member, value) in example.members { query.append("\(member)=\(encoded(value))") }
            } else if case .array(let values) = example {
                for value in values { query.append("\(name)=\(encoded(value))") }
            } else {
                query.append("\(name)=\(encoded(example))")
            }
        }
        return query.isEmpty ? path : "\(path)?\(query.joined(separator: "&"))"
    }

    /// Checks an answer against what the operation says of its status.
    private static func check(_ answer: Answered, _ operation: Operation) {
        let place = Comment(
            rawValue: "\(operation.method) \(operation.path): \(answer.status) \(answer.text.prefix(400))")
        let responses = operation.value["responses"]
        guard let response = (responses?["\(answer.status)"] ?? responses?["default"]).map(schemas.resolve) else {
            #expect(Bool(false), place)
            return
        }
        let type = answer["content-type"]?.split(separator: ";").first.map(String.init) ?? ""
        guard let schema = response["content"]?[type]?["schema"] else {
            #expect(Bool(false), place)
            return
        }
        guard type.hasSuffix("json") else { return }
        let faults = (try? JSONValue(answer.body)).map { schemas.faults($0, schema) } ?? ["no JSON"]
        #expect(faults.isEmpty, place)
    }

    @Test func examplesAgainstLiveAnswers() throws {
        let service = try ServiceFixture()
        try service.accounts.setPassword(of: "admin", password: Array("secret".utf8))
        _ = try service.call("POST", "/events/", token: service.both, "{}")
        try ServiceFixture.wait("the refusal") {
            try service.call("GET", "/errors/1", token: service.both).status == 200
        }
        // What is read must be there, and erased last.
        let order = ["post", "get", "delete"]
        for operation in Self.operations.sorted(by: {
            order.firstIndex(of: $0.method)! < order.firstIndex(of: $1.method)!
        }) {
            let content = operation.value["requestBody"]?["content"]?["application/json"]
            let body = content?["example"]
            if let body, let schema = content?["schema"] { #expect(Self.schemas.faults(body, schema).isEmpty) }
            let text = try body.map { String(decoding: try JSONEncoder().encode(Encoded($0)), as: UTF8.self) }
            let method = operation.method.uppercased()
            let target = Self.target(operation)
            let answer = try service.call(method, target, token: service.admin, text)
            #expect((200..<300).contains(answer.status), "\(method) \(target): \(answer.text)")
            #expect(operation.value["responses"]?["\(answer.status)"] != nil, "\(method) \(target)")
            Self.check(answer, operation)

            // And what goes wrong.
            let isOpen = operation.value["security"]?.elements.isEmpty ?? true
            if !isOpen {
                for token in [nil, "wrong", method == "GET" ? service.writer : service.reader] {
                    Self.check(try service.call(method, target, token: token, text), operation)
                }
                let plain = target.prefix { $0 != "?" }
                Self.check(try service.call(method, "\(plain)?nothing=1", token: service.admin, text), operation)
            }
            Self.check(try service.call("PUT", target, token: service.admin), operation)
        }
    }

    /// A value as JSON again.
    private struct Encoded: Encodable {
        let value: JSONValue
        init(_ value: JSONValue) { self.value = value }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            switch value {
            case .null: try container.encodeNil()
            case .bool(let value): try container.encode(value)
            case .number(let value): try container.encode(value)
            case .string(let value): try container.encode(value)
            case .array(let values): try container.encode(values.map(Encoded.init))
            case .object(let members): try container.encode(members.mapValues(Encoded.init))
            }
        }
    }
}
