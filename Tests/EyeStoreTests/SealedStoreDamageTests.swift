import EyeSystem
import EyeTestVectors
import Testing

@testable import EyeStore

/// Damage in a sealed segment: what is shown is right, what is missing is named, the rest is served, nothing is changed.
@Suite struct SealedStoreDamageTests {
    /// A store whose closed segments are all sealed, on a disk to be copied.
    struct Image {
        var store: SealingTests.Store
        let sealed: [String]

        init(commits: Int = 14, segmentBytes: Int64 = 1_500) throws {
            store = try SealingTests.Store(segmentBytes: segmentBytes)
            try store.write(commits: commits)
            try store.seal()
            try store.writer.close()
            sealed = store.files("sealed").map { "d/sealed/" + $0 }
        }

        func copy() -> SimulatedDisk {
            let fresh = SimulatedDisk()
            fresh.directories = store.disk.directories
            for (path, node) in store.disk.names {
                let copy = SimulatedDisk.Node()
                copy.now = node.now
                copy.durable = node.now
                fresh.names[path] = copy
            }
            fresh.durableNames = fresh.names
            return fresh
        }
    }

    /// Reads in both directions and by filters; returns whether anything was missing.
    @discardableResult
    func check(_ image: Image, _ disk: SimulatedDisk, _ what: String) throws -> Bool {
        var isMissing = false
        var filters = [EventFilter(), EventFilter(), EventFilter(), EventFilter()]
        filters[1].newestFirst = false
        filters[2].names = [Array("name3".utf8)]
        filters[3].sessions = [ID128(high: 1, low: 2)]
        for filter in filters {
            let expected = StoreReaderTests.expected(image.store.events, filter)
            let (found, damage) = try StoreReader(disk, folder: "d").snapshot().all(filter)
            var next = expected.makeIterator()
            for event in found {
                var wanted = next.next()
                while let one = wanted, one != event {
                    isMissing = true
                    let isSaid = damage.ranges.contains { $0.contains(one.id) }
                    #expect(isSaid, "\(what): \(one.id) is missing without a word")
                    wanted = next.next()
                }
                #expect(wanted == event, "\(what): event \(event.id) is altered, made up or out of place")
            }
            while let one = next.next() {
                isMissing = true
                let isSaid = damage.ranges.contains { $0.contains(one.id) }
                #expect(isSaid, "\(what): \(one.id) is missing without a word")
            }
        }
        return isMissing
    }

    @Test func everyFlippedByteIsFoundAndNeverShown() throws {
        let image = try Image()
        #expect(image.sealed.count >= 2)
        let path = image.sealed[1]
        // A step prime to all sizes of things in the file.
        let bytes = image.store.disk.names[path]!.now.count
        for offset in stride(from: 0, to: bytes, by: TestSize.pick(5, long: 1)) {
            let disk = image.copy()
            disk.names[path]!.now[offset] ^= UInt8(1) << (offset % 8)
            let what = "\(path) byte \(offset)"
            let isMissing = try check(image, disk, what)
            let report = try StoreVerification(disk, folder: "d", isRunning: false).run { _ in }
            #expect(report.isDamaged, "\(what)")
            if isMissing {
                #expect(report.findings.contains { $0.part == .sealed && $0.gravity == .damage }, "\(what)")
            }
        }
    }

