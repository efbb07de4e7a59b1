import Foundation

/// How much a test looks at: `swift test` has three minutes for all, `Tests/Checks/long-tests.sh` has more.
public enum TestSize {
    /// EYE_LONG_TESTS=1.
    public static let isLong = ProcessInfo.processInfo.environment["EYE_LONG_TESTS"] == "1"

    /// A count, a stride, a last seed: `usual`, or `long` when there is time.
    public static func pick<T>(_ usual: T, long: T) -> T { isLong ? long : usual }
}
