// The files of a log at one moment: which segments, and how far each is durable. Taken by `verify` and `backup` beside a running writer:
// first the watermark, then the folder, so that whatever the watermark speaks of is in the list. Any process, any thread.

import EyeSystem
import Glibc

/// A log's files at one moment.
struct LogInventory {
    /// A segment and what of it counts.
    struct Segment {
        var base: UInt64
        /// Bytes that are durable.
        var bytes: Int64
        /// Bytes of the file.
        var fileBytes: Int64
        /// The segment that closes it.
        var next: UInt64?
        /// Nobody knows how far it is durable: its end may be an unfinished write.
        var isOpenEnded = false
        /// The file could not even be opened.
        var isUnreadable = false
    }

    var mark: Watermark?
    /// The watermark's file cannot be read.
    var markFailure: SystemError?
    var segments: [Segment] = []

    var bytes: Int64 { segments.reduce(0) { $0 + $1.bytes } }

    /// Looks at the log in `folder` (which holds `log/` and `watermark`). `isRunning`: a writer lives; then segments behind the watermark
    /// are not published yet, and no part of this moment.
    init(_ disk: any Disk, folder: String, isRunning: Bool) throws(StoreOpenError) {
        var version = 0
        do throws(SystemError) {
            if let found = try WatermarkReader(disk, path: folder + "/watermark").read() {
                version = found.version
                mark = found.mark
            }
        } catch {
            if error.errno == EMFILE || error.errno == ENFILE { throw .unusable(path: folder + "/watermark", error) }
            markFailure = error
        }
        if version > FormatVersion.current { throw .newerFormat(file: folder + "/watermark", version: version) }
        let log = folder + "/log"
        var bases: [UInt64]
        do throws(SystemError) {
            bases = try SegmentFolder.list(disk, log, ".log")
        } catch {
            throw .unusable(path: log, error)
        }
        if isRunning, let mark { bases.removeAll { $0 > mark.segment } }
        for (index, base) in bases.enumerated() {
            var segment = Segment(
                base: base, bytes: 0, fileBytes: 0, next: index + 1 < bases.count ? bases[index + 1] : nil)
            let path = log + "/" + SegmentFolder.name(base, ".log")
            var version = 0
            do throws(SystemError) {
                let file = try disk.open(path, .read)
                segment.fileBytes = try file.size()
                if let header = try SegmentHeader.read(file) { version = header.version }
            } catch {
                // Evicted or dropped since it was listed.
                if error.isMissing { continue }
                if error.errno == EMFILE || error.errno == ENFILE { throw .unusable(path: log, error) }
                segment.isUnreadable = true
            }
            if version > FormatVersion.current { throw .newerFormat(file: path, version: version) }
            segment.bytes = segment.fileBytes
            if segment.next == nil {
                if let mark, mark.segment == base {
                    segment.bytes = mark.bytes
                } else {
                    segment.isOpenEnded = mark.map { $0.segment < base } ?? true
                }
            }
            segments.append(segment)
        }
    }
}
