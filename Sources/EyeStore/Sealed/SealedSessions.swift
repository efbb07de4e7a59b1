// Sessions and postings of an open sealed segment: a session by its id or its code, the rows of a session or of a rare text. Parts of
// `SealedFile`; the reader's thread.

import EyeSystem
import Glibc

extension SealedFile {
    /// Whether the session may be here: one block answers.
    func mayHold(_ id: ID128) throws(IndexFault) -> Bool {
        guard sessionCount > 0 else { return false }
        let hash = Mix.hash(id, seed: header.seed)
        let (block, offset) = SessionFilter.bucket(hash, of: SessionFilter.buckets(sessionCount))
        let held = try blocks.block(.sessionFilter, block)
        return unsafe SessionFilter.mayHold(hash, held.sealedView, offset)
    }

    func session(_ id: ID128) throws(IndexFault) -> (code: Int, entry: IndexSession)? {
        guard try mayHold(id), let number = try idBlock(id) else { return nil }
        let held = try blocks.block(.sessionIDs, number)
        let view = unsafe held.sealedView
        let (count, codes) = try unsafe ids(view, number)
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            // In bounds: the block has so many ids.
            if unsafe view.id128(middle * 16) < id { low = middle + 1 } else { high = middle }
        }
        guard low < count, unsafe view.id128(low * 16) == id else { return nil }
        let code = Int(codes[low])
        return (code, try session(code: code))
    }

    /// The block of ids that may hold `id`; nil: all are higher.
    private func idBlock(_ id: ID128) throws(IndexFault) -> Int? {
        var low = 0
        var high = (sessionCount + SessionParts.idsPerBlock - 1) / SessionParts.idsPerBlock
        while low < high {
            let middle = (low + high) / 2
            let held = try blocks.block(.sessionFirstIDs, middle / SessionParts.firstIDsPerBlock)
            let view = unsafe held.sealedView
            let at = middle % SessionParts.firstIDsPerBlock * 16
            guard view.count - at >= 16 else { throw .damaged }
            if unsafe view.id128(at) <= id { low = middle + 1 } else { high = middle }
        }
        return low == 0 ? nil : low - 1
    }

    /// How many ids block `number` holds, and their codes.
    private func ids(
        _ view: UnsafeRawBufferPointer, _ number: Int
    ) throws(IndexFault) -> (count: Int, codes: PackedNumbers) {
        let count = min(SessionParts.idsPerBlock, sessionCount - number * SessionParts.idsPerBlock)
        var offset = count * 16
        guard count > 0, view.count >= offset, let codes = unsafe view.packed(&offset), codes.count == count else {
            throw .damaged
        }
        return (count, codes)
    }

    /// The columns of a block of sessions.
    private struct Columns {
        var ranks: PackedNumbers
        var received: PackedNumbers
        var sequences: PackedNumbers
        var firstRows: PackedNumbers
        var spans: PackedNumbers
        var events: PackedNumbers
        var postings: PackedNumbers
    }

    private func columns(_ code: Int) throws(IndexFault) -> (Columns, ByteBuffer, place: Int) {
        guard code >= 0, code < sessionCount else { throw .damaged }
        let block = try blocks.block(.sessions, code / SessionParts.sessionsPerBlock)
        let place = code % SessionParts.sessionsPerBlock
        let count = min(SessionParts.sessionsPerBlock, sessionCount - (code - place))
        let view = unsafe block.sealedView
        var offset = 0
        guard let ranks = unsafe view.packed(&offset), let received = unsafe view.packed(&offset),
            let sequences = unsafe view.packed(&offset), let firstRows = unsafe view.packed(&offset),
            let spans = unsafe view.packed(&offset), let events = unsafe view.packed(&offset),
            let postings = unsafe view.packed(&offset), ranks.count == count, received.count == count,
            sequences.count == count, firstRows.count == count, spans.count == count, events.count == count,
            postings.count == count + 1
        else { throw .damaged }
        let found = Columns(
            ranks: ranks, received: received, sequences: sequences, firstRows: firstRows, spans: spans,
            events: events, postings: postings)
        return (found, block, place)
    }

    func session(code: Int) throws(IndexFault) -> IndexSession {
        let (columns, block, place) = try columns(code)
        defer { withExtendedLifetime(block) {} }
        let span = columns.spans[place]
        let firstRow = columns.firstRows[place]
        let events = columns.events[place]
        // -1: no event.
        guard span >= -1, firstRow >= 0, firstRow < Int64(UInt32.max), span < Int64(rows) - firstRow || span == -1,
            events >= 0,
            events >> 1 <= Int64(rows)
        else { throw .damaged }
        return IndexSession(
            id: try id(rank: columns.ranks[place]), firstReceived: columns.received[place],
            firstSequence: UInt64(bitPattern: columns.sequences[place]),
            firstRow: UInt32(span < 0 ? firstRow + 1 : firstRow),
            lastRow: UInt32(span < 0 ? firstRow : firstRow + span), events: UInt32(events >> 1),
            isOpened: events & 1 == 1)
    }

    /// The id of a session, by its code.
    func sessionID(code: Int) throws(IndexFault) -> ID128 {
        guard code >= 0, code < sessionCount else { throw .damaged }
        let block = try blocks.block(.sessions, code / SessionParts.sessionsPerBlock)
        let place = code % SessionParts.sessionsPerBlock
        var offset = 0
        // The ranks come first.
        guard let ranks = unsafe block.sealedView.packed(&offset), place < ranks.count else { throw .damaged }
        let rank = ranks[place]
        withExtendedLifetime(block) {}
        return try id(rank: rank)
    }

    private func id(rank: Int64) throws(IndexFault) -> ID128 {
        guard rank >= 0, rank < Int64(sessionCount) else { throw .damaged }
        let held = try blocks.block(.sessionIDs, Int(rank) / SessionParts.idsPerBlock)
        let view = unsafe held.sealedView
        let at = Int(rank) % SessionParts.idsPerBlock * 16
        guard view.count - at >= 16 else { throw .damaged }
        return unsafe view.id128(at)
    }

    // MARK: Postings

    /// Puts the rows of a session into `rows`, ascending; false: it has too many for a posting, or none.
    func rows(ofSession code: Int, into rows: inout [UInt32]) throws(IndexFault) -> Bool {
        let (columns, block, place) = try columns(code)
        defer { withExtendedLifetime(block) {} }
        let entry = try session(code: code)
        rows.removeAll(keepingCapacity: true)
        guard entry.hasEvents else { return true }
        return try posting(
            .sessionPostings, Int(entry.firstRow), Int(entry.lastRow), events: Int(entry.events),
            from: columns.postings[place], to: columns.postings[place + 1], into: &rows)
    }

    /// Puts the rows of a category or name into `rows`, ascending; false: it has too many for a posting.
    func rows(of kind: TextKind, code: Int, into rows: inout [UInt32]) throws(IndexFault) -> Bool {
        let entry = try entry(code, of: kind)
        let held = try blocks.block(kind.part, code / SealedTables.textsPerBlock)
        let view = unsafe held.sealedView
        let at = code % SealedTables.textsPerBlock * SealedTables.textEntryBytes
        // In bounds: `entry` has looked at it.
        let start = unsafe Int64(view.u32(at + 16))
        let bytes = unsafe Int64(view.u32(at + 20))
        rows.removeAll(keepingCapacity: true)
        return try posting(
            kind.postingsPart, entry.firstRow, entry.lastRow, events: entry.events, from: start, to: start + bytes,
            into: &rows)
    }

    private func posting(
        _ part: SealedPart, _ firstRow: Int, _ lastRow: Int, events: Int, from: Int64, to: Int64,
        into rows: inout [UInt32]
    ) throws(IndexFault) -> Bool {
        if events <= 2 {
            rows.append(UInt32(firstRow))
            if events == 2 { rows.append(UInt32(lastRow)) }
            return true
        }
        guard PostingBuilder.isListed(events, rows: self.rows) else { return false }
        // A row takes at most five bytes.
        guard from >= 0, to > from, to - from <= Int64(events) * 5 else { throw .damaged }
        var next: Int64 = 0
        var value: UInt64 = 0
        var shift: UInt64 = 0
        rows.reserveCapacity(events)
        var at = Int(from)
        let end = Int(to)
        while at < end {
            let held = try blocks.block(part, at / PostingBuilder.blockBytes)
            let view = unsafe held.sealedView
            var place = at % PostingBuilder.blockBytes
            let stop = min(view.count, place + end - at)
            guard place < stop else { throw .damaged }
            at += stop - place
            while place < stop {
                // In bounds: below the end of the block.
                let byte = unsafe view[place]
                place += 1
                value |= UInt64(byte & 0x7F) << shift
                shift += 7
                if byte >= 0x80 {
                    guard shift < 35 else { throw .damaged }
                    continue
                }
                let row = next + Int64(value)
                guard row < Int64(self.rows) else { throw .damaged }
                rows.append(UInt32(row))
                next = row + 1
                value = 0
                shift = 0
            }
        }
        guard rows.count == events, shift == 0 else { throw .damaged }
        return true
    }
}
