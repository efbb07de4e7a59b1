// The published suites of HTTP conformance and smuggling, as vectors, against the executable `eye-echo`.

import EyeSystem
import Foundation
import Testing

/// A running `eye-echo`, which SwiftPM builds beside the tests.
private final class EchoProcess {
    let address: SocketAddress
    private let process = Process()

    init() throws {
        let output = Pipe()
        process.executableURL = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
            .appending(path: "eye-echo")
        process.arguments = ["--port", "0"]
        process.standardOutput = output
        try process.run()
        let line = try #require(String(data: output.fileHandleForReading.availableData, encoding: .utf8))
        address = try SocketAddress.resolve("127.0.0.1:\(line.prefix { $0.isNumber })")
    }

    deinit {
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }
}

@Suite struct PublishedSuiteTests {
    /// What a client of `eye-echo` sees.
    private struct Seen {
        /// A status, `close` or `wait`.
        var first: String
        var answers = 0
        /// The connection ended.
        var ended = false
        var fields: [String] = []
        var body = ""
    }

    @Test(arguments: [("h1spec", 33), ("http11probe", 194)])
    func suite(_ file: String, _ count: Int) throws {
        let echo = try EchoProcess()
        let vectors = Vector.load(file)
        #expect(vectors.count == count)
        for vector in vectors {
            let seen = try play(vector, echo.address)
            #expect(seen.first == vector.ours, "\(vector.name)")
            for rule in vector.taken { #expect(keeps(seen, rule), "\(vector.name): \(rule), but \(seen)") }
        }
    }

    private func play(_ vector: Vector, _ address: SocketAddress) throws -> Seen {
        let client = try TestClient(address)
        try? client.send(vector.bytes)
        if vector.ours == "wait" {
            // A whole request on another connection is answered after these bytes were read.
            let other = try TestClient(address)
            try other.send(Vector.marked)
            _ = try other.answer()
            if client.isSilent { return Seen(first: "wait") }
        }
        // Where the answer shall end the connection, the client must not.
        if !vector.taken.contains("ends") { client.endSending() }
        let ended = client.isEnded()
        let text = String(decoding: client.rest(), as: UTF8.self)
        let heads = text.ranges(of: "HTTP/1.1 ")
        guard text.hasPrefix("HTTP/1.1 "), let end = text.range(of: "\r\n\r\n") else { return Seen(first: "close") }
        let lines = text[..<end.lowerBound].split(separator: "\r\n")
        let next = heads.count > 1 ? heads[1].lowerBound : text.endIndex
        return Seen(
            first: String(text.dropFirst(9).prefix(3)), answers: heads.count, ended: ended,
            fields: lines.dropFirst().map { $0.prefix { $0 != ":" }.lowercased() },
            body: String(text[end.upperBound...].prefix(upTo: max(end.upperBound, next))))
    }

    private func keeps(_ seen: Seen, _ rule: String) -> Bool {
        let words = rule.split(separator: " ", maxSplits: 1).map(String.init)
        let rest = words.count > 1 ? words[1] : ""
        switch words[0] {
        case "first":
            return rest.split(separator: " ").contains { $0 == seen.first || $0 == "\(seen.first.prefix(1))xx" }
        case "once": return seen.answers <= 1
        case "body": return !seen.first.hasPrefix("2") || seen.body == rest
        case "field": return seen.fields.contains(rest.lowercased())
        case "ends": return seen.ended
        default: return false
        }
    }
}
