// The LZ4 block format, written from its public description (lz4_Block_format.md): sequences of a token, literals, a two-byte offset back
// and a match of four bytes or more; the last five bytes are literals, and no match begins in the last twelve. The decoder believes
// nothing: any bytes end in the wanted length or in false, within the memory given. Pure, any thread.

import Glibc

/// Compression of blocks of text.
@safe
final class TextCodec {
    private static let hashBits: UInt32 = 12
    private static let matchMin = 4
    private static let lastLiterals = 5
    private static let matchEndDistance = 12
    private static let offsetMax = 65_535

    /// Places of the text by the hash of their first four bytes, plus one.
    private let places: UnsafeMutablePointer<UInt32>

    init() { unsafe places = .allocate(capacity: 1 << Int(TextCodec.hashBits)) }
    deinit { unsafe places.deallocate() }

    /// What `compress` needs room for at most.
    static func bytesMax(_ count: Int) -> Int { count + count / 255 + 16 }

    /// Appends `text`, compressed; returns its bytes.
    func compress(_ text: UnsafeRawBufferPointer, to out: GrowingBytes) -> Int {
        let before = out.count
        unsafe out.append(upTo: TextCodec.bytesMax(text.count)) { unsafe compress(text, to: $0) }
        return out.count - before
    }

    private func compress(_ text: UnsafeRawBufferPointer, to out: UnsafeMutableRawPointer) -> Int {
        unsafe places.update(repeating: 0, count: 1 << Int(TextCodec.hashBits))
        var at = 0
        var anchor = 0
        var written = 0
        let searchEnd = text.count - TextCodec.matchEndDistance
        let matchEnd = text.count - TextCodec.lastLiterals
        var misses = 0
        while at < searchEnd {
            // In bounds: twelve bytes are left at `at`, and the table has a place for every hash.
            let four = unsafe text.u32(at)
            let hash = Int((four &* 2_654_435_761) &>> (32 - TextCodec.hashBits))
            let candidate = unsafe Int(places[hash]) - 1
            unsafe places[hash] = UInt32(at + 1)
            guard candidate >= 0, at - candidate <= TextCodec.offsetMax, unsafe text.u32(candidate) == four else {
                // Where nothing repeats, larger steps.
                misses += 1
                at += 1 + misses >> 6
                continue
            }
            misses = 0
            var start = at
            var from = candidate
            while unsafe start > anchor && from > 0 && text[start - 1] == text[from - 1] {
                start -= 1
                from -= 1
            }
            let length = unsafe TextCodec.matchLength(text, start, from, matchEnd)
            written += unsafe TextCodec.put(
                text, literals: anchor..<start, offset: start - from, match: length, to: out + written)
            at = start + length
            anchor = at
            if at < searchEnd {
                let behind = unsafe text.u32(at - 2)
                unsafe places[Int((behind &* 2_654_435_761) &>> (32 - TextCodec.hashBits))] = UInt32(at - 1)
            }
        }
        written += unsafe TextCodec.put(text, literals: anchor..<text.count, offset: 0, match: 0, to: out + written)
        return written
    }

    /// Equal bytes from `a` and `b` (before `a`) on, below `end`.
    @inline(__always)
    private static func matchLength(_ text: UnsafeRawBufferPointer, _ a: Int, _ b: Int, _ end: Int) -> Int {
        var length = 0
        while a + length + 8 <= end {
            // In bounds: `end` is inside the text, and `b` is before `a`.
            let different = unsafe text.u64(a + length) ^ text.u64(b + length)
            if different != 0 { return length + different.trailingZeroBitCount / 8 }
            length += 8
        }
        while unsafe a + length < end && text[a + length] == text[b + length] { length += 1 }
        return length
    }

    /// Writes one sequence; a match of 0 bytes: the last one.
    @inline(__always)
    private static func put(
        _ text: UnsafeRawBufferPointer, literals: Range<Int>, offset: Int, match: Int, to out: UnsafeMutableRawPointer
    ) -> Int {
        var at = 1
        let rest = match == 0 ? 0 : match - matchMin
        unsafe out.put(UInt8(min(literals.count, 15) << 4 | min(rest, 15)), 0)
        func putLength(_ length: Int) {
            var left = length - 15
            while left >= 255 {
                unsafe out.put(UInt8(255), at)
                at += 1
                left -= 255
            }
            unsafe out.put(UInt8(left), at)
            at += 1
        }
        if literals.count >= 15 { putLength(literals.count) }
        if !literals.isEmpty {
            // In bounds: `bytesMax` has room for all literals and their lengths.
            unsafe (out + at).copyMemory(
                from: text.baseAddress.unsafelyUnwrapped + literals.lowerBound, byteCount: literals.count)
            at += literals.count
        }
        if match == 0 { return at }
        unsafe out.put(UInt16(offset), at)
        at += 2
        if rest >= 15 { putLength(rest) }
        return at
    }

    /// Decompresses `block` into the whole of `out`; false: it is not a block of just that many bytes.
    static func decompress(_ block: UnsafeRawBufferPointer, into out: UnsafeMutableRawBufferPointer) -> Bool {
        var from = 0
        var to = 0
        let count = block.count
        while from < count {
            // Every read of the block and every write is compared with its end first.
            let token = unsafe Int(block[from])
            from += 1
            var literals = token >> 4
            if literals == 15, unsafe !addLength(block, &from, &literals) { return false }
            guard literals <= count - from, literals <= out.count - to else { return false }
            if literals > 0 {
                unsafe memcpy(
                    out.baseAddress.unsafelyUnwrapped + to, block.baseAddress.unsafelyUnwrapped + from, literals)
                from += literals
                to += literals
            }
            if from == count { return to == out.count && token & 15 == 0 }
            guard count - from >= 2 else { return false }
            let offset = unsafe Int(block.u16(from))
            from += 2
            var match = token & 15
            if match == 15, unsafe !addLength(block, &from, &match) { return false }
            match += matchMin
            guard offset > 0, offset <= to, match <= out.count - to else { return false }
            unsafe copyMatch(out.baseAddress.unsafelyUnwrapped + to, offset, match, room: out.count - to)
            to += match
        }
        return false
    }

    @inline(__always)
    private static func addLength(_ block: UnsafeRawBufferPointer, _ from: inout Int, _ length: inout Int) -> Bool {
        while from < block.count {
            // In bounds: just compared. No overflow: as many steps as the block has bytes.
            let byte = unsafe block[from]
            from += 1
            length += Int(byte)
            if byte < 255 { return true }
        }
        return false
    }

    /// Copies `count` bytes from `offset` before `to`; they may overlap. `room`: bytes that may be written from `to` on.
    @inline(__always)
    private static func copyMatch(_ to: UnsafeMutableRawPointer, _ offset: Int, _ count: Int, room: Int) {
        let from = unsafe to - offset
        if offset >= 8 && count + 8 <= room {
            // Eight at a time, up to seven too many, which the next sequence overwrites; in bounds by the room.
            var done = 0
            while done < count {
                unsafe (to + done).storeBytes(of: (from + done).loadUnaligned(as: UInt64.self), as: UInt64.self)
                done += 8
            }
        } else {
            for place in 0..<count {
                unsafe (to + place).storeBytes(of: (from + place).load(as: UInt8.self), as: UInt8.self)
            }
        }
    }
}
