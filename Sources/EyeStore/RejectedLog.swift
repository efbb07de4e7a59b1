// Samples of rejected lines: a log of its own in `rejected/`, in small segments, bounded in bytes; the oldest segment goes when a new one
// would not fit. The writing half is used by one housekeeping thread of the writing process (which holds the store's lock), the
// reading half by any number of readers.

import EyeSystem
import Glibc

/// A rejected line, as it is kept. Texts are bytes; they are cut to their limits when appended.
public struct RejectedSample: Sendable, Equatable {
    /// 1, 2, 3, … in `rejected/`; set when it is read.
    public var id: UInt64 = 0
    public var received: Int64
    /// The code's word, such as `bad-json`.
    public var code: [UInt8]
    public var message: [UInt8]
    /// A number for the transport; the store does not know what it means.
    public var transport: UInt8
    /// Where it came from, as text.
    public var source: [UInt8]
    public var token: UInt32
    /// The line, or its first 4,096 bytes.
    public var line: [UInt8]

    public init(
        received: Int64, code: [UInt8], message: [UInt8], transport: UInt8, source: [UInt8], token: UInt32,
        line: [UInt8]
    ) {
        self.received = received
        self.code = code
        self.message = message
        self.transport = transport
        self.source = source
        self.token = token
        self.line = line
    }
}

extension Frame {
    /// Appends a rejected sample (for `RejectedLog` only). False: it does not fit, use the next frame.
    public func appendRejected(_ sample: RejectedSample) -> Bool {
        let code = sample.code.prefix(StoreLimits.rejectedLabelBytesMax)
        let message = sample.message.prefix(StoreLimits.rejectedMessageBytesMax)
        let source = sample.source.prefix(StoreLimits.rejectedLabelBytesMax)
        let line = sample.line.prefix(StoreLimits.rejectedLineBytesMax)
        let length = Record.headBytes + code.count + message.count + source.count + line.count
        guard
            let record = unsafe begin(
                kind: RecordKind.rejected, flags: sample.transport, length: length, token: sample.token,
                received: sample.received)
        else { return false }
        unsafe record.put(UInt16(code.count), 6)
        unsafe record.put(UInt16(message.count), 8)
        unsafe record.put(UInt16(source.count), 10)
        var offset = Record.headBytes
        for part in [code, message, source, line] {
            for byte in part {
                unsafe record.put(byte, offset)
                offset += 1
            }
        }
        return true
    }
}

/// The writing end of `rejected/`.
public final class RejectedLog {
    let log: LogWriter
    let disk: any Disk
    let folder: String
    private let bytesMax: Int64
    /// The closed ones.
    var segments: [(base: UInt64, bytes: Int64)] = []
    /// Samples that had to go to make room, in this process's life.
    public private(set) var evictedCount: UInt64 = 0
    /// What the start found damaged, in words; it is no reason not to start.
    public let damage: [String]

    /// Opens (or makes) `rejected/` in the data folder; the caller holds the store's lock. At most about `bytesMax` bytes are kept.
    public static func open(
        _ disk: any Disk, folder: String, bytesMax: Int64 = 16 << 20, options: StoreOptions = StoreOptions(),
        time: any TimeSource = SystemTime()
    ) throws(StoreOpenError) -> RejectedLog {
        var own = options
        own.segmentBytes = max(bytesMax / 8, 4096)
        let folder = folder + "/rejected"
        var damage: [String] = []
        do throws(SystemError) {
            damage = try RejectedTidying(disk, folder: folder).run()
        } catch {
            throw .unusable(path: folder, error)
        }
        let recovered = try LogRecovery(disk, folder: folder, options: own, time: time, mayLoseSegments: true).run()
        // What was set aside is missing, and was told.
        for place in recovered.report.damage where damage.isEmpty || place.cause != .missingSegment {
            damage.append("rejected/\(place.file): \(place.what)")
        }
        do throws(SystemError) {
            return try RejectedLog(recovered, damage, disk, folder: folder, bytesMax: bytesMax)
        } catch {
            throw .unusable(path: folder, error)
        }
    }

    private init(
        _ recovered: RecoveredLog, _ damage: [String], _ disk: any Disk, folder: String, bytesMax: Int64
    ) throws(SystemError) {
        log = recovered.writer
        self.damage = damage
        self.disk = disk
        self.folder = folder
        self.bytesMax = bytesMax
        for name in recovered.segments where name.first != log.active.base {
            segments.append((name.first, try disk.open(path(name.first), .read).size()))
        }
    }

    /// The id that the next sample will get.
    public var nextID: UInt64 { log.position.nextSequence }

    /// Makes the samples in `frames` durable, after making room for them.
    public func commit(_ frames: ArraySlice<Frame>) throws(SystemError) -> CommitOutcome {
        let before = log.active
        let outcome = try log.append(frames)
        if log.active.base != before.base { segments.append((before.base, before.bytes)) }
        try evict()
        return outcome
    }

    /// `commit` of a whole array.
    public func commit(_ frames: [Frame]) throws(SystemError) -> CommitOutcome { try commit(frames[...]) }

