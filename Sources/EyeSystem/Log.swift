// The operator's log: one line an entry on stderr, as text or as JSON, written with one write(2) each. For things that an
// operator can act on; never a line per bad input.

import Glibc
import Synchronization

/// A log that every thread may write to.
public final class Log: Sendable {
    public enum Format: String, Sendable, CaseIterable { case text, json }
    public enum Level: String, Sendable { case info, warning, error }

    private let isJSON: Atomic<Bool>
    private let descriptor: Int32
    private let time: any TimeSource
    /// Lines that nobody took since the last one that somebody did; behind it one thread writes at a time.
    private let missed = Mutex(0)

    public init(format: Format, time: any TimeSource, descriptor: Int32 = STDERR_FILENO) {
        isJSON = Atomic(format == .json)
        self.time = time
        self.descriptor = descriptor
    }

    /// Lines from now on look like this. Any thread.
    public func use(_ format: Format) { isJSON.store(format == .json, ordering: .relaxed) }

    public func info(_ message: String, _ fields: KeyValuePairs<String, String> = [:]) { write(.info, message, fields) }
    public func warning(_ message: String, _ fields: KeyValuePairs<String, String> = [:]) {
        write(.warning, message, fields)
    }
    public func error(_ message: String, _ fields: KeyValuePairs<String, String> = [:]) {
        write(.error, message, fields)
    }

    private func write(_ level: Level, _ message: String, _ fields: KeyValuePairs<String, String>) {
        var line: [UInt8] = []
        let stamp = Log.stamp(time.nowMicroseconds())
        switch isJSON.load(ordering: .relaxed) {
        case false:
            line += Array("\(stamp) \(level.rawValue) ".utf8)
            Log.appendVisible(message, to: &line)
            for (key, value) in fields {
                line += Array(" \(key)=".utf8)
                let bare =
                    !value.isEmpty && value.utf8.allSatisfy { $0 > 0x20 && $0 != 0x22 && $0 != 0x3D && $0 < 0x7F }
                if bare {
                    line += Array(value.utf8)
                } else {
                    Log.appendQuoted(value, to: &line)
                }
            }
        case true:
            line += Array("{\"time\":\"\(stamp)\",\"level\":\"\(level.rawValue)\",\"message\":".utf8)
            Log.appendQuoted(message, to: &line)
            for (key, value) in fields {
                line.append(UInt8(ascii: ","))
                Log.appendQuoted(key, to: &line)
                line.append(UInt8(ascii: ":"))
                Log.appendQuoted(value, to: &line)
            }
            line.append(UInt8(ascii: "}"))
        }
        line.append(UInt8(ascii: "\n"))
        put(line)
    }

    /// A log that cannot be written must not stop the service: a pipe or a terminal that nobody reads is not waited for, and the result is
    /// looked at by nobody. A ready pipe takes PIPE_BUF bytes (pipe(7)); few lines are longer.
    private func put(_ line: [UInt8]) {
        missed.withLock { missed in
            var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            guard unsafe poll(&ready, 1, 0) != 0 else {
                missed += 1
                return
            }
            var text = line
            if missed > 0 {
                let count = missed
                missed = 0
                text = Array("(\(count) log lines before this one were lost: nobody read them)\n".utf8) + line
            }
            unsafe _ = text.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
        }
    }

    /// UTC with milliseconds by gmtime_r(3): `2026-11-23T21:09:41.123Z`.
    private static func stamp(_ microseconds: Int64) -> String {
        var seconds = time_t(microseconds / 1_000_000)
        var parts = unsafe tm()
        unsafe gmtime_r(&seconds, &parts)
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let milliseconds = Int(microseconds / 1000 % 1000)
        let fraction = String(String(milliseconds + 1000).dropFirst())
        return unsafe "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
            + "T\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)).\(fraction)Z"
    }

    /// Whether a terminal could take `scalar` for an order, or show it as something else: C0, DEL, C1, and the
    /// bidirectional controls of Unicode (UAX #9).
    public static func isUnsafeToShow(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F..<0xA0, 0x061C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069, 0xFEFF: true
        default: false
        }
    }

    /// Appends `text` with everything unsafe to show as `\u{…}`.
    public static func appendVisible(_ text: String, to out: inout [UInt8]) {
        for scalar in text.unicodeScalars {
            if isUnsafeToShow(scalar) {
                out += Array("\\u{\(String(scalar.value, radix: 16))}".utf8)
            } else {
                out += Array(UTF8.encode(scalar)!)
            }
        }
    }

    /// Appends `text` as a JSON string, everything unsafe to show escaped.
    private static func appendQuoted(_ text: String, to out: inout [UInt8]) {
        out.append(UInt8(ascii: "\""))
        for scalar in text.unicodeScalars {
            if scalar == "\"" || scalar == "\\" {
                out.append(UInt8(ascii: "\\"))
                out.append(UInt8(scalar.value))
            } else if isUnsafeToShow(scalar) {
                let digits = String(scalar.value, radix: 16)
                out += Array("\\u".utf8) + Array(repeating: UInt8(ascii: "0"), count: 4 - digits.utf8.count)
                out += Array(digits.utf8)
            } else {
                out += Array(UTF8.encode(scalar)!)
            }
        }
        out.append(UInt8(ascii: "\""))
    }
}
