import EyeSystem
import EyeTestVectors
import Foundation
import Testing

@testable import EyeStore

/// A file in memory that reads may be answered from wrongly: one byte changed, or the end missing.
final class DamagedFile: DiskFile, @unchecked Sendable {
    var bytes: [UInt8]
    init(_ bytes: [UInt8]) { self.bytes = bytes }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(SystemError) -> Int {
        let start = min(Int(offset), bytes.count)
        let count = min(buffer.count, bytes.count - start)
        if count > 0 { buffer.copyBytes(from: bytes[start..<(start + count)]) }
        return count
    }
    func write(
        _ pieces: UnsafeBufferPointer<UnsafeRawBufferPointer>, at offset: Int64
    ) throws(SystemError) { throw SystemError(errno: EROFS, call: "pwritev") }
    func synchronize() throws(SystemError) {}
    func truncate(to bytes: Int64) throws(SystemError) { throw SystemError(errno: EROFS, call: "ftruncate") }
    func size() throws(SystemError) -> Int64 { Int64(bytes.count) }
}

/// Damage to a sealed segment is found, costs what it hits, and never gives a wrong event.
@Suite struct SealedDamageTests {
    /// A few hundred events with every kind of column, and the bytes of their sealed segment.
    private static func sample() throws -> (events: [TestEvent], bytes: [UInt8]) {
        var generator = SeededGenerator(seed: 21)
        var events = SealedFileTests.visits(90, seed: 21)
        for index in events.indices {
            switch index % 10 {
            case 0: events[index].data = "{\"n\":\(generator.next()),\"text\":\"\(generator.next())\"}"
            case 1: events[index].data = SealedFileTests.nasty[index % SealedFileTests.nasty.count].prefix(300) + ""
            case 2: events[index].eventID = ID128(high: generator.next(), low: generator.next())
            case 3: events[index].name = "a name \(index)"
            default: break
            }
        }
        let fixture = try SealedFixture(events) {
            #expect($0.appendSession(ID128(high: 1, low: 2), received: 3, token: 4))
            #expect($0.appendTombstone([1...1][...], flags: TombstoneFlag.sequences, received: 5, token: 6))
        }
        _ = try fixture.seal()
        let bytes = try #require(FileManager.default.contents(atPath: fixture.folder.path + "/a.seg"))
        return (fixture.events, Array(bytes))
    }

    /// What can be read of a file: every record as it should be, or `damaged`.
    private static func survivors(_ file: DamagedFile, _ events: [TestEvent]) throws -> Int {
        guard let blocks = try SealedBlocks(file, cache: BlockCache(bytesMax: 1 << 20)) else { return 0 }
        let sealed = SealedFile(blocks)
        guard sealed.rows == events.count else {
            Issue.record("rows")
            return 0
        }
        let scratch = SealedScratch()
        var found = 0
        for row in 0..<sealed.rows {
            do throws(IndexFault) {
                let id = try sealed.eventID(ofRow: row)
                let event = TestEvent(try sealed.record(row, into: scratch), id: id)
                #expect(event == events[row])
                found += 1
            } catch {
                guard case .damaged = error else {
                    Issue.record("\(error)")
                    continue
                }
            }
        }
        return found
    }

    private static func isWhole(_ file: DamagedFile) throws -> Bool {
        guard let blocks = try SealedBlocks(file, cache: BlockCache(bytesMax: 1 << 20)) else { return false }
        do throws(IndexFault) {
            try SealedFile(blocks).checkAll()
            return true
        } catch {
            return false
        }
    }

    /// Every byte, one after the other, is changed: the check finds it, and what is served is right.
    @Test func everyByteChanged() throws {
        let (events, bytes) = try Self.sample()
        let file = DamagedFile(bytes)
        #expect(try Self.isWhole(file) && Self.survivors(file, events) == events.count)
        var generator = SeededGenerator(seed: 8)
        for offset in stride(from: 0, to: bytes.count, by: TestSize.pick(3, long: 1)) {
            file.bytes[offset] ^= UInt8(1 << (generator.next() % 8))
            #expect(try !Self.isWhole(file), "offset \(offset)")
            // Reading all records for every byte would take minutes.
            if offset % 16 == 0 { _ = try Self.survivors(file, events) }
            file.bytes[offset] = bytes[offset]
        }
    }

