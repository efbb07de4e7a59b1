import EyeSystem
import EyeTestVectors
import Testing

@testable import EyeStore

/// Name → damage → survivors. What is damaged is said; everything else is served; nothing is cut that was durable; nothing is made up.
@Suite struct StoreDamageTests {
    /// A store on a simulated disk, closed cleanly: commits of one frame with three events each.
    struct Image {
        let disk: SimulatedDisk
        var events: [TestEvent] = []
        /// Events of each commit.
        static let perCommit = 3

        init(commits: Int, segmentBytes: Int64) throws {
            disk = SimulatedDisk()
            let writer = try StoreWriter.open(
                disk, folder: "d", options: .test(segmentBytes: segmentBytes), time: TestTime())
            for commit in 0..<commits {
                let frame = Frame()
                for index in 0..<Image.perCommit {
                    var event = TestEvent()
                    event.id = UInt64(commit * Image.perCommit + index + 1)
                    event.session = ID128(high: 1, low: UInt64(commit))
                    event.data = "{\"n\":\(event.id)}"
                    #expect(frame.append(event))
                    events.append(event)
                }
                #expect(try writer.commit([frame]) == .durable)
            }
            try writer.close()
        }

        /// The same bytes on a disk of their own.
        func copy() -> SimulatedDisk {
            let fresh = SimulatedDisk()
            fresh.directories = disk.directories
            for (path, node) in disk.names {
                let copy = SimulatedDisk.Node()
                copy.now = node.now
                copy.durable = node.now
                fresh.names[path] = copy
            }
            fresh.durableNames = fresh.names
            return fresh
        }

        var logs: [String] { disk.names.keys.filter { $0.hasSuffix(".log") }.sorted() }
    }

    /// Reads with a reader, then opens for writing, adds an event, and reads again. `lostMax`: events that may be missing.
    @discardableResult
    func survive(
        _ image: Image, _ disk: SimulatedDisk, lostMax: Int, mustReport: Bool, _ what: String
    ) throws -> [TestEvent] {
        func check(_ events: [TestEvent], _ damage: DamagedIDs, plus: Int = 0) {
            var found: [UInt64: TestEvent] = [:]
            for event in events {
                #expect(found[event.id] == nil, "\(what): id twice")
                found[event.id] = event
            }
            var lost = 0
            for event in image.events where found[event.id] != event {
                #expect(found[event.id] == nil, "\(what): altered")
                lost += 1
                let isSaid = damage.ranges.contains { $0.contains(event.id) }
                #expect(isSaid, "\(what): \(event.id) is lost without a word, said: \(damage.ranges)")
            }
            #expect(lost <= lostMax, "\(what): \(lost) lost")
            #expect(events.count + lost == image.events.count + plus, "\(what): made up")
        }
        let reader = StoreReader(disk, folder: "d")
        let before = try reader.snapshot().all()
        check(before.events, before.damage)
        let rising = try reader.snapshot().all(
            {
                var f = EventFilter()
                f.newestFirst = false
                return f
            }())
        #expect(rising.events.reversed() == before.events, "\(what)")
        #expect(Set(rising.damage.ranges) == Set(before.damage.ranges), "\(what)")

        let writer = try StoreWriter.open(disk, folder: "d", options: .test(segmentBytes: 2_000), time: TestTime())
        if mustReport {
            #expect(!reader.damage.isEmpty || !writer.recovery.damage.isEmpty, "\(what): not noticed")
        }
        let frame = Frame()
        var event = TestEvent()
        event.data = "new"
        #expect(frame.append(event))
        #expect(try writer.commit([frame]) == .durable)
        #expect(frame.firstEventID > UInt64(image.events.count), "\(what): an id is given again")
        let after = try StoreReader(disk, folder: "d").snapshot().all()
        #expect(after.events.first?.data == "new", "\(what)")
        check(after.events, after.damage, plus: 1)
        let again = try reader.snapshot().all()
        check(again.events, again.damage, plus: 1)
        // A second start has nothing more to do.
        disk.locked.removeAll()
        let second = try StoreWriter.open(disk, folder: "d", options: .test(segmentBytes: 2_000), time: TestTime())
        #expect(second.recovery.torn == nil, "\(what)")
        #expect(second.nextEventID == frame.firstEventID + 1, "\(what)")
        let third = try StoreReader(disk, folder: "d").snapshot().all()
        check(third.events, third.damage, plus: 1)
        return after.events
    }

