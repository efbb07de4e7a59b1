// Keeps secrets out of what is kept and shown of refused lines: whoever may read those must not find in them what opens more. Pure.

/// Takes out whatever may be a token.
public enum SecretMask {
    /// Hexadecimal digits of a token (docs/accounts.md).
    static let tokenDigits = 40
    /// Digits that are left, to be recognized by who knows the token.
    public static let shownDigits = 4
    /// What stands for the others.
    public static let rest = Array("…".utf8)

    /// `bytes` with the first four digits only of every run of 40 or more hexadecimal ones, wherever it stands.
    public static func masked(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count)
        var start = bytes.startIndex
        while start < bytes.endIndex {
            let end = bytes[start...].firstIndex { !isHexadecimal($0) } ?? bytes.endIndex
            if end - start >= tokenDigits {
                out += bytes[start..<start + shownDigits]
                out += rest
            } else {
                out += bytes[start..<end]
            }
            if end < bytes.endIndex { out.append(bytes[end]) }
            start = end + 1
        }
        return out
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte | 0x20)
    }
}
