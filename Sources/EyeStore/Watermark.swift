// The durable position, published by the writer after each fdatasync and followed by readers: two slots in one small file, written
// in turn, so that one is always whole. The writing half is used by the appender; the reading half by any number of readers.

import EyeSystem
import Glibc

/// How far the log is durable.
struct Watermark: Equatable {
    /// FE 45 59 57, as a little-endian number.
    static let magic: UInt32 = 0x5759_45FE
    static let slotBytes = 64
    static let slotDistance = 512
    static let fileBytes = slotDistance + slotBytes

    var generation: UInt64 = 0
    /// The active segment, by its first sequence.
    var segment: UInt64 = 0
    /// Durable bytes of it.
    var bytes: Int64 = 0
    var nextSequence: UInt64 = 1
    var nextEventID: UInt64 = 1
    /// The last durable commit.
    var commit: UInt64 = 0
    /// Tombstones in the active segment up to `bytes`, so that readers need not look for more.
    var tombstones: UInt32 = 0

    func write(to pointer: UnsafeMutableRawPointer) {
        unsafe pointer.put(Watermark.magic, 0)
        unsafe pointer.put(UInt16(FormatVersion.current), 4)
        unsafe pointer.put(UInt16(0), 6)
        unsafe pointer.put(generation, 8)
        unsafe pointer.put(segment, 16)
        unsafe pointer.put(bytes, 24)
        unsafe pointer.put(nextSequence, 32)
        unsafe pointer.put(nextEventID, 40)
        unsafe pointer.put(commit, 48)
        unsafe pointer.put(tombstones, 56)
        unsafe pointer.put(Checksum.crc32c(UnsafeRawBufferPointer(start: pointer, count: 60)), 60)
    }

    /// The watermark in a slot, and the slot's version; nil: damaged.
    static func parse(_ slot: UnsafeRawBufferPointer) -> (mark: Watermark, version: Int)? {
        guard unsafe slot.count >= slotBytes && slot.u32(0) == magic else { return nil }
        guard unsafe slot.u32(60) == Checksum.crc32c(slot.slice(0, 60)) else { return nil }
        let mark = unsafe Watermark(
            generation: slot.u64(8), segment: slot.u64(16), bytes: slot.i64(24), nextSequence: slot.u64(32),
            nextEventID: slot.u64(40), commit: slot.u64(48), tombstones: slot.u32(56))
        let highest = UInt64.max >> 1
        guard mark.generation < highest, mark.nextSequence < highest, mark.nextEventID < highest,
            mark.commit < highest, mark.bytes >= 0
        else { return nil }
        return unsafe (mark, Int(slot.u16(4)))
    }
}

/// Follows a watermark file.
final class WatermarkReader {
    private let disk: any Disk
    private let path: String
    private var file: (any DiskFile)?
    /// Which one that is. While it is open no other file gets its inode.
    private var opened: FileStamp?
    private let buffer = ByteBuffer(count: Watermark.fileBytes)

    init(_ disk: any Disk, path: String) {
        self.disk = disk
        self.path = path
    }

    /// The newest whole slot; nil: no file, or none. `version`: the highest version seen in a whole slot. `isSure`: both are whole; if not,
    /// something newer may have stood in the other one.
    func read() throws(SystemError) -> (mark: Watermark, version: Int, isSure: Bool)? {
        if file == nil {
            do throws(SystemError) {
                // Looked at first: one that takes its place in between is taken for another later, not for this one.
                opened = try disk.stamp(path)
                file = try disk.open(path, .read)
            } catch {
                if error.errno == ENOENT { return nil }
                throw error
            }
        }
        guard let file else { return nil }
        // A slot that is being written while we read it is not whole; the other one is, and a second look finds both.
        var best: (mark: Watermark, version: Int, isSure: Bool)?
        for _ in 0..<2 {
            let got = try unsafe file.read(into: buffer.bytes, at: 0)
            var version = 0
            var whole = 0
            for offset in [0, Watermark.slotDistance] where got >= offset + Watermark.slotBytes {
                let slot = unsafe buffer.view(got).slice(offset, Watermark.slotBytes)
                guard let found = unsafe Watermark.parse(slot) else { continue }
                whole += 1
                version = max(version, found.version)
                if best.map({ $0.mark.generation < found.mark.generation }) ?? true {
                    best = (found.mark, version, false)
                }
            }
            best?.version = version
            best?.isSure = whole == 2
            if whole == 2 { break }
        }
        // The file may have been replaced (a deleted one is made anew at the next start).
        if best == nil { self.file = nil }
        return best
    }

    /// Opens the file anew next time: called when its content does not fit the segments that are there.
    func reopen() { file = nil }

    /// Whether another file has its name by now, at the price of one stat(2). One that has no name any more may still be written: it is
    /// followed on.
    func isReplaced() -> Bool {
        guard file != nil, let opened else { return false }
        do throws(SystemError) { return try !disk.stamp(path).isSameFile(as: opened) } catch { return false }
    }
}

/// Publishes a watermark.
@safe
final class WatermarkWriter {
    private let file: any DiskFile
    private let buffer = ByteBuffer(count: Watermark.slotBytes)
    private let piece: UnsafeMutablePointer<UnsafeRawBufferPointer>
    /// What was published last.
    private(set) var current: Watermark

    /// Opens the file, or makes one. `from`: what is known of the past, with its generation.
    init(_ disk: any Disk, folder: String, from: Watermark) throws(SystemError) {
        let path = folder + "/watermark"
        unsafe piece = .allocate(capacity: 1)
        unsafe piece.initialize(to: buffer.view(Watermark.slotBytes))
        current = from
        var opened: (any DiskFile)?
        do throws(SystemError) {
            let file = try disk.open(path, .write)
            // One that is too short would have to grow at every publication.
            if try file.size() >= Int64(Watermark.fileBytes) { opened = file } else { try disk.remove(path) }
        } catch {
            if error.errno != ENOENT { throw error }
        }
        if let opened {
            file = opened
        } else {
            let temporary = path + ".new"
            do throws(SystemError) { try disk.remove(temporary) } catch { if error.errno != ENOENT { throw error } }
            file = try disk.open(temporary, .create)
            let empty = ByteBuffer(count: Watermark.fileBytes)
            unsafe empty.bytes.initializeMemory(as: UInt8.self, repeating: 0)
            try unsafe file.write(UnsafeRawBufferPointer(empty.bytes), at: 0)
            try file.synchronize()
            try disk.rename(temporary, to: path)
            try disk.synchronizeDirectory(folder)
        }
    }

    deinit { unsafe piece.deallocate() }

    /// Publishes `mark` under the next generation.
    func publish(_ mark: Watermark) throws(SystemError) {
        var next = mark
        next.generation = current.generation + 1
        unsafe next.write(to: buffer.bytes.baseAddress.unsafelyUnwrapped)
        let slot = Int64(next.generation & 1) * Int64(Watermark.slotDistance)
        try unsafe file.write(UnsafeBufferPointer(start: piece, count: 1), at: slot)
        current = next
    }

    /// Makes it durable: at start and at a clean stop.
    func synchronize() throws(SystemError) { try file.synchronize() }
}
