// Where a password comes from: a file, stdin, or a person at a terminal who types it twice unseen. Never an argument, which
// everybody on the machine could read.

import EyeStore
import EyeSystem
import Glibc

/// Reads a new password.
enum PasswordInput {
    static let option = Option(
        name: "password-file", placeholder: "FILE", kind: .text,
        help: "Reads the password from FILE; without it, from stdin, or by asking when stdin is a terminal.")

    /// The password, without its line's end.
    static func read(_ invocation: Invocation) throws(Failure) -> [UInt8] {
        if let path = invocation.text(option.name) { return try SecretFile.line(path, what: "password") }
        if Terminal.isTerminal(STDIN_FILENO) { return try ask() }
        return try SecretFile.line("-", what: "password")
    }

    private static func ask() throws(Failure) -> [UInt8] {
        let first = try hidden("Password: ")
        guard Password.isUsable(first) else { throw Failure(.badPassword) }
        guard try hidden("Again: ") == first else { throw Failure("the two passwords differ: nothing was changed") }
        return first
    }

    private static func hidden(_ prompt: String) throws(Failure) -> [UInt8] {
        let answer = try Failure.of("terminal") { () throws(SystemError) in try Terminal.readHidden(prompt: prompt) }
        switch answer {
        case .line(let bytes): return bytes
        case .cancelled: throw Failure("cancelled: nothing was changed")
        }
    }
}

/// A secret alone in a file.
enum SecretFile {
    /// Bytes that are looked at.
    private static let bytesMax = 4096

    /// The only line of the file, without its end; `-` means stdin.
    static func line(_ path: String, what: String) throws(Failure) -> [UInt8] {
        let limit = bytesMax
        var bytes = try Failure.of(path == "-" ? "stdin" : path) { () throws(SystemError) in
            if path == "-" { return try StandardStream.readAll(STDIN_FILENO, limit: limit) }
            let file = try Descriptor.open(path, flags: O_RDONLY)
            return try StandardStream.readAll(file.number, limit: limit)
        }
        if bytes.last == 0x0A { bytes.removeLast() }
        if bytes.last == 0x0D { bytes.removeLast() }
        guard !bytes.isEmpty && !bytes.contains(0x0A) && bytes.count < limit else {
            throw Failure("the \(what) must be one line that is not empty, from \(path == "-" ? "stdin" : path)")
        }
        return bytes
    }
}
