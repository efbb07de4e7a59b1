// What is kept of a refused line: at most so many bytes, its token masked.

import EyeWire

enum SampleText {
    /// The line cut to `WireLimits.sampleBytesMax`; of its first word, and of whatever else may be a token, only the first four characters are
    /// left.
    static func masked(_ line: UnsafeRawBufferPointer) -> [UInt8] {
        // In bounds: the prefix is at most the line. A token is looked for before the cut: a half of one is too much.
        var kept = unsafe [UInt8](line.prefix(WireLimits.lineBytesMax))
        if let first = kept.first, first != UInt8(ascii: "{") {
            let end = kept.firstIndex(of: 0x20) ?? kept.count
            if end > SecretMask.shownDigits {
                kept.replaceSubrange(SecretMask.shownDigits..<end, with: SecretMask.rest)
            }
        }
        return Array(SecretMask.masked(kept[...]).prefix(WireLimits.sampleBytesMax))
    }
}
