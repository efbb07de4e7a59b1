// Decides how the values of a leaf in a row group are kept, and writes them: one value for all, codes of the segment's dictionary, whole
// numbers, or text in pages. Each group decides for itself, by bytes. Used by `SealedGroupWriter`; one thread.
//
//    0  kind u8        1  presence u8: 0 every row has one, 1 a list, 2 a bitmap      2  reserved u16      4  values u32
//    8  list: the places in the group, u16 each, rising; bitmap: 512 bytes, the place's bit, the lowest first
//    …  by kind: 1 constant: the value's bytes; 2 codes, 3 integers: packed numbers; 4 texts: pages u32, then for each: file offset u64,
//       bytes u32, CRC u32, first value u32; 5 ids: 16 bytes each

import EyeSystem
import Glibc

/// How a chunk keeps its values.
enum LeafKind: UInt8 {
    case constant = 1
    case codes = 2
    case integers = 3
    case texts = 4
    case ids = 5
}

/// Which rows of a group have a value.
enum LeafPresence: UInt8 {
    case all = 0
    case list = 1
    case bitmap = 2

    static let bitmapBytes = StoreLimits.rowsPerGroup / 8

    /// The smallest for so many of so many rows.
    static func best(_ values: Int, of rows: Int) -> LeafPresence {
        values == rows ? .all : values * 2 < bitmapBytes ? .list : .bitmap
    }
}

/// Writes chunks of leaves.
@safe
final class LeafEncoder {
    private let writer: SealedWriter
    let codec = TextCodec()
    private let numbers: UnsafeMutableBufferPointer<Int64>
    private let codes: UnsafeMutableBufferPointer<Int64>
    private let page = GrowingBytes(capacity: 1 << 15)
    static let pageEntryBytes = 20

    init(_ writer: SealedWriter) {
        self.writer = writer
        unsafe numbers = .allocate(capacity: StoreLimits.rowsPerGroup)
        unsafe codes = .allocate(capacity: StoreLimits.rowsPerGroup)
    }

    deinit {
        unsafe numbers.deallocate()
        unsafe codes.deallocate()
    }

    /// Appends the chunk of `column`, in a group of `rows` rows, to `out`.
    func encode(_ column: LeafColumn, rows: Int, to out: GrowingBytes) throws(SystemError) {
        let kindOffset = out.count
        column.noteEscapes()
        out.append(number: UInt8(0))
        LeafEncoder.appendPresence(column.rows, of: rows, to: out)
        func end(_ kind: LeafKind) { out.set(kind.rawValue, kindOffset) }
        if column.pagedValues == 0 {
            if isConstant(column) {
                unsafe out.append(column.texts.view.slice(0, Int(column.lengths.number(0, as: UInt32.self))))
                return end(.constant)
            }
            let count = column.count
            var integers: PackedNumbers.Plan?
            if readIntegers(column) {
                integers = unsafe PackedNumbers.plan(UnsafeBufferPointer(rebasing: numbers[0..<count]))
            }
            if let integers, integers.bits <= LeafEncoder.plainIntegerBits {
                unsafe PackedNumbers.append(UnsafeBufferPointer(rebasing: numbers[0..<count]), integers, to: out)
                return end(.integers)
            }
            if tryDictionary(column, limit: integers?.byteCount) {
                unsafe PackedNumbers.append(UnsafeBufferPointer(rebasing: codes[0..<count]), to: out)
                return end(.codes)
            }
            if let integers {
                unsafe PackedNumbers.append(UnsafeBufferPointer(rebasing: numbers[0..<count]), integers, to: out)
                return end(.integers)
            }
        }
        try writePages(column)
        out.append(number: UInt32(column.pages.count / LeafEncoder.pageEntryBytes))
        unsafe out.append(column.pages.view)
        end(.texts)
    }

    /// Integers of so few bits are kept as they are: a dictionary could save little.
    private static let plainIntegerBits = 12

