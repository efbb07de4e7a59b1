import Testing

@testable import EyeStore

@Suite struct TextCodecTests {
    private static func roundTrip(_ text: [UInt8], _ comment: Comment? = nil) throws {
        let codec = TextCodec()
        let out = GrowingBytes()
        let bytes = text.withUnsafeBytes { codec.compress($0, to: out) }
        #expect(bytes == out.count && bytes <= TextCodec.bytesMax(text.count), comment)
        let back = ByteBuffer(count: text.count)
        let room = UnsafeMutableRawBufferPointer(rebasing: back.bytes[0..<text.count])
        #expect(TextCodec.decompress(out.view, into: room), comment)
        #expect(Array(back.view(text.count)) == text, comment)
        // A wrong length is never taken.
        if text.count > 0 {
            #expect(
                !TextCodec.decompress(
                    out.view, into: UnsafeMutableRawBufferPointer(rebasing: room[..<(text.count - 1)])))
        }
        let larger = ByteBuffer(count: text.count + 1)
        #expect(!TextCodec.decompress(out.view, into: larger.bytes))
        withExtendedLifetime((out, back)) {}
    }

    @Test func textsComeBack() throws {
        for count in [0, 1, 4, 5, 11, 12, 13, 14, 15, 16, 17, 64, 255, 269, 270, 271, 16_384, 70_000, 200_000] {
            try Self.roundTrip([UInt8](repeating: 0x61, count: count), "\(count) equal")
            try Self.roundTrip((0..<count).map { UInt8(truncatingIfNeeded: $0 / 7) }, "\(count) slow")
            try Self.roundTrip(Array("abcabcabd".utf8.map { $0 }.prefix(count)) + (0..<count).map { UInt8($0 % 3) })
        }
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<300 {
            let alphabet = generator.next() % 200 + 1
            var text = (0..<(generator.next() % 3000)).map { _ in UInt8(generator.next() % alphabet) }
            // Repeats, near and far.
            for _ in 0..<(generator.next() % 8) where text.count > 0 {
                let from = Int(generator.next() % UInt64(text.count))
                text += text[from..<min(text.count, from + Int(generator.next() % 400))]
            }
            try Self.roundTrip(text, "seed \(seed)")
        }
    }

    /// The block of the format's description, byte for byte: "aaaaaaaaaaaaaaaaaaaa" by one literal, a match, five literals.
    @Test func aBlockByHand() {
        // Token: 1 literal, match 14; 'a'; offset 1; token: 5 literals; 'aaaaa'.
        let block: [UInt8] = [0x1A, 0x61, 0x01, 0x00, 0x50, 0x61, 0x61, 0x61, 0x61, 0x61]
        let out = ByteBuffer(count: 20)
        #expect(block.withUnsafeBytes { TextCodec.decompress($0, into: out.bytes) })
        #expect(Array(out.view(20)) == [UInt8](repeating: 0x61, count: 20))
    }

    /// Any bytes end in true or false, and write nothing outside.
    @Test func garbage() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SeededGenerator(seed: seed)
        let codec = TextCodec()
        let text = (0..<2000).map { UInt8($0 / 3 % 50) }
        let whole = GrowingBytes()
        _ = text.withUnsafeBytes { codec.compress($0, to: whole) }
        for round in 0..<20_000 {
            var block =
                round % 2 == 0
                ? (0..<(generator.next() % 60)).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
                : Array(whole.view)
            if round % 2 == 1 {
                for _ in 0..<3 {
                    block[Int(generator.next() % UInt64(block.count))] = UInt8(truncatingIfNeeded: generator.next())
                }
                block.removeLast(Int(generator.next() % 4))
            }
            let count = Int(generator.next() % 2100)
            let guarded = ByteBuffer(count: count + 64)
            guarded.bytes.initializeMemory(as: UInt8.self, repeating: 0xA5)
            let room = UnsafeMutableRawBufferPointer(rebasing: guarded.bytes[32..<(32 + count)])
            _ = block.withUnsafeBytes { TextCodec.decompress($0, into: room) }
            let view = guarded.view(count + 64)
            #expect(
                view[..<32].allSatisfy { $0 == 0xA5 } && view[(32 + count)...].allSatisfy { $0 == 0xA5 }, "seed \(seed)"
            )
        }
    }
}
