// Timestamps: RFC 3339 with any offset, and the same without a zone (UTC) or with a space for the T. Kept as
// microseconds since 1970 UTC; nothing finer is taken, so that what is stored is what was sent. Proleptic Gregorian
// calendar, years 0000 to 9999. Called by the scanner for every event: the two usual shapes take the straight path.

/// Reading and writing of timestamps.
public enum Timestamp {
    /// 0000-01-01T00:00:00Z, the earliest timestamp, in microseconds since 1970.
    public static let earliest: Int64 = -62_167_219_200_000_000
    /// 9999-12-31T23:59:59.999999Z, the latest timestamp, in microseconds since 1970.
    public static let latest: Int64 = 253_402_300_799_999_999

    /// Microseconds since 1970 UTC; nil if `text` is no timestamp as protocol.md has it.
    public static func parse(_ text: Span<UInt8>) -> Int64? {
        unsafe text.withUnsafeBytes { bytes in unsafe parse(bytes) }
    }

    /// Microseconds since 1970 UTC; nil if `text` is no timestamp as protocol.md has it.
    public static func parse(_ text: UnsafeRawBufferPointer) -> Int64? {
        if let base = text.baseAddress, text.count == 26 || (unsafe text.count == 27 && text[26] == UInt8(ascii: "Z")),
            // In bounds: 26 bytes are there.
            let value = unsafe plain(at: base)
        {
            return value
        }
        var reader = unsafe TimestampReader(text: text)
        return reader.read()
    }

    /// Reads `YYYY-MM-DDThh:mm:ss.uuuuuu` (26 bytes, T or space) at `text`; nil for anything that wants a closer look.
    static func plain(at text: UnsafeRawPointer) -> Int64? {
        var day = TimestampDay()
        // In bounds: the caller owns 26 bytes.
        return unsafe plain(at: text, &day)
    }

    /// As ``plain(at:)``; most timestamps are of the same day as the one before, which `day` remembers.
    @inline(__always)
    static func plain(at text: UnsafeRawPointer, _ day: inout TimestampDay) -> Int64? {
        // In bounds: the caller owns 26 bytes from `text`; the last load is bytes 18..<26.
        let yearAndMonth = unsafe UInt64(littleEndian: text.loadUnaligned(as: UInt64.self))
        let dayOfMonth = unsafe UInt16(littleEndian: text.loadUnaligned(fromByteOffset: 8, as: UInt16.self))
        if yearAndMonth != day.yearAndMonth || dayOfMonth != day.dayOfMonth {
            guard day.read(yearAndMonth, dayOfMonth) else { return nil }
        }
        let separator = unsafe text.load(fromByteOffset: 10, as: UInt8.self)
        let word1 = unsafe UInt64(littleEndian: text.loadUnaligned(fromByteOffset: 11, as: UInt64.self))
        let word2 = unsafe UInt64(littleEndian: text.loadUnaligned(fromByteOffset: 18, as: UInt64.self))
        // Digits become 0...9 and punctuation 0; adding 0x76 to a digit (0x7F to punctuation) sets the high bit of
        // every byte that is more.
        let digits1 = word1 ^ 0x3030_3A30_303A_3030  // 00:00:00
        let digits2 = (word2 & ~0xFF) ^ 0x3030_3030_3030_2E00  // .000000 after the last digit of word 1
        let strange =
            (digits1 &+ 0x7676_7F76_767F_7676) | digits1 | (digits2 &+ 0x7676_7676_7676_7F00) | digits2
        guard strange & 0x8080_8080_8080_8080 == 0, separator == 0x54 || separator == 0x20 else { return nil }
        // Ten times each digit plus the next one: pairs of digits, where they begin.
        let pairs1 = digits1 &* 10 &+ (digits1 >> 8)
        let pairs2 = digits2 &* 10 &+ (digits2 >> 8)
        let hour = Int64(pairs1 & 0xFF)
        let minute = Int64(pairs1 >> 24 & 0xFF)
        let second = Int64(pairs1 >> 48 & 0xFF)
        // A leap second wants a closer look, which is the slow path's.
        guard hour < 24, minute < 60, second < 60 else { return nil }
        let fraction =
            (Int64(pairs2 >> 16 & 0xFF) &* 100 &+ Int64(pairs2 >> 32 & 0xFF)) &* 100 &+ Int64(pairs2 >> 48 & 0xFF)
        return day.start &+ ((hour &* 60 &+ minute) &* 60 &+ second) &* 1_000_000 &+ fraction
    }

