// Reads one segment for recovery and says what is in it: where it ends, which commit is last, what is damaged, what is a torn tail,
// and the few records that the writer must know of (clients, event_ids). Used once, before the appender starts.

import EyeSystem
import Glibc

/// Recovery's view of one segment.
struct SegmentReading {
    let disk: any Disk
    let log: String

    init(_ disk: any Disk, log: String) {
        self.disk = disk
        self.log = log
    }

    /// Reads segment `base`. `durable`: its bytes below the watermark. `next`: the segment that closes it; nil: it is the last.
    func read(_ base: UInt64, durable: Int64, next: UInt64?) throws(SystemError) -> SegmentFindings {
        var found = SegmentFindings(base: base)
        let file: any DiskFile
        do throws(SystemError) {
            file = try disk.open(log + "/" + SegmentFolder.name(base, ".log"), .read)
            found.fileBytes = try file.size()
        } catch {
            if error.isFull || error.errno == EMFILE || error.errno == ENFILE { throw error }
            let cause = error.isNoFile ? CorruptionCause.foreignFile : .unreadable
            found.noteDamage(0, 0, cause, next: found.position.nextEventID)
            return found
        }
        let scanner = SegmentScanner(file, base: base, limit: found.fileBytes)
        var torn: (start: Int64, before: SegmentFindings)?
        var bad: [(offset: Int64, bytes: Int64, cause: CorruptionCause)] = []
        var isOpening = true
        scan: while true {
            let step: ScanStep
            do throws(SystemError) {
                step = try scanner.next()
            } catch {
                // The disk cannot read it: as good as damaged from here on.
                bad.append((scanner.offset, found.fileBytes - scanner.offset, .unreadable))
                torn = nil
                break scan
            }
            if found.header == nil, let header = scanner.header {
                found.header = header
                found.position.nextEventID = max(found.position.nextEventID, header.firstEventID)
                found.position.commit = max(found.position.commit, header.commit)
                found.firstKeptEventID = max(found.firstKeptEventID, header.firstKeptEventID)
                found.salt = header.salt
                found.crc = header.crc
                found.end = Int64(StoreLimits.headerBytes)
            }
            switch step {
            case .working: continue
            case .end: break scan
            case .bad(let offset, let bytes, let cause):
                // The opening was synced before the segment got its name: it cannot be torn.
                if next == nil, !isOpening, offset >= durable, torn == nil { torn = (offset, found) }
                bad.append((offset, bytes, cause))
            case .frame(let frame):
                if let next, frame.header.firstSequence >= next { break scan }
                if !frame.linked && bad.isEmpty {
                    if next == nil, !isOpening, frame.offset >= durable, torn == nil { torn = (frame.offset, found) }
                    bad.append((frame.offset, 0, .brokenChain))
                }
                // A later commit was begun only when the bad place was durable: then that is damage.
                if let start = torn?.start, frame.commitStart > start { torn = nil }
                // The opening says it as well: before its first frame there is nothing but the header.
                if found.header == nil, isOpening, frame.header.kind == FrameKind.opening,
                    frame.header.flags & FrameFlag.first != 0
                {
                    found.position.nextEventID = max(found.position.nextEventID, frame.header.firstEventID)
                }
                for (index, place) in bad.enumerated() {
                    let nextID = index == bad.count - 1 ? frame.header.firstEventID : found.position.nextEventID
                    found.noteDamage(place.offset, place.bytes, place.cause, next: nextID)
                }
                bad.removeAll()
                found.note(frame)
                if frame.header.kind == FrameKind.records || frame.header.flags & FrameFlag.last != 0 {
                    isOpening = false
                }
            }
        }
        if let torn {
            var before = torn.before
            before.tornStart = torn.start
            return before
        }
        for place in bad {
            found.noteDamage(place.offset, place.bytes, place.cause, next: found.position.nextEventID)
        }
        if found.header == nil && found.damage.isEmpty {
            found.noteDamage(0, found.fileBytes, .badFileHeader, next: found.position.nextEventID)
        }
        if found.header != nil && !found.isOpeningWhole && found.damage.isEmpty {
            found.noteDamage(found.end, 0, .missingBytes, next: found.position.nextEventID)
        }
        return found
    }
}

extension SegmentFindings {
    mutating func noteDamage(_ offset: Int64, _ bytes: Int64, _ cause: CorruptionCause, next: UInt64) {
        damage.append(
            Corruption(
                segment: base, offset: offset, bytes: bytes, cause: cause, firstEventID: position.nextEventID,
                nextEventID: max(next, position.nextEventID)))
    }

    mutating func note(_ frame: ScannedFrame) {
        let header = frame.header
        if header.kind == FrameKind.opening {
            // Frames behind a damaged one of the same opening do not make it whole again.
            if header.flags & FrameFlag.first != 0 {
                isOpeningUnbroken = true
            } else if !frame.linked {
                isOpeningUnbroken = false
            }
            if isOpeningUnbroken && header.flags & FrameFlag.last != 0 { isOpeningWhole = true }
        } else {
            hasRecords = true
            if let last = lastCommit.last, last.header.commit != header.commit {
                lastCommit.removeAll()
                lastTombstones = 0
            }
            lastCommit.append((frame.offset, header))
        }
        end = frame.end
        crc = frame.crc
        position.nextSequence = header.nextSequence
        position.nextEventID = header.nextEventID
        position.commit = header.commit
        if header.kind == FrameKind.opening || header.flags & (FrameFlag.mixed | FrameFlag.eventIDs) != 0 {
            noteRecords(frame)
        }
    }

    private mutating func noteRecords(_ frame: ScannedFrame) {
        var offset = 0
        var id = frame.header.firstEventID
        var erasures = SegmentErasures()
        defer {
            tombstones += UInt32(erasures.count)
            lastTombstones += UInt32(erasures.count)
            for receipt in erasures.receipts { oldestTombstone = min(oldestTombstone, receipt.erased) }
        }
        var sequence = frame.header.firstSequence
        while offset < frame.payloadCount, let record = unsafe RecordView.at(offset, of: frame.payload) {
            offset += record.byteCount
            switch record.kind {
            case RecordKind.event:
                if let key = record.eventID {
                    eventIDs.append(SeenEventID(key: key, id: id, received: record.received))
                }
                id += 1
            case RecordKind.client:
                clients.append(
                    ClientNote(
                        token: record.token, name: unsafe Array(record.clientName), sequence: record.clientSequence,
                        lastSeen: record.received))
            case RecordKind.tombstone: erasures.add(record, sequence: sequence, nextEventID: id)
            case RecordKind.retention: firstKeptEventID = max(firstKeptEventID, record.firstKeptEventID)
            default: break
            }
            sequence += 1
        }
    }
}
