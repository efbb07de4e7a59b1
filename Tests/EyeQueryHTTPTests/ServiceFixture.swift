// A running HTTP service in a folder of its own, its accounts, and a client that speaks raw HTTP.

import EyeStore
import EyeSystem
import EyeTestVectors
import Foundation
import Glibc
import Testing

@testable import EyeQueryHTTP

/// The service under test. Stops and removes everything at its end.
final class ServiceFixture {
    private let home: TemporaryFolder
    var folder: String { home.path }
    let accounts: AccountFile
    let service: HTTPService
    private(set) var ingest: FakeIngest?
    /// Token secrets by scope.
    let admin: String
    let reader: String
    let writer: String
    let both: String

    static let password = "correct horse"

    init(
        ingest wantsIngest: Bool = true, connectionsMax: Int = HTTPLimits.connectionsMax, origins: [String] = [],
        time: any TimeSource = SystemTime()
    ) throws {
        home = try TemporaryFolder()
        let folder = home.path
        accounts = AccountFile(RealDisk(), folder: folder, time: time)
        _ = try accounts.firstStart()
        admin = try accounts.addToken(named: "a", scopes: .admin).secret
        reader = try accounts.addToken(named: "r", scopes: .read).secret
        writer = try accounts.addToken(named: "w", scopes: .ingest).secret
        both = try accounts.addToken(named: "b", scopes: [.read, .ingest]).secret
        if wantsIngest { ingest = try FakeIngest(folder) }
        var options = HTTPOptions(folder: folder, address: try SocketAddress.resolve("127.0.0.1:0"))
        options.connectionsMax = connectionsMax
        options.origins = origins
        let log = Log(format: .text, time: time)
        service = HTTPService(options, disk: RealDisk(), time: time, log: log)
        try service.start()
    }

    deinit {
        service.stop()
        ingest?.stop()
    }

    func startIngest() throws { ingest = try FakeIngest(folder) }
    func stopIngest() {
        ingest?.stop()
        ingest = nil
    }

    func client() throws -> TestClient { try TestClient(service.address!) }

    /// One request on a connection of its own.
    func call(
        _ method: String, _ target: String, token: String? = nil, type: String? = "application/json",
        headers: [String] = [], _ body: String? = nil
    ) throws -> Answered {
        var text = "\(method) \(target) HTTP/1.1\r\nHost: a\r\n"
        if let token { text += "Authorization: Token \(token)\r\n" }
        if let type, body != nil { text += "Content-Type: \(type)\r\n" }
        for header in headers { text += header + "\r\n" }
        if let body { text += "Content-Length: \(body.utf8.count)\r\n" }
        let client = try client()
        try client.send(text + "\r\n" + (body ?? ""))
        return try client.answer(isHead: method == "HEAD")
    }

    /// Waits until `condition` holds.
    static func wait(_ what: String, _ condition: () throws -> Bool) throws {
        let deadline = Date(timeIntervalSinceNow: 120)
        while try !condition() {
            if Date() > deadline {
                Issue.record("waited in vain: \(what)")
                throw TestClient.Failure.timeout
            }
            usleep(2000)
        }
    }
}

/// What a service answered.
struct Answered {
    var status = 0
    var fields: [(name: String, value: String)] = []
    var body: [UInt8] = []

    subscript(_ name: String) -> String? { fields.first { $0.name == name.lowercased() }?.value }
    var text: String { String(decoding: body, as: UTF8.self) }
    /// The body as a JSON object.
    var object: [String: Any] {
        (try? JSONSerialization.jsonObject(with: Data(body))) as? [String: Any] ?? [:]
    }
    var array: [[String: Any]] {
        (try? JSONSerialization.jsonObject(with: Data(body))) as? [[String: Any]] ?? []
    }
    var ids: [Int] { array.compactMap { $0["id"] as? Int } }
    /// The target of the Link to the next page.
    var next: String? {
        guard let link = self["link"], link.hasPrefix("<"), link.hasSuffix(">; rel=\"next\"") else { return nil }
        return String(link.dropFirst().prefix { $0 != ">" })
    }
}

