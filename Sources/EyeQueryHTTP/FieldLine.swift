// One header or trailer line: `name ":" OWS value OWS` (RFC 9112 section 5). Pure.

/// Parses field lines.
enum FieldLine {
    /// Judges `bytes[line]`, which has no CRLF and is not empty, and puts the name into lower case in place.
    static func parse(_ bytes: inout [UInt8], _ line: Range<Int>) throws(RequestRefusal) -> RequestHead.Field {
        // RFC 9112 section 5.2, and section 2.2 for white space before the first field.
        if ByteClass.isBlank(bytes[line.lowerBound]) { throw .foldedLine }
        var at = line.lowerBound
        while at < line.upperBound && ByteClass.isToken(bytes[at]) {
            bytes[at] = ByteClass.lower(bytes[at])
            at += 1
        }
        guard at < line.upperBound, at > line.lowerBound, bytes[at] == .colon else {
            throw bytes[line].contains(.carriageReturn) ? .lineEnding : .fieldName
        }
        let name = line.lowerBound..<at
        let value = bytes.trimmed((at + 1)..<line.upperBound)
        for index in value where !ByteClass.isFieldValue(bytes[index]) {
            // RFC 9110 section 5.5: CR and NUL in a value are dangerous; RFC 9112 section 2.2 for the CR.
            throw bytes[index] == .carriageReturn ? .lineEnding : .fieldValue
        }
        return RequestHead.Field(name: name, value: value)
    }

    /// Whether a comma-separated list of tokens holds `token` (RFC 9110 section 5.6.1), given in lower case.
    static func list(_ bytes: [UInt8], _ value: Range<Int>, holds token: String) -> Bool {
        var start = value.lowerBound
        for index in value.lowerBound...value.upperBound
        where index == value.upperBound || bytes[index] == UInt8(ascii: ",") {
            if bytes.matches(bytes.trimmed(start..<index), token) { return true }
            start = index + 1
        }
        return false
    }
}
