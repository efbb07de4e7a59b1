import EyeStore
import Foundation
import Testing

@testable import EyeQueryHTTP

/// DELETE over HTTP: receipts, counting only, what is not there, and a service without an ingest side.
@Suite struct ErasureExchangeTests {
    static let session = "e2085be5-9137-4e4e-80b5-f1ffddc25423"

    private static func post(_ service: ServiceFixture, _ name: String, session: String = session) throws -> Int {
        let event = """
            {"session_id":"\(session)","category":"c","name":"\(name)","data":{"a":1},"timestamp":"2021-01-01 09:15:27"}
            """
        let answer = try service.call("POST", "/events/", token: service.writer, event)
        #expect(answer.status == 201)
        return answer.object["id"] as? Int ?? 0
    }

    @Test func anEventGoesOnce() throws {
        let service = try ServiceFixture()
        let id = try Self.post(service, "a")
        _ = try Self.post(service, "b")
        let dry = try service.call("DELETE", "/event_detail/\(id)?dry_run=1", token: service.admin)
        #expect(dry.status == 200 && dry.object["events"] as? Int == 1 && dry.object["dry_run"] as? Bool == true)
        #expect(dry.object["id"] is NSNull && dry.object["erased_at"] is NSNull)
        #expect(try service.call("GET", "/event_detail/\(id)", token: service.reader).status == 200)
        let receipt = try service.call("DELETE", "/event_detail/\(id)/", token: service.admin)
        #expect(receipt.status == 200 && receipt.object["events"] as? Int == 1)
        #expect(receipt.object["first_event_id"] as? Int == id && receipt.object["last_event_id"] as? Int == id)
        #expect(receipt.object["erased_at"] as? String == "2023-11-14T22:13:20.000000Z")
        #expect(receipt.object["id"] as? Int == 3)
        #expect(try service.call("GET", "/event_detail/\(id)", token: service.reader).status == 404)
        #expect(try service.call("GET", "/events/", token: service.reader).array.count == 1)
        let again = try service.call("DELETE", "/event_detail/\(id)", token: service.admin)
        #expect(again.status == 404 && again.object["code"] as? String == "not-found")
        #expect(try service.call("DELETE", "/event_detail/99", token: service.admin).status == 404)
    }

    @Test func aSessionGoesWithAllItsEvents() throws {
        let service = try ServiceFixture()
        for name in ["a", "b", "c"] { _ = try Self.post(service, name) }
        let other = "11111111-2222-4333-8444-555555555555"
        _ = try Self.post(service, "d", session: other)
        let receipt = try service.call("DELETE", "/sessions/\(Self.session)/?now=1", token: service.admin, "{}")
        #expect(receipt.status == 200 && receipt.object["events"] as? Int == 3)
        let left = try service.call("GET", "/events/", token: service.reader).array
        #expect(left.map { $0["session_id"] as? String } == [other])
        #expect(try service.call("GET", "/events/?session_id=\(Self.session)", token: service.reader).array.isEmpty)
        #expect(
            try service.call("GET", "/sessions/", token: service.reader).array.map { $0["id"] as? String } == [other])
        #expect(try service.call("DELETE", "/sessions/\(Self.session)", token: service.admin).status == 404)
        // What comes later is new.
        let id = try Self.post(service, "e")
        #expect(try service.call("GET", "/event_detail/\(id)", token: service.reader).status == 200)
    }

    @Test func receiptsAreListedNewestFirstInPages() throws {
        let service = try ServiceFixture()
        let ids = try (1...5).map { try Self.post(service, "n\($0)") }
        for id in ids.dropLast() {
            #expect(try service.call("DELETE", "/event_detail/\(id)", token: service.admin).status == 200)
        }
        let all = try service.call("GET", "/erasures/", token: service.admin)
        #expect(all.status == 200 && all.array.map { $0["first_event_id"] as? Int } == ids.dropLast().reversed())
        #expect(all.array.allSatisfy { $0["kind"] as? String == "event" && $0["events"] as? Int == 1 })
        #expect(all.array.allSatisfy { $0["token_id"] as? Int == 1 && $0["removed"] as? Bool == false })
        var paged: [Int] = []
        var target: String? = "/erasures/?limit=3"
        while let next = target {
            let page = try service.call("GET", next, token: service.admin)
            paged += page.ids
            target = page.next
        }
        #expect(paged == all.ids && paged == paged.sorted(by: >))
        #expect(try service.call("GET", "/erasures/", token: service.both).status == 403)
    }

    @Test func whatIsNotMeantIsRefused() throws {
        let service = try ServiceFixture()
        let id = try Self.post(service, "a")
        for target in ["/event_detail/\(id)?dry_run=yes", "/event_detail/\(id)?dry_run=1&dry_run=0"] {
            let answer = try service.call("DELETE", target, token: service.admin)
            #expect(answer.status == 400 && answer.object["code"] as? String == "bad-parameter", "\(target)")
        }
        let typo = try service.call("DELETE", "/event_detail/\(id)?dryrun=1", token: service.admin)
        #expect(typo.status == 400 && (typo.object["detail"] as? String)?.contains("dry_run") == true)
        #expect(try service.call("DELETE", "/sessions/abc/", token: service.admin).status == 404)
        #expect(try service.call("DELETE", "/events/", token: service.admin).status == 405)
        #expect(try service.call("DELETE", "/event_detail/\(id)", token: service.both).status == 403)
        #expect(try service.call("GET", "/event_detail/\(id)", token: service.reader).status == 200)
    }

    @Test func withoutAnIngestSideItIsUnavailable() throws {
        let service = try ServiceFixture()
        let id = try Self.post(service, "a")
        service.stopIngest()
        let answer = try service.call("DELETE", "/event_detail/\(id)", token: service.admin)
        #expect(answer.status == 503 && answer.object["code"] as? String == "no-ingest")
        #expect(answer["retry-after"] != nil)
    }
}
