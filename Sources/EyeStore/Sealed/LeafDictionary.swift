// The different values of one leaf of `data`, with codes in the order they came: grown while a segment is sealed, and taken back when a
// row group turns out to be better off without it. One thread.

import EyeSystem
import Glibc

/// Bytes that all dictionaries of a segment take together.
final class DictionaryBudget {
    var bytes = 0
}

/// A dictionary under construction.
@safe
final class LeafDictionary {
    private let texts = GrowingBytes(capacity: 256)
    /// u32 each: where an entry's text begins, and one more: where the last one ends.
    private let starts = GrowingBytes(capacity: 64)
    /// u32 each.
    private let hashes = GrowingBytes(capacity: 64)
    private var table: UnsafeMutablePointer<UInt32>
    private var places = 64
    private let seed: UInt64
    private let budget: DictionaryBudget
    private(set) var count = 0

    /// What an entry costs beside its text.
    private static let entryCost = 16

    init(seed: UInt64, budget: DictionaryBudget) {
        self.seed = seed
        self.budget = budget
        unsafe table = .allocate(capacity: places)
        unsafe table.initialize(repeating: 0, count: places)
        starts.append(number: UInt32(0))
    }

    deinit { unsafe table.deallocate() }

    /// Bytes of memory.
    var cost: Int { texts.capacity + starts.capacity + hashes.capacity + places * 4 }

    /// Entry `code`.
    func text(_ code: Int) -> UnsafeRawBufferPointer {
        precondition(code >= 0 && code < count, "an entry that is there")
        let start = Int(starts.number(code * 4, as: UInt32.self))
        return unsafe texts.view.slice(start, Int(starts.number(code * 4 + 4, as: UInt32.self)) - start)
    }

    /// The code of `text`, new if need be; -1: it is too long, or there is no more room.
    @inline(__always)
    func add(_ text: UnsafeRawBufferPointer) -> Int {
        let hash = unsafe UInt32(truncatingIfNeeded: Mix.hash(text, seed: seed))
        var place = Int(hash) & (places &- 1)
        while true {
            // In bounds: `places` is a power of two, the size of the table; it is at most half full, so this ends.
            let found = unsafe Int(table[place]) &- 1
            if found < 0 { return unsafe insert(text, hash, place) }
            if hashes.number(found &* 4, as: UInt32.self) == hash, unsafe self.text(found).isSame(text) { return found }
            place = (place &+ 1) & (places &- 1)
        }
    }

    @inline(never)
    private func insert(_ text: UnsafeRawBufferPointer, _ hash: UInt32, _ place: Int) -> Int {
        let cost = text.count + LeafDictionary.entryCost
        guard count < StoreLimits.leafDictionaryEntriesMax, text.count <= StoreLimits.leafDictionaryValueBytesMax,
            budget.bytes + cost <= StoreLimits.leafDictionariesBytesMax
        else { return -1 }
        budget.bytes += cost
        unsafe texts.append(text)
        starts.append(number: UInt32(texts.count))
        hashes.append(number: hash)
        // In bounds: the place of an empty entry.
        unsafe table[place] = UInt32(count + 1)
        count += 1
        if count * 2 > places { grow() }
        return count - 1
    }

    private func grow() {
        unsafe table.deallocate()
        places *= 2
        unsafe table = .allocate(capacity: places)
        unsafe table.initialize(repeating: 0, count: places)
        for code in 0..<count {
            var place = Int(hashes.number(code * 4, as: UInt32.self)) & (places - 1)
            while unsafe table[place] != 0 { place = (place + 1) & (places - 1) }
            unsafe table[place] = UInt32(code + 1)
        }
    }

    /// Takes back the entries from `code` on. They were the last to find their places, so no other one was put behind them.
    func truncate(to code: Int) {
        while count > code {
            let last = count - 1
            budget.bytes -= unsafe text(last).count + LeafDictionary.entryCost
            var place = Int(hashes.number(last * 4, as: UInt32.self)) & (places - 1)
            while unsafe table[place] != UInt32(count) { place = (place + 1) & (places - 1) }
            unsafe table[place] = 0
            count = last
        }
        hashes.truncate(to: count * 4)
        starts.truncate(to: count * 4 + 4)
        texts.truncate(to: Int(starts.number(count * 4, as: UInt32.self)))
    }
}
