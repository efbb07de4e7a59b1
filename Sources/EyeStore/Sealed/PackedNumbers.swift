// Whole numbers in few bits: each is a straight line through the rows plus a remainder of a fixed number of bits, so that any one of
// them is read at once. A slope of 0 is a frame of reference. All arithmetic is modulo 2^64: any bytes give some numbers, none a trap.
// Written while sealing, read by queries; pure, any thread.
//
//    0  count u32       4  bits u8 (0–64)     5  reserved 3 bytes
//    8  base i64       16  slope i64, in 2^-20
//   24  remainders, `bits` bits each, the lowest first; up to a whole byte

import EyeSystem

/// Packed numbers in memory that outlives this value and that `slackBytes` more bytes follow.
@safe
struct PackedNumbers {
    static let headBytes = 24
    /// The memory behind packed numbers may be read, not used, so far.
    static let slackBytes = 16
    private static let slopeShift: Int64 = 20

    private let bytes: UnsafeRawPointer
    let count: Int
    private let bits: Int
    private let base: Int64
    private let slope: Int64
    /// All of it, head included.
    var byteCount: Int { PackedNumbers.headBytes + (count * bits + 7) / 8 }

    /// The numbers at the start of `view`; nil: they do not fit into it.
    @inline(__always)
    init?(_ view: UnsafeRawBufferPointer) {
        guard view.count >= PackedNumbers.headBytes else { return nil }
        let count = unsafe Int(view.u32(0))
        let bits = unsafe Int(view[4])
        guard bits <= 64, (count &* bits &+ 7) / 8 <= view.count &- PackedNumbers.headBytes else { return nil }
        self.count = count
        self.bits = bits
        unsafe base = view.i64(8)
        unsafe slope = view.i64(16)
        // In bounds: compared above.
        unsafe bytes = view.baseAddress.unsafelyUnwrapped + PackedNumbers.headBytes
    }

    /// Number `index`, which is below `count`.
    @inline(__always)
    subscript(_ index: Int) -> Int64 {
        precondition(index >= 0 && index < count, "a number that is there")
        let line = base &+ (slope &* Int64(truncatingIfNeeded: index)) &>> PackedNumbers.slopeShift
        return line &+ Int64(bitPattern: unsafe PackedNumbers.remainder(bytes, index &* bits, bits))
    }

    @inline(__always)
    private static func remainder(_ bytes: UnsafeRawPointer, _ bit: Int, _ bits: Int) -> UInt64 {
        if bits == 0 { return 0 }
        let shift = UInt64(truncatingIfNeeded: bit & 7)
        // In bounds: the first bit is inside, and the slack follows the last one.
        let place = unsafe bytes + (bit &>> 3)
        var word = unsafe UInt64(littleEndian: place.loadUnaligned(as: UInt64.self)) &>> shift
        if bits > 57 && shift > 0 {
            word |= unsafe UInt64(place.load(fromByteOffset: 8, as: UInt8.self)) &<< (64 &- shift)
        }
        return bits == 64 ? word : word & ((1 &<< UInt64(truncatingIfNeeded: bits)) &- 1)
    }

    /// Writes all of them to `out`, which has room for `count`, as numbers of this width.
    @inline(__always)
    func decode<T: FixedWidthInteger>(to out: UnsafeMutableRawPointer, as type: T.Type) {
        let width = MemoryLayout<T>.size
        var line: Int64 = 0
        var bit = 0
        if bits <= 57 {
            let mask: UInt64 = (1 &<< UInt64(truncatingIfNeeded: bits)) &- 1
            for index in 0..<count {
                // In bounds: as above; without bits, the slack is read and masked away.
                let word = unsafe UInt64(littleEndian: (bytes + (bit &>> 3)).loadUnaligned(as: UInt64.self))
                let value =
                    base &+ line &>> PackedNumbers.slopeShift
                    &+ Int64(bitPattern: word &>> UInt64(truncatingIfNeeded: bit & 7) & mask)
                // In bounds: the caller made room.
                unsafe out.put(T(truncatingIfNeeded: value), index &* width)
                bit &+= bits
                line &+= slope
            }
        } else {
            for index in 0..<count { unsafe out.put(T(truncatingIfNeeded: self[index]), index &* width) }
        }
    }

