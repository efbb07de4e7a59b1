// SHA-256 (FIPS 180-4): glibc offers none. For token secrets of 40 bytes, so one block; no allocation. Pure, any thread.

/// The 256 bits that SHA-256 makes.
public struct SHA256Digest: Hashable, Sendable {
    /// The digest as four big-endian words.
    public let a, b, c, d: UInt64

    init(_ a: UInt64, _ b: UInt64, _ c: UInt64, _ d: UInt64) {
        self.a = a
        self.b = b
        self.c = c
        self.d = d
    }

    /// Equality in constant time.
    public func matches(_ other: SHA256Digest) -> Bool {
        ((a ^ other.a) | (b ^ other.b) | (c ^ other.c) | (d ^ other.d)) == 0
    }

    /// 64 lower-case hexadecimal digits.
    public var hex: String {
        var text: [UInt8] = []
        for word in [a, b, c, d] { Hex.append(word, to: &text) }
        return String(decoding: text, as: UTF8.self)
    }

    /// Parses 64 lower-case hexadecimal digits.
    public init?(hex text: some StringProtocol) {
        let digits = Array(text.utf8)
        guard digits.count == 64 else { return nil }
        var words: [UInt64] = []
        for start in stride(from: 0, to: 64, by: 16) {
            guard let word = Hex.parse(digits[start..<start + 16]) else { return nil }
            words.append(word)
        }
        self.init(words[0], words[1], words[2], words[3])
    }
}

/// The hash function.
public enum SHA256 {
    /// The digest of `message`.
    public static func hash(_ message: Span<UInt8>) -> SHA256Digest {
        var state = Block(repeating: 0)
        for index in 0..<8 { state[index] = initial[index] }
        var block = Block(repeating: 0)
        // Padding (5.1.1): a 1 bit, zeros, the length in bits as 64 bits; so up to 9 bytes more, in blocks of 64.
        let blockCount = (message.count + 9 + 63) / 64
        for blockIndex in 0..<blockCount {
            for wordIndex in 0..<16 {
                var word: UInt32 = 0
                for byteIndex in 0..<4 {
                    let offset = blockIndex * 64 + wordIndex * 4 + byteIndex
                    let byte: UInt8 = offset < message.count ? message[offset] : offset == message.count ? 0x80 : 0
                    word = word << 8 | UInt32(byte)
                }
                block[wordIndex] = word
            }
            if blockIndex == blockCount - 1 {
                let bits = UInt64(message.count) * 8
                block[14] = UInt32(truncatingIfNeeded: bits >> 32)
                block[15] = UInt32(truncatingIfNeeded: bits)
            }
            compress(&state, block)
        }
        func pair(_ index: Int) -> UInt64 { UInt64(state[index]) << 32 | UInt64(state[index + 1]) }
        return SHA256Digest(pair(0), pair(2), pair(4), pair(6))
    }

    private typealias Block = InlineArray<16, UInt32>

    /// 6.2.2, with the message schedule computed in place.
    private static func compress(_ state: inout Block, _ block: Block) {
        var schedule = block
        var (a, b, c, d) = (state[0], state[1], state[2], state[3])
        var (e, f, g, h) = (state[4], state[5], state[6], state[7])
        for round in 0..<64 {
            if round >= 16 {
                let w15 = schedule[(round + 1) & 15]
                let w2 = schedule[(round + 14) & 15]
                let s0 = rotate(w15, 7) ^ rotate(w15, 18) ^ (w15 >> 3)
                let s1 = rotate(w2, 17) ^ rotate(w2, 19) ^ (w2 >> 10)
                schedule[round & 15] = schedule[round & 15] &+ s0 &+ schedule[(round + 9) & 15] &+ s1
            }
            let sum1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)
            let choice = (e & f) ^ (~e & g)
            let t1 = h &+ sum1 &+ choice &+ constants[round] &+ schedule[round & 15]
            let sum0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)
            let majority = (a & b) ^ (a & c) ^ (b & c)
            (h, g, f, e) = (g, f, e, d &+ t1)
            (d, c, b, a) = (c, b, a, t1 &+ sum0 &+ majority)
        }
        let sums = (a, b, c, d, e, f, g, h)
        state[0] &+= sums.0
        state[1] &+= sums.1
        state[2] &+= sums.2
        state[3] &+= sums.3
        state[4] &+= sums.4
        state[5] &+= sums.5
        state[6] &+= sums.6
        state[7] &+= sums.7
    }

    @inline(__always)
    private static func rotate(_ word: UInt32, _ count: UInt32) -> UInt32 { word &>> count | word &<< (32 &- count) }

    /// 5.3.3.
    private static let initial: InlineArray<8, UInt32> = [
        0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
    ]
    /// 4.2.2.
    private static let constants: InlineArray<64, UInt32> = [
        0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
        0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
        0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
        0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
        0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
        0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
        0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
        0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
    ]
}

/// Lower-case hexadecimal digits.
enum Hex {
    /// Appends 16 digits.
    static func append(_ word: UInt64, to out: inout [UInt8]) {
        for shift in stride(from: 60, through: 0, by: -4) {
            out.append(digit(UInt8(truncatingIfNeeded: word >> shift) & 15))
        }
    }

    /// The digit of a value below 16.
    static func digit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x57 + value }

    /// Up to 16 lower-case digits, at least one; nil for anything else.
    static func parse(_ digits: some Collection<UInt8>) -> UInt64? {
        guard !digits.isEmpty && digits.count <= 16 else { return nil }
        var word: UInt64 = 0
        for digit in digits {
            switch digit {
            case 0x30...0x39: word = word << 4 | UInt64(digit - 0x30)
            case 0x61...0x66: word = word << 4 | UInt64(digit - 0x57)
            default: return nil
            }
        }
        return word
    }
}
