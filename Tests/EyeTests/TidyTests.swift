// The house rules that can be checked by reading the sources: who may import whom, no Foundation, no unfinished business,
// files of a size that can be read, and every named limit in a document with the same number.

import EyeStore
import EyeWire
import Foundation
import Testing

/// The files of this repository.
private enum Repository {
    static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../..").standardizedFileURL.path

    /// Paths below the root with one of these endings.
    static func files(_ folder: String, _ endings: String...) -> [String] {
        let all = FileManager.default.subpaths(atPath: "\(root)/\(folder)") ?? []
        return all.filter { path in endings.contains { path.hasSuffix(".\($0)") } }.map { "\(folder)/\($0)" }.sorted()
    }

    static func lines(_ path: String) throws -> [Substring] {
        try String(contentsOfFile: "\(root)/\(path)", encoding: .utf8)
            .split(separator: "\n", omittingEmptySubsequences: false)
    }
}

@Suite struct TidyTests {
    /// Who may import what. Nobody imports anything else.
    static let allowed: [String: Set<String>] = [
        // CEyeScan: the vector instructions of its scanner, a header without code of its own.
        "EyeWire": ["CEyeScan"],
        "EyeSystem": ["CEyeLinux"],
        "EyeStore": ["EyeSystem"],
        "EyeServer": ["EyeWire", "EyeSystem", "EyeStore"],
        "EyeQueryHTTP": ["EyeWire", "EyeSystem", "EyeStore", "EyeClient"],
        "EyeClient": ["EyeWire", "EyeSystem"],
        "eye": ["EyeWire", "EyeSystem", "EyeStore", "EyeServer", "EyeQueryHTTP", "EyeClient"],
    ]
    static let system: Set<String> = ["Glibc", "Synchronization"]

    /// The module that a line imports.
    static func imported(_ line: Substring) -> String? {
        let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" || $0 == ";" })
        let modifiers = words.prefix { $0.hasPrefix("@") || ["public", "package", "internal", "private"].contains($0) }
        var rest = words.dropFirst(modifiers.count)
        guard rest.popFirst() == "import" else { return nil }
        let kinds: Set<Substring> = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
        if let kind = rest.first, kinds.contains(kind) { rest.removeFirst() }
        return rest.first.map { String($0.prefix { $0 != "." }) }
    }

    @Test func everyRoomImportsOnlyWhatItMay() throws {
        let files = Repository.files("Sources", "swift")
        #expect(files.count > 100)
        for file in files {
            let room = String(file.split(separator: "/")[1])
            let allowed = try #require(Self.allowed[room], "\(room) is a room that this test does not know")
            for line in try Repository.lines(file) {
                guard let module = Self.imported(line) else { continue }
                #expect(allowed.union(Self.system).contains(module), "\(file) imports \(module)")
            }
        }
        #expect(Set(files.map { String($0.split(separator: "/")[1]) }) == Set(Self.allowed.keys))
    }

    @Test func thePackageHasNoDependencies() throws {
        let package = try Repository.lines("Package.swift").joined(separator: "\n")
        #expect(!package.contains(".package("))
    }

    /// A known fault is a note in an issue and a named, disabled test, never a mark in the text.
    @Test func nothingIsLeftForLater() throws {
        let marks = try Regex(
            ["TO" + "DO", "FIX" + "ME", "HA" + "CK", "XX" + "X"].map { "\\b\($0)\\b" }.joined(separator: "|"))
        let files =
            Repository.files("Sources", "swift", "c", "h") + Repository.files("Tests", "swift", "c", "sh")
            + Repository.files("docs", "md") + ["Package.swift", "protocol.md"]
        for file in files {
            for (index, line) in try Repository.lines(file).enumerated() {
                #expect(line.firstMatch(of: marks) == nil, "\(file):\(index + 1)")
            }
        }
    }

    static let linesMax = 600

    @Test func everyFileCanBeRead() throws {
        for file in Repository.files("Sources", "swift", "c", "h") + Repository.files("Tests", "swift", "c", "h") {
            let lines = try Repository.lines(file)
            #expect(lines.count - 1 <= Self.linesMax, "\(file)")
            // It says first what it is responsible for.
            if file.hasPrefix("Sources/") && file.hasSuffix(".swift") {
                #expect(lines.first?.hasPrefix("//") == true, "\(file)")
            }
        }
    }

