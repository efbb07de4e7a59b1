// Reads a segment from front to back and tells valid frames from damage. It believes nothing it has not checked; after a bad place it
// looks for the next frame that is valid by itself. Work per `next` is bounded by `StoreLimits.scanBytes`. Used by recovery, by
// the index builder (housekeeping and readers) and by `verify`; one thread at a time.

import EyeSystem
import Glibc

/// A frame that is valid by itself, at its place.
@safe
struct ScannedFrame {
    var header: FrameHeader
    var offset: Int64
    /// Its records; valid until the scanner's next step.
    var payload: UnsafeRawBufferPointer
    /// Whether it follows the frame before it.
    var linked: Bool
    /// Its own CRC.
    var crc: UInt32
    var payloadCount: Int { header.payloadBytes }
    var end: Int64 { offset + Int64(header.frameBytes) }
    /// Where its commit began.
    var commitStart: Int64 { offset - Int64(header.commitBytes) }
}

/// What a scanner comes upon.
enum ScanStep {
    case frame(ScannedFrame)
    /// Bytes without a valid frame; the ids that may be lost are known only when the next frame or the end is.
    case bad(offset: Int64, bytes: Int64, cause: CorruptionCause)
    /// Looked at as much as one step may; nothing found yet.
    case working
    /// The limit, or the end of the file, is reached.
    case end
}

/// A scan over one segment.
@safe
final class SegmentScanner {
    let base: UInt64
    let file: any DiskFile
    /// Do not look beyond this offset; may grow between steps (the active segment under a moving watermark).
    var limit: Int64
    /// The file's header; nil: not read yet, or damaged.
    private(set) var header: SegmentHeader?
    private(set) var salt: UInt32?
    /// The next frame starts here.
    private(set) var offset: Int64 = 0
    private(set) var nextSequence: UInt64
    private(set) var nextEventID: UInt64 = 1
    private(set) var previousCRC: UInt32 = 0
    private var lastCommit: UInt64 = 0
    private var foreign = false
    /// Where bad bytes began, while a valid frame is looked for.
    private var badStart: Int64?
    private var badCause = CorruptionCause.badFrameHeader

    private var buffer: ByteBuffer?
    private var bufferOffset: Int64 = 0
    private var bufferCount = 0

    init(_ file: any DiskFile, base: UInt64, limit: Int64) {
        self.file = file
        self.base = base
        self.limit = limit
        nextSequence = base
    }

    /// Frees the read buffer; the scan can go on later.
    func rest() {
        buffer = nil
        bufferCount = 0
    }

    /// The next step.
    func next() throws(SystemError) -> ScanStep {
        if offset == 0 {
            if let step = try start() { return step }
        }
        if foreign || offset >= limit { return try finish() }
        let here = offset
        switch try frame(at: here) {
        case .valid(let found):
            return accept(found)
        case .bad(let cause):
            if badStart == nil {
                badStart = here
                badCause = cause
            }
            offset = here + 1
            return try search()
        }
    }

    /// Reads the file's header. A step only if the whole file is of no use.
    private func start() throws(SystemError) -> ScanStep? {
        let bytes = try unsafe view(at: 0, atLeast: StoreLimits.headerBytes)
        header = unsafe SegmentHeader.parse(bytes)
        if let header {
            if header.base != base || header.version != FormatVersion.current {
                foreign = true
                badStart = 0
                badCause = .foreignFile
                self.header = nil
                return nil
            }
            salt = header.salt
            previousCRC = header.crc
            nextEventID = header.firstEventID
            lastCommit = header.commit
            offset = Int64(StoreLimits.headerBytes)
            return nil
        }
        // Without the header the salt is taken from the first frame that is valid by itself.
        badStart = 0
        badCause = .badFileHeader
        offset = limit == 0 ? 0 : min(Int64(StoreLimits.headerBytes), limit)
        return nil
    }

    private func finish() throws(SystemError) -> ScanStep {
        if let start = badStart {
            badStart = nil
            let end = max(limit, start)
            offset = end
            foreign = false
            if end > start { return .bad(offset: start, bytes: end - start, cause: badCause) }
        }
        return .end
    }

    private enum Verdict {
        case valid(ScannedFrame)
        case bad(CorruptionCause)
    }

