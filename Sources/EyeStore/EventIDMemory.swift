// Fills the event_id window at start: from the segments that recovery has just read, from sealed ones and from the indexes of the newest
// closed ones, back to a million ids or 24 hours. Bounded in work, so that a start is quick whatever the store's size: what could not be looked at is said.
// Used once, before the appender starts.

import EyeSystem
import Glibc

/// Rebuilds the window.
struct EventIDMemory {
    let disk: any Disk
    let folder: String
    private let cache = BlockCache(bytesMax: 1 << 20)

    init(_ disk: any Disk, folder: String) {
        self.disk = disk
        self.folder = folder
    }

    /// Returns whether the window is complete again.
    func fill(_ window: EventIDWindow, recovered: RecoveredLog, now: Int64) throws(SystemError) -> Bool {
        // Newest segment first; inside each, oldest first.
        var lists: [[SeenEventID]] = recovered.findings.map(\.eventIDs)
        var count = lists.reduce(0) { $0 + $1.count }
        var isComplete = true
        var scanLeft = StoreLimits.startScanBytesMax
        var looksLeft = StoreLimits.startIndexesMax
        let read = Set(recovered.findings.map { SegmentName.log($0.base) })
        let segments = recovered.segments
        // Nothing tells what a segment held that is missing before one of these.
        let gone = Set(recovered.report.damage.filter(\.isMissingSegment).compactMap { $0.lastSequence.map { $0 + 1 } })
        // The last one is the active one: read, or just begun.
        for (index, name) in segments.enumerated().dropLast().reversed() where !read.contains(name) {
            if count >= StoreLimits.eventIDWindowCount { break }
            if gone.contains(segments[index + 1].first) { isComplete = false }
            looksLeft -= 1
            guard looksLeft >= 0 else {
                isComplete = false
                break
            }
            let known = try name.isSealed ? fromSealed(name, now: now) : fromIndex(name.first, now: now)
            if let known {
                lists.append(known.ids)
                count += known.ids.count
                if now &- known.newestReceived > StoreLimits.eventIDWindowMicroseconds { break }
                if index == 0 && gone.contains(name.first) { isComplete = false }
                continue
            }
            if name.isSealed {
                // Nothing else tells what a damaged one held.
                isComplete = false
                continue
            }
            let found = try SegmentReading(disk, log: folder + "/log").read(
                name.first, durable: Int64.max, next: segments[index + 1].first)
            lists.append(found.eventIDs)
            count += found.eventIDs.count
            scanLeft -= found.fileBytes
            if scanLeft <= 0 && index > 0 {
                isComplete = false
                break
            }
        }
        for list in lists.reversed() {
            for seen in list where window.find(seen.key) == nil {
                window.add(seen.key, id: seen.id, received: seen.received)
            }
        }
        window.trim(now: now)
        return isComplete
    }

    /// What a sealed segment tells; nil: it is damaged.
    private func fromSealed(_ name: SegmentName, now: Int64) throws(SystemError) -> (
        ids: [SeenEventID], newestReceived: Int64
    )? {
        var file: SealedFile?
        do throws(SystemError) {
            file = try SealedFile.open(disk, folder: folder, name, cache: cache)
        } catch {
            if error.errno == EMFILE || error.errno == ENFILE { throw error }
        }
        guard let file else { return nil }
        do throws(IndexFault) {
            var ids: [SeenEventID] = []
            for group in 0..<file.groups { ids += try file.seenEventIDs(group: group) }
            return (ids, file.rows > 0 ? file.newestReceived : now)
        } catch {
            return nil
        }
    }

    /// What the index of a segment tells; nil: there is none, or it is damaged.
    private func fromIndex(_ base: UInt64, now: Int64) throws(SystemError) -> (
        ids: [SeenEventID], newestReceived: Int64
    )? {
        let path = folder + "/index/" + SegmentFolder.name(base, ".idx")
        guard let file = try IndexFile.open(disk, path: path, base: base, cache: cache) else { return nil }
        var ids: [SeenEventID] = []
        ids.reserveCapacity(file.eventIDCount)
        do throws(IndexFault) {
            for index in 0..<file.eventIDCount { ids.append(try file.eventID(index)) }
        } catch {
            return nil
        }
        // A segment without events has nothing to say about time.
        return (ids, file.rows > 0 ? file.newestReceived : now)
    }
}
