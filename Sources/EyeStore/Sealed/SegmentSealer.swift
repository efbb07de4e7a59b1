// Makes a sealed segment: from a closed segment of the log, or anew from a sealed one without some of its events. Writes under the name it is
// given and syncs; renaming is the caller's. Does a bounded piece of work at each step (a frame, a row group, a block), in bounded memory:
// one group, the dictionaries, and some bytes for each session. Used by the housekeeping thread.

import EyeSystem
import Glibc

/// What a sealing leaves out: what is erased.
struct SealedOmission {
    /// Ids of events.
    var events = IDSet()
    /// Sequences of the first records that name sessions: such a session goes with the last of its events.
    var sequences = IDSet()
}

/// The sealing of one segment.
final class SegmentSealer {
    private enum Source {
        case log(SegmentWalk)
        case sealed(SealedFile)
    }

    private enum Stage {
        case rows
        case categories
        case names
        case sessions
        case tables
        case done
    }

    let path: String
    private let disk: any Disk
    private let source: Source
    private let omission: SealedOmission
    private var look = IDSet.Look()
    private let writer: SealedWriter
    private let rows: SealedRows
    private var header = SealedHeader()
    private var stage = Stage.rows
    private var postings: PostingBuilder?
    private var categoryStarts: [UInt64] = []
    private var nameStarts: [UInt64] = []
    private var scratch = SealedScratch()
    /// The next row of the old sealed segment.
    private var nextRow = 0
    private var hasSessions = false
    private(set) var gaps: [IndexGap] = []
    /// What the segment's tombstones leave behind.
    private(set) var receipts: [ErasureReceipt] = []
    /// Sessions whose first record here is left out.
    private var goneSessions: Set<ID128> = []
    /// Bytes that were written so far.
    var writtenBytes: Int64 { writer.offset }
    /// Bytes of the finished file.
    private(set) var bytes: Int64 = 0

    /// Bytes of memory that it takes, about.
    var cost: Int { rows.cost }
    /// Events that were sealed.
    var events: Int { rows.rows }
    /// The sequences of the segment, for its name.
    var firstSequence: UInt64 { header.firstSequence }
    var nextSequence: UInt64 { header.nextSequence }

    /// Seals the log segment `base`, which the segment with first sequence `next` and first event id `nextEventID` (nil: not known)
    /// follows, into the new file `path`.
    init(
        log file: any DiskFile, base: UInt64, next: UInt64, nextEventID: UInt64?, to path: String, _ disk: any Disk,
        decomposer: any DataDecomposer, omission: SealedOmission = SealedOmission(), seed: UInt64, room: WorkRoom? = nil
    ) throws(SystemError) {
        let walk = SegmentWalk(file, base: base, limit: try file.size())
        walk.supersededAt = next
        source = .log(walk)
        self.path = path
        self.disk = disk
        self.omission = omission
        header.firstSequence = base
        header.nextSequence = max(base, next)
        header.nextEventID = nextEventID ?? 0
        header.seed = seed
        writer = SealedWriter(try disk.open(path, .create), room: room)
        rows = SealedRows(writer, decomposer: decomposer, seed: seed)
    }

    /// Seals `old` again without what `omission` names, into the new file `path`.
    init(
        sealed old: SealedFile, to path: String, _ disk: any Disk, decomposer: any DataDecomposer,
        omission: SealedOmission, seed: UInt64, room: WorkRoom? = nil
    ) throws(SystemError) {
        source = .sealed(old)
        self.path = path
        self.disk = disk
        self.omission = omission
        header = old.header
        header.flags = 0
        header.seed = seed
        writer = SealedWriter(try disk.open(path, .create), room: room)
        rows = SealedRows(writer, decomposer: decomposer, seed: seed)
    }

    /// Removes the unfinished file.
    func cancel() throws(SystemError) {
        do throws(SystemError) { try disk.remove(path) } catch { if error.errno != ENOENT { throw error } }
    }

