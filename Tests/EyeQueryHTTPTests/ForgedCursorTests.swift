// Cursors that nobody was given: their checksum is right, their numbers are anything. They may show nothing useful, and end nothing.

import EyeStore
import EyeSystem
import Foundation
import Testing

@testable import EyeQueryHTTP

@Suite struct ForgedCursorTests {
    private static let session = "e2085be5-9137-4e4e-80b5-f1ffddc25423"

    private static func filled() throws -> ServiceFixture {
        let service = try ServiceFixture()
        for name in ["a", "b", "c"] {
            let event =
                #"{"session_id":"\#(session)","category":"c","name":"\#(name)","data":{"a":1},"timestamp":"2021-01-01T00:00:00Z"}"#
            #expect(try service.call("POST", "/events/", token: service.both, event).status == 201)
        }
        return service
    }

    private static func fingerprint(_ list: String, _ query: String) throws -> UInt32 {
        PageCursor.fingerprint(list, try QueryParameters(parsing: Array(query.utf8)[...]))
    }

    @Test(arguments: [
        ("/events/", ""), ("/events/", "order=id"), ("/events/", "since=1h"), ("/events/", "format=ndjson"),
        ("/events/", "count=1"), ("/sessions/", ""), ("/sessions/", "name=a"), ("/sessions/", "since=1h"),
        ("/sessions/\(session)/", ""), ("/errors/", ""), ("/errors/", "since=1h"), ("/erasures/", ""),
    ])
    func anyNumbers(path: String, query: String) throws {
        let service = try Self.filled()
        let high: UInt64 = 0xe208_5be5_9137_4e4e
        let low: UInt64 = 0x80b5_f1ff_ddc2_5423
        let list = path.contains(Self.session) ? "\(Route.sessionDetail.rawValue) \(high) \(low)" : path
        let fingerprint = try Self.fingerprint(list, query)
        let numbers: [UInt64] = [0, 1, 2, UInt64.max >> 1, UInt64.max]
        for upper in numbers {
            for last in numbers {
                for now in [Int64.min, Int64.max] {
                    let cursor = PageCursor(upper: upper, last: last, now: now, fingerprint: fingerprint)
                    let text = String(decoding: cursor.text, as: UTF8.self)
                    let separator = query.isEmpty ? "" : "&"
                    let answer = try service.call(
                        "GET", "\(path)?\(query)\(separator)cursor=\(text)", token: service.admin)
                    #expect(
                        [200, 400, 404].contains(answer.status),
                        "\(upper) \(last) \(now): \(answer.status) \(answer.text)")
                }
            }
        }
    }

    /// What is behind the newest event of the store is not shown, whatever the cursor says.
    @Test func nothingNewerIsShown() throws {
        let service = try Self.filled()
        let cursor = PageCursor(
            upper: UInt64.max, last: UInt64.max, now: 0, fingerprint: try Self.fingerprint("/events/", ""))
        let answer = try service.call(
            "GET", "/events/?cursor=\(String(decoding: cursor.text, as: UTF8.self))", token: service.reader)
        #expect(answer.ids == [3, 2, 1])
    }

    /// A Link must be short enough to be followed: what came unencoded is encoded in it.
    @Test func aLinkFits() throws {
        let service = try Self.filled()
        let quotes = String(repeating: "\"", count: 2800)
        for path in ["/events/?limit=1&data.a__ne=", "/sessions/?limit=1&name__ne="] {
            let answer = try service.call("GET", path + quotes, token: service.reader)
            #expect(answer.status == 414 && answer.object["code"] as? String == "uri-too-long", "\(path)")
            let short = try service.call("GET", path + quotes.prefix(2000), token: service.reader)
            #expect(short.status == 200)
            guard let next = short.next else { continue }
            #expect(try service.call("GET", next, token: service.reader).status == 200)
        }
    }
}
