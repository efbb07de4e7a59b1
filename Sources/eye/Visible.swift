// Text for people: nothing that a stranger wrote may command the terminal.

import EyeSystem

/// Makes text harmless to show.
enum Visible {
    /// Control and bidirectional characters as `\u{…}`.
    static func text(_ text: String) -> String {
        var out: [UInt8] = []
        Log.appendVisible(text, to: &out)
        return String(decoding: out, as: UTF8.self)
    }
}
