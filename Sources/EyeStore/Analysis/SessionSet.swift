// Numbers for different sessions, as `ValueTable` has them for values. A part of all sessions is a range of ids, so that a segment whose
// sessions are in order of id needs to be looked at in one place only. One analysis; one thread.

/// A part of all sessions: a range of ids.
struct SessionPart: Equatable {
    var low = ID128(high: 0, low: 0)
    /// The first id behind it; nil: it goes to the end.
    var end: ID128?

    @inline(__always)
    func contains(_ id: ID128) -> Bool {
        if id < low { return false }
        guard let end else { return true }
        return id < end
    }

    /// What comes after it; nil: nothing.
    var rest: SessionPart? { end.map { SessionPart(low: $0, end: nil) } }

    /// About how much of all ids lies below it.
    var before: Double { Double(low.high) / Double(UInt64.max) }
    /// About how much of all ids lies in it.
    var share: Double { Double((end?.high ?? UInt64.max) - low.high) / Double(UInt64.max) }
}

/// Sessions and their numbers.
struct SessionSet {
    private(set) var ids: [ID128] = []
    /// Number + 1, or 0; at most half full.
    private var table: [UInt32] = []
    private let seed: UInt64
    let part: SessionPart
    /// Ids that are put in order to find where to cut.
    private static let sampleMax = 1 << 15

    init(seed: UInt64, part: SessionPart = SessionPart()) {
        self.seed = seed
        self.part = part
    }

    var count: Int { ids.count }

    /// The number of `id`, a new one if need be; `ValueTable.outside` if it is not in this part.
    mutating func number(of id: ID128) -> UInt32 {
        guard part.contains(id) else { return ValueTable.outside }
        if ids.count * 2 >= table.count { grow() }
        var place = Int(truncatingIfNeeded: Mix.hash(id, seed: seed)) & (table.count - 1)
        while table[place] != 0 {
            let number = Int(table[place]) - 1
            if ids[number] == id { return UInt32(number) }
            place = (place + 1) & (table.count - 1)
        }
        ids.append(id)
        table[place] = UInt32(ids.count)
        return UInt32(ids.count - 1)
    }

    /// A part that begins like this one and holds about `share` of the sessions met so far; nil: it cannot be cut.
    func narrowed(_ share: Double) -> SessionPart? {
        guard ids.count > 1 else { return nil }
        // Some of many do: they came in no order of id that would matter.
        let sorted = stride(from: 0, to: ids.count, by: 1 + ids.count / SessionSet.sampleMax).map { ids[$0] }.sorted()
        guard sorted.count > 1 else { return nil }
        let rank = min(max(Int(Double(sorted.count) * share), 1), sorted.count - 1)
        guard sorted[rank] > part.low else { return nil }
        return SessionPart(low: part.low, end: sorted[rank])
    }

    private mutating func grow() {
        table = [UInt32](repeating: 0, count: max(table.count * 2, 64))
        for number in 0..<ids.count {
            var place = Int(truncatingIfNeeded: Mix.hash(ids[number], seed: seed)) & (table.count - 1)
            while table[place] != 0 { place = (place + 1) & (table.count - 1) }
            table[place] = UInt32(number + 1)
        }
    }

    /// Bytes of memory, about, when the next row group was added.
    var cost: Int { ids.bytesAhead() + tableBytesAhead(table.count, ids.count) }
}
