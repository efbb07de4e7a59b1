import EyeSystem
import Foundation
import Synchronization

/// A server on a Unix socket whose every connection follows a script: what a real one might say, and when it might die.
public final class ScriptedServer: Sendable {
    public typealias Script = @Sendable (ScriptedPeer) throws -> Void
    public let path: String
    private let listener: Descriptor
    private let failures = Mutex<[String]>([])
    private let thread = Mutex<EyeSystem.Thread?>(nil)

    public init(_ scripts: [Script]) throws {
        path = FileManager.default.temporaryDirectory.appending(path: "eye-\(UUID().uuidString.prefix(13)).sock").path
        listener = try Socket.listen(path: path, backlog: 16)
        let started = try EyeSystem.Thread.start(name: "script") { [self] in
            for script in scripts {
                do {
                    guard let peer = try accept() else { throw ScriptError.timeout }
                    try script(peer)
                } catch {
                    failures.withLock { $0.append("\(error)") }
                }
            }
        }
        thread.withLock { $0 = started }
    }

    /// Waits until every script has run; returns what went wrong in them.
    public func join() -> [String] {
        thread.withLock { $0.take() }?.join()
        unlink(path)
        return failures.withLock { $0 }
    }

    private func accept() throws -> ScriptedPeer? {
        _ = try SocketWait.poll(listener.number, forWriting: false, timeoutMilliseconds: 10_000)
        return try Socket.accept(listener.number).map { ScriptedPeer(Descriptor(owning: $0.number)) }
    }
}

public enum ScriptError: Error {
    case timeout
    case unexpected(String)
}

/// The server's end of one connection.
public final class ScriptedPeer {
    private let socket: Descriptor
    private var input: [UInt8] = []

    init(_ socket: consuming Descriptor) { self.socket = socket }

    /// The next line; nil at the end.
    public func line() throws -> String? {
        while true {
            if let end = input.firstIndex(of: 0x0A) {
                defer { input.removeSubrange(...end) }
                return String(decoding: input[..<end], as: UTF8.self)
            }
            guard try SocketWait.poll(socket.number, forWriting: false, timeoutMilliseconds: 10_000) != nil else {
                throw ScriptError.timeout
            }
            var room = [UInt8](repeating: 0, count: 65_536)
            let got = try room.withUnsafeMutableBytes { try Socket.receive(socket.number, into: $0) }
            switch got {
            case .bytes(let count): input.append(contentsOf: room[..<count])
            case .end: return nil
            case .wouldBlock: continue
            }
        }
    }

    public func expect(_ prefix: String) throws {
        let line = try line()
        guard let line, line.hasPrefix(prefix) else { throw ScriptError.unexpected("\(line ?? "end"), not \(prefix)") }
    }

    public func say(_ lines: String...) throws {
        var bytes = Array(lines.map { $0 + "\n" }.joined().utf8)
        while !bytes.isEmpty {
            _ = try SocketWait.poll(socket.number, forWriting: true, timeoutMilliseconds: 10_000)
            if case .bytes(let count) = try bytes.withUnsafeBytes({ try Socket.send(socket.number, $0) }) {
                bytes.removeFirst(count)
            }
        }
    }

    public func greet(lastSequence: UInt64 = 0) throws {
        try expect("HELLO {")
        try say(#"+HELLO {"server":"s","proto":1,"last_seq":\#(lastSequence),"more":{}}"#)
    }
}