    // MARK: Limits

    /// `a + b * c << d` of whole numbers and earlier names, as Swift reads it.
    static func value(_ expression: some StringProtocol, _ known: [String: Int]) -> Int? {
        func fold(_ text: String, _ sign: String, _ start: Int, _ step: (Int, Int) -> Int, _ part: (String) -> Int?)
            -> Int?
        {
            let parts = text.components(separatedBy: " \(sign) ").map(part)
            guard parts.allSatisfy({ $0 != nil }), let first = parts[0] else { return nil }
            return parts.dropFirst().reduce(first) { step($0, $1 ?? 0) }
        }
        return fold(String(expression), "+", 0, +) { sum in
            fold(sum, "-", 0, -) { difference in
                fold(difference, "*", 1, *) { product in
                    fold(product, "<<", 0, <<) { name in Int(name.replacing("_", with: "")) ?? known[name] }
                }
            }
        }
    }

    /// The constants of a file of limits.
    static func constants(_ file: String) throws -> [String: Int] {
        var found: [String: Int] = [:]
        for line in try Repository.lines(file) {
            guard let match = line.wholeMatch(of: #/ *public static let (\w+)(?:: \w+)? = (.+)/#) else { continue }
            let number = value(match.2, found)
            #expect(number != nil, "\(file): \(match.1)")
            found[String(match.1)] = number
        }
        return found
    }

    /// `name` → number of the tables in a document's section; sections open with `## `.
    static func documented(_ section: String, _ document: String) throws -> [String: Int] {
        let text = try Repository.lines(document).joined(separator: "\n")
        let body = text.components(separatedBy: "\n## ").first { $0.hasPrefix("`\(section)`\n") } ?? ""
        var found: [String: Int] = [:]
        for match in body.matches(of: #/\n\| `(\w+)` \| ([0-9]+) \|/#) {
            #expect(found[String(match.1)] == nil, "\(match.1) stands there twice")
            found[String(match.1)] = Int(match.2)
        }
        return found
    }

    /// Of the protocol's limits those that the store keeps, which does not know the protocol.
    private static let keptByTheStore = ["clientsMax", "clientIdleDays"]

    @Test func theStoreKeepsWhatTheProtocolSays() {
        #expect(StoreLimits.clientsMax == WireLimits.clientsMax)
        #expect(StoreLimits.clientIdleMicroseconds == Int64(WireLimits.clientIdleDays) * 86_400_000_000)
        #expect(StoreLimits.clientNameBytesMax >= WireLimits.clientIDBytesMax)
    }

    @Test func everyLimitIsKept() throws {
        let sources = Repository.files("Sources", "swift")
        let text = try sources.map { try Repository.lines($0).joined(separator: "\n") }.joined(separator: "\n")
        for file in sources where file.hasSuffix("Limits.swift") {
            let type = String(file.split(separator: "/").last?.dropLast(".swift".count) ?? "")
            let own = try Repository.lines(file).joined(separator: "\n")
            for name in try Self.constants(file).keys {
                // In its own file a limit may be a part of another one.
                let inOwnFile = own.components(separatedBy: name).count - 1
                let isUsed = text.contains("\(type).\(name)") || inOwnFile > 1
                #expect(isUsed || Self.keptByTheStore.contains(name), "nothing keeps \(type).\(name)")
            }
        }
    }

    /// protocol.md's limits are EyeWire's own test.
    @Test func everyLimitIsDocumentedWithItsNumber() throws {
        let files = Repository.files("Sources", "swift").filter {
            $0.hasSuffix("Limits.swift") && !$0.hasSuffix("/WireLimits.swift")
        }
        #expect(files.count >= 5)
        for file in files {
            let name = String(file.split(separator: "/").last?.dropLast(".swift".count) ?? "")
            let document = name == "HTTPLimits" ? "docs/http.md" : "docs/limits.md"
            let constants = try Self.constants(file)
            #expect(constants.count >= 5, "\(file)")
            let documented = try Self.documented(name, document)
            for (limit, value) in constants {
                #expect(documented[limit] == value, "\(name).\(limit) in \(document)")
            }
            #expect(Set(documented.keys) == Set(constants.keys), "\(document) has limits that are not in \(file)")
        }
    }
}
