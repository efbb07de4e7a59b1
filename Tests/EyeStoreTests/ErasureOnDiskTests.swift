import EyeSystem
import EyeTestVectors
import Testing

@testable import EyeStore

/// What is erased leaves the disk: no file holds it, under whatever name, and everything else is as it was.
@Suite struct ErasureOnDiskTests {
    /// A store whose events can be told apart by bytes that only they hold.
    struct Store {
        var random: SeededGenerator
        var disk = SimulatedDisk()
        let time = TestTime()
        var writer: StoreWriter
        /// Lives through all of it, as the HTTP service does.
        var reader: StoreReader
        let segmentBytes: Int64
        let seed: UInt64
        var events: [TestEvent] = []
        var erased: Set<UInt64> = []
        var gone: Set<ID128> = []
        var opened: Set<ID128> = []
        /// Bytes that no file may hold in the end.
        var secrets: [[UInt8]] = []

        init(seed: UInt64) throws {
            self.seed = seed
            random = SeededGenerator(seed: seed)
            segmentBytes = Int64([900, 3_000, 9_000].randomElement(using: &random)!)
            writer = try StoreWriter.open(
                disk, folder: "d", options: .test(segmentBytes: segmentBytes, seals: true), time: time)
            reader = StoreReader(disk, folder: "d")
        }

        static func session(_ number: UInt64) -> ID128 {
            ID128(high: 0xFEED_FACE_0000_0000 &+ number &* 0x0123_4567_89AB, low: ~number &* 0x9E37_79B9_7F4A_7C15)
        }

        static func bytes(_ session: ID128) -> [UInt8] {
            var bytes: [UInt8] = []
            bytes.appendID(session)
            return bytes
        }

        static func secret(_ id: UInt64) -> String {
            var random = SeededGenerator(seed: id &* 77)
            return String(random.next(), radix: 16) + String(random.next(), radix: 16)
        }

        var left: [TestEvent] { events.filter { !erased.contains($0.id) } }

        mutating func commit() throws {
            let frame = Frame()
            for _ in 0..<Int.random(in: 1...12, using: &random) {
                if Int.random(in: 0..<12, using: &random) == 0 {
                    let session = Store.session(50 + UInt64.random(in: 0..<9, using: &random))
                    if !gone.contains(session) {
                        #expect(frame.appendSession(session, received: 5, token: 1))
                        opened.insert(session)
                    }
                    continue
                }
                var event = TestEvent(id: UInt64(events.count + 1))
                var number = UInt64.random(in: 0..<14, using: &random)
                while gone.contains(Store.session(number)) { number += 1 }
                event.session = Store.session(number)
                event.name = "name\(number % 3)"
                event.timestamp += Int64(event.id)
                event.data = "{\"secret\":\"\(Store.secret(event.id))\"}"
                if event.id % 5 == 0 { event.eventID = ID128(high: ~event.id &* 0x1234_5678_9ABC_DEF1, low: event.id) }
                #expect(frame.append(event))
                events.append(event)
            }
            #expect(try writer.commit([frame]) == .durable)
        }

        mutating func erase() throws {
            if Bool.random(using: &random), let event = left.randomElement(using: &random) {
                #expect(try ErasureTests.erase(.event(event.id), writer, reader)?.events == 1)
                forget(event)
                return
            }
            let known = Set(left.map(\.session)).union(opened).subtracting(gone)
            guard let session = known.sorted().randomElement(using: &random) else { return }
            let mine = left.filter { $0.session == session }
            let receipt = try ErasureTests.erase(.session(session), writer, reader)
            #expect(receipt?.events == UInt64(mine.count), "seed \(seed)")
            for event in mine { forget(event) }
            gone.insert(session)
            secrets.append(Store.bytes(session))
        }

        private mutating func forget(_ event: TestEvent) {
            erased.insert(event.id)
            secrets.append(Array(Store.secret(event.id).utf8))
            if let id = event.eventID { secrets.append(Store.bytes(id)) }
        }