    /// Whether all of them are from `low` to below `high`. (Some bytes that pass a checksum are still not ours.)
    func areAll(from low: Int64, below high: Int64) -> Bool {
        if count == 0 { return true }
        if slope == 0 && bits < 63 {
            let most = base.addingReportingOverflow((1 << Int64(bits)) - 1)
            if base >= low && !most.overflow && most.partialValue < high { return true }
        }
        for index in 0..<count {
            let value = self[index]
            if value < low || value >= high { return false }
        }
        return true
    }
}

extension PackedNumbers {
    /// How `values` are packed best: bytes, and what stands in the head.
    struct Plan {
        var bits: Int
        var base: Int64
        var slope: Int64
        var byteCount: Int
    }

    /// The better of a frame of reference and a line from the first to the last value.
    static func plan(_ values: UnsafeBufferPointer<Int64>) -> Plan {
        let flat = unsafe plan(values, slope: 0)
        guard values.count > 2, flat.bits > 0 else { return flat }
        let last = unsafe values[values.count - 1]
        let (rise, overflow) = unsafe last.subtractingReportingOverflow(values[0])
        // So that the line never leaves 63 bits.
        let limit = Int64.max >> (slopeShift + 1)
        guard !overflow, rise > -limit, rise < limit else { return flat }
        let slope = (rise << slopeShift) / Int64(values.count - 1)
        if slope == 0 { return flat }
        let sloped = unsafe plan(values, slope: slope)
        return sloped.bits < flat.bits ? sloped : flat
    }

    private static func plan(_ values: UnsafeBufferPointer<Int64>, slope: Int64) -> Plan {
        guard values.count > 0 else { return Plan(bits: 0, base: 0, slope: 0, byteCount: headBytes) }
        var least = Int64.max
        var most = Int64.min
        var line: Int64 = 0
        for index in 0..<values.count {
            let rest = unsafe values[index] &- line &>> slopeShift
            least = min(least, rest)
            most = max(most, rest)
            line &+= slope
        }
        let bits = 64 - UInt64(bitPattern: most &- least).leadingZeroBitCount
        return Plan(bits: bits, base: least, slope: slope, byteCount: headBytes + (values.count * bits + 7) / 8)
    }

    /// Appends `values` packed by `plan`.
    static func append(_ values: UnsafeBufferPointer<Int64>, _ plan: Plan, to out: GrowingBytes) {
        out.append(number: UInt32(values.count))
        out.append(number: UInt32(plan.bits))
        out.append(number: plan.base)
        out.append(number: plan.slope)
        if plan.bits == 0 { return }
        let bytes = (values.count * plan.bits + 7) / 8
        // Words are written whole, the next one over the unfinished end of the one before.
        unsafe out.append(upTo: bytes + 16) {
            unsafe write(values, plan, to: $0)
            return bytes
        }
    }

    private static func write(_ values: UnsafeBufferPointer<Int64>, _ plan: Plan, to out: UnsafeMutableRawPointer) {
        let bits = UInt64(plan.bits)
        var line: Int64 = 0
        var held: UInt64 = 0
        var heldBits: UInt64 = 0
        var at = 0
        for index in 0..<values.count {
            let rest = unsafe UInt64(bitPattern: values[index] &- line &>> slopeShift &- plan.base)
            line &+= plan.slope
            // In bounds: there is room for two words behind the last whole byte. Fewer than eight bits are held.
            held |= rest &<< heldBits
            unsafe out.put(held, at)
            let filled = heldBits &+ bits
            if filled >= 64 {
                at &+= 8
                held = heldBits == 0 ? 0 : rest &>> (64 &- heldBits)
                heldBits = filled &- 64
                unsafe out.put(held, at)
            } else {
                heldBits = filled
            }
            at &+= Int(truncatingIfNeeded: heldBits &>> 3)
            held = held &>> (heldBits & 56)
            heldBits &= 7
        }
    }

    /// Appends `values`, packed as is best.
    static func append(_ values: UnsafeBufferPointer<Int64>, to out: GrowingBytes) {
        unsafe append(values, plan(values), to: out)
    }

    /// Appends `values`, packed as is best.
    static func append(_ values: [Int64], to out: GrowingBytes) {
        unsafe values.withUnsafeBufferPointer { unsafe append($0, to: out) }
    }
}
