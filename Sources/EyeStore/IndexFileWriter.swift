// Writes an `IndexBuilder` as an index file: under a temporary name, renamed when whole, not synced (it is derived: after a power cut
// its checksums tell, and it is built again). Used by the housekeeping thread.

import EyeSystem
import Glibc

/// Writes one index file.
struct IndexFileWriter {
    private let file: any DiskFile
    private var directory: [UInt8] = []
    private var offset: Int64 = 0

    /// Writes `builder`, which has its whole segment, to `path`.
    static func write(_ builder: IndexBuilder, _ disk: any Disk, path: String) throws(SystemError) {
        let temporary = path + ".new"
        do throws(SystemError) { try disk.remove(temporary) } catch { if error.errno != ENOENT { throw error } }
        var writer = IndexFileWriter(file: try disk.open(temporary, .create))
        try writer.writeAll(builder)
        try disk.rename(temporary, to: path)
    }

    private init(file: any DiskFile) { self.file = file }

    private mutating func writeAll(_ builder: IndexBuilder) throws(SystemError) {
        let groups = builder.table.zones.count
        let hashPlaces = builder.table.sessions.hashPlaces
        let counts: [IndexPart: Int] = [
            .extents: builder.extents.count * IndexExtent.entryBytes,
            .gaps: builder.gaps.count * IndexGap.entryBytes,
            .categories: builder.table.categories.entries.count * IndexText.entryBytes,
            .categoryTexts: builder.table.categories.texts.count,
            .names: builder.table.names.entries.count * IndexText.entryBytes,
            .nameTexts: builder.table.names.texts.count,
            .sessions: builder.sessionCount * IndexSession.entryBytes,
            .sessionHash: hashPlaces.count * 4,
            .zones: groups * 16,
            .timestamps: builder.rows * 8,
            .categoryCodes: builder.rows * 2,
            .nameCodes: builder.rows * 2,
            .sessionCodes: builder.rows * 4,
            .eventIDs: builder.table.eventIDs.count * IndexEventID.entryBytes,
            .erasedIDs: builder.table.erasures.ids.count * IndexErasure.rangeBytes,
            .erasedSequences: builder.table.erasures.sequences.count * IndexErasure.rangeBytes,
            .receipts: builder.table.erasures.receipts.count * IndexErasure.receiptBytes,
        ]
        let parts = IndexPart.allCases.filter { !$0.isOptional || counts[$0, default: 0] > 0 }
        var directoryBytes = 0
        for part in parts {
            let blocks = (counts[part, default: 0] + part.blockBytes - 1) / part.blockBytes
            directoryBytes += IndexFileHeader.partEntryBytes + 4 * blocks
        }
        offset = Int64(IndexFileHeader.bytes + directoryBytes)
        for part in parts {
            switch part {
            case .timestamps: try put(part, builder.table.timestamps, rows: builder.rows)
            case .categoryCodes: try put(part, builder.table.categoryCodes, rows: builder.rows)
            case .nameCodes: try put(part, builder.table.nameCodes, rows: builder.rows)
            case .sessionCodes: try put(part, builder.table.sessionCodes, rows: builder.rows)
            default: try put(part, entries(part, builder, hashPlaces))
            }
        }
        precondition(directory.count == directoryBytes, "a directory is as long as was planned")
        let head = header(builder, parts: parts.count)
        try unsafe head.withUnsafeBytesTyped { bytes throws(SystemError) in try unsafe file.write(bytes, at: 0) }
        try unsafe directory.withUnsafeBytesTyped { bytes throws(SystemError) in
            try unsafe file.write(bytes, at: Int64(IndexFileHeader.bytes))
        }
    }

