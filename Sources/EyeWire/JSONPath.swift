// Looking up one value of an object by its path: the names of the members on the way, escapes resolved, joined by dots. `a.b` is the
// member `b` of the object `a`, or a member whose name is `a.b`. Of several values at one path the last one counts; arrays are not
// entered. Used by filters on `data`; any thread.

extension JSON {
    /// The last value at `path` of the object that is `text`; nil: there is none, or the text is no object.
    public static func find(_ path: Span<UInt8>, in text: UnsafeRawBufferPointer) -> Value? {
        do throws(Fault) {
            return try unsafe find(path, in: text, at: 0, level: 0)
        } catch {
            // Nobody has stored what is no JSON; whatever was found in such a text would be a guess.
            return nil
        }
    }

    private static func find(
        _ path: Span<UInt8>, in text: UnsafeRawBufferPointer, at offset: Int, level: Int
    ) throws(Fault) -> Value? {
        var found: Value?
        var members = try unsafe Members(of: text, at: offset, level: level)
        while let member = try members.next() {
            guard let matched = unsafe matching(member.key, of: text, path) else { continue }
            if matched == path.count {
                found = member.value
            } else if path[matched] == UInt8(ascii: "."), member.value.kind == .object {
                let rest = path.extracting((matched + 1)...)
                let inner = try unsafe find(rest, in: text, at: member.value.range.lowerBound, level: level + 1)
                if let inner { found = inner }
            }
        }
        return found
    }

    /// How many bytes of `path` the name `key` is, if it begins it.
    private static func matching(_ key: StringField, of text: UnsafeRawBufferPointer, _ path: Span<UInt8>) -> Int? {
        if !key.escaped {
            guard key.count <= path.count else { return nil }
            // In bounds: the scanner's ranges lie in the text.
            for index in 0..<key.count where unsafe text[key.offset + index] != path[index] { return nil }
            return key.count
        }
        var name: [UInt8] = []
        unsafe appendUnescaped(key, of: text, to: &name)
        guard name.count <= path.count else { return nil }
        for index in 0..<name.count where name[index] != path[index] { return nil }
        return name.count
    }
}
