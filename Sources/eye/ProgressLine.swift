// Progress of a long piece of work on the terminal at stderr: amount, percent, speed, on one line that is drawn anew a few times a second.
// Nothing at all when stderr is no terminal. Main thread.

import EyeSystem
import Glibc

/// A line that shows how far something is.
struct ProgressLine {
    /// What is counted.
    enum Unit { case bytes, events }

    private let verb: String
    private let total: Int64
    private let unit: Unit
    private let isShown = Terminal.isTerminal(STDERR_FILENO)
    private let time = SystemTime()
    private let begun: UInt64
    private var nextDraw: UInt64

    private static let drawNanoseconds: UInt64 = 200_000_000

    /// `verb`: `verifying`.
    init(_ verb: String, totalBytes: Int64) { self.init(verb, total: totalBytes, of: .bytes) }

    /// `verb`: `exporting`.
    init(_ verb: String, total: Int64, of unit: Unit) {
        self.verb = verb
        self.unit = unit
        self.total = max(total, 1)
        begun = time.monotonicNanoseconds()
        nextDraw = begun + ProgressLine.drawNanoseconds
    }

    /// Seconds since it began.
    var seconds: Double { Double(time.monotonicNanoseconds() - begun) / 1e9 }

    /// So much is done.
    mutating func show(_ done: Int64) {
        guard isShown else { return }
        let now = time.monotonicNanoseconds()
        guard now >= nextDraw else { return }
        nextDraw = now + ProgressLine.drawNanoseconds
        let percent = min(done, total) * 100 / total
        let amounts =
            switch unit {
            case .bytes: "\(Amount.bytes(done)) of \(Amount.bytes(total)), \(percent) %, \(Amount.speed(done, seconds))"
            case .events:
                "\(done) of \(total) events, \(percent) %, \(Int64(Double(done) / max(seconds, 1e-6))) a second"
            }
        draw("\(verb): \(amounts)")
    }

    /// Takes the line away.
    func end() {
        if isShown { draw("") }
    }

    private func draw(_ text: String) {
        do throws(SystemError) {
            _ = try StandardStream.write(STDERR_FILENO, Array("\r\u{1B}[K\(text)".utf8))
        } catch {
            // A terminal that went away shows nothing.
            return
        }
    }
}

/// Amounts as people read them.
enum Amount {
    /// `4711 bytes`, `12.3 MB`.
    static func bytes(_ bytes: Int64) -> String {
        if bytes < 10_000 { return "\(bytes) bytes" }
        if bytes < 10_000_000 { return "\(tenths(Double(bytes) / 1e3)) kB" }
        if bytes < 10_000_000_000 { return "\(tenths(Double(bytes) / 1e6)) MB" }
        return "\(tenths(Double(bytes) / 1e9)) GB"
    }

    /// `812.5 MB/s`.
    static func speed(_ bytes: Int64, _ seconds: Double) -> String {
        "\(tenths(Double(bytes) / 1e6 / max(seconds, 1e-6))) MB/s"
    }

    /// One digit behind the point.
    static func tenths(_ number: Double) -> String {
        let tenths = Int64((number * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }
}
