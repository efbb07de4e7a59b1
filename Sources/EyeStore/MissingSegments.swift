// Segments that are not there. The name of a sealed one says which records it holds, so records between it and the next segment that no
// name covers are a file that is gone; a closed segment of the log says the same by its index, or by its last frame. Retention takes from the front only, and the
// newest header says how far; erasure changes no name. Where not one segment is left, the watermark says what there was. Looked for by each
// start, and by readers whenever they list the folders.

import EyeSystem
import Glibc

/// Looks for segments that are missing from a list.
struct MissingSegments {
    let disk: any Disk
    let folder: String
    /// Ascending, as `SegmentList` has them.
    let segments: [SegmentName]
    private let cache = BlockCache(bytesMax: 1 << 20)

    init(_ disk: any Disk, folder: String, segments: [SegmentName]) {
        self.disk = disk
        self.folder = folder
        self.segments = segments
    }

    /// The missing segment between two that follow each other in the list, as far as their names tell; nil: none.
    static func between(_ older: SegmentName, _ newer: SegmentName) -> SegmentName? {
        guard let last = older.last, last + 1 < newer.first else { return nil }
        return SegmentName(first: last + 1, last: newer.first - 1)
    }

    /// What is missing when there is no segment at all: a writer always leaves one, so what its watermark, `mark`, knows of was taken away.
    static func everything(of mark: Watermark?, firstKept: UInt64) -> [Corruption] {
        guard let mark, mark.nextEventID > firstKept, mark.nextSequence > 1 else { return [] }
        return [
            Corruption(SegmentName(first: 1, last: mark.nextSequence - 1), first: firstKept, next: mark.nextEventID)
        ]
    }

    /// Those that names tell of: mostly no file is opened. `number`: what a segment's header says.
    static func byName(
        in segments: [SegmentName], firstKept: UInt64, next: UInt64?,
        firstEventID: (SegmentName) throws(SystemError) -> UInt64?,
        nextEventID: (SegmentName) throws(SystemError) -> UInt64?
    ) throws(SystemError) -> [Corruption] {
        var found: [Corruption] = []
        for (index, newer) in segments.enumerated().dropFirst() {
            guard let gone = between(segments[index - 1], newer) else { continue }
            // Headers that are damaged tell nothing: then those beside them.
            var first: UInt64?
            for older in segments[..<index].reversed() where first == nil {
                first = try nextEventID(older)
                if first == nil { first = try firstEventID(older) }
            }
            var end: UInt64?
            for behind in segments[index...] where end == nil { end = try firstEventID(behind) }
            found.append(
                Corruption(
                    gone, first: max(first ?? firstKept, firstKept), next: max(end ?? next ?? firstKept, firstKept)))
        }
        return found
    }

    /// All of them, for a start: also at the front, where events before the first segment are neither there nor dropped by retention, and
    /// behind closed segments of the log, as far as their indexes tell, or their last frames. `read`: what recovery has read of the log; `next`: the
    /// event id behind everything that is there.
    func all(firstKept: UInt64, next: UInt64, read: [SegmentFindings]) throws(SystemError) -> [Corruption] {
        var found: [Corruption] = []
        if let oldest = segments.first, oldest.first > 1, let first = try firstEventID(oldest), first > firstKept {
            found.append(
                Corruption(SegmentName(first: 1, last: oldest.first - 1), first: firstKept, next: first))
        }
        found += try MissingSegments.byName(
            in: segments, firstKept: firstKept, next: next,
            firstEventID: { name throws(SystemError) in try firstEventID(name) },
            nextEventID: { name throws(SystemError) in try nextEventID(name) })
        var tailsLeft = StoreLimits.startTailsMax
        for (index, older) in segments.enumerated().dropLast().suffix(StoreLimits.startIndexesMax).reversed()
        where !older.isSealed {
            let newer = segments[index + 1]
            let end: (nextSequence: UInt64, nextEventID: UInt64)?
            if let known = read.first(where: { $0.base == older.first }) {
                end = MissingSegments.end(of: known)
            } else {
                end = try self.end(ofLog: older.first, before: newer.first, &tailsLeft)
            }
            guard let end, end.nextSequence < newer.first else { continue }
            let nextEventID = max(try firstEventID(newer) ?? end.nextEventID, end.nextEventID)
            found.append(Corruption(older, .missingBehind, first: end.nextEventID, next: nextEventID))
        }
        return found.sorted { $0.segment < $1.segment }
    }