        /// Closes what holds tombstones and does all that is to be done.
        func finish() throws {
            #expect(try writer.closeForErasures(until: Int64.max - 1))
            while try writer.maintain() {}
        }

        func expectRight(_ what: String) throws {
            for reader in [reader, StoreReader(disk, folder: "d")] {
                let snapshot = try reader.snapshot()
                let found = try snapshot.all()
                #expect(found.events == left.reversed(), "seed \(seed), \(what)")
                #expect(found.damage.isEmpty, "seed \(seed), \(what)")
                #expect(reader.damage.isEmpty && writer.recovery.damage.isEmpty, "seed \(seed), \(what)")
                #expect(try snapshot.count() == UInt64(left.count), "seed \(seed), \(what)")
                let listed = try snapshot.allSessions().map(\.id)
                let named = Set(left.map(\.session)).union(opened.subtracting(gone))
                #expect(named.isSubset(of: listed) && gone.isDisjoint(with: listed), "seed \(seed), \(what)")
            }
        }

        /// Files that hold one of the secrets.
        var tellers: [String] {
            disk.names.filter { _, node in secrets.contains { Store.find($0, node.now) } }.map(\.key).sorted()
        }

        static func find(_ needle: [UInt8], _ haystack: [UInt8]) -> Bool {
            guard haystack.count >= needle.count else { return false }
            var start = 0
            while let first = haystack[start...].firstIndex(of: needle[0]), first + needle.count <= haystack.count {
                if haystack[first..<(first + needle.count)].elementsEqual(needle) { return true }
                start = first + 1
            }
            return false
        }

        func expectGone() throws {
            #expect(tellers.isEmpty, "seed \(seed)")
            #expect(writer.keeping.erasingSegments == 0 && writer.keeping.lastError == nil, "\(writer.keeping)")
            // The search finds what is there, though some of it is compressed.
            if left.count > 9 {
                let isFound = left.contains { event in
                    let secret = Array(Store.secret(event.id).utf8)
                    return disk.names.values.contains { Store.find(secret, $0.now) }
                }
                #expect(isFound, "seed \(seed)")
            }
            let report = try StoreVerification(disk, folder: "d", isRunning: false).run { _ in }
            #expect(!report.isDamaged, "seed \(seed): \(report.findings)")
            let cursor = StoreReader(disk, folder: "d")
            let receipts = try cursor.snapshot().receipts()
            while try receipts.step({ _, isRemoved in
                #expect(isRemoved, "seed \(seed)")
                return true
            }) != .end {}
        }

        /// The process ends, or the machine does, and another one begins.
        mutating func restart(machine: Bool) throws {
            if machine {
                disk = disk.afterCrash(&random)
                reader = StoreReader(disk, folder: "d")
            } else {
                disk.isStopped = false
                disk.syncsLeft = nil
                disk.locked.removeAll()
            }
            writer = try StoreWriter.open(
                disk, folder: "d", options: .test(segmentBytes: segmentBytes, seals: true), time: time)
        }
    }

    @Test(arguments: 1...TestSize.pick(2, long: 60)) func noFileHoldsIt(seed: UInt64) throws {
        var store = try Store(seed: seed)
        for _ in 0..<Int.random(in: 5...50, using: &store.random) {
            try store.commit()
            for _ in 0..<Int.random(in: 0...9, using: &store.random) { _ = try store.writer.maintain() }
            if Int.random(in: 0..<4, using: &store.random) == 0 {
                try store.erase()
                if Bool.random(using: &store.random) { try store.expectRight("hidden") }
            }
            if Int.random(in: 0..<12, using: &store.random) == 0 {
                try store.finish()
                try store.expectGone()
                try store.expectRight("gone")
            }
            if Int.random(in: 0..<15, using: &store.random) == 0 { try store.restart(machine: false) }
        }
        for name in ["d/log/00000000000000000001-64-1.torn", "d/sealed/00000000000000000001.bad"] {
            let file = try store.disk.open(name, .create)
            try store.secrets.flatMap { $0 }.withUnsafeBytes { try file.write($0, at: 0) }
        }
        try store.commit()
        try store.erase()
        try store.finish()
        try store.expectGone()
        try store.expectRight("at the end")
        #expect(store.files("log").count == 1 && !store.files("log").contains { $0.hasSuffix(".torn") })
        try store.restart(machine: false)
        try store.expectRight("in the next life")
        try store.finish()
        try store.expectGone()
    }

