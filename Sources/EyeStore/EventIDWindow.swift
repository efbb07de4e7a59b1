// The event_ids of late, for deduplication: at most a million, none older than 24 hours. A ring in order of arrival, and a hash table of
// places in it; both grow only as event_ids are used. Used by the appender thread only.

/// event_id → event id, for the newest of them.
final class EventIDWindow {
    struct Entry {
        var key: ID128
        var id: UInt64
        var received: Int64
    }

    private var ring: [Entry] = []
    /// Place of the oldest entry, and how many there are.
    private var head = 0
    private(set) var count = 0
    /// Place in the ring + 1, or 0. A power of two, at most half full.
    private var table: [UInt32] = []
    private let seed: UInt64
    private let countMax: Int

    init(seed: UInt64, countMax: Int = StoreLimits.eventIDWindowCount) {
        self.seed = seed
        self.countMax = countMax
    }

    private func home(_ key: ID128) -> Int {
        Int(truncatingIfNeeded: Mix.hash(key, seed: seed)) & (table.count - 1)
    }

    /// The id of the first event with this event_id; nil: not seen.
    func find(_ key: ID128) -> UInt64? {
        guard count > 0 else { return nil }
        var place = home(key)
        while table[place] != 0 {
            let entry = ring[Int(table[place]) - 1]
            if entry.key == key { return entry.id }
            place = (place + 1) & (table.count - 1)
        }
        return nil
    }

    /// Adds a new one (the caller has looked). `trim` keeps the limits later, so that `undo` can take it back.
    func add(_ key: ID128, id: UInt64, received: Int64) {
        if count == ring.count { grow() }
        let place = (head + count) & (ring.count - 1)
        ring[place] = Entry(key: key, id: id, received: received)
        count += 1
        insert(place)
    }

    /// Takes back the newest `number` entries.
    func undo(_ number: Int) {
        for _ in 0..<number {
            let place = (head + count - 1) & (ring.count - 1)
            erase(place)
            count -= 1
        }
    }

    /// Drops what is too old or too much.
    func trim(now: Int64) {
        while count > 0 {
            let oldest = ring[head]
            if count <= countMax && now - oldest.received <= StoreLimits.eventIDWindowMicroseconds { return }
            erase(head)
            head = (head + 1) & (ring.count - 1)
            count -= 1
        }
    }

    private func insert(_ place: Int) {
        var at = home(ring[place].key)
        while table[at] != 0 { at = (at + 1) & (table.count - 1) }
        table[at] = UInt32(place + 1)
    }

    /// Linear probing without tombstones: later entries of the run move up.
    private func erase(_ place: Int) {
        let mask = table.count - 1
        var hole = home(ring[place].key)
        while table[hole] != UInt32(place + 1) { hole = (hole + 1) & mask }
        var next = (hole + 1) & mask
        while table[next] != 0 {
            let wanted = home(ring[Int(table[next]) - 1].key)
            // The entry may move to the hole if the hole is not before its home.
            if (next - wanted) & mask >= (next - hole) & mask {
                table[hole] = table[next]
                hole = next
            }
            next = (next + 1) & mask
        }
        table[hole] = 0
    }

    private func grow() {
        let size = max(ring.count * 2, 1024)
        var fresh: [Entry] = []
        fresh.reserveCapacity(size)
        for index in 0..<count { fresh.append(ring[(head + index) & (ring.count - 1)]) }
        let nothing = Entry(key: ID128(high: 0, low: 0), id: 0, received: 0)
        fresh.append(contentsOf: repeatElement(nothing, count: size - count))
        ring = fresh
        head = 0
        table = [UInt32](repeating: 0, count: size * 2)
        for place in 0..<count { insert(place) }
    }
}

/// Hashing of keys that peers choose: seeded, so that they cannot aim at one place.
enum Mix {
    /// 128 → 64 bits by a wide product.
    @inline(__always)
    static func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let product = a.multipliedFullWidth(by: b)
        return product.high ^ product.low
    }

    @inline(__always)
    static func hash(_ key: ID128, seed: UInt64) -> UInt64 {
        fold(key.high ^ seed, 0x9E37_79B9_7F4A_7C15 ^ fold(key.low ^ seed.byteSwapped, 0xD6E8_FEB8_6659_FD93))
    }

    @inline(__always)
    static func hash(_ bytes: UnsafeRawBufferPointer, seed: UInt64) -> UInt64 {
        var state = seed ^ fold(UInt64(bytes.count) ^ 0x9E37_79B9_7F4A_7C15, 0xD6E8_FEB8_6659_FD93)
        var offset = 0
        while bytes.count - offset >= 8 {
            state = unsafe fold(state ^ bytes.u64(offset), 0x9E37_79B9_7F4A_7C15 ^ seed)
            offset += 8
        }
        // What is left of a longer text is read together with some of the word before.
        if offset > 0 { return unsafe fold(state ^ bytes.u64(bytes.count - 8), 0xA076_1D64_78BD_642F ^ seed) }
        var rest: UInt64 = 0
        while offset < bytes.count {
            rest = unsafe rest << 8 | UInt64(bytes[offset])
            offset += 1
        }
        return fold(state ^ rest, 0xA076_1D64_78BD_642F ^ seed)
    }
}
