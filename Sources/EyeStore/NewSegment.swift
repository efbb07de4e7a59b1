// A new segment of a log: how its file comes to be, with an opening that holds what must outlive older segments. Invariant: a segment
// that has its name is whole and durable. Used by the log's writer, by recovery and by the erasure of samples.

import EyeSystem
import Glibc

/// A segment about to be made: under a temporary name, synced, renamed, the folder synced.
struct NewSegment {
    var base: UInt64
    var position: LogPosition
    var salt: UInt32
    var created: Int64
    /// Tombstones in the segment before; `SegmentHeader.unknownTombstones`: not known.
    var tombstonesBefore: UInt32

    static func removeLeftover(_ disk: any Disk, folder: String, base: UInt64) throws(SystemError) {
        do throws(SystemError) {
            try disk.remove(folder + "/log/" + SegmentFolder.name(base, ".log.new"))
        } catch {
            if error.errno != ENOENT { throw error }
        }
    }

    /// Makes it, with the clients' sequences and `tail`: frames that recovery found behind the durable position. With `segments`, its
    /// folder held open, a lack of descriptors shows before there is anything of it.
    func make(
        _ disk: any Disk, folder: String, clients: ClientTable, tail: [(header: FrameHeader, payload: [UInt8])],
        in segments: (any DiskDirectory)? = nil
    ) throws(SystemError) -> ActiveSegment {
        let log = folder + "/log"
        let path = log + "/" + SegmentFolder.name(base, ".log")
        try NewSegment.removeLeftover(disk, folder: folder, base: base)
        let file = try disk.open(path + ".new", .create)
        CrashPoint.reach(.segmentCreated)
        let head = ByteBuffer(count: StoreLimits.headerBytes)
        let header = SegmentHeader(
            base: base, firstEventID: position.nextEventID, created: created, salt: salt,
            tombstonesBefore: tombstonesBefore, commit: position.commit, firstKeptEventID: position.firstKeptEventID)
        var crc = unsafe header.write(to: head.bytes.baseAddress.unsafelyUnwrapped)
        try unsafe file.write(UnsafeRawBufferPointer(head.bytes), at: 0)
        var bytes = Int64(StoreLimits.headerBytes)

        var frames: [Frame] = [Frame()]
        clients.forEachKept { client in
            let full = !frames[frames.count - 1].appendKept(client)
            if full {
                frames.append(Frame())
                _ = frames[frames.count - 1].appendKept(client)
            }
        }
        for (index, frame) in frames.enumerated() {
            var header = FrameHeader()
            header.kind = FrameKind.opening
            header.flags =
                (index == 0 ? FrameFlag.first : 0) | (index == frames.count - 1 ? FrameFlag.last : 0)
            header.salt = salt
            header.commit = position.commit
            header.firstSequence = base
            header.firstEventID = position.nextEventID
            header.previousCRC = crc
            header.commitBytes = UInt32(bytes - Int64(StoreLimits.headerBytes))
            let whole = unsafe frame.complete(&header)
            try unsafe file.write(whole.bytes, at: bytes)
            crc = unsafe whole.crc
            unsafe bytes += Int64(whole.bytes.count)
        }

        var tailStart = bytes
        var tombstones: UInt32 = 0
        for old in tail {
            var header = old.header
            header.salt = salt
            header.previousCRC = crc
            if header.flags & FrameFlag.first != 0 { tailStart = bytes }
            header.commitBytes = UInt32(bytes - tailStart)
            let frame = ByteBuffer(count: header.frameBytes)
            let start = unsafe frame.bytes.baseAddress.unsafelyUnwrapped
            let headerCRC = unsafe header.write(to: start)
            // In bounds: the buffer has the frame's size.
            let payload = unsafe UnsafeMutableRawBufferPointer(
                start: start + StoreLimits.headerBytes, count: header.payloadBytes)
            unsafe payload.copyBytes(from: old.payload)
            if header.flags & FrameFlag.mixed != 0 {
                tombstones += unsafe SegmentErasures.count(
                    in: UnsafeRawBufferPointer(payload), firstSequence: header.firstSequence,
                    firstEventID: header.firstEventID)
            }
            crc = unsafe FrameHeader.seal(
                payloadCRC: Checksum.crc32c(UnsafeRawBufferPointer(payload)), headerCRC: headerCRC)
            unsafe start.put(crc, StoreLimits.headerBytes + header.payloadBytes)
            try unsafe file.write(UnsafeRawBufferPointer(frame.bytes), at: bytes)
            bytes += Int64(header.frameBytes)
        }
        try file.synchronize()
        CrashPoint.reach(.headerSynced)
        try disk.rename(path + ".new", to: path)
        CrashPoint.reach(.segmentRenamed)
        if let segments { try segments.synchronize() } else { try disk.synchronizeDirectory(log) }
        CrashPoint.reach(.folderSynced)
        return ActiveSegment(
            file: file, base: base, salt: salt, bytes: bytes, previousCRC: crc, hasRecords: !tail.isEmpty,
            tombstones: tombstones, oldestTombstone: tombstones > 0 ? created : Int64.max,
            firstKeptEventID: position.firstKeptEventID)
    }
}

extension Frame {
    /// Appends the first event id that retention keeps, to an empty frame.
    func appendRetention(firstKeptEventID id: UInt64, received: Int64) {
        guard
            let record = unsafe begin(
                kind: RecordKind.retention, flags: 0, length: Record.retentionBytes, token: 0, received: received)
        else { preconditionFailure("an empty frame takes a record of some bytes") }
        unsafe record.put(id, 24)
    }

    /// Appends what an opening keeps of a client. False: the frame is full.
    func appendKept(_ client: ClientTable.Client) -> Bool {
        let length = Record.clientBytes + client.name.count
        guard
            let record = unsafe begin(
                kind: RecordKind.client, flags: 0, length: length, token: client.token, received: client.lastSeen)
        else { return false }
        unsafe record.put(client.sequence, 24)
        for index in 0..<client.name.count { unsafe record.put(client.name[index], Record.clientBytes + index) }
        return true
    }
}
