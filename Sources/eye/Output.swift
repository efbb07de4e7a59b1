// stdout and stderr of the command. A reader of stdout that goes away ends the command quietly.

import EyeSystem
import Glibc

/// Writing to the standard streams.
enum Output {
    /// Writes to stdout; when nobody reads any more, the process ends with code 0 and without a word.
    static func out(_ text: String) throws(Failure) { try out(Array(text.utf8)) }

    /// Writes bytes to stdout.
    static func out(_ bytes: [UInt8]) throws(Failure) {
        do throws(SystemError) {
            if try !StandardStream.write(STDOUT_FILENO, bytes) { exit(ExitCode.success) }
        } catch {
            throw Failure(error, "stdout")
        }
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
