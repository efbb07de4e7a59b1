import Testing

@testable import EyeStore

/// The cache gives back what was put in under a key, or nothing, and keeps to its limit, whatever comes and goes.
@Suite struct BlockCacheTests {
    private static func buffer(_ number: UInt64, bytes: Int) -> ByteBuffer {
        let made = ByteBuffer(count: bytes)
        made.bytes.storeBytes(of: number, as: UInt64.self)
        return made
    }

    @Test func everythingIsFoundUpToTheLimit() {
        let cache = BlockCache(bytesMax: 100_000)
        for block in 0..<1000 {
            let key = BlockCache.Key(file: UInt64(block % 7), part: UInt32(block % 3), block: UInt32(block))
            cache.add(key, Self.buffer(UInt64(block), bytes: 100))
        }
        for block in 0..<1000 {
            let key = BlockCache.Key(file: UInt64(block % 7), part: UInt32(block % 3), block: UInt32(block))
            #expect(cache.find(key)?.bytes.load(as: UInt64.self) == UInt64(block))
        }
    }

    @Test func whatIsUsedStaysAndNothingIsMistaken() {
        let cache = BlockCache(bytesMax: 20_000)
        var random = SeededGenerator(seed: 3)
        let used = BlockCache.Key(file: 1, part: 2, block: 3)
        cache.add(used, Self.buffer(77, bytes: 100))
        var held: [UInt32: ByteBuffer] = [:]
        for _ in 0..<20_000 {
            #expect(cache.find(used)?.bytes.load(as: UInt64.self) == 77)
            let block = UInt32.random(in: 0..<2_000, using: &random)
            let key = BlockCache.Key(file: 9, part: 0x1000_0000, block: block)
            if let found = cache.find(key) {
                #expect(found === held[block])
            } else {
                let made = Self.buffer(UInt64(block), bytes: Int.random(in: 8...300, using: &random))
                held[block] = made
                cache.add(key, made)
            }
        }
        let kept = held.filter { cache.find(BlockCache.Key(file: 9, part: 0x1000_0000, block: $0.key)) != nil }
        #expect(kept.count > 60)
        #expect(kept.values.reduce(0) { $0 + $1.capacity } <= 20_000)
    }

    /// What was looked at once and never again makes way for what is looked at again and again.
    @Test func aWorkingSetFindsItsWayIn() {
        let cache = BlockCache(bytesMax: 20_000)
        for block in 0..<200 {
            cache.add(BlockCache.Key(file: 1, part: 1, block: UInt32(block)), Self.buffer(0, bytes: 100))
        }
        var misses: [Int] = []
        for _ in 0..<3 {
            var missed = 0
            for block in 0..<50 {
                let key = BlockCache.Key(file: 2, part: 1, block: UInt32(block))
                if cache.find(key) == nil {
                    missed += 1
                    cache.add(key, Self.buffer(0, bytes: 100))
                }
            }
            misses.append(missed)
        }
        #expect(misses == [50, 0, 0])
    }

    /// What made room is counted until somebody gives it back.
    @Test func whatMadeRoomIsKnown() {
        let cache = BlockCache(bytesMax: 1_000)
        func add(_ count: Int, _ file: UInt64) {
            for block in 0..<count {
                cache.add(BlockCache.Key(file: file, part: 1, block: UInt32(block)), Self.buffer(0, bytes: 100))
            }
        }
        add(10, 1)
        #expect(!cache.takeEvicted(100))
        add(9, 2)
        #expect(!cache.takeEvicted(1_000))
        add(1, 3)
        #expect(cache.takeEvicted(1_000) && !cache.takeEvicted(100))
    }
}
