// The few kinds of failures that callers tell apart, by name instead of by errno.

import Glibc

extension SystemError {
    /// There is no such file or folder: ENOENT.
    public var isMissing: Bool { errno == ENOENT }
    /// It is no plain file, but a FIFO, a socket or a device (ENXIO), or a folder (EISDIR).
    public var isNoFile: Bool { errno == ENXIO || errno == EISDIR }
    /// This process may not write there, or nobody may: EACCES, EPERM, EROFS.
    public var isUnwritable: Bool { errno == EACCES || errno == EPERM || errno == EROFS }
    /// What was begun with it is not there any more, another has its place: ESTALE.
    public var isStale: Bool { errno == ESTALE }
    /// Somebody else holds it, or it would have to wait: EWOULDBLOCK.
    public var isWouldBlock: Bool { errno == EWOULDBLOCK }
    /// The disk itself failed: EIO.
    public var isInputOutput: Bool { errno == EIO }
    /// No descriptor is left, in this process or in the machine: EMFILE, ENFILE.
    public var isOutOfDescriptors: Bool { errno == EMFILE || errno == ENFILE }
    /// The peer of a socket takes nothing any more: EPIPE, ECONNRESET, ETIMEDOUT. What it sent before can still be read.
    public var isPeerGone: Bool { isBrokenPipe || errno == ECONNRESET || errno == ETIMEDOUT }
    /// It has closed in order, or never reads: EPIPE.
    public var isBrokenPipe: Bool { errno == EPIPE }
    /// A sync of file data failed, whatever the errno: final, since Linux marks the failed pages clean.
    public var isFailedSync: Bool { call.description == "fdatasync" }
}
