// Names of segments in the two folders, and the one list of both: what is sealed is in `sealed/`, everything else in `log/`. Invariant of
// the list: ascending, no record in two of its segments; a sealed segment hides the log it was made from. Used by readers,
// recovery, verification and backup; any thread.

import EyeSystem

/// A segment as the folders name it.
struct SegmentName: Hashable, Sendable {
    /// Its first record sequence.
    let first: UInt64
    /// Its last record sequence, if it is sealed; nil: a segment of the log.
    let last: UInt64?

    /// A segment of the log.
    static func log(_ base: UInt64) -> SegmentName { SegmentName(first: base, last: nil) }

    var isSealed: Bool { last != nil }

    /// Its file, relative to the data folder.
    var file: String {
        guard let last else { return "log/" + SegmentFolder.name(first, ".log") }
        return "sealed/" + SealedFolder.name(first, last)
    }

    /// Whether the record with this sequence is in it; of a log segment only its beginning is known.
    func covers(_ sequence: UInt64) -> Bool {
        guard let last else { return sequence == first }
        return sequence >= first && sequence <= last
    }
}

/// Names in `sealed/`.
enum SealedFolder {
    static let suffix = ".seg"

    /// First and last record sequence, twenty digits each.
    static func name(_ first: UInt64, _ last: UInt64) -> String {
        SegmentFolder.name(first, "-") + SegmentFolder.name(last, suffix)
    }

    /// The numbers in a name that `name` made; nil: not such a name.
    static func segment(_ name: String) -> SegmentName? {
        guard name.utf8.count == 41 + suffix.utf8.count else { return nil }
        let middle = name.utf8.index(name.startIndex, offsetBy: 21)
        guard let first = SegmentFolder.base(String(name[..<middle]), "-"),
            let last = SegmentFolder.base(String(name[middle...]), suffix), first <= last
        else { return nil }
        return SegmentName(first: first, last: last)
    }
}

extension SealedFile {
    /// Opens a sealed segment of the store in `folder`; nil: its head is damaged, of another version, or of another segment.
    static func open(
        _ disk: any Disk, folder: String, _ name: SegmentName, cache: BlockCache
    ) throws(SystemError) -> SealedFile? {
        guard let found = try open(disk, path: folder + "/" + name.file, cache: cache), found.isNamed(name) else {
            return nil
        }
        return found
    }

    /// Whether `name` is its own.
    func isNamed(_ name: SegmentName) -> Bool {
        name.first == firstSequence && name.last.map { $0 + 1 == nextSequence } ?? false
    }

    /// The version of a file whose header is that of a sealed segment, of any version; nil: it is not, or is damaged.
    static func version(of file: any DiskFile) throws(SystemError) -> Int? {
        let head = ByteBuffer(count: SealedHeader.bytes)
        let got = try unsafe file.read(into: head.bytes, at: 0)
        let view = unsafe head.view(got)
        let covered = SealedHeader.bytes - 4
        guard got == SealedHeader.bytes, unsafe view.u32(0) == SealedHeader.magic,
            unsafe view.u32(covered) == Checksum.crc32c(view.slice(0, covered))
        else { return nil }
        return unsafe Int(view.u16(4))
    }
}

/// The segments of a store at one moment.
struct SegmentList {
    /// Ascending; what is sealed hides what it was made from.
    var segments: [SegmentName] = []
    /// Log segments that a sealed one hides: left over from a crash, or about to be removed.
    var hidden: [UInt64] = []

    /// Lists `log/`, then `sealed/` of the store in `folder`: a segment that is sealed in between is met in one of them at least.
    init(_ disk: any Disk, _ folder: String) throws(SystemError) {
        let logs = try SegmentFolder.list(disk, folder + "/log", ".log")
        var names: [String] = []
        do throws(SystemError) {
            names = try disk.list(folder + "/sealed")
        } catch {
            if !error.isMissing { throw error }
        }
        self.init(logs: logs, sealed: names.compactMap { SealedFolder.segment($0) })
    }

    /// `logs`: ascending; `sealed`: in any order.
    init(logs: [UInt64], sealed: [SegmentName]) {
        // Of two sealed ones that overlap the wider one was made from the other.
        var kept: [SegmentName] = []
        for name in sealed.sorted(by: { ($0.first, $1.last ?? 0) < ($1.first, $0.last ?? 0) }) {
            if let before = kept.last, before.covers(name.first) { continue }
            kept.append(name)
        }
        var next = 0
        for base in logs {
            while next < kept.count, kept[next].first <= base {
                segments.append(kept[next])
                next += 1
            }
            if next > 0, kept[next - 1].covers(base) {
                hidden.append(base)
            } else {
                segments.append(.log(base))
            }
        }
        segments += kept[next...]
    }
}