    /// Does a little. False: the file is whole and synced. Throws `damaged` when the old sealed segment is.
    func step() throws(IndexFault) -> Bool {
        switch stage {
        case .rows:
            if try readRows() { return true }
            try io { () throws(SystemError) in try rows.writeGroup() }
            stage = .categories
        case .categories:
            let entries = rows.categories.entries
            guard try !post(.categoryPostings, entries.count, { entries[$0].events }, \.category) else { return true }
            categoryStarts = takeStarts()
            stage = .names
        case .names:
            let entries = rows.names.entries
            guard try !post(.namePostings, entries.count, { entries[$0].events }, \.name) else { return true }
            nameStarts = takeStarts()
            stage = .sessions
        case .sessions:
            let entries = rows.sessions.entries
            guard try !post(.sessionPostings, entries.count, { Int(entries[$0].events) }, \.session) else {
                return true
            }
            try io { () throws(SystemError) in
                try SessionParts.write(rows.sessions, postings: takeStarts(), writer)
            }
            stage = .tables
        case .tables:
            try io { () throws(SystemError) in try writeTables() }
            stage = .done
        case .done: break
        }
        return stage != .done
    }

    private func io<T>(_ body: () throws(SystemError) -> T) throws(IndexFault) -> T {
        do throws(SystemError) {
            return try body()
        } catch {
            throw .system(error)
        }
    }

    // MARK: Rows

    /// Reads a little of the source. False: all was read.
    private func readRows() throws(IndexFault) -> Bool {
        switch source {
        case .log(let walk):
            switch try io({ () throws(SystemError) in try walk.next() }) {
            case .working: return true
            case .frame(let frame, _):
                if frame.header.kind == FrameKind.records {
                    try io { () throws(SystemError) in try add(frame) }
                }
                return true
            case .end:
                finishLog(walk)
                return false
            }
        case .sealed(let old): return try readRows(of: old)
        }
    }

    private func add(_ frame: ScannedFrame) throws(SystemError) {
        var offset = 0
        var sequence = frame.header.firstSequence
        var id = frame.header.firstEventID
        let payload = unsafe frame.payload
        var erasures = SegmentErasures()
        while offset < frame.payloadCount, let record = unsafe RecordView.at(offset, of: payload) {
            offset += record.byteCount
            switch record.kind {
            case RecordKind.event:
                if omission.events.contains(id, &look) {
                    note(record, sequence, isOpened: false)
                } else {
                    if rows.isFull { try rows.writeGroup() }
                    try rows.add(record, id: id, sequence: sequence)
                }
                id += 1
            case RecordKind.session: note(record, sequence, isOpened: true)
            case RecordKind.tombstone: erasures.add(record, sequence: sequence, nextEventID: id)
            default: break
            }
            sequence += 1
        }
        receipts += erasures.receipts
    }

    /// A record that leaves no row: its session is known by it, unless that is left out.
    private func note(_ record: RecordView, _ sequence: UInt64, isOpened: Bool) {
        if omission.sequences.contains(sequence) { goneSessions.insert(record.session) }
        if !goneSessions.isEmpty && goneSessions.contains(record.session) { return }
        rows.add(record.session, received: record.received, sequence: sequence, isOpened: isOpened)
    }

    private func finishLog(_ walk: SegmentWalk) {
        gaps = walk.gaps
        header.firstEventID = walk.firstEventID
        let known = header.nextEventID
        header.nextEventID = max(walk.nextEventID, known)
        if walk.firstEventID == 0 { header.firstEventID = known }
        // What is missing at the end is missing up to the next segment.
        if known > walk.nextEventID {
            if let last = gaps.indices.last, gaps[last].nextEventID == walk.nextEventID,
                gaps[last].offset + gaps[last].bytes >= walk.scanner.limit
            {
                gaps[last].nextEventID = known
            } else if walk.firstEventID > 0 {
                gaps.append(
                    IndexGap(
                        offset: walk.coveredBytes, bytes: 0, firstEventID: walk.nextEventID, nextEventID: known,
                        cause: .missingBytes))
            }
        }
        header.salt = walk.salt
        if let opening = walk.scanner.header {
            header.created = opening.created
            header.firstKeptEventID = opening.firstKeptEventID
            header.commit = opening.commit
        }
    }

