// The terminal behind a descriptor: whether there is one, and reading a line from it that is not shown.

import Glibc

/// Questions to a terminal.
public enum Terminal {
    /// Whether the descriptor is a terminal.
    public static func isTerminal(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 }

    /// Columns of the terminal behind the descriptor, nil when it has none.
    public static func columns(_ descriptor: Int32) -> Int? {
        var size = winsize()
        guard unsafe ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
        return Int(size.ws_col)
    }

    /// What the hidden line came to.
    public enum HiddenLine: Equatable, Sendable {
        case line([UInt8])
        /// Ctrl-C, or the end of input before anything was typed.
        case cancelled
    }

    /// Bytes of a hidden line that are looked at.
    static let hiddenBytesMax = 4096

    /// Shows `prompt` on stderr and reads a line from the terminal at stdin without showing it. Backspace and Ctrl-U work.
    /// The terminal is in raw mode meanwhile, so that Ctrl-C cannot leave it without echo.
    public static func readHidden(prompt: String) throws(SystemError) -> HiddenLine {
        var before = termios()
        _ = try retrying("tcgetattr") { unsafe tcgetattr(STDIN_FILENO, &before) }
        var raw = before
        unsafe cfmakeraw(&raw)
        _ = try StandardStream.write(STDERR_FILENO, Array(prompt.utf8))
        _ = try retrying("tcsetattr") { unsafe tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw) }
        defer {
            // Nothing can be done about a terminal that does not take its own settings back.
            unsafe _ = tcsetattr(STDIN_FILENO, TCSAFLUSH, &before)
        }
        var line: [UInt8] = []
        var isDone = false
        while !isDone {
            var chunk: [UInt8] = []
            if try StandardStream.read(STDIN_FILENO, limit: 64, into: &chunk) == 0 { break }
            for byte in chunk where !isDone {
                switch byte {
                case 0x0A, 0x0D: isDone = true
                case 0x03: return try end(.cancelled)
                case 0x04:
                    if line.isEmpty { return try end(.cancelled) }
                    isDone = true
                case 0x15: line.removeAll()
                case 0x08, 0x7F:
                    // One character back: its continuation bytes too.
                    while let last = line.popLast(), last & 0xC0 == 0x80 {}
                default:
                    if line.count < hiddenBytesMax { line.append(byte) }
                }
            }
        }
        return try end(.line(line))
    }

    private static func end(_ result: HiddenLine) throws(SystemError) -> HiddenLine {
        _ = try StandardStream.write(STDERR_FILENO, [0x0D, 0x0A])
        return result
    }
}