    /// The frame at `place`, checked by itself.
    private func frame(at place: Int64) throws(SystemError) -> Verdict {
        let head = try unsafe view(at: place, atLeast: StoreLimits.headerBytes)
        guard head.count >= StoreLimits.headerBytes else { return .bad(.missingBytes) }
        guard let header = unsafe FrameHeader.parse(head, salt: salt) else { return .bad(.badFrameHeader) }
        guard Int64(header.frameBytes) <= limit - place else { return .bad(.missingBytes) }
        let whole = try unsafe view(at: place, atLeast: header.frameBytes)
        guard whole.count >= header.frameBytes else { return .bad(.missingBytes) }
        let bytes = unsafe whole.slice(0, header.frameBytes)
        let payload = unsafe bytes.slice(StoreLimits.headerBytes, header.payloadBytes)
        guard unsafe header.matches(bytes), unsafe RecordView.fill(payload, header: header) else {
            return .bad(.badPayload)
        }
        // A frame from the past (or of another place) would give ids twice.
        guard header.firstSequence >= nextSequence, header.firstEventID >= nextEventID, header.commit >= lastCommit
        else { return .bad(.brokenChain) }
        let linked =
            badStart == nil && header.previousCRC == previousCRC && header.firstSequence == nextSequence
            && header.firstEventID == nextEventID
        return unsafe .valid(
            ScannedFrame(
                header: header, offset: place, payload: payload, linked: linked,
                crc: bytes.u32(header.frameBytes - StoreLimits.trailerBytes)))
    }

    private func accept(_ frame: ScannedFrame) -> ScanStep {
        if let start = badStart {
            // First the bad bytes; the frame comes with the next step (it is found again at once).
            badStart = nil
            unlinked = true
            return .bad(offset: start, bytes: frame.offset - start, cause: badCause)
        }
        var frame = frame
        if unlinked {
            frame.linked = false
            unlinked = false
        }
        salt = frame.header.salt
        offset = frame.end
        nextSequence = frame.header.nextSequence
        nextEventID = frame.header.nextEventID
        lastCommit = frame.header.commit
        previousCRC = frame.crc
        return .frame(frame)
    }
    private var unlinked = false

    /// Looks for the next place that could be a frame.
    private func search() throws(SystemError) -> ScanStep {
        let bytes = try unsafe view(at: offset, atLeast: StoreLimits.headerBytes)
        let count = Int(min(Int64(bytes.count), limit - offset))
        if count < StoreLimits.headerBytes {
            offset = limit
            return try finish()
        }
        var from = 0
        let last = count - StoreLimits.headerBytes
        while from <= last {
            // In bounds: looks at no more than the rest of the view.
            let start = unsafe bytes.baseAddress.unsafelyUnwrapped
            guard let found = unsafe memchr(start + from, Int32(FrameHeader.magicFirstByte), last - from + 1) else {
                break
            }
            from = unsafe start.distance(to: UnsafeRawPointer(found))
            if unsafe FrameHeader.parse(bytes.slice(from, count - from), salt: salt) != nil {
                offset += Int64(from)
                return .working
            }
            from += 1
        }
        offset += Int64(max(count - StoreLimits.headerBytes + 1, 1))
        return .working
    }

    /// The bytes from `place` on, at least `count` of them unless the file (or the limit) ends before.
    private func view(at place: Int64, atLeast count: Int) throws(SystemError) -> UnsafeRawBufferPointer {
        let buffer = self.buffer ?? ByteBuffer(count: StoreLimits.scanBytes)
        self.buffer = buffer
        let inside = place >= bufferOffset && place <= bufferOffset + Int64(bufferCount)
        if !inside || bufferOffset + Int64(bufferCount) - place < Int64(count) {
            let wanted = Int(min(Int64(StoreLimits.scanBytes), max(limit - place, 0)))
            bufferCount = 0
            bufferOffset = place
            // In bounds: `wanted` is at most the buffer's size.
            bufferCount = try unsafe file.read(
                into: UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[0..<wanted]), at: place)
        }
        let skip = Int(place - bufferOffset)
        return unsafe buffer.view(bufferCount).slice(skip, bufferCount - skip)
    }
}
