// The few kinds of failures that callers tell apart, by name instead of by errno.

import Glibc

extension SystemError {
    /// There is no such file or folder: ENOENT.
    public var isMissing: Bool { errno == ENOENT }
    /// Somebody else holds it, or it would have to wait: EWOULDBLOCK.
    public var isWouldBlock: Bool { errno == EWOULDBLOCK }
    /// The disk itself failed: EIO.
    public var isInputOutput: Bool { errno == EIO }
    /// A sync of file data failed, whatever the errno: final, since Linux marks the failed pages clean.
    public var isFailedSync: Bool { call.description == "fdatasync" }
}