    /// What is told of damage says which file, which block of it, and where that is.
    @Test func everyDamageHasItsPlace() throws {
        let image = try Image()
        let path = image.sealed[1]
        let name = String(path.dropFirst(2))
        let bytes = image.store.disk.names[path]!.now.count
        var parts: Set<String> = []
        for offset in stride(from: 0, to: bytes, by: 31) {
            let disk = image.copy()
            disk.names[path]!.now[offset] ^= 4
            let reader = StoreReader(disk, folder: "d")
            for newestFirst in [true, false] {
                var filter = EventFilter()
                filter.newestFirst = newestFirst
                _ = try reader.snapshot().all(filter)
                filter.names = [Array("name3".utf8)]
                _ = try reader.snapshot().all(filter)
            }
            let report = try StoreVerification(disk, folder: "d", isRunning: false).run { _ in }
            for found in reader.damage {
                #expect(found.file == name, "byte \(offset): \(found)")
                guard found.cause == .badSealedBlock else { continue }
                #expect(found.offset <= offset && offset < Int(found.offset + found.bytes), "byte \(offset): \(found)")
            }
            for finding in report.findings where finding.gravity == .damage {
                #expect(finding.file == name, "byte \(offset): \(finding)")
                guard finding.what.contains("does not match its checksum") else { continue }
                let start = try #require(finding.offset, "\(finding)")
                #expect(start <= offset && offset < Int(start + (finding.bytes ?? 0)), "byte \(offset): \(finding)")
                parts.insert(String(finding.what.prefix { $0 != ":" }))
            }
        }
        #expect(parts.contains("column received of row group 0"), "\(parts)")
        #expect(parts.contains("block 0 of part \"sessions\""), "\(parts)")
    }

    @Test func everyLengthAndAMissingOne() throws {
        let image = try Image(commits: 8)
        for path in image.sealed {
            let bytes = image.store.disk.names[path]!.now
            for length in stride(from: 0, to: bytes.count, by: TestSize.pick(101, long: 37)) {
                let disk = image.copy()
                disk.names[path]!.now = Array(bytes[..<length])
                #expect(try check(image, disk, "\(path) cut to \(length)"))
                let report = try StoreVerification(disk, folder: "d", isRunning: false).run { _ in }
                #expect(report.isDamaged, "\(path) cut to \(length)")
            }
            let disk = image.copy()
            disk.names[path] = nil
            #expect(try check(image, disk, "\(path) missing"))
            let report = try StoreVerification(disk, folder: "d", isRunning: false).run { _ in }
            #expect(report.isDamaged && report.findings.contains { $0.eventIDs != nil }, "\(path) missing")
        }
    }

    @Test func damageOfTheNewestSealedOneDoesNotGiveIDsAgain() throws {
        let image = try Image()
        let path = image.sealed.last!
        for offset in [0, 10, 100, image.store.disk.names[path]!.now.count - 1] {
            let disk = image.copy()
            disk.names[path]!.now[offset] ^= 0x10
            for name in disk.names.keys where name.hasPrefix("d/log/") || name == "d/watermark" {
                disk.names[name] = nil
            }
            let before = disk.names[path]!.now
            let writer = try StoreWriter.open(disk, folder: "d", options: .test(segmentBytes: 1_500), time: TestTime())
            let last = try #require(SealedFolder.segment(String(path.dropFirst("d/sealed/".count)))?.last)
            #expect(writer.nextSequence == last + 1)
            let known = image.store.events.last { event in event.id < writer.nextEventID }
            #expect(known != nil && writer.nextEventID > last / 2)
            #expect(disk.names[path]!.now == before)
        }
    }

    @Test func aNewerSealedSegmentIsRefused() throws {
        let image = try Image()
        let disk = image.copy()
        let path = image.sealed.last!
        var head = Array(disk.names[path]!.now[..<SealedHeader.bytes])
        head[4] = 2
        let crc = head.withUnsafeBytes { Checksum.crc32c(UnsafeRawBufferPointer(rebasing: $0[..<188])) }
        for index in 0..<4 { head[188 + index] = UInt8(truncatingIfNeeded: crc >> (8 * UInt32(index))) }
        disk.names[path]!.now.replaceSubrange(0..<SealedHeader.bytes, with: head)
        #expect(throws: StoreOpenError.self) {
            try StoreWriter.open(disk, folder: "d", options: .test(), time: TestTime())
        }
        #expect(throws: StoreOpenError.self) { try StoreVerification(disk, folder: "d", isRunning: false) }
    }
}
