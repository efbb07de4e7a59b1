// 9,999 real events of ../shared/data/web_visits.ndjson by each door, and all of them back: every one, with its `data` byte
// for byte, and the same counts by category, name and session as in the file. What the file and the answers say is read by a
// splitter of this test, not by the code under test.

import EyeSystem
import Foundation
import Testing

/// One event, as bytes that must be the same in the file and in the answers.
private struct Visit: Hashable {
    var session: String
    var category: String
    var name: String
    /// The value of `data`, verbatim.
    var data: [UInt8]
    var timestamp: String

    /// From the raw members of a JSON object (the texts of this file have no escapes but in `data`).
    init?(_ members: [String: [UInt8]]) {
        func text(_ name: String) -> String? {
            guard let raw = members[name], raw.first == 0x22, !raw.contains(0x5C) else { return nil }
            return String(decoding: raw.dropFirst().dropLast(), as: UTF8.self)
        }
        guard let session = text("session_id"), let category = text("category"), let name = text("name"),
            let data = members["data"], let timestamp = text("timestamp")
        else { return nil }
        self.session = session
        self.category = category
        self.name = name
        self.data = data
        // `2015-05-17 10:05:03.000000` in the file is `2015-05-17T10:05:03.000000Z` in the answer.
        self.timestamp = timestamp.count == 26 ? timestamp.replacing(" ", with: "T") + "Z" : timestamp
    }
}

/// Splits valid JSON without understanding more than strings and nesting.
private enum RawJSON {
    /// Calls `piece` with what stands between the commas of the outermost array or object.
    static func pieces(_ bytes: ArraySlice<UInt8>, _ piece: (ArraySlice<UInt8>) -> Void) {
        bytes.withUnsafeBufferPointer { text in
            var (depth, start, isString, isEscaped) = (0, 0, false, false)
            for (index, byte) in text.enumerated() {
                if isString {
                    if isEscaped {
                        isEscaped = false
                    } else if byte == 0x5C {
                        isEscaped = true
                    } else if byte == 0x22 {
                        isString = false
                    }
                    continue
                }
                switch byte {
                case 0x22: isString = true
                case 0x5B, 0x7B:
                    depth += 1
                    if depth == 1 { start = index + 1 }
                case 0x5D, 0x7D:
                    depth -= 1
                    if depth == 0 && index > start {
                        piece(bytes[(bytes.startIndex + start)..<(bytes.startIndex + index)])
                    }
                case 0x2C where depth == 1:
                    piece(bytes[(bytes.startIndex + start)..<(bytes.startIndex + index)])
                    start = index + 1
                default: break
                }
            }
        }
    }

    /// The members of an object written without white space between them, values verbatim.
    static func members(_ object: ArraySlice<UInt8>) -> [String: [UInt8]] {
        var found: [String: [UInt8]] = [:]
        pieces(object) { piece in
            guard let end = piece.dropFirst().firstIndex(of: 0x22) else { return }
            found[String(decoding: piece[(piece.startIndex + 1)..<end], as: UTF8.self)] = Array(piece[(end + 2)...])
        }
        return found
    }
}

/// The file and what is in it.
private struct WebVisits {
    let path: String
    let lines: [ArraySlice<UInt8>]
    let visits: [Visit]

    /// nil where the file is not: a clone of the repository alone has nothing to send.
    static let shared: WebVisits? = {
        let path = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../../shared/data/web_visits.ndjson").standardizedFileURL.path
        guard let content = FileManager.default.contents(atPath: path) else { return nil }
        let lines = Array(content).split(separator: 0x0A)
        return WebVisits(path: path, lines: lines, visits: lines.compactMap { Visit(RawJSON.members($0)) })
    }()
}

@Suite(
    .timeLimit(.minutes(3)), .serialized,
    .enabled(if: WebVisits.shared != nil, "../shared/data/web_visits.ndjson is not there")
)
struct WebVisitsTests {
    private let file: WebVisits
    private let eye: ServedEye
    private let token: String

    init() throws {
        file = try #require(WebVisits.shared)
        eye = try ServedEye()
        token = try eye.addToken("both", scope: "ingest,read")
        try #require(file.lines.count == 9999 && file.visits.count == 9999)
    }

