// One field of an analysis: gives events the numbers of their values, by a segment's codes where it has them. What is looked up for a code
// is remembered for the rest of the segment. One analysis; one thread.

/// Numbers for a field's values.
final class FieldCoder {
    let field: AnalysisField
    private let reading: (any DataReading)?
    private(set) var values: ValueTable
    private(set) var sessions: SessionSet
    /// The current segment's codes → numbers.
    private var map: [UInt32] = []
    /// A path of the current segment, if it is sealed.
    private var leaf: LeafReader?

    init(_ field: AnalysisField, _ reading: (any DataReading)?, seed: UInt64) {
        self.field = field
        self.reading = reading
        values = ValueTable(seed: seed)
        sessions = SessionSet(seed: seed)
        if case .data = field { precondition(reading != nil, "this reader cannot look into data") }
    }

    /// Starts a pass over a part of the values.
    func reset(_ part: HashPart, _ sessionPart: SessionPart, seed: UInt64) {
        values = ValueTable(seed: seed, part: part)
        sessions = SessionSet(seed: seed, part: sessionPart)
        map = []
        leaf = nil
    }

    /// Different values so far.
    var count: Int { field == .session ? sessions.count : values.count }

    /// Bytes of memory, about.
    var cost: Int { values.cost + sessions.cost + map.capacity * 4 + (leaf?.cost ?? 0) }

    func value(_ number: UInt32) -> AnalysisValue {
        field == .session ? .session(sessions.ids[Int(number)]) : .text(values.value(number))
    }

    /// A segment begins. False: its columns do not have this field's values.
    func begin(_ index: any SegmentIndex) throws(IndexFault) -> Bool {
        switch field {
        case .category: return try begin(index, .category)
        case .name: return try begin(index, .name)
        case .session: try beginSessions(index)
        case .data(let path):
            leaf = nil
            guard let sealed = index as? SealedFile, let reading else { return false }
            leaf = try LeafReader(sealed, path, reading)
            return leaf != nil
        }
        return true
    }

    /// Whether the columns have this field's values for a group of the current segment.
    func takesRows(ofGroup group: Int) throws(IndexFault) -> Bool { try leaf?.takesRows(ofGroup: group) ?? true }

    /// Events have to be looked into for it.
    var looksIntoData: Bool {
        if case .data = field { true } else { false }
    }

    /// Sessions outside this pass's part need no look where codes are in order of id.
    private func beginSessions(_ index: any SegmentIndex) throws(IndexFault) {
        let inside = try index.sessionCodes(in: sessions.part)
        map = [UInt32](repeating: ValueTable.outside, count: index.sessionCount)
        for code in inside { map[code] = ValueTable.unknown }
    }

    private func begin(_ index: any SegmentIndex, _ kind: TextKind) throws(IndexFault) -> Bool {
        map = [UInt32](repeating: ValueTable.unknown, count: try index.textCount(kind))
        return !index.isOverfull(kind)
    }

    /// The number for a code of the current segment.
    func number(code: Int, _ index: any SegmentIndex) throws(IndexFault) -> UInt32 {
        guard code < map.count else { throw .damaged }
        if map[code] == ValueTable.unknown {
            switch field {
            case .category, .name:
                var text: [UInt8] = []
                try index.appendText(code, of: field == .category ? .category : .name, to: &text)
                map[code] = unsafe text.withUnsafeBytes { unsafe values.number(of: $0) }
            case .session: map[code] = sessions.number(of: try index.session(code: code).id)
            case .data: throw .damaged
            }
        }
        return map[code]
    }

    /// The numbers for `rows` of a group; returns the work, about nanoseconds.
    func numbers(
        of rows: [UInt32], group: Int, _ index: any SegmentIndex, into out: inout [UInt32]
    ) throws(IndexFault) -> Int {
        if let leaf { return try leaf.numbers(of: rows, group: group, into: &out, &values) }
        let start = group * StoreLimits.rowsPerGroup
        out.removeAll(keepingCapacity: true)
        let isWide = field == .session
        let column: ColumnKind = isWide ? .session : field == .category ? .category : .name
        let block = try index.block(column, group: group)
        let view = unsafe block.view(StoreLimits.rowsPerGroup * (isWide ? 4 : 2))
        func code(_ row: UInt32) -> Int {
            let place = Int(row) - start
            // In bounds: a block has a place for each row of its group.
            return isWide ? unsafe Int(view.u32(place * 4)) : unsafe Int(view.u16(place * 2))
        }
        var isKnown = true
        let isSound = unsafe map.withUnsafeBufferPointer { map in
            for row in rows {
                let code = code(row)
                if code >= map.count { return false }
                // In bounds: just compared.
                let number = unsafe map[code]
                isKnown = isKnown && number != ValueTable.unknown
                out.append(number)
            }
            return true
        }
        guard isSound else { throw .damaged }
        var work = rows.count * 3
        if isKnown { return work }
        for place in rows.indices where out[place] == ValueTable.unknown {
            out[place] = try number(code: code(rows[place]), index)
            work += FieldCoder.workPerLookup
        }
        return work
    }

    /// What it takes to look the value of a code up, about nanoseconds.
    private static let workPerLookup = 150

    /// The number for an event.
    func number(of record: RecordView) -> UInt32 {
        switch field {
        case .category: return unsafe values.number(of: record.category)
        case .name: return unsafe values.number(of: record.name)
        case .session: return sessions.number(of: record.session)
        case .data(let path):
            guard let reading else { return ValueTable.missing }
            return unsafe reading.with(path, of: record.data) { value in
                guard let value else { return ValueTable.missing }
                return unsafe values.number(of: value.text)
            }
        }
    }
}
