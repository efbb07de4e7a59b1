// The rows of the group that is being sealed, and what grows over all groups: dictionaries, sessions, shapes, counts. Takes event records one
// by one, writes the group when it is full. Belongs to one `SegmentSealer`; one thread.

import EyeSystem
import Glibc

/// Columns of a row group, as on disk: first these, then the leaves of `data`.
enum SealedColumn {
    static let timestamp = 0
    static let received = 1
    static let category = 2
    static let name = 3
    static let session = 4
    static let token = 5
    static let eventID = 6
    static let shape = 7
    /// Categories and names that found no place in their dictionaries.
    static let otherCategory = 8
    static let otherName = 9
    /// Leaf 0, the data in one piece, and the others behind it.
    static let firstLeaf = 16

    /// What a column holds, in words.
    static func text(_ column: Int) -> String {
        switch column {
        case timestamp: "timestamp"
        case received: "received"
        case category, otherCategory: "category"
        case name, otherName: "name"
        case session: "session"
        case token: "token"
        case eventID: "event_id"
        case shape: "shape of data"
        default: "\(column - firstLeaf) of data"
        }
    }

    /// Bytes of an entry of a group's directory: column u32, bytes u32, file offset u64, CRC u32.
    static let entryBytes = 20
}

/// What events are found by: grows over all groups.
struct SealedKeys {
    var categories: TextDictionary
    var names: TextDictionary
    var sessions: SessionTable

    init(seed: UInt64) {
        categories = TextDictionary(seed: seed)
        names = TextDictionary(seed: seed)
        sessions = SessionTable(seed: seed)
    }

    /// The codes of an event on row `row`.
    @inline(__always)
    mutating func add(
        _ record: RecordView, sequence: UInt64, row: Int
    ) -> (category: UInt16, name: UInt16, session: UInt32) {
        let category = unsafe categories.add(record.category, row: row)
        let name = unsafe names.add(record.name, row: row)
        let session = sessions.add(
            record.session, received: record.received, sequence: sequence, row: UInt32(truncatingIfNeeded: row))
        return (category, name, session)
    }
}

/// Rows under construction.
@safe
final class SealedRows {
    private let writer: SealedWriter
    let encoder: LeafEncoder
    let shapes: ShapeTable
    let counts = HourCounter()
    private var keys: SealedKeys
    var categories: TextDictionary { keys.categories }
    var names: TextDictionary { keys.names }
    var sessions: SessionTable { keys.sessions }
    /// By their numbers.
    private(set) var leaves: [LeafColumn] = []
    /// The values of the leaves in this group, by their numbers.
    private let stages: UnsafeMutablePointer<LeafStage>
    private var stageCount = 0
    private let seed: UInt64
    private let budget = DictionaryBudget()

    /// Rows of whole groups, and of this one.
    private(set) var rows = 0
    /// Where each run of ids begins: its first row and its first id.
    private(set) var runRows: [Int64] = []
    private(set) var runIDs: [Int64] = []
    private var nextRunID: UInt64 = 0
    private(set) var oldestReceived = Int64.max
    private(set) var newestReceived = Int64.min
    private(set) var oldestTimestamp = Int64.max
    private(set) var newestTimestamp = Int64.min
    /// Oldest and newest timestamp, oldest and newest received (i64 each) of every group written.
    let zones = GrowingBytes()
    /// Where the codes of every group written are, for the postings.
    private(set) var codePlaces: [CodePlaces] = []

    /// Where the codes of a group are.
    struct CodePlaces {
        var category: SealedPlace
        var name: SealedPlace
        var session: SealedPlace
    }

    // The group.
    private var place = 0
    private let timestamps = unsafe SealedRows.numbers()
    private let receiveds = unsafe SealedRows.numbers()
    private let categoryCodes = unsafe SealedRows.numbers()
    private let nameCodes = unsafe SealedRows.numbers()
    private let sessionCodes = unsafe SealedRows.numbers()
    private let tokens = unsafe SealedRows.numbers()
    private let shapeCodes = unsafe SealedRows.numbers()
    /// The 16 bytes of event_ids; categories and names that found no place in their dictionaries.
    private var eventIDs = LeafStage()
    private var otherCategories = LeafStage()
    private var otherNames = LeafStage()
    private let otherCategory: LeafColumn
    private let otherName: LeafColumn
    /// Leaves that have values in this group.
    private var touched: [Int] = []
    private var heldBytes = 0

    private let chunk = GrowingBytes(capacity: 1 << 14)
    private let directory = GrowingBytes(capacity: 1024)

    private static func numbers() -> UnsafeMutableBufferPointer<Int64> {
        let made = UnsafeMutableBufferPointer<Int64>.allocate(capacity: StoreLimits.rowsPerGroup)
        unsafe made.initialize(repeating: 0)
        return unsafe made
    }

