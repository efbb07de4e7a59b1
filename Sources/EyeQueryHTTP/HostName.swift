// `host[:port]`, of the Host field and of absolute-form targets (RFC 9110 section 7.2, RFC 3986 section 3.2). Pure.

import EyeSystem

/// Checks and compares authorities without user information.
enum HostName {
    /// Whether `text` is one host, not empty (RFC 9110 section 4.2.1), with at most a port. No user information, no
    /// comma: a list of hosts has two meanings.
    static func isValid(_ text: ArraySlice<UInt8>) -> Bool {
        guard let first = text.first else { return false }
        var at = text.startIndex
        if first == UInt8(ascii: "[") {
            // RFC 3986 section 3.2.2: an IPv6 literal.
            guard let close = text.firstIndex(of: UInt8(ascii: "]")) else { return false }
            let inside = text[(at + 1)..<close]
            guard SocketAddress.isIPv6(String(decoding: inside, as: UTF8.self)) else { return false }
            at = close + 1
        } else {
            while at < text.endIndex && ByteClass.isHost(text[at]) { at += 1 }
            if at == text.startIndex { return false }
            // RFC 3986 section 3.2.2: a name may be percent-encoded, and is text then.
            guard let name = PercentEncoding.decode(text[..<at], plusIsSpace: false),
                name.allSatisfy({ $0 >= 0x20 && $0 != 0x7F })
            else { return false }
        }
        if at == text.endIndex { return true }
        guard text[at] == .colon else { return false }
        let port = text[(at + 1)...]
        let digitsMax = 5
        guard port.count <= digitsMax, port.allSatisfy(ByteClass.isDigit) else { return false }
        return port.reduce(0) { $0 * 10 + Int($1 - 0x30) } <= 65_535
    }

    /// Whether two valid authorities name the same host and port; the default port may be left out (RFC 9110 section
    /// 4.2.3).
    static func areEqual(_ a: ArraySlice<UInt8>, _ b: ArraySlice<UInt8>) -> Bool {
        withoutDefaultPort(a).elementsEqual(withoutDefaultPort(b)) { ByteClass.lower($0) == ByteClass.lower($1) }
    }

    private static func withoutDefaultPort(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        for suffix in [":80", ":443", ":"] where text.suffix(suffix.utf8.count).elementsEqual(suffix.utf8) {
            return text.dropLast(suffix.utf8.count)
        }
        return text
    }
}
