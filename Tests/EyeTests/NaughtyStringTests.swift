import EyeTestVectors
import Foundation
import Testing

/// Data stays data: strings that break programs, as category, name, key and value of events. Unchanged where they are stored and
/// in answers for programs, harmless where people look.
@Suite(.timeLimit(.minutes(3))) struct NaughtyStringTests {
    /// A string as JSON, as little escaped as can be.
    private static func quoted(_ text: String) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": out += "\\" + String(scalar)
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                out += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }

    /// One event with the string in every place that takes it.
    private struct Sent {
        let category: String
        let name: String
        let data: String

        init(_ string: String) {
            let isBlank = string.unicodeScalars.allSatisfy(\.properties.isWhitespace)
            category = isBlank || string.unicodeScalars.count > 50 ? "c" : string
            name = isBlank || string.unicodeScalars.count > 150 ? "n" : string
            data = "{\"the value\":\(quoted(string)),\(quoted(string)):1}"
        }

        var line: String {
            "{\"session_id\":\"e2085be5-9137-4e4e-80b5-f1ffddc25423\",\"category\":\(quoted(category)),\"name\":\(quoted(name)),"
                + "\"data\":\(data),\"timestamp\":\"2021-01-01T00:00:00Z\"}"
        }
    }

    /// The part of an answer that is compared.
    private struct Shown: Decodable {
        var category: String
        var name: String
    }

    private func same(_ a: String, _ b: String) -> Bool { a.utf8.elementsEqual(b.utf8) }

    /// `lines` are the events in their order: texts by their bytes, `data` byte for byte.
    private func check(_ lines: [Substring], _ sent: [Sent]) throws {
        try #require(lines.count == sent.count)
        for (line, event) in zip(lines, sent) {
            let shown = try JSONDecoder().decode(Shown.self, from: Data(line.utf8))
            #expect(same(shown.category, event.category), "\(event.line)")
            #expect(same(shown.name, event.name), "\(event.line)")
            #expect(Data(line.utf8).range(of: Data("\"data\":\(event.data)".utf8)) != nil, "\(event.line)")
        }
    }

    /// Cells of RFC 4180, line by line.
    private func rows(_ text: String) -> [[String]] {
        var rows: [[String]] = []
        var row: [String] = []
        var cell: [UInt8] = []
        var isQuoted = false
        var bytes = Array(text.utf8)[...]
        while let byte = bytes.popFirst() {
            switch byte {
            case 0x22 where isQuoted && bytes.first == 0x22:
                bytes.removeFirst()
                cell.append(byte)
            case 0x22: isQuoted.toggle()
            case 0x2C where !isQuoted, 0x0D where !isQuoted:
                row.append(String(decoding: cell, as: UTF8.self))
                cell = []
                if byte == 0x0D {
                    rows.append(row)
                    row = []
                    #expect(bytes.popFirst() == 0x0A)
                }
            default: cell.append(byte)
            }
        }
        return rows
    }

    /// What `eye` writes to a terminal of its own.
    private func onTerminal(_ arguments: [String]) throws -> String {
        // TIOCSPTLCK and TIOCGPTN: unlockpt(3) and ptsname(3), which the Glibc module does not show.
        let (unlock, number): (UInt, UInt) = (0x4004_5431, 0x8004_5430)
        let master = open("/dev/ptmx", O_RDWR | O_NOCTTY)
        defer { close(master) }
        var zero: Int32 = 0
        var name: UInt32 = 0
        guard master >= 0, ioctl(master, unlock, &zero) == 0, ioctl(master, number, &name) == 0 else {
            throw WaitedInVain(what: "a terminal")
        }
        let slave = open("/dev/pts/\(name)", O_RDWR | O_NOCTTY)
        let process = Process()
        process.executableURL = CommandRun.executable
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("EYE_") }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle(fileDescriptor: slave, closeOnDealloc: false)
        try process.run()
        close(slave)
        var all: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            // EIO: nobody has the other side open any more.
            let count = read(master, &chunk, chunk.count)
            if count <= 0 { break }
            all += chunk[..<count]
        }
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        // The terminal puts a CR before each LF; lines of CSV have one themselves.
        let lines = all.split(separator: 0x0A, omittingEmptySubsequences: false).map { line in
            var line = line
            while line.last == 0x0D { line.removeLast() }
            return Array(line)
        }
        return String(decoding: Array(lines.joined(separator: [0x0A])), as: UTF8.self)
    }

    @Test func dataStaysData() throws {
        let strings = try NaughtyStrings.all()
        let sent = strings.map { Sent($0) }
        let eye = try ServedEye(nil, ["--access-log"])
        let reader = try eye.addToken("reader", scope: "read")
        let lines = sent.map { $0.line + "\n" }.joined()

        // Two ways in.
        let send = try CommandRun(
            ["send", "--tcp", eye.tcp], input: lines, environment: ["EYE_TOKEN": eye.firstToken])
        #expect(send.code == 0, "\(send.error)")
        let posted = try eye.call("POST", "/events/", token: eye.firstToken, type: "application/x-ndjson", lines)
        #expect(posted.status == 201, "\(posted.text.prefix(1000))")
        let both = sent + sent

        // For programs: unchanged.
        let answer = try eye.call("GET", "/events/?format=ndjson&order=id", token: reader)
        try check(answer.text.split(separator: "\n"), both)
        let tail = ["tail", "--once", "-n", "2000", "--data", eye.folder.path]
        try check(try CommandRun(tail).out.split(separator: "\n"), both)

        // For spreadsheets: a text that could be calculated has a quote before it, the others are unchanged.
        let fields = "category,name,data.the%20value"
        let csv = try eye.call("GET", "/events/?format=csv&order=id&fields=\(fields)", token: reader)
        let table = rows(csv.text)
        #expect(table.count == both.count + 1)
        for (row, (event, string)) in zip(table.dropFirst(), zip(both, strings + strings)) {
            for (cell, text) in zip(row, [event.category, event.name, string]) {
                // Behind a semicolon, too.
                let cells = [cell, cell.replacing(";' -", with: "; -")]
                let isText = cells.contains { same($0, text) || same($0, "'" + text) }
                #expect(isText, "\(text.debugDescription)")
                let isFormula = "=+-@\t\r\n＝＋－＠".unicodeScalars.contains { $0 == cell.unicodeScalars.first }
                #expect(!isFormula, "\(text.debugDescription)")
            }
        }

        // Found by what it is.
        for (index, event) in sent.enumerated() where index % 5 == 0 || event.category.utf8.contains(0x25) {
            let encoded = event.category.utf8.map { "%" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
            let found = try eye.call("GET", "/events/?limit=10000&fields=id&category=\(encoded)", token: reader)
            let ids = Set(found.array.compactMap { $0["id"] as? Int })
            #expect(ids.isSuperset(of: [index + 1, index + 1 + sent.count]), "\(event.category.debugDescription)")
        }

        // For people: nothing that a terminal obeys.
        for arguments in [
            tail, tail + ["--format", "text"], tail + ["--format", "json"],
            ["query", "--table", "--limit", "2000", "--data", eye.folder.path],
            ["query", "--csv", "--limit", "2000", "--data", eye.folder.path],
            ["query", "--ndjson", "--limit", "2000", "--data", eye.folder.path],
            ["query", "--json", "--limit", "2000", "--data", eye.folder.path],
            ["stats", "top", "--field", "category", "--limit", "500", "--data", eye.folder.path],
            ["stats", "top", "--json", "--field", "category", "--limit", "500", "--data", eye.folder.path],
            ["export", "--data", eye.folder.path], ["export", "--format", "csv", "--data", eye.folder.path],
            ["export", "-o", "/dev/stdout", "--data", eye.folder.path],
        ] {
            let shown = try onTerminal(arguments)
            #expect(!shown.isEmpty, "\(arguments)")
            #expect(NaughtyStrings.firstUnsafe(shown) == nil, "\(arguments)")
            if arguments.contains("json") { try checkMeaning(shown, both) }
            if arguments.contains("text") { #expect(shown.split(separator: "\n").count == both.count) }
        }
        let short = try CommandRun(tail + ["--format", "text"]).out
        #expect(short.split(separator: "\n").count == both.count && NaughtyStrings.firstUnsafe(short) == nil)

        // Refused lines among the errors, and words on the command line.
        let refused = strings.map { "{\"category\":\(Self.quoted($0))}\n" }.joined()
        _ = try CommandRun(["send", "--tcp", eye.tcp], input: refused, environment: ["EYE_TOKEN": eye.firstToken])
        try wait("errors") { try !eye.call("GET", "/errors/", token: reader).array.isEmpty }
        #expect(NaughtyStrings.firstUnsafe(try eye.errorOutput) == nil)
        for string in strings where string.unicodeScalars.contains(where: NaughtyStrings.isUnsafe) {
            // A NUL cannot be in an argument.
            let run = try CommandRun(["query", string.replacing("\0", with: "") + "=1", "--data", eye.folder.path])
            #expect(run.code == 2 && NaughtyStrings.firstUnsafe(run.error) == nil, "\(string.debugDescription)")
        }
        #expect(eye.end(SIGTERM) == 0)
    }

    /// On a terminal JSON is escaped more than it has to be, and means the same.
    private func checkMeaning(_ text: String, _ sent: [Sent]) throws {
        let lines = text.split(separator: "\n")
        try #require(lines.count == sent.count)
        for (line, event) in zip(lines, sent) {
            let shown = try JSONDecoder().decode(Shown.self, from: Data(line.utf8))
            #expect(same(shown.category, event.category) && same(shown.name, event.name), "\(event.line)")
        }
    }
}
