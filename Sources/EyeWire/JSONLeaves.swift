// Takes a JSON object apart into its leaves: values that are no objects, or empty ones (arrays are not entered), by their places in the
// text and by their paths, which are those of `JSON.find`. What sealing knows of `data`. Called with data that was validated when it came,
// but safe on any bytes: what is not an object in strict JSON has no leaves. Any thread.

/// The leaves of JSON objects.
public struct JSONLeaves: Sendable {
    public init() {}

    // MARK: Places

    /// The leaves of the object `data` in the order of the text, as pairs (offset, bytes) in `places`; returns how many. -1: `data` is no
    /// strict JSON object, nested more than `depthMax` deep, or has more leaves than `places` has room for.
    public func leaves(
        of data: UnsafeRawBufferPointer, depthMax: Int, places: UnsafeMutableBufferPointer<UInt32>
    ) -> Int {
        guard data.count <= Int(UInt32.max) else { return -1 }
        do throws(Fault) {
            var walk = unsafe LeafWalk(JSONScanner<GuardedEdge>(data), depthMax: depthMax, places: places)
            return try walk.run()
        } catch {
            return -1
        }
    }

    /// Whether `data` is the object whose leaves stand in just this text: the first `literals[0]` bytes of `text`, a leaf, the next
    /// `literals[1]` bytes, a leaf, and so on to the last literal. If so, `places`, which has room for them, says where its leaves are.
    /// For a text that `leaves` has taken apart before: then that function would say the same, in more time.
    public func follows(
        _ text: UnsafeRawBufferPointer, _ literals: UnsafeBufferPointer<UInt32>, _ data: UnsafeRawBufferPointer,
        places: UnsafeMutableBufferPointer<UInt32>
    ) -> Bool {
        let scanner = unsafe JSONScanner<GuardedEdge>(data)
        let known = unsafe JSONScanner<GuardedEdge>(text)
        guard literals.count > 0, places.count >= (literals.count - 1) * 2 else { return false }
        var i = 0
        var from = 0
        do throws(Fault) {
            for index in 0..<(literals.count &- 1) {
                // In bounds: below the counts that were just compared.
                let length = unsafe Int(literals[index])
                guard scanner.isSame(i, known, from, length) else { return false }
                from &+= length
                i &+= length
                let end = try leafEnd(scanner, i)
                unsafe places[index &* 2] = UInt32(truncatingIfNeeded: i)
                unsafe places[index &* 2 &+ 1] = UInt32(truncatingIfNeeded: end &- i)
                i = end
            }
        } catch {
            return false
        }
        let length = unsafe Int(literals[literals.count &- 1])
        return scanner.isSame(i, known, from, length) && i &+ length == scanner.count
    }

    /// The end of the leaf at `start`.
    @inline(__always)
    private func leafEnd(_ scanner: JSONScanner<GuardedEdge>, _ start: Int) throws(Fault) -> Int {
        let first = scanner.byte(start)
        if first == 0x22 { return try scanner.closingQuote(start &+ 1) &+ 1 }
        if first != 0x7B { return try scanner.valueEnd(start, level: 1) }
        // An object is a leaf only if it is empty.
        let inner = scanner.skipSpace(start &+ 1)
        guard scanner.byte(inner) == 0x7D else { throw Fault(.badJSON, at: inner) }
        return inner &+ 1
    }

    // MARK: Paths

    /// The names of the leaves, in the order of ``leaves(of:depthMax:places:)``; whether each is hidden: a later value has its name, so
    /// that ``JSON/find(_:in:)`` does not find it; and the names of the objects that are not empty. nil as for -1 there.
    public func paths(
        of data: UnsafeRawBufferPointer, depthMax: Int
    ) -> (leaves: [[UInt8]], isHidden: [Bool], objects: [[UInt8]])? {
        var found = LeafPaths()
        do throws(Fault) {
            let end = try unsafe found.add(
                data, at: 0, path: [], depthLeft: depthMax, level: 0)
            guard unsafe JSONScanner<GuardedEdge>(data).skipSpaceGuarded(end) == data.count else { return nil }
        } catch {
            return nil
        }
        return found.resolved()
    }
}

extension JSONScanner {
    /// Whether the `length` bytes at `i` are those at `j` of `other`.
    @inline(__always)
    fileprivate func isSame(_ i: Int, _ other: JSONScanner, _ j: Int, _ length: Int) -> Bool {
        guard length <= count &- i, length <= other.count &- j else { return false }
        // In bounds: just compared; the last word overlaps the one before.
        if length >= 8 {
            var at = 0
            while at < length &- 8 {
                if word(i &+ at) != other.word(j &+ at) { return false }
                at &+= 8
            }
            return word(i &+ length &- 8) == other.word(j &+ length &- 8)
        }
        if length >= 4 {
            return half(i) == other.half(j) && half(i &+ length &- 4) == other.half(j &+ length &- 4)
        }
        for at in 0..<length where byteInside(i &+ at) != other.byteInside(j &+ at) { return false }
        return true
    }
}

