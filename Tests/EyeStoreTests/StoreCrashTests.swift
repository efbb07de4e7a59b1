import EyeSystem
import EyeTestVectors
import Foundation
import Testing

@testable import EyeStore

/// A writer on a disk that forgets, stopped at every kind of moment, started again, and asked for everything it acknowledged.
/// `EYE_STORE_STATES=1000000 swift test --filter StoreCrashTests` looks at so many states; `EYE_STORE_SEED=n` repeats one life.
@Suite struct StoreCrashTests {
    /// One life of a store: writers come and go, the disk forgets in between.
    struct Life {
        var random: SeededGenerator
        var disk = SimulatedDisk()
        let seed: UInt64
        let time = TestTime()
        let options: StoreOptions
        /// What must be there, by id: acknowledged, or shown once.
        var kept: [UInt64: TestEvent] = [:]
        /// Ids of events whose erasure was acknowledged: gone for good. And of those whose erasure was begun: there or gone.
        var erased: Set<UInt64> = []
        var maybeErased: Set<UInt64> = []
        /// Data of what was handed to a commit that was not acknowledged: may be there, or not.
        var maybe: Set<String> = []
        /// For each client: lines acknowledged, and lines sent.
        var ackedLines: [String: UInt64] = [:]
        var nextText = 0
        var states = 0

        init(seed: UInt64) {
            self.seed = seed
            random = SeededGenerator(seed: seed)
            var options = StoreOptions.test(
                segmentBytes: Int64([1_500, 4_000, 20_000].randomElement(using: &random)!),
                seals: Int.random(in: 0..<4, using: &random) != 0)
            options.randomSeed = seed
            if Int.random(in: 0..<3, using: &random) == 0 {
                options.retainBytes = UInt64.random(in: 4_000...40_000, using: &random)
            }
            self.options = options
        }

        mutating func freshEvent() -> TestEvent {
            nextText += 1
            var event = TestEvent()
            event.received = time.now
            event.session = ID128(high: 3, low: UInt64(nextText % 5))
            let bytes = Int.random(in: 1...(Int.random(in: 0..<8, using: &random) == 0 ? 3_000 : 120), using: &random)
            event.data = "\(nextText)-" + String(repeating: "d", count: bytes)
            if Int.random(in: 0..<3, using: &random) == 0 { event.eventID = ID128(high: 8, low: UInt64(nextText)) }
            return event
        }

        /// Writes until the machine stops, or so many commits.
        mutating func run(commits: Int) throws {
            guard let writer = try open() else { return }
            let reader = StoreReader(disk, folder: "d")
            var slots: [String: (slot: Int32, next: UInt64)] = [:]
            for name in ["a", "b"] {
                let bytes = Array(name.utf8)
                let opened = writer.openClient(token: 1, name: bytes.span)
                let last = opened!.lastSequence
                #expect(last >= ackedLines[name, default: 0], "seed \(seed): an acknowledged line is forgotten")
                slots[name] = (opened!.slot, last + 1)
            }
            for _ in 0..<commits {
                var frames: [Frame] = []
                var sent: [(frame: Int, event: TestEvent)] = []
                var sentLines: [String: UInt64] = [:]
                for index in 0..<Int.random(in: 1...3, using: &random) {
                    let frame = Frame()
                    frames.append(frame)
                    for _ in 0..<Int.random(in: 1...5, using: &random) {
                        let event = freshEvent()
                        var client = ClientLine.none
                        if let name = ["a", "b", "", ""].randomElement(using: &random), var known = slots[name] {
                            client = ClientLine(slot: known.slot, sequence: known.next)
                            sentLines[name] = known.next
                            known.next += 1
                            slots[name] = known
                        }
                        #expect(frame.append(event, client: client))
                        sent.append((index, event))
                        maybe.insert(event.data)
                    }
                    if Bool.random(using: &random) { frame.seal() }
                }
                do {
                    guard try writer.commit(frames) == .durable else { continue }
                } catch {
                    #expect(error.errno == crashErrno || error.errno == EIO)
                    return
                }
                var place = [Int](repeating: 0, count: frames.count)
                for (frame, var event) in sent {
                    let outcome = frames[frame].outcome(ofRecord: place[frame])
                    place[frame] += 1
                    #expect(outcome.fate == .stored)
                    event.id = outcome.id
                    #expect(kept[outcome.id] == nil, "seed \(seed): an id was given twice")
                    kept[outcome.id] = event
                }
                for (name, line) in sentLines { ackedLines[name] = line }
                if Int.random(in: 0..<6, using: &random) == 0 {
                    // All of it, or some steps, so that a crash finds a segment half sealed.
                    var steps = Bool.random(using: &random) ? Int.max : Int.random(in: 1...40, using: &random)
                    do { while steps > 0, try writer.maintain() { steps -= 1 } } catch { return }
                    if disk.isStopped { return }
                }
                if Int.random(in: 0..<5, using: &random) == 0 {
                    do { try erase(writer, reader) } catch { return }
                }
                // What the service does by the clock, so that what is erased or dropped leaves the disk.
                do {
                    if Int.random(in: 0..<8, using: &random) == 0 {
                        _ = try writer.closeForErasures(until: Int64.max - 1)
                    }
                    if Int.random(in: 0..<3, using: &random) == 0 { _ = try writer.closeForRetention(after: 0) }
                } catch { return }
                time.monotonic += StoreLimits.retentionLookNanoseconds / 4
                if Int.random(in: 0..<6, using: &random) == 0 { try check(reader, afterStart: false) }
            }
            if Bool.random(using: &random) { do { try writer.close() } catch { return } }
        }

