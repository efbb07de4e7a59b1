// Lines of a file or of stdin, one after the other, in bounded memory.

import EyeSystem
import EyeWire
import Glibc

/// A file that is open for reading, or stdin.
final class InputFile {
    /// Its path, or `stdin`.
    let name: String
    /// The number to read from.
    let descriptor: Int32
    /// Closed with this object.
    private let file: Descriptor?

    /// Opens the file; `-` is stdin.
    init(_ path: String) throws(Failure) {
        if path == "-" {
            name = "stdin"
            descriptor = STDIN_FILENO
            file = nil
        } else {
            name = path
            let opened = try Failure.of(path) { () throws(SystemError) in try Descriptor.open(path, flags: O_RDONLY) }
            descriptor = opened.number
            file = consume opened
        }
    }
}

/// Reads lines from a descriptor.
struct LineInput {
    /// One line of the input.
    enum Line {
        /// Without its LF or CRLF.
        case bytes(ArraySlice<UInt8>)
        /// Longer than any event line; its bytes were skipped.
        case tooLong
    }

    private static let chunkBytes = 256 * 1024
    private let file: InputFile
    private let lineBytesMax: Int
    private var buffer: [UInt8] = []
    private var offset = 0
    private var isAtEnd = false
    /// The number of the line that `next` returned last, from 1.
    private(set) var number: UInt64 = 0
    /// Bytes that were read so far.
    private(set) var bytes: Int64 = 0

    /// `lineBytesMax`: longer lines are `tooLong`.
    init(_ file: InputFile, lineBytesMax: Int = WireLimits.lineBytesMax) {
        self.file = file
        self.lineBytesMax = lineBytesMax
    }

    /// The next line; a last one without LF too.
    mutating func next() throws(SystemError) -> Line? {
        var isSkipping = false
        var searched = offset
        while true {
            if let end = buffer[searched...].firstIndex(of: 0x0A) {
                let line = ended(offset..<end)
                offset = end + 1
                number += 1
                return isSkipping || line.count > lineBytesMax ? .tooLong : .bytes(line)
            }
            if isAtEnd {
                let line = ended(offset..<buffer.count)
                let isNone = offset == buffer.count
                offset = buffer.count
                if isNone && !isSkipping { return nil }
                number += 1
                return isSkipping || line.count > lineBytesMax ? .tooLong : .bytes(line)
            }
            buffer.removeFirst(offset)
            offset = 0
            // One byte more than fits may be a CR.
            if buffer.count > lineBytesMax + 1 {
                isSkipping = true
                buffer.removeAll(keepingCapacity: true)
            }
            searched = buffer.count
            let count = try StandardStream.read(file.descriptor, limit: LineInput.chunkBytes, into: &buffer)
            bytes += Int64(count)
            isAtEnd = count == 0
        }
    }

    /// The line there, without the CR of a CRLF.
    private func ended(_ range: Range<Int>) -> ArraySlice<UInt8> {
        let line = buffer[range]
        return line.last == 0x0D ? line.dropLast() : line
    }
}
