// Texts in a compressed page: several values with their lengths, a block of the file. In memory a page stands with the places of its
// values in front, so that one of them is had at once.
//
//    0  values u32      4  text bytes u32
//    8  lengths, packed numbers
//    …  the text, one LZ4 block; or as it is, when that is not longer

import EyeSystem
import Glibc

/// A page of texts in memory.
@safe
struct TextPage {
    /// First the places (u32, one more than values), then the text.
    let buffer: ByteBuffer
    let count: Int

    private static let headBytes = 8

    /// A page as `decoded` made it.
    init(_ buffer: ByteBuffer) {
        self.buffer = buffer
        // The first place is where the text begins: right behind the places.
        count = unsafe Int(buffer.view(buffer.capacity).u32(0)) / 4 - 1
    }

    /// Value `index`; nil: there are not so many.
    @inline(__always)
    func value(_ index: Int) -> UnsafeRawBufferPointer? {
        guard index >= 0, index < count else { return nil }
        let view = unsafe buffer.view(buffer.capacity)
        let start = unsafe Int(view.u32(index &* 4))
        // In bounds: `decoded` gave it places that rise and end with the text.
        return unsafe view.slice(start, Int(view.u32(index &* 4 &+ 4)) - start)
    }

    /// The page in a block of the file, which `PackedNumbers.slackBytes` more bytes follow; nil: it is none.
    static func decoded(_ block: UnsafeRawBufferPointer) -> ByteBuffer? {
        guard block.count >= headBytes else { return nil }
        let values = unsafe Int(block.u32(0))
        let textBytes = unsafe Int(block.u32(4))
        guard let lengths = unsafe PackedNumbers(block.slice(headBytes, block.count - headBytes)),
            lengths.count == values, values <= StoreLimits.textPageValuesMax, textBytes <= StoreLimits.textPageBytesMax
        else { return nil }
        let textStart = (values + 1) * 4
        let buffer = ByteBuffer(count: textStart + textBytes)
        let out = unsafe buffer.bytes.baseAddress.unsafelyUnwrapped
        var at = textStart
        let end = textStart + textBytes
        for index in 0..<values {
            unsafe out.put(UInt32(at), index * 4)
            let length = lengths[index]
            guard length >= 0, length <= end - at else { return nil }
            at += Int(length)
        }
        guard at == end else { return nil }
        unsafe out.put(UInt32(at), values * 4)
        let from = headBytes + lengths.byteCount
        let stored = unsafe block.slice(from, block.count - from)
        let text = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[textStart..<end])
        if stored.count == textBytes {
            unsafe text.copyMemory(from: stored)
        } else if unsafe !TextCodec.decompress(stored, into: text) {
            return nil
        }
        return buffer
    }

    /// Appends a page of the values of these lengths, whose text is `text`.
    static func append(
        _ lengths: UnsafeBufferPointer<Int64>, _ text: UnsafeRawBufferPointer, _ codec: TextCodec, to out: GrowingBytes
    ) {
        out.append(number: UInt32(lengths.count))
        out.append(number: UInt32(text.count))
        unsafe PackedNumbers.append(lengths, to: out)
        let start = out.count
        if text.count == 0 { return }
        if unsafe codec.compress(text, to: out) >= text.count {
            out.truncate(to: start)
            unsafe out.append(text)
        }
    }
}