    init(_ writer: SealedWriter, decomposer: any DataDecomposer, seed: UInt64) {
        self.writer = writer
        self.seed = seed
        encoder = LeafEncoder(writer)
        shapes = ShapeTable(decomposer, seed: seed)
        keys = SealedKeys(seed: seed)
        unsafe stages = .allocate(capacity: StoreLimits.leavesPerSegmentMax)
        otherCategory = LeafColumn(seed: seed, budget: budget)
        otherName = LeafColumn(seed: seed, budget: budget)
        // They have no dictionary in the file.
        otherCategory.dictionaryPause = Int.max
        otherName.dictionaryPause = Int.max
    }

    deinit {
        for number in 0..<stageCount { unsafe stages[number].deallocate() }
        unsafe stages.deallocate()
        for stage in [eventIDs, otherCategories, otherNames] { stage.deallocate() }
        let all = unsafe [timestamps, receiveds, categoryCodes, nameCodes, sessionCodes, tokens, shapeCodes]
        for index in unsafe all.indices { unsafe all[index].deallocate() }
    }

    /// Bytes of memory, about: bounded, but for the sessions.
    var cost: Int {
        var bytes = keys.categories.cost + keys.names.cost + keys.sessions.cost + shapes.cost + counts.cost
        bytes += eventIDs.cost + otherCategories.cost + otherNames.cost + chunk.capacity + zones.capacity
        for leaf in 0..<stageCount { bytes += unsafe stages[leaf].cost + leaves[leaf].dictionary.cost }
        return bytes + 7 * StoreLimits.rowsPerGroup * 8 + runRows.count * 16 + codePlaces.count * 48
    }

    /// The group has no room for another row: `writeGroup`.
    var isFull: Bool { place == StoreLimits.rowsPerGroup }

    /// A session that has a record which is no event, or is known from before. `rows`: how many there were when it was first named; nil:
    /// as many as now.
    func add(_ session: ID128, received: Int64, sequence: UInt64, isOpened: Bool, rows before: Int? = nil) {
        _ = keys.sessions.add(
            session, received: received, sequence: sequence, row: nil, rows: before ?? rows, isOpened: isOpened)
    }

    /// Takes up an event. Throws when a very large value had to be written at once and could not be.
    @inline(__always)
    func add(_ record: RecordView, id: UInt64, sequence: UInt64) throws(SystemError) {
        precondition(place < StoreLimits.rowsPerGroup, "a full group is written first")
        if id != nextRunID || rows == 0 {
            runRows.append(Int64(rows))
            runIDs.append(Int64(bitPattern: id))
        }
        nextRunID = id &+ 1
        // In bounds: each has a place for every row of a group.
        unsafe timestamps[place] = record.timestamp
        unsafe receiveds[place] = record.received
        unsafe tokens[place] = Int64(record.token)
        let (category, name, session) = keys.add(record, sequence: sequence, row: rows)
        unsafe categoryCodes[place] = Int64(category)
        unsafe nameCodes[place] = Int64(name)
        unsafe sessionCodes[place] = Int64(session)
        if category == IndexText.otherCode {
            unsafe otherCategories.append(record.category, place: place)
            heldBytes += record.a
        }
        if name == IndexText.otherCode {
            unsafe otherNames.append(record.name, place: place)
            heldBytes += record.b
        }
        if let eventID = record.eventID {
            // In text order.
            let bytes = (eventID.high.bigEndian, eventID.low.bigEndian)
            unsafe withUnsafeBytes(of: bytes) { unsafe eventIDs.append($0, place: place) }
        }
        counts.add(category: category, name: name, timestamp: record.timestamp)
        unsafe add(record.data)
        place += 1
        rows += 1
        while heldBytes > StoreLimits.sealingGroupBytesMax { try spill() }
    }

    @inline(__always)
    private func add(_ data: UnsafeRawBufferPointer) {
        let (shape, found) = unsafe shapes.shape(of: data)
        unsafe shapeCodes[place] = Int64(shape)
        heldBytes &+= data.count
        if shape == 0 {
            return unsafe append(data, to: 0)
        }
        for index in 0..<found {
            // In bounds: the shape was compared with these places.
            let value = unsafe data.slice(Int(shapes.places[index &* 2]), Int(shapes.places[index &* 2 &+ 1]))
            unsafe append(value, to: shapes.leaf(shape, index))
        }
    }

    @inline(__always)
    private func append(_ value: UnsafeRawBufferPointer, to leaf: Int) {
        if leaf >= stageCount { addLeaves() }
        // In bounds: the leaves of all shapes are there, and never more than there is room for.
        if unsafe stages[leaf].count == 0 { touched.append(leaf) }
        unsafe stages[leaf].append(value, place: place)
    }