    /// Days from 1970-01-01 to a date of the proleptic Gregorian calendar; year 0...9999, month 1...12.
    @inline(__always)
    static func daysSince1970(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        // Years that begin in March, so that the leap day is their last; 400 years added keep everything positive.
        let early = month < 3
        let y = UInt64(bitPattern: year &+ (early ? 399 : 400))
        let m = UInt64(bitPattern: month &+ (early ? 9 : -3))
        let days = y &* 365 &+ y / 4 &- y / 100 &+ y / 400 &+ (m &* 153 &+ 2) / 5
        return Int64(bitPattern: days) &+ day &- 1 &- 719_468 &- 146_097
    }

    /// Days of a month.
    static func days(inMonth month: Int64, of year: Int64) -> Int64 {
        if month == 2 { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28 }
        return 30 + ((month + (month >> 3)) & 1)
    }

    /// Year, month and day of a day counted from 1970-01-01.
    static func date(ofDay day: Int64) -> (year: Int64, month: Int64, day: Int64) {
        // Hinnant's civil_from_days, for years 0 to 9999: eras of 400 years that begin in March.
        let shifted = day + 719_468 + 146_097
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let m = (5 * dayOfYear + 2) / 153
        let month = m < 10 ? m + 3 : m - 9
        let year = yearOfEra + era * 400 - 400 + (month < 3 ? 1 : 0)
        return (year, month, dayOfYear - (153 * m + 2) / 5 + 1)
    }

    /// Appends `2021-01-01T09:15:27.243860Z`: 27 bytes, always six digits of the second. Values outside the years 0000
    /// to 9999 are drawn to their edge.
    public static func append(_ microseconds: Int64, to out: inout [UInt8]) {
        let value = min(max(microseconds, earliest), latest)
        var day = value / 86_400_000_000
        var rest = value % 86_400_000_000
        if rest < 0 {
            day -= 1
            rest += 86_400_000_000
        }
        let date = date(ofDay: day)
        let (year, month) = (UInt64(bitPattern: date.year), UInt64(bitPattern: date.month))
        let (seconds, micros) = (UInt64(bitPattern: rest / 1_000_000), UInt64(bitPattern: rest % 1_000_000))
        // Eight characters each, the first one lowest; appended at once.
        let words = (
            (pair(year / 100) | pair(year % 100) << 16 | pair(month) << 40 | 0x2D00_002D_0000_0000).littleEndian,
            (pair(UInt64(bitPattern: date.day)) | pair(seconds / 3600) << 24 | pair(seconds / 60 % 60) << 48
                | 0x0000_3A00_0054_0000).littleEndian,
            (pair(seconds % 60) << 8 | pair(micros / 10_000) << 32 | pair(micros / 100 % 100) << 48
                | 0x0000_0000_2E00_003A).littleEndian,
            (pair(micros % 100) | 0x5A_0000).littleEndian
        )
        // In bounds: 27 bytes of the tuple's 32.
        unsafe withUnsafeBytes(of: words) { bytes in
            unsafe out.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[0..<27]))
        }
    }

    /// The two digits of a number below 100, the first one lowest.
    @inline(__always)
    private static func pair(_ number: UInt64) -> UInt64 { 0x3030 &+ (number / 10 | (number % 10) << 8) }
}

/// The day of a timestamp, remembered for the next one: text and value. A text that is equal is believed unread, and a peer can send any bytes:
/// so the two belong together from the start, when it is the first day of 1970.
struct TimestampDay: Sendable {
    /// `YYYY-MM-`, the first character lowest.
    fileprivate var yearAndMonth: UInt64 = 0x2D31_302D_3037_3931  // 1970-01-
    /// `DD`
    fileprivate var dayOfMonth: UInt16 = 0x3130  // 01
    /// Its first microsecond, from 1970 UTC on.
    fileprivate var start: Int64 = 0

