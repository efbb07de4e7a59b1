// The values of one leaf in the row group that is being sealed: collected as they come, written as one chunk when the group is full.
// Very long values are written out early, so that the group stays within its memory. One thread.

import EyeSystem
import Glibc

/// The values of one leaf in one row group.
final class LeafColumn {
    /// The leaf; its column in the file is `SealedColumn.firstLeaf` more.
    let number: Int
    /// The values one after the other, and their lengths (u32), from the first one that is not written out yet.
    let texts = GrowingBytes()
    let lengths = GrowingBytes()
    /// The places in the group (u16) of all of them.
    let rows = GrowingBytes()
    /// Pages that were written out early: as they stand in the chunk.
    let pages = GrowingBytes(capacity: 16)
    /// Values in these.
    var pagedValues = 0
    /// The segment's dictionary of this leaf.
    let dictionary: LeafDictionary
    /// Groups for which the dictionary is not tried: it was of no use lately.
    var dictionaryPause = 0
    /// The next such pause.
    var nextPause = 1
    /// Some value has an escape in it.
    var hasEscapes = false

    init(number: Int, seed: UInt64, budget: DictionaryBudget) {
        self.number = number
        dictionary = LeafDictionary(seed: seed, budget: budget)
    }

    var count: Int { rows.count / 2 }
    /// Values that are not written out yet.
    var heldCount: Int { lengths.count / 4 }

    @inline(__always)
    func append(_ value: UnsafeRawBufferPointer, place: Int) {
        unsafe texts.append(value)
        lengths.append(number: UInt32(truncatingIfNeeded: value.count))
        rows.append(number: UInt16(truncatingIfNeeded: place))
    }

    /// Looks for escapes in the values that are held: before they are written in any way.
    func noteEscapes() {
        let held = unsafe texts.view
        guard !hasEscapes, let start = held.baseAddress, held.count > 0 else { return }
        // In bounds: memchr(3) is given the buffer with its own size.
        hasEscapes = unsafe memchr(start, Int32(UInt8(ascii: "\\")), held.count) != nil
    }

    /// Ready for the next group.
    func clear() {
        texts.shrink(to: 1 << 16)
        lengths.removeAll()
        rows.removeAll()
        pages.removeAll()
        pagedValues = 0
    }
}