    /// A sealed segment that is damaged cannot be written anew: its tombstones stay and hide; what they name elsewhere is gone all the same.
    @Test func damageKeepsItsTombstones() throws {
        var store = try Store(seed: 3)
        for _ in 0..<60 { try store.commit() }
        while try store.writer.maintain() {}
        let sealed = store.files("sealed").sorted()
        try #require(sealed.count > 2)
        let ids = [1, UInt64(store.events.count / 2)]
        for id in ids { #expect(try ErasureTests.erase(.event(id), store.writer, store.reader)?.events == 1) }
        // The first column of its first row group.
        store.disk.names[sealed[0]]!.now[200] ^= 1
        for _ in 0..<2 {
            try store.finish()
            let status = store.writer.keeping
            #expect(status.erasingSegments > 0 && status.obstruction?.contains("cannot be written anew") ?? false)
            let elsewhere = Array(Store.secret(ids[1]).utf8)
            #expect(!store.disk.names.values.contains { Store.find(elsewhere, $0.now) })
            let found = try StoreReader(store.disk, folder: "d").snapshot().all()
            #expect(!found.events.contains { ids.contains($0.id) } && found.events.count > store.events.count / 2)
            try store.restart(machine: false)
        }
    }

    /// A damaged segment of the log stays as it is, unless it holds something that is erased.
    @Test func damageInTheLogIsNoRefuge() throws {
        var store = try Store(seed: 3)
        for _ in 0..<60 { try store.commit() }
        #expect(try ErasureTests.erase(.event(1), store.writer, store.reader)?.events == 1)
        let logs = store.files("log").sorted()
        try #require(logs.count > 2)
        for name in logs.prefix(2) {
            let node = store.disk.names[name]!
            node.now[node.now.count / 2] ^= 1
        }
        try store.finish()
        let secret = Array(Store.secret(1).utf8)
        #expect(!store.disk.names.values.contains { Store.find(secret, $0.now) })
        #expect(store.files("log").contains(logs[1]) && !store.files("log").contains(logs[0]))
        let status = store.writer.keeping
        #expect(status.erasingSegments == 0 && status.damagedSegments == 1, "\(status)")
        let found = try StoreReader(store.disk, folder: "d").snapshot().all()
        #expect(!found.events.contains { $0.id == 1 } && !found.damage.isEmpty)
    }

    /// The machine or the process stops at any sync of the work, again and again: hidden stays hidden, and in the end it is gone.
    @Test(arguments: 1...TestSize.pick(8, long: 200)) func anyCrashLeavesItHidden(seed: UInt64) throws {
        var store = try Store(seed: seed &+ 500)
        for _ in 0..<20 {
            try store.commit()
            if Bool.random(using: &store.random) { while try store.writer.maintain() {} }
            if Int.random(in: 0..<4, using: &store.random) == 0 { try store.erase() }
        }
        try store.erase()
        for round in 0..<6 {
            store.disk.syncsLeft = Int.random(in: 0...12, using: &store.random)
            do { try store.finish() } catch { #expect("\(error)" != "") }
            try store.restart(machine: Bool.random(using: &store.random))
            try store.expectRight("round \(round)")
        }
        try store.finish()
        try store.expectGone()
        try store.expectRight("at the end")
    }
}

extension ErasureOnDiskTests.Store {
    func files(_ part: String) -> [String] { disk.names.keys.filter { $0.hasPrefix("d/\(part)/") } }
}
