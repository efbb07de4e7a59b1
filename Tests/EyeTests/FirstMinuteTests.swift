// The first minute with The Eye: `eye serve`, then what the greeting and the documents say, pasted into bash.

import EyeSystem
import Foundation
import Testing

private let event =
    #"{"session_id":"e2085be5-9137-4e4e-80b5-f1ffddc25423","category":"page interaction","name":"cta click","#
    + #""data":{"host":"www.consumeraffairs.com","path":"/","element":"chat bubble"},"timestamp":"2021-01-01 09:15:27.243860"}"#

@Suite(.timeLimit(.minutes(2))) struct FirstMinuteTests {
    /// The commands that the greeting shows, as they stand there.
    private func shown(_ eye: ServedEye) -> [String] {
        let lines = eye.greeting.split(separator: "\n").map(String.init)
        guard let start = lines.firstIndex(where: { $0.hasPrefix("Try it") }) else { return [] }
        return lines[start...].dropFirst().map { String($0.dropFirst(2)) }
    }

    /// Runs lines one after the other in one bash; what each printed, and how it ended.
    private func paste(_ lines: [String], _ environment: [String: String] = [:]) throws -> [(out: String, code: String)]
    {
        let mark = "-- \(UUID().uuidString) "
        let run = try Shell(lines.map { "\($0)\necho \"\(mark)$?\"\n" }.joined(), environment: environment)
        #expect(run.error.isEmpty, "\(run.error)")
        let parts = run.out.components(separatedBy: mark)
        return zip(parts, parts.dropFirst()).enumerated().map { index, pair in
            // The text of a part opens with the exit code of the line before it.
            let text = index == 0 ? pair.0 : pair.0.components(separatedBy: "\n").dropFirst().joined(separator: "\n")
            return (text, String(pair.1.prefix { $0 != "\n" }))
        }
    }

    @Test(.enabled(if: Shell.has("nc") && Shell.has("curl"), "nc and curl are needed"))
    func everyLineOfTheGreetingWorks() throws {
        let eye = try ServedEye()
        let lines = shown(eye)
        try #require(lines.count == 4, "\(eye.greeting)")
        let results = try paste(lines)
        try #require(results.count == 4)
        for (line, result) in zip(lines, results) { #expect(result.code == "0", "\(line)") }
        #expect(results[0].out == "+BYE received=1 accepted=1 rejected=0 duplicate=0\n")
        #expect(results[1].out.hasPrefix(#"{"id":2,"session_id":"e2085be5-9137-4e4e-80b5-f1ffddc25423","#))
        #expect(results[2].out.isEmpty)
        let found = try JSONSerialization.jsonObject(with: Data(results[3].out.utf8)) as? [[String: Any]]
        #expect(found?.compactMap { $0["id"] as? Int } == [2, 1])
        // The log has one line: what was asked of the kernel, and what it gave.
        let log = try eye.errorOutput
        #expect(log.contains(#/^\S+ info UDP receive buffer.* asked=8388608 granted=[1-9][0-9]*\n$/#), "\(log)")
    }

    /// A later start knows no secrets: it says how to make a token, and its lines take it from $TOKEN.
    @Test(.enabled(if: Shell.has("nc") && Shell.has("curl"), "nc and curl are needed"))
    func everyLineOfALaterGreetingWorks() throws {
        let first = try ServedEye()
        let password = first.firstPassword
        #expect(first.end(SIGTERM) == 0)
        let eye = try ServedEye(first.folder)
        #expect(!eye.greeting.contains("password  ") && !eye.greeting.contains(first.firstToken))
        var lines = shown(eye)
        try #require(lines.count == 5, "\(eye.greeting)")
        #expect(lines[0].hasPrefix("TOKEN=$(") && lines[0].contains(" token add NAME --scope ingest"))
        let read = try #require(lines.firstIndex { $0.contains("PASSWORD") })
        lines[read] = lines[read].replacing("PASSWORD", with: password)
        let results = try paste(lines)
        for (line, result) in zip(lines, results) { #expect(result.code == "0", "\(line)") }
        #expect(results[1].out == "+BYE received=1 accepted=1 rejected=0 duplicate=0\n")
        #expect(results[2].out.hasPrefix(#"{"id":2,"#))
        #expect(results[4].out.hasPrefix("[{\"id\":2,"))
    }

    /// One event by each door, all shown; and a line that is refused says why before the count.
    @Test(.enabled(if: Shell.has("nc"), "nc is needed"))
    func everyDoorTakesEvents() throws {
        let eye = try ServedEye()
        let reader = try eye.addToken("reader", scope: "read")
        let variables = ["TOKEN": eye.firstToken]
        let send = "printf '%s \(event)\\n' \"$TOKEN\" | nc "
        let tcp = try Shell(send + "-N 127.0.0.1 \(eye.tcpPort)", environment: variables)
        #expect(tcp.code == 0)
        #expect(tcp.out == "+BYE received=1 accepted=1 rejected=0 duplicate=0\n")
        let unix = try Shell(send + "-N -U \(eye.folder.path)/ingest.sock", environment: variables)
        #expect(unix.out == "+BYE received=1 accepted=1 rejected=0 duplicate=0\n")
        // UDP says nothing: nc ends after a second without traffic.
        let udp = try Shell(send + "-u -w 1 127.0.0.1 \(eye.udpPort)", environment: variables)
        #expect(udp.code == 0 && udp.out.isEmpty)
        let http = try eye.call("POST", "/events/", token: eye.firstToken, event)
        #expect(http.status == 201)
        try wait("four events") { try eye.call("GET", "/events/", token: reader).array.count == 4 }
        let found = try eye.call("GET", "/events/", token: reader)
        for event in found.array {
            #expect(event["session_id"] as? String == "e2085be5-9137-4e4e-80b5-f1ffddc25423")
            #expect(event["timestamp"] as? String == "2021-01-01T09:15:27.243860Z")
            #expect(event["name"] as? String == "cta click" && event["category"] as? String == "page interaction")
            let data = event["data"] as? [String: String]
            #expect(data == ["host": "www.consumeraffairs.com", "path": "/", "element": "chat bubble"])
        }
        let refused = try Shell(
            "printf '%s {\"session_id\":\"x\"}\\n' \"$TOKEN\" | nc -N 127.0.0.1 \(eye.tcpPort)", environment: variables)
        let lines = refused.out.split(separator: "\n")
        try #require(lines.count == 2)
        #expect(lines[0].hasPrefix("-ERR 1 bad-uuid "))
        #expect(lines[1] == "+BYE received=1 accepted=0 rejected=1 duplicate=0")
        #expect(try eye.call("GET", "/events/", token: reader).array.count == 4)
        try wait("the refused line among the errors") {
            try eye.call("GET", "/errors/", token: reader).array.contains { $0["code"] as? String == "bad-uuid" }
        }
    }

    /// A token is known to both services as soon as `eye token add` has printed it.
    @Test(.enabled(if: Shell.has("nc"), "nc is needed"))
    func aTokenWorksAtOnce() throws {
        let eye = try ServedEye()
        for number in 1...5 {
            let run = try Shell(
                "TOKEN=$(eye token add t\(number) --scope ingest --data \(eye.folder.path)); "
                    + "printf '%s \(event)\\n' \"$TOKEN\" | nc -N 127.0.0.1 \(eye.tcpPort)")
            #expect(run.out == "+BYE received=1 accepted=1 rejected=0 duplicate=0\n", "\(run.error)")
            let token = try eye.addToken("h\(number)", scope: "ingest,read")
            #expect(try eye.call("POST", "/events/", token: token, event).status == 201)
        }
    }
}
