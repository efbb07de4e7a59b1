// What is kept of a refused line: at most so many bytes, its token masked.

import EyeWire

enum SampleText {
    /// The line cut to `WireLimits.sampleBytesMax`; of its first word only the first four characters are left.
    static func masked(_ line: UnsafeRawBufferPointer) -> [UInt8] {
        // In bounds: the prefix is at most the line.
        var kept = unsafe [UInt8](line.prefix(WireLimits.sampleBytesMax))
        guard let first = kept.first, first != UInt8(ascii: "{") else { return kept }
        let end = kept.firstIndex(of: 0x20) ?? kept.count
        let shown = 4
        if end > shown { kept.replaceSubrange(shown..<end, with: Array("…".utf8)) }
        return kept
    }
}
