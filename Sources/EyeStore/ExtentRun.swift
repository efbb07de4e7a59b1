// The frames of one extent in memory, and the wanted events in them: read once, every frame that holds a wanted event checked, a
// damaged one stepped over and reported. Used by cursors, on the reader's thread.

import EyeSystem
import Glibc

/// Events that a cursor is about to show.
struct ExtentRun {
    private struct Place {
        var id: UInt64
        var offset: Int
    }

    private var buffer: ByteBuffer?
    private var bytes = 0
    private var places: [Place] = []
    private var taken = 0
    // What is in the buffer, so that the next run in the same extent does not read it again.
    private var base: UInt64 = 0
    private var loaded: (offset: Int64, bytes: Int)?

    /// Forgets what is left.
    mutating func drop() {
        places.removeAll(keepingCapacity: true)
        taken = 0
        loaded = nil
    }

    /// The next event, in order.
    @inline(__always)
    mutating func next(newestFirst: Bool) -> (id: UInt64, record: RecordView)? {
        guard taken < places.count, let buffer else { return nil }
        let place = newestFirst ? places[places.count - 1 - taken] : places[taken]
        taken += 1
        // Its lengths were checked when it was found.
        guard let record = unsafe RecordView.at(place.offset, of: buffer.view(bytes)) else { return nil }
        return (place.id, record)
    }

    /// Reads `extent` and finds the events of `rows` (ascending) in it.
    mutating func read(
        _ extent: IndexExtent, rows: ArraySlice<UInt32>, file: any DiskFile, base: UInt64, salt: UInt32,
        lost: (Corruption) -> Void
    ) throws(IndexFault) {
        places.removeAll(keepingCapacity: true)
        taken = 0
        let buffer = self.buffer ?? ByteBuffer(count: StoreLimits.extentBytesMax)
        self.buffer = buffer
        guard extent.bytes <= buffer.capacity else { throw .damaged }
        if self.base != base || loaded.map({ $0.offset != extent.offset || $0.bytes != extent.bytes }) ?? true {
            bytes = 0
            do throws(SystemError) {
                // In bounds: compared with the buffer's size above.
                bytes = try unsafe file.read(
                    into: UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[0..<extent.bytes]), at: extent.offset)
            } catch {
                loaded = nil
                guard error.errno == EIO else { throw .system(error) }
                lost(extent.corruption(base, at: 0, extent.firstEventID, extent.nextEventID, .unreadable))
                return
            }
            self.base = base
            loaded = (extent.offset, extent.bytes)
        }
        let view = unsafe buffer.view(bytes)
        var at = 0
        var expected = extent.firstEventID
        var wanted = rows.startIndex
        while wanted < rows.endIndex {
            guard let found = unsafe ExtentRun.frame(view, at, expected, extent, salt) else {
                // Not a frame: look for the next one that is right by itself.
                guard let next = unsafe ExtentRun.search(view, at + 1, expected, extent, salt) else {
                    lost(extent.corruption(base, at: at, expected, extent.nextEventID, .badFrameHeader))
                    break
                }
                let first = next.header.firstEventID
                lost(extent.corruption(base, at: at, expected, first, .badFrameHeader))
                let firstRow = extent.firstRow + Int(first - extent.firstEventID)
                while wanted < rows.endIndex && Int(rows[wanted]) < firstRow { wanted += 1 }
                at = next.at
                expected = first
                continue
            }
            var row = extent.firstRow + Int(found.firstEventID - extent.firstEventID)
            let endRow = row + Int(found.events)
            if found.firstEventID > expected {
                // The chain was whole when it was indexed, so ids follow each other.
                lost(extent.corruption(base, at: at, expected, found.firstEventID, .brokenChain))
                while wanted < rows.endIndex && Int(rows[wanted]) < row { wanted += 1 }
            }
            if wanted < rows.endIndex && Int(rows[wanted]) < endRow {
                let frame = unsafe view.slice(at, found.frameBytes)
                if unsafe found.matches(frame) {
                    var offset = at + StoreLimits.headerBytes
                    let end = offset + found.payloadBytes
                    let payload = unsafe view.slice(0, end)
                    while wanted < rows.endIndex, row < endRow, offset < end,
                        let record = unsafe RecordView.at(offset, of: payload)
                    {
                        if record.kind == RecordKind.event {
                            if Int(rows[wanted]) == row {
                                places.append(
                                    Place(
                                        id: extent.firstEventID + UInt64(row - extent.firstRow), offset: offset))
                                wanted += 1
                            }
                            row += 1
                        }
                        offset += record.byteCount
                    }
                } else {
                    lost(extent.corruption(base, at: at, found.firstEventID, found.nextEventID, .badPayload))
                }
                while wanted < rows.endIndex && Int(rows[wanted]) < endRow { wanted += 1 }
            }
            at += found.frameBytes
            expected = found.nextEventID
        }
    }

    /// The header at `at`, if it can be one of this extent.
    private static func frame(
        _ view: UnsafeRawBufferPointer, _ at: Int, _ expected: UInt64, _ extent: IndexExtent, _ salt: UInt32
    ) -> FrameHeader? {
        guard at >= 0, view.count - at >= StoreLimits.headerBytes,
            let header = unsafe FrameHeader.parse(view.slice(at, view.count - at), salt: salt),
            header.frameBytes <= view.count - at, header.firstEventID >= expected,
            header.nextEventID <= extent.nextEventID
        else { return nil }
        return header
    }

    private static func search(
        _ view: UnsafeRawBufferPointer, _ from: Int, _ expected: UInt64, _ extent: IndexExtent, _ salt: UInt32
    ) -> (at: Int, header: FrameHeader)? {
        var at = from
        while view.count - at >= StoreLimits.headerBytes {
            if unsafe view[at] == FrameHeader.magicFirstByte,
                let header = unsafe frame(view, at, expected, extent, salt),
                unsafe header.matches(view.slice(at, header.frameBytes))
            {
                return (at, header)
            }
            at += 1
        }
        return nil
    }
}

extension IndexExtent {
    /// Damage at `at` bytes from the extent's start.
    func corruption(
        _ base: UInt64, at: Int, _ first: UInt64, _ next: UInt64, _ cause: CorruptionCause
    ) -> Corruption {
        Corruption(
            segment: base, offset: offset + Int64(at), bytes: 0, cause: cause, firstEventID: first, nextEventID: next)
    }
}
