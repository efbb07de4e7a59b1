// The shapes of `data` that a segment has met while it is sealed, and the leaves they name. A shape is the text around the leaves, byte for
// byte. A row whose data has no shape (too many of them, too long, no object) keeps its data in one piece, as leaf 0. One thread.

import EyeSystem
import Glibc

/// Shapes and leaves of a segment under construction.
@safe
final class ShapeTable {
    @safe
    private struct Shape {
        /// Where its literals are, one after the other.
        var text: Int
        var textBytes: Int
        /// Their lengths, one more than leaves; and the leaves.
        var literals: UnsafeMutableBufferPointer<UInt32>
        var leaves: UnsafeMutableBufferPointer<UInt32>
        var leafCount: Int { unsafe leaves.count }
    }

    /// A leaf of the segment: a value, or an object on the way to one.
    struct Leaf {
        var path: [UInt8]
        /// 0: the one that counts at its path.
        var occurrence: Int
        var isObject: Bool
    }

    private struct LeafKey: Hashable {
        var path: [UInt8]
        var occurrence: Int
        var isObject: Bool
    }

    private let decomposer: any DataDecomposer
    private let seed: UInt64
    private let texts = GrowingBytes(capacity: 1024)
    private var shapes: [Shape] = []
    private var byHash: [UInt64: [Int]] = [:]
    private(set) var leaves: [Leaf] = [Leaf(path: [], occurrence: 0, isObject: false)]
    private var leafNumbers: [LeafKey: Int] = [:]
    /// The shapes met last, the latest first; -1: none.
    private var recent = (-1, -1, -1)
    /// Pairs (offset, bytes) of the leaves found last.
    let places: UnsafeMutableBufferPointer<UInt32>

    init(_ decomposer: any DataDecomposer, seed: UInt64) {
        self.decomposer = decomposer
        self.seed = seed
        unsafe places = .allocate(capacity: StoreLimits.leavesPerEventMax * 2)
        unsafe places.initialize(repeating: 0)
    }

    deinit {
        unsafe places.deallocate()
        for shape in shapes {
            unsafe shape.literals.deallocate()
            unsafe shape.leaves.deallocate()
        }
    }

    /// Bytes of memory, about.
    var cost: Int {
        let paths = leaves.reduce(0) { $0 + $1.path.count * 2 + 200 }
        return shapes.reduce(texts.capacity + paths) { $0 + $1.leafCount * 8 + 200 }
    }

    /// Shapes, the one for data in one piece (0) included.
    var count: Int { shapes.count + 1 }

    /// The shape of `data`, and how many leaves are in `places`; 0: it is kept in one piece.
    @inline(__always)
    func shape(of data: UnsafeRawBufferPointer) -> (shape: Int, leaves: Int) {
        if recent.0 >= 0, let found = unsafe follow(recent.0, data) { return found }
        return unsafe olderShape(data)
    }

    @inline(__always)
    private func follow(_ shape: Int, _ data: UnsafeRawBufferPointer) -> (shape: Int, leaves: Int)? {
        let known = shapes[shape]
        let text = unsafe texts.view.slice(known.text, known.textBytes)
        guard unsafe decomposer.follows(text, UnsafeBufferPointer(known.literals), data, places: places),
            unsafe isSound(data, known.leafCount)
        else { return nil }
        return (shape + 1, known.leafCount)
    }

    @inline(never)
    private func olderShape(_ data: UnsafeRawBufferPointer) -> (shape: Int, leaves: Int) {
        if recent.1 >= 0, let found = unsafe follow(recent.1, data) {
            recent = (recent.1, recent.0, recent.2)
            return found
        }
        if recent.2 >= 0, let found = unsafe follow(recent.2, data) {
            recent = (recent.2, recent.0, recent.1)
            return found
        }
        let found = unsafe decomposer.leaves(of: data, depthMax: StoreLimits.leafDepthMax, places: places)
        guard found >= 0 else { return (0, 0) }
        return unsafe otherShape(data, found)
    }

    /// The leaf of place `index` of a shape.
    @inline(__always)
    func leaf(_ shape: Int, _ index: Int) -> Int {
        let known = shapes[shape - 1]
        precondition(index >= 0 && index < known.leafCount, "a leaf that is there")
        return unsafe Int(known.leaves[index])
    }

    private func matches(_ shape: Shape, _ data: UnsafeRawBufferPointer, _ found: Int) -> Bool {
        guard shape.leafCount == found else { return false }
        let known = unsafe texts.view
        var at = 0
        var from = shape.text
        for index in 0...found {
            // In bounds: `isSound` has looked at the places; a shape has one literal more than leaves.
            let length = unsafe Int(shape.literals[index])
            let start = unsafe index < found ? Int(places[index &* 2]) : data.count
            guard start &- at == length, unsafe known.slice(from, length).isSame(data.slice(at, length)) else {
                return false
            }
            from &+= length
            if index < found { at = unsafe start &+ Int(places[index &* 2 &+ 1]) }
        }
        return true
    }

