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

    /// Appends the chunk of `column`, whose values in this group are in `stage`, to `out`; `rows`: those of the group.
    func encode(
        _ column: LeafColumn, _ stage: inout LeafStage, rows: Int, to out: GrowingBytes
    ) throws(SystemError) {
        let kindOffset = out.count
        out.append(number: UInt8(0))
        LeafEncoder.appendPresence(stage, of: rows, to: out)
        func end(_ kind: LeafKind) { out.set(kind.rawValue, kindOffset) }
        if stage.firstHeld == 0 {
            if isConstant(stage) {
                let value = unsafe stage.text.slice(0, stage.length(0))
                unsafe note(value, column)
                unsafe out.append(value)
                return end(.constant)
            }
            let count = stage.count
            var integers: PackedNumbers.Plan?
            if readIntegers(stage) {
                integers = unsafe PackedNumbers.plan(UnsafeBufferPointer(rebasing: numbers[0..<count]))
            }
            if let integers, integers.bits <= LeafEncoder.plainIntegerBits {
                unsafe PackedNumbers.append(UnsafeBufferPointer(rebasing: numbers[0..<count]), integers, to: out)
                return end(.integers)
            }
            if tryDictionary(column, stage, limit: integers?.byteCount) {
                unsafe PackedNumbers.append(UnsafeBufferPointer(rebasing: codes[0..<count]), to: out)
                return end(.codes)
            }
            if let integers {
                unsafe PackedNumbers.append(UnsafeBufferPointer(rebasing: numbers[0..<count]), integers, to: out)
                return end(.integers)
            }
        }
        try writePages(column, &stage)
        out.append(number: UInt32(column.pages.count / LeafEncoder.pageEntryBytes))
        unsafe out.append(column.pages.view)
        column.pages.removeAll()
        end(.texts)
    }

    /// Notes whether there are backslashes among values.
    private func note(_ text: UnsafeRawBufferPointer, _ column: LeafColumn) {
        if column.hasEscapes || text.count == 0 { return }
        // In bounds: all of the text.
        column.hasEscapes = unsafe memchr(text.baseAddress.unsafelyUnwrapped, 0x5C, text.count) != nil
    }

    /// Integers of so few bits are kept as they are: a dictionary could save little.
    private static let plainIntegerBits = 12

    /// Appends which of `rows` rows have a value, and how many.
    static func appendPresence(_ stage: LeafStage, of rows: Int, to out: GrowingBytes) {
        let count = stage.count
        let presence = LeafPresence.best(count, of: rows)
        out.append(number: presence.rawValue)
        out.append(number: UInt16(0))
        out.append(number: UInt32(count))
        switch presence {
        case .all: break
        case .list: for index in 0..<count { out.append(number: UInt16(stage.place(index))) }
        case .bitmap:
            let start = out.count
            out.appendZeros(LeafPresence.bitmapBytes)
            for index in 0..<count {
                let place = stage.place(index)
                let at = start + place / 8
                out.set(out.number(at, as: UInt8.self) | 1 << UInt8(place % 8), at)
            }
        }
    }

    private func isConstant(_ stage: LeafStage) -> Bool {
        let length = stage.length(0)
        guard stage.textBytes == length * stage.count else { return false }
        // In bounds: all of them have this length, and together they are the whole text.
        let texts = unsafe stage.text
        let first = unsafe texts.slice(0, length)
        for index in 1..<max(stage.count, 1) {
            let isSame = unsafe stage.length(index) == length && texts.slice(index * length, length).isSame(first)
            if !isSame { return false }
        }
        return true
    }

    /// Reads all values as integers that are written just so, into `numbers`; false: some are none.
    private func readIntegers(_ stage: LeafStage) -> Bool {
        let texts = unsafe stage.text
        var at = 0
        for index in 0..<stage.count {
            let length = stage.length(index)
            // In bounds: lengths and texts were appended together.
            guard let number = unsafe CanonicalInteger.parse(texts.slice(at, length)) else { return false }
            unsafe numbers[index] = number
            at &+= length
        }
        return true
    }

    /// Looks all values up in the dictionary, into `codes`, and adds new ones; false (and nothing is added): text or integers
    /// (of `limit` bytes) are better.
    private func tryDictionary(_ column: LeafColumn, _ stage: LeafStage, limit: Int?) -> Bool {
        if column.dictionaryPause > 0 {
            column.dictionaryPause -= 1
            return false
        }
        let dictionary = column.dictionary
        let before = dictionary.count
        let count = stage.count
        // More new values than this, and they are better kept as texts.
        let codeLimit = before + count / 2 + LeafEncoder.freshValues
        var freshBytes = 0
        let texts = unsafe stage.text
        var at = 0
        var known = before
        var last = unsafe texts.slice(0, 0)
        var code = -1
        for index in 0..<count {
            let length = stage.length(index)
            // In bounds: lengths and texts were appended together.
            let value = unsafe texts.slice(at, length)
            if unsafe code < 0 || !value.isSame(last) {
                code = unsafe dictionary.add(value)
                unsafe last = value
            }
            if code < 0 || code >= codeLimit { return giveUp(column, before) }
            if code >= known {
                known = code + 1
                freshBytes += length + LeafEncoder.freshBytes
                unsafe note(value, column)
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

    /// Writes the values that `stage` holds as pages of text.
    func writePages(_ column: LeafColumn, _ stage: inout LeafStage) throws(SystemError) {
        unsafe note(stage.text, column)
        var first = stage.firstHeld
        var at = 0
        while first < stage.count {
            var end = first
            var bytes = 0
            while end < stage.count {
                let length = stage.length(end)
                if end > first && bytes + length > StoreLimits.textPageBytes { break }
                bytes += length
                unsafe numbers[end - first] = Int64(length)
                end += 1
            }
            let place = try unsafe writePage(end - first, stage.text.slice(at, bytes))
            column.pages.append(place)
            column.pages.append(number: UInt32(first))
            at += bytes
            first = end
        }
        stage.release()
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
