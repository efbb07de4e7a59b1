// The transcripts of Tests/Vectors/wire, played over real sockets: whole, byte by byte, and cut in two.

import EyeStore
import EyeSystem
import EyeTestVectors
import Foundation
import Testing

@testable import EyeServer

@Suite struct ServerTranscriptTests {
    /// One service for all: a transcript is one connection and minds nobody else's events.
    private static let shared = Result { try TranscriptPlayer() }

    @Test(arguments: Transcript.names) func isAnsweredWhole(_ name: String) throws {
        try Self.shared.get().play(name) { [$0] }
    }

    @Test(arguments: Transcript.names) func isAnsweredByteByByte(_ name: String) throws {
        // Lines over the limit are cut into larger pieces: a system call a byte would take a minute.
        try Self.shared.get().play(name) { bytes in
            let size = bytes.count > 5_000 ? 997 : 1
            return stride(from: 0, to: bytes.count, by: size).map { Array(bytes[$0..<min($0 + size, bytes.count)]) }
        }
    }

    /// Twelve positions of the longest step, or with EYE_LONG_TESTS=1 every one (every 997th of the very long ones).
    @Test(arguments: Transcript.names) func isAnsweredCutInTwo(_ name: String) throws {
        let player = try Self.shared.get()
        let longest = try player.longestStep(name)
        let step = TestSize.pick(max(1, longest / 2), long: longest > 5_000 ? 997 : 1)
        for position in stride(from: 1, to: longest, by: step) {
            try player.play(name) { bytes in
                position < bytes.count ? [Array(bytes[..<position]), Array(bytes[position...])] : [bytes]
            }
        }
    }
}

/// A service and the tokens that the transcripts speak of.
final class TranscriptPlayer: @unchecked Sendable {
    private let ingest: RunningIngest
    private let tokens: [String: String]

    init() throws {
        ingest = try RunningIngest()
        let accounts = AccountFile(RealDisk(), folder: ingest.folder, time: SystemTime())
        tokens = [
            "TOKEN": ingest.token, "OTHER_TOKEN": try accounts.addToken(named: "other", scopes: .ingest).secret,
            "READ_TOKEN": try accounts.addToken(named: "read", scopes: .read).secret,
            "BAD_TOKEN": String(repeating: "0f", count: 20),
        ]
        // The service has to have seen the new ones.
        let client = try ingest.connectUnix()
        for token in ["OTHER_TOKEN", "READ_TOKEN"] {
            var answer: String? = ""
            repeat {
                try client.send("CHECK \(tokens[token]!) {}\n")
                answer = try client.readLine()
            } while answer?.hasPrefix("-ERR 0 bad-token") == true
        }
    }

    private func load(_ name: String) throws -> Transcript {
        var values = tokens
        values["UUID"] = Foundation.UUID().uuidString.lowercased()
        values["UNIQUE"] = Foundation.UUID().uuidString.filter(\.isHexDigit)
        values["FUTURE"] = Date().addingTimeInterval(3600).ISO8601Format()
        return try Transcript(name, values)
    }

    func longestStep(_ name: String) throws -> Int {
        try load(name).steps.map { if case .send(let bytes) = $0 { bytes.count } else { 0 } }.max() ?? 0
    }

    /// Plays a transcript over each listener it is meant for; `cut` says how the bytes of a step are sent.
    func play(_ name: String, _ cut: ([UInt8]) -> [[UInt8]]) throws {
        let isControl = try load(name).isControl
        for listener in isControl ? ["control"] : ["tcp", "unix"] {
            let transcript = try load(name)
            let client =
                switch listener {
                case "tcp": try ingest.connectTCP()
                case "unix": try ingest.connectUnix()
                default: try ingest.connectUnix(IngestService.controlSocketName)
                }
            for step in transcript.steps {
                switch step {
                case .send(let bytes): for piece in cut(bytes) { try client.send(piece) }
                case .expect(let pattern):
                    let line = try client.readLine()
                    guard let line, Transcript.matches(line, pattern) else {
                        Issue.record("\(name) over \(listener): expected \(pattern), got \(line ?? "the end")")
                        return
                    }
                case .quiet: #expect(client.isSilent(), "\(name) over \(listener)")
                case .halfClose: try client.endWrites()
                case .end:
                    let rest = try client.readLine()
                    #expect(rest == nil, "\(name) over \(listener): \(rest ?? "")")
                }
            }
        }
    }
}