    @inline(never)
    private func addLeaves() {
        while stageCount < shapes.leaves.count {
            leaves.append(LeafColumn(seed: seed, budget: budget))
            // In bounds: shapes keep to this many leaves.
            unsafe (stages + stageCount).initialize(to: LeafStage())
            stageCount += 1
        }
    }

    /// Writes out the values of the leaf that holds most bytes.
    @inline(never)
    private func spill() throws(SystemError) {
        var largest = -1
        var bytes = 0
        for leaf in touched where unsafe stages[leaf].textBytes > bytes {
            bytes = unsafe stages[leaf].textBytes
            largest = leaf
        }
        if otherCategories.textBytes > bytes || otherNames.textBytes > bytes {
            try encoder.writePages(otherCategory, &otherCategories)
            try encoder.writePages(otherName, &otherNames)
        } else if largest >= 0 {
            try unsafe encoder.writePages(leaves[largest], &stages[largest])
        }
        // What shapes keep once was counted with every row.
        heldBytes = otherCategories.textBytes + otherNames.textBytes
        for leaf in touched { heldBytes += unsafe stages[leaf].textBytes }
    }

    // MARK: Writing a group

    /// Writes the group, if there is one.
    func writeGroup() throws(SystemError) {
        guard place > 0 else { return }
        directory.removeAll()
        let category: SealedPlace
        let name: SealedPlace
        let session: SealedPlace
        try unsafe write(SealedColumn.timestamp, timestamps)
        try unsafe write(SealedColumn.received, receiveds)
        category = try unsafe write(SealedColumn.category, categoryCodes)
        name = try unsafe write(SealedColumn.name, nameCodes)
        session = try unsafe write(SealedColumn.session, sessionCodes)
        codePlaces.append(CodePlaces(category: category, name: name, session: session))
        try unsafe write(SealedColumn.token, tokens)
        if eventIDs.count > 0 {
            chunk.removeAll()
            chunk.append(number: LeafKind.ids.rawValue)
            LeafEncoder.appendPresence(eventIDs, of: place, to: chunk)
            unsafe chunk.append(eventIDs.text)
            eventIDs.clear(keepsMemory: true)
            try writeChunk(SealedColumn.eventID)
        }
        try unsafe write(SealedColumn.shape, shapeCodes)
        try write(SealedColumn.otherCategory, otherCategory, &otherCategories)
        try write(SealedColumn.otherName, otherName, &otherNames)
        for number in touched.sorted() {
            // In bounds: it was put there.
            try unsafe write(SealedColumn.firstLeaf + number, leaves[number], &stages[number])
        }
        try unsafe writer.add(.groups, directory.view)
        noteZone()
        touched.removeAll(keepingCapacity: true)
        heldBytes = 0
        place = 0
    }

    @discardableResult
    private func write(
        _ column: Int, _ numbers: UnsafeMutableBufferPointer<Int64>
    ) throws(SystemError) -> SealedPlace {
        chunk.removeAll()
        unsafe PackedNumbers.append(UnsafeBufferPointer(rebasing: numbers[0..<place]), to: chunk)
        return try writeChunk(column)
    }

    private func write(_ column: Int, _ leaf: LeafColumn, _ stage: inout LeafStage) throws(SystemError) {
        if stage.count == 0 { return }
        chunk.removeAll()
        try encoder.encode(leaf, &stage, rows: place, to: chunk)
        // Where leaves are few their memory is kept.
        stage.clear(keepsMemory: stageCount <= SealedRows.stagesKept)
        try writeChunk(column)
    }

    private static let stagesKept = 256

    @discardableResult
    private func writeChunk(_ column: Int) throws(SystemError) -> SealedPlace {
        let place = try unsafe writer.put(chunk.view)
        directory.append(number: UInt32(column))
        directory.append(number: UInt32(place.bytes))
        directory.append(number: place.offset)
        directory.append(number: place.checksum)
        return place
    }

    private func noteZone() {
        var zone = (Int64.max, Int64.min, Int64.max, Int64.min)
        for index in 0..<place {
            // In bounds: below the rows of this group.
            zone.0 = unsafe min(zone.0, timestamps[index])
            zone.1 = unsafe max(zone.1, timestamps[index])
            zone.2 = unsafe min(zone.2, receiveds[index])
            zone.3 = unsafe max(zone.3, receiveds[index])
        }
        for time in [zone.0, zone.1, zone.2, zone.3] { zones.append(number: time) }
        oldestTimestamp = min(oldestTimestamp, zone.0)
        newestTimestamp = max(newestTimestamp, zone.1)
        oldestReceived = min(oldestReceived, zone.2)
        newestReceived = max(newestReceived, zone.3)
    }
}
