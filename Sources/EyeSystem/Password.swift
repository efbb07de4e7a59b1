// Password hashing by crypt(3): yescrypt at the library's default cost with a fresh salt. One hash takes about 50 ms and
// 18 MB for a moment, so services do it on one thread of its own, never on an event loop. Nothing here keeps a password.

import CEyeLinux

/// Hashing and checking of passwords.
public enum Password {
    /// Bytes that a password may have: crypt(5) takes 512 with its NUL.
    public static let bytesMax = 511
    /// Room for any hash that crypt(3) makes, with its NUL (CRYPT_OUTPUT_SIZE).
    static let hashBytesMax = 384

    /// A hash of no account, in today's default setting: checked when a user is unknown, so that the answer takes as
    /// long as for a known one.
    public static let dummyHash = "$y$j9T$UhqB7lT6rWHxFvqHoLdX4.$ciF4cfvauDPq5oAsyabp7qemO30P/NRJTlZiH5/nh8/"

    /// Whether a password can be hashed at all, and sent to log in: 1 to 511 bytes, none of them NUL (crypt(3) would stop there and
    /// two passwords would be one), which are UTF-8, as JSON is.
    public static func isUsable(_ password: [UInt8]) -> Bool {
        !password.isEmpty && password.count <= bytesMax && !password.contains(0)
            && String(validating: password, as: UTF8.self) != nil
    }

    /// A new hash with a salt of its own, as crypt(5) writes it; nil when the password is not usable.
    public static func hash(_ password: [UInt8]) -> String? {
        guard isUsable(password) else { return nil }
        var setting = [CChar](repeating: 0, count: hashBytesMax)
        // In bounds: the function is given the array's own size and ends its text with NUL within it.
        guard unsafe eye_crypt_setting(&setting, setting.count) == 0 else { return nil }
        return crypt(password, setting: setting)
    }

    /// Whether `password` is the one that `hash` was made from. Takes as long for a wrong one as for the right one.
    public static func verify(_ password: [UInt8], hash: String) -> Bool {
        let usable = isUsable(password)
        let phrase = usable ? password : [0x2D]
        guard let computed = crypt(phrase, setting: hash.utf8.map { CChar(bitPattern: $0) } + [0]) else { return false }
        return isEqual(Array(computed.utf8), Array(hash.utf8)) && usable
    }

    /// Byte equality in a time that depends on the lengths only.
    public static func isEqual(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        guard a.count == b.count else { return false }
        var difference: UInt8 = 0
        for index in a.indices { difference |= a[index] ^ b[index] }
        return difference == 0
    }

    private static func crypt(_ phrase: [UInt8], setting: [CChar]) -> String? {
        var out = [CChar](repeating: 0, count: hashBytesMax)
        var terminated = phrase.map { CChar(bitPattern: $0) }
        terminated.append(0)
        defer { for index in terminated.indices { terminated[index] = 0 } }
        // In bounds: phrase and setting end with NUL, and the output's own size is given.
        guard unsafe eye_crypt(terminated, setting, &out, out.count) == 0 else { return nil }
        let bytes = out.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return String(decoding: bytes, as: UTF8.self)
    }
}
