// That a step of a query is small whatever it goes over, by counting what it does: looks into data, bytes of them, files opened, bytes read. The clock
// stands still here, so that only the work itself can end a step; but for one test, in which it races.

import EyeSystem
import Foundation
import Testing

@testable import EyeQueryHTTP
@testable import EyeStore

@Suite struct StepWorkTests {
    /// Counts looks into data.
    private final class CountedReading: DataReading, @unchecked Sendable {
        var looks = 0
        var bytes = 0
        var onLook: () -> Void = {}
        func find(_ path: [UInt8], in data: UnsafeRawBufferPointer) -> DataPlace? {
            looks += 1
            bytes += data.count
            onLook()
            return EventDataReading().find(path, in: data)
        }
        func appendText(of place: DataPlace, in data: UnsafeRawBufferPointer, to out: inout [UInt8]) {
            EventDataReading().appendText(of: place, in: data, to: &out)
        }
    }

    /// Counts files opened and bytes read.
    private final class CountedDisk: Disk, @unchecked Sendable {
        private let disk: SimulatedDisk
        var opened = 0
        var read = 0
        init(_ disk: SimulatedDisk) { self.disk = disk }

        private final class File: DiskFile, @unchecked Sendable {
            let file: any DiskFile
            let disk: CountedDisk
            init(_ file: any DiskFile, _ disk: CountedDisk) {
                self.file = file
                self.disk = disk
            }
            func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(SystemError) -> Int {
                let got = try file.read(into: buffer, at: offset)
                disk.read += got
                return got
            }
            func write(
                _ pieces: UnsafeBufferPointer<UnsafeRawBufferPointer>, at offset: Int64
            ) throws(SystemError) { try file.write(pieces, at: offset) }
            func synchronize() throws(SystemError) { try file.synchronize() }
            func truncate(to bytes: Int64) throws(SystemError) { try file.truncate(to: bytes) }
            func size() throws(SystemError) -> Int64 { try file.size() }
        }

        func open(_ path: String, _ mode: DiskOpenMode) throws(SystemError) -> any DiskFile {
            let file = try disk.open(path, mode)
            opened += 1
            return File(file, self)
        }
        func list(_ directory: String) throws(SystemError) -> [String] { try disk.list(directory) }
        func rename(_ from: String, to: String) throws(SystemError) { try disk.rename(from, to: to) }
        func remove(_ path: String) throws(SystemError) { try disk.remove(path) }
        func makeDirectory(_ path: String) throws(SystemError) { try disk.makeDirectory(path) }
        func synchronizeDirectory(_ path: String) throws(SystemError) { try disk.synchronizeDirectory(path) }
        func stamp(_ path: String) throws(SystemError) -> FileStamp { try disk.stamp(path) }
        func freeBytes(_ path: String) throws(SystemError) -> UInt64 { try disk.freeBytes(path) }
        func lock(_ path: String, waitMilliseconds: Int) throws(SystemError) -> any DiskLock {
            try disk.lock(path, waitMilliseconds: waitMilliseconds)
        }
    }

    /// What a store is like that is queried.
    enum Kind: CaseIterable {
        /// Closed segments of the log, with their indexes.
        case indexed
        /// The same before anybody made the indexes.
        case unindexed
        /// Sealed segments whose data is kept in one piece.
        case sealedWhole
    }

    private static let padding = String(repeating: "y", count: 1_500)

    /// 1,200 events of some 1,600 bytes in many segments.
    private static func store(_ kind: Kind) throws -> SimulatedDisk {
        let disk = SimulatedDisk()
        var options = StoreOptions.test(segmentBytes: 100_000, seals: kind == .sealedWhole)
        options.decomposer = WholeData()
        let writer = try StoreWriter.open(disk, folder: "d", options: options, time: TestTime())
        let frame = Frame()
        for number in 0..<60 {
            frame.reset()
            for place in 0..<20 {
                var event = TestEvent()
                event.session = ID128(high: UInt64(number), low: UInt64(place))
                event.data = "{\"p\":\"\(padding)\",\"v\":\(number * 20 + place)}"
                #expect(frame.append(event))
            }
            #expect(try writer.commit([frame]) == .durable)
        }
        if kind != .unindexed { while try writer.maintain() {} }
        try writer.close()
        return disk
    }

    private static let field = Array("v".utf8)

    private static func filter() -> EventFilter {
        var filter = EventFilter()
        var condition = DataFilter(path: field)
        condition.text.parts = [Array("nothing".utf8)]
        filter.data = [condition]
        return filter
    }

    enum Way: CaseIterable { case step, count, ids, top }

    /// A query that no event passes, or that adds every event up, does a little at a time.
    @Test(arguments: Kind.allCases, Way.allCases)
    func stepsAreSmall(kind: Kind, way: Way) throws {
        let disk = CountedDisk(try Self.store(kind))
        let reading = CountedReading()
        let reader = StoreReader(disk, folder: "d", data: reading, time: TestTime())
        let snapshot = try reader.snapshot()
        let cursor = snapshot.cursor(Self.filter())
        let analysis = Analysis(snapshot, EventFilter(), .top(.data(Self.field), limit: 3), room: AnalysisRoom())
        var isOver = false
        var steps = 0
        var total = 0
        var openedMost = 0
        while !isOver {
            let before = (looks: reading.looks, bytes: reading.bytes, opened: disk.opened, read: disk.read)
            switch way {
            case .step: isOver = try cursor.step { _ in true } == .end
            case .count: isOver = try cursor.countStep() == .end
            case .ids: isOver = try cursor.idStep() == .end
            case .top: isOver = try analysis.step() == .done
            }
            steps += 1
            total += reading.looks - before.looks
            // A byte looked at is set down for two nanoseconds.
            #expect(reading.bytes - before.bytes <= StoreLimits.workPerStep / 2 + 1_600)
            // Three bytes read for one; and what is read ahead of it, once.
            #expect(disk.read - before.read <= StoreLimits.workPerStep * 3 + StoreLimits.scanBytes)
            openedMost = max(openedMost, disk.opened - before.opened)
        }
        #expect(total == 1_200 && steps >= 4)
        #expect(openedMost <= 40)
    }

