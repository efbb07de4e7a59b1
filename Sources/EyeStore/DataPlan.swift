// What conditions on `data` mean in one sealed segment: leaves are looked at instead of events. A value of a leaf's dictionary is judged
// once; a segment that knows of no such path is ruled out at once. What the leaves cannot tell (an object somewhere at a path, a row whose
// data is kept in one piece) is left to the events. Part of `SegmentPlan`, on the reader's thread.

import EyeSystem

/// Conditions on `data`, translated for one sealed segment.
final class DataPlan {
    private enum Condition {
        /// No row that was taken apart has a value; whether such rows pass.
        case absent(passes: Bool)
        case leaf(LeafCondition)
        /// Only events tell.
        case unknown
    }

    private let file: SealedFile
    private let conditions: [Condition]
    /// Whether rows that `keep` kept must be looked at as events before they count.
    private(set) var needsRecords: Bool

    init(_ file: SealedFile, _ filters: [DataFilter], _ reading: any DataReading) throws(IndexFault) {
        self.file = file
        var conditions: [Condition] = []
        for filter in filters {
            switch try file.path(filter.path) {
            case .absent: conditions.append(.absent(passes: filter.passes(nil)))
            case .leaf(let leaf): conditions.append(.leaf(try LeafCondition(filter, leaf, reading)))
            case .unknown: conditions.append(.unknown)
            }
        }
        self.conditions = conditions
        needsRecords = false
    }

    /// Whether no row of a group passes, as far as can be told without looking at rows.
    func rulesOut(_ group: Int) throws(IndexFault) -> Bool {
        if try file.hasWholeData(group: group) { return false }
        for condition in conditions {
            switch condition {
            case .absent(let passes): if !passes { return true }
            case .leaf(let leaf): if try !leaf.mayPass(group) { return true }
            case .unknown: continue
            }
        }
        return false
    }

    /// Whether the leaves leave much of a group to the events.
    func isUnsure(_ group: Int) throws(IndexFault) -> Bool {
        for case .unknown in conditions { return true }
        return try file.hasManyWhole(group: group)
    }

    /// Keeps the rows of a group that pass, and those that may; returns the work it took, about nanoseconds.
    func keep(_ group: Int, _ rows: inout [UInt32]) throws(IndexFault) -> Int {
        let start = group * StoreLimits.rowsPerGroup
        // Rows in one piece are none of the leaves' business.
        let whole = try file.hasWholeData(group: group) ? wholeRows(group) : nil
        var work = 500
        var isUnsure = false
        for condition in conditions where !rows.isEmpty {
            switch condition {
            case .absent(true): continue
            case .absent(false):
                guard let whole else {
                    rows.removeAll(keepingCapacity: true)
                    continue
                }
                rows.removeAll { !whole[Int($0) - start] }
            case .leaf(let leaf): work += try leaf.keep(group, &rows, start: start, whole: whole)
            case .unknown: isUnsure = true
            }
        }
        if let whole, rows.contains(where: { whole[Int($0) - start] }) { isUnsure = true }
        needsRecords = isUnsure
        return work
    }

    private func wholeRows(_ group: Int) throws(IndexFault) -> [Bool] {
        let block = try file.shapeBlock(group: group)
        let view = unsafe block.view(block.capacity)
        // In bounds: a decoded column has room for all rows of a group.
        return (0..<file.header.rows(inGroup: group)).map { unsafe view.u32($0 * 4) == 0 }
    }
}

/// Conditions on one leaf of a sealed segment.
private final class LeafCondition {
    private enum Verdict: UInt8 { case unknown, passes, fails }

    private let filter: DataFilter
    private let leaf: SealedLeaf
    private let reading: any DataReading
    private let integers: IntegerCondition
    private let passesWithout: Bool
    /// Of the entries of the leaf's dictionary.
    private var verdicts: [Verdict]
    /// Some entry may pass.
    private let hasCandidates: Bool

    init(_ filter: DataFilter, _ leaf: SealedLeaf, _ reading: any DataReading) throws(IndexFault) {
        self.filter = filter
        self.leaf = leaf
        self.reading = reading
        integers = IntegerCondition(filter)
        passesWithout = filter.passes(nil)
        guard leaf.entries <= StoreLimits.leafDictionaryEntriesMax else { throw .damaged }
        // One value is wanted, and stands there as it reads: it is looked up instead of compared with all.
        let isLookedUp = !filter.text.equal.isEmpty && !leaf.info.hasEscapes
        var verdicts = [Verdict](repeating: isLookedUp ? .fails : .unknown, count: leaf.entries)
        var hasCandidates = !isLookedUp
        for text in filter.text.equal where isLookedUp {
            for token in [text, [UInt8(ascii: "\"")] + text + [UInt8(ascii: "\"")]] {
                let copy = ByteBuffer(count: token.count)
                unsafe copy.bytes.copyBytes(from: token)
                guard let code = try unsafe leaf.code(of: copy.view(token.count)) else { continue }
                verdicts[code] = .unknown
                hasCandidates = true
            }
        }
        self.verdicts = verdicts
        self.hasCandidates = hasCandidates
    }

