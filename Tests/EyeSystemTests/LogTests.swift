import EyeTestVectors
import Foundation
import Testing

@testable import EyeSystem

/// A log line shows what strangers wrote, and stays one harmless line.
@Suite struct LogTests {
    /// What a log writes into a file.
    private func written(_ format: Log.Format, _ body: (Log) -> Void) throws -> [Substring] {
        let path = FileManager.default.temporaryDirectory.appending(path: "eye-log-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let file = try Descriptor.open(path, flags: O_RDWR | O_CREAT | O_APPEND)
        body(Log(format: format, time: SystemTime(), descriptor: file.number))
        let text = String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self)
        return text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
    }

    @Test func everyStringAsJSON() throws {
        let strings = try NaughtyStrings.all()
        #expect(strings.count == 515)
        let lines = try written(.json) { log in for string in strings { log.info(string, ["key": string]) } }
        try #require(lines.count == strings.count)
        for (line, string) in zip(lines, strings) {
            #expect(NaughtyStrings.firstUnsafe(line) == nil, "\(string.debugDescription)")
            let entry = try JSONDecoder().decode([String: String].self, from: Data(line.utf8))
            for name in ["message", "key"] {
                #expect(entry[name].map { Array($0.utf8) } == Array(string.utf8), "\(string.debugDescription)")
            }
        }
    }

    @Test func everyStringAsText() throws {
        let strings = try NaughtyStrings.all()
        let lines = try written(.text) { log in
            for string in strings {
                log.warning(string)
                log.info("m", ["key": string])
            }
        }
        try #require(lines.count == 2 * strings.count)
        for (index, string) in strings.enumerated() {
            #expect(NaughtyStrings.firstUnsafe(lines[2 * index]) == nil, "\(string.debugDescription)")
            #expect(NaughtyStrings.firstUnsafe(lines[2 * index + 1]) == nil, "\(string.debugDescription)")
            // Nothing in it can look like the next field: what is not bare is quoted as in JSON.
            let start = try #require(lines[2 * index + 1].utf8.firstRange(of: " info m key=".utf8))
            let value = Data(lines[2 * index + 1].utf8[start.upperBound...])
            if value.first == UInt8(ascii: "\"") {
                let text = try JSONDecoder().decode(String.self, from: value)
                #expect(text.utf8.elementsEqual(string.utf8), "\(string.debugDescription)")
            } else {
                #expect(!value.isEmpty && value.elementsEqual(string.utf8), "\(string.debugDescription)")
                #expect(value.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x3D }, "\(string.debugDescription)")
            }
        }
    }

    @Test func theFormatCanChange() throws {
        let lines = try written(.text) { log in
            log.info("a")
            log.use(.json)
            log.info("b")
        }
        try #require(lines.count == 2)
        #expect(lines[0].hasSuffix(" info a") && lines[1].hasSuffix(#""level":"info","message":"b"}"#))
    }
}
