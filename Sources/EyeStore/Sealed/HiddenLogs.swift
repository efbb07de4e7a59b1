// Logs beside the sealed segment that was made of them, and says otherwise: which of the two is right. Parts of `SegmentKeeper`; on the
// housekeeping thread.

import EyeSystem

extension SegmentKeeper {
    /// Whether the log has all that the sealed segment's name says: then it is the truth. One that is damaged, shorter or a stranger's is not.
    func isWhole(log base: UInt64, as sealed: SegmentName) throws(SystemError) -> Bool {
        guard base == sealed.first, let last = sealed.last else { return false }
        let found = try SegmentReading(disk, log: folder + "/log").read(base, durable: 0, next: last + 1)
        return found.header != nil && found.damage.isEmpty && found.position.nextSequence == last + 1
    }

    /// The log is kept under a name that nobody looks at, and the sealed segment serves.
    func setAside(log base: UInt64, _ sealed: SegmentName) throws(SystemError) {
        let path = path(base, "log", ".log")
        try disk.rename(path, to: path + ".bad")
        try disk.synchronizeDirectory(folder + "/log")
        fail(
            "\(SegmentName.log(base).file) is not what \(sealed.file) was made of; that one is used, "
                + "the log was renamed to .bad")
        listAgain()
    }

    /// Whether a sealed segment was made of a log with damage: as much of that as was whole.
    func isMadeOfDamage(_ sealed: SealedFile) -> Bool {
        do throws(IndexFault) { return try !sealed.allGaps().isEmpty } catch { return false }
    }
}
