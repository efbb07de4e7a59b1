// Lines that were sent, or will be, and are not judged yet: numbered, bounded, kept so that they can be sent again. Pure.

/// A queue of numbered lines with a mark between those that were written and those that were not.
struct SendWindow {
    /// Lines up to this number are judged and forgotten.
    private(set) var settled: UInt64
    /// The lines' bytes, each with its LF; the first `head` are forgotten already.
    private var bytes: [UInt8] = []
    private var head = 0
    /// Where each line ends in `bytes`; the first `headLine` are forgotten already.
    private var ends: [Int] = []
    private var headLine = 0
    /// Up to here was written on the present connection.
    private var written = 0

    /// Starts after line `settled`.
    init(settled: UInt64) { self.settled = settled }

    /// Lines that are not judged yet.
    var count: Int { ends.count - headLine }
    /// The number of the last line.
    var last: UInt64 { settled + UInt64(count) }
    /// No further line should be added before some are judged.
    var isFull: Bool {
        count >= ClientLimits.windowLinesMax || bytes.count - head >= ClientLimits.windowBytesMax
    }
    /// Bytes still to be written.
    var unwrittenCount: Int { bytes.count - written }

    /// Adds a line (without LF) and returns its number.
    mutating func append(_ line: some Collection<UInt8>) -> UInt64 {
        bytes.append(contentsOf: line)
        bytes.append(0x0A)
        ends.append(bytes.count)
        return last
    }

    /// Passes over a line that needs not be sent. Only while the window is empty.
    mutating func skip() {
        precondition(count == 0, "lines before this one are not judged yet")
        settled += 1
    }

    /// What was not written yet; it counts as written now.
    mutating func takeUnwritten() -> ArraySlice<UInt8> {
        defer { written = bytes.count }
        return bytes[written...]
    }

    /// Shows each line up to `number` that is not judged yet (without LF) with its number.
    func forEach(upTo number: UInt64, _ body: (UInt64, ArraySlice<UInt8>) -> Void) {
        guard number > settled else { return }
        for place in 0..<Int(min(number, last) - settled) {
            let index = headLine + place
            let start = index == 0 ? 0 : ends[index - 1]
            body(settled + UInt64(place) + 1, bytes[start..<(ends[index] - 1)])
        }
    }

    /// Lines up to `number` are judged. Numbers outside the window are cut to it. Returns how many that were.
    mutating func settle(upTo number: UInt64) -> UInt64 {
        guard number > settled else { return 0 }
        let newly = min(number, last) - settled
        headLine += Int(newly)
        head = headLine == 0 ? 0 : ends[headLine - 1]
        written = max(written, head)
        settled += newly
        compact()
        return newly
    }

    /// A new connection: everything that is not judged is to be written again.
    mutating func rewind() { written = head }

    /// Moves the rest to the front when most of the arrays is forgotten lines.
    private mutating func compact() {
        guard head > bytes.count / 2 else { return }
        let removed = head
        bytes.removeFirst(removed)
        ends.removeFirst(headLine)
        for index in ends.indices { ends[index] -= removed }
        head = 0
        headLine = 0
        written -= removed
    }
}
