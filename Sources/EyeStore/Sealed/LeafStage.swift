// The values of one leaf in the row group that is being sealed, as they come: text, lengths, places. A plain struct behind a pointer, so
// that a value costs a copy and three stores: no allocation, no reference counting. Belongs to `SealedRows`; one thread.

import EyeSystem
import Glibc

/// Values of one leaf in one row group.
@safe
struct LeafStage {
    private var texts: UnsafeMutableRawPointer
    /// Bytes of the values that are held.
    private(set) var textBytes = 0
    private var textCapacity: Int
    private var lengths: UnsafeMutablePointer<UInt32>
    private var places: UnsafeMutablePointer<UInt16>
    private var capacity: Int
    /// Values of the group.
    private(set) var count = 0
    /// The first one that is held: those before are written out.
    private(set) var firstHeld = 0

    private static let textCapacityKept = 1 << 16

    init() {
        textCapacity = 64
        capacity = 16
        unsafe texts = .allocate(byteCount: textCapacity, alignment: 16)
        unsafe lengths = .allocate(capacity: capacity)
        unsafe places = .allocate(capacity: capacity)
    }

    /// Frees its memory; it is not used after that.
    func deallocate() {
        unsafe texts.deallocate()
        unsafe lengths.deallocate()
        unsafe places.deallocate()
    }

    /// The text of the values that are held, one after the other.
    var text: UnsafeRawBufferPointer { unsafe UnsafeRawBufferPointer(start: texts, count: textBytes) }

    /// Bytes of value `index`.
    @inline(__always)
    func length(_ index: Int) -> Int {
        precondition(index >= 0 && index < count, "a value that is there")
        return unsafe Int(lengths[index])
    }

    /// The place in the group of the row of value `index`.
    @inline(__always)
    func place(_ index: Int) -> Int {
        precondition(index >= 0 && index < count, "a value that is there")
        return unsafe Int(places[index])
    }

    @inline(__always)
    mutating func append(_ value: UnsafeRawBufferPointer, place: Int) {
        if count == capacity { grow() }
        let bytes = value.count
        if textCapacity &- textBytes < bytes { growText(bytes) }
        // In bounds: room was just made in all three.
        unsafe lengths[count] = UInt32(truncatingIfNeeded: bytes)
        unsafe places[count] = UInt16(truncatingIfNeeded: place)
        if let start = value.baseAddress { unsafe memcpy(texts + textBytes, start, bytes) }
        textBytes &+= bytes
        count &+= 1
    }

    @inline(never)
    private mutating func grow() {
        let larger = capacity * 2
        let moreLengths = UnsafeMutablePointer<UInt32>.allocate(capacity: larger)
        let morePlaces = UnsafeMutablePointer<UInt16>.allocate(capacity: larger)
        // In bounds: the new memory is larger than what is in use of the old.
        unsafe moreLengths.initialize(from: lengths, count: count)
        unsafe morePlaces.initialize(from: places, count: count)
        unsafe lengths.deallocate()
        unsafe places.deallocate()
        unsafe lengths = moreLengths
        unsafe places = morePlaces
        capacity = larger
    }

    @inline(never)
    private mutating func growText(_ more: Int) {
        let larger = max(textCapacity * 2, textBytes + more)
        let fresh = UnsafeMutableRawPointer.allocate(byteCount: larger, alignment: 16)
        // In bounds: the new memory is larger than what is in use of the old.
        unsafe fresh.copyMemory(from: texts, byteCount: textBytes)
        unsafe texts.deallocate()
        unsafe texts = fresh
        textCapacity = larger
    }

    /// The values that are held are written out.
    mutating func release() {
        textBytes = 0
        firstHeld = count
        guard textCapacity > LeafStage.textCapacityKept else { return }
        // Another leaf may be the large one next time.
        unsafe texts.deallocate()
        textCapacity = LeafStage.textCapacityKept
        unsafe texts = .allocate(byteCount: textCapacity, alignment: 16)
    }

    /// Bytes of memory.
    var cost: Int { textCapacity + capacity * 6 }

    /// Ready for the next group. `keepsMemory`: a little of it.
    mutating func clear(keepsMemory: Bool) {
        count = 0
        firstHeld = 0
        textBytes = 0
        if textCapacity > LeafStage.textCapacityKept || !keepsMemory {
            deallocate()
            self = LeafStage()
        }
    }
}
