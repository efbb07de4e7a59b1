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
