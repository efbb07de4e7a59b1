// What a start does about files of `rejected/` that nothing can be read of: samples are bounded diagnostics, so such a file is told and put
// out of the way, and the start goes on. Invariant: a file that has a sample that can be read keeps its place. Called by
// `RejectedLog.open`, before the recovery, under the store's lock.

import EyeSystem

/// Puts files of a rejected log aside that would stop its recovery, or be told as damage for good.
struct RejectedTidying {
    private let disk: any Disk
    private let folder: String
    private var log: String { folder + "/log" }

    init(_ disk: any Disk, folder: String) {
        self.disk = disk
        self.folder = folder
    }

    /// What it found, in words. Throws what cannot be put aside: then the disk, or the folder, is the matter.
    func run() throws(SystemError) -> [String] {
        var told: [String] = []
        var aside: [String] = []
        for base in try SegmentFolder.list(disk, log, ".log") {
            let name = SegmentFolder.name(base, ".log")
            guard let flaw = try flaw(of: base, log + "/" + name) else { continue }
            aside.append(name)
            told.append("rejected/log/\(name): \(flaw); set aside as .bad")
        }
        if !aside.isEmpty {
            // Those of earlier starts make room: what is kept stays bounded.
            for name in try disk.list(log) where name.hasSuffix(".bad") { try disk.removeIfPresent(log + "/" + name) }
            for name in aside { try disk.rename(log + "/" + name, to: log + "/" + name + ".bad") }
            try disk.synchronizeDirectory(log)
        }
        if let error = try watermarkFailure() {
            // Derived from the log.
            try disk.removeIfPresent(folder + "/watermark")
            try disk.synchronizeDirectory(folder)
            told.append("rejected/watermark: it cannot be read (\(error)); made anew")
        }
        return told
    }

    /// Why nothing can be read of a segment's file; nil: something can, or it is of a newer version, which recovery refuses.
    private func flaw(of base: UInt64, _ path: String) throws(SystemError) -> String? {
        do throws(SystemError) {
            let file = try disk.open(path, .read)
            let bytes = try file.size()
            if bytes == 0 { return "it is empty" }
            if let header = try SegmentHeader.read(file), header.base == base || header.version > FormatVersion.current
            {
                return nil
            }
            let scanner = SegmentScanner(file, base: base, limit: bytes)
            while true {
                switch try scanner.next() {
                case .frame: return nil
                case .end: return CorruptionCause.foreignFile.text
                case .bad, .working: continue
                }
            }
        } catch {
            if error.isMissing { return nil }
            if error.isOutOfDescriptors { throw error }
            return "it cannot be read (\(error))"
        }
    }

    private func watermarkFailure() throws(SystemError) -> SystemError? {
        do throws(SystemError) {
            _ = try WatermarkReader(disk, path: folder + "/watermark").read()
            return nil
        } catch {
            if error.isOutOfDescriptors { throw error }
            return error
        }
    }
}