/// One pass over an object that notes where its leaves are.
@safe
private struct LeafWalk {
    let scanner: JSONScanner<GuardedEdge>
    let depthMax: Int
    let places: UnsafeMutableBufferPointer<UInt32>
    private var found = 0

    init(_ scanner: JSONScanner<GuardedEdge>, depthMax: Int, places: UnsafeMutableBufferPointer<UInt32>) {
        self.scanner = scanner
        self.depthMax = min(depthMax, WireLimits.nestingMax)
        unsafe self.places = places
    }

    /// How many leaves there are; -1: too many, or too deep.
    mutating func run() throws(Fault) -> Int {
        var i = 0
        guard scanner.byteOrZero(i) == 0x7B, depthMax > 0 else { return -1 }
        var depth = 1
        i = scanner.skipSpace(i &+ 1)
        if scanner.byte(i) == 0x7D {
            // An empty object has no leaves.
            return scanner.skipSpaceGuarded(i &+ 1) == scanner.count ? 0 : -1
        }
        members: while true {
            i = try scanner.memberValue(i)
            let first = scanner.byte(i)
            if first == 0x7B {
                let inner = scanner.skipSpace(i &+ 1)
                if scanner.byte(inner) != 0x7D {
                    depth &+= 1
                    guard depth <= depthMax else { return -1 }
                    i = inner
                    continue members
                }
                guard note(i, inner &+ 1) else { return -1 }
                i = inner &+ 1
            } else {
                let end =
                    first == 0x22
                    ? try scanner.closingQuote(i &+ 1) &+ 1 : try scanner.valueEnd(i, level: depth)
                guard note(i, end) else { return -1 }
                i = end
            }
            while true {
                if scanner.byte(i) <= 0x20 { i = scanner.skipSpaceGuarded(i) }
                let next = scanner.byte(i)
                i &+= 1
                if next == 0x2C {
                    i = scanner.skipSpace(i)
                    continue members
                }
                guard next == 0x7D else { throw Fault(.badJSON, at: i &- 1) }
                depth &-= 1
                if depth == 0 { return scanner.skipSpaceGuarded(i) == scanner.count ? found : -1 }
            }
        }
    }

    @inline(__always)
    private mutating func note(_ start: Int, _ end: Int) -> Bool {
        guard unsafe found &* 2 &+ 2 <= places.count else { return false }
        // In bounds: just compared.
        unsafe places[found &* 2] = UInt32(truncatingIfNeeded: start)
        unsafe places[found &* 2 &+ 1] = UInt32(truncatingIfNeeded: end &- start)
        found &+= 1
        return true
    }
}

/// The names of an object's leaves and inner objects.
private struct LeafPaths {
    private var entries: [(path: [UInt8], isObject: Bool)] = []

    /// Adds what is in the object at `start`; returns where it ends.
    mutating func add(
        _ data: UnsafeRawBufferPointer, at start: Int, path: [UInt8], depthLeft: Int, level: Int
    ) throws(Fault) -> Int {
        guard depthLeft > 0 else { throw Fault(.tooDeep, at: start) }
        var members = try unsafe JSON.Members(of: data, at: start, level: level)
        while let member = try members.next() {
            var name = level == 0 ? [] : path + [UInt8(ascii: ".")]
            unsafe JSON.appendUnescaped(member.key, of: data, to: &name)
            let inner = member.value.range.lowerBound
            let isObject = unsafe member.value.kind == .object && !Self.isEmpty(data, inner)
            entries.append((name, isObject))
            if isObject {
                _ = try unsafe add(data, at: inner, path: name, depthLeft: depthLeft - 1, level: level + 1)
            }
        }
        return members.offset
    }

    private static func isEmpty(_ data: UnsafeRawBufferPointer, _ brace: Int) -> Bool {
        let scanner = unsafe JSONScanner<GuardedEdge>(data)
        return scanner.byteOrZero(scanner.skipSpace(brace + 1)) == 0x7D
    }

    /// The names, once it is known which are hidden by a later value of the same name.
    func resolved() -> (leaves: [[UInt8]], isHidden: [Bool], objects: [[UInt8]]) {
        var last: [[UInt8]: Int] = [:]
        for (number, entry) in entries.enumerated() { last[entry.path] = number }
        let leaves = entries.enumerated().filter { !$0.element.isObject }
        let objects = Set(entries.filter(\.isObject).map(\.path))
        return (
            leaves.map(\.element.path), leaves.map { last[$0.element.path] != $0.offset },
            objects.sorted { $0.lexicographicallyPrecedes($1) }
        )
    }
}
