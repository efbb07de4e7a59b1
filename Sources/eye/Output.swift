// stdout and stderr of the command. A reader of stdout that goes away ends the command quietly, but not a service.

import EyeSystem
import Glibc

/// Writing to the standard streams.
enum Output {
    /// Writes to stdout; when nobody reads any more, the process ends with code 0 and without a word.
    static func out(_ text: String) throws(Failure) { try out(Array(text.utf8)) }

    /// Writes bytes to stdout; as above.
    static func out(_ bytes: [UInt8]) throws(Failure) {
        if try !show(bytes) { exit(ExitCode.success) }
    }

    /// Writes to stdout; false when nobody reads any more.
    static func show(_ bytes: [UInt8]) throws(Failure) -> Bool {
        try Failure.of("stdout") { () throws(SystemError) in try StandardStream.write(STDOUT_FILENO, bytes) }
    }

    /// Writes what is shown only once to stdout, and onto the disk where stdout is a file; throws unless all of it got there.
    static func secret(_ text: String) throws(SystemError) {
        guard try StandardStream.write(STDOUT_FILENO, Array(text.utf8)) else {
            throw SystemError(errno: EPIPE, call: "write")
        }
        if StandardStream.size(STDOUT_FILENO) != nil { try StandardStream.synchronize(STDOUT_FILENO) }
    }

    /// One line on stderr; there is nobody to tell when it cannot be written.
    static func error(_ line: String) {
        do throws(SystemError) {
            _ = try StandardStream.write(STDERR_FILENO, Array((Visible.text(line) + "\n").utf8))
        } catch {
            return
        }
    }
}
