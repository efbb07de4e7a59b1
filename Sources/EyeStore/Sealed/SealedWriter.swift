// Writes the container of a sealed segment: blocks one after the other through a buffer, then the directory, the header last. A file
// without its header is none. Used by `SegmentSealer`, on the housekeeping thread.

import EyeSystem
import Glibc

/// A sealed segment's file while it is written.
final class SealedWriter {
    private let file: any DiskFile
    private let buffer = GrowingBytes(capacity: SealedWriter.bufferBytes)
    /// Where the buffer will be written.
    private var written = Int64(SealedHeader.bytes)
    private var parts: [GrowingBytes?]
    private let room: WorkRoom?

    private static let bufferBytes = 1 << 18

    /// `room`: what must be left when it has written.
    init(_ file: any DiskFile, room: WorkRoom? = nil) {
        self.file = file
        self.room = room
        parts = [GrowingBytes?](repeating: nil, count: 32)
    }

    /// The place of the next block.
    var offset: Int64 { written + Int64(buffer.count) }

    /// Writes a block that some other block will point to.
    func put(_ bytes: UnsafeRawBufferPointer) throws(SystemError) -> SealedPlace {
        precondition(bytes.count <= StoreLimits.sealedBlockBytesMax, "no block is larger than readers take")
        let place = unsafe SealedPlace(offset: offset, bytes: bytes.count, checksum: Checksum.crc32c(bytes))
        unsafe buffer.append(bytes)
        if buffer.count >= SealedWriter.bufferBytes { try flush() }
        return place
    }

    /// Writes the next block of `part`.
    func add(_ part: SealedPart, _ bytes: UnsafeRawBufferPointer) throws(SystemError) {
        let place = try unsafe put(bytes)
        let list = parts[part.rawValue] ?? GrowingBytes(capacity: 1024)
        parts[part.rawValue] = list
        list.append(place)
    }

    /// Blocks of `part` so far.
    func count(_ part: SealedPart) -> Int { (parts[part.rawValue]?.count ?? 0) / SealedPlace.entryBytes }

    /// Writes what is buffered.
    func flush() throws(SystemError) {
        if buffer.count == 0 { return }
        try room?.check(buffer.count)
        try unsafe file.write(buffer.view, at: written)
        written += Int64(buffer.count)
        buffer.removeAll()
    }

    /// Reads a block back, which is ours and whole.
    func read(_ place: SealedPlace) throws(SystemError) -> ByteBuffer {
        if place.offset + Int64(place.bytes) > written { try flush() }
        let block = ByteBuffer(count: place.bytes + PackedNumbers.slackBytes)
        // In bounds: the buffer was made for it.
        let got = try unsafe file.read(
            into: UnsafeMutableRawBufferPointer(rebasing: block.bytes[0..<place.bytes]), at: place.offset)
        guard got == place.bytes, unsafe Checksum.crc32c(block.sealedView) == place.checksum else {
            // The disk does not give back what was just written.
            throw SystemError(errno: EIO, call: "pread")
        }
        return block
    }

    /// Writes directory and header, and syncs the file; returns its bytes.
    func finish(_ header: SealedHeader) throws(SystemError) -> Int64 {
        let directory = GrowingBytes(capacity: 4096)
        for part in SealedPart.allCases {
            let list = parts[part.rawValue]
            directory.append(number: UInt32(part.rawValue))
            directory.append(number: UInt32(count(part)))
            if let list { unsafe directory.append(list.view) }
        }
        try flush()
        let start = written
        try room?.check(directory.count + SealedHeader.bytes)
        let checksum = unsafe Checksum.crc32c(directory.view)
        try unsafe file.write(directory.view, at: start)
        let bytes = start + Int64(directory.count)
        let place = SealedPlace(offset: start, bytes: directory.count, checksum: checksum)
        let head = header.encoded(place, fileBytes: bytes)
        // Its bytes must outlast the call that reads them.
        defer { withExtendedLifetime(head) {} }
        try unsafe file.write(head.view, at: 0)
        CrashPoint.reach(.sealedWritten)
        try file.synchronize()
        return bytes
    }
}

extension GrowingBytes {
    func append(_ place: SealedPlace) {
        append(number: place.offset)
        append(number: UInt32(place.bytes))
        append(number: place.checksum)
    }
}
