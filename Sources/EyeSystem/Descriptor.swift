// A file descriptor that is closed when its owner goes. One owner, never copied: a number cannot be closed twice or used
// after it was given to somebody else.

import Glibc

/// An open file descriptor, close-on-exec, closed at the end of its life.
public struct Descriptor: ~Copyable, Sendable {
    /// The kernel's number for it.
    public let number: Int32

    /// Takes ownership of `number`.
    public init(owning number: Int32) {
        precondition(number >= 0, "not a descriptor")
        self.number = number
    }

    deinit { _ = close(number) }

    /// open(2) with O_CLOEXEC; a file that this makes is readable and writable by its owner alone.
    public static func open(_ path: String, flags: Int32) throws(SystemError) -> Descriptor {
        let number = try retrying("open") { unsafe Glibc.open(path, flags | O_CLOEXEC, 0o600) }
        return Descriptor(owning: number)
    }
}