    /// Every event of the answer's pages, oldest first, with its id.
    private func stored(limit: Int) throws -> [(id: String, visit: Visit)] {
        var found: [(id: String, visit: Visit)] = []
        for page in try eye.pages("/events/?order=id&limit=\(limit)", token: token) {
            RawJSON.pieces(page.body[...]) { piece in
                let members = RawJSON.members(piece)
                if let visit = Visit(members) {
                    found.append((String(decoding: members["id"] ?? [], as: UTF8.self), visit))
                }
            }
        }
        return found
    }

    private func counts(_ key: (Visit) -> String, _ visits: [Visit]) -> [String: Int] {
        Dictionary(visits.map { (key($0), 1) }, uniquingKeysWith: +)
    }

    /// Everything that the queries must say about a store that holds the file once; `byFilters`: and what each value has, asked for it alone.
    private func expectTheFile(inOrder: Bool, byFilters: Bool = false) throws {
        let stored = try stored(limit: 10_000)
        #expect(stored.map(\.id) == (1...9999).map(String.init))
        let visits = stored.map(\.visit)
        if inOrder {
            #expect(visits == file.visits)
        } else {
            #expect(
                Dictionary(visits.map { ($0, 1) }, uniquingKeysWith: +)
                    == Dictionary(file.visits.map { ($0, 1) }, uniquingKeysWith: +))
        }
        let sessions = counts(\.session, file.visits)
        #expect(counts(\.session, visits) == sessions)
        for (parameter, all) in !byFilters
            ? []
            : [
                ("category", counts(\.category, file.visits)), ("name", counts(\.name, file.visits)),
                ("session_id", sessions.filter { $0.value > 40 || $0.key.hasPrefix("00") }),
            ]
        {
            #expect(!all.isEmpty)
            for (value, count) in all {
                let query = value.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
                let pages = try eye.pages("/events/?\(parameter)=\(query)&limit=10000", token: token)
                var found = 0
                for page in pages { RawJSON.pieces(page.body[...]) { _ in found += 1 } }
                #expect(found == count, "\(parameter)=\(value)")
            }
        }
        let listed = try eye.pages("/sessions/?limit=1000", token: token).flatMap(\.array)
        #expect(listed.count == sessions.count)
        #expect(Set(listed.compactMap { $0["id"] as? String }) == Set(sessions.keys))
    }

    @Test(.enabled(if: Shell.has("nc"), "nc is needed")) func byTCPInOneNC() throws {
        let run = try Shell(
            "sed \"s/^/$TOKEN /\" \"$FILE\" | nc -N 127.0.0.1 \(eye.tcpPort)",
            environment: ["TOKEN": token, "FILE": file.path])
        #expect(run.out == "+BYE received=9999 accepted=9999 rejected=0 duplicate=0\n")
        try expectTheFile(inOrder: true, byFilters: true)
        // Small pages say the same as large ones.
        #expect(try stored(limit: 777).map(\.visit) == file.visits)
    }

    /// One datagram a line. What the kernel holds for us is bounded: a hundred at a time, then until they are judged.
    @Test func byUDP() throws {
        let socket = try Socket.connect(try SocketAddress.resolve(eye.udp, datagram: true), datagram: true)
        for (index, line) in file.lines.enumerated() {
            try socket.sendAll(Array("\(token) ".utf8) + line)
            if index % 100 == 99 {
                try wait("a hundred datagrams") { try eye.metric("eye_ingest_lines_total") == index + 1 }
            }
        }
        try wait("all datagrams") { try eye.metric("eye_ingest_accepted_total") == 9999 }
        #expect(try eye.metric("eye_ingest_datagrams_total") == 9999)
        #expect(try eye.metric("eye_ingest_datagrams_dropped_total") == 0)
        try expectTheFile(inOrder: false)
    }

    @Test func byHTTP() throws {
        let body = Array(file.lines.joined(separator: [0x0A]))
        let answer = try eye.call("POST", "/events/", token: token, type: "application/x-ndjson", body: body)
        #expect(answer.status == 201)
        #expect(answer.object["accepted"] as? Int == 9999 && answer.object["rejected"] as? Int == 0)
        try expectTheFile(inOrder: true)
    }
}
