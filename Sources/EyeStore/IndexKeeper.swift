// Makes the index of every closed segment, as background work of the writing process.

import EyeSystem

/// The writer's index building.
final class IndexKeeper: @unchecked Sendable {
    init(_ disk: any Disk, folder: String, active: UInt64, seed: UInt64) throws(SystemError) {}
    func add(_ base: UInt64) {}
    func step() throws(SystemError) -> Bool { false }
}
