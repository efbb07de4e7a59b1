// Moments as tables show them.

import EyeWire

/// Text for a moment.
enum Moment {
    /// `2026-11-23 21:09Z`.
    static func text(_ microseconds: Int64) -> String {
        var text: [UInt8] = []
        Timestamp.append(microseconds, to: &text)
        let (dateBytes, minuteEnd) = (10, 16)
        return String(decoding: text[..<dateBytes] + [0x20] + text[(dateBytes + 1)..<minuteEnd] + [0x5A], as: UTF8.self)
    }
}
