// Numbers for the different values of a field: the same value has the same number throughout a pass. A pass may be over a part of the
// values only, those whose hash lies in a range; that is how analyses of many values keep to their room. One analysis; one thread.

/// A part of all values: those with hashes in a range.
struct HashPart: Equatable {
    var low: UInt64 = 0
    var high = UInt64.max

    @inline(__always)
    func contains(_ hash: UInt64) -> Bool { hash >= low && hash <= high }

    /// How much of all hashes lies below it, and how much in it.
    var before: Double { Double(low) / Double(UInt64.max) }
    var share: Double { Double(high - low) / Double(UInt64.max) }

    /// Its first `share`; nil: it cannot be cut.
    func first(_ share: Double) -> HashPart? {
        let span = UInt64(Double(high - low) * min(max(share, 0.01), 0.9))
        guard span > 0, span < high - low else { return nil }
        return HashPart(low: low, high: low + span)
    }

    /// What comes after it; nil: nothing.
    var rest: HashPart? { high == UInt64.max ? nil : HashPart(low: high + 1, high: UInt64.max) }
}

/// Values and their numbers.
struct ValueTable {
    /// Instead of a number: the event has no such value.
    static let missing = UInt32.max
    /// Instead of a number: the value is not in this pass's part.
    static let outside = UInt32.max - 1
    /// In maps from codes to numbers: not looked up yet.
    static let unknown = UInt32.max - 2

    private var texts: [UInt8] = []
    /// Where each value begins, and where the last one ends.
    private var starts: [Int] = [0]
    private var hashes: [UInt32] = []
    /// Number + 1, or 0; at most half full.
    private var table: [UInt32] = []
    private let seed: UInt64
    let part: HashPart

    init(seed: UInt64, part: HashPart = HashPart()) {
        self.seed = seed
        self.part = part
    }

    var count: Int { hashes.count }

    /// The number of `text`, a new one if need be; `outside` if it is not in this part.
    mutating func number(of text: UnsafeRawBufferPointer) -> UInt32 {
        let hash = unsafe Mix.hash(text, seed: seed)
        guard part.contains(hash) else { return ValueTable.outside }
        let short = UInt32(truncatingIfNeeded: hash)
        if count * 2 >= table.count { grow() }
        var place = Int(short) & (table.count - 1)
        while table[place] != 0 {
            let number = Int(table[place]) - 1
            if hashes[number] == short {
                let (start, end) = (starts[number], starts[number + 1])
                let isSame = unsafe texts.withUnsafeBytes { unsafe $0.slice(start, end - start).equals(text) }
                if isSame { return UInt32(number) }
            }
            place = (place + 1) & (table.count - 1)
        }
        unsafe texts.append(contentsOf: text)
        starts.append(texts.count)
        hashes.append(short)
        table[place] = UInt32(count)
        return UInt32(count - 1)
    }

    /// The value with a number.
    func value(_ number: UInt32) -> [UInt8] { Array(texts[starts[Int(number)]..<starts[Int(number) + 1]]) }

    private mutating func grow() {
        table = [UInt32](repeating: 0, count: max(table.count * 2, 64))
        for number in 0..<count {
            var place = Int(hashes[number]) & (table.count - 1)
            while table[place] != 0 { place = (place + 1) & (table.count - 1) }
            table[place] = UInt32(number + 1)
        }
    }

    /// Bytes of memory, about, when the next row group was added.
    var cost: Int {
        let textBytes = StoreLimits.rowsPerGroup * 16
        return texts.bytesAhead(textBytes) + starts.bytesAhead() + hashes.bytesAhead()
            + tableBytesAhead(table.count, count)
    }
}