/// A blocking client.
final class TestClient {
    enum Failure: Error { case closed, reset, timeout }

    private let socket: Int32
    private var input: [UInt8] = []

    init(_ address: SocketAddress) throws {
        let descriptor = try Socket.connect(address)
        socket = dup(descriptor.number)
        var limit = timeval(tv_sec: 120, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(socket) }

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) throws {
        var offset = 0
        while offset < bytes.count {
            let count = bytes[offset...].withUnsafeBytes {
                Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { throw Failure.closed }
            offset += count
        }
    }

    func endSending() { shutdown(socket, Int32(SHUT_WR)) }

    private func more() throws {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(socket, &buffer, buffer.count, 0)
        if count == 0 { throw Failure.closed }
        if count < 0 { throw errno == EAGAIN ? Failure.timeout : errno == ECONNRESET ? .reset : .closed }
        input += buffer[..<count]
    }

    private func line() throws -> String {
        while true {
            if let end = input.firstIndex(of: 10) {
                let line = String(decoding: input[..<max(0, end - 1)], as: UTF8.self)
                input.removeFirst(end + 1)
                return line
            }
            try more()
        }
    }

    private func take(_ count: Int) throws -> [UInt8] {
        while input.count < count { try more() }
        defer { input.removeFirst(count) }
        return Array(input[..<count])
    }

    /// Whether nothing has come that was not yet read.
    var isSilent: Bool {
        var byte: UInt8 = 0
        return input.isEmpty && recv(socket, &byte, 1, Int32(MSG_DONTWAIT | MSG_PEEK)) < 0 && errno == EAGAIN
    }

    /// Reads until the server ends the connection; true if it did.
    func isEnded() -> Bool {
        do {
            while true { try more() }
        } catch Failure.closed, Failure.reset {
            return true
        } catch {
            return false
        }
    }

    /// Reads until the server ends the connection; true if it did so by a reset.
    func isReset() -> Bool {
        do {
            while true { try more() }
        } catch Failure.reset {
            return true
        } catch {
            return false
        }
    }

    /// Reads until the connection is over: 0 when it was ended, else the error of recv(2).
    func errorAtEnd() -> Int32 {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(socket, &buffer, buffer.count, 0)
            if count <= 0 { return count == 0 ? 0 : errno }
        }
    }

    /// Everything until the server ends the connection.
    func rest() -> [UInt8] {
        _ = isEnded()
        return input
    }

    /// The next chunk of an answer whose head was read; nil: it was the last.
    func piece() throws -> String? {
        let size = Int(try line(), radix: 16)!
        let bytes = try take(size)
        _ = try line()
        return size == 0 ? nil : String(decoding: bytes, as: UTF8.self)
    }

    /// The next answer; of a live stream its head.
    func answer(isHead: Bool = false) throws -> Answered {
        var answer = Answered()
        let status = try line()
        answer.status = Int(status.split(separator: " ")[1])!
        while true {
            let field = try line()
            if field.isEmpty { break }
            let colon = field.firstIndex(of: ":")!
            answer.fields.append(
                (
                    field[..<colon].lowercased(),
                    field[field.index(after: colon)...].trimmingCharacters(in: .whitespaces)
                ))
        }
        if isHead || answer.status == 204 || answer.status == 100 { return answer }
        // It goes on for ever: see `piece`.
        if answer["content-type"] == "text/event-stream" { return answer }
        if answer["transfer-encoding"] == "chunked" {
            while true {
                let size = Int(try line(), radix: 16)!
                if size == 0 { break }
                answer.body += try take(size)
                _ = try line()
            }
            while true {
                let field = try line()
                if field.isEmpty { break }
                let colon = field.firstIndex(of: ":")!
                answer.fields.append((field[..<colon].lowercased(), String(field[colon...].dropFirst(2))))
            }
        } else {
            answer.body = try take(Int(answer["content-length"] ?? "0")!)
        }
        return answer
    }
}