    private func entries(_ part: IndexPart, _ builder: IndexBuilder, _ hashPlaces: [UInt32]) -> [UInt8] {
        var out: [UInt8] = []
        switch part {
        case .extents:
            for extent in builder.extents {
                out.appendNumber(extent.offset)
                out.appendNumber(extent.firstEventID)
                out.appendNumber(extent.firstSequence)
                out.appendNumber(extent.oldestReceived)
                out.appendNumber(extent.newestReceived)
                out.appendNumber(UInt32(extent.bytes))
                out.appendNumber(UInt32(extent.firstRow))
                out.appendNumber(UInt32(extent.events))
                out.appendNumber(UInt32(0))
            }
        case .gaps:
            for gap in builder.gaps {
                out.appendNumber(gap.offset)
                out.appendNumber(gap.bytes)
                out.appendNumber(gap.firstEventID)
                out.appendNumber(gap.nextEventID)
                out.appendNumber(gap.cause.rawValue)
                out.appendNumber(UInt32(0))
            }
        case .categories, .names:
            for text in (part == .categories ? builder.table.categories : builder.table.names).entries {
                out.appendNumber(text.hash)
                out.appendNumber(UInt32(text.offset))
                out.appendNumber(UInt32(text.bytes))
                out.appendNumber(UInt32(text.events))
                out.appendNumber(UInt32(text.firstRow))
                out.appendNumber(UInt32(text.lastRow))
            }
        case .categoryTexts: out = builder.table.categories.texts
        case .nameTexts: out = builder.table.names.texts
        case .sessions:
            out.reserveCapacity(builder.sessionCount * IndexSession.entryBytes)
            for session in builder.table.sessions.entries {
                out.appendID(session.id)
                out.appendNumber(session.firstReceived)
                out.appendNumber(session.firstSequence)
                out.appendNumber(session.firstRow)
                out.appendNumber(session.lastRow)
            }
        case .sessionHash:
            out.reserveCapacity(hashPlaces.count * 4)
            for place in hashPlaces { out.appendNumber(place) }
        case .zones:
            for zone in builder.table.zones {
                out.appendNumber(zone.oldest)
                out.appendNumber(zone.newest)
            }
        case .eventIDs:
            out.reserveCapacity(builder.table.eventIDs.count * IndexEventID.entryBytes)
            for seen in builder.table.eventIDs {
                out.appendID(seen.key)
                out.appendNumber(seen.id)
                out.appendNumber(seen.received)
            }
        case .erasedIDs, .erasedSequences:
            let erasures = builder.table.erasures
            for range in part == .erasedIDs ? erasures.ids : erasures.sequences {
                out.appendNumber(range.lowerBound)
                out.appendNumber(range.upperBound)
            }
        case .receipts:
            for receipt in builder.table.erasures.receipts {
                out.appendNumber(receipt.id)
                out.appendNumber(receipt.erased)
                out.appendNumber(receipt.events)
                out.appendNumber(receipt.hull?.lowerBound ?? 0)
                out.appendNumber(receipt.hull?.upperBound ?? 0)
                out.appendNumber(receipt.token)
                out.appendNumber(
                    (receipt.isSession ? IndexErasure.isSession : 0) | (receipt.isMore ? IndexErasure.isMore : 0))
            }
        case .timestamps, .categoryCodes, .nameCodes, .sessionCodes: break
        }
        return out
    }

    private mutating func begin(_ part: IndexPart, bytes: Int) {
        directory.appendNumber(UInt32(part.rawValue))
        directory.appendNumber(UInt32(part.blockBytes))
        directory.appendNumber(UInt64(bytes))
        directory.appendNumber(offset)
    }

    private mutating func put(_ part: IndexPart, _ bytes: [UInt8]) throws(SystemError) {
        begin(part, bytes: bytes.count)
        var start = 0
        while start < bytes.count {
            let length = min(part.blockBytes, bytes.count - start)
            let crc = unsafe bytes.withUnsafeBytes { unsafe Checksum.crc32c($0.slice(start, length)) }
            directory.appendNumber(crc)
            start += length
        }
        try unsafe bytes.withUnsafeBytesTyped { view throws(SystemError) in try unsafe file.write(view, at: offset) }
        offset += Int64(bytes.count)
    }

    private mutating func put(_ part: IndexPart, _ column: IndexColumn, rows: Int) throws(SystemError) {
        begin(part, bytes: rows * column.width)
        for (group, block) in column.blocks.enumerated() {
            let inBlock = min(StoreLimits.rowsPerGroup, rows - group * StoreLimits.rowsPerGroup)
            let view = unsafe block.view(inBlock * column.width)
            directory.appendNumber(unsafe Checksum.crc32c(view))
            try unsafe file.write(view, at: offset)
            offset += Int64(view.count)
        }
    }

    private func header(_ builder: IndexBuilder, parts: Int) -> [UInt8] {
        var head: [UInt8] = []
        head.appendNumber(IndexFileHeader.magic)
        head.appendNumber(UInt16(FormatVersion.current))
        head.appendNumber(UInt16(parts))
        head.appendNumber(builder.base)
        head.appendNumber(builder.coveredBytes)
        head.appendNumber(builder.salt)
        head.appendNumber(UInt32(builder.rows))
        head.appendNumber(builder.firstEventID)
        head.appendNumber(builder.nextEventID)
        head.appendNumber(builder.nextSequence)
        head.appendNumber(UInt32(directory.count))
        head.appendNumber(unsafe directory.withUnsafeBytes { unsafe Checksum.crc32c($0) })
        head.appendNumber(builder.seed)
        head.appendNumber(builder.oldestReceived)
        head.appendNumber(builder.newestReceived)
        head.appendNumber(builder.oldestTimestamp)
        head.appendNumber(builder.newestTimestamp)
        head.appendNumber(builder.lastCRC)
        var flags: UInt32 = 0
        if builder.table.categories.isOverfull { flags |= IndexFileHeader.overfullCategories }
        if builder.table.names.isOverfull { flags |= IndexFileHeader.overfullNames }
        head.appendNumber(flags)
        head.append(contentsOf: repeatElement(0, count: 124 - head.count))
        head.appendNumber(unsafe head.withUnsafeBytes { unsafe Checksum.crc32c($0) })
        return head
    }
}

extension [UInt8] {
    /// `withUnsafeBytes` with a typed error.
    func withUnsafeBytesTyped<R>(
        _ body: (UnsafeRawBufferPointer) throws(SystemError) -> R
    ) throws(SystemError) -> R {
        let result = unsafe withUnsafeBytes { bytes in
            do throws(SystemError) {
                return Result<R, SystemError>.success(try unsafe body(bytes))
            } catch {
                return Result<R, SystemError>.failure(error)
            }
        }
        return try result.get()
    }
}
