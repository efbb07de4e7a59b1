// What a body is, by its Content-Type and its first byte (RFC 9110 section 8.3). Pure.

/// The kinds of body that this service reads.
enum MediaType: Equatable {
    case json
    /// One JSON document a line.
    case lines
    /// application/x-www-form-urlencoded
    case form
    /// text/plain, what `sendBeacon` sends: JSON if it looks like it.
    case plain
    /// No Content-Type: the same.
    case unstated
    case other

    /// What one JSON document a line is called.
    static let linesNames = ["application/x-ndjson", "application/ndjson", "application/jsonl"]

    /// Reads the Content-Type of a head. Parameters such as `charset` are ignored: JSON is UTF-8 (RFC 8259 section 8.1).
    init(_ head: RequestHead) {
        let values = head.values("content-type")
        // RFC 9110 section 8.4: a coding that is not undone here is 415 as well.
        let codings = head.values("content-encoding").filter { !head.bytes.matches($0, "identity") }
        guard values.count < 2, codings.isEmpty else {
            self = .other
            return
        }
        guard let value = values.first, !value.isEmpty else {
            self = .unstated
            return
        }
        let end = head.bytes[value].firstIndex(of: UInt8(ascii: ";")) ?? value.upperBound
        let essence = head.bytes.trimmed(value.lowerBound..<end)
        func isOne(of names: [String]) -> Bool { names.contains { head.bytes.matches(essence, $0) } }
        if isOne(of: ["application/json"]) {
            self = .json
        } else if isOne(of: MediaType.linesNames) {
            self = .lines
        } else if isOne(of: ["application/x-www-form-urlencoded"]) {
            self = .form
        } else if isOne(of: ["text/plain"]) {
            self = .plain
        } else {
            self = .other
        }
    }

    /// Whether a body looks like a JSON object or array: curl sends `-d '{…}'` as a form.
    static func looksLikeJSON(_ body: [UInt8]) -> Bool {
        let first = body.first { !ByteClass.isBlank($0) && $0 != .carriageReturn && $0 != .lineFeed }
        return first == UInt8(ascii: "{") || first == UInt8(ascii: "[")
    }
}