    /// Appends which of `rows` rows have a value, and how many; `places` are u16.
    static func appendPresence(_ places: GrowingBytes, of rows: Int, to out: GrowingBytes) {
        let count = places.count / 2
        let presence = LeafPresence.best(count, of: rows)
        out.append(number: presence.rawValue)
        out.append(number: UInt16(0))
        out.append(number: UInt32(count))
        switch presence {
        case .all: break
        case .list: unsafe out.append(places.view)
        case .bitmap:
            let start = out.count
            out.appendZeros(LeafPresence.bitmapBytes)
            for index in 0..<count {
                let place = Int(places.number(index * 2, as: UInt16.self))
                let at = start + place / 8
                out.set(out.number(at, as: UInt8.self) | 1 << UInt8(place % 8), at)
            }
        }
    }

    private func isConstant(_ column: LeafColumn) -> Bool {
        let length = Int(column.lengths.number(0, as: UInt32.self))
        guard column.texts.count == length * column.count else { return false }
        // In bounds: all of them have this length, and together they are the whole text.
        let texts = unsafe column.texts.view
        let first = unsafe texts.slice(0, length)
        for index in 1..<max(column.count, 1) {
            let isSame =
                unsafe column.lengths.number(index * 4, as: UInt32.self) == UInt32(length)
                && texts.slice(index * length, length).equals(first)
            if !isSame { return false }
        }
        return true
    }

    /// Reads all values as integers that are written just so, into `numbers`; false: some are none.
    private func readIntegers(_ column: LeafColumn) -> Bool {
        let texts = unsafe column.texts.view
        var at = 0
        for index in 0..<column.count {
            let length = Int(column.lengths.number(index &* 4, as: UInt32.self))
            // In bounds: lengths and texts were appended together.
            guard let number = unsafe CanonicalInteger.parse(texts.slice(at, length)) else { return false }
            unsafe numbers[index] = number
            at &+= length
        }
        return true
    }

    /// Looks all values up in the dictionary, into `codes`, and adds new ones; false (and nothing is added): text or integers
    /// (of `limit` bytes) are better.
    private func tryDictionary(_ column: LeafColumn, limit: Int?) -> Bool {
        if column.dictionaryPause > 0 {
            column.dictionaryPause -= 1
            return false
        }
        let dictionary = column.dictionary
        let before = dictionary.count
        let count = column.count
        // More new values than this, and they are better kept as texts.
        let codeLimit = before + count / 2 + LeafEncoder.freshValues
        var freshBytes = 0
        let texts = unsafe column.texts.view
        var at = 0
        var known = before
        for index in 0..<count {
            let length = Int(column.lengths.number(index &* 4, as: UInt32.self))
            // In bounds: lengths and texts were appended together.
            let code = unsafe dictionary.add(texts.slice(at, length))
            if code < 0 || code >= codeLimit { return giveUp(column, before) }
            if code >= known {
                known = code + 1
                freshBytes += length + LeafEncoder.freshBytes
            }
            unsafe codes[index] = Int64(code)
            at &+= length
        }
        if let limit {
            let plan = unsafe PackedNumbers.plan(UnsafeBufferPointer(rebasing: codes[0..<count]))
            if plan.byteCount + freshBytes >= limit { return giveUp(column, before) }
        }
        column.nextPause = 1
        return true
    }

    private func giveUp(_ column: LeafColumn, _ before: Int) -> Bool {
        column.dictionary.truncate(to: before)
        column.dictionaryPause = column.nextPause
        column.nextPause = min(column.nextPause * 2, LeafEncoder.pauseMax)
        return false
    }

    /// So many new values are always taken.
    private static let freshValues = 16
    /// What a new entry costs in the file beside its text.
    private static let freshBytes = 6
    private static let pauseMax = 16