    /// Where segment `base` of the log ends; nil: not before sequence `next`, or nothing can tell, or its end is damaged, which is a finding
    /// of its own. `tailsLeft`: so many segments without an index may still be read.
    private func end(
        ofLog base: UInt64, before next: UInt64, _ tailsLeft: inout Int
    ) throws(SystemError) -> (nextSequence: UInt64, nextEventID: UInt64)? {
        let path = folder + "/index/" + SegmentFolder.name(base, ".idx")
        if let index = try IndexFile.open(disk, path: path, base: base, cache: cache) {
            guard index.nextSequence < next, index.nextEventID > 0 else { return nil }
            do throws(IndexFault) {
                let isDamaged = try index.allGaps().contains { $0.nextEventID >= index.nextEventID }
                return isDamaged ? nil : (index.nextSequence, index.nextEventID)
            } catch {
                return nil
            }
        }
        guard tailsLeft > 0 else { return nil }
        tailsLeft -= 1
        return try lastFrame(base).map { ($0.nextSequence, $0.nextEventID) }
    }

    /// The same of a segment that was read from front to back.
    private static func end(of found: SegmentFindings) -> (nextSequence: UInt64, nextEventID: UInt64)? {
        let position = found.position
        if found.damage.contains(where: { $0.nextEventID >= position.nextEventID }) { return nil }
        return (position.nextSequence, position.nextEventID)
    }

    /// The header of the frame that segment `base` of the log ends with; nil: it ends with something else, or cannot be read.
    private func lastFrame(_ base: UInt64) throws(SystemError) -> FrameHeader? {
        let buffer = ByteBuffer(count: StoreLimits.frameBytesMax)
        var got = 0
        var salt: UInt32?
        do throws(SystemError) {
            let file = try disk.open(folder + "/" + SegmentName.log(base).file, .read)
            salt = try SegmentHeader.read(file)?.salt
            let bytes = try file.size()
            got = try unsafe file.read(
                into: buffer.bytes, at: max(bytes - Int64(StoreLimits.frameBytesMax), Int64(StoreLimits.headerBytes)))
        } catch {
            if error.errno == EMFILE || error.errno == ENFILE { throw error }
            return nil
        }
        guard let salt else { return nil }
        let smallest = StoreLimits.headerBytes + StoreLimits.trailerBytes
        // Backwards: what is inside a frame's payload does not end where the file does.
        for start in stride(from: got - smallest, through: 0, by: -1) {
            // In bounds: from `start` to the end of what was read.
            let frame = unsafe buffer.view(got).slice(start, got - start)
            guard unsafe frame[0] == FrameHeader.magicFirstByte,
                let header = unsafe FrameHeader.parse(frame, salt: salt), header.frameBytes == frame.count,
                unsafe header.matches(frame)
            else { continue }
            return header
        }
        return nil
    }

    private func firstEventID(_ name: SegmentName) throws(SystemError) -> UInt64? {
        try number { () throws(SystemError) in
            if name.isSealed { return try SealedFile.open(disk, folder: folder, name, cache: cache)?.firstEventID }
            return try SegmentHeader.read(disk.open(folder + "/" + name.file, .read))?.firstEventID
        }
    }

    private func nextEventID(_ name: SegmentName) throws(SystemError) -> UInt64? {
        guard name.isSealed else { return nil }
        return try number { () throws(SystemError) in
            try SealedFile.open(disk, folder: folder, name, cache: cache)?.nextEventID
        }
    }

    /// What a file says; nil: it cannot be read.
    private func number(_ body: () throws(SystemError) -> UInt64?) throws(SystemError) -> UInt64? {
        do throws(SystemError) {
            return try body()
        } catch {
            if error.errno == EMFILE || error.errno == ENFILE { throw error }
            return nil
        }
    }
}

extension Corruption {
    /// A segment that is missing, and the event ids from `first` to below `next` with it.
    init(_ missing: SegmentName, first: UInt64, next: UInt64) {
        self.init(missing, .missingSegment, first: first, next: max(first, next))
    }

    /// Damage of segment `name` that costs the event ids from `first` to below `next`; where in it is not known.
    init(_ name: SegmentName, _ cause: CorruptionCause, first: UInt64, next: UInt64) {
        self.init(
            segment: name.first, lastSequence: name.last, offset: 0, bytes: 0, cause: cause, firstEventID: first,
            nextEventID: next)
    }

    /// A damaged place that the index of segment `name` knows of.
    init(_ gap: IndexGap, in name: SegmentName) {
        self.init(name, gap.cause, first: gap.firstEventID, next: gap.nextEventID)
        if name.isSealed {
            part = "damage of the log that it was made from"
        } else {
            offset = gap.offset
            bytes = gap.bytes
        }
    }

    /// Whether it is a missing segment that the list of segments tells of.
    var isMissingSegment: Bool { cause == .missingSegment && lastSequence != nil }
}
