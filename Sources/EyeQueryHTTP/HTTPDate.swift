// The Date header (RFC 9110 section 5.6.7), made once a second. Used on the loop's thread only.

/// IMF-fixdate of the current second.
public final class HTTPDate {
    private var second = Int64.min
    private var text: [UInt8] = []

    public init() {}

    /// `Sun, 06 Nov 1994 08:49:37 GMT` for a moment in microseconds since 1970.
    func bytes(_ microseconds: Int64) -> [UInt8] {
        let now = microseconds >= 0 ? microseconds / 1_000_000 : 0
        if now != second {
            second = now
            text = HTTPDate.format(now)
        }
        return text
    }

    /// Formats seconds since 1970-01-01T00:00:00Z, not negative.
    static func format(_ seconds: Int64) -> [UInt8] {
        let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let days = seconds / 86_400
        let rest = seconds % 86_400
        // Days to civil date: eras of 400 years that begin on March 1st, so that the leap day comes last.
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthIndex = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * monthIndex + 2) / 5 + 1
        let month = monthIndex < 10 ? monthIndex + 3 : monthIndex - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)

        func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let clock = "\(two(rest / 3600)):\(two(rest / 60 % 60)):\(two(rest % 60))"
        let date = "\(two(day)) \(months[Int(month - 1)]) \(year)"
        return Array("\(weekdays[Int(days % 7)]), \(date) \(clock) GMT".utf8)
    }
}