    /// Writes the values that `column` holds as pages of text.
    func writePages(_ column: LeafColumn) throws(SystemError) {
        column.noteEscapes()
        let held = column.heldCount
        var first = 0
        var at = 0
        while first < held {
            var end = first
            var bytes = 0
            while end < held {
                let length = Int(column.lengths.number(end * 4, as: UInt32.self))
                if end > first && bytes + length > StoreLimits.textPageBytes { break }
                bytes += length
                unsafe numbers[end - first] = Int64(length)
                end += 1
            }
            let place = try unsafe writePage(end - first, column.texts.view.slice(at, bytes))
            column.pages.append(place)
            column.pages.append(number: UInt32(column.pagedValues))
            column.pagedValues += end - first
            at += bytes
            first = end
        }
        column.texts.removeAll()
        column.lengths.removeAll()
    }

    /// Writes a page of `values` values whose lengths are in `numbers`.
    private func writePage(_ values: Int, _ text: UnsafeRawBufferPointer) throws(SystemError) -> SealedPlace {
        page.shrink(to: 1 << 18)
        unsafe TextPage.append(UnsafeBufferPointer(rebasing: numbers[0..<values]), text, codec, to: page)
        return try unsafe writer.put(page.view)
    }

    /// Writes `count` texts as pages of `part`, `perPage` in each.
    func writeTexts(
        _ part: SealedPart, count: Int, perPage: Int, _ text: (Int) -> UnsafeRawBufferPointer
    ) throws(SystemError) {
        let texts = GrowingBytes(capacity: 1 << 14)
        for first in stride(from: 0, to: count, by: perPage) {
            texts.removeAll()
            let values = min(perPage, count - first)
            for index in 0..<values {
                let one = unsafe text(first + index)
                unsafe numbers[index] = Int64(one.count)
                unsafe texts.append(one)
            }
            page.shrink(to: 1 << 18)
            unsafe TextPage.append(UnsafeBufferPointer(rebasing: numbers[0..<values]), texts.view, codec, to: page)
            try unsafe writer.add(part, page.view)
        }
    }
}

/// Integers in the one way that JSON writes them shortest: so their bytes come back.
enum CanonicalInteger {
    /// The number; nil: `text` is not what `append` would write.
    @inline(__always)
    static func parse(_ text: UnsafeRawBufferPointer) -> Int64? {
        let count = text.count
        // In bounds: compared with the count before each read.
        guard count > 0 else { return nil }
        let isNegative = unsafe text[0] == 0x2D
        var at = isNegative ? 1 : 0
        guard count > at, count &- at <= 19 else { return nil }
        let first = unsafe text[at] &- 0x30
        guard first < 10, first > 0 || (count == 1) else { return nil }
        var value = UInt64(first)
        at &+= 1
        while at < count {
            let digit = unsafe text[at] &- 0x30
            guard digit < 10 else { return nil }
            value = value &* 10 &+ UInt64(digit)
            at &+= 1
        }
        // Nineteen digits stay below 2^64.
        if isNegative { return value <= 1 << 63 ? Int64(bitPattern: 0 &- value) : nil }
        return value < 1 << 63 ? Int64(value) : nil
    }

    /// The most bytes that `write` writes.
    static let bytesMax = 20

    /// Writes `number` to `out`, which has room for `bytesMax`; returns its bytes.
    @inline(__always)
    static func write(_ number: Int64, to out: UnsafeMutableRawPointer) -> Int {
        var left = number.magnitude
        var digits = 1
        var bound: UInt64 = 10
        while digits < 19 && left >= bound {
            bound &*= 10
            digits &+= 1
        }
        var count = digits
        if number < 0 {
            unsafe out.put(UInt8(0x2D), 0)
            count &+= 1
        }
        var at = count
        repeat {
            at &-= 1
            // In bounds: there are as many places as digits.
            unsafe out.put(UInt8(truncatingIfNeeded: 0x30 &+ left % 10), at)
            left /= 10
        } while left > 0
        return count
    }
}