        /// Erases an event or a session; throws when the machine stops.
        private mutating func erase(_ writer: StoreWriter, _ reader: StoreReader) throws {
            let subject: ErasureSubject
            var wanted: [UInt64]
            _ = try reader.snapshot()
            noteDropped(reader)
            if Bool.random(using: &random), let id = kept.keys.sorted().randomElement(using: &random) {
                subject = .event(id)
                wanted = [id]
            } else {
                let session = ID128(high: 3, low: UInt64.random(in: 0..<5, using: &random))
                subject = .session(session)
                wanted = kept.values.filter { $0.session == session }.map(\.id)
            }
            wanted.removeAll { erased.contains($0) }
            maybeErased.formUnion(wanted)
            let receipt = try ErasureTests.erase(subject, writer, reader)
            if let receipt { #expect(receipt.events == UInt64(wanted.count), "seed \(seed)") }
            if receipt == nil, case .event = subject { #expect(wanted.isEmpty, "seed \(seed)") }
            erased.formUnion(wanted)
            maybeErased.subtract(wanted)
        }

        /// What a reader knows to be dropped is gone for good, like what is erased.
        private mutating func noteDropped(_ reader: StoreReader) {
            erased.formUnion(kept.keys.lazy.filter { $0 < reader.firstKeptEventID })
        }

        private mutating func open() throws -> StoreWriter? {
            do {
                let writer = try StoreWriter.open(disk, folder: "d", options: options, time: time)
                #expect(writer.recovery.damage.isEmpty, "seed \(seed): \(writer.recovery.damage)")
                try check(StoreReader(disk, folder: "d"), afterStart: true)
                #expect(writer.nextEventID > kept.keys.max() ?? 0, "seed \(seed)")
                return writer
            } catch StoreOpenError.unusable(_, let error) {
                #expect(error.errno == crashErrno || error.errno == EIO, "seed \(seed): \(error)")
                return nil
            }
        }

        /// Everything acknowledged is there; everything there was sent.
        private mutating func check(_ reader: StoreReader, afterStart: Bool) throws {
            let (events, damage) = try reader.snapshot().all()
            #expect(damage.isEmpty, "seed \(seed): \(damage)")
            noteDropped(reader)
            var found: [UInt64: TestEvent] = [:]
            for event in events {
                #expect(found[event.id] == nil, "seed \(seed): id \(event.id) twice")
                found[event.id] = event
            }
            for id in maybeErased {
                // What is gone after a start stays gone, what is there was not erased.
                if found[id] == nil { erased.insert(id) }
            }
            maybeErased.removeAll()
            for id in erased where found[id] != nil { Issue.record("seed \(seed): event \(id) came back") }
            for (id, event) in kept where found[id] != event && !erased.contains(id) {
                Issue.record("seed \(seed): event \(id) is lost or altered: \(found[id]?.data ?? "nothing")")
            }
            for (id, event) in found where kept[id] == nil {
                #expect(afterStart, "seed \(seed): \(id) is shown but not acknowledged")
                #expect(maybe.contains(event.data), "seed \(seed): event \(id) was never sent")
                kept[id] = event
            }
            let texts = Set(found.values.map(\.data))
            #expect(texts.count == found.count, "seed \(seed): an event is there twice")
        }

        /// Stops, forgets, starts again; a few times.
        mutating func live(rounds: Int) throws {
            for _ in 0..<rounds {
                disk.syncs = 0
                if Int.random(in: 0..<8, using: &random) == 0 {
                    disk.failingSync = Int.random(in: 1...30, using: &random)
                } else {
                    disk.syncsLeft = Int.random(in: 0...30, using: &random)
                }
                try run(commits: 8)
                states += 1
                disk.failingSync = nil
                if Int.random(in: 0..<4, using: &random) == 0 {
                    // Only the process was killed: the page cache is still there.
                    disk.isStopped = false
                    disk.syncsLeft = nil
                    disk.locked.removeAll()
                } else {
                    disk = disk.afterCrash(&random)
                }
                if Int.random(in: 0..<4, using: &random) == 0 {
                    for name in disk.names.keys where name.contains("/index/") { disk.names[name] = nil }
                }
            }
            try run(commits: 1)
        }
    }

    @Test func nothingAcknowledgedIsLost() throws {
        let environment = ProcessInfo.processInfo.environment
        if let seed = environment["EYE_STORE_SEED"].flatMap({ UInt64($0) }) {
            var life = Life(seed: seed)
            try life.live(rounds: 6)
            return
        }
        let wanted = environment["EYE_STORE_STATES"].flatMap { Int($0) } ?? TestSize.pick(500, long: 10_000)
        var states = 0
        var seed: UInt64 = 1
        while states < wanted {
            var life = Life(seed: seed)
            try life.live(rounds: 6)
            states += life.states
            seed += 1
        }
    }
}
