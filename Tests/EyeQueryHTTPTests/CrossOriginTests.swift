// Browsers: origins, preflights, beacons.

import EyeStore
import Testing

@testable import EyeQueryHTTP

@Suite struct CrossOriginTests {
    private static let app = "https://app.example.com"
    private let event =
        #"{"session_id":"e2085be5-9137-4e4e-80b5-f1ffddc25423","category":"c","name":"n","data":{"a":1},"timestamp":"2021-01-01T00:00:00Z"}"#

    @Test(arguments: [
        ("https://a", true), ("http://a:8080", true), ("http://[::1]:1", true), ("*", false), ("null", false),
        ("", false),
        ("https://a/", false), ("https://A", false), ("https://a?b", false), ("ftp://a", false), ("https://", false),
        ("https://a,https://b", false), ("https://a b", false), ("https://*.a", false),
    ])
    func origins(text: String, isOne: Bool) { #expect(HTTPOptions.isOrigin(text) == isOne) }

    @Test func onlyConfiguredOriginsAreWelcome() throws {
        let service = try ServiceFixture(ingest: false, origins: [Self.app, "http://localhost:3000"])
        for origin in [Self.app, "http://localhost:3000"] {
            for (method, target, token) in [
                ("GET", "/events/", service.reader), ("GET", "/events/", "wrong"), ("GET", "/nothing", ""),
                ("PUT", "/events/", ""),
                ("GET", "/events/?x=y", service.reader), ("HEAD", "/", ""), ("POST", "/events/", service.writer),
            ] {
                let answer = try service.call(method, target, token: token, headers: ["Origin: \(origin)"])
                #expect(answer["access-control-allow-origin"] == origin, "\(method) \(target)")
                #expect(answer["access-control-expose-headers"]?.contains("Link") == true)
                #expect(answer["vary"] == "Origin")
                #expect(answer["access-control-allow-credentials"] == nil)
            }
        }
        for origin in [
            "https://app.example.com.evil.org", "http://app.example.com", "https://app.example.com:444", "null", "*",
            "https://APP.example.com", "https://evil.org",
        ] {
            let answer = try service.call("GET", "/events/", token: service.reader, headers: ["Origin: \(origin)"])
            #expect(answer.status == 200 && answer["vary"] == "Origin")
            #expect(!answer.fields.contains { $0.name.hasPrefix("access-control-") }, "\(origin)")
        }
        let two = try service.call(
            "GET", "/events/", token: service.reader, headers: ["Origin: \(Self.app)", "Origin: https://evil.org"])
        #expect(two["access-control-allow-origin"] == nil)
        let closed = try ServiceFixture(ingest: false)
        let answer = try closed.call("GET", "/", headers: ["Origin: \(Self.app)"])
        #expect(answer["vary"] == nil && answer["access-control-allow-origin"] == nil)
    }

    @Test func preflightsAreAnsweredAndCached() throws {
        let service = try ServiceFixture(ingest: false, origins: [Self.app])
        let asks = "Access-Control-Request-Method: POST"
        let yes = try service.call("OPTIONS", "/events/", headers: ["Origin: \(Self.app)", asks])
        #expect(yes.status == 204)
        #expect(yes["access-control-allow-origin"] == Self.app)
        #expect(yes["access-control-allow-methods"] == Route.events.allow)
        #expect(yes["access-control-allow-headers"]?.contains("Authorization, Content-Type") == true)
        #expect(yes["access-control-max-age"] == "\(HTTPLimits.preflightSeconds)")
        let no = try service.call("OPTIONS", "/events/", headers: ["Origin: https://evil.org", asks])
        #expect(no.status == 204 && !no.fields.contains { $0.name.hasPrefix("access-control-") })
        let plain = try service.call("OPTIONS", "/events/", headers: ["Origin: \(Self.app)"])
        #expect(plain["access-control-max-age"] == nil && plain["allow"] == Route.events.allow)
    }

    @Test func beaconsBringTheirToken() throws {
        let service = try ServiceFixture(origins: [Self.app])
        func beacon(_ body: String, origin: String? = Self.app) throws -> Answered {
            let headers = origin.map { ["Origin: \($0)"] } ?? []
            return try service.call("POST", "/events/", type: "text/plain;charset=UTF-8", headers: headers, body)
        }
        #expect(try beacon("\(service.writer) \(event)").status == 201)
        #expect(try beacon("\(service.writer)\t\(event)").status == 401)
        #expect(try beacon("\(service.writer) [\(event),\(event)]").object["accepted"] as? Int == 2)
        // The page's own host, and whoever is no page.
        #expect(try beacon("\(service.writer) \(event)", origin: "https://a").status == 201)
        #expect(try beacon("\(service.writer) \(event)", origin: nil).status == 201)
        #expect(try beacon("\(service.writer) \(event)", origin: "https://evil.org").status == 403)
        #expect(try beacon("\(service.writer) \(event)", origin: "null").status == 403)
        #expect(try beacon("\(service.reader) \(event)").status == 403)
        #expect(try beacon("\(String(repeating: "0", count: 40)) \(event)").status == 401)
        for body in [event, "", " ", "[]"] { #expect(try beacon(body).status == 401, "\(body)") }
        #expect(try beacon("\(service.writer) {}").object["code"] as? String == "missing-field")
        #expect(try beacon("\(service.writer)").status == 415)
        let long = String(repeating: " ", count: HTTPLimits.beaconBytesMax)
        #expect(try beacon("\(service.writer) \(event)\(long)").status == 413)
        // With a field, the body is as of any other type.
        #expect(try service.call("POST", "/events/", token: service.writer, type: "text/plain", event).status == 201)
        #expect(service.ingest?.manners.withLock { $0.events } == 6)
    }
}
