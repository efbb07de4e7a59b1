// The segments of a store at one moment: which, and how far each is durable. Taken by `verify` and `backup` beside a running writer:
// first the watermark, then the folders, so that whatever the watermark speaks of is in the list. Any process, any thread.

import EyeSystem
import Glibc

/// A store's segments at one moment.
struct LogInventory {
    /// A segment and what of it counts.
    struct Segment {
        var name: SegmentName
        /// Bytes that are durable.
        var bytes: Int64
        /// Bytes of the file.
        var fileBytes: Int64
        /// The segment that closes it, by its first sequence.
        var next: UInt64?
        /// Nobody knows how far it is durable: its end may be an unfinished write.
        var isOpenEnded = false

        /// Its first sequence.
        var base: UInt64 { name.first }
    }

    var mark: Watermark?
    /// No newer one can have been there.
    private(set) var isMarkSure = false
    /// The watermark's file cannot be read.
    var markFailure: SystemError?
    private(set) var segments: [Segment] = []
    /// Log segments that a sealed one has taken the place of.
    private(set) var hidden: [UInt64] = []

    var bytes: Int64 { segments.reduce(0) { $0 + $1.bytes } }

    /// So often the folders are listed again because a segment was sealed or dropped meanwhile.
    private static let attemptsMax = 16

    /// Looks at the store in `folder` (which holds `log/`, `sealed/` and `watermark`). `isRunning`: a writer lives; then segments behind
    /// the watermark are not published yet, and no part of this moment.
    init(_ disk: any Disk, folder: String, isRunning: Bool) throws(StoreOpenError) {
        for attempt in 1...LogInventory.attemptsMax {
            try readMark(disk, folder)
            if try look(disk, folder, isRunning: isRunning, isLast: attempt == LogInventory.attemptsMax) { break }
        }
    }

    private mutating func readMark(_ disk: any Disk, _ folder: String) throws(StoreOpenError) {
        var version = 0
        do throws(SystemError) {
            if let found = try WatermarkReader(disk, path: folder + "/watermark").read() {
                version = found.version
                mark = found.mark
                isMarkSure = found.isSure
            }
        } catch {
            if error.errno == EMFILE || error.errno == ENFILE { throw .unusable(path: folder + "/watermark", error) }
            markFailure = error
        }
        if version > FormatVersion.current { throw .newerFormat(file: folder + "/watermark", version: version) }
    }

    /// False: a segment was gone when it was opened, or retention has dropped some and the segment that says so was begun behind this
    /// moment; look again. `isLast`: such a one is left out.
    private mutating func look(
        _ disk: any Disk, _ folder: String, isRunning: Bool, isLast: Bool
    ) throws(StoreOpenError) -> Bool {
        var list: SegmentList
        do throws(SystemError) {
            list = try SegmentList(disk, folder)
        } catch {
            throw .unusable(path: folder, error)
        }
        if isRunning, let mark { list.segments.removeAll { $0.first > mark.segment } }
        hidden = list.hidden
        segments = []
        var first: UInt64?
        var kept: UInt64 = 1
        for (index, name) in list.segments.enumerated() {
            let next = index + 1 < list.segments.count ? list.segments[index + 1].first : nil
            var segment = Segment(name: name, bytes: 0, fileBytes: 0, next: next)
            let path = folder + "/" + name.file
            var version = 0
            do throws(SystemError) {
                let file = try disk.open(path, .read)
                segment.fileBytes = try file.size()
                if name.isSealed {
                    version = try SealedFile.version(of: file) ?? 0
                    if index == 0 {
                        let cache = BlockCache(bytesMax: 0)
                        first = try SealedFile.open(disk, folder: folder, name, cache: cache)?.firstEventID
                    }
                } else if let header = try SegmentHeader.read(file) {
                    version = header.version
                    kept = max(kept, header.firstKeptEventID)
                    if index == 0 { first = header.firstEventID }
                }
            } catch {
                if error.errno == EMFILE || error.errno == ENFILE { throw .unusable(path: path, error) }
                if error.isMissing {
                    if !isLast { return false }
                    continue
                }
                // Whoever reads it says that it cannot be read.
            }
            if version > FormatVersion.current { throw .newerFormat(file: path, version: version) }
            segment.bytes = segment.fileBytes
            if segment.next == nil, !name.isSealed {
                if let mark, mark.segment == name.first, isMarkSure || isRunning {
                    segment.bytes = mark.bytes
                } else {
                    segment.isOpenEnded = mark.map { $0.segment <= name.first } ?? true
                }
            }
            segments.append(segment)
        }
        guard isRunning, let first, first > kept, !isLast else { return true }
        do throws(SystemError) {
            return try KeptBound.read(disk, folder: folder) <= kept
        } catch {
            throw .unusable(path: folder, error)
        }
    }
}
