// What the tests of sealed segments share: a log made of given events, sealed, and opened; and the expected values by a simple model.

import EyeQueryHTTP
import EyeSystem
import Glibc
import Testing

@testable import EyeStore

/// A log segment of given events and what sealing makes of it.
final class SealedFixture {
    let folder: TemporaryFolder
    let disk: any Disk
    private(set) var events: [TestEvent]
    private(set) var nextSequence: UInt64 = 1
    static let path = "/sealed.new"

    /// Writes `events` as one segment. Their ids are set.
    init(_ events: [TestEvent], disk: any Disk = RealDisk(), _ more: (Frame) -> Void = { _ in }) throws {
        folder = try TemporaryFolder()
        self.disk = disk
        self.events = events
        let writer = try StoreWriter.open(
            disk, folder: folder.path, options: .test(segmentBytes: 4 << 30), time: TestTime())
        var frame = Frame()
        more(frame)
        for index in self.events.indices {
            self.events[index].id = UInt64(index + 1)
            if !frame.append(self.events[index]) {
                _ = try writer.commit([frame])
                frame = Frame()
                #expect(frame.append(self.events[index]))
            }
        }
        _ = try writer.commit([frame])
        nextSequence = writer.nextSequence
        try writer.close()
    }

    var logPath: String { folder.path + "/log/" + SegmentFolder.name(1, ".log") }

    /// A sealer of the log.
    func sealer(
        to path: String, _ omission: SealedOmission = SealedOmission(),
        decomposer: any DataDecomposer = EventDataReading()
    ) throws -> SegmentSealer {
        try SegmentSealer(
            log: disk.open(logPath, .read), base: 1, next: nextSequence, nextEventID: UInt64(events.count + 1),
            to: path, disk, decomposer: decomposer, omission: omission, seed: 42)
    }

    /// Seals the log and opens what came out.
    func seal(
        _ omission: SealedOmission = SealedOmission(), decomposer: any DataDecomposer = EventDataReading(),
        name: String = "/a.seg"
    ) throws -> SealedFile {
        try remove(name)
        let sealer = try sealer(to: folder.path + name, omission, decomposer: decomposer)
        while try sealer.step() {}
        return try open(name)
    }

    /// Seals `old` again without some events.
    func seal(_ old: SealedFile, _ omission: SealedOmission, name: String = "/b.seg") throws -> SealedFile {
        try remove(name)
        let sealer = try SegmentSealer(
            sealed: old, to: folder.path + name, disk, decomposer: EventDataReading(), omission: omission, seed: 43)
        while try sealer.step() {}
        return try open(name)
    }

    private func remove(_ name: String) throws {
        do throws(SystemError) { try disk.remove(folder.path + name) } catch {
            if error.errno != ENOENT { throw error }
        }
    }

    func open(_ name: String = "/a.seg", cacheBytes: Int = 4 << 20) throws -> SealedFile {
        try #require(
            try SealedFile.open(disk, path: folder.path + name, cache: BlockCache(bytesMax: cacheBytes)))
    }
}

extension TestEvent {
    init(_ record: RecordView, id: UInt64) { self.init(EventView(record, id: id)) }
}

extension SealedFile {
    /// All events, in order.
    func allEvents() throws -> [TestEvent] {
        let scratch = SealedScratch()
        return try (0..<rows).map { TestEvent(try record($0, into: scratch), id: try eventID(ofRow: $0)) }
    }
}

/// Compares a sealed segment with the events that it should hold, by means that know nothing of its format.
func expectSame(_ file: SealedFile, _ events: [TestEvent], _ comment: Comment? = nil) throws {
    try #require(file.rows == events.count, comment)
    let found = try file.allEvents()
    if found != events {
        let row = zip(found, events).enumerated().first { $1.0 != $1.1 }?.offset ?? -1
        Issue.record("row \(row): \(found[row]) is not \(events[row])")
        return
    }
    try file.checkAll()
    try expectSameTables(file, events)
}

