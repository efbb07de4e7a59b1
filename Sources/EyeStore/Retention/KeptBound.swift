// Since which event a store keeps, for those who look at the folders themselves: `verify` and `backup`, beside a running writer. Any process,
// any thread.

import EyeSystem
import Glibc

/// The first event id that a store keeps.
enum KeptBound {
    /// What the newest readable header in `folder` says now; 1: everything is kept.
    static func read(_ disk: any Disk, folder: String) throws(SystemError) -> UInt64 {
        for name in try SegmentList(disk, folder).segments.reversed() {
            do throws(SystemError) {
                if name.isSealed {
                    let file = try SealedFile.open(disk, folder: folder, name, cache: BlockCache(bytesMax: 0))
                    if let file { return file.header.firstKeptEventID }
                } else if let header = try SegmentHeader.read(disk.open(folder + "/" + name.file, .read)) {
                    return header.firstKeptEventID
                }
            } catch {
                // Gone, or unreadable: an older one says less, and never too much.
                if error.errno == EMFILE || error.errno == ENFILE { throw error }
            }
        }
        return 1
    }
}
