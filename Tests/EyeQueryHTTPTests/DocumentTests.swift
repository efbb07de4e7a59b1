// docs/http.md and the router say the same: paths, methods, scopes, parameters; and there is a curl line for each call, which
// works.

import EyeStore
import Foundation
import Testing

@testable import EyeQueryHTTP

@Suite struct DocumentTests {
    static let text: String = {
        let path = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../docs/http.md").standardizedFileURL
        return (try? String(contentsOf: path, encoding: .utf8)) ?? ""
    }()

    /// The cells of the table rows of one section.
    static func rows(_ section: String) -> [[String]] {
        let body = text.components(separatedBy: "\n## ").first { $0.hasPrefix(section + "\n") } ?? ""
        return body.split(separator: "\n").filter { $0.hasPrefix("|") }.dropFirst(2).map { row in
            row.split(separator: "|").map { $0.trimmingCharacters(in: CharacterSet(charactersIn: " `")) }
        }
    }

    @Test func routes() {
        var coded: Set<String> = []
        for route in Route.allCases {
            for (method, access) in route.methods {
                let scope = if case .scope(let scopes) = access { scopes.description } else { "–" }
                coded.insert("\(method.rawValue) \(route.rawValue) \(scope)")
            }
        }
        var written: [String] = []
        for row in Self.rows("Routes") {
            for method in row[1].components(separatedBy: ", ") { written.append("\(method) \(row[0]) \(row[2])") }
        }
        #expect(Set(written).count == written.count)
        #expect(Set(written) == coded)
    }

    @Test func parameters() {
        let rows = Self.rows("Parameters").map { "\($0[0]) \($0[1])" }
        var coded = EventQuery.known.map { "/events/ \($0)" }
        coded += FilterParameters.dataOperators.map { "/events/ data.PATH\($0)" }
        coded += ErrorQuery.known.map { "/errors/ \($0)" }
        coded += ErrorQuery.filters.map { "/errors/summary \($0)" }
        // Filters are written down once.
        coded += (["FILTERS"] + SessionQuery.others).map { "/sessions/ \($0)" }
        coded += (["FILTERS"] + TimelineQuery.others).map { "/sessions/{session_id}/ \($0)" }
        coded += (["FILTERS"] + LiveQuery.others).map { "/events/live \($0)" }
        for kind in StatsQuery.Kind.allCases {
            coded += (["FILTERS"] + kind.others).map { "/stats/\(kind.rawValue) \($0)" }
        }
        coded += PageParameters.known.map { "/erasures/ \($0)" }
        for path in ["/event_detail/{id}", "/sessions/{session_id}/"] {
            coded += ErasureExchange.known.map { "\(path) \($0)" }
        }
        #expect(rows.sorted() == coded.sorted())
    }

    /// The lines of the document, each run by a shell as it stands, all calls together. `-N` (unbuffered) is what a reader of an endless
    /// answer types: such a line is ended after a while, and must have been answered by then.
    @Test func curlLines() throws {
        let lines = Self.text.split(separator: "\n").filter { $0.hasPrefix("curl ") }.map(String.init)
        #expect(lines.count > 20)
        let service = try ServiceFixture()
        try service.accounts.setPassword(of: "admin", password: Array("secret".utf8))
        // Something refused, for /errors/1.
        _ = try service.call("POST", "/events/", token: service.both, "{}")
        try ServiceFixture.wait("the refusal") {
            try service.call("GET", "/errors/1", token: service.both).status == 200
        }
        var called: Set<String> = []
        for line in lines {
            let process = Process()
            process.executableURL = URL(filePath: "/bin/sh")
            let isEndless = line.contains(#/ -[a-zA-Z]*N[a-zA-Z]* /#)
            let bound = isEndless ? " --max-time 1" : ""
            process.arguments = ["-c", "\(line)\(bound) -o /dev/null -w '%{http_code}'"]
            process.environment = [
                "EYE": "http://\(service.service.address!)", "TOKEN": service.both, "ADMIN": service.admin,
                "PASSWORD": "secret",
                "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin",
            ]
            let out = Pipe()
            process.standardOutput = out
            try process.run()
            let status = String(decoding: out.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            #expect(status == "200" || status == "201", "\(status): \(line)")
            // 28: the time is over.
            let ended = process.terminationStatus
            #expect(ended == 0 || (isEndless && ended == 28), "\(ended): \(line)")
            let path = try #require(line.firstMatch(of: #/\$EYE([^ ?"]*)/#)).1.replacing("/1", with: "/{id}")
                .replacing("e2085be5-9137-4e4e-80b5-f1ffddc25423", with: "{session_id}")
            let isPost = line.contains("-X POST") || line.contains(" -d ")
            called.insert("\(line.contains("-X DELETE") ? "DELETE" : isPost ? "POST" : "GET") \(path)")
        }
        let coded = Route.allCases.flatMap { route in
            route.methods.filter { $0.method != .head }.map { "\($0.method.rawValue) \(route.rawValue)" }
        }
        #expect(called == Set(coded))
    }
}
