// Whole results over a real socket: framing, a client that takes its time, one that goes away, one of HTTP/1.0.

import EyeStore
import EyeSystem
import Foundation
import Testing

@testable import EyeQueryHTTP

@Suite struct StreamEndpointTests {
    /// 100 events of 60 kB, written by no service.
    private static func filled() throws -> ServiceFixture {
        let service = try ServiceFixture(ingest: false)
        let writer = try StoreWriter.open(
            RealDisk(), folder: service.folder, options: StoreOptions(), time: SystemTime())
        let data = Array("{\"a\":\"\(String(repeating: "x", count: 60_000))\"}".utf8)
        var frames: [Frame] = []
        for number in 0..<100 {
            if number % 2 == 0 { frames.append(Frame()) }
            let key = EventKey(
                received: 1_700_000_000_000_000, timestamp: 1_600_000_000_000_000, session: ID128(high: 1, low: 2),
                token: 1)
            let isIn = Array("c".utf8).withUnsafeBytes { category in
                Array("=n".utf8).withUnsafeBytes { name in
                    data.withUnsafeBytes {
                        frames[number / 2].appendEvent(key, category: category, name: name, data: $0)
                    }
                }
            }
            #expect(isIn)
        }
        #expect(try writer.commit(frames) == .durable)
        try writer.close()
        return service
    }

    private static func request(_ service: ServiceFixture, _ query: String, version: String = "1.1") -> String {
        "GET /events/?\(query) HTTP/\(version)\r\nHost: a\r\nAuthorization: Token \(service.reader)\r\n\r\n"
    }

    @Test func aStreamEndsWithItsToken() throws {
        let service = try Self.filled()
        let slow = try service.client()
        try slow.send(Self.request(service, "format=ndjson"))
        try ServiceFixture.wait("its beginning") { !slow.isSilent }
        try service.accounts.revokeToken("r")
        try ServiceFixture.wait("the revocation") {
            try service.call("GET", "/event_detail/1", token: service.reader).status == 401
        }
        let bytes = slow.rest()
        #expect(bytes.starts(with: Array("HTTP/1.1 200 ".utf8)))
        #expect(bytes.count < 6_000_000)
        #expect(!bytes.suffix(5).elementsEqual("0\r\n\r\n".utf8))
    }

    @Test func aStreamWaitsForItsClient() throws {
        let service = try Self.filled()
        let slow = try service.client()
        try slow.send(Self.request(service, "format=ndjson&order=id"))
        // 6 MB for somebody who does not read: others are served.
        for _ in 0..<20 { #expect(try service.call("GET", "/event_detail/1", token: service.reader).status == 200) }
        let answer = try slow.answer()
        #expect(answer.status == 200 && answer["transfer-encoding"] == "chunked")
        #expect(answer["content-type"] == "application/x-ndjson" && answer["trailer"] == "Eye-Incomplete")
        let lines = answer.body.split(separator: 0x0A)
        #expect(lines.count == 100)
        for (index, line) in lines.enumerated() { #expect(line.starts(with: Array("{\"id\":\(index + 1),".utf8))) }
        // The connection goes on.
        try slow.send(Self.request(service, "format=csv&fields=id,name&limit=2"))
        #expect(try slow.answer().text == "id,name\r\n100,\"'=n\"\r\n99,\"'=n\"\r\n")
        try slow.send(Self.request(service, "count=1&data.a__prefix=xx"))
        #expect(try slow.answer().text == "{\"count\":100}\n")
        try slow.send(Self.request(service, "fields=id,data.none&limit=2"))
        #expect(try slow.answer().text == "[{\"id\":100},{\"id\":99}]\n")
    }

    @Test func anOldClientReadsToTheEnd() throws {
        let service = try Self.filled()
        let old = try service.client()
        try old.send(Self.request(service, "format=ndjson&fields=id,data", version: "1.0"))
        let all = String(decoding: old.rest(), as: UTF8.self)
        #expect(all.contains("\r\nConnection: close\r\n") && !all.contains("Transfer-Encoding"))
        #expect(all.components(separatedBy: "\r\n\r\n").last?.split(separator: "\n").count == 100)
    }

    @Test func whoOnlyLooksOrGoesAwayLeavesNothingBehind() throws {
        let service = try Self.filled()
        let head = try service.call("HEAD", "/events/?format=ndjson", token: service.reader)
        #expect(head.status == 200 && head.body.isEmpty && head["transfer-encoding"] == "chunked")
        for format in ["ndjson", "csv"] {
            for _ in 0..<5 { try service.client().send(Self.request(service, "format=\(format)")) }
        }
        try ServiceFixture.wait("only the one who asks") {
            try service.call("GET", "/metrics").text.contains("\neye_http_connections 1\n")
        }
        #expect(try service.call("GET", "/events/?format=csv", token: service.writer).status == 403)
    }
}
