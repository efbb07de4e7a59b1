// CRC-32C by the processor's own instruction where it has one.

import CEyeLinux

/// CRC-32C (Castagnoli), as in RFC 3720 section 12.1 and its appendix B.4.
public enum Checksum {
    /// The checksum of `bytes`, continued from `previous` (0 at first).
    @inlinable
    public static func crc32c(_ bytes: UnsafeRawBufferPointer, continuing previous: UInt32 = 0) -> UInt32 {
        unsafe eye_crc32c(previous, bytes.baseAddress, bytes.count)
    }
}
