import EyeSystem
import Testing

@testable import EyeStore

@Suite struct RejectedLogTests {
    static func sample(_ number: Int, line: Int = 100) -> RejectedSample {
        RejectedSample(
            received: Int64(number), code: Array("bad-json".utf8), message: Array("message \(number)".utf8),
            transport: UInt8(number % 4), source: Array("127.0.0.1:\(number)".utf8), token: UInt32(number),
            line: Array(repeating: UInt8(number & 0xFF), count: line))
    }

    @Test func samplesComeBackNewestFirstWithinTheirBytes() throws {
        let disk = SimulatedDisk()
        let bytesMax: Int64 = 60_000
        for round in 0..<3 {
            let log = try RejectedLog.open(disk, folder: "d", bytesMax: bytesMax, options: .test(), time: TestTime())
            #expect(log.nextID == UInt64(round * 200 + 1))
            for number in 1...200 {
                let frame = Frame()
                #expect(frame.appendRejected(Self.sample(round * 200 + number, line: 300)))
                #expect(try log.commit([frame]) == .durable)
            }
            #expect(log.evictedCount > 0)
            try log.close()
        }
        let bytes = disk.names.filter { $0.key.hasPrefix("d/rejected/log/") }.reduce(0) { $0 + $1.value.now.count }
        #expect(bytes <= Int(bytesMax))
        let reader = RejectedReader(disk, folder: "d")
        var found: [RejectedSample] = []
        try reader.list {
            found.append($0)
            return true
        }
        #expect(found.count > 50)
        #expect(found.map(\.id) == (0..<found.count).map { UInt64(600 - $0) })
        for sample in found {
            var wanted = Self.sample(Int(sample.id), line: 300)
            wanted.id = sample.id
            #expect(sample == wanted)
        }
        #expect(try reader.find(600)?.id == 600)
        #expect(try reader.find(1) == nil)
        #expect(try reader.find(601) == nil)
        var page: [UInt64] = []
        try reader.list(before: 590) {
            page.append($0.id)
            return page.count < 3
        }
        #expect(page == [589, 588, 587])
    }

    /// A file that nothing can be read of is told, and no reason not to start; the next start, and `eye verify`, have nothing to tell any more.
    @Test(arguments: ["empty", "foreign", "unreadable", "watermark"], ["oldest", "middle", "newest"])
    func damageIsToldAndStopsNothing(how: String, which: String) throws {
        let disk = SimulatedDisk()
        func open() throws -> RejectedLog {
            try RejectedLog.open(disk, folder: "d", bytesMax: 32_768, options: .test(), time: TestTime())
        }
        func add(_ log: RejectedLog, _ numbers: ClosedRange<Int>) throws {
            for number in numbers {
                let frame = Frame()
                #expect(frame.appendRejected(Self.sample(number, line: 300)))
                #expect(try log.commit([frame]) == .durable)
            }
        }
        var log = try open()
        try add(log, 1...40)
        try log.close()
        let names = disk.names.keys.filter { $0.hasPrefix("d/rejected/log/") }.sorted()
        #expect(names.count > 3)
        var name = which == "oldest" ? names[0] : which == "newest" ? names.last! : names[1]
        switch how {
        case "empty": disk.names[name]!.now = []
        case "foreign": disk.names[name]!.now = Array(repeating: 0x41, count: 5_000)
        case "unreadable": disk.unreadable = [name]
        default:
            name = "d/rejected/watermark"
            disk.unreadable = [name]
        }
        log = try open()
        #expect(log.damage.count == 1 && log.damage[0].hasPrefix(name.dropFirst(2) + ": "), "\(log.damage)")
        // An id is not given again.
        #expect(log.nextID == 41)
        disk.unreadable = []
        try add(log, 41...42)
        var found: [UInt64] = []
        try RejectedReader(disk, folder: "d").list {
            found.append($0.id)
            return true
        }
        #expect(found.prefix(2) == [42, 41] && found.count < (how == "watermark" ? 43 : 42) && found.count > 10)
        try log.close()
        #expect(try open().damage.isEmpty)
        let report = try StoreVerification(disk, folder: "d", isRunning: false).run { _ in }
        #expect(!report.isDamaged, "\(report.findings)")
    }

    /// What cannot be read of a running log keeps nobody from the rest.
    @Test func readersPassOverWhatCannotBeRead() throws {
        let disk = SimulatedDisk()
        let log = try RejectedLog.open(disk, folder: "d", bytesMax: 32_768, options: .test(), time: TestTime())
        for number in 1...40 {
            let frame = Frame()
            #expect(frame.appendRejected(Self.sample(number, line: 300)))
            #expect(try log.commit([frame]) == .durable)
        }
        disk.unreadable = ["d/rejected/log/00000000000000000001.log"]
        var found: [UInt64] = []
        try RejectedReader(disk, folder: "d").list {
            found.append($0.id)
            return true
        }
        #expect(found.first == 40 && found.count > 20 && found.last ?? 0 > 1)
    }

    @Test func longLinesAreCut() throws {
        let disk = SimulatedDisk()
        let log = try RejectedLog.open(disk, folder: "d", options: .test(), time: TestTime())
        let frame = Frame()
        #expect(frame.appendRejected(Self.sample(1, line: 60_000)))
        #expect(try log.commit([frame]) == .durable)
        #expect(try RejectedReader(disk, folder: "d").find(1)?.line.count == StoreLimits.rejectedLineBytesMax)
    }

    @Test func aReaderBeforeTheFirstSampleSeesNone() throws {
        try RejectedReader(SimulatedDisk(), folder: "d").list { _ in
            Issue.record("nothing is there")
            return true
        }
    }
}
