// What a sender keeps and waits for, in one place.

/// Limits of `EventSender`.
public enum ClientLimits {
    /// Bytes of lines that are sent and not yet judged; then the sender waits for acks.
    public static let windowBytesMax = 4 * 1024 * 1024
    /// Lines of these.
    public static let windowLinesMax = 65_536
    /// Bytes that are collected before they are written.
    public static let batchBytes = 64 * 1024
    /// Bytes of one reply line.
    public static let replyBytesMax = 128 * 1024
    /// Errors that a report lists; further ones are counted.
    public static let reportedErrorsMax = 1_000
    /// The first wait before connecting again; doubled each time.
    public static let firstPauseMilliseconds = 50
    /// The longest such wait.
    public static let pauseMillisecondsMax = 5_000
}
