// Secrets stay where they belong: in the request that brought them, and as hashes in the accounts. Not in what the service logs, answers,
// counts or stores, nor in its arguments; and its files are its owner's alone.

import EyeSystem
import Foundation
import Testing

@Suite(.timeLimit(.minutes(2))) struct SecretTests {
    @Test func noSecretIsSeenAgain() throws {
        let eye = try ServedEye()
        let reader = try eye.addToken("reader", scope: "read")
        let password = eye.firstPassword
        let login = try eye.call("POST", "/api-token-auth/", #"{"username":"admin","password":"\#(password)"}"#)
        let session = try #require(login.object["token"] as? String)
        let wrong = "wrong-password-\(UUID().uuidString)"
        let unknown = String(repeating: "0", count: 20) + String(repeating: "a", count: 20)

        // Every way in, most of them into a refusal.
        #expect(try eye.call("POST", "/api-token-auth/", #"{"username":"admin","password":"\#(wrong)"}"#).status == 400)
        #expect(try eye.call("POST", "/api-token-auth/", #"{"username":"admin","password":"\#(wrong)""#).status == 400)
        #expect(try eye.call("GET", "/events/", token: unknown).status == 401)
        #expect(try eye.call("GET", "/events/?token=\(session)", token: session).status == 400)
        #expect(try eye.call("POST", "/events/", token: session, "{}").status == 400)
        #expect(try eye.call("GET", "/events/", headers: ["Authorization: Token \(session)", " folded"]).status == 400)
        #expect(try eye.call("GET", "/events/", headers: ["Authorization: Token \(session) x"]).status == 401)
        for first in [eye.firstToken, unknown, reader, "Authorization: Token \(eye.firstToken)"] {
            try Self.sendLine("\(first) {}\n", to: eye.tcp)
        }
        try wait("both refused events") { try eye.call("GET", "/errors/", token: reader).array.count >= 2 }

        let secrets = [password, session, wrong, unknown, reader, eye.firstToken]
        var places: [(String, String)] = [("stderr", try eye.errorOutput)]
        for target in ["/metrics", "/errors/", "/errors/1", "/errors/2", "/-/ready", "/events/", "/sessions/"] {
            places.append((target, try eye.call("GET", target, token: reader).text))
        }
        for name in ["cmdline", "environ"] {
            let bytes = try Data(contentsOf: URL(filePath: "/proc/\(eye.processID)/\(name)"))
            places.append((name, String(decoding: bytes, as: UTF8.self)))
        }
        for (path, _) in try Self.files(eye.folder.path) {
            let bytes = (try? Data(contentsOf: URL(filePath: path))) ?? Data()
            places.append((path, String(decoding: bytes, as: UTF8.self)))
        }
        for (place, text) in places {
            for secret in secrets { #expect(!text.contains(secret), "\(place)") }
        }
    }

    @Test func filesAreTheirOwnersAlone() throws {
        let folder = try TemporaryFolder()
        let data = "\(folder.path)/data"
        let eye = try ServedEye(nil, ["--data", data])
        try Self.sendLine("\(eye.firstToken) {}\n", to: eye.tcp)
        let files = try Self.files(data)
        #expect(files.contains { $0.path.hasSuffix("/accounts") } && files.contains { $0.path.hasSuffix(".sock") })
        for (path, mode) in files + [(data, try Self.mode(data))] {
            #expect(mode & 0o077 == 0, "\(path) has mode \(String(mode, radix: 8))")
        }
    }

    /// Sends a line to the line port; when it returns, the line was judged.
    private static func sendLine(_ line: String, to address: String) throws {
        let socket = try Socket.connect(try SocketAddress.resolve(address))
        try socket.sendAll(Array(line.utf8))
        try Socket.shutdownWrites(socket.number)
        _ = try socket.readToEnd()
    }

    /// Everything below a folder, with its permissions.
    private static func files(_ folder: String) throws -> [(path: String, mode: Int)] {
        try FileManager.default.subpathsOfDirectory(atPath: folder).compactMap { name in
            let path = "\(folder)/\(name)"
            return (try? mode(path)).map { (path, $0) }
        }
    }

    private static func mode(_ path: String) throws -> Int {
        try #require(FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int)
    }
}
