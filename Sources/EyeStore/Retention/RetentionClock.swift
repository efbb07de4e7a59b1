// The clock that ages are measured by. The wall clock cannot be trusted with it: one that is a century ahead would have everything dropped.
// Invariant: it follows the wall clock, never goes back, and advances at most twice as fast as time passes while the service runs; so,
// whatever the wall clock says, nothing is dropped by its age before the service has run for half of that age. Where it has come to is
// kept in the file `retention`. Pure but for that file; the housekeeping thread's.

import EyeSystem
import Glibc

/// The clock of retention by age.
struct RetentionClock: Equatable {
    /// Where it stands, µs since 1970 UTC.
    private(set) var reached: Int64
    /// The newest event that was dropped by age: what stands behind it in the log is not older, whatever it bears.
    var droppedThrough = Int64.min
    private var monotonic: UInt64

    /// No clock that is right shows less: 2026-01-01. One that does was never set.
    static let earliest: Int64 = 1_767_225_600_000_000
    /// How many times faster than time passes it may catch up.
    static let hasteMax: Int64 = 2

    /// The first one of a store. `evidence`: the newest time that the store itself knows of, µs since 1970 UTC. Nil: the wall clock was
    /// never set.
    init?(evidence: Int64, wall: Int64, monotonicNanoseconds: UInt64) {
        guard wall >= RetentionClock.earliest else { return nil }
        reached = min(max(evidence, RetentionClock.earliest), wall)
        monotonic = monotonicNanoseconds
    }

    private init(reached: Int64, droppedThrough: Int64, monotonicNanoseconds: UInt64) {
        self.reached = reached
        self.droppedThrough = droppedThrough
        monotonic = monotonicNanoseconds
    }

    /// Time has passed.
    mutating func advance(wall: Int64, monotonicNanoseconds now: UInt64) {
        let witnessed = Int64((now - min(monotonic, now)) / 1000)
        monotonic = max(monotonic, now)
        reached = max(reached, min(wall, reached + witnessed * RetentionClock.hasteMax))
    }
}

// MARK: The file

extension RetentionClock {
    /// Its name in the data folder.
    static let fileName = "retention"
    /// FE 45 59 52, as a little-endian number.
    static let magic: UInt32 = 0x5259_45FE
    static let fileBytes = 64

    /// Reads it back; nil: there is none, or it is damaged or of another version: then the store's own evidence has to do.
    static func read(
        _ disk: any Disk, folder: String, monotonicNanoseconds: UInt64
    ) throws(SystemError) -> RetentionClock? {
        let buffer = ByteBuffer(count: fileBytes)
        let got: Int
        do throws(SystemError) {
            got = try unsafe disk.open(folder + "/" + fileName, .read).read(into: buffer.bytes, at: 0)
        } catch {
            if error.isMissing || error.errno == EIO { return nil }
            throw error
        }
        let view = unsafe buffer.view(got)
        guard got == fileBytes, unsafe view.u32(0) == magic, unsafe view.u16(4) == UInt16(FormatVersion.current),
            unsafe view.u32(60) == Checksum.crc32c(view.slice(0, 60))
        else { return nil }
        let reached = unsafe view.i64(8)
        guard reached >= earliest, reached < Int64.max >> 1 else { return nil }
        return unsafe RetentionClock(
            reached: reached, droppedThrough: view.i64(16), monotonicNanoseconds: monotonicNanoseconds)
    }

    /// Puts it in the place of the one before, durably.
    func write(_ disk: any Disk, folder: String) throws(SystemError) {
        let path = folder + "/" + RetentionClock.fileName
        let out = GrowingBytes(capacity: RetentionClock.fileBytes)
        out.append(number: RetentionClock.magic)
        out.append(number: UInt16(FormatVersion.current))
        out.append(number: UInt16(0))
        out.append(number: reached)
        out.append(number: droppedThrough)
        out.appendZeros(RetentionClock.fileBytes - 4 - out.count)
        out.append(number: unsafe Checksum.crc32c(out.view))
        try disk.removeIfPresent(path + ".new")
        let file = try disk.open(path + ".new", .create)
        try unsafe file.write(out.view, at: 0)
        try file.synchronize()
        try disk.rename(path + ".new", to: path)
        try disk.synchronizeDirectory(folder)
    }
}
