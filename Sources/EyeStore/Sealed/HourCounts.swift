// How many events of a segment each (category, name, hour) has: counted while it is sealed, written sorted, in columns. A segment where
// there are too many of them has none. One thread.
//
// Blocks of 4,096 entries, sorted by category, name, hour: packed numbers of the category code, the name code, the hour since 1970
// (of the timestamp), the events.

import EyeSystem

/// Events of one category and name in one hour.
struct HourCount: Equatable {
    static let perBlock = 4096

    var category: UInt16
    var name: UInt16
    /// Hours since 1970-01-01T00:00:00Z.
    var hour: Int64
    var events: Int

    static func hour(of timestamp: Int64) -> Int64 {
        let hour = timestamp / 3_600_000_000
        return timestamp < hour * 3_600_000_000 ? hour - 1 : hour
    }
}

/// Counts under construction.
@safe
final class HourCounter {
    private struct Entry {
        var hour: Int64
        var codes: UInt32
        var events: UInt32
    }

    private var entries: UnsafeMutablePointer<Entry>
    private var places = 256
    private var count = 0
    /// There were too many.
    private(set) var isOverfull = false
    /// The place found last.
    private var last = 0

    init() {
        unsafe entries = .allocate(capacity: places)
        unsafe entries.initialize(repeating: Entry(hour: 0, codes: 0, events: 0), count: places)
    }

    deinit { unsafe entries.deallocate() }

    /// Bytes of memory.
    var cost: Int { places * MemoryLayout<Entry>.stride }

    @inline(__always)
    func add(category: UInt16, name: UInt16, timestamp: Int64) {
        if isOverfull { return }
        let hour = HourCount.hour(of: timestamp)
        let codes = UInt32(category) << 16 | UInt32(name)
        var place = HourCounter.hash(hour, codes) & (places &- 1)
        while true {
            // In bounds: `places` is a power of two, the table's size, at most half of it used.
            if unsafe entries[place].events == 0 { return insert(hour, codes, place) }
            if unsafe entries[place].codes == codes && entries[place].hour == hour {
                unsafe entries[place].events &+= 1
                return
            }
            place = (place &+ 1) & (places &- 1)
        }
    }

    @inline(__always)
    private static func hash(_ hour: Int64, _ codes: UInt32) -> Int {
        Int(
            truncatingIfNeeded: Mix.fold(
                UInt64(bitPattern: hour) ^ 0x9E37_79B9_7F4A_7C15, UInt64(codes) ^ 0xD6E8_FEB8_6659_FD93))
    }

    @inline(never)
    private func insert(_ hour: Int64, _ codes: UInt32, _ place: Int) {
        guard count < StoreLimits.hourCountsMax else {
            isOverfull = true
            return
        }
        unsafe entries[place] = Entry(hour: hour, codes: codes, events: 1)
        count += 1
        if count * 2 > places { grow() }
    }

    private func grow() {
        let old = unsafe entries
        let oldPlaces = places
        places *= 2
        unsafe entries = .allocate(capacity: places)
        unsafe entries.initialize(repeating: Entry(hour: 0, codes: 0, events: 0), count: places)
        for from in 0..<oldPlaces where unsafe old[from].events > 0 {
            var place = unsafe HourCounter.hash(old[from].hour, old[from].codes) & (places - 1)
            while unsafe entries[place].events > 0 { place = (place + 1) & (places - 1) }
            unsafe entries[place] = old[from]
        }
        unsafe old.deallocate()
    }

    /// All of them, sorted.
    func sorted() -> [HourCount] {
        var all: [HourCount] = []
        all.reserveCapacity(count)
        for place in 0..<places where unsafe entries[place].events > 0 {
            let entry = unsafe entries[place]
            all.append(
                HourCount(
                    category: UInt16(entry.codes >> 16), name: UInt16(truncatingIfNeeded: entry.codes),
                    hour: entry.hour, events: Int(entry.events)))
        }
        all.sort { ($0.category, $0.name, $0.hour) < ($1.category, $1.name, $1.hour) }
        return all
    }

    /// Writes them as the part `counts`; returns how many.
    func write(_ writer: SealedWriter) throws(SystemError) -> Int {
        let all = sorted()
        let out = GrowingBytes()
        for first in stride(from: 0, to: all.count, by: HourCount.perBlock) {
            let some = all[first..<min(first + HourCount.perBlock, all.count)]
            out.removeAll()
            PackedNumbers.append(some.map { Int64($0.category) }, to: out)
            PackedNumbers.append(some.map { Int64($0.name) }, to: out)
            PackedNumbers.append(some.map(\.hour), to: out)
            PackedNumbers.append(some.map { Int64($0.events) }, to: out)
            try unsafe writer.add(.counts, out.view)
        }
        return all.count
    }
}