    /// A clean stop.
    public func close() throws(SystemError) { try log.close() }

    private func evict() throws(SystemError) {
        var bytes = log.active.bytes
        for segment in segments { bytes += segment.bytes }
        while bytes > bytesMax, let oldest = segments.first {
            do throws(SystemError) { try disk.remove(path(oldest.base)) } catch {
                if error.errno != ENOENT { throw error }
            }
            segments.removeFirst()
            bytes -= oldest.bytes
            evictedCount += (segments.first?.base ?? log.active.base) - oldest.base
        }
    }

    private func path(_ base: UInt64) -> String { folder + "/log/" + SegmentFolder.name(base, ".log") }
}

/// The reading end of `rejected/`: small enough to be read without an index. One thread.
public final class RejectedReader {
    private let disk: any Disk
    private let folder: String
    private let watermark: WatermarkReader

    /// Reads `rejected/` in the data folder, which need not be there yet.
    public init(_ disk: any Disk, folder: String) {
        self.disk = disk
        self.folder = folder + "/rejected"
        watermark = WatermarkReader(disk, path: self.folder + "/watermark")
    }

    /// The id that the next sample will get; 1 while there is none.
    public func nextID() throws(SystemError) -> UInt64 { try mark()?.nextSequence ?? 1 }

    /// How far the samples are durable, by the file that has the name now.
    private func mark() throws(SystemError) -> Watermark? {
        if watermark.isReplaced() { watermark.reopen() }
        return try watermark.read()?.mark
    }

    /// Shows samples with ids below `before` (nil: all), newest first, until `body` returns false.
    public func list(before: UInt64? = nil, _ body: (RejectedSample) -> Bool) throws(SystemError) {
        for segment in try segments().reversed() {
            if let before, segment.base >= before { continue }
            for sample in try samples(segment).reversed() where before.map({ sample.id < $0 }) ?? true {
                if !body(sample) { return }
            }
        }
    }

    /// Shows samples with ids above `after`, oldest first, until `body` returns false.
    public func list(after: UInt64, _ body: (RejectedSample) -> Bool) throws(SystemError) {
        for segment in try segments() {
            if let next = segment.next, next - 1 <= after { continue }
            for sample in try samples(segment) where sample.id > after {
                if !body(sample) { return }
            }
        }
    }

    /// The sample with this id; nil: there is none (any more).
    public func find(_ id: UInt64) throws(SystemError) -> RejectedSample? {
        guard id < UInt64.max else { return nil }
        var found: RejectedSample?
        try list(before: id + 1) { sample in
            if sample.id == id { found = sample }
            return false
        }
        return found
    }

    private struct Segment {
        var base: UInt64
        /// Its durable bytes; nil: all.
        var durable: Int64?
        /// Where the next one begins; nil: it is the last.
        var next: UInt64?
    }

    /// Oldest first.
    private func segments() throws(SystemError) -> [Segment] {
        let mark = try mark()
        let bases = try SegmentFolder.list(disk, folder + "/log", ".log")
        return bases.enumerated().map { index, base in
            if index < bases.count - 1 { return Segment(base: base, durable: nil, next: bases[index + 1]) }
            return Segment(base: base, durable: mark?.segment == base ? mark?.bytes : 0, next: nil)
        }
    }

    /// All samples of a segment that can be read, oldest first.
    private func samples(_ segment: Segment) throws(SystemError) -> [RejectedSample] {
        var found: [RejectedSample] = []
        let scanner: SegmentScanner
        do throws(SystemError) {
            let file = try disk.open(folder + "/log/" + SegmentFolder.name(segment.base, ".log"), .read)
            var limit = try file.size()
            if let durable = segment.durable { limit = min(limit, durable) }
            scanner = SegmentScanner(file, base: segment.base, limit: limit)
        } catch {
            if error.isOutOfDescriptors { throw error }
            // Evicted while we looked, or nobody can read it: the others are shown.
            return []
        }
        while true {
            let step: ScanStep
            // As good as damaged from here on.
            do throws(SystemError) { step = try scanner.next() } catch { return found }
            switch step {
            case .end: return found
            case .bad, .working: continue
            case .frame(let frame):
                if let next = segment.next, frame.header.firstSequence >= next { return found }
                guard frame.header.kind == FrameKind.records else { continue }
                var offset = 0
                var id = frame.header.firstSequence
                while offset < frame.payloadCount, let record = unsafe RecordView.at(offset, of: frame.payload) {
                    offset += record.byteCount
                    if record.kind == RecordKind.rejected { found.append(RejectedSample(record, id: id)) }
                    id += 1
                }
            }
        }
    }
}

extension RejectedSample {
    init(_ record: RecordView, id: UInt64) {
        self.init(
            received: record.received, code: unsafe Array(record.code), message: unsafe Array(record.message),
            transport: record.flags, source: unsafe Array(record.source), token: record.token,
            line: unsafe Array(record.line))
        self.id = id
    }
}
