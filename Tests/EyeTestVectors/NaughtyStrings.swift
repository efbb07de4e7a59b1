// The strings of Tests/Vectors/naughty, and what of them a terminal or a reader could be fooled by.

import Foundation

/// Strings that break programs.
public enum NaughtyStrings {
    /// All of them.
    public static func all() throws -> [String] {
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../Vectors/naughty/naughty_strings.json").standardizedFileURL
        return try JSONDecoder().decode([String].self, from: Data(contentsOf: file))
    }

    /// Control characters (ANSI sequences begin with one), and those that turn the direction of writing.
    public static func isUnsafe(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.generalCategory == .control || scalar.properties.isBidiControl
            || scalar == "\u{2028}" || scalar == "\u{2029}"
    }

    /// The first of them in a text that is to be shown, LF aside.
    public static func firstUnsafe(_ text: some StringProtocol) -> String? {
        text.unicodeScalars.first { isUnsafe($0) && $0 != "\n" }.map { "U+\(String($0.value, radix: 16))" }
    }
}