    /// A machine on which everything takes longer than it was set down for ends its steps by the clock.
    @Test(arguments: Kind.allCases)
    func slowMachinesTakeSmallSteps(kind: Kind) throws {
        let disk = try Self.store(kind)
        let time = TestTime()
        let reading = CountedReading()
        reading.onLook = { time.monotonic += 1_000_000 }
        let reader = StoreReader(disk, folder: "d", data: reading, time: time)
        let cursor = try reader.snapshot().cursor(Self.filter())
        var most = 0
        while true {
            let before = reading.looks
            let isOver = try cursor.countStep() == .end
            most = max(most, reading.looks - before)
            if isOver { break }
        }
        // The clock is looked at after so many of these events.
        let perLook = StoreLimits.workPerLook / 3_000 + 1
        #expect(reading.looks == 1_200 && most <= Int(StoreLimits.stepNanosecondsMax / 1_000_000) + perLook)
    }

    /// So slow a machine that a step reads one frame: queries that build indexes by turns, with no room to keep any, come to their ends.
    @Test func halfBuiltIndexesAreKept() throws {
        final class RacingTime: TimeSource, @unchecked Sendable {
            private var now: UInt64 = 0
            func nowMicroseconds() -> Int64 { 1_700_000_000_000_000 }
            func monotonicNanoseconds() -> UInt64 {
                now += StoreLimits.stepNanosecondsMax + 1
                return now
            }
        }
        let disk = try Self.store(.unindexed)
        var limits = ReaderLimits()
        limits.builtIndexBytes = 0
        let reader = StoreReader(disk, folder: "d", limits: limits, time: RacingTime())
        let cursors = try [true, false].map { newestFirst in
            var filter = EventFilter()
            filter.newestFirst = newestFirst
            return try reader.snapshot().cursor(filter)
        }
        var under = cursors
        var rounds = 0
        while !under.isEmpty && rounds < 2_000 {
            rounds += 1
            under = try under.filter {
                let isOver = try $0.countStep() == .end
                // As other requests do.
                _ = try reader.snapshot()
                return !isOver
            }
        }
        #expect(cursors.map(\.count) == [1_200, 1_200], "\(rounds)")
    }

    /// What a segment knows as a whole is no free work.
    @Test func wholeSegmentsCount() throws {
        let disk = SimulatedDisk()
        let writer = try StoreWriter.open(disk, folder: "d", options: .test(), time: TestTime())
        let frame = Frame()
        for number in 0..<40 {
            frame.reset()
            for place in 0..<500 {
                var event = TestEvent(name: "n\(number * 500 + place)", data: "{}")
                event.session = ID128(high: 1, low: UInt64(number * 500 + place))
                #expect(frame.append(event))
            }
            #expect(try writer.commit([frame]) == .durable)
        }
        try writer.close()
        func steps(_ question: AnalysisQuestion) throws -> (before: Int, behind: Int) {
            let reader = StoreReader(disk, folder: "d", time: TestTime())
            // The index is there from now on.
            _ = try reader.snapshot().count()
            let analysis = Analysis(try reader.snapshot(), EventFilter(), question, room: AnalysisRoom())
            var steps = (before: 0, behind: 0)
            while try analysis.step() == .more {
                if analysis.progress < 1 { steps.before += 1 } else { steps.behind += 1 }
            }
            return steps
        }
        // 20,000 names, and sessions.
        #expect(try steps(.top(.name, limit: 5)).before >= 2)
        #expect(try steps(.top(.name, limit: 5)).behind >= 20_000 / AnalysisLimits.entriesPerStep)
        #expect(try steps(.uniq(by: [])).before >= 2)
        let snapshot = try StoreReader(disk, folder: "d", time: TestTime()).snapshot()
        var index: (any SegmentIndex)?
        while index == nil { index = try snapshot.prepare(0) }
        var work = 0
        #expect(try index?.prepareHourCounts(work: &work) == true)
        // It gave up with so many different ones, but had begun.
        #expect(work >= AnalysisLimits.hourEntriesKept * 5)
    }

    /// Headers of unsealed segments are not all read in one go to learn what is erased.
    @Test func erasuresAreLookedForInSteps() throws {
        let disk = CountedDisk(try Self.store(.indexed))
        let reader = StoreReader(disk, folder: "d", time: TestTime())
        let snapshot = try reader.snapshot()
        #expect(snapshot.segments.count > StoreLimits.headersPerStep)
        var isDone = false
        while !isDone {
            let opened = disk.opened
            isDone = try snapshot.prepareErasures()
            #expect(disk.opened - opened <= StoreLimits.headersPerStep)
        }
    }
}