    /// Takes some rows of a sealed segment.
    private func readRows(of old: SealedFile) throws(IndexFault) -> Bool {
        if !hasSessions {
            try takeSessions(of: old)
            gaps = try old.allGaps()
            receipts = try old.erasures().receipts
            hasSessions = true
            return true
        }
        let end = min(nextRow + SegmentSealer.rowsPerStep, old.rows)
        while nextRow < end {
            let id = try old.eventID(ofRow: nextRow)
            if !omission.events.contains(id, &look) {
                let record = try old.record(nextRow, into: scratch)
                try io { () throws(SystemError) in
                    if rows.isFull { try rows.writeGroup() }
                    // Its session is known: the sequence is not looked at.
                    try rows.add(record, id: id, sequence: 0)
                }
            }
            nextRow += 1
        }
        return nextRow < old.rows
    }

    private static let rowsPerStep = 1024

    /// Takes over the sessions that keep a record, in their order.
    private func takeSessions(of old: SealedFile) throws(IndexFault) {
        var gone = [UInt32](repeating: 0, count: old.sessionCount)
        var ranges: [ClosedRange<UInt64>] = []
        omission.events.forEachRange { range in
            ranges.append(range)
            return true
        }
        for range in ranges where range.lowerBound < old.nextEventID && range.upperBound >= old.firstEventID {
            let first = try old.row(atOrAfter: range.lowerBound)
            let end = range.upperBound == UInt64.max ? old.rows : try old.row(atOrAfter: range.upperBound + 1)
            for row in first..<max(first, end) {
                let code = Int(try old.sessionCode(ofRow: row))
                guard code < gone.count else { throw .damaged }
                gone[code] += 1
            }
        }
        for code in 0..<old.sessionCount {
            let entry = try old.session(code: code)
            guard entry.events > gone[code] || !omission.sequences.contains(entry.firstSequence) else { continue }
            rows.add(
                entry.id, received: entry.firstReceived, sequence: entry.firstSequence, isOpened: entry.isOpened,
                rows: Int(entry.hasEvents ? entry.firstRow : entry.lastRow))
        }
    }

    // MARK: What stands behind the rows

    private func post(
        _ part: SealedPart, _ codes: Int, _ events: @escaping (Int) -> Int,
        _ column: KeyPath<SealedRows.CodePlaces, SealedPlace>
    ) throws(IndexFault) -> Bool {
        let builder = postings ?? PostingBuilder(part, rows: rows.rows, codes: codes, events: events)
        postings = builder
        let writer = writer
        let places = rows.codePlaces
        return try io { () throws(SystemError) in
            try builder.step(writer) { (group, out) throws(SystemError) in
                let block = try writer.read(places[group][keyPath: column])
                guard let numbers = unsafe PackedNumbers(block.sealedView) else {
                    preconditionFailure("what was just written is packed numbers")
                }
                out = unsafe [UInt32](unsafeUninitializedCapacity: numbers.count) { buffer, count in
                    // In bounds: the capacity is their count.
                    if numbers.count > 0 {
                        unsafe numbers.decode(
                            to: UnsafeMutableRawPointer(buffer.baseAddress.unsafelyUnwrapped), as: UInt32.self)
                    }
                    count = numbers.count
                }
            }
        }
    }

    private func takeStarts() -> [UInt64] {
        let starts = postings?.starts ?? [0]
        postings = nil
        return starts
    }

    private func writeTables() throws(SystemError) {
        header.rows = rows.rows
        header.sessions = rows.sessions.entries.count
        header.oldestReceived = rows.oldestReceived
        header.newestReceived = rows.newestReceived
        header.oldestTimestamp = rows.oldestTimestamp
        header.newestTimestamp = rows.newestTimestamp
        if rows.categories.isOverfull { header.flags |= SealedHeader.overfullCategories }
        if rows.names.isOverfull { header.flags |= SealedHeader.overfullNames }
        if rows.counts.isOverfull {
            header.flags |= SealedHeader.hasNoCounts
        } else {
            header.counts = try rows.counts.write(writer)
        }
        let tables = SealedTables(writer, rows)
        try tables.writeTexts(.categories, .categoryTexts, rows.categories, categoryStarts)
        try tables.writeTexts(.names, .nameTexts, rows.names, nameStarts)
        try tables.writeShapes()
        try tables.writeLeaves()
        try tables.writeZones()
        try tables.writeRuns()
        try tables.write(gaps)
        try tables.write(receipts)
        header.shapes = rows.shapes.count
        header.leaves = rows.shapes.leaves.count
        header.runs = rows.runRows.count
        bytes = try writer.finish(header)
    }
}
