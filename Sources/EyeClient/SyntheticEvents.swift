// Events of ours for measuring: the shape of real ones, different in session, category, name, numbers and time, and always the
// same for the same seed and index. Pure; nothing here is random in the sense of security.

import EyeWire

/// A stream of made-up events.
public struct SyntheticEvents: Sendable {
    /// Sessions that the events are spread over.
    public static let sessions: UInt64 = 10_000
    /// 2025-01-01T00:00:00Z: the time of event 0; each later one is a millisecond younger. Fixed, so that a seed says it all.
    public static let firstMicroseconds: Int64 = 1_735_689_600_000_000

    private static let categories: [StaticString] = [
        "page interaction", "navigation", "commerce", "media", "account",
    ]
    private static let names: [StaticString] = [
        "cta click", "page view", "form submit", "scroll depth", "video play", "video pause", "add to cart",
        "checkout start", "search query", "signup",
    ]
    /// One event in so many, at this place, is a "rare event".
    private static let rareEvery: UInt64 = 100_000
    private static let rarePlace: UInt64 = 70_001
    private static let elements: [StaticString] = ["chat bubble", "main menu", "hero image", "footer link"]

    private let seed: UInt64

    public init(seed: UInt64) { self.seed = seed }

    /// Appends event `index` as a JSON object of about 190 bytes (230 with a token in front).
    public func append(_ index: UInt64, to out: inout [UInt8]) {
        let random = SyntheticEvents.mix(index &+ seed &* 0x2545_F491_4F6C_DD1D)
        let session = random % SyntheticEvents.sessions
        out.append("{\"session_id\":\"")
        UUID(
            high: 0x5E55_0000_0000_4000 | session << 32,
            low: 0x8000_0000_0000_0000 | SyntheticEvents.mix(session &+ seed) >> 16
        ).append(to: &out)
        out.append("\",\"category\":\"")
        out.append(SyntheticEvents.categories[Int(random >> 20 & 0xFF) % SyntheticEvents.categories.count])
        out.append("\",\"name\":\"")
        out.append(
            index % SyntheticEvents.rareEvery == SyntheticEvents.rarePlace
                ? "rare event" : SyntheticEvents.names[Int(random >> 28 & 0xFF) % SyntheticEvents.names.count])
        out.append("\",\"data\":{\"path\":\"/p/")
        out.append(decimal: random >> 36 & 0x3FF)
        out.append("\",\"element\":\"")
        out.append(SyntheticEvents.elements[Int(random >> 46 & 3)])
        out.append("\",\"n\":")
        out.append(decimal: random >> 48 & 0x3FF)
        out.append("},\"timestamp\":\"")
        let spread: Int64 = 1_000
        let micros = Int64(truncatingIfNeeded: random >> 54) % spread
        Timestamp.append(
            SyntheticEvents.firstMicroseconds + Int64(truncatingIfNeeded: index) * spread + micros, to: &out)
        out.append("\"}")
    }

    /// One step of splitmix64 (Steele, Lea, Flood 2014).
    public static func mix(_ value: UInt64) -> UInt64 {
        var word = value &+ 0x9E37_79B9_7F4A_7C15
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}
