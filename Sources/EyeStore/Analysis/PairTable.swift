// Numbers for pairs of numbers: how several fields become one group, and how "this group has met this session" is remembered. A struct
// whose methods take a whole row group, so that nothing is checked for exclusivity for each event. One analysis; one thread.

/// Pairs and their numbers.
struct PairTable {
    /// First number in the high half.
    private(set) var keys: [UInt64] = []
    /// Number + 1, or 0; at most half full.
    private var table: [UInt32] = []
    private let seed: UInt64
    private var lastKey = UInt64.max
    private var lastNumber: UInt32 = 0

    init(seed: UInt64) { self.seed = seed | 1 }

    var count: Int { keys.count }

    /// The number of a key, a new one if need be.
    @inline(__always)
    mutating func number(of key: UInt64) -> UInt32 {
        // Neighbours are often alike.
        if key == lastKey && !keys.isEmpty { return lastNumber }
        if keys.count * 2 >= table.count { grow() }
        let mask = table.count - 1
        var place = Int(truncatingIfNeeded: Mix.fold(key ^ seed, 0x9E37_79B9_7F4A_7C15)) & mask
        lastKey = key
        while table[place] != 0 {
            let number = table[place] - 1
            if keys[Int(number)] == key {
                lastNumber = number
                return number
            }
            place = (place + 1) & mask
        }
        keys.append(key)
        table[place] = UInt32(keys.count)
        lastNumber = UInt32(keys.count - 1)
        return lastNumber
    }

    /// The number of a pair.
    @inline(__always)
    mutating func number(_ first: UInt32, _ second: UInt32) -> UInt32 {
        number(of: UInt64(first) << 32 | UInt64(second))
    }

    /// The pair with a number.
    func pair(_ number: UInt32) -> (first: UInt32, second: UInt32) {
        let key = keys[Int(number)]
        return (UInt32(key >> 32), UInt32(truncatingIfNeeded: key))
    }

    /// Replaces each of `firsts` by the number of its pair with the one of `seconds` in the same place. What has no number stays without.
    mutating func combine(_ firsts: inout [UInt32], with seconds: [UInt32]) {
        for place in firsts.indices {
            let (first, second) = (firsts[place], seconds[place])
            if first >= ValueTable.unknown { continue }
            firsts[place] = second >= ValueTable.unknown ? second : number(first, second)
        }
    }

    private mutating func grow() {
        table = [UInt32](repeating: 0, count: max(table.count * 2, 64))
        let mask = table.count - 1
        for (number, key) in keys.enumerated() {
            var place = Int(truncatingIfNeeded: Mix.fold(key ^ seed, 0x9E37_79B9_7F4A_7C15)) & mask
            while table[place] != 0 { place = (place + 1) & mask }
            table[place] = UInt32(number + 1)
        }
    }

    /// Bytes of memory, about, when the next row group was added.
    var cost: Int { keys.bytesAhead() + tableBytesAhead(table.count, keys.count) }
}
