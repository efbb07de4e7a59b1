// Room on the disk for work that gives room back: sealing a segment, writing one anew without what was erased, and tombstones. Events stop
// at `--min-free-bytes`; this may go on through a part of that, so that a store that a burst has filled drains by itself, and stops well
// before the last byte. A value without state, for any thread.

import EyeSystem
import Glibc

/// The room that is left to work which makes room.
struct WorkRoom: Sendable {
    private let disk: any Disk
    private let folder: String
    /// So many bytes stay free; 0: there is no floor, the disk itself says when it is full.
    let floorBytes: UInt64

    init(_ disk: any Disk, folder: String, options: StoreOptions) {
        self.disk = disk
        self.folder = folder
        floorBytes = options.minFreeBytes - options.minFreeBytes / StoreLimits.workReservePart
    }

    /// Throws ENOSPC when `bytes` more would leave less than the floor.
    func check(_ bytes: Int) throws(SystemError) {
        guard floorBytes > 0, try disk.freeBytes(folder) < floorBytes + UInt64(bytes) else { return }
        throw SystemError(errno: ENOSPC, call: WorkRoom.call)
    }

    /// Whether `error` is this floor's, and not the disk's own.
    static func isFloor(_ error: SystemError) -> Bool { error.isFull && error.call.description == call.description }

    /// Why background work stopped, for people.
    static func text(_ error: SystemError) -> String {
        if isFloor(error) { return "no room: less than half of --min-free-bytes would be left" }
        return error.isFull ? "no room" : "\(error)"
    }

    private static let call: StaticString = "statvfs"
}

extension SegmentKeeper {
    /// There was no room for what is under way.
    func noteTried() {
        if let job = desk.job, case .sealing(let sealer) = job.what { desk.tried = (job.base, sealer.writtenBytes) }
        if let rewrite = desk.rewrite, case .sealing(let sealer) = rewrite.what {
            desk.tried = (rewrite.name.first, sealer.writtenBytes)
        }
    }

    /// Whether a try at the segment can get further than the last one. Written in vain every few seconds, a full disk would be worn out.
    func checkRoom(_ base: UInt64) throws(SystemError) {
        try room.check(desk.tried?.base == base ? Int(desk.tried?.bytes ?? 0) : 0)
    }
}
