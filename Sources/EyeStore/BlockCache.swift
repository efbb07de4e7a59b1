// Blocks of index files and of sealed segments, and whole row groups of these, that were read and checked lately, within a limit of bytes. One
// for each reader; one thread.

/// A cache with second chances: what was used since the hand passed last is kept.
final class BlockCache {
    struct Key: Equatable {
        var file: UInt64
        var part: UInt32
        var block: UInt32

        /// Spread over all bits; keys are our own numbers, nobody can choose them to collide.
        @inline(__always)
        fileprivate var hash: Int {
            var mixed = file &* 0x9E37_79B9_7F4A_7C15 ^ (UInt64(part) << 32 | UInt64(block))
            mixed = (mixed ^ mixed >> 32) &* 0xD6E8_FEB8_6659_FD93
            return Int(truncatingIfNeeded: mixed ^ mixed >> 32)
        }
    }

    /// Either a block or a row group.
    private struct Entry {
        var key: Key
        var buffer: ByteBuffer?
        var group: SealedGroup?
        var bytes: Int
        var isUsed: Bool
    }

    private let bytesMax: Int
    private var bytes = 0
    /// Bytes of what made room for others since somebody took the number.
    private var evictedBytes = 0
    private var entries: [Entry] = []
    /// Where entries are, by their keys: place + 1, or 0; at most half full, linear probing.
    private var places = [UInt32](repeating: 0, count: 64)
    private var hand = 0
    private var lastNumber: UInt64 = 0

    init(bytesMax: Int) { self.bytesMax = bytesMax }

    /// A number for a file: blocks of one that was opened again are not mistaken for the old one's.
    func nextNumber() -> UInt64 {
        lastNumber += 1
        return lastNumber
    }

    /// Whether `least` bytes or more made room for others since it was last so. They are free then, in pieces between those that stay.
    func takeEvicted(_ least: Int) -> Bool {
        guard evictedBytes >= least else { return false }
        evictedBytes = 0
        return true
    }

    func find(_ key: Key) -> ByteBuffer? {
        let place = Int(places[slot(key)]) - 1
        guard place >= 0 else { return nil }
        entries[place].isUsed = true
        return entries[place].buffer
    }

    func findGroup(_ key: Key) -> SealedGroup? {
        let place = Int(places[slot(key)]) - 1
        guard place >= 0 else { return nil }
        entries[place].isUsed = true
        return entries[place].group
    }

    func add(_ key: Key, _ buffer: ByteBuffer) {
        add(Entry(key: key, buffer: buffer, group: nil, bytes: buffer.capacity, isUsed: false))
    }

    func add(_ key: Key, _ group: SealedGroup) {
        add(Entry(key: key, buffer: nil, group: group, bytes: group.cost, isUsed: false))
    }

    private func add(_ entry: Entry) {
        while bytes + entry.bytes > bytesMax && !entries.isEmpty { evictOne() }
        if (entries.count + 1) * 2 > places.count { grow() }
        let slot = slot(entry.key)
        precondition(places[slot] == 0, "what is in the cache is not read again")
        bytes += entry.bytes
        entries.append(entry)
        places[slot] = UInt32(entries.count)
    }

    /// Where `key` stands in `places`, or would.
    @inline(__always)
    private func slot(_ key: Key) -> Int {
        let mask = places.count - 1
        var slot = key.hash & mask
        while places[slot] != 0 && entries[Int(places[slot]) - 1].key != key { slot = (slot + 1) & mask }
        return slot
    }

    private func grow() {
        places = [UInt32](repeating: 0, count: places.count * 2)
        for (place, entry) in entries.enumerated() { places[slot(entry.key)] = UInt32(place + 1) }
    }

    private func evictOne() {
        while true {
            if hand >= entries.count { hand = 0 }
            if entries[hand].isUsed {
                entries[hand].isUsed = false
                hand += 1
                continue
            }
            bytes -= entries[hand].bytes
            evictedBytes += entries[hand].bytes
            clear(slot(entries[hand].key))
            let lastPlace = entries.count - 1
            if hand < lastPlace { places[slot(entries[lastPlace].key)] = UInt32(hand + 1) }
            let last = entries.removeLast()
            if hand < lastPlace { entries[hand] = last }
            // Past the one that took its place: it may be the newest of all, and nobody had the time to use it.
            hand += 1
            return
        }
    }

    /// Empties a place, and moves up what was put behind it because it was taken.
    private func clear(_ slot: Int) {
        let mask = places.count - 1
        var hole = slot
        var next = (slot + 1) & mask
        while places[next] != 0 {
            let home = entries[Int(places[next]) - 1].key.hash & mask
            if (next - home) & mask >= (next - hole) & mask {
                places[hole] = places[next]
                hole = next
            }
            next = (next + 1) & mask
        }
        places[hole] = 0
    }
}
