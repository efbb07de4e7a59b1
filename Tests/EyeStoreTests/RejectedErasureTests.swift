import EyeSystem
import Testing

@testable import EyeStore

/// Samples that name an erased session lose what they held, in files and in answers; the others stay as they were.
@Suite struct RejectedErasureTests {
    static let session = ID128(high: 0xe208_5be5_9137_4e4e, low: 0x80b5_f1ff_ddc2_5423)
    static let text = "E2085be5-9137-4e4E-80b5-f1ffddc25423"

    static func samples(_ disk: any Disk) throws -> [RejectedSample] {
        var found: [RejectedSample] = []
        try RejectedReader(disk, folder: "d").list {
            found.append($0)
            return true
        }
        return found.reversed()
    }

    @Test func theNeedleIsFoundInTextAndBytes() {
        let needle = SessionNeedle(Self.session)
        #expect(needle.isIn(Array("x\(Self.text)y".utf8)))
        #expect(needle.isIn(Array(Self.text.lowercased().utf8)))
        let escaped = Self.text.utf8.map { String($0, radix: 16) }
        #expect(needle.isIn(Array("\"\\u0065\(Self.text.dropFirst())\"".utf8)))
        #expect(needle.isIn(Array("\(Self.text.dropLast())\\u0033".utf8)))
        #expect(needle.isIn(Array(escaped.map { "\\u00\($0)" }.joined().utf8)))
        #expect(!needle.isIn(Array("\(Self.text.dropLast())\\u0034\\u003".utf8)))
        #expect(!needle.isIn(Array("\(Self.text.dropLast())\\u003".utf8)))
        var bytes: [UInt8] = [1, 2]
        bytes.appendID(Self.session)
        #expect(needle.isIn(bytes) && !needle.isIn(Array(bytes.dropLast())))
        #expect(!needle.isIn(Array("e2085be5-9137-4e4e-80b5-f1ffddc25424".utf8)) && !needle.isIn([]))
    }

    @Test(arguments: [1, 7, 40]) func onlyWhatNamesTheSessionIsEmptied(perCommit: Int) throws {
        let disk = SimulatedDisk()
        let log = try RejectedLog.open(disk, folder: "d", bytesMax: 200_000, options: .test(), time: TestTime())
        var wanted: [RejectedSample] = []
        for start in stride(from: 1, through: 400, by: perCommit) {
            let frame = Frame()
            for number in start..<min(start + perCommit, 401) {
                var sample = RejectedLogTests.sample(number, line: 300)
                if number % 9 == 0 { sample.line = Array("{\"session_id\":\"\(Self.text)\"".utf8) }
                if number % 50 == 1 { sample.message = Array("about \(Self.text)".utf8) }
                #expect(frame.appendRejected(sample))
                sample.id = UInt64(number)
                wanted.append(sample)
            }
            #expect(try log.commit([frame]) == .durable)
        }
        let torn = try disk.open("d/rejected/log/00000000000000000001-4711-1.torn", .create)
        try Array(Self.text.utf8).withUnsafeBytes { try torn.write($0, at: 0) }
        let needle = SessionNeedle(Self.session)
        let hits = wanted.filter { needle.isIn($0) }
        #expect(hits.count > 40)
        #expect(try RejectedReader(disk, folder: "d").count(needle) == hits.count)
        #expect(try log.erase(needle) == hits.count)
        #expect(try log.erase(needle) == 0)
        let emptied = wanted.map { needle.isIn($0) ? $0.emptied() : $0 }
        #expect(try Self.samples(disk) == emptied)
        for (name, inode) in disk.names where name.hasPrefix("d/") {
            #expect(!needle.isIn(inode.now), "\(name)")
        }
        // The log goes on, in this life and in the next one.
        let frame = Frame()
        #expect(frame.appendRejected(RejectedLogTests.sample(401)))
        #expect(try log.commit([frame]) == .durable)
        try log.close()
        let next = try RejectedLog.open(disk, folder: "d", bytesMax: 200_000, options: .test(), time: TestTime())
        #expect(next.damage.isEmpty && next.nextID == 402)
        #expect(try Self.samples(disk).count == 401)
    }

    /// A segment that the disk cannot read may name it: it goes, and what a start has set aside too.
    @Test func whatCannotBeReadGoes() throws {
        let disk = SimulatedDisk()
        let log = try RejectedLog.open(disk, folder: "d", bytesMax: 200_000, options: .test(), time: TestTime())
        for number in 1...200 {
            let frame = Frame()
            var sample = RejectedLogTests.sample(number, line: 300)
            if number == 1 || number == 200 { sample.line = Array("{\"session_id\":\"\(Self.text)\"".utf8) }
            #expect(frame.appendRejected(sample))
            #expect(try log.commit([frame]) == .durable)
        }
        let names = disk.names.keys.filter { $0.hasPrefix("d/rejected/log/") }.sorted()
        #expect(names.count > 2)
        _ = try disk.open("d/rejected/log/00000000000000000001.log.bad", .create)
        disk.unreadable = [names[0]]
        #expect(try log.erase(SessionNeedle(Self.session)) == 1)
        #expect(!disk.names.keys.contains { $0 == names[0] || $0.hasSuffix(".bad") })
        disk.unreadable = [names[names.count - 1]]
        #expect(try log.erase(SessionNeedle(Self.session)) == 0)
        #expect(disk.names[names[names.count - 1]] == nil)
        let frame = Frame()
        #expect(frame.appendRejected(RejectedLogTests.sample(201)))
        #expect(try log.commit([frame]) == .durable && log.nextID == 202)
        #expect(try Self.samples(disk).last?.id == 201)
    }
}
