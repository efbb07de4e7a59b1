// From the document of a stored event, as `eye export` writes it, back to the event as it was sent: without what the store gave it. Pure.

import EyeWire

/// Documents of stored events.
enum StoredDocument {
    /// How much longer a document may be than the line that its event came by: `id`, `received_at`, and texts with more escapes.
    static let moreBytesMax = 4096
    /// Members that the store gives.
    private static let given: [StaticString] = ["id", "received_at"]

    /// The event of a document; a line that is none stays as it is, for the server to judge. Written shorter where it would not fit into
    /// `roomBytes` otherwise: any event that came by a line goes back onto one.
    static func event(_ line: ArraySlice<UInt8>, roomBytes: Int) -> ArraySlice<UInt8> {
        let text = Array(line)
        guard let members = members(of: text) else { return line }
        func isGiven(_ member: JSON.ObjectMember) -> Bool {
            given.contains { name in
                unsafe text.withUnsafeBytes { unsafe JSON.string(member.key, of: $0, equals: name) }
            }
        }
        let kept = members.filter { !isGiven($0) }
        if kept.count == members.count && text.count <= roomBytes { return line }
        var out = Array("{".utf8)
        for (index, member) in kept.enumerated() {
            if index > 0 { out.append(UInt8(ascii: ",")) }
            // In order: a member's name with its quotes, and its value, lie one behind the other.
            out.append(contentsOf: text[(member.key.offset - 1)..<member.value.range.upperBound])
        }
        out.append(UInt8(ascii: "}"))
        return out.count <= roomBytes ? out[...] : shortest(kept, text)[...]
    }

    private static func members(of text: [UInt8]) -> [JSON.ObjectMember]? {
        unsafe text.withUnsafeBytes { bytes in
            do throws(Fault) {
                let value = try unsafe JSON.validate(bytes)
                guard value.kind == .object else { return nil }
                var members = try unsafe JSON.Members(of: bytes, at: value.range.lowerBound)
                var all: [JSON.ObjectMember] = []
                while let member = try members.next() { all.append(member) }
                return all
            } catch {
                return nil
            }
        }
    }

    /// The members with as few bytes as they can have; `data` as it is.
    private static func shortest(_ members: [JSON.ObjectMember], _ text: [UInt8]) -> [UInt8] {
        var out = Array("{".utf8)
        for (index, member) in members.enumerated() {
            if index > 0 { out.append(UInt8(ascii: ",")) }
            out.append(UInt8(ascii: "\""))
            out.append(contentsOf: text[member.key.range])
            out.append(contentsOf: "\":".utf8)
            guard member.value.kind == .string else {
                out.append(contentsOf: text[member.value.range])
                continue
            }
            var said: [UInt8] = []
            unsafe text.withUnsafeBytes { unsafe JSON.appendUnescaped(member.value.field, of: $0, to: &said) }
            let isTime = String(decoding: text[member.key.range], as: UTF8.self) == "timestamp"
            if isTime, let moment = Timestamp.parse(said.span) {
                said.removeAll()
                Timestamp.append(moment, to: &said)
                said.removeLast()
                while said.last == UInt8(ascii: "0") { said.removeLast() }
                if said.last == UInt8(ascii: ".") { said.removeLast() }
            }
            appendShortest(said, to: &out)
        }
        out.append(UInt8(ascii: "}"))
        return out
    }

    /// A JSON string without an escape that it need not have (RFC 8259 section 7).
    private static func appendShortest(_ said: [UInt8], to out: inout [UInt8]) {
        out.append(UInt8(ascii: "\""))
        for byte in said {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): out += [UInt8(ascii: "\\"), byte]
            case 0x08: out += Array("\\b".utf8)
            case 0x09: out += Array("\\t".utf8)
            case 0x0A: out += Array("\\n".utf8)
            case 0x0C: out += Array("\\f".utf8)
            case 0x0D: out += Array("\\r".utf8)
            case 0..<0x20: out += Array((byte < 16 ? "\\u000" : "\\u00").utf8) + Array(String(byte, radix: 16).utf8)
            default: out.append(byte)
            }
        }
        out.append(UInt8(ascii: "\""))
    }
}
