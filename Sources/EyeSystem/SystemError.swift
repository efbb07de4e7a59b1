// What the kernel refused: the errno and the call. Thrown by everything in EyeSystem; who catches it decides for a whole
// subsystem (shed, back off, stop). EINTR never gets out of this module; EBADF and EFAULT are faults of ours and trap.

import Glibc

/// A failed system call.
public struct SystemError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The value of `errno`, see errno(3).
    public let errno: Int32
    /// The call's name, as in its manual page: `"fdatasync"`.
    public let call: StaticString

    public init(errno: Int32, call: StaticString) {
        self.errno = errno
        self.call = call
    }

    /// The error that the calling thread's `errno` holds now.
    static func last(_ call: StaticString) -> SystemError {
        let code = Glibc.errno
        precondition(code != EBADF && code != EFAULT, "a descriptor or an address of ours is wrong")
        return SystemError(errno: code, call: call)
    }

    public static func == (a: SystemError, b: SystemError) -> Bool {
        a.errno == b.errno && a.call.description == b.call.description
    }

    /// `fdatasync: No space left on device (ENOSPC)` without the symbol: the text of strerror(3) and the call.
    public var description: String { "\(call): \(SystemError.text(errno))" }

    /// strerror(3) for `code`.
    public static func text(_ code: Int32) -> String {
        guard let text = unsafe strerror(code) else { return "error \(code)" }
        return unsafe String(cString: text)
    }

    /// No room: ENOSPC, EDQUOT or EFBIG. The caller may shed and try again later.
    public var isFull: Bool { errno == ENOSPC || errno == EDQUOT || errno == EFBIG }
}

/// Repeats `body` while it fails with EINTR; other failures throw.
@inline(__always)
func retrying<T: SignedInteger>(_ call: StaticString, _ body: () -> T) throws(SystemError) -> T {
    while true {
        let result = body()
        if result >= 0 { return result }
        if errno != EINTR { throw SystemError.last(call) }
    }
}