    @Test func everyFlippedByteCostsAtMostOneFrame() throws {
        let image = try Image(commits: 5, segmentBytes: 900)
        #expect(image.logs.count >= 2)
        for path in image.logs {
            let bytes = image.disk.names[path]!.now
            for offset in stride(from: 0, to: bytes.count, by: TestSize.pick(7, long: 1)) {
                let disk = image.copy()
                disk.names[path]!.now[offset] ^= UInt8(1) << (offset % 8)
                let before = disk.names[path]!.now
                // Reserved bytes are under checksums, too: every flip is noticed by whoever reads them.
                try survive(
                    image, disk, lostMax: Image.perCommit, mustReport: true, "\(path) byte \(offset)")
                let after = disk.names[path]!.now
                #expect(after.starts(with: before), "damage is never cut or overwritten: \(path) byte \(offset)")
            }
        }
    }

    @Test func everyTruncationBelowTheWatermarkServesThePrefix() throws {
        let image = try Image(commits: 5, segmentBytes: 900)
        let last = image.logs.last!
        let bytes = image.disk.names[last]!.now.count
        for length in stride(from: 0, to: bytes, by: TestSize.pick(5, long: 1)) {
            let disk = image.copy()
            disk.names[last]!.now.removeLast(bytes - length)
            try survive(
                image, disk, lostMax: image.events.count, mustReport: true, "\(last) cut to \(length)")
        }
    }

    @Test func everyTruncationBeyondTheWatermarkLeavesTheLongestPrefix() throws {
        let image = try Image(commits: 4, segmentBytes: 1 << 20)
        let last = image.logs.last!
        let bytes = image.disk.names[last]!.now
        // Where frames end.
        var ends: [Int] = []
        let scanner = SegmentScanner(
            SimulatedDisk.File(image.disk, image.disk.names[last]!, isWritable: false), base: 1,
            limit: Int64(bytes.count))
        scan: while true {
            switch try scanner.next() {
            case .frame(let frame): ends.append(Int(frame.end))
            case .end: break scan
            default: break
            }
        }
        #expect(ends.last == bytes.count && ends.count == 5)
        for length in ends[0]...bytes.count {
            let disk = image.copy()
            disk.names["d/watermark"] = nil
            disk.durableNames["d/watermark"] = nil
            disk.names[last]!.now.removeLast(bytes.count - length)
            let writer = try StoreWriter.open(disk, folder: "d", options: .test(), time: TestTime())
            let whole = ends.filter { $0 <= length }.count - 1
            let events = try StoreReader(disk, folder: "d").snapshot().all().events
            #expect(events == image.events.prefix(whole * Image.perCommit).reversed(), "length \(length)")
            #expect(writer.recovery.damage.isEmpty)
            #expect(writer.nextEventID == UInt64(events.count + 1))
            let isTorn = !ends.contains(length)
            #expect((writer.recovery.torn != nil) == isTorn)
            if let torn = writer.recovery.torn {
                #expect(disk.names[torn.path]!.now == Array(bytes[ends[whole]..<length]), "a copy of what was cut")
            }
        }
    }

    /// A damage: what it does to the files, how many events it may cost.
    struct Damage: CustomTestStringConvertible, Sendable {
        var name: String
        var lostMax: Int
        var mustReport: Bool
        var apply: @Sendable (SimulatedDisk, [String]) -> Void
        var testDescription: String { name }
    }

