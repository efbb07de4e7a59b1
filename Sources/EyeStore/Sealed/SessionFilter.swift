// A filter that says of a session that it is certainly not in a segment, or perhaps: a split-block Bloom filter (one block of 256 bits a
// session, one bit in each of its eight words), so that a question costs one block of the file. Pure, any thread.

/// The numbers of a session filter.
enum SessionFilter {
    static let bucketBytes = 32
    static let blockBytes = 4096
    private static let bucketsPerBlock = blockBytes / bucketBytes
    /// Odd numbers, one for each word of a bucket.
    private static let salts: [UInt32] = [
        0x47b6_137b, 0x4497_4d91, 0x8824_ad5b, 0xa2b7_289d, 0x7054_95c7, 0x2df1_424b, 0x9efc_4947, 0x5c6b_fb31,
    ]

    /// Buckets for so many sessions.
    static func buckets(_ sessions: Int) -> Int {
        (sessions * StoreLimits.filterBitsPerSession + bucketBytes * 8 - 1) / (bucketBytes * 8)
    }

    /// The bucket of a session of this hash: its block, and the offset in it.
    static func bucket(_ hash: UInt64, of buckets: Int) -> (block: Int, offset: Int) {
        let bucket = Int(((hash >> 32) * UInt64(buckets)) >> 32)
        return (bucket / bucketsPerBlock, bucket % bucketsPerBlock * bucketBytes)
    }

    /// The bit in word `word` of its bucket.
    static func bit(_ hash: UInt64, _ word: Int) -> UInt32 {
        1 << ((UInt32(truncatingIfNeeded: hash) &* salts[word]) >> 27)
    }

    /// Whether a session of this hash may be in the filter whose block this is.
    static func mayHold(_ hash: UInt64, _ block: UnsafeRawBufferPointer, _ offset: Int) -> Bool {
        guard block.count - offset >= bucketBytes else { return true }
        // In bounds: just compared.
        for word in 0..<8 where unsafe block.u32(offset + word * 4) & bit(hash, word) == 0 { return false }
        return true
    }
}
