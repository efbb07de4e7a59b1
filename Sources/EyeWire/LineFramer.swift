// Where lines end. Knows nothing of sockets: it is shown a window of bytes that grows at its end, and tells the lines in
// it. Whatever way the bytes arrive in, the lines are the same. One framer a connection, used by its loop's thread only.
//
// The window: the caller keeps unread bytes in a buffer of `WireLimits.lineWindowBytesMin` bytes or more, calls
// `next(in:)` until it is nil, then `release()`, moves the bytes beyond that count to the front, reads more behind them.

import Glibc

/// Finds the lines of a stream.
public struct LineFramer: Sendable {
    /// What was found. Offsets count from the start of the window.
    public enum Piece: Equatable, Sendable {
        /// A line without its LF or CR LF; perhaps empty.
        case line(Range<Int>)
        /// A line over the limit: its first ``WireLimits/lineBytesMax`` bytes. Told once a line; the rest of it is
        /// skipped.
        case tooLong(Range<Int>)
    }

    /// Where the line being looked for begins, from the start of the window.
    public private(set) var start = 0
    /// Up to here there is no LF after `start`.
    private var searched = 0
    /// The rest of an over-long line is being thrown away.
    public private(set) var isSkipping = false

    public init() {}

    /// The next line in `window`, nil when more bytes are needed. `window` begins where it did at the last call, or, after
    /// ``release()``, that many bytes later.
    public mutating func next(in window: UnsafeRawBufferPointer) -> Piece? {
        let count = window.count
        precondition(searched <= count)
        // Straight: a line of legal length. (Nothing here overflows: all of it is within the window.)
        if !isSkipping, let base = window.baseAddress,
            // In bounds: `searched` is at most the count, and exactly the rest is searched.
            let found = unsafe memchr(base + searched, 0x0A, count &- searched)
        {
            let first = start
            let feed = unsafe UnsafeRawPointer(found) - base
            start = feed &+ 1
            searched = start
            var end = feed
            // In bounds: the byte before the LF is not before `first`.
            if feed > first, unsafe base.load(fromByteOffset: feed &- 1, as: UInt8.self) == 0x0D { end = feed &- 1 }
            if end &- first <= WireLimits.lineBytesMax { return .line(first..<end) }
            return .tooLong(first..<first + WireLimits.lineBytesMax)
        }
        return unsafe nextUnusual(in: window)
    }

    /// As ``next(in:)`` while a line is skipped, or where no LF is in sight.
    @inline(never)
    private mutating func nextUnusual(in window: UnsafeRawBufferPointer) -> Piece? {
        while true {
            guard let end = unsafe lineFeed(in: window) else {
                searched = window.count
                if isSkipping { start = searched }
                let count = window.count - start
                let limit = WireLimits.lineBytesMax
                // One byte over may yet be the CR of a terminator. In bounds: `count` bytes are there from `start` on.
                guard count > limit, unsafe count > limit + 1 || window[start + limit] != 0x0D else { return nil }
                let head = start..<start + limit
                isSkipping = true
                start = searched
                return .tooLong(head)
            }
            let first = start
            start = end + 1
            searched = start
            if isSkipping {
                isSkipping = false
                continue
            }
            return unsafe piece(first, end, window)
        }
    }

    /// Says that the line that begins at ``start`` ends before `end`, its LF included: the caller has found that out by
    /// reading it (``EventScanner/scanLine(_:from:latest:into:)``). No line is being skipped.
    public mutating func take(upTo end: Int) {
        precondition(!isSkipping && end > start)
        start = end
        searched = end
    }

    /// The last line, when no more bytes will come and it has no LF; nil if there is none. Call after ``next(in:)`` has
    /// returned nil.
    public mutating func finish(in window: UnsafeRawBufferPointer) -> Piece? {
        let first = start
        start = window.count
        searched = start
        if isSkipping || first == window.count { return nil }
        return unsafe piece(first, window.count, window)
    }

    /// How many bytes at the front of the window are done with. The caller removes them; offsets count anew from there.
    public mutating func release() -> Int {
        let done = start
        searched -= start
        start = 0
        return done
    }

    private func lineFeed(in window: UnsafeRawBufferPointer) -> Int? {
        guard searched < window.count, let base = window.baseAddress else { return nil }
        // In bounds: `searched` is less than the count, and exactly the rest is searched.
        guard let found = unsafe memchr(base + searched, 0x0A, window.count - searched) else { return nil }
        return unsafe UnsafeRawPointer(found) - base
    }

    /// The line `first..<end`, less a CR at its end.
    private func piece(_ first: Int, _ end: Int, _ window: UnsafeRawBufferPointer) -> Piece {
        // In bounds: `end - 1` is not before `first`, and `end` at most the count.
        let last = unsafe end > first && window[end - 1] == 0x0D ? end - 1 : end
        if last - first > WireLimits.lineBytesMax { return .tooLong(first..<first + WireLimits.lineBytesMax) }
        return .line(first..<last)
    }
}