/// The index over the events: columns, zones, dictionaries, sessions, postings, counts.
func expectSameTables(_ file: SealedFile, _ events: [TestEvent]) throws {
    let perGroup = StoreLimits.rowsPerGroup
    for group in 0..<file.groups {
        let some = events[(group * perGroup)..<min((group + 1) * perGroup, events.count)]
        let zone = try file.zone(group)
        #expect(zone.oldest == some.map(\.timestamp).min() && zone.newest == some.map(\.timestamp).max())
        let received = try file.receivedZone(group)
        #expect(received.oldest == some.map(\.received).min() && received.newest == some.map(\.received).max())
        let times = try file.block(.timestamp, group: group)
        let view = times.view(times.capacity)
        #expect(some.enumerated().allSatisfy { view.i64($0 * 8) == $1.timestamp })
        let ids = try file.seenEventIDs(group: group)
        #expect(
            ids.map(\.key) == some.compactMap(\.eventID) && ids.map(\.id) == some.filter { $0.eventID != nil }.map(\.id)
        )
        #expect(try file.eventIDs(ofGroup: group) == some.first!.id...some.last!.id)
    }
    for (kind, text) in [(TextKind.category, \TestEvent.category), (.name, \.name)] {
        var rows: [String: [UInt32]] = [:]
        for (row, event) in events.enumerated() { rows[event[keyPath: text], default: []].append(UInt32(row)) }
        for (name, wanted) in rows {
            let bytes = Array(name.utf8)
            let found = try bytes.withUnsafeBytes { try file.text($0, of: kind) }
            guard let found else {
                #expect(file.isOverfull(kind), "\(name)")
                continue
            }
            #expect(found.entry.events == wanted.count && found.entry.firstRow == Int(wanted.first!))
            #expect(found.entry.lastRow == Int(wanted.last!))
            var posting: [UInt32] = []
            if try file.rows(of: kind, code: found.code, into: &posting) { #expect(posting == wanted) }
        }
        let absent = Array("a text that nobody has".utf8)
        #expect(try absent.withUnsafeBytes { try file.text($0, of: kind) } == nil)
    }
    try expectSameSessions(file, events)
    if file.hasCounts {
        var counts: [[Int64]: Int] = [:]
        try file.forEachCount { counts[[Int64($0.category), Int64($0.name), $0.hour]] = $0.events }
        var wanted: [[Int64]: Int] = [:]
        for (row, event) in events.enumerated() {
            let categories = try file.block(.category, group: row / perGroup)
            let names = try file.block(.name, group: row / perGroup)
            let category = categories.view(categories.capacity).u16(row % perGroup * 2)
            let name = names.view(names.capacity).u16(row % perGroup * 2)
            let hour = Int64((Double(event.timestamp) / 3_600_000_000).rounded(.down))
            wanted[[Int64(category), Int64(name), hour], default: 0] += 1
        }
        #expect(counts == wanted)
    }
}

private func expectSameSessions(_ file: SealedFile, _ events: [TestEvent]) throws {
    var rows: [ID128: [UInt32]] = [:]
    for (row, event) in events.enumerated() { rows[event.session, default: []].append(UInt32(row)) }
    for (id, wanted) in rows {
        let found = try #require(try file.session(id))
        #expect(found.entry.id == id && found.entry.events == UInt32(wanted.count))
        #expect(found.entry.firstRow == wanted.first && found.entry.lastRow == wanted.last)
        #expect(found.entry.firstReceived <= events[Int(wanted[0])].received)
        let other = try file.session(code: found.code)
        #expect(other.id == id && other.firstSequence == found.entry.firstSequence)
        #expect(try file.sessionCode(ofRow: Int(wanted[0])) == UInt32(found.code))
        var posting: [UInt32] = []
        if try file.rows(ofSession: found.code, into: &posting) {
            #expect(posting == wanted)
        } else {
            #expect(wanted.count * 64 > events.count)
        }
    }
    // Codes rise with the sequence of the first record.
    var last: UInt64 = 0
    for code in 0..<file.sessionCount {
        let entry = try file.session(code: code)
        #expect(entry.firstSequence > last)
        last = entry.firstSequence
    }
    var generator = SeededGenerator(seed: 7)
    var mistaken = 0
    for _ in 0..<200 {
        let id = ID128(high: generator.next(), low: generator.next())
        #expect(try file.session(id) == nil)
        if try file.mayHold(id) { mistaken += 1 }
    }
    #expect(mistaken < 20)
}
