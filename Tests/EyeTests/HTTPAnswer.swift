// One HTTP/1.1 call over a socket of its own, blocking with a time limit, and what came back: nothing between the test and
// the bytes.

import EyeSystem
import Foundation

/// An answer of the HTTP service.
struct HTTPAnswer {
    private(set) var status = 0
    private(set) var fields: [(name: String, value: String)] = []
    private(set) var body: [UInt8] = []

    /// Sends a request with `Connection: close` and reads to the end.
    init(of method: String, _ target: String, at address: String, fields: [String], body: [UInt8]) throws {
        let socket = try Socket.connect(try SocketAddress.resolve(address))
        var limit = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(socket.number, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(socket.number, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var head = "\(method) \(target) HTTP/1.1\r\nHost: \(address)\r\nConnection: close\r\n"
        for field in fields { head += field + "\r\n" }
        if !body.isEmpty { head += "Content-Length: \(body.count)\r\n" }
        try socket.sendAll(Array((head + "\r\n").utf8) + body)
        try self.init(parsing: socket.readToEnd(), isHead: method == "HEAD")
    }

    private init(parsing bytes: [UInt8], isHead: Bool) throws {
        guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else {
            throw UnexpectedAnswer(target: "", text: String(decoding: bytes, as: UTF8.self))
        }
        let lines = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
        status = Int(lines[0].split(separator: " ").dropFirst().first ?? "") ?? 0
        fields = lines.dropFirst().map { line in
            let parts = line.split(separator: ":", maxSplits: 1)
            return (parts[0].lowercased(), parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : "")
        }
        var rest = bytes[end.upperBound...]
        guard self["transfer-encoding"] == "chunked", !isHead else {
            body = Array(rest)
            // A body that was cut off is no answer.
            if !isHead, let length = self["content-length"], Int(length) != body.count {
                throw UnexpectedAnswer(target: "", text: "\(body.count) of \(length) bytes")
            }
            return
        }
        while let line = rest.firstRange(of: [13, 10]),
            let size = Int(String(decoding: rest[..<line.lowerBound], as: UTF8.self), radix: 16)
        {
            if size == 0 { return }
            guard rest.endIndex - line.upperBound >= size + 2 else { break }
            body += rest[line.upperBound..<(line.upperBound + size)]
            rest = rest[(line.upperBound + size + 2)...]
        }
        throw UnexpectedAnswer(target: "", text: "the chunked body has no end")
    }

    subscript(_ name: String) -> String? { fields.first { $0.name == name }?.value }
    /// The body.
    var text: String { String(decoding: body, as: UTF8.self) }
    /// The body as a JSON object.
    var object: [String: Any] { (try? JSONSerialization.jsonObject(with: Data(body))) as? [String: Any] ?? [:] }
    /// The body as an array of JSON objects.
    var array: [[String: Any]] { (try? JSONSerialization.jsonObject(with: Data(body))) as? [[String: Any]] ?? [] }
    /// The messages of a field.
    func messages(_ field: String) -> [String] { object[field] as? [String] ?? [] }
    /// The target of the Link to the next page.
    var next: String? {
        guard let link = self["link"], link.hasPrefix("<"), link.hasSuffix(">; rel=\"next\"") else { return nil }
        return String(link.dropFirst().prefix { $0 != ">" })
    }
}

extension Descriptor {
    /// Sends everything; blocks.
    func sendAll(_ bytes: [UInt8]) throws {
        var from = 0
        while from < bytes.count {
            switch try Socket.send(number, bytes, from: from) {
            case .bytes(let count): from += count
            case .wouldBlock, .end: throw WaitedInVain(what: "a peer that takes what is sent")
            }
        }
    }

    /// Everything until the peer ends; blocks.
    func readToEnd() throws -> [UInt8] {
        var all: [UInt8] = []
        while let more = try readSome() { all += more }
        return all
    }

    /// What is there next; nil at the end.
    func readSome() throws -> [UInt8]? {
        var room = [UInt8](repeating: 0, count: 65_536)
        switch try room.withUnsafeMutableBytes({ try Socket.receive(number, into: $0) }) {
        case .bytes(let count): return Array(room[..<count])
        case .end: return nil
        case .wouldBlock: throw WaitedInVain(what: "an answer")
        }
    }
}