    static let table: [Damage] = [
        Damage(name: "index folder emptied", lostMax: 0, mustReport: false) { disk, _ in
            for path in disk.names.keys where path.contains("/index/") { disk.names[path] = nil }
        },
        Damage(name: "every index garbled", lostMax: 0, mustReport: false) { disk, _ in
            for path in disk.names.keys where path.contains("/index/") {
                for offset in stride(from: 0, to: disk.names[path]!.now.count, by: 97) {
                    disk.names[path]!.now[offset] ^= 0x55
                }
            }
        },
        Damage(name: "every index cut in half", lostMax: 0, mustReport: false) { disk, _ in
            for path in disk.names.keys where path.contains("/index/") {
                disk.names[path]!.now.removeLast(disk.names[path]!.now.count / 2)
            }
        },
        Damage(name: "indexes swapped", lostMax: 0, mustReport: false) { disk, _ in
            let paths = disk.names.keys.filter { $0.contains("/index/") }.sorted()
            let first = disk.names[paths[0]]
            disk.names[paths[0]] = disk.names[paths[1]]
            disk.names[paths[1]] = first
        },
        Damage(name: "watermark deleted", lostMax: 1000, mustReport: false) { disk, _ in
            disk.names["d/watermark"] = nil
        },
        Damage(name: "watermark garbled", lostMax: 1000, mustReport: false) { disk, _ in
            for offset in disk.names["d/watermark"]!.now.indices { disk.names["d/watermark"]!.now[offset] = 0xAA }
        },
        Damage(name: "watermark empty", lostMax: 1000, mustReport: false) { disk, _ in
            disk.names["d/watermark"]!.now = []
        },
        Damage(name: "first segment missing", lostMax: 1000, mustReport: true) { disk, logs in
            disk.names[logs[0]] = nil
        },
        Damage(name: "middle segment missing", lostMax: 1000, mustReport: true) { disk, logs in
            disk.names[logs[1]] = nil
        },
        Damage(name: "last segment missing", lostMax: 1000, mustReport: true) { disk, logs in
            disk.names[logs.last!] = nil
        },
        Damage(name: "middle segment empty", lostMax: 1000, mustReport: true) { disk, logs in
            disk.names[logs[1]]!.now = []
        },
        Damage(name: "last segment empty", lostMax: 1000, mustReport: true) { disk, logs in
            disk.names[logs.last!]!.now = []
        },
        Damage(name: "middle segment is foreign text", lostMax: 1000, mustReport: true) { disk, logs in
            disk.names[logs[1]]!.now = Array(repeating: Array("hello world\n".utf8), count: 300).flatMap { $0 }
        },
        Damage(name: "two segments swapped", lostMax: 1000, mustReport: true) { disk, logs in
            let first = disk.names[logs[0]]
            disk.names[logs[0]] = disk.names[logs[1]]
            disk.names[logs[1]] = first
        },
        Damage(name: "a segment over another", lostMax: 1000, mustReport: true) { disk, logs in
            disk.names[logs[1]]!.now = disk.names[logs[0]]!.now
        },
        Damage(name: "zeros in the middle", lostMax: 1000, mustReport: true) { disk, logs in
            for offset in 300..<700 { disk.names[logs[1]]!.now[offset] = 0 }
        },
        Damage(name: "a stray file in log/", lostMax: 0, mustReport: false) { disk, _ in
            disk.names["d/log/README"] = SimulatedDisk.Node()
            disk.names["d/log/123.log"] = SimulatedDisk.Node()
        },
        Damage(name: "a half-made segment", lostMax: 0, mustReport: false) { disk, _ in
            let node = SimulatedDisk.Node()
            node.now = Array(repeating: 7, count: 500)
            disk.names["d/log/" + SegmentFolder.name(9_999, ".log.new")] = node
        },
        Damage(name: "bytes of another store behind the end", lostMax: 0, mustReport: false) { disk, logs in
            disk.names[logs.last!]!.now += disk.names[logs[0]]!.now
        },
    ]

    @Test(arguments: table)
    func survives(_ damage: Damage) throws {
        let image = try Image(commits: 24, segmentBytes: 1_500)
        do {
            let writer = try StoreWriter.open(image.disk, folder: "d", options: .test(), time: TestTime())
            while try writer.maintain() {}
            try writer.close()
        }
        let disk = image.copy()
        #expect(image.logs.count > 4)
        damage.apply(disk, image.logs)
        if damage.name.hasPrefix("watermark") {
            // A reader alone finds the log's end as a start does.
            #expect(try StoreReader(disk, folder: "d").snapshot().all().events == image.events.reversed())
            let writer = try StoreWriter.open(disk, folder: "d", options: .test(), time: TestTime())
            #expect(writer.recovery.damage.isEmpty)
            #expect(try StoreReader(disk, folder: "d").snapshot().all().events == image.events.reversed())
            return
        }
        try survive(image, disk, lostMax: damage.lostMax, mustReport: damage.mustReport, damage.name)
    }

