// Raw memory with one owner, freed with it. The store reads files into these and gives out views that are valid until the next read.

/// Owned raw memory, 64-byte aligned.
@safe
final class ByteBuffer {
    /// All of it.
    let bytes: UnsafeMutableRawBufferPointer

    let capacity: Int

    init(count: Int) {
        capacity = max(count, 1)
        unsafe bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 64)
    }

    deinit { unsafe bytes.deallocate() }

    /// Its first `count` bytes, to be read.
    func view(_ count: Int) -> UnsafeRawBufferPointer {
        precondition(count <= capacity, "a view is never larger than its buffer")
        return unsafe UnsafeRawBufferPointer(start: bytes.baseAddress, count: count)
    }
}
