import Testing

@testable import EyeWire

/// Objects taken apart: by the places alone they can be put together again, and the paths are those that `JSON.find` knows.
@Suite struct JSONLeavesTests {
    struct Dice: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        }
        mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

        /// A random object, with white space, repeated and strange names.
        mutating func object(_ depth: Int) -> String {
            let space = below(8) == 0 ? " " : ""
            let members = (0..<below(5)).map { _ -> String in
                let key = ["a", "b", "a.b", "", "\\u0061", "long name of a member", "ü"][below(7)]
                return "\(space)\"\(key)\"\(space):\(space)\(value(depth))"
            }
            return "{" + members.joined(separator: space + ",") + space + "}"
        }

        private mutating func value(_ depth: Int) -> String {
            switch below(depth > 4 ? 6 : 8) {
            case 0: "\(Int64(bitPattern: next()) >> Int64(below(64)))"
            case 1: "\"text \(below(9))\""
            case 2: "\"with \\\"quotes\\\" and \\\\\""
            case 3: ["true", "false", "null", "-0.5e+7", "{}", "{ }"][below(6)]
            case 4: "[1, {\"a\":[]}, \"]\"]"
            case 5: "\"a longer text with more than sixteen bytes in it\""
            default: object(depth + 1)
            }
        }
    }

    private static let placesMax = 512

    private static func ranges(_ places: UnsafeMutableBufferPointer<UInt32>, _ count: Int) -> [Range<Int>] {
        (0..<count).map { index -> Range<Int> in
            let start = Int(places[index * 2])
            return start..<(start + Int(places[index * 2 + 1]))
        }
    }

    /// Places and paths of the leaves of `text`; nil: it cannot be taken apart.
    private static func leaves(_ text: [UInt8], depthMax: Int = 16, leavesMax: Int = placesMax) -> [Range<Int>]? {
        GuardedBytes.with(text) { bytes in
            withUnsafeTemporaryAllocation(of: UInt32.self, capacity: leavesMax * 2) { places in
                let count = JSONLeaves().leaves(of: bytes, depthMax: depthMax, places: places)
                return count < 0 ? nil : Self.ranges(places, count)
            }
        }
    }

    /// Whether `text` has the shape of `model`, and where its leaves are then.
    private static func follows(_ text: [UInt8], _ model: [UInt8], _ places: [Range<Int>]) -> [Range<Int>]? {
        var shape: [UInt8] = []
        var literals: [UInt32] = []
        var at = 0
        for place in places + [model.count..<model.count] {
            shape += model[at..<place.lowerBound]
            literals.append(UInt32(place.lowerBound - at))
            at = place.upperBound
        }
        return GuardedBytes.with(text) { bytes in
            shape.withUnsafeBytes { shape in
                literals.withUnsafeBufferPointer { literals in
                    withUnsafeTemporaryAllocation(of: UInt32.self, capacity: max(places.count * 2, 1)) { found in
                        guard JSONLeaves().follows(shape, literals, bytes, places: found) else { return nil }
                        return Self.ranges(found, places.count)
                    }
                }
            }
        }
    }

    @Test func leavesByHand() {
        func texts(_ text: String) -> [String]? {
            let bytes = Array(text.utf8)
            return Self.leaves(bytes)?.map { String(decoding: bytes[$0], as: UTF8.self) }
        }
        #expect(texts("{}") == [])
        #expect(texts("{\"a\":1,\"b\":\"x\"}") == ["1", "\"x\""])
        #expect(texts("{ \"a\" : { \"b\" : [ 1 ] , \"c\":{ } } }") == ["[ 1 ]", "{ }"])
        for none in [
            "", "1", "[]", "{", "{\"a\"}", "{\"a\":1,}", "{\"a\":01}", "{}x", " {}", "{\"a\":\u{1}}", "{\"a\":1}}",
        ] {
            #expect(texts(none) == nil, "\(none)")
        }
        let paths = Array("{\"a\":1,\"b\":{\"c\":2,\"d\":{}},\"a\":3,\"b.c\":4}".utf8).withUnsafeBytes {
            JSONLeaves().paths(of: $0, depthMax: 4)
        }
        #expect(paths?.leaves.map { String(decoding: $0, as: UTF8.self) } == ["a", "b.c", "b.d", "a", "b.c"])
        #expect(paths?.isHidden == [true, true, false, false, false])
        #expect(paths?.objects == [[UInt8(ascii: "b")]])
    }

    @Test func depthAndNumberAreBounded() {
        let deep = Array((String(repeating: "{\"a\":", count: 5) + "1" + String(repeating: "}", count: 5)).utf8)
        #expect(Self.leaves(deep, depthMax: 5)?.count == 1 && Self.leaves(deep, depthMax: 4) == nil)
        #expect(deep.withUnsafeBytes { JSONLeaves().paths(of: $0, depthMax: 4) } == nil)
        let wide = Array(("{" + (0..<9).map { "\"k\($0)\":\($0)" }.joined(separator: ",") + "}").utf8)
        #expect(Self.leaves(wide, leavesMax: 9)?.count == 9 && Self.leaves(wide, leavesMax: 8) == nil)
    }

    @Test func randomObjects() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var dice = Dice(state: seed)
        var before: (text: [UInt8], places: [Range<Int>]) = ([], [])
        for _ in 0..<3_000 {
            let text = Array(dice.object(0).utf8)
            let note: Comment = "seed \(seed): \(String(decoding: text, as: UTF8.self))"
            let places = try #require(Self.leaves(text), note)
            let paths = try #require(text.withUnsafeBytes { JSONLeaves().paths(of: $0, depthMax: 16) }, note)
            #expect(paths.leaves.count == places.count && paths.isHidden.count == places.count, note)
            for (index, path) in paths.leaves.enumerated() {
                let found = text.withUnsafeBytes { JSON.find(path.span, in: $0) }
                #expect((found?.range == places[index]) == !paths.isHidden[index], note)
            }
            for path in paths.objects {
                #expect(text.withUnsafeBytes { JSON.find(path.span, in: $0) } != nil, note)
            }
            #expect(Self.follows(text, text, places) == places, note)
            // Another text has this shape only if its leaves stand between the same bytes.
            let other = Self.follows(text, before.text, before.places)
            func literals(_ text: [UInt8], _ places: [Range<Int>]) -> [[UInt8]] {
                var at = 0
                return (places + [text.count..<text.count]).map { place in
                    defer { at = place.upperBound }
                    return Array(text[at..<place.lowerBound])
                }
            }
            let isSame = literals(text, places) == literals(before.text, before.places)
            #expect(other == (isSame ? places : nil), note)
            before = (text, places)
        }
    }

    /// Any bytes: cut, changed, made up. Nothing is read outside, and what is found lies inside.
    @Test func anyBytes() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var dice = Dice(state: seed)
        for _ in 0..<4_000 {
            let model = Array(dice.object(0).utf8)
            let places = Self.leaves(model) ?? []
            var text = model
            for _ in 0...dice.below(3) where !text.isEmpty {
                text[dice.below(text.count)] = [0x22, 0x5C, 0x7B, 0x7D, 0x5B, 0x2C, 0x3A, 0x00, 0xFF][dice.below(9)]
            }
            text.removeLast(dice.below(text.count + 1) / 4)
            let found = Self.leaves(text)
            let paths = text.withUnsafeBytes { JSONLeaves().paths(of: $0, depthMax: 16) }
            #expect((found == nil) == (paths == nil) && found?.count == paths?.leaves.count, "seed \(seed)")
            if let followed = Self.follows(text, model, places) { #expect(followed == found, "seed \(seed)") }
        }
    }
}
