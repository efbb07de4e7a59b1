import EyeSystem
import Testing

@testable import EyeStore

/// A verification finds whatever is damaged, names the events it costs, and says nothing where nothing is wrong; it changes nothing.
@Suite struct StoreVerificationTests {
    typealias Image = StoreDamageTests.Image

    func verify(_ disk: any Disk, running: Bool = false) throws -> StoreReport {
        try StoreVerification(disk, folder: "d", isRunning: running).run { _ in }
    }

    /// With the indexes of closed segments.
    func indexed(_ image: Image) throws {
        let writer = try StoreWriter.open(image.disk, folder: "d", options: .test(segmentBytes: 900), time: TestTime())
        while try writer.maintain() {}
        try writer.close()
        image.disk.locked.removeAll()
    }

    @Test func nothingIsWrongWithAWholeStore() throws {
        let image = try Image(commits: 9, segmentBytes: 900)
        image.disk.locked.removeAll()
        try indexed(image)
        let before = image.disk.names.mapValues(\.now)
        let report = try verify(image.disk)
        #expect(!report.isDamaged, "\(report.findings)")
        #expect(report.events == 27 && report.firstEventID == 1 && report.nextEventID == 28)
        #expect(report.segments == image.logs.count && report.indexes == report.segments - 1)
        #expect(image.disk.names.mapValues(\.now) == before)
        // Beside a writer: the same.
        #expect(try !verify(image.disk, running: true).isDamaged)
    }

    @Test func everyFlippedByteOfTheLogIsFoundAndItsEventsAreNamed() throws {
        let image = try Image(commits: 5, segmentBytes: 900)
        for path in image.logs {
            for offset in image.disk.names[path]!.now.indices {
                let disk = image.copy()
                disk.names[path]!.now[offset] ^= UInt8(1) << (offset % 8)
                let report = try verify(disk)
                #expect(report.isDamaged, "\(path) byte \(offset)")
                let snapshot = try StoreReader(disk, folder: "d").snapshot().all()
                let shown = Set(snapshot.events.map(\.id))
                for event in image.events where !shown.contains(event.id) {
                    let isSaid = report.findings.contains { $0.eventIDs?.contains(event.id) ?? false }
                    #expect(isSaid, "\(path) byte \(offset): event \(event.id) not named: \(report.findings)")
                }
            }
        }
    }

    @Test func everyLengthOfAnyLogFile() throws {
        let image = try Image(commits: 5, segmentBytes: 900)
        for path in image.logs {
            let bytes = image.disk.names[path]!.now
            for length in 0..<bytes.count {
                let disk = image.copy()
                disk.names[path]!.now = Array(bytes[..<length])
                let report = try verify(disk)
                #expect(report.isDamaged, "\(path) cut to \(length)")
                let shown = Set(try StoreReader(disk, folder: "d").snapshot().all().events.map(\.id))
                for event in image.events where !shown.contains(event.id) {
                    let isSaid = report.findings.contains { $0.eventIDs?.contains(event.id) ?? false }
                    #expect(isSaid, "\(path) cut to \(length): event \(event.id) not named: \(report.findings)")
                }
            }
        }
    }

    @Test(arguments: [0, 1, 2]) func aMissingSegmentIsFound(_ number: Int) throws {
        let image = try Image(commits: 7, segmentBytes: 900)
        #expect(image.logs.count == 3 || image.logs.count == 4)
        let path = number == 2 ? image.logs.last! : image.logs[number]
        let disk = image.copy()
        try disk.remove(path)
        let report = try verify(disk)
        let lost = report.findings.compactMap(\.eventIDs)
        #expect(report.isDamaged && !lost.isEmpty, "\(report.findings)")
    }

    @Test func everyFlippedByteOfAnIndexIsFoundAndRepaired() throws {
        let image = try Image(commits: 5, segmentBytes: 900)
        image.disk.locked.removeAll()
        try indexed(image)
        let path = try #require(image.disk.names.keys.filter { $0.hasSuffix(".idx") }.sorted().first)
        let whole = image.disk.names[path]!.now
        // Reserved bytes of the head are under its checksum; between parts there is nothing.
        for offset in whole.indices {
            let disk = image.copy()
            disk.names[path]!.now[offset] ^= UInt8(1) << (offset % 8)
            #expect(try verify(disk).isDamaged, "byte \(offset)")
        }
        let disk = image.copy()
        disk.names[path]!.now[whole.count / 2] ^= 1
        let verification = try StoreVerification(disk, folder: "d", isRunning: false)
        #expect(try verification.run { _ in }.isDamaged)
        let repaired = try verification.repairIndexes { _ in }
        #expect(!repaired.isDamaged && repaired.repairedIndexes == 1)
        #expect(try !verify(disk).isDamaged)
        // Missing: not damage, but written too.
        try disk.remove(path)
        let again = try StoreVerification(disk, folder: "d", isRunning: false)
        #expect(try !again.run { _ in }.isDamaged)
        #expect(try again.repairIndexes { _ in }.repairedIndexes == 1)
        #expect(disk.names[path] != nil)
    }

    @Test func anUnfinishedWriteIsANote() throws {
        let image = try Image(commits: 5, segmentBytes: 1 << 20)
        let path = image.logs[0]
        // Behind the watermark, and without one.
        for hasWatermark in [true, false] {
            let disk = image.copy()
            disk.names[path]!.now += [UInt8](repeating: 0x55, count: 100)
            if !hasWatermark { try disk.remove("d/watermark") }
            let report = try verify(disk)
            #expect(!report.isDamaged && report.events == 15, "\(report.findings)")
            #expect(report.findings.contains { $0.part == .log && $0.gravity == .note })
        }
    }

    @Test func theWatermark() throws {
        let image = try Image(commits: 5, segmentBytes: 900)
        let garbled = image.copy()
        garbled.names["d/watermark"]!.now = [UInt8](repeating: 0x11, count: 600)
        let report = try verify(garbled)
        #expect(report.findings.contains { $0.part == .watermark && $0.gravity == .damage })
        #expect(report.events == 15)
        let missing = image.copy()
        try missing.remove("d/watermark")
        #expect(try !verify(missing).isDamaged)
        // Behind, as after a power cut.
        let behind = image.copy()
        let mark = Watermark(
            generation: 99, segment: 1, bytes: 64, nextSequence: 1, nextEventID: 1, commit: 0)
        let buffer = ByteBuffer(count: Watermark.slotBytes)
        mark.write(to: buffer.bytes.baseAddress!)
        behind.names["d/watermark"]!.now.replaceSubrange(
            Watermark.slotDistance..<Watermark.fileBytes, with: Array(buffer.view(Watermark.slotBytes)))
        let late = try verify(behind)
        #expect(!late.isDamaged && late.events == 15, "\(late.findings)")
    }

    @Test func aNewerStoreIsRefused() throws {
        let image = try Image(commits: 2, segmentBytes: 1 << 20)
        let disk = image.copy()
        let header = ByteBuffer(count: StoreLimits.headerBytes)
        header.bytes.copyBytes(from: disk.names[image.logs[0]]!.now[..<64])
        header.bytes.baseAddress!.storeBytes(of: UInt16(2), toByteOffset: 4, as: UInt16.self)
        header.bytes.baseAddress!.put(Checksum.crc32c(header.view(60)), 60)
        disk.names[image.logs[0]]!.now.replaceSubrange(0..<64, with: Array(header.view(64)))
        #expect(throws: StoreOpenError.self) { try verify(disk) }
    }
}