    /// Whether some row of a group may pass.
    func mayPass(_ group: Int) throws(IndexFault) -> Bool {
        if passesWithout { return true }
        guard let chunk = try leaf.chunk(group: group) else { return false }
        return switch chunk.kind {
        case .constant: unsafe passes(token: chunk.constant)
        case .codes: hasCandidates
        case .integers, .texts, .ids: true
        }
    }

    /// Keeps the rows of a group that pass, and those in `whole`.
    func keep(
        _ group: Int, _ rows: inout [UInt32], start: Int, whole: [Bool]?
    ) throws(IndexFault) -> Int {
        guard let chunk = try leaf.chunk(group: group) else {
            if passesWithout { return 0 }
            guard let whole else {
                rows.removeAll(keepingCapacity: true)
                return 0
            }
            rows.removeAll { !whole[Int($0) - start] }
            return rows.count
        }
        let work = rows.count * (chunk.kind == .texts ? 150 : 15)
        let constant = chunk.kind == .constant ? unsafe passes(token: chunk.constant) : false
        var kept = 0
        for place in 0..<rows.count {
            let row = rows[place]
            let isKept: Bool
            if let whole, whole[Int(row) - start] {
                isKept = true
            } else if let index = chunk.index(ofRow: Int(row) - start) {
                switch chunk.kind {
                case .constant: isKept = constant
                case .codes: isKept = try passes(code: chunk.number(index))
                case .integers: isKept = integers.passes(chunk.number(index))
                case .texts:
                    let text = try leaf.text(chunk, index)
                    isKept = unsafe passes(token: text.bytes)
                case .ids: throw .damaged
                }
            } else {
                isKept = passesWithout
            }
            rows[kept] = row
            kept += isKept ? 1 : 0
        }
        rows.removeLast(rows.count - kept)
        return work
    }

    private func passes(code: Int64) throws(IndexFault) -> Bool {
        guard code >= 0, code < verdicts.count else { throw .damaged }
        let code = Int(code)
        switch verdicts[code] {
        case .passes: return true
        case .fails: return false
        case .unknown:
            let text = try leaf.text(code: code)
            let isPassing = unsafe passes(token: text.bytes)
            verdicts[code] = isPassing ? .passes : .fails
            return isPassing
        }
    }

    /// Whether a value passes that stands in a text as `token`.
    private func passes(token: UnsafeRawBufferPointer) -> Bool {
        guard let first = unsafe token.first else { return false }
        guard first == UInt8(ascii: "\""), token.count >= 2 else {
            let isNumber = first == UInt8(ascii: "-") || first &- 0x30 < 10
            return unsafe filter.passes(DataValue(isNumber ? .number : .other, token))
        }
        let inside = unsafe token.slice(1, token.count - 2)
        guard unsafe leaf.info.hasEscapes && inside.contains(UInt8(ascii: "\\")) else {
            return unsafe filter.passes(DataValue(.string, inside))
        }
        var text: [UInt8] = []
        let place = DataPlace(kind: .string, range: 1..<(token.count - 1), isEscaped: true)
        unsafe reading.appendText(of: place, in: token, to: &text)
        return unsafe text.withUnsafeBytes { unsafe filter.passes(DataValue(.string, $0)) }
    }
}

/// Conditions on whole numbers that are kept as such: compared without being written out, as far as the conditions allow.
private struct IntegerCondition {
    private let filter: DataFilter
    /// Nil: only the text tells.
    private let bounds: [(side: DataBound.Side, value: Int64)]?
    private let equal: [Int64]?
    private let unequal: [Int64]

    init(_ filter: DataFilter) {
        self.filter = filter
        equal = filter.text.equal.isEmpty ? nil : filter.text.equal.compactMap(IntegerCondition.number)
        unequal = filter.text.unequal.compactMap(IntegerCondition.number)
        var bounds: [(side: DataBound.Side, value: Int64)] = []
        for bound in filter.bounds {
            if let value = IntegerCondition.number(bound.text) { bounds.append((bound.side, value)) }
        }
        let isSimple = filter.text.isWhole && bounds.count == filter.bounds.count && filter.exists != false
        self.bounds = isSimple ? bounds : nil
    }

    /// The number that is written just so; no other text is kept as a number.
    private static func number(_ text: [UInt8]) -> Int64? {
        guard let value = Int64(String(decoding: text, as: UTF8.self)), "\(value)".utf8.elementsEqual(text) else {
            return nil
        }
        return value
    }

    func passes(_ value: Int64) -> Bool {
        guard let bounds else { return passesAsText(value) }
        if let equal, !equal.contains(value) { return false }
        if unequal.contains(value) { return false }
        for (side, bound) in bounds {
            let isInside =
                switch side {
                case .below: value < bound
                case .atMost: value <= bound
                case .atLeast: value >= bound
                case .above: value > bound
                }
            if !isInside { return false }
        }
        return true
    }

    private func passesAsText(_ value: Int64) -> Bool {
        unsafe Array("\(value)".utf8).withUnsafeBytes { unsafe filter.passes(DataValue(.number, $0)) }
    }
}
