// What sealing keeps of one leaf beside the values of the group (`LeafStage`): its dictionary, which grows over all groups, and the pages
// that were written out early, so that a group with very long values stays within its memory. One thread.

import EyeSystem

/// A leaf under construction.
final class LeafColumn {
    /// Pages that were written out: as they stand in the chunk.
    let pages = GrowingBytes(capacity: 16)
    /// The segment's dictionary of this leaf.
    let dictionary: LeafDictionary
    /// Groups for which the dictionary is not tried: it was of no use lately.
    var dictionaryPause = 0
    /// The next such pause.
    var nextPause = 1
    /// Some value has a backslash in it.
    var hasEscapes = false

    init(seed: UInt64, budget: DictionaryBudget) {
        dictionary = LeafDictionary(seed: seed, budget: budget)
    }
}