    @Test func everyTruncation() throws {
        let (events, bytes) = try Self.sample()
        let file = DamagedFile([])
        for count in bytes.indices {
            #expect(try SealedBlocks(file, cache: BlockCache(bytesMax: 1 << 20)) == nil, "\(count) bytes")
            file.bytes.append(bytes[count])
        }
        #expect(try Self.survivors(file, events) == events.count)
    }

    /// Blocks whose checksum is right and whose content is not: nothing traps, whatever they say.
    @Test func wrongContentWithRightChecksums() throws {
        let (_, bytes) = try Self.sample()
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SeededGenerator(seed: seed)
        let whole = try #require(try SealedBlocks(DamagedFile(bytes), cache: BlockCache(bytesMax: 1 << 20)))
        let directoryOffset = bytes.withUnsafeBytes { Int($0.i64(112)) }
        let directoryBytes = bytes.withUnsafeBytes { Int($0.u32(120)) }
        for part in SealedPart.allCases {
            for number in 0..<whole.count(part) {
                for _ in 0..<12 {
                    var copy = bytes
                    let place = try whole.place(part, number)
                    guard place.bytes > 0 else { continue }
                    for _ in 0...(generator.next() % 3) {
                        copy[Int(place.offset) + Int(generator.next() % UInt64(place.bytes))] =
                            [0, 1, 0x7F, 0x80, 0xFF, UInt8(truncatingIfNeeded: generator.next())].randomElement(
                                using: &generator)!
                    }
                    Self.mend(&copy, place, directoryOffset, directoryBytes)
                    let file = DamagedFile(copy)
                    _ = try Self.isWhole(file)
                    try Self.readEverything(file)
                }
            }
        }
        #expect(Bool(true), "seed \(seed)")
    }

    /// Puts right the checksum of the block at `place`, in the directory, and those above it.
    private static func mend(_ copy: inout [UInt8], _ place: SealedPlace, _ directory: Int, _ directoryBytes: Int) {
        let start = Int(place.offset)
        let checksum = copy[start..<(start + place.bytes)].withUnsafeBytes { Checksum.crc32c($0) }
        for at in directory..<(directory + directoryBytes - 15)
        where copy.withUnsafeBytes({ $0.i64(at) == place.offset && $0.u32(at + 8) == place.bytes }) {
            copy.withUnsafeMutableBytes { $0.baseAddress!.put(checksum, at + 12) }
        }
        let all = copy[directory..<(directory + directoryBytes)].withUnsafeBytes { Checksum.crc32c($0) }
        copy.withUnsafeMutableBytes { $0.baseAddress!.put(all, 124) }
        let head = copy[0..<188].withUnsafeBytes { Checksum.crc32c($0) }
        copy.withUnsafeMutableBytes { $0.baseAddress!.put(head, 188) }
    }

    /// Asks for everything; only `damaged` may be thrown.
    private static func readEverything(_ file: DamagedFile) throws {
        guard let blocks = try SealedBlocks(file, cache: BlockCache(bytesMax: 1 << 20)) else { return }
        let sealed = SealedFile(blocks)
        let scratch = SealedScratch()
        func ask(_ body: () throws(IndexFault) -> Void) {
            do throws(IndexFault) { try body() } catch {
                if case .system = error { Issue.record("\(error)") }
            }
        }
        for row in stride(from: 0, to: sealed.rows, by: 7) {
            ask { () throws(IndexFault) in _ = try sealed.record(row, into: scratch) }
        }
        var rows: [UInt32] = []
        for code in stride(from: 0, to: sealed.sessionCount, by: 5) {
            ask { () throws(IndexFault) in _ = try sealed.rows(ofSession: code, into: &rows) }
            ask { () throws(IndexFault) in _ = try sealed.session(ID128(high: UInt64(code), low: 1)) }
        }
        for code in 0..<20 {
            ask { () throws(IndexFault) in _ = try sealed.rows(of: .name, code: code, into: &rows) }
        }
        ask { () throws(IndexFault) in try sealed.forEachCount { _ in } }
        ask { () throws(IndexFault) in _ = try sealed.seenEventIDs(group: 0) }
        ask { () throws(IndexFault) in
            guard case .leaf(let leaf) = try sealed.path(Array("user_agent".utf8)) else { return }
            _ = try leaf.code(of: UnsafeRawBufferPointer(start: nil, count: 0))
            for code in 0..<leaf.entries { _ = try leaf.text(code: code) }
        }
    }
}