    /// The newest segment is damaged at its very beginning, or as a whole: events of older segments are not in what is said to be lost.
    @Test func damageOfTheNewestSegmentIsItsOwn() throws {
        let image = try Image(commits: 9, segmentBytes: 900)
        let path = image.logs.last!
        let first = try #require(try SegmentHeader.read(image.disk.open(path, .read))).firstEventID
        #expect(image.logs.count > 2 && first > 5)
        let bytes = image.disk.names[path]!.now.count
        for offset in Array(0..<64) + [70, 100, 140] {
            let disk = image.copy()
            disk.names[path]!.now[offset] ^= 1
            let report = try StoreWriter.open(disk, folder: "d", options: .test(), time: TestTime()).recovery
            #expect(!report.damage.isEmpty, "byte \(offset)")
            for place in report.damage {
                #expect(place.firstEventID >= first, "byte \(offset): \(place)")
                // Before the first record there is no event.
                if offset < 64 { #expect(place.eventIDs == nil, "byte \(offset): \(place)") }
            }
        }
        // Header and opening: only older segments tell where its events begin.
        let both = image.copy()
        for offset in [3, 70] { both.names[path]!.now[offset] ^= 1 }
        let found = try StoreWriter.open(both, folder: "d", options: .test(), time: TestTime()).recovery.damage
        #expect(!found.isEmpty && found.allSatisfy { $0.firstEventID >= first && $0.eventIDs == nil }, "\(found)")
        for left in [0, 10, bytes] {
            let disk = image.copy()
            disk.names[path]!.now = [UInt8](repeating: 0x41, count: left)
            let report = try StoreWriter.open(disk, folder: "d", options: .test(), time: TestTime()).recovery
            let lost = report.damage.compactMap(\.eventIDs)
            #expect(lost == [first...UInt64(image.events.count)], "\(left) bytes: \(report.damage)")
            // Whatever is asked says so, also before anything new comes: what is left ends before the new segment begins.
            let snapshot = try StoreReader(disk, folder: "d").snapshot()
            var rising = EventFilter()
            rising.newestFirst = false
            #expect(try snapshot.all().damage.hull == lost.first, "\(left) bytes")
            #expect(try snapshot.all(rising).damage.hull == lost.first, "\(left) bytes")
            let count = Analysis(snapshot, EventFilter(), .count(by: []), room: AnalysisRoom())
            while case .more = try count.step() {}
            #expect(count.damage.hull == lost.first, "\(left) bytes")
            let sessions = snapshot.sessions(nil, upper: snapshot.lastEventID, wanted: 7)
            while try sessions.step({ _, _ in true }) != .end {}
            // (Nobody tells the list of sessions where an older segment of the log ends: it may say more than is lost.)
            let said = try #require(sessions.damage.hull)
            #expect(said.contains(first) && said.upperBound == UInt64(image.events.count), "\(left) bytes")
        }
    }

    @Test func framesSwappedInsideASegmentAreNotServedTwice() throws {
        let image = try Image(commits: 6, segmentBytes: 1 << 20)
        let path = image.logs[0]
        let bytes = image.disk.names[path]!.now
        // All commits of one digit's ids have frames of one length.
        let first = bytes.firstRange(of: [0xFE, 0x45, 0x59, 0x46])!.lowerBound
        let starts = bytes.ranges(of: [0xFE, 0x45, 0x59, 0x46]).map(\.lowerBound)
        #expect(starts[0] == first)
        let length = starts[2] - starts[1]
        let disk = image.copy()
        let one = Array(bytes[starts[1]..<(starts[1] + length)])
        let two = Array(bytes[starts[2]..<(starts[2] + length)])
        disk.names[path]!.now.replaceSubrange(starts[1]..<(starts[1] + length), with: two)
        disk.names[path]!.now.replaceSubrange(starts[2]..<(starts[2] + length), with: one)
        try survive(image, disk, lostMax: Image.perCommit, mustReport: true, "swapped frames")
        // A stale copy of an older frame in place of a newer one.
        let stale = image.copy()
        stale.names[path]!.now.replaceSubrange(starts[2]..<(starts[2] + length), with: one)
        try survive(image, stale, lostMax: Image.perCommit, mustReport: true, "a stale frame")
    }

    @Test func aNewerStoreIsRefusedUntouched() throws {
        for what in ["segment", "watermark"] {
            let image = try Image(commits: 3, segmentBytes: 1 << 20)
            let disk = image.copy()
            let path = what == "segment" ? image.logs[0] : "d/watermark"
            let starts = what == "segment" ? [0] : [0, 512]
            for start in starts {
                disk.names[path]!.now[start + 4] = 9
                let crc = disk.names[path]!.now[start..<(start + 60)].withUnsafeBytes { Checksum.crc32c($0) }
                for index in 0..<4 {
                    disk.names[path]!.now[start + 60 + index] = UInt8(truncatingIfNeeded: crc >> UInt32(8 * index))
                }
            }
            let before = disk.names.mapValues(\.now)
            #expect {
                _ = try StoreWriter.open(disk, folder: "d", options: .test(), time: TestTime())
            } throws: { error in
                if case .newerFormat(_, let version) = error as? StoreOpenError { return version == 9 }
                return false
            }
            #expect(disk.names.mapValues(\.now) == before)
        }
    }
}