    @inline(never)
    private func otherShape(_ data: UnsafeRawBufferPointer, _ found: Int) -> (shape: Int, leaves: Int) {
        guard unsafe isSound(data, found) else { return (0, 0) }
        let hash = unsafe self.hash(data, found)
        for candidate in byHash[hash] ?? [] where unsafe matches(shapes[candidate], data, found) {
            recent = (candidate, recent.0, recent.1)
            return (candidate + 1, found)
        }
        guard unsafe add(data, found, hash) else { return (0, 0) }
        recent = (shapes.count - 1, recent.0, recent.1)
        return (shapes.count, found)
    }

    /// Whether the places rise and lie inside `data`.
    private func isSound(_ data: UnsafeRawBufferPointer, _ found: Int) -> Bool {
        var at = 0
        guard unsafe found * 2 <= places.count else { return false }
        for index in 0..<found {
            let start = unsafe Int(places[index * 2])
            guard start >= at, start <= data.count else { return false }
            at = unsafe start + Int(places[index * 2 + 1])
            guard at <= data.count else { return false }
        }
        return true
    }

    private func hash(_ data: UnsafeRawBufferPointer, _ found: Int) -> UInt64 {
        var hash = seed
        var at = 0
        for index in 0...found {
            let start = unsafe index < found ? Int(places[index * 2]) : data.count
            hash = unsafe Mix.hash(data.slice(at, start - at), seed: hash)
            if index < found { at = unsafe start + Int(places[index * 2 + 1]) }
        }
        return hash
    }

    /// Takes up a new shape; false: there is no room for it.
    private func add(_ data: UnsafeRawBufferPointer, _ found: Int, _ hash: UInt64) -> Bool {
        var literalBytes = data.count
        for index in 0..<found { literalBytes -= unsafe Int(places[index * 2 + 1]) }
        guard shapes.count + 1 < StoreLimits.shapesPerSegmentMax, literalBytes <= StoreLimits.shapeBytesMax,
            texts.count + literalBytes <= StoreLimits.shapesBytesMax,
            let paths = unsafe decomposer.paths(of: data, depthMax: StoreLimits.leafDepthMax),
            paths.leaves.count == found, paths.isHidden.count == found, let numbers = numbers(paths)
        else { return false }
        let shape = unsafe Shape(
            text: texts.count, textBytes: literalBytes, literals: .allocate(capacity: found + 1),
            leaves: .allocate(capacity: found))
        var at = 0
        // In bounds: both were made for just so many.
        for index in 0...found {
            let start = unsafe index < found ? Int(places[index * 2]) : data.count
            unsafe texts.append(data.slice(at, start - at))
            unsafe shape.literals.initializeElement(at: index, to: UInt32(start - at))
            if index < found {
                unsafe shape.leaves.initializeElement(at: index, to: UInt32(numbers[index]))
                at = unsafe start + Int(places[index * 2 + 1])
            }
        }
        byHash[hash, default: []].append(shapes.count)
        shapes.append(shape)
        return true
    }

    /// The numbers of a shape's leaves, new ones taken up; nil: there is no room for them.
    private func numbers(_ paths: (leaves: [[UInt8]], isHidden: [Bool], objects: [[UInt8]])) -> [Int]? {
        var keys: [LeafKey] = []
        var hidden: [[UInt8]: Int] = [:]
        for (path, isHidden) in zip(paths.leaves, paths.isHidden) {
            var occurrence = 0
            if isHidden {
                occurrence = hidden[path, default: 0] + 1
                hidden[path] = occurrence
            }
            keys.append(LeafKey(path: path, occurrence: occurrence, isObject: false))
        }
        let objects = paths.objects.map { LeafKey(path: $0, occurrence: 0, isObject: true) }
        let fresh = Set(keys + objects).filter { leafNumbers[$0] == nil }
        guard leaves.count + fresh.count <= StoreLimits.leavesPerSegmentMax,
            !fresh.contains(where: { $0.path.count > StoreLimits.leafPathBytesMax }), Set(keys).count == keys.count
        else { return nil }
        for key in keys + objects where leafNumbers[key] == nil {
            leafNumbers[key] = leaves.count
            leaves.append(Leaf(path: key.path, occurrence: key.occurrence, isObject: key.isObject))
        }
        return keys.map { leafNumbers[$0, default: 0] }
    }

    /// Shape `number` (from 1) as it stands in the file: leaves, then for each the bytes of text before it and its number, then the bytes
    /// of text after the last one, as varints; then the text.
    func encoded(_ number: Int, to out: GrowingBytes) {
        let shape = shapes[number - 1]
        out.append(varint: UInt64(shape.leafCount))
        for index in 0...shape.leafCount {
            // In bounds: a shape has one literal more than leaves.
            out.append(varint: unsafe UInt64(shape.literals[index]))
            if index < shape.leafCount { out.append(varint: unsafe UInt64(shape.leaves[index])) }
        }
        unsafe out.append(texts.view.slice(shape.text, shape.textBytes))
    }
}
