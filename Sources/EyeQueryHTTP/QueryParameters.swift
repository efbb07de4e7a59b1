// `name=value&…` of query strings and of forms (WHATWG URL standard, application/x-www-form-urlencoded), decoded once.
// Pure. Invariant: at most `HTTPLimits.parametersMax`, each valid UTF-8 without NUL.

/// Decoded parameters in the order in which they were sent.
package struct QueryParameters {
    /// One of them.
    package struct Parameter: Equatable {
        package var name: String
        package var value: [UInt8]

        package init(name: String, value: [UInt8]) {
            self.name = name
            self.value = value
        }

        package var text: String { String(decoding: value, as: UTF8.self) }
    }

    package private(set) var all: [Parameter] = []

    /// Why a text is not a list of parameters.
    enum Fault: Error { case encoding, tooMany }

    init() {}

    /// Parameters that were not written as a query string: `KEY=VALUE` of a command line.
    package init(_ all: [Parameter]) { self.all = all }

    init(parsing text: ArraySlice<UInt8>) throws(Fault) {
        for part in text.split(separator: UInt8(ascii: "&")) {
            if all.count == HTTPLimits.parametersMax { throw .tooMany }
            let equals = part.firstIndex(of: UInt8(ascii: "=")) ?? part.endIndex
            let rest = equals == part.endIndex ? part[equals...] : part[(equals + 1)...]
            guard let name = PercentEncoding.decode(part[..<equals], plusIsSpace: true),
                let value = PercentEncoding.decode(rest, plusIsSpace: true)
            else { throw .encoding }
            all.append(Parameter(name: String(decoding: name, as: UTF8.self), value: value))
        }
    }

    /// Adds one.
    package mutating func add(_ name: String, _ value: String) {
        all.append(Parameter(name: name, value: Array(value.utf8)))
    }

    /// Whether a parameter is there.
    package func has(_ name: String) -> Bool { all.contains { $0.name == name } }

    /// Every value of a name, in order.
    func values(_ name: String) -> [Parameter] { all.filter { $0.name == name } }

    /// Every name, once.
    var names: [String] {
        var found: [String] = []
        for parameter in all where !found.contains(parameter.name) { found.append(parameter.name) }
        return found
    }

    /// The first name that is not in `known`.
    func firstUnknown(_ known: [String]) -> String? { all.first { !known.contains($0.name) }?.name }
}
