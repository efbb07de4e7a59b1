// The values at a path of `data` in a sealed segment, as numbers: by the codes, integers and texts of their leaf, so that a value is looked at once
// for each entry of a dictionary. Rows whose data is kept in one piece are read as records. Part of `FieldCoder`; one
// thread.

import EyeSystem

/// Reads a path of a sealed segment.
final class LeafReader {
    private let file: SealedFile
    private let path: [UInt8]
    private let reading: any DataReading
    /// Nil: no row that was taken apart has a value.
    private let leaf: SealedLeaf?
    private let scratch = SealedScratch()
    /// Entries of the leaf's dictionary → numbers.
    private var codes: [UInt32] = []
    /// Integers → numbers; forgotten now and then.
    private var integers = PairTable(seed: 0)
    private var integerNumbers: [UInt32] = []
    /// The numbers of a row group.
    private var numbers = [UInt32](repeating: 0, count: StoreLimits.rowsPerGroup)
    private var decoded = [UInt32](repeating: 0, count: StoreLimits.rowsPerGroup)
    private static let integersMax = 65_536

    // What a value takes, about nanoseconds, by how it is kept; a record, besides its bytes.
    private static let workPerCode = 8
    private static let workPerInteger = 25
    private static let workPerText = 100
    private static let workPerRecord = 3_000

    /// Nil: only the events tell.
    init?(_ file: SealedFile, _ path: [UInt8], _ reading: any DataReading) throws(IndexFault) {
        self.file = file
        self.path = path
        self.reading = reading
        switch try file.path(path) {
        case .unknown: return nil
        case .absent: leaf = nil
        case .leaf(let leaf):
            self.leaf = leaf
            codes = [UInt32](repeating: ValueTable.unknown, count: leaf.entries)
        }
    }

    /// Whether it is worth asking for a group's rows: else they are sooner read as records.
    func takesRows(ofGroup group: Int) throws(IndexFault) -> Bool { try !file.hasManyWhole(group: group) }

    /// Bytes of memory, about.
    var cost: Int { codes.count * 4 + integers.cost + integerNumbers.capacity * 4 + StoreLimits.rowsPerGroup * 8 }

    /// The numbers for `rows` of a group; returns the work, about nanoseconds.
    func numbers(
        of rows: [UInt32], group: Int, into out: inout [UInt32], _ values: inout ValueTable
    ) throws(IndexFault) -> Int {
        out.removeAll(keepingCapacity: true)
        let start = group * StoreLimits.rowsPerGroup
        var work = rows.count * 3
        for place in numbers.indices { numbers[place] = ValueTable.missing }
        if let leaf, let chunk = try leaf.chunk(group: group) { work += try fill(leaf, chunk, &values) }
        for row in rows { out.append(numbers[Int(row) - start]) }
        guard try file.hasWholeData(group: group) else { return work }
        let shapes = try file.shapeBlock(group: group)
        for (place, row) in rows.enumerated() {
            // In bounds: a block has a place for each row of its group.
            let shape = unsafe shapes.view(shapes.capacity).u32((Int(row) - start) * 4)
            guard shape == 0 else { continue }
            out[place] = try number(ofRecord: Int(row), &values, &work)
        }
        return work
    }

    private func number(ofRecord row: Int, _ values: inout ValueTable, _ work: inout Int) throws(IndexFault) -> UInt32 {
        let record = try file.record(row, into: scratch)
        work += LeafReader.workPerRecord + 2 * record.byteCount
        return unsafe reading.with(path, of: record.data) { value in
            guard let value else { return ValueTable.missing }
            return unsafe values.number(of: value.text)
        }
    }

    /// The numbers of all rows of the group that have a value; returns the work, about nanoseconds.
    private func fill(_ leaf: SealedLeaf, _ chunk: LeafChunk, _ values: inout ValueTable) throws(IndexFault) -> Int {
        switch chunk.kind {
        case .constant:
            let number = unsafe number(ofToken: chunk.constant, &values)
            chunk.forEachRow { place, _ in numbers[place] = number }
            return chunk.count
        case .codes:
            try fillCodes(leaf, chunk, &values)
            return chunk.count * LeafReader.workPerCode
        case .integers:
            fillIntegers(chunk, &values)
            return chunk.count * LeafReader.workPerInteger
        case .texts: return try fillTexts(leaf, chunk, &values)
        case .ids: throw .damaged
        }
    }

    private func fillCodes(_ leaf: SealedLeaf, _ chunk: LeafChunk, _ values: inout ValueTable) throws(IndexFault) {
        guard chunk.areAll(from: 0, below: Int64(codes.count)) else { throw .damaged }
        unsafe decoded.withUnsafeMutableBytes { out in
            // In bounds: no chunk has more values than a group has rows.
            unsafe chunk.decode(to: out.baseAddress.unsafelyUnwrapped, as: UInt32.self)
        }
        for index in 0..<chunk.count {
            let code = Int(decoded[index])
            if codes[code] == ValueTable.unknown {
                let token = try leaf.text(code: code)
                codes[code] = unsafe number(ofToken: token.bytes, &values)
            }
            decoded[index] = codes[code]
        }
        chunk.forEachRow { place, index in numbers[place] = decoded[index] }
    }

    private func fillIntegers(_ chunk: LeafChunk, _ values: inout ValueTable) {
        if integers.count > LeafReader.integersMax {
            integers = PairTable(seed: 0)
            integerNumbers = []
        }
        for index in 0..<chunk.count {
            let value = chunk.number(index)
            let known = Int(integers.number(of: UInt64(bitPattern: value)))
            if known == integerNumbers.count {
                let text = Array("\(value)".utf8)
                integerNumbers.append(unsafe text.withUnsafeBytes { unsafe values.number(of: $0) })
            }
            decoded[index] = integerNumbers[known]
        }
        chunk.forEachRow { place, index in numbers[place] = decoded[index] }
    }

    private func fillTexts(
        _ leaf: SealedLeaf, _ chunk: LeafChunk, _ values: inout ValueTable
    ) throws(IndexFault) -> Int {
        var work = chunk.count * LeafReader.workPerText
        for number in 0..<chunk.pageCount {
            let first = chunk.firstValue(number)
            let end = number + 1 < chunk.pageCount ? chunk.firstValue(number + 1) : chunk.count
            guard first >= 0, first <= end, end <= chunk.count else { throw .damaged }
            let page = try file.blocks.page(at: chunk.pagePlace(number))
            for index in first..<end {
                guard let token = unsafe page.value(index - first) else { throw .damaged }
                work += token.count / 2
                decoded[index] = unsafe self.number(ofToken: token, &values)
            }
        }
        chunk.forEachRow { place, index in numbers[place] = decoded[index] }
        return work
    }

    /// The number of the value that a JSON token says.
    private func number(ofToken token: UnsafeRawBufferPointer, _ values: inout ValueTable) -> UInt32 {
        guard token.count >= 2, unsafe token[0] == UInt8(ascii: "\"") else { return unsafe values.number(of: token) }
        let inside = unsafe token.slice(1, token.count - 2)
        guard unsafe inside.contains(UInt8(ascii: "\\")) else { return unsafe values.number(of: inside) }
        var text: [UInt8] = []
        let place = DataPlace(kind: .string, range: 1..<(token.count - 1), isEscaped: true)
        unsafe reading.appendText(of: place, in: token, to: &text)
        return unsafe text.withUnsafeBytes { unsafe values.number(of: $0) }
    }
}
