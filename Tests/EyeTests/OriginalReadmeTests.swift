// The curl lines of the system that this one replaces, taken literally from its README (a copy lies under Tests/Vectors):
// only host, port, token and the event's number are put in by rule, and each is run by bash as it stands, then with its final
// slash added or taken away.

import Foundation
import Testing

@Suite(.timeLimit(.minutes(2)), .enabled(if: Shell.has("curl"), "curl is needed")) struct OriginalReadmeTests {
    /// Every curl command of the document, in order.
    static let commands: [String] = {
        let path = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../Vectors/readme/original-readme.md").standardizedFileURL
        let text = (try? String(contentsOf: path, encoding: .utf8)) ?? ""
        return text.components(separatedBy: "```").map { $0.trimmingCharacters(in: .whitespacesAndNewlines) }
            .filter { $0.hasPrefix("curl ") }
    }()

    /// The path in a command, and the same with its final slash toggled.
    static func toggled(_ command: String) throws -> String {
        let found = try #require(command.firstMatch(of: #/http://127\.0\.0\.1:8000(/[a-z_0-9/-]*)/#))
        let path = String(found.1)
        return command.replacing(
            "127.0.0.1:8000\(path)",
            with: "127.0.0.1:8000" + (path.hasSuffix("/") ? String(path.dropLast()) : path + "/"))
    }

    private struct Reply {
        var status: Int
        var body: Any
        var object: [String: Any] { body as? [String: Any] ?? [:] }
        var array: [[String: Any]] { body as? [[String: Any]] ?? [] }
        var ids: [Int] { array.compactMap { $0["id"] as? Int } }
    }

    private func run(_ command: String, _ eye: ServedEye, token: String) throws -> Reply {
        var line = command.replacing("127.0.0.1:8000", with: eye.http)
        line = line.replacing(#/Authorization: Token [0-9a-f]{40}/#, with: "Authorization: Token \(token)")
        let run = try Shell("\(line) -s -w '\\n%{http_code}'")
        #expect(run.code == 0, "\(line)\n\(run.error)")
        let parts = run.out.components(separatedBy: "\n")
        let body = parts.dropLast().joined(separator: "\n")
        return Reply(
            status: Int(parts.last ?? "") ?? 0,
            body: try JSONSerialization.jsonObject(with: Data(body.utf8), options: .fragmentsAllowed))
    }

    @Test func everyCurlLineWorks() throws {
        let commands = Self.commands
        try #require(commands.count == 10)
        let eye = try ServedEye()
        #expect(try eye.eye("user", "passwd", "admin", input: "admin\n").code == 0)
        // What the filters of the document look for.
        let sought = try eye.call(
            "POST", "/events/", token: eye.firstToken,
            #"{"session_id":"97a7e388-4ca7-408b-a87f-0313075850c2","category":"page view","name":"pageview","data":{"a":1},"timestamp":"2021-11-12T12:30:06.902847Z"}"#
        )
        #expect(sought.status == 201)
        for slash in [false, true] {
            let lines = slash ? try commands.map(Self.toggled) : commands
            let login = try run(lines[0], eye, token: "")
            #expect(login.status == 200)
            #expect(login.object.count == 1)
            let token = try #require(login.object["token"] as? String)
            #expect(token.wholeMatch(of: #/[0-9a-f]{40}/#) != nil)

            let opened = try run(lines[1], eye, token: token)
            #expect(opened.status == 201 && opened.object.count == 1)
            let session = try #require(opened.object["id"] as? String)
            #expect(
                session.wholeMatch(of: #/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/#) != nil)

            let sessions = try run(lines[2], eye, token: token)
            #expect(sessions.status == 200)
            #expect(sessions.array.first?["id"] as? String == session)
            let created = sessions.array.first?["created_at"] as? String
            #expect(created?.wholeMatch(of: #/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z/#) != nil)

            let posted = try run(lines[3], eye, token: token)
            #expect(posted.status == 201)
            let id = slash ? 3 : 2
            #expect(posted.object["id"] as? Int == id)
            #expect(posted.object["session_id"] as? String == "e2085be5-9137-4e4e-80b5-f1ffddc25423")
            #expect(posted.object["category"] as? String == "page interaction")
            #expect(posted.object["name"] as? String == "cta click")
            #expect(posted.object["timestamp"] as? String == "2021-01-01T09:15:27.243860Z")
            let data = ["host": "www.consumeraffairs.com", "path": "/", "element": "chat bubble"]
            #expect(posted.object["data"] as? [String: String] == data)

            let list = try run(lines[4], eye, token: token)
            #expect(list.status == 200 && list.ids == Array((1...id).reversed()))
            let detail = try run(lines[5], eye, token: token)
            #expect(detail.status == 200)
            #expect(detail.object["id"] as? Int == 1 && detail.object["name"] as? String == "pageview")
            let missing = try run(lines[5].replacing("event_detail/1", with: "event_detail/99"), eye, token: token)
            #expect(missing.status == 404 && missing.object["detail"] as? String == "Not found.")

            let category = try run(lines[6], eye, token: token)
            #expect(category.status == 200 && category.ids == Array((2...id).reversed()))
            for filter in lines[7...] {
                let found = try run(filter, eye, token: token)
                #expect(found.status == 200 && found.ids == [1], "\(filter)")
            }
            // Without credentials, and with those of the document, each says so.
            for line in lines.dropFirst() {
                let stranger = try run(line, eye, token: String(repeating: "0", count: 40))
                #expect(stranger.status == 401 && stranger.object["detail"] as? String == "Invalid token.")
            }
        }
    }
}
