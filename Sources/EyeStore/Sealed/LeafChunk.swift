// A chunk as a query sees it: which rows of the group have a value, and the value as a code, an integer or text. Every number that
// another one depends on is checked when the chunk is opened or the value is asked for. Valid as long as its block; one thread.

import EyeSystem
import Glibc

/// The values of one leaf in one row group, see `LeafEncoder` for the bytes.
@safe
struct LeafChunk {
    let kind: LeafKind
    /// Rows of the group, and how many of them have a value.
    let rows: Int
    let count: Int
    private let presence: LeafPresence
    private let block: ByteBuffer
    private let range: Range<Int>
    private let presenceOffset: Int
    private let bodyOffset: Int
    private let numbers: PackedNumbers?
    private let pages: Int

    /// The chunk in `block`, of a group of `rows` rows; nil: it is none.
    init?(_ block: ByteBuffer, rows: Int) {
        self.init(block, 0..<(block.capacity - PackedNumbers.slackBytes), rows: rows)
    }

    /// The chunk in `range` of `block`, behind which there is as much as `PackedNumbers.slackBytes` more; nil: it is none.
    init?(_ block: ByteBuffer, _ range: Range<Int>, rows: Int) {
        let view = unsafe block.view(range.upperBound).slice(range.lowerBound, range.count)
        guard view.count >= 8, let kind = unsafe LeafKind(rawValue: view[0]),
            let presence = unsafe LeafPresence(rawValue: view[1])
        else { return nil }
        self.block = block
        self.range = range
        self.kind = kind
        self.presence = presence
        self.rows = rows
        count = unsafe Int(view.u32(4))
        presenceOffset = 8
        let presenceBytes =
            switch presence {
            case .all: 0
            case .list: count * 2
            case .bitmap: LeafPresence.bitmapBytes
            }
        guard count > 0, count <= rows, view.count - 8 >= presenceBytes else { return nil }
        bodyOffset = 8 + presenceBytes
        let body = unsafe view.slice(bodyOffset, view.count - bodyOffset)
        switch kind {
        case .constant:
            numbers = nil
            pages = 0
        case .codes, .integers:
            guard let packed = unsafe PackedNumbers(body), packed.count == count else { return nil }
            numbers = packed
            pages = 0
        case .texts:
            numbers = nil
            guard body.count >= 4 else { return nil }
            pages = unsafe Int(body.u32(0))
            guard pages > 0, pages <= count, pages <= (body.count - 4) / LeafEncoder.pageEntryBytes else { return nil }
        case .ids:
            numbers = nil
            pages = 0
            guard body.count >= count * 16 else { return nil }
        }
        guard unsafe isPresenceRight(view) else { return nil }
    }

    /// Its bytes.
    @inline(__always)
    private var view: UnsafeRawBufferPointer {
        unsafe block.view(range.upperBound).slice(range.lowerBound, range.count)
    }

    private func isPresenceRight(_ view: UnsafeRawBufferPointer) -> Bool {
        switch presence {
        case .all: return count == rows
        case .list:
            var before = -1
            for index in 0..<count {
                // In bounds: compared when the chunk was opened.
                let place = unsafe Int(view.u16(presenceOffset + index * 2))
                guard place > before, place < rows else { return false }
                before = place
            }
            return true
        case .bitmap:
            var bits = 0
            for word in 0..<(LeafPresence.bitmapBytes / 8) {
                bits += unsafe view.u64(presenceOffset + word * 8).nonzeroBitCount
            }
            return unsafe bits == count && rank(view, rows) == count
        }
    }

    /// Which value is that of row `place` of the group; nil: it has none.
    @inline(__always)
    func index(ofRow place: Int) -> Int? {
        guard place >= 0, place < rows else { return nil }
        if presence == .all { return place }
        return sparseIndex(place)
    }

