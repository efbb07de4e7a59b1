import Foundation
import Testing

/// The documents show the options that the program has: docs/commands.md is every --help page, and README's table of settings is that
/// of `eye serve`.
@Suite struct CommandDocumentTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..")
        .standardizedFileURL

    private func document(_ path: String) throws -> String {
        try String(contentsOf: Self.root.appending(path: path), encoding: .utf8)
    }

    /// Paths of all subcommands, from `eye --help`.
    private func commands(_ overview: String) -> [[String]] {
        overview.split(separator: "\n").filter { $0.hasPrefix("  ") }.map { line in
            line.split(separator: " ", omittingEmptySubsequences: false).dropFirst(2)
                .prefix { $0.wholeMatch(of: #/[a-z-]+/#) != nil }.map(String.init)
        }
    }

    /// With EYE_WRITE_COMMANDS=1 the document is written instead.
    @Test func everyHelpPageIsInTheDocument() throws {
        let overview = try CommandRun(["--help"]).out
        let paths = commands(overview)
        #expect(paths.count >= 25 && paths.contains(["serve"]) && paths.contains(["token", "add"]))
        var text = """
            # Commands

            What `eye --help` and the `--help` of each subcommand say; a test compares them. After a change of an option:
            `EYE_WRITE_COMMANDS=1 swift test --filter CommandDocumentTests` writes this file.

            ```
            \(overview)```

            """
        for path in paths {
            text += "\n## `eye \(path.joined(separator: " "))`\n\n```\n\(try CommandRun(path + ["--help"]).out)```\n"
        }
        if ProcessInfo.processInfo.environment["EYE_WRITE_COMMANDS"] == "1" {
            try Data(text.utf8).write(to: Self.root.appending(path: "docs/commands.md"))
        }
        let written = try document("docs/commands.md")
        let pairs = zip(written.split(separator: "\n"), text.split(separator: "\n"))
        if let (found, expected) = pairs.first(where: { $0 != $1 }) {
            Issue.record("docs/commands.md: '\(found)' instead of '\(expected)'")
        }
        #expect(written == text)
    }

    @Test func readmeHasEverySetting() throws {
        let page = try CommandRun(["serve", "--help"]).out
        var expected: [String] = []
        let entry = #/^  --([a-z-]+)( [^\n]+)?\n((?:      .*\n)+)/#.anchorsMatchLineEndings()
        for match in page.matches(of: entry) where match.1 != "print-config" {
            let notes = match.3.split(whereSeparator: { $0 == " " || $0 == "\n" }).joined(separator: " ")
            let variable = notes.firstMatch(of: #/Variable: (EYE_[A-Z_]+)\./#).map { String($0.1) } ?? "–"
            let fallback = notes.firstMatch(of: #/Default: ([^ ]+)\./#).map { String($0.1) } ?? "–"
            expected.append("--\(match.1)\(match.2 ?? "") \(variable) \(fallback)")
        }
        #expect(expected.count >= 11)
        let table = try document("README.md").components(separatedBy: "\n## Configuration\n")[1]
            .components(separatedBy: "\n## ")[0]
        let rows = table.matches(of: #/\n\| `(--[^`]+)` \| `([A-Z_]+)` \| `?([^`|]+)`? \|/#).map {
            "\($0.1) \($0.2) \($0.3.trimmingCharacters(in: .whitespaces))"
        }
        #expect(Set(rows) == Set(expected))
        #expect(rows.count == expected.count)
    }

    /// packaging/eye.conf has every setting once, in the order of the option table: what it sets or shows behind a `#` is the default, and
    /// where there is none an example that is fine.
    @Test func theShippedFileHasEverySetting() throws {
        let path = Self.root.appending(path: "packaging/eye.conf").path
        /// The settings of a file; `isSet`: it is no comment.
        func settings(_ text: String) -> [(key: String, value: String, isSet: Bool)] {
            text.split(separator: "\n").compactMap { line in
                line.wholeMatch(of: #/(# )?([a-z-]+) =( \S+)? *(# .+)?/#).map {
                    (String($0.2), $0.3.map { String($0.dropFirst()) } ?? "", $0.1 == nil)
                }
            }
        }
        let shown = settings(try CommandRun(["serve", "--print-config"]).out)
        let written = settings(try document("packaging/eye.conf"))
        #expect(shown.count >= 15 && written.map(\.key) == shown.map(\.key))
        for (one, other) in zip(written, shown) {
            #expect(other.isSet ? one.value == other.value : !one.isSet && !one.value.isEmpty, "\(one.key)")
        }
        #expect(written.filter(\.isSet).map(\.key) == ["tcp", "udp", "http"])
        let fine = try CommandRun(["check-config", "--config", path])
        #expect(fine.code == 0 && fine.out == "\(path): fine\n", "\(fine.error)")
        // All of it, examples too.
        let folder = try TemporaryFolder()
        let all = written.map { "\($0.key) = \($0.value)\n" }.joined()
        try Data(all.utf8).write(to: URL(filePath: "\(folder.path)/all.conf"))
        let examples = try CommandRun(["check-config", "--config", "\(folder.path)/all.conf"])
        #expect(examples.code == 0, "\(examples.error)")
    }
}
