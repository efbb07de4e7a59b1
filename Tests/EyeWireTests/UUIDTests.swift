import EyeTestVectors
import Testing

@testable import EyeWire

@Suite struct UUIDTests {
    /// The text is that of the simplest way to write it, and is read back: each digit at each place, and random ones.
    @Test func textOfEveryDigitAtEveryPlace() throws {
        var generator = SeededGenerator(seed: 12)
        var cases = (0..<500).map { _ in (high: generator.next(), low: generator.next()) }
        for digit in UInt64(0)..<16 {
            for shift in stride(from: UInt64(0), to: 64, by: 4) {
                cases.append((digit << shift, 0))
                cases.append((~0, ~(15 << shift) | digit << shift))
            }
        }
        for (high, low) in cases {
            let uuid = EyeWire.UUID(high: high, low: low)
            let digits = [high, low].map { half in
                let text = String(half, radix: 16)
                return String(repeating: "0", count: 16 - text.count) + text
            }.joined()
            var expected = ""
            for (place, digit) in digits.enumerated() {
                if [8, 12, 16, 20].contains(place) { expected += "-" }
                expected.append(digit)
            }
            #expect(uuid.description == expected)
            let text = Array(expected.utf8)
            #expect(EyeWire.UUID(parsing: text.span) == uuid)
        }
    }
}
