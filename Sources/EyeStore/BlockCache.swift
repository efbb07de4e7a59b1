// Blocks of index files that were read and checked lately, within a limit of bytes. One for each reader; one thread.

/// A cache with second chances: what was used since the hand passed last is kept.
final class BlockCache {
    struct Key: Hashable {
        var file: UInt64
        var part: UInt32
        var block: UInt32
    }

    private struct Entry {
        var key: Key
        var buffer: ByteBuffer
        var isUsed: Bool
    }

    private let bytesMax: Int
    private var bytes = 0
    private var entries: [Entry] = []
    private var places: [Key: Int] = [:]
    private var hand = 0
    private var lastNumber: UInt64 = 0

    init(bytesMax: Int) { self.bytesMax = bytesMax }

    /// A number for a file: blocks of one that was opened again are not mistaken for the old one's.
    func nextNumber() -> UInt64 {
        lastNumber += 1
        return lastNumber
    }

    func find(_ key: Key) -> ByteBuffer? {
        guard let place = places[key] else { return nil }
        entries[place].isUsed = true
        return entries[place].buffer
    }

    func add(_ key: Key, _ buffer: ByteBuffer) {
        while bytes + buffer.capacity > bytesMax && !entries.isEmpty { evictOne() }
        bytes += buffer.capacity
        places[key] = entries.count
        entries.append(Entry(key: key, buffer: buffer, isUsed: false))
    }

    private func evictOne() {
        while true {
            if hand >= entries.count { hand = 0 }
            if entries[hand].isUsed {
                entries[hand].isUsed = false
                hand += 1
                continue
            }
            bytes -= entries[hand].buffer.capacity
            places[entries[hand].key] = nil
            let last = entries.removeLast()
            if hand < entries.count {
                entries[hand] = last
                places[last.key] = hand
            }
            return
        }
    }
}
