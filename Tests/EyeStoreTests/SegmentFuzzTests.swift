// Segments that no writer of ours has written, some with checksums that are right: reading them names damage, gives records that lie inside
// the file, and never crashes.

import EyeSystem
import EyeTestVectors
import Foundation
import Testing

@testable import EyeStore

@Suite struct SegmentFuzzTests {
    private static func number(_ bytes: [UInt8], _ at: Int) -> UInt32 {
        (0..<4).reduce(0) { $0 | UInt32(bytes[at + $1]) << UInt32(8 * $1) }
    }

    private static func put(_ value: UInt32, _ bytes: inout [UInt8], _ at: Int) {
        for index in 0..<4 { bytes[at + index] = UInt8(truncatingIfNeeded: value >> UInt32(8 * index)) }
    }

    private static func checksum(_ bytes: ArraySlice<UInt8>, continuing previous: UInt32 = 0) -> UInt32 {
        bytes.withUnsafeBytes { Checksum.crc32c($0, continuing: previous) }
    }

    /// Whether the checksums of an input shall be right: most mutations would get no further than them.
    private static func isSigned(_ input: [UInt8]) -> Bool { (input.last ?? 0) % 4 != 0 }

    // MARK: The log

    /// Makes every checksum of a log segment right, as far as its lengths lead (docs/format.md).
    private static func signedLog(_ input: [UInt8]) -> [UInt8] {
        var bytes = input
        guard bytes.count >= 64 else { return bytes }
        put(checksum(bytes[0..<60]), &bytes, 60)
        var previous = number(bytes, 60)
        var at = 64
        while at + 68 <= bytes.count {
            let payload = Int(number(bytes, at + 8))
            guard payload <= bytes.count - at - 68 else { return bytes }
            put(previous, &bytes, at + 48)
            put(checksum(bytes[at..<(at + 60)]), &bytes, at + 60)
            let end = at + 64 + payload
            previous = checksum(bytes[(at + 60)..<(at + 64)], continuing: checksum(bytes[(at + 64)..<end]))
            put(previous, &bytes, end)
            at = end + 4
        }
        return bytes
    }

    /// A log segment with every kind of record.
    private static func fixture(_ count: Int) throws -> SealedFixture {
        var events = SealedFileTests.visits(count, seed: 5)
        for index in events.indices where index % 7 == 0 {
            events[index].eventID = ID128(high: UInt64(index), low: 9)
            events[index].data = SealedFileTests.nasty[index % SealedFileTests.nasty.count].prefix(200) + ""
        }
        return try SealedFixture(events) {
            #expect($0.appendSession(ID128(high: 1, low: 2), received: 3, token: 4))
            #expect($0.appendTombstone([1...1][...], flags: TombstoneFlag.sequences, received: 5, token: 6))
        }
    }

    @Test func log() throws {
        let fixture = try Self.fixture(12)
        // Its folder goes with it.
        defer { withExtendedLifetime(fixture) {} }
        let bytes = try #require(FileManager.default.contents(atPath: fixture.logPath))
        var fuzzing = Fuzzing("log", seeds: [Array(bytes)])
        try fuzzing.run { input in
            let file = DamagedFile(Self.isSigned(input) ? Self.signedLog(input) : input)
            let scanner = SegmentScanner(file, base: 1, limit: Int64(file.bytes.count))
            var said: [String] = []
            var records = 0
            var steps = 0
            scanning: while true {
                steps += 1
                // Each step but the last takes at least a byte.
                if steps > file.bytes.count + 2 { throw Disagreement("a scan without an end") }
                switch try scanner.next() {
                case .end: break scanning
                case .working: continue
                case .bad(let offset, let bytes, let cause):
                    guard offset >= 0, bytes > 0, offset + bytes <= Int64(file.bytes.count) else {
                        throw Disagreement("damage outside of the file")
                    }
                    said.append("\(cause)")
                case .frame(let frame):
                    guard frame.end <= Int64(file.bytes.count) else {
                        throw Disagreement("a frame outside of the file")
                    }
                    var offset = 0
                    while offset < frame.payloadCount, let record = RecordView.at(offset, of: frame.payload) {
                        offset += record.byteCount
                        records += 1
                        Self.read(record)
                    }
                    if frame.header.kind == FrameKind.records && offset != frame.payloadCount {
                        throw Disagreement("a valid frame with a record that is none")
                    }
                    said.append("frame")
                }
            }
            return "\(Set(said).sorted()) \(min(records, 3))"
        }
    }

    /// Looks at every part of a record.
    private static func read(_ record: RecordView) {
        var sum = 0
        switch record.kind {
        case Record.eventKind: sum += record.category.count + record.name.count + record.data.count
        case RecordKind.rejected: sum += RejectedSample(record, id: 1).line.count
        default: break
        }
        #expect(sum <= record.byteCount)
    }

    // MARK: Sealed

    /// Makes every checksum of a sealed segment right, as far as its lengths lead.
    private static func signedSealed(_ input: [UInt8]) -> [UInt8] {
        var bytes = input
        guard bytes.count >= SealedHeader.bytes else { return bytes }
        // Its own length, or nothing of it would be looked at.
        put(UInt32(bytes.count), &bytes, 128)
        put(0, &bytes, 132)
        let start = Int(number(bytes, 112))
        let length = Int(number(bytes, 120))
        if start <= bytes.count, length <= bytes.count - start {
            var at = start
            while at + 8 <= start + length {
                let blocks = Int(number(bytes, at + 4))
                at += 8
                for _ in 0..<min(blocks, (start + length - at) / SealedPlace.entryBytes) {
                    let offset = Int(number(bytes, at))
                    let count = Int(number(bytes, at + 8))
                    if offset <= bytes.count, count <= bytes.count - offset {
                        put(checksum(bytes[offset..<(offset + count)]), &bytes, at + 12)
                    }
                    at += SealedPlace.entryBytes
                }
            }
            put(checksum(bytes[start..<(start + length)]), &bytes, 124)
        }
        put(checksum(bytes[0..<188]), &bytes, 188)
        return bytes
    }

    @Test func sealed() throws {
        let fixture = try Self.fixture(60)
        defer { withExtendedLifetime(fixture) {} }
        _ = try fixture.seal()
        let bytes = try #require(FileManager.default.contents(atPath: fixture.folder.path + "/a.seg"))
        #expect(Self.signedSealed(Array(bytes)) == Array(bytes))
        var fuzzing = Fuzzing("sealed", seeds: [Array(bytes)])
        try fuzzing.run { input in
            let file = DamagedFile(Self.isSigned(input) ? Self.signedSealed(input) : input)
            guard let blocks = try SealedBlocks(file, cache: BlockCache(bytesMax: 1 << 20)) else { return "not opened" }
            let sealed = SealedFile(blocks)
            var said = "whole"
            do throws(IndexFault) {
                try sealed.checkAll()
            } catch {
                said = "damaged"
            }
            let scratch = SealedScratch()
            var found = 0
            // A header may promise any number of rows.
            for row in 0..<min(sealed.rows, 200) {
                do throws(IndexFault) {
                    _ = try sealed.eventID(ofRow: row)
                    _ = TestEvent(try sealed.record(row, into: scratch), id: 1)
                    found += 1
                } catch {
                    said += found == 0 ? "" : "+"
                    break
                }
            }
            return "\(said) \(found / 10)"
        }
    }
}
