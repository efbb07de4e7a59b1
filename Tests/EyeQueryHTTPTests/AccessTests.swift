// Who may do what: every route with every method and every kind of caller.

import EyeStore
import EyeSystem
import Testing

@testable import EyeQueryHTTP

@Suite struct AccessTests {
    private static func path(_ route: Route) -> String {
        route.rawValue.replacing("{id}", with: "1")
            .replacing("{session_id}", with: "e2085be5-9137-4e4e-80b5-f1ffddc25423")
    }

    @Test func routesTimesMethodsTimesScopes() throws {
        let service = try ServiceFixture()
        let expired = try service.accounts.addToken(named: "e", scopes: .admin, lifetimeMicroseconds: 1).secret
        let revoked = try service.accounts.addToken(named: "x", scopes: .admin)
        try service.accounts.revokeToken("x")
        let callers: [(name: String, token: String?, scopes: Scopes?)] = [
            ("nobody", nil, nil), ("unknown", String(repeating: "0", count: 40), nil), ("expired", expired, nil),
            ("revoked", revoked.secret, nil), ("reader", service.reader, .read), ("writer", service.writer, .ingest),
            ("both", service.both, [.read, .ingest]), ("admin", service.admin, .admin),
        ]
        let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"]
        for route in Route.allCases {
            for method in methods {
                for caller in callers {
                    for slash in ["", "/"] where !Self.path(route).hasSuffix("/") || slash.isEmpty {
                        let target = Self.path(route) + slash
                        let answer = try service.call(method, target, token: caller.token)
                        let place = Comment(rawValue: "\(method) \(target) by \(caller.name): \(answer.status)")
                        #expect(answer["cache-control"] == "no-store", place)
                        #expect(answer["x-content-type-options"] == "nosniff", place)
                        #expect(answer["date"] != nil, place)
                        if method == "OPTIONS" {
                            #expect(answer.status == 204 && answer["allow"] == route.allow, place)
                            continue
                        }
                        guard let access = route.methods.first(where: { $0.method.rawValue == method })?.access else {
                            #expect(answer.status == 405 && answer["allow"] == route.allow, place)
                            if method != "HEAD" {
                                #expect(
                                    answer.object["detail"] as? String == "Method \"\(method)\" not allowed.", place)
                            }
                            continue
                        }
                        switch access {
                        case .everybody: #expect(![401, 403, 405].contains(answer.status), place)
                        case .scope(let scope):
                            if let scopes = caller.scopes {
                                #expect((answer.status == 403) == !scopes.isSuperset(of: scope), place)
                                #expect(answer.status != 401, place)
                            } else {
                                #expect(answer.status == 401 && answer["www-authenticate"] == "Token", place)
                                if method != "HEAD" {
                                    let detail =
                                        caller.token == nil
                                        ? "Authentication credentials were not provided." : "Invalid token."
                                    #expect(answer.object["detail"] as? String == detail, place)
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    @Test(arguments: [
        "/nothing", "/events/1", "/event_detail", "/event_detail/", "/event_detail/x", "/event_detail/-1",
        "/event_detail/18446744073709551616", "/errors/x", "/-/", "/-/nothing", "//events/", "/events//",
        "/./events/", "/x/../events/", "/events%2F", "/EVENTS/", "/event_detail/1/2", "/event_detail/0",
        "/event_detail/999",
    ])
    func unknownPathsAre404(path: String) throws {
        let service = try ServiceFixture()
        let answer = try service.call("GET", path, token: service.admin)
        #expect(answer.status == 404)
        #expect(answer.object["detail"] as? String == "Not found.")
        #expect(answer.object["code"] as? String == "not-found")
    }

    @Test func headersOfCredentials() throws {
        let service = try ServiceFixture()
        func status(_ headers: [String]) throws -> Int {
            try service.call("GET", "/events/", headers: headers.map { "Authorization: \($0)" }).status
        }
        #expect(try status(["Token \(service.reader)"]) == 200)
        #expect(try status(["bearer \(service.reader)"]) == 200)
        #expect(try status(["Basic dTpw", "Token \(service.reader)"]) == 200)
        #expect(try status(["Token \(service.reader)", "Basic dTpw"]) == 200)
        #expect(try status(["Token \(service.reader)", "Token \(service.reader)"]) == 200)
        #expect(try status(["Token \(service.reader)", "Token \(service.both)"]) == 401)
        #expect(try status(["Token"]) == 401)
        #expect(try status(["Token a b"]) == 401)
        #expect(try status([service.reader]) == 401)
        #expect(try status(["Basic dTpw"]) == 401)
        #expect(try status(["Token \(service.reader)x"]) == 401)
        #expect(try status(["Token \(service.reader.dropLast())"]) == 401)
        #expect(try status(["Token \(service.reader.uppercased())"]) == 401)
    }

    @Test func revocationReachesOpenConnections() throws {
        let service = try ServiceFixture()
        let client = try service.client()
        let request = "GET /events/ HTTP/1.1\r\nHost: a\r\nAuthorization: Token \(service.reader)\r\n\r\n"
        try client.send(request)
        #expect(try client.answer().status == 200)
        try service.accounts.revokeToken("r")
        let before = ContinuousClock.now
        try ServiceFixture.wait("the revocation") {
            try client.send(request)
            return try client.answer().status == 401
        }
        #expect(ContinuousClock.now - before < .seconds(1.5))
    }

    @Test func lastUseIsReported() throws {
        let service = try ServiceFixture()
        _ = try service.call("GET", "/events/", token: service.reader)
        try ServiceFixture.wait("USED") { service.ingest?.manners.withLock { !$0.used.isEmpty } == true }
    }
}