    /// Becomes another day; false, and as it was, for what is none or wants a closer look.
    @inline(never)
    fileprivate mutating func read(_ yearAndMonth: UInt64, _ dayOfMonth: UInt16) -> Bool {
        let digits0 = yearAndMonth ^ 0x2D30_302D_3030_3030  // 0000-00-
        let digits1 = dayOfMonth ^ 0x3030
        let strange = (digits0 &+ 0x7F76_767F_7676_7676) | digits0 | UInt64((digits1 &+ 0x7676) | digits1)
        guard strange & 0x8080_8080_8080_8080 == 0 else { return false }
        let pairs = digits0 &* 10 &+ (digits0 >> 8)
        let year = Int64(pairs & 0xFF) &* 100 &+ Int64(pairs >> 16 & 0xFF)
        let month = Int64(pairs >> 40 & 0xFF)
        let day = Int64(digits1 & 0xFF) &* 10 &+ Int64(digits1 >> 8)
        // The last days of a month want a closer look.
        guard month >= 1, month <= 12, day >= 1, day <= 28 || day <= 30 && month != 2 else { return false }
        self.yearAndMonth = yearAndMonth
        self.dayOfMonth = dayOfMonth
        start = Timestamp.daysSince1970(year, month, day) &* 86_400_000_000
        return true
    }
}

/// The careful way through a timestamp, one character after the other.
@safe
private struct TimestampReader {
    let text: UnsafeRawBufferPointer
    let count: Int
    var offset = 0

    init(text: UnsafeRawBufferPointer) {
        unsafe self.text = text
        count = text.count
    }

    /// The byte at `offset`, 0 at the end (which no rule accepts).
    private var byte: UInt8 {
        // In bounds: compared with the count right here.
        offset < count ? unsafe text[offset] : 0
    }

    private mutating func skip(_ character: UInt8) -> Bool {
        guard byte == character else { return false }
        offset += 1
        return true
    }

    private mutating func number(digits: Int) -> Int64? {
        var value: Int64 = 0
        for _ in 0..<digits {
            guard byte >= 0x30, byte <= 0x39 else { return nil }
            value = value * 10 + Int64(byte - 0x30)
            offset += 1
        }
        return value
    }

    /// The fraction's microseconds; nil if it has no digit, or one below the microsecond that is not 0.
    private mutating func fraction() -> Int64? {
        var value: Int64 = 0
        var count = 0
        while byte >= 0x30, byte <= 0x39 {
            if count < 6 { value = value * 10 + Int64(byte - 0x30) } else if byte != 0x30 { return nil }
            count += 1
            offset += 1
        }
        guard count > 0 else { return nil }
        while count < 6 {
            value *= 10
            count += 1
        }
        return value
    }

    /// The offset from UTC in seconds: Z, +hh:mm, -hh:mm, or nothing (UTC).
    private mutating func zone() -> Int64? {
        if offset == count || skip(UInt8(ascii: "Z")) || skip(UInt8(ascii: "z")) { return 0 }
        let isWest = byte == UInt8(ascii: "-")
        guard isWest || byte == UInt8(ascii: "+") else { return nil }
        offset += 1
        guard let hours = number(digits: 2), skip(UInt8(ascii: ":")), let minutes = number(digits: 2),
            hours < 24, minutes < 60
        else { return nil }
        return (hours * 60 + minutes) * (isWest ? -60 : 60)
    }

    mutating func read() -> Int64? {
        guard count <= WireLimits.timestampBytesMax,
            let year = number(digits: 4), skip(UInt8(ascii: "-")),
            let month = number(digits: 2), month >= 1, month <= 12, skip(UInt8(ascii: "-")),
            let day = number(digits: 2), day >= 1, day <= Timestamp.days(inMonth: month, of: year),
            skip(UInt8(ascii: "T")) || skip(UInt8(ascii: "t")) || skip(UInt8(ascii: " ")),
            let hour = number(digits: 2), hour < 24, skip(UInt8(ascii: ":")),
            let minute = number(digits: 2), minute < 60, skip(UInt8(ascii: ":")),
            let second = number(digits: 2), second <= 60
        else { return nil }
        var micros: Int64 = 0
        if skip(UInt8(ascii: ".")) {
            guard let fraction = fraction() else { return nil }
            micros = fraction
        }
        guard let zone = zone(), offset == count else { return nil }
        let days = Timestamp.daysSince1970(year, month, day)
        let seconds = days * 86_400 + (hour * 60 + minute) * 60 + second - zone
        // RFC 3339 section 5.7: a leap second stands at the end of a month, UTC. It is kept as the second after it.
        if second == 60 {
            guard seconds % 86_400 == 0, Timestamp.date(ofDay: seconds / 86_400).day == 1 else { return nil }
        }
        let value = seconds * 1_000_000 + micros
        guard value >= Timestamp.earliest, value <= Timestamp.latest else { return nil }
        return value
    }
}
