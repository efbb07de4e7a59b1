import EyeWire
import Testing

@testable import EyeClient

@Suite struct LinePoolTests {
    private func line(_ pool: LinePool, _ index: Int) -> ArraySlice<UInt8> {
        pool.bytes[pool.starts[index]..<pool.starts[index + 1]]
    }

    /// The server's own scanner takes every line, and the same seed makes the same lines.
    @Test func syntheticLinesAreValidAndRepeatable() throws {
        let token = Array("0123456789abcdef0123456789abcdef01234567".utf8)
        let pool = LinePool.synthetic(count: 2000, seed: 7, token: token)
        #expect(pool.bytes == LinePool.synthetic(count: 2000, seed: 7, token: token).bytes)
        #expect(pool.bytes != LinePool.synthetic(count: 2000, seed: 8, token: token).bytes)
        #expect(pool.count == 2000 && pool.meanBytes > 200 && pool.meanBytes < 260)
        for index in 0..<pool.count {
            let bytes = Array(line(pool, index))
            #expect(bytes.last == 0x0A && bytes.starts(with: token + [0x20]))
            let json = Array(bytes[41..<bytes.count - 1])
            try json.withUnsafeBytes { _ = try EventScanner.scan($0, latest: .max) }
        }
    }

    @Test func tokensOfDatagrams() {
        let pool = LinePool.synthetic(count: 12, seed: 1, token: Array("T".utf8), tokenEvery: 6)
        let heads = (0..<12).map { line(pool, $0).first == UInt8(ascii: "T") }
        #expect(heads == (0..<12).map { $0 % 6 == 0 })
    }

    /// Chunks are as long as they may be, never longer than asked unless it is one line, and never beyond the pool.
    @Test func chunks() {
        var pool = LinePool()
        let lengths = [10, 300, 1, 50, 7, 7, 7, 200, 4, 90]
        for length in lengths { pool.add(line: [UInt8](repeating: 0x61, count: length - 1)[...]) }
        #expect(pool.count == lengths.count)
        for first in lengths.indices {
            for limit in [1, 2, 5, 100] as [UInt64] {
                for bytesMax in [1, 15, 60, 310, 10_000] {
                    var end = first
                    var sum = 0
                    while end < lengths.count && end - first < limit && (end == first || sum + lengths[end] <= bytesMax)
                    {
                        sum += lengths[end]
                        end += 1
                    }
                    #expect(pool.end(from: first, limit: limit, bytesMax: bytesMax) == end)
                }
            }
        }
    }
}