    @inline(never)
    private func sparseIndex(_ place: Int) -> Int? {
        let view = unsafe view
        if presence == .bitmap {
            // In bounds: the bitmap has a bit for every row of a group.
            guard unsafe view[presenceOffset + place / 8] >> UInt8(place % 8) & 1 == 1 else { return nil }
            return unsafe rank(view, place)
        }
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if unsafe Int(view.u16(presenceOffset + middle * 2)) < place { low = middle + 1 } else { high = middle }
        }
        return unsafe low < count && Int(view.u16(presenceOffset + low * 2)) == place ? low : nil
    }

    /// Values of rows before `place`.
    private func rank(_ view: UnsafeRawBufferPointer, _ place: Int) -> Int {
        var bits = 0
        for word in 0..<(place / 64) { bits += unsafe view.u64(presenceOffset + word * 8).nonzeroBitCount }
        if place % 64 > 0 {
            bits += unsafe (view.u64(presenceOffset + place / 64 * 8) << UInt64(64 - place % 64)).nonzeroBitCount
        }
        return bits
    }

    /// Calls `body` with the place of every row that has a value and the value's number, in order.
    @inline(__always)
    func forEachRow(_ body: (_ place: Int, _ index: Int) -> Void) {
        switch presence {
        case .all: for place in 0..<rows { body(place, place) }
        case .list:
            let view = unsafe view
            for index in 0..<count { body(unsafe Int(view.u16(presenceOffset + index * 2)), index) }
        case .bitmap:
            let view = unsafe view
            var index = 0
            for word in 0..<((rows + 63) / 64) {
                var bits = unsafe view.u64(presenceOffset + word * 8)
                while bits != 0 {
                    body(word * 64 + bits.trailingZeroBitCount, index)
                    index += 1
                    bits &= bits &- 1
                }
            }
        }
    }

    /// The code or the integer of value `index` of a chunk of that kind.
    @inline(__always)
    func number(_ index: Int) -> Int64 { numbers.orTrap[index] }

    /// Writes the codes or integers of all values to `out`, which has room for `count` of this width.
    func decode<T: FixedWidthInteger>(to out: UnsafeMutableRawPointer, as type: T.Type) {
        unsafe numbers.orTrap.decode(to: out, as: type)
    }

    /// Whether all codes or integers are from `low` to below `high`.
    func areAll(from low: Int64, below high: Int64) -> Bool { numbers?.areAll(from: low, below: high) ?? false }

    /// The one value of a constant chunk.
    var constant: UnsafeRawBufferPointer {
        let view = unsafe view
        return unsafe view.slice(bodyOffset, view.count - bodyOffset)
    }

    /// The 16 bytes of value `index` of a chunk of ids.
    func id(_ index: Int) -> ID128 {
        precondition(kind == .ids && index >= 0 && index < count, "an id that is there")
        return unsafe view.id128(bodyOffset + index * 16)
    }

    /// The page that holds value `index` of a chunk of texts, and the value's number in it.
    func page(_ index: Int) -> (place: SealedPlace, index: Int) {
        precondition(kind == .texts && index >= 0 && index < count, "a value that is there")
        var low = 0
        var high = pages
        while high - low > 1 {
            let middle = (low + high) / 2
            if firstValue(middle) <= index { low = middle } else { high = middle }
        }
        return (pagePlace(low), index - firstValue(low))
    }

    /// Pages of a chunk of texts.
    var pageCount: Int { pages }

    /// Where page `number` is.
    func pagePlace(_ number: Int) -> SealedPlace {
        let view = unsafe view
        let at = pageOffset(number)
        return unsafe SealedPlace(offset: view.i64(at), bytes: Int(view.u32(at + 8)), checksum: view.u32(at + 12))
    }

    /// The number of a page's first value.
    func firstValue(_ number: Int) -> Int { unsafe Int(view.u32(pageOffset(number) + 16)) }

    private func pageOffset(_ number: Int) -> Int {
        precondition(number >= 0 && number < pages, "a page that is there")
        return bodyOffset + 4 + number * LeafEncoder.pageEntryBytes
    }
}

extension Optional where Wrapped == PackedNumbers {
    /// The numbers of a chunk that is kept in numbers; anything else is the caller's mistake.
    @inline(__always)
    fileprivate var orTrap: PackedNumbers {
        guard let self else { preconditionFailure("only chunks of codes and of integers have numbers") }
        return self
    }
}
