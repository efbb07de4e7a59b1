import Testing

@testable import EyeStore

@Suite struct PackedNumbersTests {
    /// Packs, and reads one by one and all at once.
    private static func roundTrip(_ values: [Int64], _ comment: Comment? = nil) throws {
        let out = GrowingBytes()
        PackedNumbers.append(values, to: out)
        let bytes = out.count
        out.appendZeros(PackedNumbers.slackBytes)
        let packed = try #require(PackedNumbers(out.view.slice(0, bytes)), comment)
        #expect(packed.count == values.count && packed.byteCount == bytes, comment)
        #expect((0..<values.count).map { packed[$0] } == values, comment)
        let decoded = ByteBuffer(count: values.count * 8)
        packed.decode(to: decoded.bytes.baseAddress!, as: Int64.self)
        #expect((0..<values.count).map { decoded.view(decoded.capacity).i64($0 * 8) } == values, comment)
        if let low = values.min(), let high = values.max(), high < Int64.max {
            #expect(packed.areAll(from: low, below: high + 1), comment)
            #expect(
                !packed.areAll(from: low, below: high)
                    && (low == .min || !packed.areAll(from: low + 1, below: high + 1)))
        }
        for cut in [0, 1, bytes / 2, bytes - 1] where cut < bytes {
            #expect(PackedNumbers(out.view.slice(0, cut)) == nil, comment)
        }
        withExtendedLifetime(out) {}
    }

    @Test func edges() throws {
        try Self.roundTrip([])
        try Self.roundTrip([0])
        try Self.roundTrip([.min])
        try Self.roundTrip([.min, .max])
        try Self.roundTrip([.max, .min, 0, -1, 1])
        try Self.roundTrip(Array(repeating: 7, count: 4096))
        try Self.roundTrip((0..<4096).map { 1_700_000_000_000_000 + $0 * 1000 })
        try Self.roundTrip((0..<4096).map { -$0 * 77_777 })
        try Self.roundTrip([0, .max / 2, .max])
    }

    @Test(arguments: 0...64)
    func everyWidth(_ bits: Int) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SeededGenerator(seed: seed)
        let mask: UInt64 = bits == 64 ? .max : (1 << UInt64(bits)) - 1
        for count in [1, 2, 3, 63, 64, 65, 1000] {
            let base = Int64(bitPattern: generator.next())
            try Self.roundTrip(
                (0..<count).map { _ in base &+ Int64(bitPattern: generator.next() & mask) },
                "seed \(seed), \(bits) bits")
        }
    }

    /// Any bytes give some numbers, or none; nothing traps.
    @Test func garbage() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<5_000 {
            let bytes = GrowingBytes()
            bytes.append(number: UInt32(generator.next() % 40))
            bytes.append(number: UInt32(generator.next() % 70))
            bytes.append(number: generator.next())
            bytes.append(number: generator.next())
            for _ in 0..<(generator.next() % 40) { bytes.append(number: generator.next()) }
            let count = bytes.count
            bytes.appendZeros(PackedNumbers.slackBytes)
            guard let packed = PackedNumbers(bytes.view.slice(0, count)) else { continue }
            for index in 0..<packed.count { _ = packed[index] }
            let out = ByteBuffer(count: packed.count * 2)
            packed.decode(to: out.bytes.baseAddress!, as: UInt16.self)
            withExtendedLifetime(bytes) {}
        }
    }

    @Test func integersAsTheyStandInText() {
        let values: [Int64] = [
            0, 1, -1, 9, 10, 99, 100, -100, 1 << 40, .max, .min, .max - 1, .min + 1, 999_999_999_999_999_999,
        ]
        for value in values {
            let text = Array(String(value).utf8)
            #expect(text.withUnsafeBytes { CanonicalInteger.parse($0) } == value)
            let out = ByteBuffer(count: CanonicalInteger.bytesMax)
            let count = CanonicalInteger.write(value, to: out.bytes.baseAddress!)
            #expect(Array(out.view(count)) == text)
        }
        for text in [
            "", "-", "-0", "00", "01", "+1", "1.0", "1e3", " 1", "9223372036854775808", "-9223372036854775809", "a",
        ] {
            #expect(Array(text.utf8).withUnsafeBytes { CanonicalInteger.parse($0) } == nil, "\(text)")
        }
    }
}
