// Samples of refused lines that name an erased session are emptied: code and time stay, message, source and line go. A segment with such a
// sample is written anew beside the old one, synced, and takes its name; the active one is closed first. Copies of torn tails, and what a start has set aside, go whole.
// Used by the housekeeping thread, which writes `rejected/`.

import EyeSystem
import Glibc

/// What names a session in a sample: its sixteen bytes, or its text in either case, also with characters written as JSON's \uXXXX.
public struct SessionNeedle: Sendable {
    private let bytes: [UInt8]
    private let text: [UInt8]

    public init(_ session: ID128) {
        var bytes: [UInt8] = []
        bytes.appendID(session)
        self.bytes = bytes
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for (index, byte) in bytes.enumerated() {
            if [4, 6, 8, 10].contains(index) { text.append(UInt8(ascii: "-")) }
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        self.text = text
    }

    /// Whether it stands anywhere in `haystack`.
    public func isIn(_ haystack: [UInt8]) -> Bool {
        SessionNeedle.find(bytes, haystack) { haystack, place in
            defer { place += 1 }
            return haystack[place]
        } || SessionNeedle.find(text, haystack, SessionNeedle.character)
    }

    /// Whether a sample names the session.
    public func isIn(_ sample: RejectedSample) -> Bool {
        isIn(sample.line) || isIn(sample.message) || isIn(sample.source)
    }

    /// `next` reads what stands at a place below the end, and moves on.
    private static func find(_ needle: [UInt8], _ haystack: [UInt8], _ next: ([UInt8], inout Int) -> UInt8) -> Bool {
        guard haystack.count >= needle.count else { return false }
        for start in 0...(haystack.count - needle.count) {
            var place = start
            var length = 0
            while length < needle.count, place < haystack.count, next(haystack, &place) == needle[length] {
                length += 1
            }
            if length == needle.count { return true }
        }
        return false
    }

    /// A character in lower case, its escape resolved. That a backslash may be escaped itself is not looked at: rather too much is found.
    private static func character(_ haystack: [UInt8], _ place: inout Int) -> UInt8 {
        func folded(_ byte: UInt8) -> UInt8 { byte | (byte >= 0x41 ? 0x20 : 0) }
        let byte = haystack[place]
        let opening = Array("\\u00".utf8)
        guard byte == opening[0], haystack.count - place >= 6, haystack[place..<(place + 4)].elementsEqual(opening),
            let code = UInt8(String(decoding: haystack[(place + 4)..<(place + 6)], as: UTF8.self), radix: 16)
        else {
            place += 1
            return folded(byte)
        }
        place += 6
        return folded(code)
    }
}

extension RejectedSample {
    /// What is left of it: that there was a refusal, when, and why.
    func emptied() -> RejectedSample {
        var sample = self
        sample.message = Array("erased".utf8)
        sample.source = []
        sample.line = []
        return sample
    }
}

extension RejectedLog {
    /// Empties every sample that names the session; returns how many. Nil: there is no room to write a segment anew. What cannot be read
    /// cannot be emptied: such a segment goes as a whole.
    public func erase(_ session: SessionNeedle) throws(SystemError) -> Int? {
        var erased = 0
        for name in try disk.list(folder + "/log") where name.hasSuffix(".torn") || name.hasSuffix(".bad") {
            try disk.removeIfPresent(folder + "/log/" + name)
        }
        let bases = segments.map(\.base) + [log.active.base]
        for (index, base) in bases.enumerated() {
            let limit = index == bases.count - 1 ? log.active.bytes : nil
            let found = try readable(base, limit: limit, session)
            guard found.map({ $0.hits > 0 }) ?? true else { continue }
            if base == log.active.base {
                let before = log.active
                let isClosed = try log.closeSegment()
                if log.active.base != before.base { segments.append((before.base, before.bytes)) }
                guard isClosed else { return nil }
            }
            guard let found else {
                try drop(base)
                continue
            }
            do throws(SystemError) {
                let written = try found.segment.make(
                    disk, folder: folder, clients: ClientTable(), tail: found.frames)
                for place in segments.indices where segments[place].base == base {
                    segments[place].bytes = written.bytes
                }
            } catch {
                guard error.isFull && !error.isSync else { throw error }
                try NewSegment.removeLeftover(disk, folder: folder, base: base)
                return nil
            }
            erased += found.hits
        }
        return erased
    }

    /// `emptied`; nil: the segment cannot be read.
    private func readable(_ base: UInt64, limit: Int64?, _ session: SessionNeedle) throws(SystemError) -> Emptied? {
        do throws(SystemError) {
            return try emptied(base, limit: limit, session)
        } catch {
            if error.isOutOfDescriptors { throw error }
            return nil
        }
    }

    private func drop(_ base: UInt64) throws(SystemError) {
        try disk.removeIfPresent(folder + "/log/" + SegmentFolder.name(base, ".log"))
        try disk.synchronizeDirectory(folder + "/log")
        segments.removeAll { $0.base == base }
    }

    private struct Emptied {
        var segment: NewSegment
        var frames: [(header: FrameHeader, payload: [UInt8])] = []
        var hits = 0
    }

    /// A segment's frames with the samples that name the session emptied. What is damaged is left out.
    private func emptied(
        _ base: UInt64, limit: Int64?, _ session: SessionNeedle
    ) throws(SystemError) -> Emptied {
        let file = try disk.open(folder + "/log/" + SegmentFolder.name(base, ".log"), .read)
        let bytes = try file.size()
        let scanner = SegmentScanner(file, base: base, limit: limit ?? bytes)
        var found = Emptied(
            segment: NewSegment(
                base: base, position: LogPosition(nextSequence: base), salt: UInt32(truncatingIfNeeded: log.nextSalt()),
                created: log.time.nowMicroseconds(), tombstonesBefore: 0))
        while true {
            switch try scanner.next() {
            case .end:
                if let header = scanner.header {
                    found.segment.created = header.created
                    found.segment.position = LogPosition(
                        nextSequence: base, nextEventID: header.firstEventID, commit: header.commit)
                }
                return found
            case .bad, .working: continue
            case .frame(let frame):
                guard frame.header.kind == FrameKind.records else { continue }
                let copy = RejectedLog.emptied(frame, session)
                found.hits += copy.hits
                var header = frame.header
                header.payloadBytes = copy.payload.count
                found.frames.append((header, copy.payload))
            }
        }
    }

    private static func emptied(_ frame: ScannedFrame, _ session: SessionNeedle) -> (payload: [UInt8], hits: Int) {
        let payload = unsafe frame.payload
        let copy = Frame()
        var hits = 0
        var isEmptied = false
        var offset = 0
        while offset < frame.payloadCount, let record = unsafe RecordView.at(offset, of: payload) {
            offset += record.byteCount
            guard record.kind == RecordKind.rejected else { continue }
            var sample = RejectedSample(record, id: 0)
            if session.isIn(sample) {
                sample = sample.emptied()
                hits += 1
                isEmptied = true
            }
            // An emptied sample is no longer than before, but for a very short one, which no session fits into.
            let fits = copy.appendRejected(sample)
            precondition(fits, "samples of one frame fit into one frame")
        }
        return isEmptied ? unsafe (Array(copy.payload), hits) : unsafe (Array(payload), 0)
    }
}

extension RejectedReader {
    /// How many samples name the session.
    public func count(_ session: SessionNeedle) throws(SystemError) -> Int {
        var count = 0
        try list { sample in
            if session.isIn(sample) { count += 1 }
            return true
        }
        return count
    }
}
