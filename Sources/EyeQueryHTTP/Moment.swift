// Moments as parameters name them: as in events, or so long ago. Pure.

import EyeWire

/// Reads moments, µs since 1970 UTC.
enum Moment {
    /// The moment that a value names: RFC 3339 as in events, or, where `now` is given, `90s`, `15m`, `1h`, `7d` or `2w` ago. Nil: what is
    /// wrong is in the problem.
    static func read(_ parameter: QueryParameters.Parameter, now: Int64?, _ problem: inout Problem) -> Int64? {
        var text = parameter.value
        if let now, let ago = microseconds(text) {
            let (moment, isTooEarly) = now.subtractingReportingOverflow(ago)
            // Before the first timestamp there is nothing either.
            return isTooEarly ? Timestamp.earliest : max(moment, Timestamp.earliest)
        }
        // `…T12:30:06+02:00` whose + was not percent-encoded arrives with a space.
        let zoneBytes = 6
        if text.count > zoneBytes, text[text.count - zoneBytes] == .space, text[text.count - 3] == .colon,
            text.suffix(5).enumerated().allSatisfy({ $0.offset == 2 || ByteClass.isDigit($0.element) }),
            text.dropLast(zoneBytes).contains(.colon)
        {
            text[text.count - zoneBytes] = UInt8(ascii: "+")
        }
        if let moment = Timestamp.parse(text.span) { return moment }
        let formats =
            "YYYY-MM-DDThh:mm:ss[.uuuuuu][+HH:MM|-HH:MM|Z]\(now == nil ? "" : ", or 90s, 15m, 1h, 7d, 2w ago")"
        problem.add(
            parameter.name, "Datetime has wrong format. Use one of these formats instead: \(formats).")
        return nil
    }

    /// The span that `90s`, `15m`, `1h`, `7d` or `2w` is; the longest there is when it is longer. Nil: it is none.
    static func microseconds(_ text: [UInt8]) -> Int64? {
        let digitsMax = 9
        guard let unit = text.last, text.count > 1, text.count <= digitsMax + 1,
            text.dropLast().allSatisfy(ByteClass.isDigit)
        else { return nil }
        let seconds: Int64
        switch unit {
        case UInt8(ascii: "s"): seconds = 1
        case UInt8(ascii: "m"): seconds = 60
        case UInt8(ascii: "h"): seconds = 3600
        case UInt8(ascii: "d"): seconds = 86_400
        case UInt8(ascii: "w"): seconds = 7 * 86_400
        default: return nil
        }
        let count = text.dropLast().reduce(Int64(0)) { $0 * 10 + Int64($1 - 0x30) }
        let (span, isTooLong) = (count * seconds).multipliedReportingOverflow(by: 1_000_000)
        return isTooLong ? Int64.max : span
    }
}
